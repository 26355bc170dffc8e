"""Whether a clip lives: it shows something, it moves, and it never freezes and then goes on."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn import functional

from worldreel.eval.look import Answer, Look
from worldreel.eval.shots import cuts

FLAT = 0.03  # of the scale -1..1: a picture whose cells spread less is of one colour
STILL = 0.008  # of the same: what changes less from frame to frame stands
FULL = 0.08  # of the same: what comes to rest by itself, or sets out, changes less
HALT = 4  # frames that a clip stands in its midst, or at its end, at least
ENDS = 0.015  # of the same: what changes so much on the whole has a camera that goes
PATCH = 12  # cells: how much of a picture has to change to be seen to
RUSTLE = 0.7  # the share of a picture's spread that changes in every frame of mere noise


def alive(look: Look) -> Answer:
    """ "moves", "frozen" (all of it), "halts" (it stands, and goes on), "noise", or None where
    there is nothing to see."""
    cells = functional.avg_pool2d(look.x, 2)
    spread = float(cells.std((2, 3)).mean())
    change = _changes(cells)
    figures = {"spread": spread, "change": float(change.max(initial=0.0))}
    if spread < FLAT:
        return Answer(value=None, figures=figures)
    steps = (cells[1:] - cells[:-1]).abs().mean() / spread if len(cells) > 1 else 0.0
    figures["rustle"] = float(steps)
    if figures["rustle"] > RUSTLE:
        return Answer(value="noise", figures=figures)
    if not (change > STILL).any():
        return Answer(value="frozen", figures=figures)
    shots = np.split(change, [cut - 1 for cut in cuts(look)])
    standing = [_stands(shot[1:] if i else shot) for i, shot in enumerate(shots)]
    figures["standing"] = float(max(*standing, _ends(cells, change)))
    return Answer(value="halts" if figures["standing"] >= HALT else "moves", figures=figures)


def _stands(change: np.ndarray) -> int:
    """For how many frames a clip stands at most, from full motion to full motion."""
    best, since = 0, None
    for i, here in enumerate(change):
        if here > STILL:
            if since is not None and min(change[since], here) > FULL:
                best = max(best, i - since - 1)
            since = i
    return best


def _ends(cells: Tensor, change: np.ndarray) -> int:
    """For how many frames a clip stands at its end, all of it at once; a thing may do so."""
    last = int(np.flatnonzero(change > STILL)[-1])
    whole = float((cells[last + 1] - cells[last]).abs().mean())
    return len(change) - 1 - last if whole > ENDS else 0


def _changes(cells: Tensor) -> np.ndarray:  # F 3 h w
    """How much the picture changes from each frame to the next, where it does most: P."""
    if len(cells) < 2:
        return np.zeros(0)
    step = (cells[1:] - cells[:-1]).abs().mean(1).flatten(1)
    return step.topk(PATCH, dim=1).values.mean(1).numpy()
