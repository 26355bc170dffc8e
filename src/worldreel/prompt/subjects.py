"""Who does it, where another stands between: of a dog next to a car that runs, the dog does.

The parser gives a deed to what is named last before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from worldreel.prompt.account import Account
from worldreel.prompt.draft import Draft
from worldreel.prompt.pieces import (
    BESIDE,
    DONE,
    IDLENESS,
    MAPPED,
    READ,
    RELATIVES,
    Piece,
    plain,
    unbroken,
)
from worldreel.prompt.said import Said, manners, slots
from worldreel.world.facts import Fact

_BREAKS = RELATIVES | frozenset("and or but while as when then is are".split())


def by_the_first(found: Said, told: Account) -> Said:
    """With what the first of two things does, which the parser gave to the second."""
    draft = Draft.of(found.facts)
    if told.language != "en" or len(draft.things) != 2 or not _between(told.pieces, told.prompt):
        return found
    first, second = draft.things
    events = [f for f in draft.others if f.name == "event"]
    doing = "action" in second or any(f.args == (1,) for f in events)
    done = "action" in first or any(f.args == (0,) for f in events)
    able = second.get("action") in {None, *manners(first.get("kind", ""))}
    related = any(len(f.args) > 1 and f.name != "side" for f in draft.others)
    if done or not doing or not able or related:
        return found
    for name in ("action", "manner", "direction"):
        if name in second:
            first[name] = second.pop(name)
    draft.others = [Fact("event", (0,), f.value) if f.name == "event" else f for f in draft.others]
    facts = draft.facts()
    wanted = slots(facts)
    read = {slot: value for slot, value in found.read.items() if wanted.get(slot) == value}
    return replace(found, facts=facts, slots=wanted, read=read)


def _between(pieces: Sequence[Piece], text: str) -> bool:
    """Whether of the two things that are named the second stands between the first and a deed."""
    things = [i for i, p in enumerate(pieces) if "kind" in p.names and p.fate in (READ, MAPPED)]
    if len(things) != 2:
        return False
    first, last = things
    does = last + 1
    while does < len(pieces) and pieces[does].fate == IDLENESS:
        does += 1
    if does == len(pieces) or not unbroken(pieces, range(first, does + 1), text):
        return False
    deed = pieces[does]
    words = {w for p in pieces[first + 1 : last] for w in plain(p.typed, "en").split()}
    acts = any(p.names and p.names <= DONE for p in pieces[first + 1 : last])
    finite = not plain(deed.typed, "en").split()[0].endswith("ing")
    named = bool(deed.names) and deed.names <= DONE and deed.fate in (READ, MAPPED)
    return named and finite and not acts and bool(words & BESIDE["en"]) and not words & _BREAKS
