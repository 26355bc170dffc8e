"""The fate of each word, now that the facts of its prompt are known.

By construction a word is read as part of a phrase that states one of these facts, or is of the
closed class that holds sentences together (`particles`), or is told: nothing else is silent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from worldreel.models.text import TextEncoder
from worldreel.prompt.account import Account, joints
from worldreel.prompt.particles import LEADS, settled
from worldreel.prompt.phrases import CAMERAS, Meant
from worldreel.prompt.pieces import (
    IDLENESS,
    MAPPED,
    READ,
    SILENCE,
    UNKNOWN,
    Piece,
    clause,
    plain,
)
from worldreel.prompt.said import alone, spans_of, stated_by
from worldreel.prompt.sharing import unshared
from worldreel.world.labels import COUNTS
from worldreel.world.parse.grammar import grammar


def fates(
    told: Account, slots: Mapping[str, str], encoder: TextEncoder, by: Mapping[int, set[Meant]]
) -> tuple[Piece, ...]:
    """The pieces of a prompt of which the facts are known, by the names of their slots.

    by: what phrases say, by a piece's number (`told_by`).
    """
    values = stated_by(slots)
    counts = {v for slot, v in slots.items() if slot.startswith("count")}
    out = []
    for number, piece in enumerate(told.pieces):
        meant = by.get(number, set())
        if piece.fate == SILENCE and piece.meant and meant & values:
            piece = replace(piece, fate=READ)  # within a phrase: one by one
        if piece.fate not in (READ, MAPPED) or not piece.meant:
            out.append(piece)
            continue
        fate = piece.fate
        hint = _hint(number, told, slots) if not meant & values else None
        if not encoder.lexicon.read(piece.meant).ids and not meant & values:
            fate = UNKNOWN  # to an encoder of fewer words
        elif hint is not None:
            out.append(replace(piece, fate=MAPPED if hint else READ, meant=hint or piece.meant))
            continue
        elif "number" in piece.names:
            fate = fate if _count(piece.meant) in counts else IDLENESS
        elif {name for name, _ in meant} == {"wear"}:
            fate = fate if _worn(out, meant, values) else IDLENESS
        elif meant and not meant & values:
            fate = SILENCE if piece.typed.lower() in LEADS[told.language] else IDLENESS
        elif not meant and fate == READ:
            fate = SILENCE  # so far
        out.append(replace(piece, fate=fate))
    for number in unshared(told, by, slots):
        if out[number].fate in (READ, MAPPED):
            out[number] = replace(out[number], fate=IDLENESS)
    related = any(slot == "side" or value in ("hits", "stacks") for slot, value in slots.items())
    known = joints(told.language)
    return settled(out, told.prompt, told.language, joints=known, related=related)


def _worn(before: Sequence[Piece], meant: set[Meant], values: set[Meant]) -> bool:
    """Whether clothes are those that somebody is drawn in: of which only the colour is a fact."""
    last = next((piece for piece in reversed(before) if piece.fate in (READ, MAPPED)), None)
    who = {("kind", value) for _, value in meant}
    return bool(who & values) and last is not None and "color" in last.names


def _hint(number: int, told: Account, slots: Mapping[str, str]) -> str | None:
    """Of a word that a fact was read in, though no phrase states it: "" if it says all of that,
    else what was read; None where no fact was read in it. Another clause's left is not its own."""
    piece = told.pieces[number]
    within = clause(told.pieces, number, told.prompt, told.language)
    own = " ".join(told.pieces[i].meant for i in within)
    words = alone(told.language)
    tokens = [t for t in grammar(told.language).tokens(piece.meant) if t in words]
    for token in tokens:
        for name, value in words[token]:
            if slots.get(name, slots.get(f"{name}0")) == value:
                side = value.rpartition("_")[2]
                guessed = side in _SIDES and not any(w in own for w in _SIDES[side])
                if name == "camera" and side not in _SIDES:  # dolly in, or out
                    guessed = len(_possible(own, name, told.language)) > 1
                return value.replace("_", " ") if guessed else ""
    filmed = "camera" in slots and CAMERAS.fullmatch(piece.meant.lower())
    return "" if filmed and not _looked_at(number, told) else None


def _looked_at(number: int, told: Account) -> bool:
    """Whether a camera is one that somebody looks or barks at: none that films is named so."""
    before = [plain(p.typed, told.language) for p in told.pieces[max(0, number - 2) : number]]
    while before and before[-1] in ("the", "a", "our", "着"):
        before.pop()
    return bool(before) and before[-1] in _AT[told.language]


def _possible(text: str, name: str, language: str) -> set[str]:
    """What the words of a clause that speak of one fact alone may all say of it."""
    words = alone(language)
    spoken = [
        {value for n, value in words[token] if n == name}
        for token in grammar(language).tokens(text)
        if any(n == name for n, _ in words.get(token, ()))
    ]
    return set.intersection(*spoken) if spoken else set()


def told_by(told: Account) -> dict[int, set[Meant]]:
    """By the number of a piece what the phrases say that it is part of."""
    whose = told.owners
    whole = whose if told.language == "zh" else None
    found: dict[int, set[tuple[str, str]]] = {}
    for a, b, _, meant in spans_of(told.text, told.language, whole):
        for at in range(a, b):
            if at in whose:
                found.setdefault(whose[at], set()).update(meant)
    return found


_AT = {
    "en": frozenset("at for toward towards facing behind past to into".split()),
    "zh": frozenset("对 对着 朝 朝着 向 看 看着 盯着 面对 面向".split()),
}
_SIDES = {"left": ("left", "左"), "right": ("right", "右")}
_NUMBERS: dict[str, str] = dict(
    zip("one two three four 一 两 三 四".split(), COUNTS * 2, strict=True)
)


def _count(text: str) -> str:
    """The number that a text begins with."""
    word = text.lower().split()[0]
    return _NUMBERS.get(word) or _NUMBERS.get(word[0]) or word
