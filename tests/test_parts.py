"""A long video on the disk: whole or not there, and the same after any stop."""

import errno
import shutil
from typing import Any

import numpy as np
import pytest
import torch

from worldreel import credentials, engine, output
from worldreel.course import Pace
from worldreel.errors import MediaError, RequestError
from worldreel.media import Video
from worldreel.parts import Parts, folder_of, parts_of, record
from worldreel.provenance import SWITCH, load_sidecar, packets_digest, read_mark, sidecar_path
from worldreel.request import Plan
from worldreel.stream import Stream, stream

pytestmark = pytest.mark.usefixtures("one_thread")

PLAIN = Pace(window=4, advance=2, anchor=1)
STAGGERED = Pace(window=5, advance=1, lag=2)


@pytest.fixture(scope="module")
def model(tiny_model):
    return engine.load(tiny_model, dtype="float32")


def made(model, seconds=4.0, pace=PLAIN, **asked: Any) -> Stream:
    given: dict[str, Any] = {"size": (64, 64), "num_inference_steps": 4} | asked
    return stream(model, given.pop("prompt", "a red ball"), seconds=seconds, pace=pace, **given)


class Stopped(Exception):
    """The run ends here, as if it were killed."""


def stopped(monkeypatch, after: int) -> None:
    add = Parts.add

    def until(self, chunk):
        if chunk.index == after:
            raise Stopped
        add(self, chunk)

    monkeypatch.setattr(Parts, "add", until)


def begun(model, folder, **asked) -> None:
    """Parts of a stream of which only the first is there."""
    with parts_of(made(model, **asked), folder) as parts:
        parts.add(next(iter(parts.stream)))


def left_in(folder) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_the_video_is_the_stream(model, tmp_path):
    path = tmp_path / "long.mp4"
    one = made(model, 4.4, then=[(2, "a blue cube")])
    marked, found = record(one, path, sheet=tmp_path / "sheet.png")
    assert found == 0 and left_in(tmp_path) == ["long.mp4", "sheet.png"]
    video, frames = Video.open(path), np.concatenate([c.frames for c in one])
    assert video.frames.shape == frames.shape == (52, 64, 64, 3) and video.fps == 12
    direct = Video.open(Video(frames).save(tmp_path / "direct.mp4")).frames
    near = [np.abs(frames.astype(int) - other).mean() for other in (video.frames, direct)]
    assert near[0] < 1.2 * near[1] + 0.5  # no frame is lost, doubled or moved
    assert read_mark(path) == marked
    assert marked["prompt"] == "a red ball" and marked["then"] == [[2.0, "a blue cube"]]
    assert marked["num_frames"] == 52 and marked["pace"]["window"] == 4 and marked["notes"]
    sheet = read_mark(tmp_path / "sheet.png") or {}
    assert (sheet["prompt"], sheet["clip_id"]) == ("a red ball", marked["clip_id"])
    assert Video.open(tmp_path / "sheet.png").frames.shape[1:] == (4 * 66 - 2, 4 * 66 - 2, 3)


@pytest.mark.parametrize("pace", [PLAIN, STAGGERED])
@pytest.mark.parametrize("after", [0, 2])
def test_a_stopped_run_goes_on_to_the_same_video(model, tmp_path, monkeypatch, pace, after):
    then = [(1.4, "a blue cube")]
    whole, broken = tmp_path / "whole.mp4", tmp_path / "broken.mp4"
    record(made(model, 3, pace=pace, then=then), whole, keep=True)
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        stopped(patch, after)
        record(made(model, 3, pace=pace, then=then), broken)
    assert not broken.exists()
    folder = folder_of(broken)
    if after:
        (folder / ".worldreel-0123.part").write_bytes(b"half")  # what a kill may leave
        shutil.copy(folder / "00000.reel", folder / f"{after:05d}.reel")  # a clip is to follow
    told = []
    _, found = record(
        made(model, 3, pace=pace, then=then),
        broken,
        keep=True,
        told=lambda *said: told.append(said),
    )
    one = made(model, 3, pace=pace, then=then).course
    assert found == (one.seconds(one.group(after - 1)[1]) if after else 0)
    assert told[0][1] == 0 and told[-1][1] == told[-1][2] == one.num_groups - after
    assert left_in(folder) == left_in(folder_of(whole))
    for part in sorted(folder.glob("*.mp4")):
        other = folder_of(whole) / part.name
        assert torch.equal(load_sidecar(part).latents, load_sidecar(other).latents), part.name
        assert packets_digest(part) == packets_digest(other), part.name
    assert packets_digest(broken) == packets_digest(whole)


def test_parts_that_are_kept_make_a_longer_video(model, tmp_path):
    path = tmp_path / "a.mp4"
    record(made(model, 2.4), path, keep=True)  # its last part is cut short
    assert len(Video.open(path).frames) == 28
    _, found = record(made(model, 4), path)
    assert found == 2 and left_in(tmp_path) == ["a.mp4"]
    record(made(model, 4), tmp_path / "b.mp4")
    assert packets_digest(path) == packets_digest(tmp_path / "b.mp4")


def test_the_whole_is_signed_and_its_parts_are_not(model, tmp_path):
    path = tmp_path / "a.mp4"
    Video(np.zeros((4, 64, 64, 3), np.uint8), latents=torch.ones(1, 8, 1, 4, 4)).save(path)
    record(made(model, 2), path, keep=True)
    manifest = credentials.read(path)
    assert manifest is not None and not manifest.problems and manifest.actions == ["c2pa.created"]
    assert all(credentials.read(part) is None for part in folder_of(path).glob("*.mp4"))
    assert not sidecar_path(path).exists()  # it was of the clip that is gone


def test_a_stream_without_marks_goes_on_too(model, tmp_path, monkeypatch):
    monkeypatch.setenv(SWITCH, "0")
    path = tmp_path / "a.mp4"
    record(made(model, 2), path, keep=True)
    _, found = record(made(model, 4), path, keep=True)
    assert found == 2
    for file in (path, *folder_of(path).glob("*.mp4")):
        assert read_mark(file) is None and credentials.read(file) is None
    with pytest.raises(RequestError, match="holds another stream"):
        record(made(model, 4, seed=5), path)


def test_a_part_goes_on_from_its_latents(model, tmp_path):
    record(made(model, 2), tmp_path / "a.mp4", keep=True)
    longer = model.extend(folder_of(tmp_path / "a.mp4") / "00000.mp4", num_frames=4)
    kept = load_sidecar(folder_of(tmp_path / "a.mp4") / "00000.mp4").latents
    assert torch.equal(longer.latents[:, :, : kept.shape[2]], kept)
    assert not any("anew" in note for note in longer.notes)


def test_a_part_plays_and_says_what_it_is(model, tmp_path):
    with parts_of(made(model), tmp_path / "a.parts") as parts:
        chunk = next(iter(parts.stream))
        parts.add(chunk)
        assert parts.seconds == 4 / 3
    clip = Video.open(tmp_path / "a.parts/00000.mp4", latents=True)
    assert clip.frames.shape == chunk.frames.shape and torch.equal(clip.latents, chunk.latents)
    assert clip.metadata["request"]["prompt"] == "a red ball"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"prompt": "a blue ball"}, "of prompt 'a red ball' and not 'a blue ball'"),
        ({"seed": 1}, "of seed '0' and not '1'"),
        ({"size": (64, 80)}, "of height"),
        ({"then": [(1, "a cube")]}, "of then"),
        ({"pace": STAGGERED}, "of pace"),
        ({"seconds": 1}, "1.3333 s of this stream, more than 1"),
    ],
)
def test_parts_of_another_stream_are_refused(model, tmp_path, asked, says):
    begun(model, tmp_path / "a.parts")
    before = {p: p.read_bytes() for p in (tmp_path / "a.parts").iterdir()}
    with pytest.raises(RequestError, match=says) as caught:
        record(made(model, **asked), tmp_path / "a.mp4")
    assert "\n" not in str(caught.value) and "a.parts" in str(caught.value)
    assert before == {p: p.read_bytes() for p in (tmp_path / "a.parts").iterdir()}


def test_parts_from_before_the_shift_could_be_asked_for_go_on(model, tmp_path, monkeypatch):
    def unsaid(self, real=Plan.to_json):
        return {name: value for name, value in real(self).items() if name != "flow_shift"}

    with monkeypatch.context() as patch:
        patch.setattr(Plan, "to_json", unsaid)
        begun(model, tmp_path / "a.parts")
    with pytest.raises(RequestError, match="of flow shift '2.0' and not '3.0'"):
        record(made(model, flow_shift=3), tmp_path / "a.mp4")
    _, found = record(made(model), tmp_path / "a.mp4")
    assert found == pytest.approx(4 / 3)


def test_other_weights_are_refused(model, tmp_path, monkeypatch):
    begun(model, tmp_path / "a.parts")
    other = made(model)
    monkeypatch.setattr(Stream, "fingerprint", "0" * 64)
    with pytest.raises(RequestError, match="of weights"):
        record(other, tmp_path / "a.mp4")


def test_folders_that_are_not_ours(model, tmp_path):
    (tmp_path / "file.parts").write_text("mine")
    (tmp_path / "full.parts").mkdir()
    (tmp_path / "full.parts/letter.txt").write_text("mine")
    for name, says in (("file", "is a file"), ("full", "letter.txt is no part")):
        with pytest.raises(MediaError, match=says):
            record(made(model), tmp_path / f"{name}.mp4")
    with pytest.raises(MediaError, match="does not exist"):
        record(made(model), tmp_path / "nowhere/a.mp4")
    assert (tmp_path / "full.parts/letter.txt").read_text() == "mine"


def test_one_process_at_a_time(model, tmp_path):
    with parts_of(made(model), tmp_path / "a.parts"):
        with pytest.raises(MediaError, match="another process"):
            record(made(model), tmp_path / "a.mp4")
    record(made(model, 1), tmp_path / "a.mp4")


def test_a_full_disk_loses_no_part(model, tmp_path, monkeypatch):
    path, flushed, sync = tmp_path / "a.mp4", [], output.os.fsync

    def full(handle):
        flushed.append(handle)
        if len(flushed) > 5:  # two for each part
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    with monkeypatch.context() as patch, pytest.raises(MediaError, match="no space left"):
        patch.setattr(output.os, "fsync", full)
        record(made(model), path)
    assert left_in(tmp_path) == ["a.parts"]
    assert [n for n in left_in(folder_of(path)) if n.endswith(".mp4")] == ["00000.mp4", "00001.mp4"]
    _, found = record(made(model), path)
    assert found == 2
    record(made(model), tmp_path / "b.mp4")
    assert packets_digest(path) == packets_digest(tmp_path / "b.mp4")


def test_a_damaged_part_is_named(model, tmp_path):
    path = tmp_path / "a.mp4"
    record(made(model, 2), path, keep=True)
    last = folder_of(path) / "00001.reel"
    last.write_bytes(last.read_bytes()[:-8] + b"\0" * 8)
    with pytest.raises(MediaError, match=r"00001\.reel is damaged"):
        record(made(model, 4), path)
