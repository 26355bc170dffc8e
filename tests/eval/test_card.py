"""The card and the canary, on a tiny model that knows nothing and on one that cannot be wrong."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from worldreel.cli import main
from worldreel.engine import Engine
from worldreel.errors import MediaError, RequestError
from worldreel.eval import calibration, canary, card, cases, metrics
from worldreel.eval.known import CORE
from worldreel.world.act import act
from worldreel.world.scene import Camera, Scene, Thing


def quiet(stage, done, total):
    pass


def test_a_card_is_written_whole(tiny, tmp_path):
    told = []
    answer = card.words(
        model=tiny(),
        count=4,
        first_seed=100_000,
        out=tmp_path / "card",
        progress=lambda *how: told.append(how),
    )
    kept = json.loads((tmp_path / "card/words.json").read_text("utf-8"))
    assert {file.name for file in (tmp_path / "card").iterdir()} == {
        "words.json",
        "words.md",
        "words.png",
    }
    assert [clip["split"] for clip in kept["clips"]] == [None, None, "held_out", "held_out"]
    assert [clip["noise"] for clip in kept["clips"]] == [100_000, 100_001, 100_002, 100_003]
    line = kept["lines"]["colour"]
    assert line["all"]["count"] == 4 and line["seen"]["count"] == line["held out"]["count"] == 2
    assert set(line) == {"what", "all", "seen", "held out", "ceiling", "floor", "ruler"}
    assert set(kept["languages"]) >= {"colour", "kind", "setting"}
    assert answer["lines"] == kept["lines"] and "clips" not in answer
    page = (tmp_path / "card/words.md").read_text("utf-8")
    assert "| the subject's colour" in page and "Wilson" in page
    assert {stage for stage, _, _ in told} == {"scenes", "clips en", "clips zh", "renders"}


def test_a_bad_folder_is_said_before_any_work(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MediaError, match="file"):
        card.words(model=tiny(), count=1, out=tmp_path / "file")
    with pytest.raises(ValueError, match="count"):
        card.words(model=tiny(), count=0, out=tmp_path)


def test_cases_keep_to_their_world():
    small = cases.case(7, 100_007, None, "small").take.scene
    assert {small.setting, *(thing.kind for thing in small.things)} <= CORE
    with pytest.raises(RequestError, match="'large'"):
        cases.cases(1, 0, quiet, "large")


def test_cases_are_always_the_same():
    here, there = (cases.case(7, 100_007, "held_out") for _ in range(2))
    assert here.prompts == there.prompts
    english, chinese = here.prompts["en"], here.prompts["zh"]
    assert set(english.facts) == set(chinese.facts) and english.text.endswith(".")


class Perfect(Engine):
    """Shows real renders of what the canary asks for."""

    order = tuple(range(len(canary.PROMPTS)))

    def paint(self, board, states, against, *, seeds, **how):
        return torch.zeros(board.shape)

    def decode(self, latents, **how):
        return np.stack([_shown(canary.PROMPTS[i][1]) for i in self.order])


def _shown(what):
    """A plain render of a prompt: its things where they belong, on their way."""
    start = {"left": (0.9, 0.0), "right": (-0.9, 0.0), "toward": (0.0, 1.2), "falls": (0.0, 0.0)}
    speed = {"left": (-1.1, 0.0), "right": (1.1, 0.0), "toward": (0.0, -1.2)}
    things = []
    for i, thing in enumerate(what.things):
        spread = (-0.7, 0.7)[i] if len(what.things) == 2 else 0.0
        x, y = start.get(thing.motion or "", (spread, 0.0))
        u, v = speed.get(thing.motion or "", (0.0, 0.0))
        falls = thing.motion == "falls"
        things.append(
            Thing(
                kind=thing.kind,
                color=thing.color,
                size="large",
                material="matte",
                extent=(0.45, 0.45, 0.45),
                position=(x, y, 1.6 if falls else 0.45),
                velocity=(u, v, 0.0),
                spin=(-v / 0.45, u / 0.45, 0.0) if thing.kind == "ball" else (0.0, 0.0, 0.0),
            )
        )
    eye, look_at = (0.0, -3.8, 1.25), (0.0, 0.0, 0.6)
    scene = Scene(
        seed=1,
        setting=what.setting,
        light=what.light,
        things=tuple(things),
        camera=Camera(move="static", eye=eye, look_at=look_at),
    )
    take = act(scene, size=cases.SIZE)
    if any(any(thing.velocity) for thing in things):  # at an even pace, whatever the friction
        pace = np.linspace(0, 2, take.num_frames)[:, None, None]
        speeds = np.array([thing.velocity for thing in things], np.float32)
        take = dataclasses.replace(
            take, position=(take.position[:1] + pace * speeds).astype(np.float32)
        )
    (frames,) = cases.renders([take], quiet)
    return frames


def test_the_canary_sings_for_real_renders_and_stops_for_others(tiny):
    good = canary.canary(tiny(Perfect))
    assert good["sings"] and good["right"] >= good["facts"] - 2, good["clips"]
    deaf = tiny(Perfect)
    deaf.order = (1, 2, 3, 4, 5, 6, 7, 0)  # type: ignore[attr-defined]
    assert not canary.canary(deaf)["sings"]


def test_the_canary_stops_for_noise(tiny, monkeypatch, capsys):
    broken = tiny()
    assert not canary.canary(broken)["sings"]
    monkeypatch.setattr("worldreel.eval.canary.load", lambda model: broken)
    assert main(["eval", "canary", "--json", "--quiet"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["facts"] == 55 and err.startswith("error: tiny shows")


def test_calibration_counts_what_it_reads():
    frames = np.zeros((4, 80, 144, 3), np.uint8)
    true = cases.facts(cases.stage_scene(6_000_000, size=cases.SIZE, within=CORE))
    clips = [
        calibration.Real(frames=frames, facts=true, split=split) for split in (None, "held_out")
    ]
    answer = calibration.calibrate(clips=clips)
    for line in metrics.wanted(metrics.asked(true)):
        found = answer["lines"][line]
        assert (found["right"], found["count"], found["used"]) == (0, 2, False)
        assert found["seen"]["count"] == found["held out"]["count"] == 1
    assert answer["nothing"]["count"] == 16
    good = {line for line, row in answer["lines"].items() if row["right"]}
    assert not good, "what shows nothing has not even no cut"
    assert not any(row["used"] for row in answer["lines"].values()), "two clips say too little"
    assert answer["foils"]["frozen"]["setting"]["right"] == 0, "black, frozen"
