"""Frames become latents and latents pictures: a few at a time, as bytes, as soon as they are there.

    for chunk in pictures(vae, latents, at_once=1):     B f H W 3 uint8
        ...

What is held meanwhile does not grow with the clip. `tiled` decodes squares of the picture one after
the other, for a memory that does not hold one latent of the whole: they overlap by a quarter and
are blended there, which costs as much again, and changes what is far from a square's middle.

Shapes: B batch, C channels, T latents, F f frames, H W pixels, h w latents' height and width.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from worldreel.errors import CheckpointError
from worldreel.models.compressor import FRAMES
from worldreel.models.streaming import Past
from worldreel.progress import Progress, silent


def pictures(
    compressor: Any, latents: Tensor, *, at_once: int, told: Progress = silent, **asked: Any
) -> Iterator[np.ndarray]:
    """Latents B C T h w as frames, 4T in all: where a clip's first latent is one frame, that
    stands four times.

    As many are decoded each time, so that a latent gives the same bytes whatever stands around it:
    sums over a smaller batch may round otherwise. asked: of the compressor's `stream`.
    """
    check_finite(latents)
    t = latents.shape[2]
    padding = latents[:, :, -1:].expand(-1, -1, -t % at_once, -1, -1)
    padded, done = torch.cat([latents, padding], dim=2), 0
    told("decode", 0, t)
    asked |= {"uint8": True} if compressor.first_frame else {}
    if asked.pop("ring", False):  # what is before the first, without what fills up the last part
        asked["past"] = latents[:, :, -2:]
    for part in compressor.stream(padded, chunk=at_once, **asked):
        if not compressor.first_frame:
            part = (part.clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
            part = rearrange(part, "b c f h w -> b f h w c")
        frames = part.cpu().numpy()
        if compressor.first_frame and not done:
            frames = np.concatenate([*[frames[:, :1]] * (FRAMES - 1), frames], axis=1)
        frames = frames[:, : FRAMES * t - done]
        done += frames.shape[1]
        told("decode", done // FRAMES, t)
        yield frames


def check_finite(latents: Tensor) -> None:
    """Say that latents are no picture, before any of it is made."""
    if not torch.isfinite(latents).all():
        raise CheckpointError(
            "what was painted is not finite: the weights, or a LoRA's strength, are damaged or too"
            " large for this precision; check them (worldreel models check) or fetch them again"
        )


def shown(
    compressor: Any,
    latents: Tensor,
    *,
    at_once: int,
    tile: int | None = None,
    told: Progress = silent,
    **asked: Any,
) -> Iterator[np.ndarray]:
    """The frames of `decoded` as they come; in squares they come all at the end."""
    if tile is None or max(latents.shape[3:]) <= tile:
        yield from pictures(compressor, latents, at_once=at_once, told=told, **asked)
    else:
        yield decoded(compressor, latents, at_once=at_once, tile=tile, told=told, **asked)


def decoded(
    compressor: Any,
    latents: Tensor,
    *,
    at_once: int,
    tile: int | None = None,
    told: Progress = silent,
    **asked: Any,
) -> np.ndarray:
    """All frames B 4T H W 3 uint8. tile: decoded in squares of so many latents, where the picture
    is larger."""
    b, _, t, h, w = latents.shape
    side = compressor.stride
    out = np.empty((b, FRAMES * t, side * h, side * w, 3), dtype=np.uint8)
    if tile is None or max(h, w) <= tile:
        done = 0
        for frames in pictures(compressor, latents, at_once=at_once, told=told, **asked):
            out[:, done : done + frames.shape[1]] = frames
            done += frames.shape[1]
        return out
    lap = tile // 4
    squares = [(y, x) for y in _spans(h, tile, lap) for x in _spans(w, tile, lap)]
    told("decode", 0, len(squares))
    for n, ((top, low), (left, right)) in enumerate(squares):
        place = out[:, :, side * top : side * low, side * left : side * right]
        down = _ramp(side * (low - top), side * lap, after=top > 0)
        across = _ramp(side * (right - left), side * lap, after=left > 0)
        share, done = (down[:, None] * across)[..., None], 0  #               H W 1
        piece = latents[..., top:low, left:right]
        for frames in pictures(compressor, piece, at_once=at_once, **asked):
            into = place[:, done : done + frames.shape[1]]
            np.copyto(into, np.rint(into + share * (frames.astype(np.float32) - into)), "unsafe")
            done += frames.shape[1]
        told("decode", n + 1, len(squares))
    return out


def encoded(
    compressor: Any,
    frames: np.ndarray,
    *,
    at_once: int,
    device: torch.device,
    begins: bool = True,
    where: np.ndarray | None = None,
    told: Progress = silent,
) -> Tensor:
    """Latents of frames F H W 3 uint8, 1 C F/4 h w.

    Where a clip's first latent is one frame, that is the last of the first four. Latents that do
    not begin a clip (begins) are encoded after a past in which their first frame stood. where:
    F H W or F 1 1, bool; elsewhere pixels are mid-gray.
    """

    def pixels(span: slice | list[int]) -> Tensor:  # 1 3 F H W, -1..1
        video = rearrange(torch.tensor(frames[span]).to(device), "f h w c -> 1 c f h w")
        video = video.float() / 127.5 - 1
        return video if where is None else video * torch.tensor(where[span]).to(device)

    parts, count = [], len(frames) // FRAMES
    past: dict[str, Any] = {}
    if compressor.first_frame:
        past["past"] = Past()
        if not begins:
            compressor.encode(pixels([0] * (1 + FRAMES)), **past)
    told("clip", 0, count)
    for first in range(0, count, at_once):
        span = slice(FRAMES * first, FRAMES * (first + at_once))
        if past and not past["past"].begun:
            span = slice(FRAMES - 1, span.stop)
        parts.append(compressor.encode(pixels(span), **past).cpu())
        told("clip", min(first + at_once, count), count)
    return torch.cat(parts, dim=2)


def _spans(length: int, tile: int, lap: int) -> list[tuple[int, int]]:
    """Half-open spans of a tile's length, the last at the end, that overlap by `lap` or more."""
    if length <= tile:
        return [(0, length)]
    count = -(-(length - lap) // (tile - lap))
    starts = [round(i * (length - tile) / (count - 1)) for i in range(count)]
    return [(start, start + tile) for start in starts]


def _ramp(length: int, lap: int, *, after: bool) -> np.ndarray:
    """How much of a pixel is this tile's: rises over the overlap with the one before it."""
    share = np.ones(length, np.float32)
    if after:
        share[:lap] = (np.arange(lap) + 0.5) / lap
    return share
