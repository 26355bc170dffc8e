"""What the neighbours of a word change in it: a green hat makes nobody green.

Each rule takes the pieces of a prompt and gives them back, some with another fate, some as one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from worldreel.prompt.asides import ASIDES
from worldreel.prompt.common import FILMING, FILMING_ZH, NO_NOUNS, THINGS_EN_ING
from worldreel.prompt.negating import negated
from worldreel.prompt.particles import SILENT
from worldreel.prompt.pieces import (
    ATTRS,
    DEEDS,
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
from worldreel.prompt.unshown import UNSHOWN
from worldreel.world.words import PHRASES

_QUOTED = re.compile(r"[\"“”「『《][^\"“”」』》]{1,80}[\"”“」』》]")
_ALSO = frozenset("and or & 和 与 及 或".split())
_DET = frozenset("a an the this that these those my your his its our their some any every".split())
_HOLDS = frozenset(
    "with wearing in of by from has have having in of 戴 戴着 带 带着 穿 穿着".split()
)
_WHERE = [[word] for word in "in inside aboard on atop at by near under through across".split()]
_WHERE += [[word] for word in "over along among onto into down underwater".split()]
_INSIDE = frozenset("spaceship spacecraft 飞船 宇宙飞船".split())  # a place only for who is in it
_OUTSIDE = [(word, "of") for word in "front outside ahead top back left right".split()]
_WITHIN = frozenset("of in inside aboard on through 里 内 中 上 舱".split())


def _possessive(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """A woman's face: of the woman there is a word."""
    out = []
    for piece in pieces:
        stem = plain(piece.typed, language).removesuffix("'s")
        if piece.fate == UNKNOWN and language == "en" and piece.typed[-2:] in ("'s", "’s"):
            if "kind" in names_of(stem, language):
                piece = replace(piece, fate=MAPPED, meant=stem, names=frozenset({"kind"}))
        # Of children's, who are no word of the world, there is none, nor in a kids' drawing.
        owns = language == "en" and text[piece.end : piece.end + 1] in ("'", "’")
        if piece.fate == MAPPED and "kind" in piece.names and owns and stem.endswith("s"):
            piece = replace(piece, fate=UNKNOWN, meant="", names=frozenset({"other"}))
        out.append(piece)
    return out


def _quoted(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """What stands in quotation marks is a text to be seen, and says nothing of the scene."""
    for found in _QUOTED.finditer(text):
        if found.end() - found.start() < len(text.strip()):
            inner = [i for i, p in enumerate(pieces) if found.start() < p.start < found.end()]
            pieces = merged(pieces, inner, text, UNKNOWN)
    return pieces


def _nouns(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """English verbs that are nouns, and the other way round: can you, a fly, she left the house."""
    if language != "en":
        return pieces
    out = list(pieces)
    for i, piece in enumerate(pieces):
        word = plain(piece.typed, language)
        before = pieces[i - 1] if i and tight(text, pieces[i - 1].end, piece.start) else None
        after = next((p for p in pieces[i + 1 : i + 2] if tight(text, piece.end, p.start)), None)
        article = before is not None and (
            plain(before.typed, language) in _DET or bool(before.names & (ATTRS | {"number"}))
        )
        dressed = i > 1 and plain(pieces[i - 2].typed, language).split()[-1:] == ["in"]
        described = before is not None and bool(before.names & ATTRS) and not dressed
        clause = before is not None and before.typed.lower() in ("that", "who", "which")
        if word == "can" and (clause or not article) and len(pieces) > 1 and not described:
            seen = after is not None and plain(after.typed, language).startswith("be")
            meant = piece.typed if seen else ""  # can be seen nearby
            out[i] = replace(piece, fate=SILENCE, meant=meant, names=frozenset())
        elif word == "left" and after and plain(after.typed, language) in _DET:
            out[i] = replace(piece, fate=UNKNOWN, meant="", names=frozenset())
        elif (
            piece.fate == READ
            and piece.names
            and piece.names <= {"action", "event", "manner"}
            and not word.endswith(("ing", "ed"))
            and (article if word in _base() else described)
        ):
            out[i] = replace(piece, fate=UNKNOWN, meant="", names=frozenset())
    return out


@cache
def _base() -> frozenset[str]:
    """Verbs as they stand in a dictionary: run, fly."""
    rows = (r for table in ("action", "event", "collision") for r in PHRASES[table])
    return frozenset(f[1] for row in rows for f in row.heard("en") if len(f) > 2)


def _modifiers(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """A near word before a thing or a place says of what it is: a marble table is no ball.

    Nor is a pyramid of cans a cone.
    """
    out = list(pieces)
    for i, (piece, after) in enumerate(zip(pieces, pieces[1:], strict=False)):
        first = plain(after.typed, language).split()[0]
        if (
            piece.fate == MAPPED
            and "kind" in piece.names
            and (
                first == "of"
                or (
                    after.names & {"kind", "setting"} and first not in _DET | _WITHIN | {"at", "by"}
                )
            )
            and tight(text, piece.end, after.start)
        ) or _compound(pieces, i, text, language):
            what = "thing" if first == "of" else "other"
            out[i] = replace(piece, fate=UNKNOWN, meant="", names=frozenset({what}))
    return out


def _compound(pieces: list[Piece], at: int, text: str, language: str) -> bool:
    """Whether a near word with an article is the first of a name of two nouns: a brick wall.

    After one thing a word is a noun if it is of no closed class and has no ending of a verb.
    """
    if language == "zh" or not 0 < at < len(pieces) - 1 or pieces[at].fate != MAPPED:
        return False
    before, piece, after = pieces[at - 1 : at + 2]
    if "kind" not in piece.names or plain(piece.typed, language).endswith("s"):
        return False
    led = plain(before.typed, language)
    if led not in _DET and led not in SILENT["en"] and before.fate != UNKNOWN:
        return False
    word = plain(after.typed, language)
    noun = not word.endswith(("s", "ed", "ing", "ly", "ful", "less")) and word.isalpha()
    neutral = after.fate == UNKNOWN or (after.fate == READ and not after.names)
    near = tight(text, before.end, piece.start) and tight(text, piece.end, after.start)
    return near and neutral and noun and word not in NO_NOUNS


def _places(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """A spaceship is a place for who is in it, else a thing that the world does not have."""
    out = list(pieces)
    for i, piece in enumerate(pieces):
        if piece.fate == READ and plain(piece.typed, language) in _INSIDE:
            near_by = pieces[max(0, i - 2) : i] + (
                pieces[i + 1 : i + 2] if language == "zh" else []
            )
            words = [plain(p.typed, language) for p in near_by]
            side = [plain(p.typed, language) for p in pieces[max(0, i - 4) : i]]
            if any(pair in zip(side, side[1:], strict=False) for pair in _OUTSIDE):
                words = [word for word in words if word != "of"]
            if len(pieces) > 1 and not any(word in _WITHIN for word in words):
                out[i] = replace(piece, fate=UNKNOWN, meant="", names=frozenset({"thing"}))
    return out


def _heads(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """Colours, sizes and numbers of things that are not known go with these."""
    i = 0
    while i < len(pieces):
        fate = pieces[i].fate
        lit = fate == IDLENESS and _coloured_light(pieces, i, text, language)
        if lit or (fate == UNKNOWN and _is_thing(pieces, i, text, language)):
            first = i
            while first and tight(text, pieces[first - 1].end, pieces[first].start):
                before = pieces[first - 1]
                word = plain(before.typed, language)
                counts = word in MEASURES or word == "的" or word in NUMBERS_ZH
                does = len(word) == 1 and before.names and before.names <= DEEDS  # 开茶话会
                does = does and "一" <= pieces[i].typed[0] <= "鿿"
                if (
                    before.names & ATTRS
                    or "number" in before.names
                    or (language == "zh" and (counts or does))
                    or (before.fate == UNKNOWN and before.typed and not _adverb(word))
                ):
                    first -= 1
                elif _both_colours(pieces, first, text, language):
                    first -= 2
                else:
                    break
            # A thing before it, as in 狗的尾巴, keeps its 的; "a" is no number that needs telling.
            while first < i and (
                pieces[first].typed == "的" or plain(pieces[first].typed, language) in _DET
            ):
                first += 1
            if first < i:
                pieces = merged(pieces, range(first, i + 1), text, fate, {"thing"})
                i = first
            pieces = _unheld(pieces, i, language)
        i += 1
    return pieces


def _both_colours(pieces: Sequence[Piece], at: int, text: str, language: str) -> bool:
    """Whether a colour is one of two of a thing: a red and white striped umbrella."""
    if at < 2 or plain(pieces[at - 1].typed, language) not in _ALSO:
        return False
    near = unbroken(pieces, range(at - 2, at + 1), text)
    return near and all("color" in pieces[i].names for i in (at, at - 2))


def _coloured_light(pieces: Sequence[Piece], at: int, text: str, language: str) -> bool:
    """Whether a colour is that of light or film, which nothing has: warm orange light."""
    word = plain(pieces[at].typed, language)
    before = at - 1
    if language == "zh" and before > 0 and pieces[before].typed == "的":
        before -= 1
    if before < 0 or not tight(text, pieces[before].end, pieces[before + 1].start):
        return False
    named = word.split()[-1] in FILMING or any(word.endswith(w) for w in FILMING_ZH)
    after = pieces[at + 1] if at + 1 < len(pieces) else None
    ends = after is None or not after.names & {"kind", "wear"}
    return named and ends and "color" in pieces[before].names


def _unheld(pieces: list[Piece], at: int, language: str) -> list[Piece]:
    """The words that lead up to a thing that is not known are not read either: with a."""
    out, i = list(pieces), at - 1
    after = pieces[at + 1] if at + 1 < len(pieces) else None
    if after is not None and (after.names & (ATTRS | {"wear"}) or after.typed in ("and", "和")):
        return out  # 穿白球鞋紫外套: the coat is worn, too
    while i >= 0 and pieces[i].fate == SILENCE:
        word = plain(pieces[i].typed, language)
        if word not in (_DET if i == at - 1 else frozenset()) and word not in _HOLDS:
            break
        out[i] = replace(pieces[i], meant="")
        if word in _HOLDS:
            break
        i -= 1
    return out


def _is_thing(pieces: Sequence[Piece], at: int, text: str, language: str) -> bool:
    """Whether a piece that is not known names a thing, and not how a known one is."""
    piece = pieces[at]
    word = plain(piece.typed, language)
    if "other" in piece.names:
        return False
    if language == "zh":
        after = pieces[at + 1] if at + 1 < len(pieces) else None
        if after is not None and tight(text, piece.end, after.start):
            if "kind" in after.names:
                return False
            if after.typed == "的" and "thing" not in piece.names:
                return False
        return not _describes(pieces, at, text)
    if _adverb(word) and not _gerund(pieces, at, text):
        return False
    for previous, after in zip(pieces[at:], pieces[at + 1 :], strict=False):
        if not tight(text, previous.end, after.start):
            return True
        first = plain(after.typed, language).split()[0]
        if after.names & {"kind", "wear", "setting"} and first not in _DET | _WITHIN | {"at", "by"}:
            return False
        does = bool(after.names) and after.names <= DEEDS  # 12 birds fly over
        if does or not (after.fate in (UNKNOWN, IDLENESS) or after.names & ATTRS):
            return True
    return True


def _describes(pieces: Sequence[Piece], at: int, text: str) -> bool:
    """Chinese: whether words that are not known say how a known thing is: 四辆颜色不同的汽车."""
    i = at
    while i + 2 < len(pieces) and tight(text, pieces[i].end, pieces[i + 1].start):
        i += 1
        if pieces[i].typed == "的":
            return "thing" not in pieces[at].names and "kind" in pieces[i + 1].names
        if pieces[i].fate != UNKNOWN and not pieces[i].names <= ATTRS:
            return False
    return False


def _gerund(pieces: Sequence[Piece], at: int, text: str) -> bool:
    """Whether a word in -ing is what a clause of no more than its looks ends with: teal grading."""
    if at + 1 < len(pieces) and tight(text, pieces[at].end, pieces[at + 1].start):
        return False
    i = at
    while i and tight(text, pieces[i - 1].end, pieces[i].start):
        i -= 1
        word = plain(pieces[i].typed, "en")
        if not (pieces[i].names & ATTRS or pieces[i].fate == UNKNOWN or word in _DET | _ALSO):
            return False
    return i < at and "color" in pieces[at - 1].names


def _adverb(word: str) -> bool:
    return word.endswith("ly") or (word.endswith("ing") and word not in THINGS_EN_ING)


def _settings(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """Colours of a place are none of a thing: in an emerald meadow."""
    out = list(pieces)
    for i in range(len(out) - 2, -1, -1):
        after = i + 1
        if language == "zh" and out[after].typed == "的" and after + 1 < len(out):
            after += 1
        here, there = out[i], out[after]
        named = plain(there.typed, language).split()[:1] not in _WHERE
        place = "setting" in there.names and "kind" not in there.names and named
        passed = there.fate == IDLENESS and "place" in there.names
        if (
            here.names
            and here.names <= ATTRS
            and (place or passed)
            and tight(text, here.end, there.start)
        ):
            out[i] = replace(here, fate=IDLENESS, meant="", names=frozenset({"place"}))
            if after > i + 1:
                out[i + 1] = replace(out[i + 1], meant="")
    return out


RULES = (
    _possessive, _quoted, negated, *ASIDES, _nouns, _modifiers, _places, *UNSHOWN, _heads,
    _settings,
)  # fmt: skip
