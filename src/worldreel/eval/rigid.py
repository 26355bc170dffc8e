"""Whether a rigid thing keeps its kind, shape and size, allowing for perspective.

What comes nearer grows in both directions alike and bit by bit; what is stretched grows in one, and
what becomes another thing changes from one frame to the next, and is of another kind from then on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from worldreel.eval.contact import over_ground
from worldreel.eval.falls import Fall, fallen
from worldreel.eval.look import Answer, Look
from worldreel.eval.pieces import Body, apart
from worldreel.eval.shape import close

LEAST = 14.0  # cells: what is smaller is no witness
FRAMES = 4  # in which a thing is wholly seen, at least
ABOUT, GLITCH = 3, 0.3  # frames, and by how much (a logarithm) a thing's area differs from theirs
CLEAR = -0.05  # of half the width: what overlaps another by less is as good as wholly seen
BEFORE = 0.02  # of the same: what is hidden seems to end where what stands before it begins
STRETCH = 0.3  # of the logarithm of length over width: how far it may change
RISE = 0.165  # of the logarithm of height: how far it may grow bit by bit beyond the width
EVEN = 0.7  # of its change, that a straight line explains: that is bit by bit
STEADY = 8  # frames that such a line needs
QUIET = 0.02  # of half the width per frame: what fell and goes slower over the ground has landed
SIDES = 4  # frames of a kind before and after it changed, at least
SURE = 0.4  # how much likelier its kind is than the other's, on each side, as a logarithm
DOUBT = -4.0  # the logarithm of a share: no frame counts for more
SIDE = 12  # cells of a close view
ROOM = 1.7  # of the standard deviation of its cells: half of a close view
TUMBLES = 1.5  # times as much as that of other things, a falling thing's view may change
BESIDE = 2  # frames before and after, whose changes are its usual ones
MORE = 1.3  # how many times the change just before and after is none of its own
CHANGE = 0.05  # of the scale -1..1, that a close view may change beyond that


def rigidity(look: Look) -> Answer:
    """ "holds", "broken", or None where no thing is wholly seen."""
    found = []
    for body in look.bodies:
        whole = _whole(body, look) if np.nanmean(body.area) >= LEAST else np.zeros(0, int)
        if len(whole) >= FRAMES:
            change = _change(body, look, whole)
            fall = fallen(body, look)
            free = [f for f in whole if not _beside(body, look, int(f), before=BEFORE)]
            rise = _rise(body, look, whole, fall)
            other = _another(body, look, np.array(free, dtype=int))
            # What tumbles shows another side of itself by turns, and at each blow at once.
            if fall is not None:
                change /= TUMBLES
            found.append((_stretch(body, free), rise, change, other))
    if not found:
        return Answer(value=None)
    stretch, rise, change, other = (max(one) for one in zip(*found, strict=True))
    good = stretch <= STRETCH and rise <= RISE and change <= CHANGE and other <= SURE
    figures = {"stretch": stretch, "rise": rise, "change": change, "another": other}
    return Answer(value="holds" if good else "broken", figures=figures)


def _stretch(body: Body, free: Sequence[int]) -> float:
    """How much more slender a thing becomes along its own axes, however it lies, where nothing
    stands before it or beside it."""
    low, high = np.quantile(body.slender[free], (0.1, 0.9)) if len(free) >= FRAMES else (0.0, 0.0)
    return float(high - low)


def _rise(body: Body, look: Look, whole: np.ndarray, fall: Fall | None) -> float:
    """How much higher a thing becomes bit by bit, beyond what it becomes wider."""
    if fall is not None:  # it tumbles until it has landed
        rests = np.hypot(*over_ground(body, look).T) < QUIET
        whole = np.array([f for f in whole if f > fall.end and rests[f - 1]], dtype=int)
    if len(whole) < STEADY:
        return 0.0
    across, down = np.log(body.spread[whole]).T
    wider, higher = (np.polyfit(whole, size, 1) for size in (across, down))
    off = down - np.polyval(higher, whole)
    if (off**2).sum() > (1 - EVEN) * ((down - down.mean()) ** 2).sum():
        return 0.0
    # A thing that turns grows no wider, but never faster than the ground that it stands on.
    nearer = max(float(wider[0]), _nearing(body, look, whole))
    return max(0.0, float(np.ptp(whole) * (higher[0] - max(0.0, nearer))))


def _nearing(body: Body, look: Look, whole: np.ndarray) -> float:
    """How much the ground at a thing's foot grows in a frame, as a logarithm."""
    frames = whole[whole < len(look.frames) - 1]
    foot = torch.from_numpy(np.nan_to_num(body.box[:-1, 3])).float()
    across = torch.from_numpy(np.nan_to_num(body.place[:-1, 0])).float()
    right, left = (look.flow.at(foot, across + side)[:, 0] for side in (0.5, -0.5))
    return float(np.median((right - left).numpy()[frames])) if len(frames) else 0.0


def _another(body: Body, look: Look, whole: np.ndarray) -> float:
    """How sure it is, as a mean logarithm, that a thing is of one kind before a frame and of
    another after it; 0 where it stays of one kind."""
    if look.shape is None or len(whole) < 2 * SIDES:
        return 0.0
    masks = torch.from_numpy(np.stack([body.masks[int(frame)] for frame in whole]))
    with torch.inference_mode():
        named = look.shape.both_ways(close(look.x[whole], masks))
        # The eye names kinds, too, from further away.
        seen = functional.interpolate(look.sight.kind[whole], masks.shape[1:], mode="bilinear")
        seen = (seen.log_softmax(1) * masks[:, None]).sum((2, 3)) / masks.sum((1, 2))[:, None]
    named = (named.clamp_min(DOUBT) + seen.clamp_min(DOUBT)) / 2
    total = named.double().cumsum(0)
    most = 0.0
    for cut in range(SIDES, len(whole) - SIDES + 1):
        before = total[cut - 1] / cut
        after = (total[-1] - total[cut - 1]) / (len(whole) - cut)
        one, other = int(before.argmax()), int(after.argmax())
        most = max(most, float(min(before[one] - before[other], after[other] - after[one])))
    return most


def _whole(body: Body, look: Look) -> np.ndarray:
    """The frames in which nothing hides a thing or cuts it, and it is seen as one."""
    frames = np.flatnonzero(body.seen & ~body.cut & ~_glitches(body.area))
    return np.array([f for f in frames if not _beside(body, look, int(f))], dtype=int)


def _glitches(area: np.ndarray) -> np.ndarray:  # F, twice
    """Where a thing is much larger or smaller than in the frames about: a part of it was lost, or
    another was taken for it, for a frame or two."""
    about = np.lib.stride_tricks.sliding_window_view(
        np.pad(area, ABOUT, mode="edge"), 2 * ABOUT + 1
    )
    usual = np.array([np.nanmedian(near) if np.isfinite(near).any() else np.nan for near in about])
    return np.abs(np.log(area / usual)) > GLITCH


def _beside(body: Body, look: Look, frame: int, *, before: float = CLEAR) -> bool:
    """Whether another thing may hide a part of this one, or have become one with it.

    before: of half the width, how far away what stands before this one, and so lower, is to be.
    """
    for other in look.bodies:
        if other is body or not other.seen[frame]:
            continue
        one, two = body.box[frame], other.box[frame]
        if apart(one, two).max() < (before if two[3] > one[3] else CLEAR):
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
