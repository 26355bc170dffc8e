"""Whether a clip goes on without a jump, where it was extended or joined and everywhere else.

What bounces or is struck has, in the frame of the blow, a pace between those before and after;
where frames are missing, or a clip was joined to another, it is beyond both.
"""

from __future__ import annotations

import numpy as np

from worldreel.eval.look import Answer, Look
from worldreel.eval.pieces import Body, apart

LEAST = 14.0  # cells: what is smaller is no witness
JUMP = 0.05  # of half the width: how far beyond its pace a thing may be seen to go
SPIKE = 0.15  # of the same, times how much faster it goes than before and after: so too
SLOW = 0.006  # of half the width per frame: a pace that counts as none
SWAY = 0.03  # of half the width: how far beyond its pace the background may
SAME = 0.25  # of the logarithm of its area: what changes more was hidden, or merged,
ALONE = 0.6  # and so much where nothing is near that could hide it
NEAR = 0.1  # of half the width
ALIKE = 0.7  # of the same: what differs less may be one thing, half hidden
BURST = 3.0  # how much more than usual the background may change
MUCH = 0.05  # of the scale -1..1, and how much that is at least


def seams(look: Look) -> Answer:
    """ "smooth", "jump", or None where a clip is too short to tell."""
    if len(look.frames) < 4:
        return Answer(value=None)
    leaps = [_leap(body, look) for body in look.bodies if np.nanmean(body.area) >= LEAST]
    jump, spike = np.max([(0.0, 0.0), *leaps], axis=0).tolist()
    motion = look.flow.motion[:, :-1, :2].median(1).values.numpy()  # P 2
    sway = _beyond(motion)
    change = look.flow.change.numpy()
    burst = change / np.maximum(np.median(change), MUCH / BURST)
    figures = {
        "jump": jump,
        "spike": spike,
        "sway": float(sway.max(initial=0.0)),
        "burst": float(burst.max(initial=0.0)),
        "broken": float(_handed_on(look)),
    }
    good = jump <= JUMP and spike <= SPIKE
    good = good and figures["sway"] <= SWAY and figures["burst"] <= BURST
    return Answer(value="smooth" if good and not figures["broken"] else "jump", figures=figures)


def _leap(body: Body, look: Look) -> tuple[float, float]:
    """How far a thing goes at most beyond what its pace before and after allows, and that times
    how much faster than then it goes, on the whole or across: what lands goes on as it went."""
    pace = np.diff(body.place, axis=0)
    alone = np.array([not _near(body, look, f) for f in range(len(pace))])
    size = np.abs(np.diff(np.log(body.area)))
    steady = size < np.where(alone, ALONE, SAME)
    steady &= ~body.cut[:-1] & ~body.cut[1:] & np.isfinite(pace).all(1)
    spike = np.maximum(_spike(pace), _spike(pace[:, :1]))
    return float(_beyond(pace)[steady].max(initial=0.0)), float(spike[steady].max(initial=0.0))


def _near(body: Body, look: Look, pair: int) -> bool:
    """Whether another thing is so near to this one in a frame or the next that it may hide it."""
    for other in look.bodies:
        for frame in (pair, pair + 1):
            if other is not body and other.seen[frame] and body.seen[frame]:
                if apart(body.box[frame], other.box[frame]).max() < NEAR:
                    return True
    return False


def _spike(pace: np.ndarray) -> np.ndarray:  # P axes -> P
    """How far each pace is beyond those before and after it, times how much faster it is."""
    speed = np.nan_to_num(np.linalg.norm(pace, axis=1))
    usual = np.full(len(pace), np.inf)
    usual[1:-1] = np.maximum(np.maximum(speed[:-2], speed[2:]), SLOW)
    return _beyond(pace) * speed / usual


def _beyond(pace: np.ndarray) -> np.ndarray:
    """How far each pace (P axes) is beyond those before and after it: P, 0 at both ends."""
    found = np.zeros(len(pace))
    if len(pace) >= 3:
        low, high = np.minimum(pace[:-2], pace[2:]), np.maximum(pace[:-2], pace[2:])
        off = np.maximum(np.maximum(pace[1:-1] - high, low - pace[1:-1]), 0.0)
        found[1:-1] = np.linalg.norm(off, axis=1)
    return np.nan_to_num(found)


def _handed_on(look: Look) -> int:
    """How often a thing is gone from one frame to the next and another of its colour is there."""
    count = 0
    for one in look.bodies:
        for other in look.bodies:
            if other.first == one.last + 1 and one.color == other.color:
                large = min(np.nanmean(one.area), np.nanmean(other.area)) >= LEAST
                alike = abs(np.log(one.area[one.last] / other.area[other.first])) < ALIKE
                count += bool(large and alike and not one.cut[one.last])
    return count
