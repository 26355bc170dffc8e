"""What is said of several at once: a robot and a dog walk, a cone and a ring, both grey.

The parser may give it to one of them. All of those that can have it get it, and where one of them
has it not, the words that say so are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from worldreel.prompt.account import Account
from worldreel.prompt.draft import Draft
from worldreel.prompt.phrases import Meant, meanings
from worldreel.prompt.pieces import (
    ATTRS,
    CLAUSES,
    DEEDS,
    IDLENESS,
    MAPPED,
    MEASURES,
    NUMBERS_ZH,
    READ,
    SILENCE,
    Piece,
    clause,
    plain,
    tight,
)
from worldreel.prompt.said import Said, manners, slots
from worldreel.world.actors import RIGS
from worldreel.world.facts import Fact
from worldreel.world.labels import LABELS
from worldreel.world.words import PHRASES

_ALL = {"en": frozenset("all both each".split()), "zh": frozenset("都 全都 全 均 全部".split())}
_JOINTS = {
    "en": frozenset("and then &".split()),
    "zh": frozenset("和 与 跟 及 以及".split()),
}
_BETWEEN = {
    "en": frozenset("a an the this that his her its my their".split()),
    "zh": frozenset("一 的".split()) | MEASURES | NUMBERS_ZH,
}
_LIST = frozenset(" ,、，\t\n")
_COPULAS = frozenset("are is were of them in 是 呈 为".split())
_APART = frozenset({"hits", "stacks", "overturns", "topples"})  # done by one to another
_LOOKED = ATTRS | {"number"}


@dataclass(frozen=True)
class _Claim:
    """The number of a piece, and the kinds of those of which it is said."""

    piece: int
    kinds: frozenset[str]


def shared(found: Said, told: Account, by: Mapping[int, set[Meant]]) -> Said:
    """With what is said of several for each of them. by: what phrases say, by a piece's number."""
    draft = Draft.of(found.facts)
    changed = False
    claims = _claims(told)
    for claim in claims * 2:  # who does something can go somewhere
        meant = by.get(claim.piece, set())
        group = [n for n, thing in enumerate(draft.things) if thing.get("kind") in claim.kinds]
        for name, value in meant:
            if value in _APART or not any(_has(draft, n, name, value) for n in group):
                continue
            for index in group:
                changed |= _give(draft, index, name, value)
    if not changed:
        return found
    facts = draft.facts()
    wanted = slots(facts)
    read = {slot: value for slot, value in found.read.items() if wanted.get(slot) == value}
    return replace(found, facts=facts, slots=wanted, read=read)


def unshared(
    told: Account, by: Mapping[int, set[Meant]], wanted: Mapping[str, str]
) -> Iterator[int]:
    """The numbers of the pieces that say something of several, of which one has it not."""
    for claim in _claims(told):
        group = [s[-1] for s, v in wanted.items() if s.startswith("kind") and v in claim.kinds]
        meant = by.get(claim.piece, set())
        if meant and not all(any(_told(wanted, i, n, v) for n, v in meant) for i in group):
            yield claim.piece


def _told(wanted: Mapping[str, str], index: str, name: str, value: str) -> bool:
    """Whether a thing has what is said; of the last of many only what it can do is known here."""
    if f"{name}{index}" in LABELS:
        return wanted.get(f"{name}{index}") == value
    return name != "action" or value in manners(wanted[f"kind{index}"])


def _has(draft: Draft, index: int, name: str, value: str) -> bool:
    if name == "event":
        return Fact(name, (index,), value) in draft.others
    return draft.things[index].get(name) == value


def _give(draft: Draft, index: int, name: str, value: str) -> bool:
    """Give a thing what it can have; whether it has got it."""
    thing = draft.things[index]
    kind = thing.get("kind", "")
    if name == "event":
        doing = any(f.name == name and f.args == (index,) for f in draft.others)
        able = kind in RIGS and value in RIGS[kind].events
        if able and not doing:
            draft.others.append(Fact(name, (index,), value))
        return able and not doing
    if name in thing or (name == "action" and value not in manners(kind)):
        return False
    if name == "direction" and "action" not in thing:
        return False
    thing[name] = value
    return True


def _claims(told: Account) -> list[_Claim]:
    """What a prompt says of several at once, piece by piece."""
    pieces, text, language = told.pieces, told.prompt, told.language
    found = []
    everyone = _kinds(pieces, range(len(pieces)), language)
    for at, piece in enumerate(pieces):
        word = plain(piece.typed, language)
        if word in _ALL[language]:
            before = _kinds(pieces, range(at), language)
            if len(before) > 1 and before == everyone:
                found += [_Claim(i, before) for i in _looks(pieces, at, text, language)]
    for first, last in _subjects(pieces, text, language):
        group = _kinds(pieces, range(first, last + 1), language)
        others = _kinds(pieces, [*range(first), *range(last + 1, len(pieces))], language)
        if not group & others:
            found += [_Claim(i, group) for i in _deeds(pieces, last, text, language)]
            verb = plain(pieces[last + 1].typed, language) if last + 1 < len(pieces) else ""
            if verb in ("are", "were", "是"):
                found += [_Claim(i, group) for i in _looks(pieces, last, text, language)]
    return found


def _kinds(pieces: Sequence[Piece], which: Sequence[int], language: str) -> frozenset[str]:
    return frozenset(
        value
        for i in which
        if "kind" in pieces[i].names and pieces[i].fate in (READ, MAPPED)
        for name, value in meanings(plain(pieces[i].meant, language), language)
        if name == "kind"
    )


def _looks(pieces: Sequence[Piece], at: int, text: str, language: str) -> list[int]:
    """The looks that follow "all", where no thing follows that has them."""
    found = []
    for i in range(at + 1, len(pieces)):
        if not tight(text, pieces[i - 1].end, pieces[i].start):
            break
        if pieces[i].names & {"kind", "wear"}:
            return []
        if pieces[i].names and pieces[i].names <= ATTRS and pieces[i].fate in (READ, MAPPED):
            found.append(i)
        elif found and plain(pieces[i].typed, language) in _JOINTS[language]:
            return []  # red and blue: each its own
        elif plain(pieces[i].typed, language) not in _COPULAS | _BETWEEN["zh"]:
            break
    return found


def _subjects(pieces: Sequence[Piece], text: str, language: str) -> Iterator[tuple[int, int]]:
    """From where to where several things are named that do something together."""
    at = 0
    while at < len(pieces):
        if not _is_kind(pieces[at]):
            at += 1
            continue
        first = last = at
        joined = False
        while (after := _joined(pieces, last, text, language)) is not None:
            joined |= after[1]
            last = after[0]
        if joined and last > first and _plural(pieces, last, text, language):
            yield first, last
        at = last + 1


def _is_kind(piece: Piece) -> bool:
    return "kind" in piece.names and piece.fate in (READ, MAPPED)


def _joined(pieces: Sequence[Piece], at: int, text: str, language: str) -> tuple[int, bool] | None:
    """The next thing of a list, and whether a word joins it; None where the list ends."""
    word = False
    for i in range(at + 1, len(pieces)):
        between = text[pieces[i - 1].end : pieces[i].start]
        if not {*between} <= _LIST:
            return None
        here = plain(pieces[i].typed, language)
        marked = bool({*between} & {*",、，"})
        if i == at + 1 and not (marked or here in _JOINTS[language]):
            return None
        if _is_kind(pieces[i]):
            return i, word
        word |= here in _JOINTS[language]
        looked = bool(pieces[i].names) and pieces[i].names <= _LOOKED
        if not (here in _JOINTS[language] | _BETWEEN[language] or looked):
            return None
    return None


def _plural(pieces: Sequence[Piece], last: int, text: str, language: str) -> bool:
    """Whether the verb after a list is that of several; Chinese has no other."""
    if language == "zh":
        return True
    for i in range(last + 1, len(pieces)):
        if not tight(text, pieces[i - 1].end, pieces[i].start):
            return False
        word = plain(pieces[i].typed, language)
        if word in ("are", "were", "both", "all"):
            return True
        if pieces[i].names:
            meant = plain(pieces[i].meant, language)
            return pieces[i].names <= DEEDS and meant in _base()
        if pieces[i].fate not in (IDLENESS, SILENCE):
            return False
    return False


@cache
def _base() -> frozenset[str]:
    """Verbs of several: roll, fall."""
    rows = (row for table in ("action", "event") for row in PHRASES[table])
    return frozenset(f[1] for row in rows for f in row.heard("en") if len(f) > 2)


def _deeds(pieces: Sequence[Piece], last: int, text: str, language: str) -> list[int]:
    """What follows a list in its clause and says what somebody does."""
    found = []
    for i in clause(pieces, last, text, language):
        if i <= last:
            continue
        word = plain(pieces[i].typed, language)
        if _is_kind(pieces[i]) or word in CLAUSES[language]:
            break
        if word == "的":  # what they do is said of what follows
            return []
        if pieces[i].names and pieces[i].names <= DEEDS and pieces[i].fate in (READ, MAPPED):
            found.append(i)
    return found
