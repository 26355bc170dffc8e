"""Whether things stay: none appears from nowhere or goes nowhere, and each keeps its colour.

A thing may come and go at the picture's edge, and behind or from behind another.
"""

from __future__ import annotations

import numpy as np

from worldreel.eval.look import Answer, Look
from worldreel.eval.pieces import Body

LEAST = 14.0  # cells: what is smaller is no witness
STEADY = 0.6  # of the frames from first to last: what is seen in fewer is no thing
FRAMES = 4  # a thing is seen in at least, where the clip is as long
NEAR = 0.08  # of half the width: what is nearer to another may be behind it
AROUND = 6  # frames after it came, or before it went, that tell how large a thing is
FADED = 0.6  # of its area: what is smaller is half hidden
JOINED = 0.5  # of its area, that another grows by when it takes it for its own
HIDDEN = 0.6  # of its box, that another covers
SIDE = 4  # frames of a colour before and after it changed, at least
PURE = 0.8  # of the frames on each side of a change that show its colour


def permanence(look: Look) -> Answer:
    """ "holds", "broken", or None where no thing is seen."""
    frames = len(look.frames)
    things = [body for body in look.bodies if _told(body, frames)]
    if not things:
        return Answer(value=None)
    came = sum(body.first > 0 and not _explained(body, look, body.first, -1) for body in things)
    went = sum(
        body.last < frames - 1 and not _explained(body, look, body.last, 1) for body in things
    )
    changed = sum(recoloured(body) is not None for body in things)
    figures = {"came": float(came), "went": float(went), "changed": float(changed)}
    return Answer(value="broken" if came or went or changed else "holds", figures=figures)


def _told(body: Body, frames: int) -> bool:
    """Whether it is large and seen steadily enough to be a thing."""
    span = body.last - body.first + 1
    often = body.seen.sum() >= STEADY * span and body.seen.sum() >= min(FRAMES, frames)
    return bool(often and np.nanmean(body.area) >= LEAST)


def _explained(body: Body, look: Look, frame: int, step: int) -> bool:
    """Whether a thing may come (step -1) or go (1) in a frame: at the picture's edge, bit by bit
    or wholly behind another thing, or as one patch with it."""
    if body.cut[frame]:
        return True
    inside = body.area[[f for f in _range(frame, -step, AROUND) if 0 <= f < len(body.seen)]]
    fades = body.area[frame] < FADED * np.nanmedian(inside)
    for other in look.bodies:
        beyond = frame + step
        if other is body or not (other.seen[frame] or other.seen[beyond]):
            continue
        if beyond == (other.first if step > 0 else other.last):
            continue  # what takes its place does not hide it
        if _gap(body.box[frame], other.box[frame if other.seen[frame] else beyond]) >= NEAR:
            continue
        if fades or not other.seen[frame] or not other.seen[beyond]:
            return True
        if other.area[beyond] - other.area[frame] > JOINED * body.area[frame]:
            return True
        if _share(body.box[frame], other.box[beyond]) > HIDDEN:
            return True
    return False


def _range(frame: int, step: int, count: int) -> range:
    return range(frame, frame + step * (count + 1), step)


def _gap(one: np.ndarray, other: np.ndarray) -> float:
    across = max(other[0] - one[2], one[0] - other[2], 0.0)
    down = max(other[1] - one[3], one[1] - other[3], 0.0)
    return float(np.hypot(across, down))


def _share(one: np.ndarray, other: np.ndarray) -> float:
    """The share of a box that lies in another."""
    common = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0.0)
    return float(np.prod(common) / np.prod(one[2:] - one[:2]))


def recoloured(body: Body) -> int | None:
    """The frame from which on a thing has another colour; None if it keeps its own."""
    when = np.flatnonzero(body.seen)
    colors = body.colors[when]
    for cut in range(SIDE, len(colors) - SIDE + 1):
        before, after = np.bincount(colors[:cut]), np.bincount(colors[cut:])
        if before.argmax() != after.argmax():
            if before.max() >= PURE * cut and after.max() >= PURE * (len(colors) - cut):
                return int(when[cut])
    return None
