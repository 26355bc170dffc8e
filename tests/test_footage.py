"""Frames that go to a file as they are decoded: the same bytes as of a video in memory."""

import tracemalloc
import uuid
from dataclasses import replace

import numpy as np
import pytest

from tests.tiny_wan import letters, saved
from worldreel import credentials, engine
from worldreel.errors import MediaError
from worldreel.footage import Footage
from worldreel.media import Video
from worldreel.offload import RESIDENT
from worldreel.request import Request

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::worldreel.request.RequestWarning"),
]

QUICK = {"num_inference_steps": 1}
PICTURE = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def models(tiny_model, tmp_path_factory):
    """marble's kind of model, and public ones; `tiles` decodes squares of a picture."""
    asked = {"dtype": "float32"}
    found = {"marble": engine.load(tiny_model, **asked)}
    for kind in ("t2v", "level", "control"):
        folder = saved(tmp_path_factory.mktemp(kind), kind)[0]
        found[kind] = engine.load(folder, text=letters(), way="all resident", **asked)
        if kind == "t2v":
            found["tiles"] = engine.load(folder, text=letters(), **asked)
            found["tiles"].way = replace(RESIDENT, tile=4)
    return found


@pytest.fixture(scope="module")
def clips(models):
    return {
        kind: [
            model.generate("a ball", num_frames=8 + n, size=(96, 64), seed=n, **QUICK)
            for n in (1, 5)
        ]
        for kind, model in models.items()
    }


TASKS = {
    "words": {"prompt": "a ball", "num_frames": 21, "size": (96, 64)},
    "still": {"prompt": "a ball", "num_frames": 1, "size": (96, 64)},
    "picture": {"prompt": "a ball", "image": PICTURE, "num_frames": 9, "size": (96, 64)},
    "after": {"before": 0, "num_frames": 8},
    "ahead": {"after": 0, "num_frames": 8},
    "between": {"before": 0, "after": 1, "num_frames": 8},
    "take": {"under": 0, "time": "4f:8f"},
    "place": {"under": 0, "region": (16, 16, 32, 32)},
    "edit": {"under": 0, "prompt": "a cube", "strength": 0.5},
    "larger": {"under": 0, "canvas": "128x96"},
    "ring": {"prompt": "a ball", "ring": True, "num_frames": 8, "size": (96, 64)},
    "closed": {"before": 0, "ring": True, "num_frames": 8},
}
CASES = [("marble", task) for task in TASKS]
CASES += [("t2v", "words"), ("t2v", "after"), ("level", "picture"), ("level", "take")]
CASES += [("control", "between"), ("control", "place"), ("tiles", "words")]


@pytest.mark.parametrize(("kind", "task"), CASES)
def test_a_file_has_the_same_bytes(kind, task, models, clips, monkeypatch, tmp_path):
    monkeypatch.setattr(uuid, "uuid4", lambda: "one and the same")
    monkeypatch.setattr(credentials, "sign", lambda *_: None)  # no two signatures are the same
    model, asked = models[kind], QUICK | TASKS[task] | {"model": models[kind].settings.name}
    for role in ("before", "after", "under"):
        if role in asked:
            asked[role] = clips[kind][asked[role]]
    video = model.make(Request(**asked))
    film = model.film(Request(**asked))
    parts = list(film.chunks())
    assert np.array_equal(np.concatenate(parts), video.frames)
    most = max(map(len, parts))
    assert most <= 4 * model.at_once or kind == "tiles"
    ends = {"mp4": "a.mp4", "folder": "frames"} | ({"webp": "a.webp"} if task == "words" else {})
    for name in ends.values():
        for made, place in ((video, "held"), (film, "streamed")):
            (tmp_path / place).mkdir(exist_ok=True)
            made.save(tmp_path / place / name)
    files = sorted(p.relative_to(tmp_path / "held") for p in (tmp_path / "held").rglob("*.*"))
    assert len(files) >= 3 and files == sorted(
        p.relative_to(tmp_path / "streamed") for p in (tmp_path / "streamed").rglob("*.*")
    )
    for file in files:
        assert (tmp_path / "held" / file).read_bytes() == (
            tmp_path / "streamed" / file
        ).read_bytes()


def film(count, chunk=4, size=(128, 96)) -> Footage:
    """Frames that tell their number."""
    width, height = size

    def decode():
        for start in range(0, count, chunk):
            grey = np.arange(start, min(start + chunk, count), dtype=np.uint8)
            yield np.broadcast_to(grey[:, None, None, None], (len(grey), height, width, 3)).copy()

    return Footage(decode=decode, num_frames=count, size=size, fps=12)


@pytest.mark.parametrize("name", ["a.mp4", "frames"])
def test_a_long_clip_is_never_held(name, tmp_path):
    long = film(240)
    film(8).save(tmp_path / f"first-{name}")  # all is imported
    tracemalloc.start()
    long.save(tmp_path / name, sheet=tmp_path / "sheet.png")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 240 * 128 * 96 * 3 / 4
    assert len(Video.open(tmp_path / name)) == 240
    sheet, held = Video.open(tmp_path / "sheet.png"), tmp_path / "held.png"
    long.video().save_contact_sheet(held)
    assert np.array_equal(sheet.frames, Video.open(held).frames)
    assert set(long.metadata["seconds"]) == {"decode"}


def test_what_fails_amid_decoding_leaves_nothing(tmp_path):
    def decode():
        yield np.zeros((4, 64, 64, 3), np.uint8)
        raise MemoryError

    broken = Footage(decode=decode, num_frames=8, size=(64, 64), fps=12)
    for name in ("a.mp4", "frames", "a.gif"):
        with pytest.raises(MemoryError):
            broken.save(tmp_path / name)
    with pytest.raises(MediaError, match="a contact sheet is a picture"):
        broken.save(tmp_path / "a.mp4", sheet=tmp_path / "sheet.mp4")
    assert not list(tmp_path.iterdir())
