"""Every task on a tiny random model: what is kept is kept, bit for bit, and the rest is painted."""

import copy
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from worldreel import clips, engine, montage
from worldreel.errors import MediaError, RequestError
from worldreel.media import Video
from worldreel.provenance import load_sidecar, read_mark, sidecar_path
from worldreel.request import Limits, Request, RequestWarning, plan

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL: dict[str, Any] = dict(size=(96, 64), num_inference_steps=2)  # 4x6 latents
QUICK: dict[str, Any] = dict(num_inference_steps=2)


@pytest.fixture(scope="module")
def model(tiny_model):
    return engine.load(tiny_model, dtype="float32")


@pytest.fixture(scope="module")
def clip(model) -> Video:
    return model.generate("a red ball", num_frames=12, seed=1, **SMALL)


@pytest.fixture(scope="module")
def other(model) -> Video:
    return model.generate("blue cube rolls", num_frames=8, seed=2, **SMALL)


def picture(width: int = 96, height: int = 64, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Which frames are equal, byte for byte."""
    return (a == b).all((1, 2, 3))


def recorded(path: Path, frames: np.ndarray) -> Path:
    """A film of somebody else's, 24 frames a second."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=24)
        stream.height, stream.width = frames.shape[1:3]
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


# What is kept.


def test_extend_joins_the_whole_clip_with_what_is_new(model, clip):
    after = model.extend(clip, num_frames=8, **QUICK)
    assert torch.equal(after.latents[:, :, :3], clip.latents) and after.latents.shape[2] == 5
    assert len(after) == 20 and same(after.frames[:12], clip.frames).all()
    assert np.array_equal(after.frames, model.decode(after.latents)[0])
    assert after.metadata["request"]["prompt"] == "a red ball"
    ahead = model.extend(clip, "blue cube", num_frames=8, before=True, **QUICK)
    assert torch.equal(ahead.latents[:, :, 2:], clip.latents) and len(ahead) == 20
    # the first two of its latents follow what is new, within the compressor's reach
    assert same(ahead.frames[16:], clip.frames[8:]).all()
    assert not same(ahead.frames[8:15], clip.frames[:7]).any()
    assert np.array_equal(ahead.frames, model.decode(ahead.latents)[0])
    assert ahead.metadata["request"]["changed"] == [0, 16 / 12]


def test_connect_keeps_both(model, clip, other):
    with pytest.warns(RequestWarning, match="the prompt is the first clip's: 'a red ball'"):
        made = model.connect(clip, other, seconds=1, **QUICK)
    assert torch.equal(made.latents[:, :, :3], clip.latents)
    assert torch.equal(made.latents[:, :, 6:], other.latents) and len(made) == 32
    assert same(made.frames[:12], clip.frames).all()
    assert np.array_equal(made.frames, model.decode(made.latents)[0])
    longer = model.connect(other, clip, "a ball", num_frames=4, **QUICK)
    assert same(longer.frames[20:], clip.frames[8:]).all()


def test_which_words_go_on_from_a_stream_of_several_is_said(model, clip):
    said = clip.metadata["request"] | {"then": [[0.667, "a blue cube"]]}
    stream = copy.copy(clip)
    stream.metadata = clip.metadata | {"request": said}
    for before, said in ((False, "a blue cube"), (True, "a red ball")):
        with pytest.warns(RequestWarning, match=f"the one in force there is taken: '{said}'"):
            made = model.extend(stream, num_frames=4, before=before, **QUICK)
        assert made.metadata["request"]["prompt"] == said


def test_a_mark_that_says_no_prompts_at_times_is_passed_over():
    frames = np.zeros((12, 64, 96, 3), np.uint8)
    for told in (5, "x", {"a": 1}, [1], [[1]], [["a", "b"]], [[1, 2]], [[0, " "]], [[0, "b", 1]]):
        for key in ("then", "prompts"):
            said = {"request": {"prompt": "a red ball", key: told}}
            clip = clips.Clip(name="a", frames=frames, fps=12, metadata=said)
            assert clip.spans == ((0.0, "a red ball"),) and clip.saying(2, 4) == "a red ball"


def test_a_retake_takes_the_prompt_that_was_in_force(model, clip, tmp_path):
    longer = model.extend(clip, "a blue cube", num_frames=8, **QUICK)
    assert longer.metadata["request"]["prompts"] == [[0, "a red ball"], [1, "a blue cube"]]
    longer = Video.open(longer.save(tmp_path / "longer.mp4"), latents=True)
    for time, said in (("0:4f", "a red ball"), ("12f:16f", "a blue cube")):
        with pytest.warns(RequestWarning, match=f"the one in force there is taken: '{said}'"):
            made = model.retake(longer, time=time, **QUICK)
        assert made.metadata["request"]["prompt"] == said
        assert made.metadata["request"]["prompts"] == longer.metadata["request"]["prompts"]
    made = model.retake(longer, "a cube", time="4f:8f", **QUICK)
    with pytest.warns(RequestWarning, match="the one in force there is taken: 'a red ball'"):
        both = model.connect(clip, made, num_frames=4, **QUICK)
    assert both.metadata["request"]["prompts"] == [
        [0, "a red ball"], [1.667, "a cube"], [2, "a red ball"], [2.333, "a blue cube"],
    ]  # fmt: skip
    assert "prompts" not in clip.metadata["request"]


def test_a_loop_of_a_clip_is_asked_for_by_name(model, clip):
    with pytest.raises(RequestError, match=r"loop\(clip=\.\.\.\)"):
        model.loop(clip)


def test_retake_changes_its_span_and_reach_alone(model, clip):
    made = model.retake(clip, time=("4f", "8f"), **QUICK)
    assert torch.equal(made.latents[:, :, ::2], clip.latents[:, :, ::2])
    assert not torch.equal(made.latents[:, :, 1], clip.latents[:, :, 1])
    changed = ~same(made.frames, clip.frames)
    assert changed[4:8].all() and not changed[:4].any()
    assert model.compressor.reach == 3 and changed[8:11].all()  # it is the last
    assert made.metadata["request"]["changed"] == [4 / 12, 1]
    assert made.metadata["request"]["seed"] == 2  # one above the clip's
    long = model.extend(clip, num_frames=8, **QUICK)
    made = model.retake(long, time=("4f", "8f"), **QUICK)
    assert (~same(made.frames, long.frames)).nonzero()[0].tolist() == list(range(4, 15))


def test_a_span_is_widened_and_said(model, clip):
    for span in ("0.4:0.5", (0.4, 0.5), "5f:6f"):
        said = "0.333 s to 0.667 s: whole groups of four frames change, and what follows in their "
        with pytest.warns(RequestWarning, match=said + "reach, to 1 s"):
            made = model.fill(clip, time=span, **QUICK)
        assert made.metadata["request"]["changed"] == [4 / 12, 1]
    to_the_end = model.fill(clip, time="8f:", **QUICK)
    assert to_the_end.notes == [] and same(to_the_end.frames, clip.frames).nonzero()[0].max() == 7


@pytest.mark.parametrize(
    "where",
    [
        dict(region=(20, 10, 30, 30)),
        dict(region="20,10,30,30"),
        dict(mask=np.pad(np.ones((30, 30), bool), ((10, 24), (20, 46)))),
        dict(mask=np.pad(np.full((12, 30, 30), 255, np.uint8), ((0, 0), (10, 24), (20, 46)))),
    ],
)
def test_inpainting_keeps_the_rest_of_the_picture(model, clip, where):
    made = model.fill(clip, "blue cube", **where, **QUICK)
    inside = np.zeros((64, 96), bool)
    inside[10:40, 20:50] = True
    same_pixels = (made.frames == clip.frames).all(-1)
    assert same_pixels[:, ~inside].all() and same_pixels[:, inside].mean() < 0.1
    kept = torch.ones(4, 6, dtype=torch.bool)
    kept[0:3, 1:4] = False  # latents of 16 pixels that the region touches
    assert torch.equal(made.latents[..., kept], clip.latents[..., kept])
    assert not (made.latents[..., ~kept] == clip.latents[..., ~kept]).any()
    assert made.metadata["latents"]["decoded"] is False


def test_a_mask_may_move_and_meet_a_span(model, clip):
    mask = np.zeros((12, 64, 96), bool)
    mask[:4, :16, :16] = mask[4:, 48:, 80:] = True
    made = model.fill(clip, mask=mask, time="4f:8f", **QUICK)
    changed = (made.frames != clip.frames).any(-1)
    assert changed[4:8, 48:, 80:].mean() > 0.9 and not changed[:4].any()
    assert not (changed & ~mask).any()
    assert torch.equal(made.latents[:, :, ::2], clip.latents[:, :, ::2])
    with pytest.raises(RequestError, match="black in all of that span"):
        empty = mask.copy()
        empty[4:8] = False
        model.fill(clip, mask=empty, time="4f:8f", **QUICK)
    with pytest.raises(RequestError, match="black in that span and region"):
        model.fill(clip, mask=mask, region="0,0,16,16", time="4f:8f", **QUICK)


def test_outpainting_keeps_the_clip_amid_a_larger_canvas(model, clip):
    made = model.fill(clip, canvas="128x96", **QUICK)
    assert made.frames.shape == (12, 96, 128, 3)
    assert np.array_equal(made.frames[:, 16:80, 16:112], clip.frames)
    assert torch.equal(made.latents[..., 1:5, 1:7], clip.latents)
    right = model.fill(clip, canvas="128x64+0+0", **QUICK)
    assert np.array_equal(right.frames[:, :, :96], clip.frames)
    with pytest.warns(RequestWarning, match="stands at 16,0, not at 8,0"):
        moved = model.fill(clip, canvas="112x64", **QUICK)
    assert np.array_equal(moved.frames[:, :, 16:], clip.frames)


def test_edit_changes_as_much_as_it_may(model, clip):
    def gap(**how) -> float:
        made = model.edit(clip, "blue cube", seed=3, **how, **QUICK)
        assert len(made) == 12 and made.latents.shape == clip.latents.shape
        return float((made.latents - clip.latents).abs().mean())

    assert 0 < gap(strength=0.1) < gap(strength=0.5) < gap(strength=1.0)
    made = model.edit(clip, "blue cube", strength=0.5, time="0f:4f", **QUICK)
    assert torch.equal(made.latents[:, :, 1:], clip.latents[:, :, 1:])
    assert same(made.frames[11:], clip.frames[11:]).all()


def test_keyframes_are_held_where_they_stand(model):
    pixels = picture()
    latent = model.encode_still(pixels)
    made = model.generate("a ball", num_frames=12, keyframes=[(4 / 12, pixels)], **SMALL)
    assert torch.equal(made.latents[:, :, 1:2], latent) and made.latents.shape[2] == 3
    loose = model.generate("a ball", num_frames=12, keyframes=[("4f", pixels, 0.9)], **SMALL)
    assert not torch.equal(loose.latents[:, :, 1:2], latent)
    # one at the start is what `image` is, one at the end what `last_image` is
    by_time = [("0f", pixels), (1, picture(seed=2))]
    one = model.generate("a ball", num_frames=12, keyframes=by_time, **SMALL)
    two = model.generate("a ball", num_frames=12, image=pixels, last_image=picture(seed=2), **SMALL)
    assert np.array_equal(one.frames, two.frames) and one.latents.shape[2] == 4
    with pytest.warns(RequestWarning, match="the picture at 0.4 s stands at 0.333 s"):
        model.generate("a ball", num_frames=12, keyframes=[(0.4, pixels)], **SMALL)


# Loops.


def test_a_loop_rolled_is_the_same_loop(model, monkeypatch):
    """Noise that is rolled gives a loop that is rolled: time has no seam."""
    made = model.loop("a red ball", num_frames=20, **SMALL)
    assert len(made) == 20 and made.metadata["request"]["ring"] is True
    randn = torch.randn
    for by in range(1, 5):
        monkeypatch.setattr(torch, "randn", lambda *a, by=by, **k: randn(*a, **k).roll(by, 2))
        rolled = model.loop("a red ball", num_frames=20, **SMALL)
        monkeypatch.undo()
        gap = (rolled.latents - made.latents.roll(by, 2)).abs().max() / made.latents.abs().max()
        assert gap < 1e-5
        frames = model.decode(made.latents.roll(by, 2), ring=True)[0]
        assert np.array_equal(frames, np.roll(made.frames, 4 * by, 0))


def test_a_clip_becomes_a_loop(model, clip):
    made = model.loop(clip=clip, num_frames=8, **QUICK)
    assert torch.equal(made.latents[:, :, :3], clip.latents) and len(made) == 20
    assert same(made.frames[8:12], clip.frames[8:]).all()
    assert np.array_equal(made.frames, model.decode(made.latents, ring=True)[0])
    again = model.retake(made, time="12f:16f", **QUICK)  # it stays a loop
    assert again.metadata["request"]["ring"] and np.array_equal(
        again.frames, model.decode(again.latents, ring=True)[0]
    )


# What the network sees.


def test_a_long_clip_is_shown_in_part_and_joined_whole(model, monkeypatch):
    """The model's longest is 10 s; a clip may be any length."""
    shown = []
    paint = model.paint
    monkeypatch.setattr(
        model,
        "paint",
        lambda board, *a, **k: (shown.append(board.shape[2]), paint(board, *a, **k))[1],
    )
    made = model.generate("a red ball", seconds=10, size=(64, 64), num_inference_steps=1)
    for _ in range(2):
        older, made = made, model.extend(made, seconds=5, num_inference_steps=1)
        assert torch.equal(made.latents[:, :, : older.latents.shape[2]], older.latents)
        assert same(made.frames[: len(older)], older.frames).all()
    assert len(made) == 240 and shown == [30, 30, 30]
    again = model.retake(made, time=(8, 9), num_inference_steps=1)
    assert same(again.frames, made.frames).sum() == 240 - 12 - 7 and shown[-1] == 30
    closed = model.loop(clip=made, seconds=1, num_inference_steps=1)
    assert torch.equal(closed.latents[:, :, :60], made.latents) and shown[-1] == 30
    with pytest.raises(RequestError, match="12 s is too long: beside what is kept, tiny paints"):
        model.retake(made, time=(0, 12))
    with pytest.raises(RequestError, match="10 s is too long: beside what is kept, tiny paints up"):
        model.extend(made, seconds=10)


def test_the_window_is_what_the_model_is_used_to():
    marble = Limits()  # trained on up to 12 latents

    def seen(frames: int, new: int, **how: Any) -> int:
        video = np.zeros((frames, 80, 144, 3), np.uint8)
        asked = Request(prompt="x", num_frames=new, before=Video(video), **how)
        return plan(clips.ready(asked, marble), marble).timeline.window[1]

    assert [seen(120, new) for new in (4, 24, 44, 48, 116)] == [12, 12, 15, 16, 30]
    assert seen(8, 24) == 8 and seen(8, 24, ring=True) == 8
    assert seen(120, 24, after=Video(np.zeros((120, 80, 144, 3), np.uint8))) == 14


# Files.


def test_a_saved_clip_goes_on_from_its_latents(model, clip, tmp_path):
    path = clip.save(tmp_path / "a.mp4")
    assert sidecar_path(path).exists()
    for source in (path, str(path), Video.open(path, latents=True)):
        made = model.extend(source, num_frames=4, **QUICK)
        assert torch.equal(made.latents[:, :, :3], clip.latents) and made.notes == []
        assert same(made.frames[:12], clip.frames).all()  # before their encoding as an mp4
    second = model.retake(made.save(tmp_path / "b.mp4"), time="0f:4f", **QUICK)
    assert same(second.frames[12:], made.frames[12:]).all()
    third = second.save(tmp_path / "c.mp4")
    found = load_sidecar(third)
    ids = [clip_id for clip_id in (read_mark(p)["clip_id"] for p in (path, tmp_path / "b.mp4"))]
    assert [one["clip_id"] for one in found.lineage] == ids
    assert [one["done"] for one in found.lineage] == [
        "continued by 0.333 s",
        "changed from 0 s to 0.333 s",
    ]
    assert str(tmp_path) not in json.dumps(read_mark(third))
    assert read_mark(third)["digital_source_type"].endswith("/trainedAlgorithmicMedia")


def test_files_that_a_clip_was_opened_from_are_known_and_not_written(model, clip, tmp_path):
    opened = Video(clip.frames, 12, clip.latents, clip.metadata | {"opened": tmp_path / "a.mp4"})
    made = model.retake(opened, time="0f:4f", **QUICK)
    assert made.metadata["sources"] == [tmp_path / "a.mp4"]
    assert str(tmp_path) not in json.dumps(read_mark(made.save(tmp_path / "b.gif")))
    assert "sources" not in model.retake(clip, time="0f:4f", **QUICK).metadata


def test_a_picture_at_the_start_is_not_shown_four_times(model, tmp_path):
    """Three of its four equal frames are dropped, now and when the clip goes on."""
    made = model.generate("a ball", image=picture(), num_frames=8, **SMALL)
    path = made.save(tmp_path / "a.mp4")
    longer = model.extend(path, num_frames=8, **QUICK)
    assert torch.equal(longer.latents[:, :, :3], made.latents) and len(longer) == 16
    assert same(longer.frames[:8], made.frames).all()
    assert np.array_equal(longer.frames, model.decode(longer.latents)[0, 3:19])
    again = model.retake(path, time="5f:8f", **QUICK)
    assert same(again.frames[:5], made.frames[:5]).all() and len(again) == 8
    with pytest.warns(RequestWarning, match="the video rests for 4 frames on the first of a.mp4"):
        ahead = model.extend(path, num_frames=4, before=True, **QUICK)
    assert len(ahead) == 15 and same(ahead.frames[12:], made.frames[5:]).all()


def test_a_picture_is_a_clip_of_one_frame(model):
    pixels = picture()
    made = model.extend(Video(pixels[None]), "a ball", num_frames=8, **QUICK)
    shown = model.generate("a ball", image=pixels, num_frames=8, **SMALL)
    assert torch.equal(made.latents, shown.latents) and len(made) == 9
    assert np.array_equal(made.frames[0], pixels)
    assert np.array_equal(made.frames[1:8], shown.frames[1:])


def test_a_foreign_clip_is_fitted_and_encoded_once(model, tmp_path):
    path = recorded(tmp_path / "a.mp4", np.stack([picture(90, 60, seed=n) for n in range(27)]))
    with pytest.warns(RequestWarning) as warned:
        made = model.extend(path, "a ball", num_frames=4, **QUICK)
    assert [str(w.message) for w in warned] == [
        "a.mp4 has no latents beside it: its pixels were encoded",
        "a.mp4 was taken from 24 to 12 frames a second",
        "a.mp4, 90x60, was scaled to 96x64",
    ]
    assert len(made) == 14 + 4 and made.latents.shape[2] == 5  # two more were held before it
    assert made.metadata["latents"] == {"space": model.space, "hidden": 2, "decoded": False}
    assert made.metadata["digital_source_type"].endswith("compositeWithTrainedAlgorithmicMedia")
    (parent,) = made.metadata["lineage"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", parent["clip_id"])
    longer = model.extend(made.save(tmp_path / "b.mp4"), num_frames=4, **QUICK)
    assert torch.equal(longer.latents[:, :, :5], made.latents) and longer.notes == []
    with pytest.raises(RequestError, match="a.mp4 does not say what it shows: give a prompt"):
        model.extend(path)
    with pytest.raises(RequestError, match="too narrow"):
        model.extend(Video(np.zeros((4, 2, 900, 3), np.uint8)), "a ball")


def test_latents_of_another_model_are_left_aside(model, clip, tiny_model, tmp_path):
    assert engine.load(tiny_model, dtype="bfloat16").space == model.space
    path = clip.save(tmp_path / "a.mp4")
    strange = dataclasses.replace(
        clip, metadata=clip.metadata | {"latents": {"space": "another", "hidden": 0}}
    )
    for source in (strange, Video(clip.frames, latents=clip.latents)):
        with pytest.warns(RequestWarning, match="not tiny's: its pixels were encoded anew"):
            made = model.extend(source, "a ball", num_frames=4, **QUICK)
        assert torch.equal(made.latents[:, :, :3], model.encode(clip.frames))
    sidecar_path(path).unlink()
    with pytest.warns(RequestWarning, match="a.reel is not beside a.mp4: its pixels were encoded"):
        made = model.extend(path, num_frames=4, **QUICK)
    assert not torch.equal(made.latents[:, :, :3], clip.latents)


# What is refused.


def test_what_cannot_be_is_one_line(model, clip, other, tmp_path):
    tall = model.generate("a ball", num_frames=4, size=(64, 96), num_inference_steps=1)
    (tmp_path / "text.mp4").write_text("no film")
    damaged, foreign = (clip.save(tmp_path / n) for n in ("damaged.mp4", "foreign.mp4"))
    sidecar_path(damaged).write_bytes(sidecar_path(damaged).read_bytes()[:-1])
    sidecar_path(foreign).write_bytes(sidecar_path(other.save(tmp_path / "other.mp4")).read_bytes())
    quick = Video(clip.frames, 24, clip.latents, clip.metadata)
    still = picture()
    for error, says, ask in (
        (
            RequestError,
            "does not lie within the clip, which lasts 1 s",
            lambda: model.retake(clip, time=(0.5, 3)),
        ),
        (RequestError, "does not lie within", lambda: model.retake(clip, time=(7, 8))),
        (RequestError, "ends before it starts", lambda: model.retake(clip, time=(0.5, 0.5))),
        (RequestError, "a span is FROM:TO", lambda: model.retake(clip, time="soon")),
        (RequestError, "is seconds, such as 1.5", lambda: model.retake(clip, time="a:b")),
        (RequestError, "the mask is 8x8", lambda: model.fill(clip, mask=np.ones((8, 8), bool))),
        (RequestError, "3 frames long", lambda: model.fill(clip, mask=np.ones((3, 64, 96), bool))),
        (
            RequestError,
            "the mask is black",
            lambda: model.fill(clip, mask=np.zeros((64, 96), bool)),
        ),
        (RequestError, "does not lie within", lambda: model.fill(clip, region=(90, 0, 16, 16))),
        (RequestError, "say what to fill", lambda: model.fill(clip)),
        (RequestError, "a region is X,Y", lambda: model.fill(clip, region="1,2,3")),
        (RequestError, "not larger than", lambda: model.fill(clip, canvas="64x64")),
        (RequestError, "over the edge", lambda: model.fill(clip, canvas="128x64+48+0")),
        (RequestError, "nearest size is 128x64", lambda: model.fill(clip, canvas="130x64")),
        (
            RequestError,
            "comes after the end",
            lambda: model.generate("a ball", keyframes=[(9, still)], **SMALL),
        ),
        (
            RequestError,
            "at 1 s and the picture at 13f fall on the same four frames, from 1 s on: keep them 4f",
            lambda: model.generate("a ball", keyframes=[(1, still), ("13f", still)], **SMALL),
        ),
        (
            RequestError,
            "fall on the same four",
            lambda: model.generate("a ball", keyframes=[(0, still)], image=still, **SMALL),
        ),
        (
            RequestError,
            "strength of a keyframe",
            lambda: model.generate("a ball", keyframes=[(0, still, 2)], **SMALL),
        ),
        (RequestError, "clips of one size", lambda: model.connect(clip, tall)),
        (RequestError, "96x64 and stays so", lambda: model.extend(clip, size=(64, 64))),
        (RequestError, "clips of one rate", lambda: model.extend(quick)),
        (RequestError, "strength of a change", lambda: model.edit(clip, "a ball", strength=0)),
        (RequestError, "the prompt is empty", lambda: model.extend(clip, " ")),
        (RequestError, "the prompt must be text", lambda: model.loop()),
        (MediaError, "cannot be read", lambda: model.extend(tmp_path / "no.mp4", "a ball")),
        (MediaError, "is no video", lambda: model.extend(tmp_path / "text.mp4", "a ball")),
        (MediaError, "is damaged: remove it", lambda: model.extend(damaged)),
        (MediaError, "belongs to another clip", lambda: model.extend(foreign)),
        (MediaError, "a clip is a file or a Video", lambda: model.extend(7, "a ball")),
    ):
        with pytest.raises(error, match=re.escape(says)) as caught:
            ask()
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 300, says


def test_what_goes_together():
    base = dict(prompt="x", under=Video(np.zeros((8, 64, 64, 3), np.uint8)))
    for asked, says in (
        (dict(prompt="x", time="0:1"), "give that clip"),
        (dict(prompt="x", strength=0.5), "give that clip"),
        (base | dict(ring=True), "not both at once"),
        (base | dict(before=base["under"]), "not both at once"),
        (base | dict(seconds=1), "keeps its length"),
        (base | dict(canvas="128x128", strength=0.5), "give no strength"),
        (base | dict(time="0:4f", keyframes=[(0, picture())]), "nothing of that span to paint"),
        (dict(prompt="x", seed=None), "the seed"),
        (dict(prompt="x", keyframes="1:a.png"), "keyframes are a list"),
    ):
        with pytest.raises(RequestError, match=says):
            plan(clips.ready(Request(**asked), Limits()), Limits())


def test_what_changes_is_known_before_painting(model, clip):
    """The pixels that may differ, and those within a latent's reach."""
    asked = clips.ready(Request(under=clip, region=(0, 0, 16, 16), time="0f:4f"), model.limits)
    changes = montage.free(plan(asked, model.limits))
    assert changes.shape == (12, 64, 96) and changes.sum() == 4 * 16 * 16
    assert changes[:4, :16, :16].all()
