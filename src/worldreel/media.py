"""Videos in and out, and the `Video` itself: the only home of PyAV (Pillow's is pictures.py).

    video = Video(frames, fps=12)         (F, H, W, 3) uint8
    video.save("ball.mp4")                or .gif, .webp, .png (one frame), or a folder of PNG
    Video.open("ball.mp4")                what was saved, with its metadata
    read_image("ball.png")                (H, W, 3) uint8

A file is written under a temporary name beside its place, flushed, and then renamed: whoever looks
sees the old file or the new one, never half of it, whatever happens on the way.
"""

import contextlib
import dataclasses
import html
import io
import itertools
import json
import os
import secrets
import shutil
import tempfile
import warnings
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import av.codec
import av.error
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from worldreel import credentials, pictures, provenance
from worldreel.errors import MediaError
from worldreel.output import NOTE, StrPath, check_sheet, check_writable, explained, whole_file
from worldreel.pictures import read_image

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "Video",
    "check_writable",
    "encoder",
    "find_mark",
    "has_encoder",
    "packets",
    "read_image",
    "whole_file",
    "write",
    "write_mp4",
]

INLINE_BYTES = 8 << 20  # of an mp4 inside a notebook

# The first that this PyAV has; crf is low because small pictures show every artefact. x264's mbtree
# gives other bytes each time on processors with AVX-512; crf 17 without it is as good as 15 with.
ENCODERS: tuple[tuple[str, dict[str, str], str], ...] = (
    ("libx264", {"crf": "17", "preset": "medium", "x264-params": "chromaloc=1:no-mbtree=1"}, ""),
    ("libsvtav1", {"crf": "22", "preset": "7"}, "AV1: some older browsers do not play it"),
    ("libvpx-vp9", {"crf": "20", "b": "0"}, "VP9: some players do not know it inside mp4"),
    ("mpeg4", {"qmin": "2", "qmax": "4"}, "MPEG-4 part 2: no browser plays it"),
)


@dataclasses.dataclass(eq=False)
class Video:
    """A clip: its pixels, and what is known about their making."""

    frames: np.ndarray  # (F, H, W, 3) uint8
    fps: float = 12
    latents: Any = None  # (B, C, T, H, W) in the sampler's dtype, if a model made the clip
    metadata: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        pictures.assert_frames(self.frames)
        if not (len(self.frames) and self.fps > 0):
            raise MediaError("a video needs at least one frame, and more than 0 frames per second")

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        f, h, w, _ = self.frames.shape
        return f"Video({f} frames of {w}x{h}, {self.seconds:.3g} s at {self.fps:g} fps)"

    @property
    def seconds(self) -> float:
        return len(self.frames) / self.fps

    @property
    def notes(self) -> list[str]:
        """What was made differently from what was asked, and words that the model did not know."""
        return list((self.metadata.get("request") or {}).get("notes") or ())

    def to_numpy(self) -> np.ndarray:
        return self.frames

    @classmethod
    def open(cls, path: StrPath, *, latents: bool = False) -> "Video":
        """Read a clip; with `latents`, also the sidecar beside it (MediaError if it is not its)."""
        frames, fps, found = _read(Path(path))
        metadata = provenance.opened(found, Path(path))
        if not latents:
            return cls(frames, fps, None, metadata)
        beside = provenance.load_sidecar(path)
        told = {"clip_id": beside.clip_id, "request": beside.request, "lineage": beside.lineage}
        told |= {"latents": beside.held, "digital_source_type": beside.digital_source_type}
        known = {name: value for name, value in metadata.items() if value is not None}
        return cls(frames, fps, beside.latents, told | known)

    def save(self, path: StrPath, *, overwrite: bool = True, sidecar: bool | None = None) -> Path:
        """Write the clip, as its suffix says; beside an mp4 its latents, if it has any.

        sidecar: False leaves them out, True insists on them.
        """
        f, h, w, _ = self.frames.shape
        return write(
            path, [self.frames], num_frames=f, size=(w, h), fps=self.fps, metadata=self.metadata,
            latents=self.latents, overwrite=overwrite, sidecar=sidecar,
        )  # fmt: skip

    def contact_sheet(self, columns: int = 4, count: int = 8) -> "Image.Image":
        """`count` frames, evenly spaced from the first to the last, each with its time."""
        return pictures.contact_sheet(self.frames, self.fps, columns, count)

    def save_contact_sheet(self, path: StrPath, columns: int = 4, count: int = 8) -> Path:
        check_sheet(path)
        sheet = np.asarray(self.contact_sheet(columns, count))[None]
        return Video(sheet, self.fps, None, self.metadata).save(path)

    def _repr_html_(self) -> str:
        """The clip itself in a notebook, or pictures of it when it is too large, and its notes."""
        title = html.escape(repr(self))
        notes = "".join(f"<br>note: {html.escape(note)}" for note in self.notes)
        if len(self) > 1:
            with tempfile.TemporaryDirectory() as folder:
                data = self.save(Path(folder) / "clip.mp4", sidecar=False).read_bytes()
            if len(data) < INLINE_BYTES:
                source = f"data:video/mp4;base64,{b64encode(data).decode()}"
                return f'<video controls loop muted title="{title}" src="{source}"></video>{notes}'
        stream = io.BytesIO()
        self.contact_sheet().save(stream, "PNG")
        source = f"data:image/png;base64,{b64encode(stream.getvalue()).decode()}"
        return f'<img title="{title}" src="{source}"><br>{title}{notes}'


def write(
    path: StrPath,
    chunks: Iterable[np.ndarray],
    *,
    num_frames: int,
    size: tuple[int, int],
    fps: float,
    metadata: Mapping[str, Any],
    latents: Any = None,
    overwrite: bool = True,
    sidecar: bool | None = None,
) -> Path:
    """`Video.save` of frames that come in chunks (f, H, W, 3) uint8: an mp4 and a folder take each
    as it comes, and hold none."""
    kind = check_writable(path, num_frames=num_frames, overwrite=overwrite)
    path, facts = Path(path), {"num_frames": num_frames, "fps": fps}
    if sidecar and (kind != ".mp4" or latents is None):
        why = "this video has none" if kind == ".mp4" else f"not {path.name}"
        raise MediaError(f"latents are kept beside an .mp4 of a video that has them: {why}")
    if kind == ".mp4":
        kept = None if sidecar is False else latents
        write_mp4(path, chunks, fps, size, metadata, num_frames, latents=kept)
        return path
    facts |= {"width": size[0], "height": size[1]}
    marked = provenance.shown(provenance.mark(metadata, **facts))
    if kind == "folder":
        _write_folder(path, itertools.chain.from_iterable(chunks), marked, metadata)
        return path
    frames = list(chunks)
    whole = frames[0] if len(frames) == 1 else np.concatenate(frames)
    with whole_file(path) as part:
        pictures.write(part, kind, whole, fps, marked)
        credentials.sign(part, kind, metadata)
    return path


def encoder() -> tuple[str, dict[str, str], str]:
    """The video encoder that mp4 files get, its options, and a note when it is not the best."""
    for name, options, flaw in ENCODERS:
        if has_encoder(name):
            return name, dict(options), f"no {ENCODERS[0][0]} here: wrote {flaw}" if flaw else ""
    raise MediaError("this PyAV has no video encoder: pip install --force-reinstall av")


def has_encoder(name: str) -> bool:
    try:
        av.codec.Codec(name, "w")
    except ValueError:
        return False
    return True


def write_mp4(
    path: StrPath,
    frames: Iterable[np.ndarray],
    fps: float,
    size: tuple[int, int],
    metadata: Mapping[str, Any],
    num_frames: int | None = None,
    *,
    latents: Any = None,
    signed: bool = True,
) -> dict[str, Any]:
    """Encode chunks (f, H, W, 3) uint8 as they come; returns the mark that the file carries.

    The same frames, metadata and clip id give the same packets, and the same bytes but for the
    signature. `latents` go into a sidecar; without them, that of the clip that is replaced goes
    with it.
    """
    path, (width, height) = Path(path), size
    facts: dict[str, Any] = {"width": width, "height": height, "fps": fps}
    if num_frames:
        facts["num_frames"] = num_frames
    if latents is not None:
        beside = provenance.claim_sidecar(path)
        facts["latents"] = {**(metadata.get("latents") or {}), "file": beside.name}
    marked = provenance.mark(metadata, **facts)
    stale = provenance.stale_sidecar(path, marked) if latents is None else None
    with whole_file(path) as part:
        try:
            _encode(part, frames, fps, size, provenance.shown(marked))
        except av.error.FFmpegError as error:
            if isinstance(error, OSError):  # no space, for one: `whole_file` explains it
                raise
            raise MediaError(f"{path} cannot be encoded: {error.strerror}") from error
        if signed:
            credentials.sign(part, ".mp4", metadata)
        if latents is not None:
            packed = provenance.pack_sidecar(latents, marked, provenance.packets_digest(part))
            with whole_file(provenance.sidecar_path(path)) as other:
                other.write_bytes(packed)
    if stale is not None:
        stale.unlink(missing_ok=True)
    return marked


def _encode(
    part: Path,
    frames: Iterable[np.ndarray],
    fps: float,
    size: tuple[int, int],
    marked: Mapping[str, Any],
) -> None:
    name, options, note = encoder()
    if note:
        warnings.warn(note, stacklevel=4)
    width, height = size
    rate = Fraction(fps).limit_denominator(1001)
    count = 0
    with av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata["comment"] = provenance.to_text(marked)
        stream: Any = container.add_stream(name, rate=rate, options=options)
        context = stream.codec_context
        stream.width, stream.height = width + width % 2, height + height % 2  # 4:2:0 is in pairs
        stream.pix_fmt = "yuv420p"
        context.gop_size = max(round(fps * 2), 1)  # so that a player can seek
        context.thread_count = 1 if width * height <= 640 * 360 else 8  # more cores, same bytes
        context.colorspace = context.color_primaries = context.color_trc = 1  # bt709
        context.color_range = ColorRange.MPEG
        for frame in itertools.chain.from_iterable(map(pictures.assert_frames, frames)):
            assert frame.shape == (height, width, 3), f"{frame.shape} is not {size}"
            picture = av.VideoFrame.from_ndarray(pictures.yuv420(frame), format="yuv420p")
            picture.colorspace, picture.color_range = Colorspace.ITU709, ColorRange.MPEG
            picture.pts = count
            count += 1
            container.mux(stream.encode(picture))
        if not count:
            raise MediaError("there are no frames to write")
        container.mux(stream.encode())


_SHARP = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP


def _write_folder(
    path: Path, frames: Iterable[np.ndarray], marked: Mapping[str, Any], metadata: Mapping[str, Any]
) -> None:
    """A folder of frames, built aside and then put in its place."""
    token = secrets.token_hex(6)
    new, old = (path.with_name(f".worldreel-{token}.{end}") for end in ("part", "old"))
    try:
        with explained(path):
            new.mkdir()
            for index, frame in enumerate(frames):
                pictures.write(new / f"{index:06d}.png", ".png", frame[None], 1, marked)
            credentials.sign(new, "folder", metadata)
            if marked:
                (new / NOTE).write_text(json.dumps(marked, indent=2, sort_keys=True) + "\n")
            for file in new.iterdir():
                with open(file, "rb+") as written:
                    os.fsync(written.fileno())
            if path.exists():
                os.rename(path, old)
            os.rename(new, path)
    finally:
        if old.exists() and not path.exists():
            os.rename(old, path)
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _read(path: Path) -> tuple[np.ndarray, float, dict[str, Any] | None]:
    """Frames, frames per second and the mark of whatever worldreel writes, told by content."""
    if path.is_dir():
        files = sorted(path.glob("*.png"))
        if not files:
            raise MediaError(f"{path} holds no .png frames")
        frames = pictures.stack(map(read_image, files), path)
        found = find_mark(path)
        return frames, float((found or {}).get("fps", 12)), found
    demuxer = _demuxer(path)
    if demuxer is None:
        return pictures.read(path)
    with _decoding(path, demuxer) as container:
        stream = container.streams.video[0]
        found = provenance.from_text(container.metadata.get("comment"))
        fps = float(stream.average_rate or 12)
        width, height = stream.width, stream.height
        if found:  # an odd side was padded for 4:2:0
            width -= found.get("width") == width - 1
            height -= found.get("height") == height - 1
        convert = VideoReformatter()

        def decoded() -> Iterator[np.ndarray]:
            for frame in container.decode(stream):
                rgb = convert.reformat(
                    frame,
                    format="rgb24",
                    src_colorspace=None if frame.colorspace != 2 else Colorspace.ITU709,
                    dst_color_range=ColorRange.JPEG,
                    interpolation=_SHARP | Interpolation.ACCURATE_RND,
                    threads=1,
                )
                yield rgb.to_ndarray()[:height, :width]

        return pictures.stack(decoded(), path), fps, found


def find_mark(path: StrPath) -> dict[str, Any] | None:
    """The mark in a file or a folder, or None; see `provenance.read_mark`."""
    path = Path(path)
    if path.is_dir():
        note = path / NOTE
        return provenance.from_text(note.read_bytes()) if note.is_file() else None
    demuxer = _demuxer(path)
    if demuxer is None:
        return pictures.find_mark(path)
    with _decoding(path, demuxer) as container:
        return provenance.from_text(container.metadata.get("comment"))


def packets(path: StrPath) -> Iterator[bytes]:
    """The coded packets of a file's video stream, in order."""
    path = Path(path)
    with _decoding(path, _demuxer(path) or "mov") as container:
        for packet in container.demux(video=0):
            if packet.size:
                yield bytes(packet)


def _demuxer(path: Path) -> str | None:
    """FFmpeg's name for the container, by its first bytes; None when it is Pillow's to read.

    Naming it keeps FFmpeg from guessing: a playlist called .mp4 would open network connections.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(12)
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror}") from error
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide"):
        return "mov"
    return "matroska" if head[:4] == b"\x1aE\xdf\xa3" else None


@contextlib.contextmanager
def _decoding(path: Path, demuxer: str) -> Iterator[Any]:
    try:
        options = {"protocol_whitelist": "file"}
        with av.open(
            str(path), format=demuxer, options=options, metadata_errors="replace"
        ) as container:
            if not container.streams.video:
                raise MediaError(f"{path} has no video in it")
            yield container
    except (OSError, av.error.FFmpegError) as error:
        raise MediaError(f"{path} is no video that can be read: {error.strerror}") from error
