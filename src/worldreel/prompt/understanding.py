"""What a prompt is understood to say, and what became of each of its words: one reading for all.

Whatever takes a prompt reads it here: `generate` and its neighbours, `prompt`, the rewriter, and
those who judge. What nothing in the prompt says is not understood, though the encoder may read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from worldreel.errors import SceneError
from worldreel.models.text import Reading, TextEncoder
from worldreel.prompt.account import Account, account
from worldreel.prompt.common import SILENT
from worldreel.prompt.pieces import IDLENESS, MAPPED, READ, SILENCE, UNKNOWN, Piece
from worldreel.prompt.said import CAMERAS, Said, alone, said, spans_of, stateable, stated_by
from worldreel.world.labels import COUNTS, LABELS
from worldreel.world.parse.grammar import grammar
from worldreel.world.parse.shots import cut

_LONG = 20  # characters per word of an encoder's window
_DONE = frozenset({"action", "direction", "event", "manner"})  # by somebody
_NOTHING = Said((), {}, {}, {})


@dataclass(frozen=True, kw_only=True)
class Understood:
    """account: each word's fate; said: the facts; slots: the same as the transformer is told them.

    logits: the encoder's, one tensor 1 v for each of M slots; reading: the words that it was given.
    """

    account: Account
    said: Said
    slots: Mapping[str, str]
    logits: list[Tensor]
    reading: Reading

    def states(self, encoder: TextEncoder) -> Tensor:
        """1 M E: the encoder's own where it reads what is said, else the code of what is said."""
        told = []
        for (name, values), x in zip(encoder.labels.items(), self.logits, strict=True):
            value = values.index(self.slots[name]) if self.slots.get(name) in values else 0
            agrees = int(x[0].argmax()) == value or name not in LABELS
            sure = functional.one_hot(torch.tensor([value], device=x.device), len(values))
            told.append(x if agrees else sure.to(x.dtype).log())
        return encoder.states(told)


@torch.no_grad()
def understand(encoder: TextEncoder, prompt: str, *, seed: int = 0) -> Understood:
    """Read a prompt. seed: of which words follow that may mean either of two, as a person may."""
    told = account(prompt, pick=seed)
    ids, (reading,) = encoder.tokens([told.text])
    logits = encoder.read(ids)
    heard = encoder.facts(logits) if reading.ids else {}
    heard = {slot: value for slot, value in heard.items() if value in LABELS.get(slot, ())}
    found = _NOTHING
    if not beyond(encoder, told.text) and len(cut(told.text, told.language)) == 1:
        try:
            found = _without_whom(said(encoder, told.text, told.language, heard=heard), told)
        except SceneError:  # parts too deep within each other
            pass
        slots = dict(found.slots)
    if not found.facts:
        can = stateable(told.text, told.language)
        slots = {
            slot: value
            for slot, value in heard.items()
            if (slot.rstrip("0123456789"), value) in can or slot == "shots"
        }
        if any(slot.startswith("kind") for slot in slots):
            slots |= {s: v for s, v in heard.items() if s.startswith("count")}
        slots = _nobody(slots) if told.of(UNKNOWN) else slots
    told = replace(told, pieces=_fates(told, slots, encoder))
    return Understood(account=told, said=found, slots=slots, logits=logits, reading=reading)


def beyond(encoder: TextEncoder, text: str) -> bool:
    """Whether a text is longer than the encoder's window, or one that no one could parse."""
    most = encoder.preset.max_words
    return len(encoder.lexicon.read(text).ids) > most or len(text) > _LONG * most


def _without_whom(found: Said, told: Account) -> Said:
    """Without what is done by one that is not known: of a bird that flies nothing is left."""
    if not told.of(UNKNOWN) or any(slot.startswith("kind") for slot in found.slots):
        return found
    facts = tuple(fact for fact in found.facts if fact.name not in _DONE)
    return Said(facts, _nobody(found.slots), _nobody(found.read), found.unused)


def _nobody(slots: Mapping[str, str]) -> dict[str, str]:
    if any(slot.startswith("kind") for slot in slots):
        return dict(slots)
    return {s: v for s, v in slots.items() if s.rstrip("0123456789") not in _DONE | {"count"}}


# What became of each piece, now that the facts are known.


def _fates(told: Account, slots: Mapping[str, str], encoder: TextEncoder) -> tuple[Piece, ...]:
    """The pieces: those that say something else than the facts change nothing, and are told."""
    values = stated_by(slots)
    counts = {v for slot, v in slots.items() if slot.startswith("count")}
    said_by = _said_by(told)
    out = []
    for number, piece in enumerate(told.pieces):
        if piece.fate not in (READ, MAPPED) or not piece.meant:
            out.append(piece)
            continue
        meant = said_by.get(number, set())
        fate = piece.fate
        hint = _hint(piece, told, slots) if not meant & values else None
        if not encoder.lexicon.read(piece.meant).ids and not meant & values:
            fate = UNKNOWN  # to an encoder of fewer words
        elif hint is not None:
            out.append(replace(piece, fate=MAPPED if hint else READ, meant=hint or piece.meant))
            continue
        elif "number" in piece.names:
            fate = fate if _count(piece.meant) in counts else IDLENESS
        elif meant and not meant & values and {name for name, _ in meant} != {"wear"}:
            fate = IDLENESS
        elif not meant and fate == READ:
            fate = SILENCE if _holds(piece, told.language) else IDLENESS
        out.append(replace(piece, fate=fate))
    return tuple(out)


def _hint(piece: Piece, told: Account, slots: Mapping[str, str]) -> str | None:
    """Of a word that a fact was read in, though no phrase states it: "" if it says all of that,
    else what was read; None where no fact was read in it."""
    words = alone(told.language)
    tokens = [t for t in grammar(told.language).tokens(piece.meant) if t in words]
    for token in tokens:
        for name, value in words[token]:
            if slots.get(name, slots.get(f"{name}0")) == value:
                side = value.rpartition("_")[2]
                open_side = side in _SIDES and not any(w in told.text for w in _SIDES[side])
                return value.replace("_", " ") if open_side else ""
    filmed = "camera" in slots and CAMERAS.fullmatch(piece.meant.lower())
    return "" if filmed else None


def _said_by(told: Account) -> dict[int, set[tuple[str, str]]]:
    """By the number of a piece what the phrases say that it is part of."""
    language = told.language
    owners = [
        number
        for number, piece in enumerate(told.pieces)
        for token in grammar(language).tokens(piece.meant)
        if token[0].isalnum()
    ]
    tokens = grammar(language).tokens(told.text)
    places = [at for at, token in enumerate(tokens) if token[0].isalnum()]
    whose = dict(zip(places, owners, strict=False))
    found: dict[int, set[tuple[str, str]]] = {}
    for a, b, _, meant in spans_of(told.text, language):
        for at in range(a, b):
            if at in whose:
                found.setdefault(whose[at], set()).update(meant)
    return found


def _holds(piece: Piece, language: str) -> bool:
    """Whether a word of no fact holds the sentence together."""
    if language == "zh":
        return all(c in SILENT["zh"] for c in piece.meant) or piece.meant in SILENT["zh"]
    return all(word in SILENT["en"] for word in piece.meant.lower().replace("-", " ").split())


_SIDES = {"left": ("left", "左"), "right": ("right", "右")}
_NUMBERS: dict[str, str] = dict(
    zip("one two three four 一 两 三 四".split(), COUNTS * 2, strict=True)
)


def _count(text: str) -> str:
    """The number that a text begins with."""
    word = text.lower().split()[0]
    return _NUMBERS.get(word) or _NUMBERS.get(word[0]) or word
