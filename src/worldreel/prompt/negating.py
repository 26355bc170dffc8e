"""How far a no reaches: what is said with one is no part of the scene, and told."""

from __future__ import annotations

import re
from collections.abc import Sequence

from worldreel.prompt.phrases import meanings
from worldreel.prompt.pieces import (
    ATTRS,
    EXCEPT,
    MAPPED,
    NEGATED,
    NO,
    NUMBERS_ZH,
    Piece,
    merged,
    plain,
    tight,
)

_ALONE = frozenset("none nobody nothing 没有人".split())  # a no that is a thing, too
_ENDS_NO = {
    "en": frozenset("and but while on in at with or then".split()),
    "zh": frozenset("但 而 在 但是 可是 只 只有".split()),
}
_NEITHER = frozenset("neither nor or and a an the".split())
_MOST_NEGATED = {"en": 5, "zh": 8}


def negated(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """What is said with a no, as one piece with its no."""
    at = 0
    while at < len(pieces):
        word = plain(pieces[at].typed, language)
        no = (word in NO[language] or word.endswith(("n't", "n’t"))) and pieces[at].fate != MAPPED
        if not no or _besides(pieces[at], text):
            at += 1
            continue
        first, last, size = at, at, 0
        led = at > 0 and plain(pieces[at - 1].typed, language) == "with"
        without = word == "without" or led
        while last + 1 < len(pieces) and word not in _ALONE:
            after = pieces[last + 1]
            next_word = plain(after.typed, language)
            size += len(after.typed) if language == "zh" else len(next_word.split())
            starts_anew = last > at and next_word in _ENDS_NO[language]
            if size > _MOST_NEGATED[language] or starts_anew:
                break
            if last > at and language == "en" and {"at", "setting"} & after.names:
                break  # no trees on the beach: there is a beach
            if last > at and language == "en" and _does(after, pieces[at + 1 : last + 1], without):
                break
            if not tight(text, pieces[last].end, after.start):
                break
            last += 1
            if next_word == "的" or (last == at + 1 and _only_so(after, language)):
                break
        if last == first and language == "zh":
            first = _before_no(pieces, at, text)
        pieces = merged(pieces, range(first, last + 1), text, NEGATED)
        at = first + 1
    return pieces


def _does(after: Piece, denied: Sequence[Piece], without: bool) -> bool:
    """Whether a verb goes on after a no that is not of its subject: one without wings swims."""
    deed = bool(after.names) and after.names <= {"action", "event", "manner"}
    looks = all(p.names & ATTRS or plain(p.typed, "en") in _NEITHER for p in denied)
    finite = not plain(after.typed, "en").split()[0].endswith("ing")
    return deed and finite and (looks or without)


def _only_so(after: Piece, language: str) -> bool:
    """Whether a no ends with the next piece: never stops rolling, without anything but a ball."""
    if plain(after.typed, language) in EXCEPT:
        return True
    return {m for name, m in meanings(plain(after.typed, language), language)} == {"stops"}


def _besides(no: Piece, text: str) -> bool:
    """Whether 除了 leads to what there is: 除了球还有方块, 除了球没有别的."""
    return no.typed == "除了" and bool(re.match("[^。！？]*?(?:[还也没]|只有)", text[no.end :]))


def _before_no(pieces: Sequence[Piece], at: int, text: str) -> int:
    """一个球都没有: where that begins of which there is none."""
    first = at
    while first and tight(text, pieces[first - 1].end, pieces[first].start):
        first -= 1
        if pieces[first].typed[0] in NUMBERS_ZH:
            return first
    return at
