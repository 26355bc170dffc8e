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
    """Whether a thing may come or go in a frame: at the edge, or by another thing."""
    if body.cut[frame]:
        return True
    for other in look.bodies:
        if other is body:
            continue
        for when in (frame, frame + step):
            if 0 <= when < len(other.seen) and other.seen[when]:
                if _gap(body.box[frame], other.box[when]) < NEAR:
                    return True
    return False


def _gap(one: np.ndarray, other: np.ndarray) -> float:
    across = max(other[0] - one[2], one[0] - other[2], 0.0)
    down = max(other[1] - one[3], one[1] - other[3], 0.0)
    return float(np.hypot(across, down))


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
