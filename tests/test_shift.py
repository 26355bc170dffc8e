"""The shift of levels: the model's own where none is asked for."""

import pytest
import torch

from tests.tiny_wan import letters, saved
from worldreel import engine, flow
from worldreel.cli import main
from worldreel.course import Pace
from worldreel.errors import RequestError
from worldreel.media import Video
from worldreel.public import LEAST
from worldreel.request import Limits, Request, plan
from worldreel.stream import stream

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::worldreel.request.RequestWarning"),
]

ASKED = {"num_inference_steps": 4, "size": (64, 64), "guidance_scale": 1.0}


@pytest.fixture
def walked(monkeypatch):
    """Every schedule that is asked for, as (steps, shift), while it goes its way."""
    seen = []
    real = flow.schedule

    def schedule(steps, *, shift=1.0, least=0.0):
        seen.append((steps, shift))
        return real(steps, shift=shift, least=least)

    monkeypatch.setattr(flow, "schedule", schedule)
    return seen


def test_a_request_without_one_has_the_models_own():
    own = Limits(default_shift=7.0)
    assert plan(Request(prompt="a cube"), own).flow_shift == 7.0
    made = plan(Request(prompt="a cube", flow_shift=3), own)
    assert made.flow_shift == 3.0 and made.to_json()["flow_shift"] == 3.0


@pytest.mark.parametrize("bad", [0, 0.01, -1, 101, float("nan"), float("inf"), "5", True])
def test_what_cannot_be_one_is_refused_in_one_line(bad):
    with pytest.raises(RequestError, match="flow shift must be") as error:
        plan(Request(prompt="a cube", flow_shift=bad), Limits())
    assert "\n" not in str(error.value)


def test_marbles_clips_walk_the_levels_that_were_asked_for(tiny_model, walked):
    model = engine.load(tiny_model, dtype="float32")
    own = model.settings.flow_shift
    asked = ASKED | {"num_frames": 8}
    plain = model.generate("a cube", **asked)
    same = model.generate("a cube", flow_shift=own, **asked)
    other = model.generate("a cube", flow_shift=own + 3, **asked)
    assert torch.equal(plain.latents, same.latents) and not torch.equal(
        plain.latents, other.latents
    )
    assert walked == [(4, own), (4, own), (4, own + 3)]
    walked.clear()
    asked["num_frames"] = 4
    for made in (
        lambda: model.extend(plain, flow_shift=2, **asked),
        lambda: model.connect(plain, plain, flow_shift=2, **asked),
        lambda: model.loop("a cube", flow_shift=2, **asked),
    ):
        assert made().metadata["request"]["flow_shift"] == 2
    del asked["num_frames"]
    for made in (
        lambda: model.retake(plain, time="4f:8f", flow_shift=2, **asked),
        lambda: model.fill(plain, time="4f:8f", flow_shift=2, **asked),
        lambda: model.edit(plain, "a ball", flow_shift=2, **asked),
    ):
        assert made().metadata["request"]["flow_shift"] == 2
    assert walked == [(4, 2.0)] * 6


def test_public_weights_walk_them_too(tmp_path, walked):
    folder = saved(tmp_path / "wan", "t2v")[0]
    model = engine.load(folder, dtype="float32", text=letters(), way="all resident")
    asked = ASKED | {"num_frames": 5}
    own = model.settings.flow_shift
    plain = model.generate("a cube", **asked).latents
    other = model.generate("a cube", flow_shift=own + 2, **asked).latents
    assert walked == [(4, own), (4, own + 2)] and not torch.equal(plain, other)
    assert flow.schedule(4, shift=own, least=LEAST)[0] == 1


def test_a_folders_other_shift_can_be_asked_for(tmp_path):
    """The note of what its scheduler says is gone then, and names what was asked for else."""
    folder = saved(tmp_path / "wan", "t2v")[0]
    model = engine.load(folder, dtype="float32", text=letters(), way="all resident")
    model.public = model.public.__class__(**vars(model.public) | {"shift": 12.0})

    def notes(**asked):
        request = Request(prompt="a cube", num_frames=5, size=(64, 64), **asked)
        return [n for n in model.public.notes(plan(request, model.limits)) if "shifts" in n]

    assert "was published with" in notes()[0]
    assert notes(flow_shift=12) == []
    assert "3 is used, which was asked for" in notes(flow_shift=3)[0]


@pytest.mark.parametrize("kind", ["level", "marble"])
def test_streams_walk_them(kind, tmp_path, tiny_model, walked):
    if kind == "marble":
        model = engine.load(tiny_model, dtype="float32")
        pace = Pace(window=3, advance=1)
    else:
        folder = saved(tmp_path / kind, kind)[0]
        model = engine.load(folder, dtype="float32", text=letters(), way="all resident")
        pace = Pace(window=3, advance=1, context_level=0.0, anchor=0)
    next(iter(stream(model, "a cube", seconds=0.5, pace=pace, flow_shift=2.5, **ASKED)))
    assert walked == [(4, 2.5)]
    if kind == "marble":
        walked.clear()
        pace = Pace(window=3, advance=1, lag=2)
        next(iter(stream(model, "a cube", seconds=1, pace=pace, flow_shift=2.5, **ASKED)))
        assert set(walked) == {(4, 2.5)}


def test_the_command_line(tiny_model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    line = ["generate", "a red ball", "--size", "64x64", "--seconds", "8f", "--steps", "2", "-q"]
    line += ["--model", str(tiny_model), "--flow-shift"]
    assert main([*line, "3", "-o", "a.mp4"]) == 0
    assert Video.open("a.mp4").metadata["request"]["flow_shift"] == 3
    assert main([*line, "0", "-o", "b.mp4"]) == 2
    assert "flow shift must be from 0.1 to 100, not 0" in capsys.readouterr().err
    assert not (tmp_path / "b.mp4").exists()
