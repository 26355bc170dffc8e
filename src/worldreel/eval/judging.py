"""A clip before its judges: what was asked of it, and what was read, on every line of the card.

The lines of words are `metrics.LINES`; those of tracking and flow (camera, gravity and so on) are
the table `lines.LINES`, where that module is installed.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from worldreel.errors import RequestError
from worldreel.eval import metrics
from worldreel.eval.probes import Reading, Rulers
from worldreel.world.facts import Fact
from worldreel.world.scene import FPS

FOLLOWING = "worldreel.eval.lines"  # the lines of tracking and flow
UNREADABLE = "unreadable"  # what is read in a file that is no video


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a clip shows: the words' reading, and the answers of the other lines by their keys."""

    reading: Reading
    others: Mapping[str, str]


@functools.cache
def others() -> tuple[Any, ...]:
    """The lines of tracking and flow."""
    return import_module(FOLLOWING).LINES if find_spec(FOLLOWING) else ()


def questions() -> dict[str, str]:
    """Every line by its key, with what it asks."""
    return metrics.LINES | {line.key: line.question for line in others()}


def chosen(lines: Sequence[str] | None) -> dict[str, str]:
    """The lines of these keys, all of them for None; a RequestError names one that is none."""
    known = questions()
    unknown = [line for line in lines or () if line not in known]
    if unknown:
        raise RequestError(f"there is no line {unknown[0]!r}: one of {', '.join(known)}")
    return {key: what for key, what in known.items() if not lines or key in lines}


def read(rulers: Rulers, frames: np.ndarray, lines: Iterable[str], *, fps: float = FPS) -> Read:
    """Read a clip, F H W 3 uint8, once for all of these lines."""
    x, sight = rulers.look(frames)
    asked = [line for line in others() if line.key in set(lines)]
    answers = {}
    if asked:
        look = import_module("worldreel.eval.look").Look(frames=frames, x=x, sight=sight, fps=fps)
        answers = {line.key: line.read(look).value or metrics.NOTHING for line in asked}
    return Read(reading=rulers.tell(x, sight), others=answers)


def wanted(facts: Sequence[Fact], lines: Iterable[str]) -> dict[str, str]:
    """The right answer on each of these lines on which the facts have something to say."""
    right = dict(metrics.wanted(metrics.asked(facts)))
    if others():
        said = import_module("worldreel.eval.look").Said(facts=tuple(facts))
        right |= {line.key: value for line in others() if (value := line.wanted(said)) is not None}
    return {line: right[line] for line in lines if line in right}


def answers(facts: Sequence[Fact], seen: Read | None, lines: Iterable[str]) -> dict[str, str]:
    """What was read on the lines that are wanted; all of it unreadable for None."""
    right = wanted(facts, lines)
    if seen is None:
        return dict.fromkeys(right, UNREADABLE)
    said = metrics.answers(metrics.asked(facts), seen.reading) | dict(seen.others)
    return {line: said.get(line, metrics.NOTHING) for line in right}


def judge(facts: Sequence[Fact], seen: Read | None, lines: Iterable[str]) -> dict[str, bool]:
    """Line by line, whether what was read is what the facts say."""
    lines = tuple(lines)
    said = answers(facts, seen, lines)
    return {line: said[line] == right for line, right in wanted(facts, lines).items()}
