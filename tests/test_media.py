"""Files: what is written is read back, and whatever happens, none is half written."""

import errno
import os
import resource
import signal
import warnings
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from worldreel import media, output
from worldreel.errors import MediaError
from worldreel.media import Video, check_writable, read_image, write_mp4


def clip(frames: int = 8, height: int = 64, width: int = 96) -> np.ndarray:
    """A red square that moves over a smooth ground: (F, H, W, 3) uint8."""
    y, x = np.mgrid[:height, :width]
    ground = np.stack([x * 100 // width + 60, y * 100 // height + 60, 0 * x + 120], -1)
    made = np.repeat(ground[None].astype(np.uint8), frames, 0)
    for index in range(frames):
        made[index, 20:44, 8 + 4 * index : 32 + 4 * index] = (220, 30, 30)
    return made


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((a / 255.0 - b / 255.0) ** 2) + 1e-12))


def video(frames: int = 8, **more) -> Video:
    request = {"prompt": "a red ball 球", "seed": 7}
    return Video(clip(frames), metadata={"request": request}, **more)


def left_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "least"), [("a.mp4", 33), ("a.gif", 30), ("a.webp", 33), ("a", 99), ("b/", 99)]
)
def test_what_is_saved_is_read_back(tmp_path, name, least):
    frames = clip()
    frames[4] = frames[3]  # equal neighbours stay two frames
    made = Video(frames, metadata={"request": {"prompt": "a red ball 球", "seed": 7}})
    made.save(f"{tmp_path}/{name}")
    read = Video.open(f"{tmp_path}/{name}")
    assert read.frames.shape == made.frames.shape and read.frames.dtype == np.uint8
    assert psnr(read.frames, made.frames) > least
    assert (read.fps, read.seconds, len(read)) == (12, 8 / 12, 8)
    assert read.metadata["request"]["prompt"] == "a red ball 球"
    assert left_in(tmp_path) == [name.strip("/")]


def test_an_mp4_plays_in_every_browser(tmp_path):
    path = video().save(tmp_path / "a.mp4")
    data = path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt, stream.frames) == ("h264", "yuv420p", 8)
        assert (stream.average_rate, context.width, context.height) == (12, 96, 64)
        assert context.colorspace == context.color_trc == context.color_primaries == 1
        assert context.color_range == 1
        assert '"prompt":"a red ball' in container.metadata["comment"]
        assert [round(f.time * 12) for f in container.decode(stream)] == list(range(8))


def test_colours_are_not_shifted(tmp_path):
    for color in ((220, 30, 30), (8, 90, 224), (250, 250, 250), (5, 5, 5), (128, 128, 128)):
        frames = np.full((4, 64, 64, 3), color, np.uint8)
        read = Video.open(Video(frames).save(tmp_path / "a.mp4")).frames
        assert np.abs(read.astype(int) - frames).max() <= 2


@pytest.mark.parametrize(("height", "width"), [(63, 95), (64, 95), (63, 96), (66, 70), (1, 1)])
def test_odd_sizes(tmp_path, height, width):
    frames = np.full((4, height, width, 3), (200, 60, 60), np.uint8)
    read = Video.open(Video(frames).save(tmp_path / "a.mp4"))
    assert read.frames.shape == frames.shape


@pytest.mark.parametrize("mark", ["1", "0"])
def test_the_same_frames_give_the_same_file_but_for_its_random_signature(
    tmp_path, monkeypatch, mark
):
    monkeypatch.setenv("WORLDREEL_MARK", mark)
    known = {"clip_id": "one", "request": {"seed": 1}}
    a, b = (Video(clip(), metadata=dict(known)).save(tmp_path / n) for n in ("a.mp4", "b.mp4"))
    chunks = (clip()[i : i + 3] for i in range(0, 8, 3))
    write_mp4(tmp_path / "c.mp4", chunks, 12, (96, 64), known, 8)
    for other in (b, tmp_path / "c.mp4"):
        assert list(media.packets(other)) == list(media.packets(a))
        assert media.find_mark(other) == media.find_mark(a)
        assert (other.read_bytes() == a.read_bytes()) is (mark == "0")


def test_a_stream_knows_no_length_beforehand(tmp_path):
    write_mp4(tmp_path / "a.mp4", (clip(4) for _ in range(3)), 12, (96, 64), {})
    assert len(Video.open(tmp_path / "a.mp4")) == 12
    with pytest.raises(MediaError, match="no frames"):
        write_mp4(tmp_path / "b.mp4", iter(()), 12, (96, 64), {})
    assert left_in(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize("name", ["libsvtav1", "libvpx-vp9", "mpeg4"])
def test_other_encoders_stand_in_and_say_so(tmp_path, monkeypatch, name):
    monkeypatch.setattr(media, "has_encoder", lambda wanted: wanted == name)
    with pytest.warns(UserWarning, match="no libx264 here"):
        video().save(tmp_path / "a.mp4")
    assert psnr(Video.open(tmp_path / "a.mp4").frames, clip()) > 30
    monkeypatch.setattr(media, "has_encoder", lambda wanted: False)
    with pytest.raises(MediaError, match="no video encoder"):
        video().save(tmp_path / "b.mp4")
    assert left_in(tmp_path) == ["a.mp4"]


def test_a_png_is_a_still(tmp_path):
    video(1).save(tmp_path / "a.png")
    assert (Video.open(tmp_path / "a.png").frames == clip(1)).all()
    with pytest.raises(MediaError, match="use a folder"):
        video(2).save(tmp_path / "b.png")


def test_a_folder_of_frames_replaces_only_its_like(tmp_path):
    for frames in (8, 4):
        video(frames).save(tmp_path / "clip")
        assert len(Video.open(tmp_path / "clip")) == frames
    (tmp_path / "clip" / "letter.txt").write_text("keep me")
    with pytest.raises(MediaError, match="not an empty folder"):
        video().save(tmp_path / "clip")
    assert (tmp_path / "clip" / "letter.txt").read_text() == "keep me"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "missing/a.mp4",
        "file.txt/a.mp4",
        "a.avi",
        "a.mp4/a.mp4",
        "taken.mp4",
        "nul\0.mp4",
        "n" * 300 + ".mp4",
        "/proc/a.mp4",
    ],
)
def test_places_where_no_file_can_be(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_text("a file")
    Path("taken.mp4").mkdir()
    before = left_in(tmp_path)
    with pytest.raises(MediaError) as caught:
        check_writable(name)
    assert "\n" not in str(caught.value)
    with pytest.raises(MediaError):
        video().save(name)
    assert left_in(tmp_path) == before


def test_nothing_is_overwritten_unasked(tmp_path):
    path = video().save(tmp_path / "a.mp4")
    with pytest.raises(MediaError, match="exists already"):
        video().save(path, overwrite=False)


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.webp", "a"])
def test_no_disk_space_leaves_the_old_file(tmp_path, monkeypatch, name):
    noise = np.random.default_rng(0).integers(0, 256, (8, 64, 96, 3), np.uint8)
    video().save(tmp_path / name)
    before = Video.open(tmp_path / name).frames
    monkeypatch.setattr(media, "check_writable", lambda *a, **k: Path(name).suffix or "folder")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, hard))
    try:
        with pytest.raises(MediaError, match="larger than a file may be here"):
            Video(noise).save(tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert left_in(tmp_path) == [name]
    assert (Video.open(tmp_path / name).frames == before).all()


def test_a_full_disk_is_noticed_before_any_work(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(output.os, "fsync", full)
    with pytest.raises(MediaError, match="no space left"):
        check_writable(tmp_path / "a.mp4")
    assert left_in(tmp_path) == []


def test_an_interrupted_save_leaves_nothing(tmp_path):
    def frames():
        yield clip(4)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_mp4(tmp_path / "a.mp4", frames(), 12, (96, 64), {})
    assert left_in(tmp_path) == []


def test_what_is_no_video(tmp_path):
    (tmp_path / "text.mp4").write_text("v=0\no=- 0 0 IN IP4 127.0.0.1\n")
    (tmp_path / "empty.mp4").touch()
    whole = video().save(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "empty").mkdir()
    for name in ("text.mp4", "empty.mp4", "half.mp4", "missing.mp4", "empty"):
        with pytest.raises(MediaError):
            Video.open(tmp_path / name)


def test_reading_pictures(tmp_path):
    pixels = clip(1)[0]
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png") == pixels).all()
    assert (read_image(Image.fromarray(pixels)) == pixels).all()
    assert read_image(pixels) is pixels
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif)
    assert read_image(tmp_path / "turned.jpg").shape == (96, 64, 3)
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert (read_image(clear) == 255).all()
    deep = Image.fromarray(np.full((4, 4), 65535, np.uint16))
    assert (read_image(deep) == 255).all()


def test_what_is_no_picture(tmp_path):
    (tmp_path / "text.png").write_text("<svg/>")
    (tmp_path / "empty.png").touch()
    Image.fromarray(clip(1)[0]).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    Image.new("1", (8_000, 5_000)).save(tmp_path / "bomb.png")
    for name in ("text.png", "empty.png", "half.png", "bomb.png", "missing.png", "."):
        with pytest.raises(MediaError) as caught:
            read_image(tmp_path / name)
        assert "\n" not in str(caught.value)
    for value in (7, np.zeros((4, 4)), None):
        with pytest.raises(MediaError):
            read_image(value)


def test_contact_sheets(tmp_path):
    sheet = video().contact_sheet(columns=2, count=4)
    assert sheet.size == (2 * 96 + 2, 2 * 64 + 2)
    assert video(3).contact_sheet(count=100).size[1] == 64
    video().save_contact_sheet(tmp_path / "sheet.png")
    assert read_image(tmp_path / "sheet.png").shape[2] == 3


def test_a_notebook_shows_the_clip(monkeypatch):
    assert video()._repr_html_().startswith("<video controls loop")
    assert video(1)._repr_html_().startswith("<img")
    monkeypatch.setattr(media, "INLINE_BYTES", 10)
    assert video()._repr_html_().startswith("<img")


def test_videos_say_what_they_are():
    assert repr(video()) == "Video(8 frames of 96x64, 0.667 s at 12 fps)"
    assert video().to_numpy().shape == (8, 64, 96, 3)
    with pytest.raises(MediaError):
        Video(np.zeros((0, 4, 4, 3), np.uint8))
    with warnings.catch_warnings(), pytest.raises(AssertionError):
        Video(np.zeros((1, 4, 4, 3), np.float32))


def test_no_temporary_name_is_seen(tmp_path, monkeypatch):
    seen = []
    real = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (seen.append((a, b)), real(a, b)))
    video().save(tmp_path / "a.mp4")
    temporary, final = seen[-1]
    assert all(Path(name).name.startswith(".worldreel-") for pair in seen for name in pair[:1])
    assert Path(temporary).parent == Path(final).parent == tmp_path
