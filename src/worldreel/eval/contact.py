"""Whether things move only when they are touched, and do move when they are struck; and in which
order what happens does.

A push is a kink in a thing's way: a camera's own move has none, and so takes no part. Whether a
thing stood before is told by the ground that it stands on, which then moves with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from worldreel.eval.falls import fallen
from worldreel.eval.look import Answer, Look
from worldreel.eval.pieces import Body, apart

PUSHED = 0.009  # of half the width per frame: what a push adds to a thing's pace, at least
STANDS = 0.02  # of the same: what goes slower over the ground stands
TOUCH = 0.028  # of half the width: what is nearer touches,
WITHIN = 0.65  # and what is as near as it comes nearer in so much of a frame
STOPS = 0.95  # times its own pace: what changes by no more has only come to rest,
YIELDS = 0.001  # and so much, of half the width per frame, is not seen
LEVEL = 0.0375  # of the same: what touches stands as low as the other, or nearly
MEETS = 0.03  # of the same, a cell: what came from afar and is so near has arrived
HALTS = 1.35  # times as suddenly as it began to move, at most, a thing may stop
SUDDEN = 0.004  # of half the width per frame: what is measured of a pace is off by so much
APART = 0.12  # of the same: what comes from further away than this comes to touch
WINDOW = 3  # frames before and after a push
EVEN = 6  # frames before and after, over which the ground's pace is taken
OFTEN = 0.6  # of the frames: a thing that is seen in fewer is left out
LEAST = 14.0  # cells: what is smaller is left out


@dataclass(frozen=True, kw_only=True)
class Push:
    """A thing that stood, by its number in `Look.bodies`, begins to move in a frame: by how much,
    how near the other that came nearest was, if there is one, and how much nearer it came in a
    frame before that."""

    thing: int
    frame: int
    pace: float
    by: int | None
    gap: float
    nearing: float = 0.0


def contact(look: Look) -> Answer:
    """ "holds", "broken" where something moves untouched, or what was struck stays, or stops at
    once, or None where nothing touches and nothing is pushed."""
    found = pushes(look)
    struck = {push.thing for push in found}
    met = meetings(look)
    if not found and not met:
        return Answer(value=None)
    untouched = [push for push in found if push.gap > TOUCH + WITHIN * push.nearing]
    unmoved = [pair for *pair, when in met if not struck & set(pair) and _stays(pair, when, look)]
    halted = [_halts(push, look) for push in found]
    figures = {
        "gap": max((push.gap for push in found), default=0.0),
        "pace": min((push.pace for push in found), default=0.0),
        "unmoved": float(len(unmoved)),
        "halt": max(halted, default=0.0),
    }
    good = not untouched and not unmoved and figures["halt"] <= HALTS
    return Answer(value="holds" if good else "broken", figures=figures)


def _halts(push: Push, look: Look) -> float:
    """How many times as suddenly what was pushed stops as it began: it takes a blow to move at
    once, and friction, which is slow, to come to rest. 0 where it stops at a third thing."""
    body = look.bodies[push.thing]
    pace = np.nan_to_num(np.hypot(*over_ground(body, look)[max(0, push.frame - 2) :].T))
    if len(pace) < 4:
        return 0.0
    even = (pace[1:] + pace[:-1]) / 2
    faster = even[2:] - even[:-2]
    stop = max(0, push.frame - 2) + int(faster.argmin()) + 1
    third = [look.bodies[i] for i in _things(look) if i not in (push.thing, push.by)]
    if any(_nearest(body, other, stop) < MEETS for other in third):
        return 0.0
    return float(-faster.min() / (max(0.0, faster.max()) + SUDDEN))


def order(look: Look) -> Answer:
    """Who moved, and who was moved by it: "red, then blue"; None where nobody pushes anybody."""
    found = [push for push in pushes(look) if push.by is not None]
    if not found:
        return Answer(value=None)
    first = max(found, key=lambda push: push.pace)
    names = [look.bodies[i].color for i in (first.by, first.thing) if i is not None]
    return Answer(value=", then ".join(names), figures={"seconds": first.frame / look.fps})


def pushes(look: Look) -> list[Push]:
    """Everything that stood and began to move."""
    things = _things(look)
    found = []
    for i in things:
        begun = _begins(look.bodies[i], look)
        if begun is None:
            continue
        frame, pace = begun
        gaps = [(_nearest(look.bodies[i], look.bodies[j], frame), j) for j in things if j != i]
        gap, by = min(gaps, default=(np.inf, None))
        nearing = 0.0
        if by is not None:
            toward = np.diff(look.bodies[by].place - look.bodies[i].place, axis=0)
            before = np.hypot(*toward[max(0, frame - 1 - WINDOW) : frame].T)
            nearing = float(np.median(before[np.isfinite(before)])) if len(before) else 0.0
        found.append(Push(thing=i, frame=frame, pace=pace, by=by, gap=gap, nearing=nearing))
    return found


def _stays(pair: Sequence[int], when: int, look: Look) -> bool:
    """Whether the slower of two that met in a frame goes on as if nothing had struck it, or stops.

    Its own change of pace is asked for: what is measured of the ground's is off by as much before.
    """
    told = []
    for i in pair:
        over = over_ground(look.bodies[i], look)
        sides = over[max(0, when - EVEN) : max(1, when - 1)], over[when : when + EVEN]
        known = [part[np.isfinite(part).all(1)] for part in sides]
        if not all(len(part) for part in known):
            return False
        before, after = (np.median(part, 0) for part in known)
        told.append((float(np.hypot(*before)), float(np.hypot(*(after - before)))))
    slower, change = min(told)
    return change < STOPS * slower + YIELDS


def meetings(look: Look) -> list[tuple[int, int, int]]:
    """Pairs of things of which one came from afar, and touched or reached the other in a frame."""
    met = []
    for i, j in itertools.combinations(_things(look), 2):
        one, other = look.bodies[i], look.bodies[j]
        both = one.seen & other.seen
        gap = np.array([_gap(one.box[f], other.box[f]) for f in np.flatnonzero(both)])
        if not len(gap) or gap[0] < APART or gap.min() > MEETS:
            continue
        # What passes before another at another depth stands higher or lower.
        when = np.flatnonzero(both)[int(np.argmax(gap <= MEETS))]
        if abs(one.box[when, 3] - other.box[when, 3]) < LEVEL:
            met.append((i, j, int(when)))
    return met


def _things(look: Look) -> list[int]:
    """What is large and seen often enough to be told of."""
    frames = len(look.frames)
    return [
        i
        for i, body in enumerate(look.bodies)
        if body.seen.sum() >= OFTEN * frames and np.nanmean(body.area) >= LEAST
    ]


def _begins(body: Body, look: Look) -> tuple[int, float] | None:
    """The frame in which a thing that stood until then begins to move, and the pace that it gets.

    What falls was not pushed.
    """
    if fallen(body, look) is not None:
        return None
    pace = np.diff(body.place, axis=0)  # P 2
    over = over_ground(body, look)
    best = None
    for frame in range(1, len(pace)):
        before = pace[max(0, frame - WINDOW) : frame]
        after = pace[frame : frame + WINDOW]
        known = over[:frame][np.isfinite(over[:frame]).all(1)]
        if not (np.isfinite(before).all() and np.isfinite(after).all()):
            continue
        stood = np.median(known, 0)
        if np.hypot(*stood) > STANDS:
            continue
        usual = np.median(before, 0)
        got = float(np.hypot(*(after.mean(0) - usual)))
        faster = np.hypot(*over[frame : frame + WINDOW].mean(0)) > 2 * np.hypot(*stood)
        if faster and got >= PUSHED and (best is None or got > best[1]):
            each = np.hypot(*(after - usual).T)
            best = frame + int(np.argmax(each >= each.max() / 2)), got
    return best


def over_ground(body: Body, look: Look) -> np.ndarray:
    """How a thing goes over the ground that it stands on, from each frame to the next: P 2."""
    return np.diff(body.place, axis=0) - _ground(body, look)


def _ground(body: Body, look: Look) -> np.ndarray:
    """How the ground goes where a thing stands on it, from each frame to the next: P 2.

    A camera's pace is even, and what is measured of it is not: it is its median over time.
    """
    foot = np.nan_to_num(body.box[:-1, 3])
    x = np.nan_to_num(body.place[:-1, 0])
    here = look.flow.at(torch.from_numpy(foot).float(), torch.from_numpy(x).float()).numpy()
    near = [here[max(0, f - EVEN) : f + EVEN + 1] for f in range(len(here))]
    return np.array([np.median(part, 0) for part in near]).reshape(-1, 2)


def _nearest(one: Body, other: Body, frame: int) -> float:
    """How near two things were when one of them was pushed."""
    when = [f for f in range(frame, frame + 2) if 0 <= f < len(one.seen)]
    gaps = [_gap(one.box[f], other.box[f]) for f in when if one.seen[f] and other.seen[f]]
    return float(min(gaps, default=np.inf))


def _gap(one: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray) -> float:
    """How far apart two boxes are; at most 0 where they touch or overlap."""
    across, down = apart(one, other)
    if across > 0 and down > 0:
        return float(np.hypot(across, down))
    return float(max(across, down))
