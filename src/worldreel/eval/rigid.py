"""Whether a rigid thing keeps its shape and size, allowing for perspective.

What comes nearer grows in both directions alike and bit by bit; what is stretched grows in one, and
what becomes another thing changes from one frame to the next.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from worldreel.eval.falls import fallen
from worldreel.eval.look import Answer, Look
from worldreel.eval.pieces import Body

LEAST = 14.0  # cells: what is smaller is no witness
FRAMES = 4  # in which a thing is wholly seen, at least
CLEAR = -0.05  # of half the width: what overlaps another by less is as good as wholly seen
STRETCH = 0.32  # of the logarithm of length over width: how far it may change
TREND = 0.36  # of the logarithm of width over height: how far it may change bit by bit
EVEN = 0.8  # of its change, that a straight line explains: that is bit by bit
STEADY = 8  # frames that such a line needs
SIDE = 12  # cells of a close view
ROOM = 1.7  # of the standard deviation of its cells: half of a close view
TUMBLES = 1.5  # times as much as that of other things, a falling thing's view may change
BESIDE = 2  # frames before and after, whose changes are its usual ones
MORE = 1.3  # how many times the change just before and after is none of its own
CHANGE = 0.07  # of the scale -1..1, that a close view may change beyond that


def rigidity(look: Look) -> Answer:
    """ "holds", "broken", or None where no thing is wholly seen."""
    found = []
    for body in look.bodies:
        whole = _whole(body, look) if np.nanmean(body.area) >= LEAST else np.zeros(0, int)
        if len(whole) >= FRAMES:
            change = _change(body, look, whole)
            # What tumbles shows another side of itself by turns, and at each blow at once.
            if fallen(body, look) is None:
                found.append((_stretch(body, whole), _trend(body, whole), change))
            else:
                found.append((_stretch(body, whole), 0.0, change / TUMBLES))
    if not found:
        return Answer(value=None)
    stretch, trend, change = (max(one) for one in zip(*found, strict=True))
    good = stretch <= STRETCH and trend <= TREND and change <= CHANGE
    figures = {"stretch": stretch, "trend": trend, "change": change}
    return Answer(value="holds" if good else "broken", figures=figures)


def _stretch(body: Body, whole: np.ndarray) -> float:
    """How much more slender a thing becomes along its own axes, however it lies."""
    low, high = np.quantile(body.slender[whole], (0.1, 0.9))
    return float(high - low)


def _trend(body: Body, whole: np.ndarray) -> float:
    """How much wider or higher it becomes bit by bit; 0 where it does so by turns."""
    aspect = np.log(body.spread[whole, 0] / body.spread[whole, 1])
    if np.ptp(aspect) == 0 or len(whole) < STEADY:
        return 0.0
    line = np.polyval(np.polyfit(whole, aspect, 1), whole)
    share = 1 - ((aspect - line) ** 2).sum() / ((aspect - aspect.mean()) ** 2).sum()
    return float(np.ptp(line)) if share > EVEN else 0.0


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
    """How much more a close view of a thing changes at once than just before and after."""
    views = _views(body, look, whole)
    step = (views[1:] - views[:-1]).abs().mean((1, 2, 3)).numpy()
    step[np.diff(whole) != 1] = 0.0
    most = 0.0
    for i in range(1, len(step) - 1):
        beside = np.concatenate([step[max(0, i - BESIDE) : i], step[i + 1 : i + 1 + BESIDE]])
        most = max(most, float(step[i] - MORE * beside.max()))
    return most


def _views(body: Body, look: Look, whole: np.ndarray) -> torch.Tensor:
    """Close views of a thing in some frames, N 3 SIDE SIDE, at one size however near it is."""
    x = look.x[whole]
    _, _, h, w = x.shape
    half = ROOM * np.exp(np.log(body.spread[whole]).mean(1))  # of half the width
    theta = np.zeros((len(whole), 2, 3), np.float32)
    theta[:, 0, 0], theta[:, 1, 1] = half, half * w / h
    theta[:, 0, 2], theta[:, 1, 2] = body.place[whole, 0], body.place[whole, 1] * w / h
    size = [len(whole), 3, SIDE, SIDE]
    grid = functional.affine_grid(torch.from_numpy(theta), size, align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
