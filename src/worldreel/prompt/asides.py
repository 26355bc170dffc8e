"""Words of the world that mean something else where they stand: in names, in figures of speech.

Rules over pieces like those of `neighbours`: King Kong is no man, and a video for children shows
none.
"""

from __future__ import annotations

import re
from dataclasses import replace

from worldreel.prompt.near import near
from worldreel.prompt.phrases import meanings
from worldreel.prompt.pieces import (
    ATTRS,
    DONE,
    IDLENESS,
    MAPPED,
    MEASURES,
    NUMBERS_ZH,
    READ,
    SILENCE,
    UNKNOWN,
    Piece,
    merged,
    names_of,
    plain,
    tight,
    unbroken,
)
from worldreel.prompt.standins import STANDINS
from worldreel.prompt.ways import WAYS
from worldreel.world.words import PEOPLE

_ONE = frozenset("a an the this that my your his her its our their".split())
_TITLE = 4  # words with a capital, from which on all of them may be a title's
_LONG = 4  # letters of a word that has a capital in a title
_POURING = re.compile(r"(?:.* )?(?:rain|snow)(?:s|ed|ing)")
_LISTENING = frozenset("看 讲 听 教 演示 学 欣赏 看的".split())
_ENDED = frozenset("了 着 过".split())
# What stands before or behind a weather or a light that there is not.
_BEFORE = {
    "en": frozenset("after before until till since stops stopped stopping".split()),
    "zh": frozenset(),
}
_PAST = {
    "en": frozenset("stops stopped ends ended".split()),
    "zh": frozenset("后 之后 以后 过后 前 之前 以前 停 停了 停下 停下来".split()),
}


def _names(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """A word of the world beside an unknown one, both with capitals, is part of a name: Van Gogh.

    Where a sentence begins any word has one; there a near word alone is taken for a name's.
    """
    if language == "zh" or text.isupper() or _titled(pieces):
        return pieces
    at = 0
    while at + 1 < len(pieces):
        pair = pieces[at : at + 2]
        known = next((p for p in pair if p.fate in (READ, MAPPED)), None)
        strange = next((p for p in pair if p.fate == UNKNOWN), None)
        if (
            known is not None
            and strange is not None
            and tight(text, pair[0].end, pair[1].start)
            and known.names & {"kind", "color", "weather"}
            and _capital(strange)
            and (_particle(pieces, at) if not _capital(known) else _sure(known, text))
        ):
            pieces = merged(pieces, (at, at + 1), text, UNKNOWN, {"thing"})
        else:
            at += 1
    return pieces


def _sure(known: Piece, text: str) -> bool:
    return known.fate == MAPPED or not _begins(known, text)


def _particle(pieces: list[Piece], at: int) -> bool:
    """Whether a small near word leads a name, as in van Eyck; prince Harry stays a man."""
    piece, before = pieces[at], pieces[at - 1] if at else None
    one = before is not None and (
        bool(before.names & (ATTRS | {"number"})) or plain(before.typed, "en") in _ONE
    )
    meant = near("en").get(plain(piece.typed, "en"), "").split("|")[0]
    kinds = {value for name, value in meanings(meant, "en") if name == "kind"}
    return piece.fate == MAPPED and not one and bool(kinds) and not kinds & {*PEOPLE}


def _titled(pieces: list[Piece]) -> bool:
    """Whether every longer word has a capital, as in a title."""
    words = [p for p in pieces if p.typed.isalpha() and len(p.typed) >= _LONG]
    return len(words) >= _TITLE and all(_capital(p) for p in words)


def _capital(piece: Piece) -> bool:
    return piece.typed[0].isupper() and piece.typed[1:2].islower()


def _begins(piece: Piece, text: str) -> bool:
    """Whether a piece begins a sentence."""
    before = text[: piece.start].rstrip(" \"'(")
    return not before or before[-1] in ".!?:;\n"


def _audience(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """For whom or what something is, is not seen: a video for children, 给孩子们看."""
    out, at = list(pieces), 0
    while at < len(out):
        if out[at].typed.lower() == ("for" if language == "en" else "给"):
            last = _named_after(out, at, text)
            heard = language == "en" or _heard(out, last, text)
            if last > at and heard:
                out = merged(out, range(at, last + 1), text, IDLENESS)
        at += 1
    return out


def _named_after(pieces: list[Piece], at: int, text: str) -> int:
    """The kind that directly follows a piece, with what is said of it; else the piece itself."""
    for i in range(at + 1, len(pieces)):
        piece = pieces[i]
        if not tight(text, pieces[i - 1].end, piece.start):
            return at
        if "kind" in piece.names:
            return i
        if piece.fate != SILENCE and not piece.names & (ATTRS | {"number"}):
            return at
    return at


def _heard(pieces: list[Piece], at: int, text: str) -> bool:
    """Chinese: whether who is named is to see or hear of it: 给孩子们看."""
    after = text[pieces[at].end :].lstrip("们 ")
    return any(after.startswith(word) for word in _LISTENING)


def _poured(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """What it rains: cats and dogs."""
    at = 0
    while at + 1 < len(pieces):
        here, last = pieces[at], at
        pours = here.names & {"weather"} and _POURING.fullmatch(plain(here.typed, "en"))
        while pours and last + 1 < len(pieces):
            after = pieces[last + 1]
            joins = last > at and plain(after.typed, "en") == "and"
            thing = after.fate == UNKNOWN or after.names & (ATTRS | {"kind"})
            if not tight(text, pieces[last].end, after.start) or not (thing or joins):
                break
            last += 1
        if last > at:
            pieces = merged(pieces, range(at + 1, last + 1), text, UNKNOWN, {"other"})
        at += 1
    return pieces


def _measured(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """Chinese: 排成一排, 转了两圈: a number that ends a clause says how, and of no things."""
    at = 2
    while at < len(pieces):
        number, measure = pieces[at - 1], pieces[at]
        ends = at + 1 == len(pieces) or not tight(text, measure.end, pieces[at + 1].start)
        first = at - 2
        while first and pieces[first].typed in _ENDED:
            first -= 1
        does = pieces[first]
        deed = does.fate == UNKNOWN or bool(does.names and does.names <= DONE)
        near = unbroken(pieces, range(first, at + 1), text)
        counts = number.typed in NUMBERS_ZH and measure.typed in MEASURES
        if language == "zh" and ends and deed and near and counts:
            start = first if does.fate == UNKNOWN else at - 1
            pieces = merged(pieces, range(start, at + 1), text, UNKNOWN, {"other"})
            at = start
        at += 1
    return pieces


def _before_and_after(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """What was before or comes after is not seen: after the rain, the rain stops, 雨后."""
    at = 0
    while at < len(pieces):
        if pieces[at].names and pieces[at].names <= {"weather", "light"}:
            first = last = at
            while first and plain(pieces[first - 1].typed, language) == "the":
                first -= 1
            if first and plain(pieces[first - 1].typed, language) in _BEFORE[language]:
                first -= 1
            elif at + 1 < len(pieces) and plain(pieces[at + 1].typed, language) in _PAST[language]:
                first, last = at, at + 1
            near = unbroken(pieces, range(first, last + 1), text)
            if near and (last > at or plain(pieces[first].typed, language) in _BEFORE[language]):
                pieces = merged(pieces, range(first, max(last, at) + 1), text, IDLENESS)
                at = first
        at += 1
    return pieces


def _two_coloured(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """A black and white dog has two colours; a black and white film, a style."""
    for at, piece in enumerate(pieces[:-1]):
        after = pieces[at + 1]
        words = list(re.finditer(r"[a-z]+", piece.typed, re.IGNORECASE))
        if (
            language == "en"
            and piece.names == {"style"}
            and piece.fate == READ
            and "kind" in after.names
            and tight(text, piece.end, after.start)
            and all(w[0].lower() == "and" or _hue(w[0].lower()) for w in words)
        ):
            parts = [_word(piece, word) for word in words]
            return [*pieces[:at], *parts, *_two_coloured(pieces[at + 1 :], text, language)]
    return pieces


def _hue(word: str) -> bool:
    return "color" in names_of(word, "en")


def _word(piece: Piece, word: re.Match[str]) -> Piece:
    """One word of a piece as a piece."""
    names = frozenset({"color"}) if _hue(word[0].lower()) else frozenset[str]()
    start, end = piece.start + word.start(), piece.start + word.end()
    return Piece(start, end, word[0], READ if names else SILENCE, word[0], names)


def _shots(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """A static wide shot is a static shot, and wide: the word that is filmed with is read, too."""
    out: list[Piece] = []
    for at, piece in enumerate(pieces):
        last = plain(piece.typed, language).split()[-1:]
        if language == "zh" or piece.fate != IDLENESS or last not in (["shot"], ["camera"]):
            out.append(piece)
            continue
        before, after = pieces[at - 1] if at else None, pieces[at + 1 : at + 2]
        moves = False
        if before is not None and tight(text, before.end, piece.start):
            moves = _filmed(f"{plain(before.typed, language)} {last[0]}")
        for p in after:
            near = tight(text, piece.end, p.start)
            moves = moves or (near and _filmed(f"{last[0]} {plain(p.typed, language)}"))
        cut = piece.end - len(last[0])
        head = Piece(cut, piece.end, text[cut : piece.end], READ, text[cut : piece.end])
        if moves and cut > piece.start:
            rest = text[piece.start : cut].rstrip(" -")
            out.append(replace(piece, end=piece.start + len(rest), typed=rest))
            out.append(replace(head, names=frozenset({"camera"})))
        else:
            out.append(piece)
    return out


def _filmed(phrase: str) -> bool:
    return any(name == "camera" for name, _ in meanings(phrase, "en"))


def _articles(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """An article goes with its noun where that is not read: of a video of girls, a one is left."""
    out = list(pieces)
    for at, piece in enumerate(pieces):
        last = at
        while last + 1 < len(pieces) and not pieces[last + 1].meant:
            if pieces[last + 1].fate == MAPPED:
                break
            last += 1
        of = last > at and plain(pieces[last].typed, language).endswith(" of")
        if language == "en" and plain(piece.typed, language) in ("a", "an") and of:
            out[at] = replace(piece, meant="")
    return out


ASIDES = (
    _names, _audience, _poured, _before_and_after, _measured, _two_coloured, _shots, _articles,
    *WAYS, *STANDINS,
)  # fmt: skip
