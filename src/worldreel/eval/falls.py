"""Whether what falls does so as it must: a parabola, as steep as gravity makes it, and each bounce
lower than what it fell from.

A camera at an even pace adds a straight line to a thing's way in the picture and takes nothing
from the curve, so that the curve can be read under most cameras. How many metres a picture spans
is known of this world's own cameras alone (`METRES`), and so is the value of g.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from worldreel.eval.known import SETTINGS
from worldreel.eval.look import Answer, Look
from worldreel.eval.pieces import Body
from worldreel.world.surface import SURFACES

METRES = 2.5  # of half the picture's width where things are, as the world's cameras stand
NORMAL = 9.81  # metres per second squared
LEAST_G, MOST_G = 0.62, 1.55  # of the true g: beyond that it is another
TOO_SLOW = 0.1  # of g: what curves less does not fall
DROP = 0.15  # of half the width: what comes down by less does not fall
FRAMES = 4  # of a fall, at least
SHAKES = 0.006  # of half the width: how far up a thing may seem to go as it falls
OFF = 0.011  # of half the width: how far from its parabola a thing may be seen
FIT = 0.98  # R2 of the parabola, at least
RISE = 0.04  # of half the width: a bounce, at least
LEAP = 8  # frames that a bounce takes to its top, at most
STOOD = 3  # frames: what rises later than this, with no fall before, leaps
HIGHER = 0.92  # of the height before: what bounces back higher gained something
ALIKE = 1.35  # how much faster than another a thing may fall


@dataclass(frozen=True, kw_only=True)
class Fall:
    """Frames from `start` to `end` of a free fall: its curve in half widths per second squared
    (down is positive), its R2, and how much of a fall's height a bounce gains, at most."""

    start: int
    end: int
    curve: float
    fit: float
    gain: float


def gravity(look: Look) -> Answer:
    """ "holds", "broken", or None where nothing falls."""
    falls = [fall for body in look.bodies if (fall := fallen(body, look)) is not None]
    if not falls:
        return Answer(value=None)
    true = _gravity(look)
    found = [fall.curve * METRES for fall in falls]
    figures = {
        "g": found[0],
        "fit": min(fall.fit for fall in falls),
        "bounce": max(fall.gain for fall in falls),
        "alike": max(found) / max(min(found), 1e-6),
    }
    good = (
        all(LEAST_G <= g / true <= MOST_G for g in found)
        and figures["fit"] >= FIT
        and figures["bounce"] <= HIGHER
        and figures["alike"] <= ALIKE
    )
    return Answer(value="holds" if good else "broken", figures=figures)


def _gravity(look: Look) -> float:
    """The g of the setting that the eye sees."""
    best = int(look.sight.setting.log_softmax(1).mean(0).argmax())
    return SURFACES[SETTINGS[best - 1]].gravity if best else NORMAL


def fallen(body: Body, look: Look) -> Fall | None:
    """The deepest free fall of a thing; None if there is none."""
    level = _level(body, look)
    found, deepest = None, DROP
    known = np.flatnonzero(body.seen & ~body.cut)
    for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        for first, last in _descents(level[run]):
            drop = level[run[last]] - level[run[first]]
            if drop <= deepest:
                continue
            fall = _parabola(level[run[first] : run[last] + 1], look.fps)
            if fall is not None:
                found, deepest = (int(run[first]), fall), drop
    if found is None:
        return None
    start, (since, frames, curve, fit) = found
    start += since
    return Fall(start=start, end=start + frames - 1, curve=curve, fit=fit, gain=_gain(level))


def _descents(level: np.ndarray) -> list[tuple[int, int]]:
    """From where to where a thing goes down and never clearly up: first and last frames."""
    pace = np.diff(level)
    ways = np.split(np.arange(len(pace)), np.flatnonzero(pace < -SHAKES) + 1)
    return [(int(way[0]), int(way[-1]) + 1) for way in ways if len(way) >= FRAMES - 1]


def _parabola(level: np.ndarray, fps: float) -> tuple[int, int, float, float] | None:
    """Of a way down the free fall: its first frame, how many, its curve and R2."""
    peak = int(np.argmax(np.diff(level))) + 1
    # A landing takes some of the last pace, and a reflection that is met adds to it.
    ends = [(first, last) for last in range(peak, FRAMES - 2, -1) for first in range(last)]
    ends = [(first, last) for first, last in ends if last - first + 1 >= FRAMES]
    for first, last in sorted(ends, key=lambda pair: pair[0] - pair[1]):
        part = level[first : last + 1]
        time = np.arange(len(part)) / fps
        terms = np.polyfit(time, part, 2)
        off = part - np.polyval(terms, time)
        curve = 2 * float(terms[0])
        if np.abs(off).max() > OFF or curve * METRES < TOO_SLOW * NORMAL:
            continue
        if part[-1] - part[0] < DROP / 2:
            continue
        fit = 1 - float((off**2).sum() / ((part - part.mean()) ** 2).sum())
        return first, len(part), curve, fit
    return None


def _level(body: Body, look: Look) -> np.ndarray:
    """How far down a thing is in each frame (F), less what the camera's own move adds."""
    y = body.place[:, 1].copy()
    if len(y) < 2:
        return y
    foot = np.where(body.seen, body.box[:, 3], 0.0)
    way = look.flow.at(torch.from_numpy(foot[:-1]).float(), torch.zeros(len(y) - 1))[:, 1].numpy()
    y[1:] -= np.cumsum(way)
    return y


def _gain(level: np.ndarray) -> float:
    """The most that a rise is of the fall before it; infinite where a thing that stood leaps."""
    known = np.flatnonzero(np.isfinite(level))
    y = level[known]
    turns = _turns(y)
    gain = 0.0
    for before, low, top in zip([None, *turns], turns, turns[1:], strict=False):
        if y[top] >= y[low]:
            continue
        rise = y[low] - y[low : low + LEAP].min()
        if before is not None:
            gain = max(gain, rise / (y[low] - y[before]))
        elif low >= STOOD:
            gain = math.inf
    return gain


def _turns(y: np.ndarray) -> list[int]:
    """Where a way turns back by RISE or more: its turning points, from first to last."""
    turns, best, sign = [0], 0, 0
    for i in range(1, len(y)):
        if sign == 0:
            if abs(y[i] - y[0]) >= RISE:
                sign = 1 if y[i] > y[0] else -1
                # It stood until here.
                best = i
                turns = [max(k for k in range(i) if abs(y[k] - y[0]) < RISE / 4)]
        elif sign * (y[i] - y[best]) > 0:
            best = i
        elif sign * (y[best] - y[i]) >= RISE:
            turns.append(best)
            best, sign = i, -sign
    return [*turns, best] if sign else []
