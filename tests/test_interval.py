"""Guidance in an interval of levels: off by default, and outside of it one branch is computed."""

from dataclasses import replace

import pytest
import torch

from tests.tiny_wan import letters, saved
from worldreel import engine, flow
from worldreel.cli import main
from worldreel.course import Pace
from worldreel.media import Video
from worldreel.public import LEAST
from worldreel.stream import stream

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::worldreel.request.RequestWarning"),
]

KINDS = ("t2v", "pair", "level", "control", "marble")
STEPS = 6
ASKED = {"num_frames": 5, "size": (64, 64), "num_inference_steps": STEPS, "guidance_scale": 5.0}


@pytest.fixture(scope="module")
def engines(tmp_path_factory, tiny_model):
    """Public models, and marble's, that count: {kind: (engine, clips of each pass)}."""
    found = {}
    for kind in KINDS:
        if kind == "marble":
            model = engine.load(tiny_model, dtype="float32")
        else:
            folder = saved(tmp_path_factory.mktemp(kind), kind)[0]
            model = engine.load(folder, dtype="float32", text=letters(), way="all resident")
        passes: list[int] = []
        low = model.public.low if model.public is not None else None
        for dit in (model.dit, *([low] if low is not None else [])):
            dit.patch_in.register_forward_hook(
                lambda _, given, out, passes=passes: passes.append(len(given[0]))
            )
        found[kind] = model, passes
    return found


def inside(model, low, high) -> list[bool]:
    """Which steps lie in an interval."""
    s, least = model.settings, 0.0 if model.public is None else LEAST
    sigmas = flow.schedule(STEPS, shift=s.flow_shift, least=least)[:-1]
    return [bool(low <= sigma <= high) for sigma in sigmas]


@pytest.mark.parametrize("kind", KINDS)
def test_outside_of_the_interval_one_branch_is_computed(kind, engines):
    model, passes = engines[kind]

    def go(**asked):
        passes.clear()
        return model.generate("a cube", **ASKED | asked).latents, list(passes)

    whole, every = go()
    same, again = go(guidance_interval=(0, 1))
    assert torch.equal(whole, same) and every == again  # off by default
    assert sum(every) == 2 * STEPS
    plain, one = go(guidance_scale=1)
    never, few = go(guidance_interval="0:0")
    assert torch.equal(plain, never) and one == few == [1] * STEPS
    guided = inside(model, 0.3, 0.95)
    assert 0 < sum(guided) < STEPS
    part, counted = go(guidance_interval="0.3:0.95")
    step = [2] if kind == "marble" else [1, 1]  # marble's branches are one batch
    assert counted == [n for one in guided for n in (step if one else [1])]
    assert not torch.equal(part, whole) and not torch.equal(part, plain)


def test_branches_that_are_one_batch_are_one_clip_outside(engines, monkeypatch):
    """As several processes have them."""
    model, passes = engines["t2v"]
    apart = model.generate("a cube", guidance_interval=(0.3, 0.95), **ASKED).latents
    monkeypatch.setattr(model, "public", engines["t2v"][0].public.__class__(
        **vars(model.public) | {"together": True}
    ))  # fmt: skip
    passes.clear()
    together = model.generate("a cube", guidance_interval=(0.3, 0.95), **ASKED).latents
    assert passes == [2 if one else 1 for one in inside(model, 0.3, 0.95)]
    assert torch.allclose(apart, together, atol=1e-4)


@pytest.mark.parametrize("kind", ["level", "marble"])
def test_streams_know_it(kind, engines):
    model, passes = engines[kind]
    public = model.public is not None
    pace = Pace(window=3, advance=1, **({"context_level": 0.0, "anchor": 0} if public else {}))
    asked = {"seconds": 0.5, "size": (64, 64), "num_inference_steps": STEPS, "pace": pace}
    made = [stream(model, "a cube", **asked, guidance_interval=i) for i in (None, (0, 1), (0, 0))]
    whole, same, never = (next(iter(one)).latents for one in made)
    assert torch.equal(whole, same) and not torch.equal(whole, never)
    passes.clear()
    next(iter(made[2]))
    assert passes == [1] * STEPS


def test_the_command_line(tiny_model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    asked = ["--model", str(tiny_model), "--steps", "2", "-q", "--guidance-interval"]
    line = ["generate", "a red ball", "--size", "64x64", "--seconds", "8f"]
    assert main([*line, *asked, "0.3:0.9", "-o", "a.mp4"]) == 0
    assert Video.open("a.mp4").metadata["request"]["guidance_interval"] == [0.3, 0.9]
    assert main(["extend", "a.mp4", "--seconds", "4f", *asked, "0:1", "-o", "b.mp4"]) == 0
    assert main([*line, *asked, "0.9:0.3", "-o", "c.mp4"]) == 2
    assert "LOW:HIGH, two levels of noise" in capsys.readouterr().err


def test_where_a_clip_goes_on_the_models_own_interval_holds(engines, monkeypatch):
    """In time; a prompt alone and a region are guided everywhere, and what is asked for counts."""
    model, passes = engines["marble"]
    monkeypatch.setattr(model, "settings", replace(model.settings, context_interval=(0.0, 0.0)))
    asked = {"num_inference_steps": STEPS, "guidance_scale": 5.0}

    def branches(make, *given, **more) -> set[int]:
        passes.clear()
        clips.append(make(*given, **asked | more))
        return set(passes[-STEPS:])

    clips: list[Video] = []
    assert branches(model.generate, "a cube", num_frames=8, size=(64, 64)) == {2}
    (clip,) = clips
    assert branches(model.extend, clip, num_frames=8) == {1}
    assert branches(model.retake, clip, time="4f:8f") == {1}
    assert branches(model.extend, clip, num_frames=8, guidance_interval=(0, 1)) == {2}
    assert branches(model.fill, clip, region=(0, 0, 32, 32)) == {2}
    assert branches(model.edit, clip, "a ball", strength=1.0) == {2}
    pace = Pace(window=3, advance=1)
    groups = iter(stream(model, "a cube", seconds=2, size=(64, 64), pace=pace, **asked))
    next(groups)
    assert set(passes[-STEPS:]) == {2}
    next(groups)
    assert set(passes[-STEPS:]) == {1}
