"""Long video of public weights, a window after the other."""

import dataclasses

import numpy as np
import pytest
import torch

from tests.tiny_wan import letters, saved
from worldreel import engine, parts
from worldreel.cli import main
from worldreel.course import Pace, course, usual_pace
from worldreel.errors import RequestError
from worldreel.media import Video
from worldreel.models.wan_models import MODELS
from worldreel.public import Public
from worldreel.request import Request
from worldreel.stream import stream

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::worldreel.request.RequestWarning"),
]

KINDS = ("t2v", "pair", "level", "first", "control")
PACE = Pace(window=3, advance=2, context_level=0.0, anchor=0)
SMALL = {"size": (64, 64), "num_inference_steps": 2, "pace": PACE}
PICTURE = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
MORE = {"first": {"image": PICTURE}}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {kind: saved(tmp_path_factory.mktemp(kind), kind)[0] for kind in KINDS}


@pytest.fixture(scope="module")
def engines(folders):
    return {k: engine.load(f, dtype="float32", text=letters()) for k, f in folders.items()}


def made(model, kind, frames, **asked):
    """A stream of so many frames, as seconds of the model's rate."""
    seconds = (frames - 1) / model.limits.fps
    return stream(model, "a cube", seconds=seconds, **MORE.get(kind, {}), **SMALL | asked)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_is_one_clip_that_goes_on_from_any_state(kind, engines):
    """The same bytes from a state as without a stop; frames are those of the latents, whole."""
    model = engines[kind]
    long = made(model, kind, 25)
    chunks = list(long)
    assert [len(c.frames) for c in chunks] == [9, 8, 8]
    latents = torch.cat([c.latents for c in chunks], dim=2)
    whole = model.compressor.decode(latents)[0].permute(1, 2, 3, 0) * 127.5 + 127.5
    frames = np.concatenate([c.frames for c in chunks])
    assert np.abs(frames - whole.numpy()).max() < 0.6
    assert not np.array_equal(chunks[1].frames, chunks[2].frames)
    rest = list(long.chunks(chunks[0].state))
    assert [c.index for c in rest] == [1, 2]
    for one, other in zip(rest, chunks[1:], strict=True):
        assert torch.equal(one.latents, other.latents)
        assert np.array_equal(one.frames, other.frames)
    short = list(made(model, kind, 17))
    assert torch.equal(short[1].latents, chunks[1].latents)  # its first half is asked for alone


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_follows_what_it_is_shown(kind, engines):
    """Other latents before a window make it another; those that it does not see change nothing."""
    model = engines[kind]
    long = made(model, kind, 25)
    state = list(long)[1].state
    assert [r.shape[2] for r in state.recent] == [3, 2]
    last = state.recent[-1].clone()
    last[:, :, -1] += 1
    for recent, same in (
        ((state.recent[0] + 1, state.recent[1]), kind not in ("first", "control")),
        ((state.recent[0], last), False),
    ):
        other = list(long.chunks(dataclasses.replace(state, recent=recent)))[0]
        assert torch.equal(other.latents, list(long)[2].latents) == same


def test_what_is_remembered_does_not_grow_and_is_enough(engines):
    """A state holds as many latents after few groups and many, and all that the next ones need."""
    model = engines["t2v"]
    long = made(model, "t2v", 4 * (model.compressor.reach + 12) + 1, num_inference_steps=1)
    chunks = list(long)
    held = [sum(r.shape[2] for r in c.state.recent) for c in chunks]
    assert held[-1] == held[-2] == held[-3] < sum(c.latents.shape[2] for c in chunks)
    (last,) = long.chunks(chunks[-2].state)
    assert torch.equal(last.latents, chunks[-1].latents)
    assert np.array_equal(last.frames, chunks[-1].frames)


def test_a_stream_begins_with_a_picture(engines):
    for kind in KINDS:
        asked = {"size": (64, 64), "num_inference_steps": 2, "pace": PACE}
        (chunk,) = stream(engines[kind], "a cube", seconds=0.4, image=PICTURE, **asked)
        still = engines[kind].encode_still(PICTURE)
        assert torch.equal(chunk.latents[:, :, :1], still)


def test_words_change_where_they_are_asked_to(engines):
    model = engines["control"]
    plain = list(made(model, "control", 25))
    turned = made(model, "control", 25, then=[(17 / 16, "a ball")])
    assert turned.course.spans == ((0, "a cube"), (5, "a ball"))
    chunks = list(turned)
    assert torch.equal(chunks[1].latents, plain[1].latents)
    assert not torch.equal(chunks[2].latents, plain[2].latents)


def test_the_pace_is_that_of_training():
    for m in MODELS:
        limits = Public(model=m).limits(patch=2, stride=m.vae.stride, reach=39)
        pace = usual_pace(limits)
        assert pace.window == 1 + (m.frames - 1) // 4 and pace.window - pace.advance == 5
        asked = {"image": PICTURE} if m.pictures == "first" else {}
        flow = course(Request(prompt="a cube", seconds=60, **asked), (), limits)
        assert flow.plan.num_frames == 60 * m.fps + 1 and not flow.plan.notes
        new = 1 + 15 * m.fps - pace.window
        assert flow.num_groups == 1 - -new // pace.advance
        with pytest.raises(RequestError, match="one window after the other"):
            course(Request(prompt="a cube", **asked), (), limits, Pace(window=9, advance=3))


def test_what_cannot_be_streamed_is_refused(engines):
    with pytest.raises(RequestError, match="goes on from a first picture"):
        stream(engines["first"], "a cube", seconds=2, **SMALL)
    with pytest.raises(RequestError, match="`worldreel stream` goes on from there"):
        engines["t2v"].generate("a cube", seconds=60)


def test_on_the_disk_and_on_the_command_line(folders, engines, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(engine, "load", lambda model, **_: engines["level"])
    asked = ["stream", "a cube", "--model", str(folders["level"]), "--size", "64x64", "--steps"]
    asked += ["2", "--window", "12f", "--advance", "8f", "--keep", "-q"]
    assert main([*asked, "--seconds", "0.34", "-o", "a.mp4"]) == 0
    assert main([*asked, "--seconds", "0.67", "-o", "a.mp4"]) == 0  # goes on from the parts
    assert main([*asked, "--seconds", "0.67", "-o", "b.mp4"]) == 0
    a, b = (Video.open(f"{name}.mp4") for name in "ab")
    assert a.frames.shape == (17, 64, 64, 3) and np.array_equal(a.frames, b.frames)
    assert parts.folder_of(tmp_path / "a.mp4").is_dir()
    assert main([*asked, "--lag", "1", "-o", "c.mp4"]) == 2
    assert "one window after the other" in capsys.readouterr().err
