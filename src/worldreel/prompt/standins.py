"""Words that stand in for a thing: the top one, two of them, an orange.

Rules over pieces like those of `neighbours`. Which thing is meant is not known, so what is said of
it is told, and said of no other.
"""

from __future__ import annotations

from dataclasses import replace

from worldreel.prompt.pieces import (
    ATTRS,
    CLAUSES,
    DEEDS,
    IDLENESS,
    MAPPED,
    MEASURES,
    NUMBERS_EN,
    NUMBERS_ZH,
    READ,
    SILENCE,
    UNKNOWN,
    Piece,
    merged,
    plain,
    tight,
)

_THE = frozenset("the this that each every other only".split())
_ARTICLES = frozenset({"a", "an"})
_OF = frozenset("the these those my his her our".split())
_THEM = [["of", word] for word in ("them", *_OF)]
_SAID = ATTRS | DEEDS
_ENDS = CLAUSES["en"] | {"and", "then"}
_FOLLOWED = ATTRS | {"kind", "wear", "number", "style"}
_JOINS = frozenset({"and", "or"})
_FEW = 4  # pieces, within which a noun follows


def _ones(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """The top one is red: which of three that is, nothing tells, and the others are not."""
    at = 0
    while at < len(pieces):
        first, last = (_one if language == "en" else _among)(pieces, at, text)
        if first < 0:
            at += 1
            continue
        part = plain(pieces[last].typed, "en") in _OF
        part = part and any("kind" in p.names for p in pieces[last + 1 : last + _FEW])
        pieces = merged(pieces, range(first, last + 1), text, UNKNOWN, {"other"})
        for i in range(first + 1, len(pieces)):
            near = tight(text, pieces[i - 1].end, pieces[i].start)
            if not near or plain(pieces[i].typed, "en") in _ENDS:
                break
            if part:  # of the red balls, and what then is said is of one of them
                part = "kind" not in pieces[i].names
                continue
            if "kind" in pieces[i].names:
                break
            if pieces[i].names and pieces[i].names <= _SAID and pieces[i].fate in (READ, MAPPED):
                pieces = [*pieces]
                pieces[i] = replace(pieces[i], fate=IDLENESS, meant="")
        at = first + 1
    return pieces


def _one(pieces: list[Piece], at: int, text: str) -> tuple[int, int]:
    """From where to where a number stands for a thing: the one, two of them; else -1."""
    if plain(pieces[at].typed, "en") not in NUMBERS_EN:
        return -1, at
    words = [plain(p.typed, "en") for p in pieces[at + 1 : at + 3]]
    if words in _THEM and tight(text, pieces[at].end, pieces[at + 1].start):
        return at, at + 2
    after = pieces[at + 1] if at + 1 < len(pieces) else None
    if after is not None and tight(text, pieces[at].end, after.start):
        noun = after.fate == UNKNOWN or after.names & (_FOLLOWED | {"setting"})
        if noun and plain(after.typed, "en").split()[0] not in _PLACED:
            return -1, at
    first = at
    while first and tight(text, pieces[first - 1].end, pieces[first].start):
        first -= 1
        if plain(pieces[first].typed, "en") in _THE:
            single = plain(pieces[at].typed, "en") in ("one", "1")
            return (first, at) if single else (-1, at)
        if at - first > 2 or pieces[first].fate == SILENCE or "kind" in pieces[first].names:
            break
    return -1, at


def _among(pieces: list[Piece], at: int, text: str) -> tuple[int, int]:
    """Chinese: 其中一个, one of them."""
    last = at
    while pieces[at].typed == "其中" and last + 1 < len(pieces):
        after = pieces[last + 1]
        counts = after.typed == "有" or after.typed in NUMBERS_ZH | MEASURES
        if not counts or not tight(text, pieces[last].end, after.start):
            break
        last += 1
    return (at, last) if last > at else (-1, at)


_PLACED = frozenset("in on at by near over along across with under".split())


def _colours(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """An orange on a table is no orange thing: after an article a colour has a noun behind it."""
    out = list(pieces)
    for at, piece in enumerate(pieces):
        if language == "zh" or piece.names != {"color"} or piece.fate not in (READ, MAPPED):
            continue
        first = at
        while first and pieces[first - 1].names and pieces[first - 1].names <= ATTRS:
            first -= 1
        led = first > 0 and plain(pieces[first - 1].typed, language) in _ARTICLES
        of = first > 0 and plain(pieces[first - 1].typed, language) == "the"
        led = led or (of and [plain(p.typed, language) for p in pieces[at + 1 : at + 2]] == ["of"])
        worn = first > 1 and plain(pieces[first - 2].typed, language) in ("in", "wearing")
        if led and not worn and not _noun(pieces, at + 1):
            out[at] = replace(piece, fate=UNKNOWN, meant="", names=frozenset({"thing"}))
    return out


def _noun(pieces: list[Piece], at: int) -> bool:
    """Whether what follows a colour may be what has it: a red and a blue ball."""
    joins = at
    while at < len(pieces) and plain(pieces[at].typed, "en") in _JOINS:
        at += 1
    if joins < at < len(pieces) - 1 and plain(pieces[at].typed, "en") in _ARTICLES:
        return bool(pieces[at + 1].names & ATTRS)
    if at == len(pieces):
        return False
    piece = pieces[at]
    if piece.fate in (UNKNOWN, IDLENESS) or piece.names & _FOLLOWED:
        return True
    first = plain(piece.typed, "en").split()[0]
    return piece.fate != SILENCE and (first.endswith("ing") or first not in _PLACED)


STANDINS = (_ones, _colours)
