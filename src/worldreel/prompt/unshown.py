"""What a prompt names and does not show: what a thing turns into, is like, or looks at.

Rules over pieces like those of `neighbours`: what is named so is told as one, with what names it.
"""

from __future__ import annotations

import re
from dataclasses import replace

from worldreel.prompt.particles import LEADS
from worldreel.prompt.pieces import (
    ATTRS,
    IDLENESS,
    MAPPED,
    READ,
    SILENCE,
    UNKNOWN,
    Piece,
    merged,
    plain,
    tight,
)

_ELSEWHERE = {
    "en": re.compile(
        r"\b(?:(?:turn(?:s|ed|ing)?|transform(?:s|ed|ing)?|chang(?:e|es|ed|ing)|"
        r"morph(?:s|ed|ing)?|melt(?:s|ed|ing)?|grow(?:s|n|ing)?|grew) into|"
        r"becom(?:e|es|ing)|became|(?<!-)(?:look(?:s|ed|ing)? |shaped |dressed )?like|"
        r"(?:dressed|disguised) (?:up )?as|resembl(?:e|es|ing)|in the shape of|(?<=[a-z] )than|"
        r"instead of|(?:statue|sculpture|shadow|reflection|dream(?:s|ing)?) of|"
        r"(?:think|dream)(?:s|ing)? about|(?<=\bas )[a-z]+ as)\b",
        re.IGNORECASE,
    ),
    "zh": re.compile(
        "(?:变成|变为|变作|变身|化作|化为|成为)了?|(?<![图头影摄好])像(?!素)|好像|仿佛|如同|"
        "犹如|宛如|好似|比(?!赛)|打扮成|装扮成"
    ),
}
_GAZE = {
    "en": re.compile(r"(?:look|glanc|gaz|star|peer|point|fac)(?:e|s|es|ed|ing)?"),
    "zh": re.compile(r".*[望看瞧指面盯]"),
}
_COMPANY = re.compile("[带牵领追骑抱推拉背跟遛]着")  # and what it does, both do
COMPANY = "和"
_DEEDS = frozenset({"action", "manner", "event", "direction"})
_NAMED = frozenset({"kind", "setting", "wear", "weather", "light"})
_JOINTS = {"en": frozenset("and while as but when".split()), "zh": frozenset("而 但 但是".split())}
_DET = frozenset("a an the some many its his her their my 一 只 个 条 群 有".split())
_MOST = 7  # pieces from what names to what is named
_TAGS = frozenset({"clouds"})  # of the light in a list alone


def _elsewhere(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """What something turns into, or is like, is not there."""
    for found in _ELSEWHERE[language].finditer(text):
        within = [i for i, p in enumerate(pieces) if found.start() < p.end <= found.end()]
        if found[0].lower().endswith(" as") and "of" not in found[0]:
            within = [i for i in within if plain(pieces[i].typed, language) == "as"] or within
        if not within or pieces[within[0]].start < found.start() or _whole(pieces, within):
            continue
        last = _named_after(pieces, within[-1], text)
        pieces = merged(pieces, range(within[0], last + 1), text, UNKNOWN, {"other"})
    return pieces


def _whole(pieces: list[Piece], within: list[int]) -> bool:
    """Whether what names is part of a phrase that is known, or was told already."""
    return any(pieces[i].fate == IDLENESS for i in within) and len(within) == 1


def _named_after(pieces: list[Piece], at: int, text: str) -> int:
    """The last piece of what is named after a piece."""
    for i in range(at + 1, min(at + _MOST, len(pieces))):
        piece = pieces[i]
        if not tight(text, pieces[i - 1].end, piece.start):
            return i - 1
        if piece.names & _NAMED:
            return i
        if piece.names and piece.names <= _DEEDS:
            return i - 1
        following = pieces[i + 1] if i + 1 < len(pieces) else None
        described = (
            following is not None
            and tight(text, piece.end, following.start)
            and following.names & _NAMED
            and plain(following.typed, "en").split()[0] not in LEADS["en"]
        )
        if not (piece.fate == SILENCE or piece.names & (ATTRS | {"number"}) or described):
            return i
    return at


def _gaze(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """Who looks to the left, or faces us, does not go there."""
    at = 0
    while at + 1 < len(pieces):
        here, there = pieces[at], pieces[at + 1]
        if (
            here.fate in (UNKNOWN, IDLENESS)
            and _GAZE[language].fullmatch(plain(here.typed, language))
            and there.fate == READ
            and there.names
            and there.names <= {"direction", "side"}
            and tight(text, here.end, there.start)
        ):
            pieces = merged(pieces, (at, at + 1), text, UNKNOWN, {"other"})
        at += 1
    return pieces


def _company(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """Chinese: who does something with another, 女人带着狗跑, does it, and not the other alone."""
    for found in _COMPANY.finditer(text) if language == "zh" else ():
        within = [i for i, p in enumerate(pieces) if found.start() <= p.start < found.end()]
        if not within or pieces[within[-1]].end != found.end():
            continue
        names = [pieces[i].names for i in _clause(pieces, within[-1], text)]
        kind = next((n for n, held in enumerate(names) if "kind" in held), None)
        if kind is None or not within[0] or not any(n & _DEEDS for n in names[kind + 1 :]):
            continue
        if any(held and not held & (ATTRS | {"number"}) for held in names[:kind]):
            continue
        before = [p for p in pieces[: within[0]] if "kind" in p.names]
        if before:
            joined = merged(pieces, within, text, MAPPED)
            joined[within[0]] = replace(joined[within[0]], meant=COMPANY)
            pieces = joined
    return pieces


def _clause(pieces: list[Piece], at: int, text: str) -> list[int]:
    """The pieces after one, up to the next mark."""
    last = at
    while last + 1 < len(pieces) and tight(text, pieces[last].end, pieces[last + 1].start):
        last += 1
    return list(range(at + 1, last + 1))


def _strangers(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """What one does who is not known is done by no other: a ship, and gulls that fly."""
    out, at = list(pieces), 0
    while at < len(out):
        subject = _subject(out, at, text, language)
        at += 1
        while subject and at < len(out) and tight(text, out[at - 1].end, out[at].start):
            piece = out[at]
            if piece.names and piece.names <= _DEEDS and piece.fate in (READ, MAPPED):
                out[at] = replace(piece, fate=IDLENESS, meant="")
            elif piece.fate != SILENCE or plain(piece.typed, language) in _JOINTS[language]:
                break
            at += 1
    return out


def _subject(pieces: list[Piece], at: int, text: str, language: str) -> bool:
    """Whether a piece is a thing that is not known, with which a clause begins, or the prompt."""
    piece = pieces[at]
    word = plain(piece.typed, language)
    if piece.fate != UNKNOWN or "other" in piece.names or word.endswith(("ly", "ing", "ed")):
        return False
    first = at
    while first and tight(text, pieces[first - 1].end, pieces[first].start):
        first -= 1
        word = plain(pieces[first].typed, language)
        if word in _JOINTS[language]:
            return first > 0
        if word not in _DET:
            return False
    return True


def _tags(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """Clouds in a list say that it is overcast; white clouds that drift do not."""
    out = list(pieces)
    for i, piece in enumerate(pieces):
        before = i > 0 and tight(text, pieces[i - 1].end, piece.start)
        after = i + 1 < len(pieces) and tight(text, piece.end, pieces[i + 1].start)
        if piece.fate == READ and plain(piece.typed, language) in _TAGS and (before or after):
            out[i] = replace(piece, fate=UNKNOWN, meant="", names=frozenset({"thing"}))
    return out


UNSHOWN = (_tags, _elsewhere, _gaze, _company, _strangers)
