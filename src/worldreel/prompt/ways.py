"""Where from is not where to: what comes from the right goes to the left.

Rules over pieces like those of `neighbours`.
"""

from __future__ import annotations

from dataclasses import replace

from worldreel.prompt.pieces import (
    DONE,
    IDLENESS,
    MAPPED,
    READ,
    SILENCE,
    UNKNOWN,
    Piece,
    clause,
    merged,
    names_of,
    plain,
    tight,
    unbroken,
)

_SIDED = frozenset({"direction", "side"})
_COMES = frozenset(
    "come comes coming came enters enter entering entered moves move moving moved goes go "
    "going".split()
)
_TO = {
    "en": {"right": "to the left", "left": "to the right"},
    "zh": {"右": "向左", "左": "向右"},
}
_GOAL = frozenset("到 向 往 朝".split())
_NEARER = frozenset("来 过来 进来 出来".split())
_HERE = _NEARER | frozenset("去 过去 过".split())
_OFF = frozenset({"away", "far away", "further away", "off"})
_CLOSER = frozenset({"closer", "nearer"})
_HITS = frozenset("撞 碰".split())
_LASTS = frozenset("着 了 过 来 去 到 上 下 向 的".split())
_VERB = 2  # characters, at the least, of a verb that may be part of a name


def _from(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """From the right, after what somebody does, is to the left, unless that is said."""
    at = 0
    while at + 1 < len(pieces):
        last = at + 1
        if plain(pieces[last].typed, language) == "the":
            last += 1
        word = plain(pieces[at].typed, language)
        goal = _to(pieces, last, language) if word in ("from", "从") else ""
        if goal and tight(text, pieces[at].end, pieces[at + 1].start):
            within = clause(pieces, at, text, language)
            said = any(
                pieces[i].names & _SIDED and pieces[i].fate == READ and pieces[i].typed not in _HERE
                for i in within
                if i != last
            )
            goes = any(plain(pieces[i].typed, language) in _GOAL for i in within if i > last)
            if goes and language == "zh":  # from the left to the right, as the world says it
                at += 1
                continue
            moves = not said and _moves(pieces, at, within, language)
            pieces = merged(pieces, range(at, last + 1), text, MAPPED if moves else IDLENESS)
            if moves:
                pieces[at] = replace(pieces[at], meant=goal, names=frozenset({"direction"}))
                for i in range(at + 1, len(pieces)):  # 过来 is then no nearer to us
                    if not tight(text, pieces[i - 1].end, pieces[i].start):
                        break
                    if language == "zh" and pieces[i].typed in _NEARER:
                        pieces[i] = replace(pieces[i], fate=IDLENESS, meant="")
        at += 1
    return pieces


def _to(pieces: list[Piece], at: int, language: str) -> str:
    """Where that goes which comes from a side; "" for no side."""
    if at >= len(pieces) or pieces[at].fate not in (READ, SILENCE):
        return ""
    word = plain(pieces[at].typed, language)
    if language == "en":
        return _TO["en"].get(word, "")
    sided = word[:1] in _TO["zh"] and word[1:] in ("", "边", "侧", "面", "方")
    return _TO["zh"][word[0]] if sided else ""


def _moves(pieces: list[Piece], at: int, within: range, language: str) -> bool:
    """Whether somebody goes: English says so before, Chinese after."""
    if any("camera" in pieces[i].names for i in within):
        return False
    for i in within:
        if (i < at) == (language == "en"):
            deed = bool(pieces[i].names) and pieces[i].names <= DONE
            deed = deed and pieces[i].fate in (READ, MAPPED)
            if deed or plain(pieces[i].typed, language) in _COMES | _HERE:
                return True
    return False


def _away(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """Away from a dragon is not away from us, nor closer to it closer to us."""
    out = list(pieces)
    for at, (piece, after) in enumerate(zip(pieces, pieces[1:], strict=False)):
        words = plain(piece.typed, language), plain(after.typed, language)
        off = words[0] in _OFF and words[1] == "from"
        if (off or (words[0] in _CLOSER and words[1] == "to")) and piece.fate == READ:
            if tight(text, piece.end, after.start):
                out[at] = replace(piece, fate=IDLENESS, meant="")
                out[at + 1] = replace(after, meant="")
    return out


def _about(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """飞来飞去 is flying about, towards nobody."""
    at = 0
    while at + 3 < len(pieces):
        four = pieces[at : at + 4]
        if (
            [p.typed for p in four] == [four[0].typed, "来", four[0].typed, "去"]
            and four[0].fate == READ
            and unbroken(pieces, range(at, at + 4), text)
        ):
            pieces = merged(pieces, range(at, at + 4), text, MAPPED)
            pieces[at] = replace(pieces[at], meant=four[0].typed, names=four[0].names)
        at += 1
    return pieces


def _called(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """Chinese: what one does has its 的 before the noun; without it is part of a name: 奔驰车."""
    out = list(pieces)
    for at, (piece, after) in enumerate(zip(pieces, pieces[1:], strict=False)):
        if (
            language == "zh"
            and piece.fate == READ
            and piece.names
            and piece.names <= DONE
            and len(piece.typed) >= _VERB
            and piece.typed[0] not in _HITS
            and piece.typed[-1] not in _LASTS
            and "kind" in after.names
            and tight(text, piece.end, after.start)
            and names_of(piece.typed, "zh") <= DONE
        ):
            within = clause(pieces, at, text, language)
            if not any("kind" in pieces[i].names for i in within if i < at):
                out[at] = replace(piece, fate=UNKNOWN, meant="", names=frozenset({"other"}))
    return out


WAYS = (_from, _away, _about, _called)
