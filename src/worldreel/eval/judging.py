"""A clip before its judges: what was asked of it, and what was read, on every line of the card.

The lines of words are `metrics.LINES`; those of tracking and flow (camera, gravity and so on) are
the table `lines.LINES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from worldreel.errors import RequestError
from worldreel.eval import metrics
from worldreel.eval.lines import LINES
from worldreel.eval.look import Look, Said
from worldreel.eval.probes import Reading, Rulers
from worldreel.world.facts import Fact
from worldreel.world.scene import FPS

_IN_TIME = frozenset(
    {"action", "manner", "direction", "event", "hits", "topples", "before", "camera"}
)
UNREADABLE = "unreadable"  # what is read in a file that is no video


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a clip shows: the words' reading, and the answers of the other lines by their keys.

    still: it is of one frame, of which no line of motion is asked.
    """

    reading: Reading
    others: Mapping[str, str]
    still: bool = False


def questions() -> dict[str, str]:
    """Every line by its key, with what it asks."""
    return metrics.LINES | {line.key: line.question for line in LINES}


def chosen(lines: Sequence[str] | None) -> dict[str, str]:
    """The lines of these keys, all of them for None; a RequestError names one that is none."""
    known = questions()
    unknown = [line for line in lines or () if line not in known]
    if unknown:
        raise RequestError(f"there is no line {unknown[0]!r}: one of {', '.join(known)}")
    return {key: what for key, what in known.items() if not lines or key in lines}


def read(rulers: Rulers, frames: np.ndarray, lines: Iterable[str], *, fps: float = FPS) -> Read:
    """Read a clip, F H W 3 uint8, once for all of these lines."""
    keys, still = {*lines}, len(frames) == 1
    asked = [line for line in LINES if line.key in keys and not still]
    x, sight = rulers.look(frames)
    reading = rulers.tell(x, sight)
    answers: dict[str, str | None] = dict.fromkeys(line.key for line in asked)
    if reading.known:  # what shows nothing has no camera, and no cut that could be missing
        look = Look(frames=frames, x=x, sight=sight, fps=fps, shape=rulers.shape)
        answers = {line.key: line.read(look).value for line in asked}
    return Read(
        reading=reading,
        others={key: value or metrics.NOTHING for key, value in answers.items()},
        still=still,
    )


def wanted(
    facts: Sequence[Fact],
    lines: Iterable[str],
    cuts: Sequence[float] = (),
    *,
    still: bool = False,
) -> dict[str, str]:
    """The right answer on each of these lines on which the facts have something to say.

    cuts: the seconds of a clip's cuts; what words say is then of its first shot alone, and no clip
    is judged by it. still: of one frame nothing is asked that takes time. Where nothing is said,
    nothing is asked.
    """
    if still:
        facts = [fact for fact in facts if fact.name not in _IN_TIME]
    if not facts and not cuts:
        return {}
    said = Said(facts=tuple(facts), cuts=tuple(cuts))
    right = {} if cuts else dict(metrics.wanted(metrics.asked(facts)))
    timed = () if still else LINES
    right |= {line.key: value for line in timed if (value := line.wanted(said)) is not None}
    return {line: right[line] for line in lines if line in right}


def answers(
    facts: Sequence[Fact], seen: Read | None, lines: Iterable[str], cuts: Sequence[float] = ()
) -> dict[str, str]:
    """What was read on the lines that are wanted; all of it unreadable for None."""
    right = wanted(facts, lines, cuts, still=seen is not None and seen.still)
    if seen is None:
        return dict.fromkeys(right, UNREADABLE)
    said = metrics.answers(metrics.asked(facts), seen.reading) | dict(seen.others)
    return {line: said.get(line, metrics.NOTHING) for line in right}


def judge(
    facts: Sequence[Fact], seen: Read | None, lines: Iterable[str], cuts: Sequence[float] = ()
) -> dict[str, bool]:
    """Line by line, whether what was read is what the facts say."""
    lines = tuple(lines)
    said = answers(facts, seen, lines, cuts)
    still = seen is not None and seen.still
    right = wanted(facts, lines, cuts, still=still)
    return {line: said[line] == value for line, value in right.items()}
