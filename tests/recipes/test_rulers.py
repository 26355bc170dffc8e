"""The rulers' recipe: motion is taught by what readings see, both ways."""

import torch

from recipes import rulers
from worldreel.data.synth import Settings, synthesize
from worldreel.eval.eye import Eye
from worldreel.eval.known import CORE


def test_motion_learns_from_what_the_eye_sees_both_ways(tmp_path, monkeypatch):
    """As `Rulers.look` does, in sharp clips and in soft ones; never from one look."""
    settings = Settings(size=(144, 80), seconds=1 / 3, samples=1, within=tuple(sorted(CORE)))
    synthesize(tmp_path, settings, first_seed=2_900_000, count=1, jobs=1)
    looks = []
    both = Eye.both_ways

    def noted(eye, x):
        looks.append(x)
        return both(eye, x)

    monkeypatch.setattr(Eye, "both_ways", noted)
    torch.manual_seed(0)
    eye = Eye()
    once = []
    eye.register_forward_hook(lambda *_: once.append(1))
    seen = rulers.moves([tmp_path], 1, eye)
    assert len(looks) == 2 and len(once) == 4
    assert not torch.equal(*looks), "the second is softened"
    assert len(seen.motion) >= 3 and len(seen.motion) == len(seen.moments) == len(seen.flow)
