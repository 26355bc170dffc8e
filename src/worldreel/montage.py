"""A plan on the canvas, and what was painted joined with what was there.

    board = compose(made, known, pictured)     the whole result in latents, and its freedom
    view = shown(board, window)                the part of it that the network sees
    joined(board, painted, window)             the whole again, what is kept bit for bit as it was
    composite(made, latents, frames)           its pixels: the sources' where nothing changed

Latents are B C T H W with B = 1; frames that are counted from the first latent's first, shown or
not, are "positions" 0 to 4T here.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from worldreel import canvas, pictures
from worldreel.canvas import Canvas
from worldreel.clips import ROLES
from worldreel.errors import RequestError
from worldreel.models.compressor import FRAMES, STRIDE
from worldreel.progress import Progress
from worldreel.request import Plan

Encode = Callable[..., Tensor]  # of frames F H W 3 uint8, `told`, `begins`: 1 C F/4 h w
Decode = Callable[..., np.ndarray]  # of latents B C T h w, `ring` and `told`: B 4T H W 3 uint8
Frames = Callable[..., Iterator[np.ndarray]]  # the same as they come: B f H W 3 uint8


def stills(made: Plan, encode: Encode) -> tuple[list[Tensor], list[str]]:
    """A latent for each keyframe, four equal frames, and what was done to pictures to fit them."""
    latents, notes = [], []
    for keyframe in made.timeline.keyframes:
        picture = pictures.read_image(keyframe.picture)
        pixels, done = pictures.fitted(picture, (made.width, made.height))
        notes += [f"{keyframe.name}, {done}"] if done else []
        latents.append(encode(np.repeat(pixels[None], FRAMES, 0), begins=keyframe.latent == 0))
    return latents, notes


def sources(
    made: Plan, encode: Encode, decode: Decode, told: Progress
) -> tuple[Plan, dict[str, Tensor]]:
    """The latents of a plan's clips, each 1 C t h w, and the plan with their exact frames."""
    exact, latents = {}, {}
    for role in ROLES:
        clip = getattr(made, role)
        if clip is None:
            continue
        if clip.latents is None:
            ends = ((clip.hidden, clip.rest), (0, 0), (0, 0), (0, 0))
            padded = np.pad(clip.frames, ends, "edge")
            latents[role] = encode(padded, told=told, begins=role != "after")
            continue
        latents[role] = torch.as_tensor(clip.latents).detach().cpu()
        if clip.decoded and not clip.exact:

            def reading(_: str, done: int, total: int) -> None:
                told("clip", done, total)

            frames = decode(latents[role], ring=clip.ring, told=reading)[0]
            frames = frames[clip.hidden : clip.hidden + clip.num_frames]
            exact[role] = dataclasses.replace(clip, frames=frames, exact=True)
    return dataclasses.replace(made, **exact), latents


def free(made: Plan) -> np.ndarray:
    """Where the result may differ from its sources: (4T, H, W) or (4T, 1, 1), True there."""
    line, under, framing = made.timeline, made.under, made.framing
    first, stop = (at * FRAMES for at in line.paint)
    changes = np.zeros((FRAMES * line.num_latents, 1, 1), bool)
    changes[first:stop] = True
    if not framing.partly:
        return changes
    (x, y), (width, height) = framing.place, under.size
    inside = np.ones((len(changes), height, width), bool)  # in the clip's own pixels
    if framing.region is not None:
        left, top, wide, high = framing.region
        inside[:] = False
        inside[:, top : top + high, left : left + wide] = True
    if framing.mask is not None:
        ends = ((line.hidden, under.rest), (0, 0), (0, 0))
        inside &= framing.mask if len(framing.mask) == 1 else np.pad(framing.mask, ends, "edge")
    if framing.region is None and framing.mask is None:
        inside[:] = False  # a larger canvas alone: the clip stays as it is
    allowed = np.ones((len(changes), made.height, made.width), bool)
    allowed[:, y : y + height, x : x + width] = inside
    return allowed & changes


def compose(
    made: Plan,
    known: Mapping[str, Tensor],
    pictured: Sequence[Tensor],
    *,
    channels: int,
    stride: int = STRIDE,
) -> Canvas:
    """The canvas of the whole result, of the latents of its clips and of its keyframes.

    stride: pixels of a latent's side.
    """
    line = made.timeline
    shape = (1, channels, line.num_latents, made.height // stride, made.width // stride)
    board = canvas.ring(shape) if line.ring else canvas.blank(shape)
    if "before" in known:
        board = canvas.keep(board, known["before"])
    if "after" in known:
        board = canvas.keep(board, known["after"], at=-line.trail)
    if "under" in known:
        (x, y), under = (at // stride for at in made.framing.place), known["under"]
        placed = board.known.clone()
        placed[..., y : y + under.shape[3], x : x + under.shape[4]] = under
        loose = dataclasses.replace(canvas.loosen(placed, made.strength), ring=line.ring)
        changes = _free_latents(free(made), stride).expand_as(board.freedom)
        if not changes.any():
            where = "all of that span" if made.framing.region is None else "that span and region"
            raise RequestError(f"the mask is black in {where}: nothing may change")
        board = canvas.keep(loose, placed, where=~changes)
    for keyframe, still in zip(line.keyframes, pictured, strict=True):
        board = canvas.keep(board, still, at=keyframe.latent, strength=keyframe.strength)
    return board


def _free_latents(changes: np.ndarray, side: int) -> Tensor:
    """1 1 T h w, or 1 1 T 1 1 where a whole picture changes or none of it."""
    stride = (FRAMES, 1, 1) if changes.shape[1:] == (1, 1) else (FRAMES, side, side)
    return canvas.latent_mask(torch.from_numpy(changes), stride=stride)


def shown(board: Canvas, window: tuple[int, int]) -> Canvas:
    """The part of a canvas that the network sees; on a ring it may run over the end."""
    start, count = window
    if count == board.shape[2]:
        return board
    known, freedom = (x.roll(-start, dims=2)[:, :, :count] for x in (board.known, board.freedom))
    return Canvas(known=known, freedom=freedom)


def joined(board: Canvas, painted: Tensor, window: tuple[int, int]) -> Tensor:
    """The latents of the whole, of which a part was painted."""
    start, count = window
    if count == board.shape[2]:
        return painted
    whole = board.known.to(painted).roll(-start, dims=2).clone()
    whole[:, :, :count] = painted
    return whole.roll(start, dims=2)


def composite(
    made: Plan,
    latents: Tensor,
    frames: Frames,
    told: Progress,
    *,
    reach: int,
    first_frame: bool = False,
) -> Iterator[np.ndarray]:
    """The frames of the result, F H W 3, as they come: decoded where something changed, and within
    its reach; elsewhere the sources' own, byte for byte.

    first_frame: latents can be decoded from the first on alone, which is one frame.
    """
    line, there = made.timeline, np.zeros(FRAMES * made.timeline.num_latents, bool)
    for _, start, stop in _places(made):
        there[start:stop] = True
    anew = _within_reach(free(made), reach, line.ring) | ~there[:, None, None]
    seen = np.arange(len(there)) - line.hidden
    seen = (seen >= 0) & (seen < made.num_frames)
    needed = np.asarray(np.asarray(anew.any((1, 2)) & seen).reshape(-1, FRAMES).any(1))
    for first, stop in _runs(needed):
        at = FRAMES * first
        if needed[first]:
            parts = _fresh(latents, (first, stop), frames, told, line.ring, reach, first_frame)
        else:
            parts = itertools.repeat(None, stop - first)  # a latent's frames at a time
        for part in parts:
            end = at + (FRAMES if part is None else len(part))
            pixels, _ = laid(made, (at, end))
            if part is not None:
                np.copyto(pixels, part, where=anew[at:end, ..., None])
            if (own := pixels[seen[at:end]]).size:
                yield own
            at = end


def _fresh(
    latents: Tensor,
    span: tuple[int, int],
    frames: Frames,
    told: Progress,
    ring: bool,
    reach: int,
    first_frame: bool,
) -> Iterator[np.ndarray]:
    """The frames of a span of latents, F H W 3, decoded."""
    first, stop = span
    if stop - first == latents.shape[2]:
        yield from (part[0] for part in frames(latents, ring=ring, told=told))
        return
    # a latent's pixels follow from it and from those before it
    past = first if first_frame else reach - 1 if ring else min(first, reach - 1)
    drop = FRAMES * past
    window = latents.roll(past - first, dims=2)[:, :, : past + stop - first]
    for part in frames(window, told=told):
        if part.shape[1] > drop:
            yield part[0, drop:]
        drop = max(0, drop - part.shape[1])


def laid(made: Plan, span: tuple[int, int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The clips' own frames in their places, 4T H W 3, and which of these there are, 4T.

    span: of these positions alone.
    """
    first, end = span or (0, FRAMES * made.timeline.num_latents)
    x, y = made.framing.place
    pixels = np.zeros((end - first, made.height, made.width, 3), np.uint8)
    known = np.zeros(len(pixels), bool)
    for clip, start, stop in _places(made):
        low, high = max(first, start), min(end, stop)
        if low < high:
            width, height = clip.size
            part = clip.frames[low - start : high - start]
            pixels[low - first : high - first, y : y + height, x : x + width] = part
            known[low - first : high - first] = True
    return pixels, known


def _places(made: Plan) -> Iterator[tuple[Any, int, int]]:
    """A plan's clips, each with the positions of its frames, half-open."""
    line = made.timeline
    after = FRAMES * (line.num_latents - line.trail)
    for clip, start in ((made.before, 0), (made.after, after), (made.under, 0)):
        if clip is not None:
            yield clip, start + clip.hidden, start + clip.hidden + clip.num_frames


def _within_reach(changes: np.ndarray, reach: int, ring: bool) -> np.ndarray:
    """What may change, and what follows it by less than `reach` latents."""
    by_latent = changes.reshape(-1, FRAMES, *changes.shape[1:])
    touched = by_latent.any(1, keepdims=True)  # T 1 H W
    out = by_latent.copy()
    for by in range(1, reach):
        late = np.roll(touched, by, axis=0)
        if not ring:
            late[:by] = False
        out |= late
    return out.reshape(changes.shape)


def _runs(needed: np.ndarray) -> list[tuple[int, int]]:
    """Half-open spans in which all are needed, or none is: together they are the whole."""
    turns = np.flatnonzero(np.diff(needed)) + 1
    return list(itertools.pairwise([0, *turns.tolist(), len(needed)]))
