"""Stills and animations, in and out: the home of Pillow."""

import itertools
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageOps, PngImagePlugin

from worldreel import provenance
from worldreel.errors import MediaError

READ = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
FILMS = "an .mp4, .mov, .mkv or .webm, or a .gif, .webp or .png"
MOST_PIXELS = 33_177_600  # of a picture: 8K
MOST_BYTES = 4 << 30  # of a clip's frames in memory


def assert_frames(frames: np.ndarray) -> np.ndarray:
    assert frames.dtype == np.uint8, f"frames are uint8, not {frames.dtype}"
    assert frames.ndim == 4 and frames.shape[3] == 3, f"frames are F H W 3, not {frames.shape}"
    return frames


def read_image(source: Any) -> np.ndarray:
    """(H, W, 3) uint8 from a file, a PIL image or an array; upright, on white where transparent."""
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3:
            raise MediaError(
                f"a picture is an (H, W, 3) array of uint8, not {source.shape} of {source.dtype}"
            )
        return source
    if isinstance(source, Image.Image):
        return _pixels(source)
    if not isinstance(source, str | os.PathLike):
        raise MediaError(
            f"a picture is a file, a PIL image or an array, not {type(source).__name__}"
        )
    try:
        with _opened(source) as image:
            return _pixels(image)
    except MediaError:
        raise
    except Exception as error:  # a hostile file can make Pillow raise anything
        raise MediaError(f"{source} is damaged: it cannot be read as a picture") from error


def _pixels(image: Image.Image) -> np.ndarray:
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    elif image.mode.startswith("I;16") or image.mode == "I":
        image = Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    return np.array(image.convert("RGB"))


def fitted(pixels: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, str]:
    """(H, W, 3) cut to the aspect of a size, around its middle, and scaled; and what was done."""
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels, ""
    scale = max(size[0] / width, size[1] / height)
    cut = min(width, size[0] / scale), min(height, size[1] / scale)  # in the picture's own pixels
    x, y = (width - cut[0]) / 2, (height - cut[1]) / 2
    image = Image.fromarray(pixels).resize(
        size, Image.Resampling.LANCZOS, box=(x, y, width - x, height - y)
    )
    done = "scaled" if max(x, y) < 0.5 else "cut and scaled"
    return np.asarray(image), f"{width}x{height}, was {done} to {size[0]}x{size[1]}"


def whole(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) scaled until it fits within a size, in the middle of white."""
    image = Image.fromarray(pixels)
    if image.size != size:
        inner = ImageOps.contain(image, size, Image.Resampling.BILINEAR)
        image = Image.new("RGB", size, "white")
        image.paste(inner, ((size[0] - inner.width) // 2, (size[1] - inner.height) // 2))
    return np.array(image)


def _opened(
    path: str | os.PathLike[str], wanted: str = f"picture: give a {', '.join(READ)} file"
) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path, formats=READ)
    except OSError as error:
        if error.errno is not None:
            raise MediaError(f"{path} cannot be read: {error.strerror}") from error
        raise MediaError(f"{path} is no {wanted}") from error
    except Exception as error:
        raise MediaError(f"{path} is no picture that can be read") from error
    if image.width * image.height > MOST_PIXELS:
        image.close()
        raise MediaError(
            f"{path} is too large: {image.width}x{image.height} pixels, "
            f"and the limit is {MOST_PIXELS:,} in all"
        )
    return image


def stack(frames: Iterable[np.ndarray], path: Path) -> np.ndarray:
    """(F, H, W, 3) of frames that come one by one; MediaError if they differ or are too many."""
    kept, total = [], 0
    for frame in frames:
        total += frame.nbytes
        if kept and frame.shape != kept[0].shape:
            raise MediaError(f"the frames of {path} are not of one size")
        if total > MOST_BYTES or frame.nbytes > 3 * MOST_PIXELS:
            raise MediaError(f"{path} is too long or too large to be opened whole")
        kept.append(frame)
    if not kept:
        raise MediaError(f"{path} has no frames that can be read")
    return np.stack(kept)


def read(path: Path) -> tuple[np.ndarray, float, dict[str, Any] | None]:
    """Frames, frames per second and the mark of a .gif, .webp or .png."""
    found = find_mark(path)
    try:
        with _opened(path) as image:
            parts: list[tuple[np.ndarray, float]] = []
            for index in range(getattr(image, "n_frames", 1)):
                image.seek(index)
                image.load()
                parts.append((_pixels(image), float(image.info.get("duration") or 0)))
                if len(parts) * parts[0][0].nbytes > MOST_BYTES:
                    raise MediaError(f"{path} is too long to be opened whole")
    except MediaError:
        raise
    except Exception as error:
        raise MediaError(f"{path} is damaged: it cannot be read") from error
    typical = float(np.median([duration for _, duration in parts])) or 1000 / 12
    fps = float((found or {}).get("fps") or 1000 / typical)
    # Pillow writes equal neighbours once, with the time of all: give each frame back its own.
    ends = itertools.accumulate(duration for _, duration in parts)
    frames: list[np.ndarray] = []
    for (frame, _), end in zip(parts, ends, strict=True):
        frames += [frame] * max(round(end * fps / 1000) - len(frames), 1 - bool(frames))
    if found and isinstance(count := found.get("num_frames"), int):
        frames = (frames + frames[-1:] * min(count, 10_000))[: max(count, 1)]
    return stack(frames, path), fps, found


def find_mark(path: Path) -> dict[str, Any] | None:
    with _opened(path, f"video nor picture that can be read: give {FILMS}") as image:
        info = image.info
        text = info.get("comment") or info.get("Comment")
        return provenance.from_text(text) or provenance.from_xmp(info.get("xmp"))


def write(part: Path, kind: str, frames: np.ndarray, fps: float, marked: Mapping[str, Any]) -> None:
    """One file: a still, or an animation that loops for ever."""
    pictures = [Image.fromarray(frame) for frame in frames]
    tick = 10 if kind == ".gif" else 1  # milliseconds that the format can tell apart
    ends = [round(1000 * i / fps / tick) * tick for i in range(len(pictures) + 1)]
    film: dict[str, Any] = {"save_all": True, "append_images": pictures[1:], "loop": 0}
    film["duration"] = [b - a for a, b in itertools.pairwise(ends)]
    if kind == ".gif":
        # One palette for the whole clip: one for each frame would flicker.
        some = frames[:: -(-len(frames) // 8)]
        palette = Image.fromarray(some.reshape(-1, *some.shape[2:])).quantize(256)
        film["append_images"] = [picture.quantize(palette=palette) for picture in pictures]
        first = film["append_images"].pop(0)
        first.save(part, "GIF", comment=provenance.to_text(marked).encode(), **film)
    elif kind == ".webp":
        pictures[0].save(part, "WEBP", xmp=provenance.to_xmp(marked), quality=92, method=4, **film)
    else:
        text = PngImagePlugin.PngInfo()
        if marked:
            text.add_text("Comment", provenance.to_text(marked))
            text.add_itxt("XML:com.adobe.xmp", provenance.to_xmp(marked).decode())
        pictures[0].save(part, "PNG", pnginfo=text)


def evenly(length: int, count: int) -> list[int]:
    """`count` places among so many, evenly spaced from the first to the last."""
    return np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int)).tolist()


def contact_sheet(frames: np.ndarray, fps: float, columns: int, count: int) -> Image.Image:
    """`count` frames, evenly spaced from the first to the last, each with its time."""
    if columns < 1 or count < 1:
        raise MediaError("a contact sheet has at least one column and one picture")
    return sheet([(index / fps, frames[index]) for index in evenly(len(frames), count)], columns)


def sheet(shown: Sequence[tuple[float, np.ndarray]], columns: int) -> Image.Image:
    """Frames H W 3 in rows, each with its time in seconds."""
    h, w, _ = shown[0][1].shape
    columns, gap = min(columns, len(shown)), 2
    rows = -(-len(shown) // columns)
    whole = Image.new("RGB", (columns * (w + gap) - gap, rows * (h + gap) - gap), "white")
    for place, (seconds, frame) in enumerate(shown):
        picture = Image.fromarray(frame)
        pen, text = ImageDraw.Draw(picture), f"{seconds:.2f} s"
        _, top, right, bottom = pen.textbbox((3, 0), text)
        pen.rectangle((0, h - (bottom - top) - 4, right + 2, h), fill="black")
        pen.text((3, h - (bottom - top) - 2 - top), text, fill="white")
        row, column = divmod(place, columns)
        whole.paste(picture, (column * (w + gap), row * (h + gap)))
    return whole


# Rows: Y, Cb, Cr of bt709 in the limited range, in 65536ths.
_BT709 = np.array([[11966, 40254, 4064], [-6596, -22189, 28784], [28784, -26145, -2639]], np.int32)


def yuv420(frame: np.ndarray) -> np.ndarray:
    """(H * 3 / 2, W) from (H, W, 3), exactly: FFmpeg's own way makes every file darker by two."""
    h, w, _ = frame.shape
    rgb = np.pad(frame, ((0, h % 2), (0, w % 2), (0, 0)), mode="edge").astype(np.int32)
    h, w, _ = rgb.shape
    luma = ((rgb @ _BT709[0] + 32768) >> 16) + 16
    pairs = rgb[0::2] + rgb[1::2]
    fours = pairs[:, 0::2] + pairs[:, 1::2]  # chroma lies amid four pixels, as FFmpeg reads it
    chroma = [((fours @ row + (1 << 17)) >> 18) + 128 for row in _BT709[1:]]
    flat = np.concatenate([plane.ravel() for plane in (luma, *chroma)])
    return flat.reshape(-1, w).astype(np.uint8)
