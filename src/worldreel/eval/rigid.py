"""Whether a rigid thing keeps its shape and size, allowing for perspective.

What comes nearer grows in both directions alike and bit by bit; what is stretched grows in one, and
what becomes another thing changes from one frame to the next.
"""

from __future__ import annotations

import numpy as np
from torch.nn import functional

from worldreel.eval.look import Answer, Look
from worldreel.eval.pieces import Body

LEAST = 14.0  # cells: what is smaller is no witness
FRAMES = 4  # in which a thing is wholly seen, at least
CLEAR = 0.0  # of half the width: how far from others a thing is wholly seen
STRETCH = 0.30  # of the logarithm of length over width: how far it may change
SWELL = 0.30  # of the logarithm of its width: how far it may change from frame to frame
SIDE = 12  # cells of a close view
CHANGE = 0.32  # how much more than in other frames a close view may change, -1..1


def rigidity(look: Look) -> Answer:
    """ "holds", "broken", or None where no thing is wholly seen."""
    aspects, swells, changes = [], [], []
    for body in look.bodies:
        if np.nanmean(body.area) < LEAST:
            continue
        whole = _whole(body, look)
        if len(whole) < FRAMES:
            continue
        low, high = np.quantile(body.slender[whole], (0.1, 0.9))
        aspects.append(float(high - low))
        size = np.log(body.area[whole]) / 2
        step = np.diff(size)[np.diff(whole) == 1]
        swells.append(float(np.abs(step - np.median(step)).max()) if len(step) else 0.0)
        changes.append(_change(body, look, whole))
    if not aspects:
        return Answer(value=None)
    figures = {"stretch": max(aspects), "swell": max(swells), "change": max(changes)}
    good = max(aspects) <= STRETCH and max(swells) <= SWELL and max(changes) <= CHANGE
    return Answer(value="holds" if good else "broken", figures=figures)


def _whole(body: Body, look: Look) -> np.ndarray:
    """The frames in which nothing hides a thing or cuts it."""
    frames = np.flatnonzero(body.seen & ~body.cut)
    return np.array([f for f in frames if not _beside(body, look, int(f))], dtype=int)


def _beside(body: Body, look: Look, frame: int) -> bool:
    for other in look.bodies:
        if other is body or not other.seen[frame]:
            continue
        one, two = body.box[frame], other.box[frame]
        across, down = max(two[0] - one[2], one[0] - two[2]), max(two[1] - one[3], one[1] - two[3])
        if max(across, down) < CLEAR:
            return True
    return False


def _change(body: Body, look: Look, whole: np.ndarray) -> float:
    """How much more a close view of a thing changes at once than it does in other frames."""
    views = np.stack([_view(body, look, int(f)) for f in whole])
    step = np.abs(np.diff(views, axis=0)).mean((1, 2, 3))
    step = step[np.diff(whole) == 1]
    if len(step) < 3:
        return 0.0
    return float(step.max() - np.median(step))


def _view(body: Body, look: Look, frame: int) -> np.ndarray:
    """A close view of a thing: 3 SIDE SIDE."""
    cells = look.x[frame]
    _, h, w = cells.shape
    x, y = body.place[frame]
    half = 1.6 * float(np.exp(np.log(body.spread[frame]).mean()))  # of half the width
    middle = ((x + 1) * w / 2, y * w / 2 + h / 2)
    reach = max(half * w / 2, 2.0)
    left, right = int(max(0, middle[0] - reach)), int(min(w, middle[0] + reach + 1))
    top, bottom = int(max(0, middle[1] - reach)), int(min(h, middle[1] + reach + 1))
    part = cells[None, :, top:bottom, left:right]
    return functional.interpolate(part, (SIDE, SIDE), mode="bilinear", antialias=True)[0].numpy()
