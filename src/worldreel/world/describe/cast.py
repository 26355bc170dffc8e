"""What is known of a scene, thing by thing, and which things are told of together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from worldreel.world.facts import Fact
from worldreel.world.words import IDLE

Key = tuple[str, str | None]  # a kind, and the colour where it is said


class Cast:
    """A list of facts, looked up by thing. hueless: things whose colour is not to be said."""

    def __init__(self, known: Sequence[Fact], hueless: Iterable[int] = ()):
        self.known = tuple(known)
        self._by = {(fact.name, *fact.args): fact for fact in known}
        self.things = [fact.args[0] for fact in known if fact.name == "kind"]
        self.hueless = frozenset(hueless)
        if self.value("style") == "black and white":
            self.hueless = frozenset(self.things)

    def fact(self, name: str, *args: int | str) -> Fact | None:
        return self._by.get((name, *args))

    def value(self, name: str, *args: int | str) -> str:
        """A fact's value, "" where it is not known."""
        found = self.fact(name, *args)
        return "" if found is None else str(found.value)

    def kind(self, index: int) -> str:
        return self.value("kind", index)

    def color(self, index: int) -> Fact | None:
        return None if index in self.hueless else self.fact("color", index)

    def key(self, index: int) -> Key:
        """What a thing is called by: two of one key are told apart by nothing but the count."""
        color = self.color(index)
        return self.kind(index), color and str(color.value)

    def alike(self, index: int) -> list[int]:
        """All things that are called like this one, itself among them."""
        return [i for i in self.things if self.key(i) == self.key(index)]

    def alone(self, index: int) -> bool:
        """Whether its kind alone says which one is meant."""
        return [i for i in self.things if self.kind(i) == self.kind(index)] == [index]

    def idle(self, index: int) -> bool:
        """Whether it goes nowhere, as far as is known."""
        action = self.value("action", index)
        return action in IDLE or not (action or self.fact("direction", index))

    def does(self, index: int) -> tuple[str, ...]:
        """What it does, all in all: things that do the same can share a clause."""
        return (self.value("action", index), self.value("direction", index), *self.events(index))

    def events(self, index: int) -> list[str]:
        """What an actor does in the midst of it, in the order of time."""
        return [str(f.value) for f in self.related("event") if f.args == (index,)]

    def related(self, name: str) -> list[Fact]:
        return [fact for fact in self.known if fact.name == name]

    def toppled(self, index: int) -> tuple[Fact, ...]:
        """That it fell over, as the list has it."""
        found = (self.fact("topples", index), self.fact("action", index))
        return tuple(f for f in found if f is not None and f.value in (True, "topples"))

    def counts(self) -> list[Fact]:
        """How many there are of each colour and kind; of a kind alone, from two up."""
        keys = dict.fromkeys(self.key(index) for index in self.things)
        found = [self.fact("count", *(word for word in key if word)) for key in keys]
        return [f for f in found if f is not None and (len(f.args) > 1 or f.value > 1)]


@dataclass(frozen=True)
class Unit:
    """One clause's worth of a scene: a subject, what it does, and to what.

    verb: hits, stacks, pair, or acts (all that one does alone). groups: the subject's things, each
    group called by one name. fact: the relation to `other`.
    """

    verb: str
    groups: tuple[tuple[int, ...], ...]
    other: int | None = None
    fact: Fact | None = None

    @property
    def things(self) -> list[int]:
        return [index for group in self.groups for index in group]


def units(cast: Cast, *, sides: bool) -> list[Unit]:
    """The scene cut into clauses that name every thing: what acts comes first.

    sides: whether it is to be said what is left of what.
    """
    found: list[Unit] = []
    named: set[int] = set()
    for name, verb in (("hits", "hits"), ("onto", "stacks"), ("side", "pair"))[: 2 + sides]:
        for fact in cast.related(name):
            a, b = fact.args
            again = b in named and cast.alike(b) == [b]
            if a not in named and (b not in named or again):
                found.append(Unit(verb, ((a,),), b, fact))
                named |= {a, b}
            elif verb == "pair" and b not in named and cast.alike(a) == [a]:
                found.append(Unit(verb, ((b,),), a, fact))
                named.add(b)
    groups: dict[tuple, list[int]] = {}
    for index in cast.things:
        if index not in named:
            groups.setdefault((cast.key(index), cast.does(index)), []).append(index)
    found += [Unit("acts", (tuple(group),)) for group in groups.values()]
    return sorted(
        found, key=lambda unit: unit.verb in ("acts", "pair") and cast.idle(unit.things[0])
    )
