"""From readings to figures: what was asked for, what was read, and how often they agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worldreel.eval.eye import OF_A_FRAME
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
    "weather": "weather",
    "style": "style",
    "count": "how many things",
    "binding": "two things, each with its own colour",
    "second colour": "the second thing's colour",
    "second kind": "the second thing's kind",
    "motion": "motion (left, right, toward, away, falls, rests)",
}
TO_A_SIDE = ("left", "right")
NOTHING = "nothing"  # read where there is none of what was asked for
OWN, SWAPPED = "own", "swapped"  # of two things' colours
_NONE = Seen(color=NOTHING, kind=NOTHING, count=0, motion=NOTHING, x=0.0)


RESTS = {"rests": "rests", "stands": "rests", "falls": "falls"}  # motions without a direction


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A thing as a prompt asks for it; None for what the prompt says nothing clear on."""

    color: str | None
    kind: str | None
    motion: str | None
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a prompt states. things[0] is the subject; those alike are one thing with their count.

    side: where the first of things[beside[0]] and things[beside[1]] is, seen from the other.
    """

    things: tuple[Thing, ...]
    count: int
    setting: str | None
    light: str | None
    weather: str | None = None
    style: str | None = None
    side: str | None = None
    beside: tuple[int, int] = (0, 1)


def asked(facts: Iterable[Fact]) -> Asked:
    """What these facts ask for, whichever order they were stated in."""
    facts = tuple(facts)
    by = {(fact.name, *fact.args): fact.value for fact in facts}
    numbers = sorted({fact.args[0] for fact in facts if fact.name in ("kind", "color")})
    looks: dict[tuple[str | None, str | None], list[int]] = {}
    for i in numbers:
        looks.setdefault((by.get(("color", i)), by.get(("kind", i))), []).append(i)
    things = tuple(
        Thing(color=color, kind=kind, motion=_motion(by, alike[0]), count=len(alike))
        for (color, kind), alike in looks.items()
    )
    side, beside = _beside(facts, list(looks.values()))
    return Asked(
        things=things,
        count=sum(int(fact.value) for fact in facts if fact.name == "count") or len(numbers),
        setting=by.get(("setting",)),
        light=by.get(("light",)),
        weather=by.get(("weather",)),
        style=by.get(("style",)),
        side=side,
        beside=beside,
    )


def _motion(by: Mapping[tuple, Any], index: int) -> str | None:
    return by.get(("direction", index)) or RESTS.get(by.get(("action", index), ""))


def _beside(
    facts: Sequence[Fact], groups: Sequence[Sequence[int]]
) -> tuple[str | None, tuple[int, int]]:
    """The first two looks of which the facts say that all of one are to a side of the other."""
    place = {i: look for look, group in enumerate(groups) for i in group}
    said: dict[tuple[int, int], list[str]] = {}
    for fact in facts:
        if fact.name == "side" and {*fact.args} <= {*place}:
            one, other = (place[i] for i in fact.args)
            low = one < other
            pair = (one, other) if low else (other, one)
            said.setdefault(pair, []).append(fact.value if low else OTHER_SIDE[fact.value])
    for (one, other), sides in sorted(said.items()):
        whole = len(sides) == len(groups[one]) * len(groups[other])
        if one != other and whole and len(set(sides)) == 1:
            return sides[0], (one, other)
    return None, (0, 1)


def match(what: Asked, reading: Reading) -> list[Seen | None]:
    """For each thing that was asked for, the thing that was read as it: the one of its colour (of
    its kind, where colours are not said), else the largest that no other claims."""
    # What is looked at is no more than was asked for: painting every colour is no answer.
    seen = list(reading.things[: len(what.things)])
    found: list[Seen | None] = []
    for thing in what.things:
        name = "color" if thing.color else "kind"
        same = (s for s in seen if getattr(s, name) == getattr(thing, name) and s not in found)
        found.append(next(same, None))
    left = [s for s in seen if s not in found]
    return [s if s is not None else (left.pop(0) if left else None) for s in found]


def wanted(what: Asked) -> dict[str, str]:
    """The right answer for each line that the prompt has something to say on."""
    answers = _looks(what.things)
    if what.count:
        answers["count"] = str(what.count)
    answers |= {name: v for name in OF_A_FRAME if (v := getattr(what, name))}
    if _bound(what):
        answers["binding"] = OWN
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
    right, found = wanted(what), match(what, reading)
    read = _looks([s or _NONE for s in found])
    read["count"] = str(sum(s.count for s in reading.things))
    read |= {name: getattr(reading, name) or NOTHING for name in OF_A_FRAME}
    if "binding" in right:
        read["binding"] = _binding(what, found)
    moving = _moving(what)
    if moving is not None:
        read["motion"] = (found[moving] or _NONE).motion
    if moving is not None and what.things[moving].motion in TO_A_SIDE:
        read["side"] = read["motion"]
    elif what.side:
        first, second = (found[i] for i in what.beside)
        read["side"] = NOTHING
        if first and second and first.x != second.x:
            read["side"] = "left" if first.x < second.x else "right"
    return {line: read.get(line, NOTHING) for line in right}


def judge(what: Asked, reading: Reading) -> dict[str, bool]:
    """Line by line, whether what was read is what was asked for."""
    read = answers(what, reading)
    return {line: read[line] == right for line, right in wanted(what).items()}


def _bound(what: Asked) -> bool:
    """Whether the first two things differ in kind and in colour, so that a swap would show."""
    looks = [(t.color, t.kind) for t in what.things[:2]]
    pairs = list(zip(*looks, strict=True)) if len(looks) == 2 else []
    return bool(pairs) and all(a and b and a != b for a, b in pairs)


def _binding(what: Asked, found: Sequence[Seen | None]) -> str:
    one, other = what.things[:2]
    read = [(s.color, s.kind) if s else None for s in found[:2]]
    if read == [(one.color, one.kind), (other.color, other.kind)]:
        return OWN
    return SWAPPED if read == [(one.color, other.kind), (other.color, one.kind)] else NOTHING


def _looks(things: Sequence[Thing | Seen]) -> dict[str, str]:
    read = {}
    for name, thing in zip(("", "second "), things, strict=False):
        looks = {f"{name}colour": thing.color, f"{name}kind": thing.kind}
        read |= {line: value for line, value in looks.items() if value}
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
    """The share of right answers on each line; the lines of words first, in their order."""
    right, count = Counter(), Counter()
    for one in judged:
        for line, good in one.items():
            count[line] += 1
            right[line] += bool(good)
    lines = [*LINES, *(line for line in count if line not in LINES)]
    return {line: share(right[line], count[line]) for line in lines if count[line]}


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
