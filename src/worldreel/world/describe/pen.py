"""Writing with chance: phrases are picked from the tables, templates are picked and filled.

A piece is a bit of text with the facts that it states; pieces are put together to captions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from worldreel.world.facts import Fact
from worldreel.world.words import TEMPLATES, phrases
from worldreel.world.words.slots import filled, slots, written

T = TypeVar("T")

# What joins clauses and should not stand twice in a sentence.
_JOINTS = re.compile(r" (?:while|with|as|and) |同时|而|附近|旁边")


@dataclass(frozen=True)
class Piece:
    """A bit of text and what it states. several: as a subject it takes a verb's plural."""

    text: str
    facts: tuple[Fact, ...] = ()
    several: bool = False

    def plus(self, facts: Iterable[Fact]) -> Piece:
        return replace(self, facts=tuple(dict.fromkeys((*self.facts, *facts))))


def joined(between: str, pieces: Sequence[Piece]) -> Piece:
    said = dict.fromkeys(fact for piece in pieces for fact in piece.facts)
    return Piece(between.join(piece.text for piece in pieces), tuple(said))


Slots = Mapping[str, Piece | None]  # what a template's slots can be filled with


class Pen:
    """Picks words in one language; `rng` chooses among what could be said."""

    def __init__(self, rng: np.random.Generator, language: str):
        self.rng = rng
        self.language = language
        self.english = language == "en"

    def often(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, values: Sequence[T]) -> T:
        return values[int(self.rng.integers(len(values)))]

    def order(self, values: Sequence[T]) -> list[T]:
        return [values[i] for i in self.rng.permutation(len(values))]

    def forms(
        self,
        slot: str,
        value: str,
        *kinds: str,
        fit: Callable[[str], bool] = lambda phrase: True,
    ) -> tuple[str, ...]:
        """A phrase of a value in all its forms, for all these kinds; () where there is none.

        fit: of what is picked, where it can be had.
        """
        found = self.common(slot, value, *kinds)
        found = [phrase for phrase in found if fit(phrase[0])] or found
        return self.pick(found) if found else ()

    def common(self, slot: str, value: str, *kinds: str) -> list[tuple[str, ...]]:
        """The phrases that can be said of things of all these kinds at once."""
        each = [phrases(slot, value, self.language, kind) for kind in kinds or ("",)]
        return [p for p in each[0] if all(p in others for others in each)]

    def word(self, slot: str, value: str, *kinds: str, form: int = 0) -> str:
        """A phrase of a value as it is written."""
        return self.spelled(self.forms(slot, value, *kinds)[form])

    def spelled(self, phrase: str) -> str:
        return phrase if self.english else phrase.rstrip("!").replace(" ", "")

    def fill(self, name: str, given: Slots, *, must: Iterable[str] = (), after: str = "") -> Piece:
        """One of the templates of that name, filled: one that holds all that `must` be said.

        must: names of slots, `moves|moving` for one of two. after: what the sentence has said so
        far; a joint that stands there is not taken again where another will do.
        """
        have = {slot: piece for slot, piece in given.items() if piece}
        wanted = [set(slot.split("|")) for slot in must]
        wanted = [names for names in wanted if names & have.keys()]
        fitting = [
            template
            for template in written(TEMPLATES[name][self.language])
            if slots(template)[0] <= have.keys()
            and all(names & slots(template)[1] for names in wanted)
        ]
        assert fitting, f"no template of {name!r} in {self.language} holds {sorted(have)}"
        used = set(_JOINTS.findall(after))
        fresh = [t for t in fitting if not used & set(_JOINTS.findall(t))]
        text, said = "", []
        for bit in filled(self.pick(fresh or fitting), frozenset(have)):
            piece = have[bit[1:-1]] if bit.startswith("{") else Piece(bit)
            text += piece.text
            said += piece.facts
        return Piece(text, tuple(dict.fromkeys(said)))
