"""From readings to figures: what was asked for, what was read, and how often they agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worldreel.eval.probes import Reading, Seen
from worldreel.world.facts import Fact
from worldreel.world.scene import OTHER_SIDE

# The lines of the card, by their keys.
LINES = {
    "colour": "the subject's colour",
    "kind": "the subject's kind",
    "side": "left or right",
    "setting": "setting",
    "light": "light",
    "count": "how many things",
    "second colour": "the second thing's colour",
    "second kind": "the second thing's kind",
    "motion": "motion (left, right, toward, away, falls, rests)",
}
TO_A_SIDE = ("left", "right")
NOTHING = "nothing"  # read where there is none of what was asked for


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A thing as a prompt asks for it. motion is None where the prompt says nothing clear."""

    color: str
    kind: str
    motion: str | None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a prompt states. things[0] is the subject; two alike are one thing with count 2.

    side: where things[0] is, seen from things[1].
    """

    things: tuple[Thing, ...]
    count: int
    setting: str | None
    light: str | None
    side: str | None


def asked(facts: Iterable[Fact]) -> Asked:
    """What these facts ask for, whichever order they were stated in."""
    facts = tuple(facts)
    by = {(fact.name, *fact.args): fact.value for fact in facts}
    numbers = sorted({fact.args[0] for fact in facts if fact.name == "kind"})
    looks: dict[tuple[str, str], Thing] = {}
    for i in numbers:
        look = (by[("color", i)], by[("kind", i)])
        action = by.get(("action", i))
        motion = by.get(("direction", i)) or (action if action in ("rests", "falls") else None)
        looks.setdefault(look, Thing(color=look[0], kind=look[1], motion=motion))
    side = next((fact for fact in facts if fact.name == "side"), None)
    where = side and (side.value if side.args[0] == numbers[0] else OTHER_SIDE[side.value])
    return Asked(
        things=tuple(looks.values()),
        count=sum(int(fact.value) for fact in facts if fact.name == "count"),
        setting=by.get(("setting",)),
        light=by.get(("light",)),
        side=where,
    )


def match(what: Asked, reading: Reading) -> list[Seen | None]:
    """For each thing that was asked for, the thing that was read as it: the one of its colour,
    else the largest that no other claims."""
    # What is looked at is no more than was asked for: painting every colour is no answer.
    seen = list(reading.things[: len(what.things)])
    found: list[Seen | None] = []
    for thing in what.things:
        found.append(next((s for s in seen if s.color == thing.color), None))
    left = [s for s in seen if s not in found]
    return [s if s is not None else (left.pop(0) if left else None) for s in found]


def wanted(what: Asked) -> dict[str, str]:
    """The right answer for each line that the prompt has something to say on."""
    answers = _looks([(thing.color, thing.kind) for thing in what.things])
    answers["count"] = str(what.count)
    if what.setting:
        answers["setting"] = what.setting
    if what.light:
        answers["light"] = what.light
    moving = _moving(what)
    if moving is not None:
        answers["motion"] = str(what.things[moving].motion)
    if moving is not None and what.things[moving].motion in TO_A_SIDE:
        answers["side"] = str(what.things[moving].motion)
    elif what.side:
        answers["side"] = what.side
    return answers


def answers(what: Asked, reading: Reading) -> dict[str, str]:
    """What was read on the same lines."""
    found = match(what, reading)
    read = _looks([(s.color, s.kind) if s else (NOTHING, NOTHING) for s in found])
    read["count"] = str(sum(s.count for s in reading.things))
    read["setting"] = reading.setting or NOTHING
    read["light"] = reading.light or NOTHING
    moving = _moving(what)
    if moving is not None:
        mover = found[moving]
        read["motion"] = mover.motion if mover else NOTHING
    if moving is not None and what.things[moving].motion in TO_A_SIDE:
        read["side"] = read["motion"]
    elif what.side:
        first, second = found[0], found[1] if len(found) > 1 else None
        apart = first and second and first.x != second.x
        read["side"] = NOTHING
        if first and second and apart:
            read["side"] = "left" if first.x < second.x else "right"
    return {line: value for line, value in read.items() if line in wanted(what)}


def judge(what: Asked, reading: Reading) -> dict[str, bool]:
    """Line by line, whether what was read is what was asked for."""
    read = answers(what, reading)
    return {line: read[line] == right for line, right in wanted(what).items()}


def _looks(things: Sequence[tuple[str, str]]) -> dict[str, str]:
    read = {}
    for name, (color, kind) in zip(("", "second "), things, strict=False):
        read |= {f"{name}colour": color, f"{name}kind": kind}
    return read


def _moving(what: Asked) -> int | None:
    """Whose motion is judged: the first that does more than rest, else the first."""
    moves = [i for i, thing in enumerate(what.things) if thing.motion]
    return next((i for i in moves if what.things[i].motion != "rests"), moves[0] if moves else None)


# Shares, and how sure they are.


def wilson(right: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's interval of a share, 95 % by default; 0 to 1 where nothing was counted."""
    if not 0 <= right <= count:
        raise ValueError(f"{right} of {count} is no share")
    if count == 0:
        return 0.0, 1.0
    share = right / count
    middle = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    below = 1 + z * z / count
    return max(0.0, (middle - half) / below), min(1.0, (middle + half) / below)


def share(right: int, count: int) -> dict[str, Any]:
    """A share as it stands in a card: counts, share and interval."""
    low, high = wilson(right, count)
    return {
        "right": right,
        "count": count,
        "share": round(right / count, 4) if count else None,
        "interval": [round(low, 4), round(high, 4)],
    }


def tally(judged: Iterable[Mapping[str, bool]]) -> dict[str, dict[str, Any]]:
    """The share of right answers on each line, in the order of LINES."""
    right, count = Counter(), Counter()
    for one in judged:
        for line, good in one.items():
            count[line] += 1
            right[line] += bool(good)
    return {line: share(right[line], count[line]) for line in LINES if count[line]}


def confusion(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """How often each wanted answer was read as what: {wanted: {read: times}}."""
    table: dict[str, Counter[str]] = {}
    for right, read in pairs:
        table.setdefault(right, Counter())[read] += 1
    return {right: dict(sorted(reads.items())) for right, reads in sorted(table.items())}


def shifted(values: Sequence[Any]) -> list[Any]:
    """The same values, each given to another place: the prompts of other clips."""
    by = max(1, len(values) // 2)
    return [*values[by:], *values[:by]]
