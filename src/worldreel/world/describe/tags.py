"""Captions of a few words, comma by comma, in any order."""

from __future__ import annotations

from collections.abc import Sequence

from worldreel.world.describe.around import Around
from worldreel.world.describe.cast import Unit
from worldreel.world.describe.clauses import Clause, Clauses, Filled
from worldreel.world.describe.pen import Pen, Piece, joined
from worldreel.world.facts import Fact
from worldreel.world.words import PEOPLE


class Tags:
    """Writes a tag of one caption."""

    def __init__(self, pen: Pen, clauses: Clauses, around: Around):
        self.pen = pen
        self.clauses = clauses
        self.around = around
        self.cast = clauses.cast

    def write(self, units: Sequence[Unit]) -> Piece:
        """Who does what, where, when, how filmed: most of it, and at times who alone."""
        pen, around = self.pen, self.around
        words = self._keywords(units[0]) if len(units) == 1 and pen.often(0.25) else []
        inside: Filled = {}
        if not words and not pen.english and pen.often(0.45):
            inside = self._place(units[0])
        told = (
            [self._told(u, {} if n else inside) for n, u in enumerate(units)] if not words else []
        )
        if pen.often(0.2):
            return self._listed([*told, *words])
        where = None
        if not inside:
            where = around.setting(pen.pick(("setting", "at" if pen.english else "spot")), 0.85)
        if told and where and pen.english and pen.often(0.45):
            at = around.setting("at", 1.0)  # red ball on snow
            told[-1] = pen.fill("tag", {"core": told[-1], "where": at}, must=("where",))
            where = None
        light, weather = around.hour(0.6), around.weather("forecast", 0.8)
        both = around.weathered(light, weather, tag=True)
        rest = [
            where,
            both or light,
            None if both else weather,
            around.style(pen.pick(("style", "medium")), 0.8),
            around.camera(0.75, tag=True),
        ]
        order = pen.order([piece for piece in rest if piece])
        if words:
            return self._listed([words[0], *pen.order([*words[1:], *order])])
        first = 0 if pen.often(0.6) else int(pen.rng.integers(len(order) + 1))
        return self._listed([*order[:first], *told, *order[first:]])

    def _listed(self, pieces: Sequence[Piece]) -> Piece:
        return joined(", " if self.pen.english else "，", pieces)

    def _told(self, unit: Unit, place: Filled) -> Piece:
        """A unit, and what its subject does next."""
        clause: Clause = self.clauses.tell(unit, "tag", place)
        return self.clauses.next(clause, unit, "tag", 0.7)

    def _place(self, unit: Unit) -> Filled:
        """Chinese: the place inside of the first clause, where that can hold one."""
        spot = self.around.setting("spot", 0.85)
        if spot is None or unit.verb != "acts" or not self.clauses.holds_place(unit):
            return {}
        where = self.pen.fill("where", {"spot": spot})
        return {"spot": spot, "where": where, "setting": self.around.setting("setting", 1.0)}

    def _keywords(self, unit: Unit) -> list[Piece]:
        """What, its colour, what it does, where to: each by itself; [] for more than one name."""
        cast = self.cast
        group, *others = unit.groups
        if unit.verb != "acts" or others:
            return []
        kind, colors = cast.kind(group[0]), [cast.color(i) for i in group]
        hues = tuple(fact for fact in colors if fact is not None)
        named = self.clauses.namer.new(group, bare=True, plain=bool(hues))
        words = [self._colored(kind, hues) if hues else None, self._deed(group)]
        words.append(self.clauses.way(group, 0.9))
        return [named, *(word for word in words if word)]

    def _deed(self, group: Sequence[int]) -> Piece | None:
        """What it does by itself: rolling."""
        action = self.cast.value("action", group[0])
        if not action or action == "topples":
            return None
        facts = [fact for i in group if (fact := self.cast.fact("action", i))]
        return self.clauses.verb("action", action, group, facts)[
            "doing" if self.pen.english else "does"
        ]

    def _colored(self, kind: str, hues: Sequence[Fact]) -> Piece:
        """A colour by itself, or that of a garment."""
        pen = self.pen
        color = Piece(pen.word("color", str(hues[0].value)), tuple(hues))
        if kind not in PEOPLE:
            return color
        garment = Piece(pen.word("garment", kind, form=int(pen.english and len(hues) > 1)))
        return joined(" " if pen.english else "", [color, garment])
