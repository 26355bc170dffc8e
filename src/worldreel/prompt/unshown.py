"""What a prompt names and does not show: what a thing turns into, is like, or looks at.

Rules over pieces like those of `neighbours`: what is named so is told as one, with what names it.
"""

from __future__ import annotations

import re
from dataclasses import replace

from worldreel.prompt.common import FILMING, FILMING_ZH
from worldreel.prompt.particles import LEADS
from worldreel.prompt.phrases import CAMERAS
from worldreel.prompt.pieces import (
    ATTRS,
    BESIDE,
    CLAUSES,
    DEEDS,
    DONE,
    IDLENESS,
    MAPPED,
    MEASURES,
    NUMBERS_ZH,
    READ,
    RELATIVES,
    SILENCE,
    UNKNOWN,
    Piece,
    clause,
    merged,
    plain,
    tight,
)
from worldreel.prompt.said import alone, stateable
from worldreel.world.words import PHRASES

_HUES = "|".join(form for row in PHRASES["color"] for forms in row.heard("en") for form in forms)
_ELSEWHERE = {
    "en": re.compile(
        r"\b(?:(?:turn(?:s|ed|ing)?|transform(?:s|ed|ing)?|chang(?:e|es|ed|ing)|"
        r"morph(?:s|ed|ing)?|melt(?:s|ed|ing)?|grow(?:s|n|ing)?|grew) into|"
        r"becom(?:e|es|ing)|became|(?<!-)(?:look(?:s|ed|ing)? |shaped |dressed )?like|"
        r"(?:dressed|disguised) (?:up )?as|resembl(?:e|es|ing)|in the shape of|(?<=[a-z] )than|"
        r"instead of|(?:statue|sculpture|shadow|reflection|dream(?:s|ing)?) of|"
        r"(?:think|dream)(?:s|ing)? about|"
        rf"(?:turn(?:s|ed|ing)?|go(?:es)?|gets?|grows?) (?=(?:{_HUES})\b)|(?<=\bas )[a-z]+ as)\b",
        re.IGNORECASE,
    ),
    "zh": re.compile(
        "(?:变成|变为|变作|变身|化作|化为|成为)了?|变得?(?=[红橙黄绿青蓝紫粉白黑棕灰])|(?<![图头影摄好])像(?!素)|好像|仿佛|如同|"
        "犹如|宛如|好似|比(?!赛)|打扮成|装扮成"
    ),
}
_GAZE = {
    "en": re.compile(r"(?:look|glanc|gaz|star|peer|point|fac)(?:e|s|es|ed|ing)?"),
    "zh": re.compile(r".*[望看瞧指面盯]"),
}
_COMPANY = re.compile("[带牵领追骑抱推拉背跟遛]着")  # and what it does, both do
COMPANY = "和"
_NAMED = frozenset({"kind", "setting", "wear", "weather", "light"})
_JOINTS = {"en": frozenset("and while as but when".split()), "zh": frozenset("而 但 但是".split())}
_DET = MEASURES | NUMBERS_ZH
_DET |= frozenset("a an the some many its his her their my your our 有 在 的".split())
_AROUND = frozenset({"setting", "light", "weather", "style"})
_BEFORE = ATTRS | _AROUND | {"number"}  # what may stand before who does it
_BETWEEN = frozenset("着 的 a the".split())
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
        apart = i > at + 1 and plain(piece.typed, "en").split()[0] in LEADS["en"]
        if piece.names & _NAMED:
            return i - 1 if apart else i  # purple over the dunes
        if piece.names and piece.names <= DEEDS:
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
    return max(at, min(at + _MOST, len(pieces)) - 1)


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
        if kind is None or not within[0] or not any(n & DEEDS for n in names[kind + 1 :]):
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
    out = list(pieces)
    for subject in range(len(out)):
        if not _subject(out, subject, text, language):
            continue
        beside = False
        # a camera goes to the left, too
        does = DONE if _moves(out, subject, text, language) else DEEDS
        for at in _clause(out, subject, text):
            piece, word = out[at], plain(out[at].typed, language)
            if "kind" in piece.names and _stands_by(out[subject:at], language):
                beside = True  # the cat next to the train jumps
                continue
            if piece.names & {"kind", "camera"} or word in CLAUSES[language]:
                break
            if beside and (word in RELATIVES or word.split()[0].endswith("ing")):
                break
            deed = bool(piece.names) and piece.names <= does and piece.fate in (READ, MAPPED)
            if word in _JOINTS[language] and not _goes_on(out, at, text):
                break
            if deed and not _of_what_follows(out, at, text, language):
                out[at] = replace(piece, fate=IDLENESS, meant="")
    return out


def _stands_by(before: list[Piece], language: str) -> bool:
    """Whether what is named next is only where the subject is: next to the train, 在火车旁边."""
    words = {word for piece in before for word in plain(piece.typed, language).split()}
    return bool(words & BESIDE[language])


def _moves(pieces: list[Piece], at: int, text: str, language: str) -> bool:
    """Whether what a clause says of the camera is a move that is known, with where to."""
    if pieces[at].fate == UNKNOWN or not _films(pieces[at], language):
        return False
    within = " ".join(pieces[i].meant for i in clause(pieces, at, text, language))
    hints = {name for token in within.split() for name, _ in alone(language).get(token, ())}
    return "camera" in hints | {name for name, _ in stateable(within, language)}


def _goes_on(pieces: list[Piece], at: int, text: str) -> bool:
    """Whether an "and" has the same subject: a horse gallops and jumps."""
    after = pieces[at + 1] if at + 1 < len(pieces) else None
    if after is None or not tight(text, pieces[at].end, after.start):
        return False
    return bool(after.names) and after.names <= DEEDS


def _of_what_follows(pieces: list[Piece], at: int, text: str, language: str) -> bool:
    """Whether a deed is that of a thing named after it: a fluffy running dog, 跑着的狗."""
    deed = plain(pieces[at].typed, language)
    if language == "en" and not deed.endswith("ing"):
        return False
    of = language == "en"
    for i in _clause(pieces, at, text):
        of = of or pieces[i].typed == "的"
        if "kind" in pieces[i].names:
            return of
        if not (pieces[i].names & (ATTRS | {"number"}) or pieces[i].typed in _BETWEEN):
            return False
    return False


def _films(piece: Piece, language: str) -> bool:
    """Whether a word is of filming: a drone shot, the camera."""
    word = plain(piece.typed, language)
    if piece.fate == IDLENESS:
        return word.split()[-1] in FILMING or any(word.endswith(w) for w in FILMING_ZH)
    return bool(CAMERAS.fullmatch(word))


def _subject(pieces: list[Piece], at: int, text: str, language: str) -> bool:
    """Whether a piece is a thing that is not known, with which a clause begins, or the prompt.

    What is filmed with does nothing of its own, either: a drone shot flies over the sea.
    """
    piece = pieces[at]
    word = plain(piece.typed, language)
    known = piece.fate != UNKNOWN or "other" in piece.names or word.endswith(("ly", "ing", "ed"))
    if known and not _films(piece, language):
        return False
    after = pieces[at + 1] if at + 1 < len(pieces) else None
    if language == "zh" and after is not None and after.typed in LEADS["zh"]:
        if any(lead.way != "onward" for lead in LEADS["zh"][after.typed]) and after.typed != "过":
            return False  # a place: 厨房里跑着一只狗
    first, around = at, False
    while first and tight(text, pieces[first - 1].end, pieces[first].start):
        first -= 1
        before, word = pieces[first], plain(pieces[first].typed, language)
        if word in _JOINTS[language]:
            return first > 0
        passed = before.names and before.names <= _BEFORE and before.fate in (READ, MAPPED)
        around = around or bool(passed and before.names & _AROUND)
        led = around and word in LEADS[language]  # on a rainy night a horse walks
        if not (word in _DET or passed or led or before.fate == IDLENESS):
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
