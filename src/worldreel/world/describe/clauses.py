"""Clauses: who does what, in a sentence or in a tag.

A form is finite (a man walks), scrap (a man walking) or tag (man walking). A place is the slots
that hold one, where it is to stand inside of a clause, as it does in Chinese.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from worldreel.world.describe.cast import Cast, Unit
from worldreel.world.describe.naming import Namer
from worldreel.world.describe.pen import Pen, Piece, joined
from worldreel.world.facts import Fact
from worldreel.world.scene import OTHER_SIDE
from worldreel.world.words import IDLE, PEOPLE

Filled = dict[str, Piece | None]  # what a template's slots can be filled with

_VERBS = {  # a table of verbs -> its slots in a template: finite, participle
    "action": ("does", "doing"),
    "toppling": ("topples", "toppling"),
    "manner": ("moves", "moving"),
    "event": ("happens", "happening"),
    "collision": ("hits", "hitting"),
    "overturning": ("overturns", "overturning"),
    "landing": ("stacks", "stacking"),
    "fells": ("fells", "felling"),
}
_PLACE = ("where|spot|setting",)  # said inside of a clause, where it is given


@dataclass(frozen=True)
class Clause:
    """What is said of a unit. open: what the subject does next can follow; going: it travels.

    several: it takes a verb's plural where it is a subject itself.
    """

    said: Piece
    open: bool = False
    going: bool = False
    several: bool = False


class Clauses:
    """Writes the clauses of one caption."""

    def __init__(self, pen: Pen, cast: Cast):
        self.pen = pen
        self.cast = cast
        self.namer = Namer(pen, cast)
        # Whole sentences without articles, as people type them.
        self.terse = pen.often(0.12 if pen.english else 0.3)

    def tell(
        self,
        unit: Unit,
        form: str,
        place: Filled,
        *,
        opening: bool = False,
        ending: bool = False,
    ) -> Clause:
        """A unit in one clause; `place` may only be given where `holds_place`.

        opening: no clause stands before it; ending: no place, light or weather comes after it.
        """
        if unit.verb == "acts":
            return self._acts(unit, form, place, opening, ending)
        if unit.verb == "pair":
            return self._pair(unit, form, opening and ending)
        return (self._hits if unit.verb == "hits" else self._stacks)(unit, form, place)

    def holds_place(self, unit: Unit) -> bool:
        """Whether the place can stand inside of a unit's clause."""
        if self.pen.english or unit.verb in ("stacks", "pair"):
            return False
        return self.cast.value("action", unit.things[0]) != "topples"

    def shared(self, one: Unit, other: Unit) -> bool:
        """Whether two units can be told of in one clause: both do the same, in the same words."""
        a, b = one.things[0], other.things[0]
        if one.verb != "acts" or other.verb != "acts" or self.cast.does(a) != self.cast.does(b):
            return False
        verbs = [("action", value) for value in (self.cast.value("action", a),) if value]
        verbs += [("event", value) for value in self.cast.events(a)]
        kinds = self.cast.kind(a), self.cast.kind(b)
        return all(self.pen.common(slot, value, *kinds) for slot, value in verbs)

    # What a clause's slots hold.

    def verb(
        self,
        slot: str,
        value: str,
        things: Sequence[int],
        facts: Iterable[Fact],
        *,
        way: bool = False,
        noun: bool = False,
    ) -> Filled:
        """A verb as it fills its slots, finite and as a participle, with what it states.

        way, noun: whether a direction stands before it and a noun behind it, on which a Chinese
        verb depends.
        """

        def fit(phrase: str) -> bool:
            if self.pen.english or slot not in ("action", "manner"):
                return True
            return not ((way or noun) and phrase.endswith("!")) and (
                len(phrase) > 1 or (way and not noun)
            )

        kinds = [self.cast.kind(i) for i in things]
        phrase = self.pen.forms(slot, value, *kinds, fit=fit)
        forms = [self.pen.spelled(form) for form in phrase]
        finite, participle = _VERBS[slot]
        said = tuple(dict.fromkeys(facts))
        if not self.pen.english:
            verb = Piece(forms[0], said)
            lasts = slot in ("action", "manner") and not phrase[0].endswith("!")
            return {finite: verb, "goes": verb} if lasts else {finite: verb}
        return {
            finite: Piece(forms[int(len(things) > 1)], said),
            participle: Piece(forms[2], said),
        }

    def event(self, things: Sequence[int], value: str) -> Filled:
        """What actors do in the midst of it."""
        return self.verb("event", value, things, [Fact("event", (i,), value) for i in things])

    def tail(self, things: Sequence[int], form: str) -> Piece | None:
        """What actors do next, to follow their clause."""
        events = self.cast.events(things[0])
        if not events:
            return None
        event = self.event(things, events[0])
        then = None if self.pen.english else Piece(self.pen.word("then", "before"))
        return self.pen.fill("tail" if form == "finite" else "tag tail", {"then": then, **event})

    def way(self, things: Sequence[int], share: float) -> Piece | None:
        facts = self._facts("direction", things)
        if len(facts) < len(things) or not self.pen.often(share):
            return None
        return Piece(self.pen.word("direction", str(facts[0].value)), tuple(facts))

    def subject(self, a: Piece) -> Filled:
        """The subject, with what goes with it: the verb to be, or the Chinese 都."""
        if self.pen.english:
            return {"a": a, "is": Piece(("is", "are")[a.several])}
        both = a.several and self.pen.often(0.5)
        return {"a": a, "all": Piece(self.pen.word("all", ""))} if both else {"a": a}

    def _facts(self, name: str, things: Iterable[int]) -> list[Fact]:
        found = [self.cast.fact(name, i) for i in things]
        return [fact for fact in found if fact is not None]

    def next(self, clause: Clause, unit: Unit, form: str, share: float) -> Piece:
        """A clause with what its subject does next, if that is not yet said."""
        tail = self.tail(unit.things, form) if clause.open else None
        if tail is None or {*tail.facts} & {*clause.said.facts} or not self.pen.often(share):
            return clause.said
        return joined("", [clause.said, tail])

    # One clause each.

    def _acts(self, unit: Unit, form: str, place: Filled, opening: bool, ending: bool) -> Clause:
        """What things do by themselves; or, where that is not said, that they are there."""
        pen, things = self.pen, unit.things
        action = self.cast.value("action", things[0])
        idle = self.cast.idle(things[0])
        there = opening and not pen.english  # 有: there is
        verbless = form == "tag" or there or (opening and form == "scrap")  # it may be
        told = bool(action) and (not verbless or pen.often(0.75 if idle else 0.93))
        straight = idle or action == "falls"
        way = None if straight else self.way(things, 0.93 if action else 1.0)
        if told and verbless and self._before_noun(unit):
            share = {"tag": 0.4, "scrap": 0.3}.get(form, 0.2)
            so = self._doing_so(unit, form, place, way) if pen.often(share) else None
            if so is not None:
                return so
        bare = form == "tag" or (form == "finite" and self.terse)
        a = self.namer.all_new(unit.groups, bare=bare)
        slots = {**self.subject(a), **place}
        prefix = "" if form == "finite" else "tag "
        if not told and not way:
            events = self.cast.events(things[0])
            if events and not (verbless and pen.often(0.4)):
                slots |= self.event(things, events[0])
                said = pen.fill(prefix + "happens", slots, must=(*_PLACE, "all"))
            else:
                said = pen.fill(prefix + "exists", slots, must=_PLACE)
            return Clause(said, several=a.several)
        slots |= self._deed(things, way) if told else self._goes(things, way)
        slots["way"] = way
        must = [*_PLACE, "way|to|nearing", "pull", *(["all"] if form == "finite" else [])]
        if (pen.english or idle) and pen.often(0.35 if ending else 0.1):
            for event in self.cast.events(things[0])[:1]:
                slots |= self.event(things, event)
                must.append("happens|happening")
        instant = told and action in ("falls", "topples")
        clause = "rests" if idle else action if instant else "acts"
        if there and pen.often(0.25) and "pull" not in slots and clause != "topples":
            if clause != "acts" or "goes" in slots:
                prefix, must = "there ", ["way", "spot"]
        said = pen.fill(prefix + clause, slots, must=must)
        return Clause(said, open=True, going=clause == "acts", several=a.several)

    def _deed(self, things: Sequence[int], way: Piece | None) -> Filled:
        """The verb of what things do, and the forms of it that Chinese has beside."""
        action = self.cast.value("action", things[0])
        facts = self._facts("action", things)
        if action == "topples":
            facts += [fact for i in things for fact in self.cast.toppled(i)]
            return self.verb("toppling", action, things, facts)
        slots = self.verb("action", action, things, facts, way=way is not None)
        does = slots["does"]
        if self.pen.english:
            return slots
        if self.cast.idle(things[0]):
            return slots | self._stays(things)
        if action == "falls":
            slots["lands"] = Piece(self.pen.word("lands", action), tuple(facts))
        if way and does and len(does.text) == 1:
            slots["crosses"] = does
            slots |= self._pulled(does, way)
        return slots

    def _goes(self, things: Sequence[int], way: Piece | None) -> Filled:
        """The verb of what things do where no more is said than which way they go."""
        value = str(way.facts[0].value) if way else ""
        if value == "toward" and self.pen.often(0.5):
            forms = self.pen.forms("action", "", value)
            if not self.pen.english:
                return {"does": Piece(forms[0])}
            return {"does": Piece(forms[int(len(things) > 1)]), "doing": Piece(forms[2])}
        return self.verb("action", "", things, (), way=True)

    def _pulled(self, does: Piece, way: Piece) -> Filled:
        """Chinese: what a short verb takes with it: 向左走去, 走过来, 从左边走到右边."""
        value = str(way.facts[0].value)
        if self.pen.often(0.4):
            return {"pull": Piece(self.pen.word("pull", value))}
        if value in OTHER_SIDE:
            start, goal = (self.pen.word(slot, value) for slot in ("start", "goal"))
            return {"from": Piece(start), "to": Piece(goal, way.facts)}
        near = self.pen.forms("nearing", value, fit=lambda phrase: does.text not in phrase)
        return {"nearing": Piece(self.pen.spelled(near[0]), way.facts)}

    def _doing_so(self, unit: Unit, form: str, place: Filled, way: Piece | None) -> Clause | None:
        """What a thing does before its noun: a rolling ball, (有一只)向左奔跑的狗.

        None where no word for it can stand there.
        """
        pen, things = self.pen, unit.things
        facts = self._facts("action", things)
        action = self.cast.value("action", things[0])
        if pen.english:
            kinds = [self.cast.kind(i) for i in things]
            words = [p[2] for p in pen.common("action", action, *kinds) if " " not in p[2]]
            if not words or (way is not None and not pen.often(0.2)):
                return None
            verb: Filled = {"doing": Piece(pen.pick(words), tuple(facts))}
            if form == "tag" and len(things) == 1:
                a = self.namer.new(things, bare=True)
                return Clause(pen.fill("tag going", {"a": a, **verb}))
            a = self.namer.new(things, verb)
            return Clause(pen.fill("tag exists", {"a": a}), several=a.several)
        verb = self.verb("action", action, things, facts, way=way is not None, noun=True)
        if form == "tag":
            a = self.namer.new(things, bare=True)
            return Clause(
                pen.fill("tag going", {"a": a, "way": way, **verb, **place}, must=(*_PLACE, "way"))
            )
        a = self.namer.new(things, verb, way)
        return Clause(pen.fill("exists", {"a": a, **place}, must=_PLACE))

    def _before_noun(self, unit: Unit) -> bool:
        """Whether what it does can be said before its noun; in Chinese, without too many 的."""
        first = unit.things[0]
        many = len(unit.groups) > 1 or self.namer.knows(first)
        if self.pen.english:
            return not many and self.cast.value("action", first) not in ("topples", "hits")
        dressed = self.cast.kind(first) in PEOPLE and self.cast.color(first) is not None
        still = self.cast.idle(first) and self.cast.value("action", first) in IDLE
        return not (many or dressed or still or self.cast.value("action", first) == "topples")

    def _stays(self, things: Sequence[int]) -> Filled:
        """Chinese: the verb before a place, 站 in 站在雪地上."""
        kinds = [self.cast.kind(i) for i in things]
        forms = self.pen.forms("stays", self.cast.value("action", things[0]), *kinds)
        said = tuple(self._facts("action", things))
        sits = self.pen.forms("sits", self.cast.value("action", things[0]), *kinds)
        both = {"stays": forms, "sits": sits}
        return {slot: Piece(self.pen.spelled(p[0]), said) for slot, p in both.items() if p}

    def _named(self, index: int, bare: bool) -> Piece:
        """A thing by name, new or again."""
        again = self.namer.again([index], form="name") if index in self.namer.named else None
        return again or self.namer.new([index], bare=bare)

    def _hits(self, unit: Unit, form: str, place: Filled) -> Clause:
        """Who hits what, and how it came; what was hit may fall over."""
        pen, mover, other = self.pen, unit.things[0], unit.other
        assert unit.fact is not None and other is not None
        prefix, bare = ("" if form == "finite" else "tag "), form == "tag" or self.terse
        toppled = self.cast.toppled(other) if pen.often(0.92) else ()
        way = self.way([mover], 0.9)
        manner = self.cast.value("manner", mover) if pen.often(0.88) else ""
        clause = "overturns" if toppled and pen.often(0.25) else "hits"
        if not toppled and pen.often(0.35):
            clause = "strikes" if pen.english and way and pen.often(0.5) else "struck"
        facts = (*self._facts("action", [mover]), unit.fact)
        slots: Filled = {"hit": Piece(pen.word("hit", "hits"), facts), **place}
        slots |= self.verb("collision", "hits", [mover], facts)
        slots |= self.verb("overturning", "overturns", [mover], (*facts, *toppled))
        noun = form == "finite" and (clause == "struck" or pen.often(0.25))
        noun = noun and bool(manner or way) and self._before_noun(unit)
        verb: Filled = {}
        if manner or way:
            said = self._facts("manner", [mover]) if manner else []
            verb = self.verb("manner", manner, [mover], said, way=bool(way), noun=noun)
        b = self._named(other, bare) if clause == "struck" else None  # as the text has them
        if noun and not self.namer.knows(mover):
            a = self.namer.new([mover], {**verb, "does": verb["moves"]}, way)  # 一个向左滚动的球
        else:
            a = self._named(mover, bare)
            slots |= {**verb, "way": way} if way else verb
        slots |= self.subject(a)
        slots["b"] = b or self._named(other, bare)
        slots["it"] = Piece(pen.word("pronoun", "", self.cast.kind(mover)))
        moves = clause in ("hits", "overturns") or (pen.english and way)
        moving = ("moves|moving", "way") if moves else ()
        said = pen.fill(prefix + clause, slots, must=(*_PLACE, *moving))
        if not toppled or clause == "overturns":
            return Clause(said, open=clause in ("hits", "overturns"))
        return Clause(joined("", [said, self._falls_over(other, toppled, form)]))

    def _falls_over(self, index: int, facts: tuple[Fact, ...], form: str) -> Piece:
        """What becomes of the row or the stack that was hit."""
        before = self.cast.fact("before", "hits", "topples")
        then, again = None, self.namer.again([index], form="name")
        if before is not None and form == "finite" and self.pen.often(0.6):
            then = Piece(self.pen.word("then", "before"), (before,))
        slots: Filled = {
            **self.verb("toppling", "topples", [index], facts),
            **self.verb("fells", "topples", [index], facts),
            "the": again,
            "then": then if again else None,
        }
        return self.pen.fill("fall" if form == "finite" else "tag fall", slots, must=("then",))

    def _stacks(self, unit: Unit, form: str, place: Filled) -> Clause:
        pen, mover, other = self.pen, unit.things[0], unit.other
        assert unit.fact is not None and other is not None
        bare = form == "tag" or self.terse
        facts = (*self._facts("action", [mover]), unit.fact)
        slots: Filled = {
            **self.verb("landing", "stacks", [mover], facts),
            **self.subject(self._named(mover, bare)),
            "b": self._named(other, bare),
            "atop": None if pen.english else Piece(pen.word("atop", "stacks")),
        }
        return Clause(pen.fill("stacks" if form == "finite" else "tag stacks", slots))

    def _pair(self, unit: Unit, form: str, apart: bool) -> Clause:
        """One thing beside another, seen from either.

        apart: it can be said of each on which side it is.
        """
        pen, other, fact = self.pen, unit.other, unit.fact
        assert fact is not None and other is not None
        (first,) = unit.things
        known = other in self.namer.named
        if not known and pen.often(0.35):
            first, other = other, first
        value = str(fact.value) if fact.args[0] == first else OTHER_SIDE[str(fact.value)]
        bare = form == "tag" or self.terse
        turned = form == "finite" and not pen.english and pen.often(0.2)
        b = self._named(other, bare) if turned else None
        a = self._named(first, bare)
        slots: Filled = {
            **self.subject(a),
            "b": b or self._named(other, bare),
            "side": Piece(pen.word("side", value), (fact,)),
        }
        if not known and (apart or form == "tag"):
            slots["flank"] = Piece(pen.word("flank", value), (fact,))
            slots["other"] = Piece(pen.word("flank", OTHER_SIDE[value]), (fact,))
        action = self.cast.value("action", first)
        if action in IDLE and pen.often(0.6):
            slots |= self.verb("action", action, [first], self._facts("action", [first]))
            slots |= {} if pen.english else self._stays([first])
        clause = "beyond" if turned else "pair"
        return Clause(pen.fill(clause if form == "finite" else "tag pair", slots))
