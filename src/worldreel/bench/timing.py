"""Times of works that take turns, and what may be said of their ratio.

Works are called one after the other, round by round, so that a machine that slows down slows all of
them; a ratio is taken within a round. Its interval is one of order statistics, which assumes no
distribution: of few rounds it is wide, and it says how often it would hold the true median.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

LEAST = 0.9  # coverage that an interval should have; fewer than five rounds cannot reach it


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times as long the other side takes: above 1, we are faster."""

    median: float
    low: float
    high: float
    coverage: float  # the probability that low..high holds the median of all rounds there could be
    rounds: int


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> Ratio:
    """The median of theirs / ours, round by round, and its interval."""
    if not ours or len(theirs) != len(ours):
        raise ValueError(f"{len(theirs)} times beside {len(ours)}: expected as many of both")
    found = sorted(a / b for a, b in zip(theirs, ours, strict=True))
    drop = 0
    while 2 * (drop + 1) < len(found) and covered(len(found), drop + 1) >= LEAST:
        drop += 1
    return Ratio(
        median=statistics.median(found),
        low=found[drop],
        high=found[-1 - drop],
        coverage=covered(len(found), drop),
        rounds=len(found),
    )


def once(theirs: str, ours: str, value: float) -> dict[str, Any]:
    """A ratio of one run of each, which has no interval."""
    alone = Ratio(median=value, low=value, high=value, coverage=0.0, rounds=1)
    return {"theirs": theirs, "ours": ours} | asdict(alone)


def covered(rounds: int, drop: int) -> float:
    """The probability that the median lies within sorted values, `drop` left out at each end."""
    outside = sum(math.comb(rounds, k) for k in range(drop + 1))
    return max(0.0, 1 - 2 * outside / 2**rounds)


def in_turn(
    works: Mapping[str, Callable[[], Any]],
    rounds: int,
    *,
    wait: Callable[[], None] = lambda: None,
    told: Callable[[int], None] = lambda done: None,
) -> dict[str, list[float]]:
    """Seconds of each work in each round. wait: returns when a device has done all it was given."""
    took: dict[str, list[float]] = {name: [] for name in works}
    for done in range(rounds):
        for name, work in works.items():
            wait()
            began = time.perf_counter()
            work()
            wait()
            took[name].append(time.perf_counter() - began)
        told(done + 1)
    return took
