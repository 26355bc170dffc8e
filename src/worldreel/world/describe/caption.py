"""Whole captions: tags, sentences and paragraphs, with place, light, weather, style and camera."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from worldreel.world.describe.around import Around
from worldreel.world.describe.cast import Cast, Unit, units
from worldreel.world.describe.clauses import Clauses, Filled
from worldreel.world.describe.pen import Pen, Piece, joined
from worldreel.world.describe.tags import Tags
from worldreel.world.facts import Fact


@dataclass(frozen=True)
class Caption:
    """A text and the facts that it states, those of the thing named first first."""

    text: str
    language: str
    facts: tuple[Fact, ...]


def write(
    known: Sequence[Fact], rng: np.random.Generator, language: str, *, ended: bool = False
) -> Caption:
    """One caption of a list of facts that names at least one thing.

    ended: whole sentences, with a full stop, for a text of several.
    """
    pen = Pen(rng, language)
    cast = Cast(known)
    # A rare kind is named without its colour at times, as people do.
    hueless = [i for i in cast.things if cast.alone(i) and pen.often(0.08)]
    writer = _Writer(pen, Cast(known, hueless))
    length = rng.random()
    if length < 0.25 and not ended:
        said = Tags(pen, writer.clauses, writer.around).write(writer.each)
    elif length < (0.7 if len(writer.units) < 3 else 0.4):  # no sentence without an end
        said = writer.sentence(ended=ended)
    else:
        said = writer.story()
    text = re.sub(r"\b([Aa])(?= [aeiou])", r"\1n", said.text) if pen.english else said.text
    return Caption(text, language, _in_order(said.facts, writer.cast))


def _in_order(said: tuple[Fact, ...], cast: Cast) -> tuple[Fact, ...]:
    """Facts of one thing as they were said, then those of two, then counts."""
    two = [fact for fact in said if len(fact.args) > 1]
    one = [fact for fact in said if len(fact.args) < 2]
    return (*one, *two, *cast.counts())


class _Writer:
    """Writes one caption."""

    def __init__(self, pen: Pen, cast: Cast):
        self.pen = pen
        self.cast = cast
        self.clauses = Clauses(pen, cast)
        self.namer = self.clauses.namer
        self.around = Around(pen, cast, self.namer)
        self.each = units(cast, sides=pen.often(0.75))
        self.units = self._merged(self.each)

    # What a caption is made of.

    def _merged(self, found: list[Unit]) -> list[Unit]:
        """What does the same thing shares a clause now and then."""
        merged = found[:1]
        for unit in found[1:]:
            if self.clauses.shared(merged[-1], unit) and self.pen.often(0.5):
                merged[-1] = Unit("acts", (*merged[-1].groups, *unit.groups))
            else:
                merged.append(unit)
        return merged

    # Whole captions.

    def sentence(self, *, ended: bool) -> Piece:
        """All in one sentence; with a capital and a full stop if it is to be ended."""
        pen = self.pen
        first, *rest = self.units
        scrap = pen.english and pen.often(0.16)
        there = pen.english and not scrap and (self._untold(first) or pen.often(0.2))
        style = self.around.style("style", 0.85)
        led = not scrap and pen.often(0.4)
        form = "scrap" if scrap else "there" if there else "finite"
        said = self.told(first, form, 0.92, 0.75, 0.85, led=led, tail=0.8)
        said = self.beside(first, said, rest, scrap=scrap)
        medium = self.around.piece("style", "medium") if style else None
        if scrap:
            said = pen.fill("depicted", {"scrap": said, "medium": medium}, must=("medium",))
        elif style:
            slots = {"style": style, "medium": medium, "said": said}
            said = pen.fill("styled" if led and pen.english else "in style", slots)
        elif pen.often(0.08):
            said = pen.fill("shown", {"said": said})
        so = pen.often(0.3) and not (pen.english and (led or style or form != "finite"))
        camera = self.around.camera(0.92, named=not so)
        if camera:
            after = said.text
            said = pen.fill(
                "filmed so" if so else "filmed", {"said": said, "camera": camera}, after=after
            )
        return _ended(pen, [said]) if ended or pen.often(0.75) else said

    def told(
        self,
        unit: Unit,
        form: str,
        place: float,
        light: float,
        weather: float,
        *,
        led: bool = False,
        tail: float = 0.0,
    ) -> Piece:
        """A unit with its place, its light and its weather, and with what comes next.

        form: that of a clause, or there (there is a man walking). The numbers are the share of
        captions in which each is said. led: place, light or weather come first, as they always do
        in Chinese.
        """
        pen, there = self.pen, form == "there"
        form = "scrap" if there else form
        when, air = self.around.light(light), self.around.weather("weather", weather)
        both = self.around.weathered(when, air, tag=False)
        around: Filled = {"light": both or when, "weather": None if both else air}
        spot = None if pen.english else self.around.setting("spot", place)
        inside: Filled = {}
        if spot and self.clauses.holds_place(unit) and pen.often(0.6):
            inside = {"spot": spot, "where": pen.fill("where", {"spot": spot})}
            inside["setting"] = self.around.setting("setting", 1.0)  # for 跑过草地
        ending = led or not (pen.english and self.cast.fact("setting"))
        clause = self.clauses.tell(unit, form, inside, opening=True, ending=ending)
        if not inside:
            around["spot"] = spot
        if pen.english:
            slot = "at"
            if not led and pen.often(0.5):
                fallen = any(f.name == "action" and f.value == "falls" for f in clause.said.facts)
                slot = "along" if clause.going else "onto" if fallen and clause.open else "at"
            around["where"] = self.around.setting(slot, place)
        said = clause.said
        if there:
            said = pen.fill("there", {"scraps" if clause.several else "scrap": said})
        if any(around.values()):
            frame = "led" if led or not pen.english else "told"
            spot, air = around.get("spot"), around["light"] or around["weather"]
            if spot and air and "的" not in spot.text + air.text and pen.often(0.4):
                frame = "led so"
            said = pen.fill(frame, {"core": said, **around}, must=around)
        return self.clauses.next(replace(clause, said=said), unit, form, tail)

    def _untold(self, unit: Unit) -> bool:
        """Whether no more is known of things than that they are there."""
        return unit.verb == "acts" and not any(self.cast.does(unit.things[0]))

    def beside(self, first: Unit, said: Piece, rest: Sequence[Unit], *, scrap: bool) -> Piece:
        """What else there is, in the same sentence."""
        pen, cast = self.pen, self.cast
        still = [u for u in rest if u.verb == "acts" and cast.idle(u.things[0])]
        still = [u for u in still if pen.often(0.6) and not cast.events(u.things[0])]
        still += [unit for unit in rest if self._untold(unit) and unit not in still]
        for unit in rest:
            if unit in still:
                continue
            form = "scrap" if scrap or (pen.english and pen.often(0.3)) else "finite"
            clause = self.clauses.next(self.clauses.tell(unit, form, {}), unit, form, 0.6)
            slots = {"said": said, "scrap" if form == "scrap" else "clause": clause}
            said = pen.fill("and" if scrap else "beside", slots, after=said.text)
        if still:
            idle = self.namer.all_new([group for unit in still for group in unit.groups])
            near = first.verb == "acts" and len(rest) == len(still) and pen.often(0.3)
            near = near and cast.idle(first.things[0])
            frame = "next to" if near else "and" if scrap else "beside"
            is_ = self.clauses.subject(idle).get("is")
            slots = {"said": said, "idle": idle, "is": is_}
            said = pen.fill(frame, slots, after=said.text)
        return said

    def story(self) -> Piece:
        """A paragraph: who does what, what comes next, how things look, where, when, how filmed."""
        pen = self.pen
        first, *rest = self.units
        together = [unit for unit in rest if pen.often(0.4)]
        led = pen.often(0.35)
        there = pen.english and (self._untold(first) or pen.often(0.2))
        form = "there" if there else "finite"
        said = self.told(first, form, 0.55, 0.4, 0.35, led=led, tail=0.4)
        story = [self.beside(first, said, together, scrap=False)]
        story += [self._also(unit) for unit in rest if unit not in together]
        story += self._events(story)
        story += self._looks(story)
        scene = self._scene(story)
        if scene:
            story.insert(pen.pick((0, len(story))), scene)
        if not _said("weather", story):
            air = self.around.weather("air", 0.9)
            story += [air] if air else []
        if not _said("style", story):
            style = self.around.style("style", 0.9)
            picture = pen.fill("picture", {"style": style}) if style else None
            story.insert(pen.pick((0, len(story))), picture) if picture else None
        last = pen.often(0.75)
        camera = self.around.camera(0.92, named=last)
        if camera:
            story.insert(len(story) if last else 0, camera)
        return _ended(pen, story)

    def _also(self, unit: Unit) -> Piece:
        """Another thing, in a sentence of its own."""
        still = unit.verb == "acts" and self.cast.idle(unit.things[0])
        if not (still and self.pen.often(0.5)) and not self._untold(unit):
            clause = self.clauses.tell(unit, "finite", {}, opening=True, ending=True)
            return self.clauses.next(clause, unit, "finite", 0.4)
        a = self.namer.all_new(unit.groups)
        return self.pen.fill("also", self.clauses.subject(a))

    def _events(self, story: Sequence[Piece]) -> list[Piece]:
        """What actors do next, so far as that was not said."""
        pen, said = self.pen, {fact for piece in story for fact in piece.facts}
        sentences = []
        for group in (group for unit in self.units for group in unit.groups):
            for event in self.cast.events(group[0]):
                verb = self.clauses.event(group, event)["happens"]
                a = self._again(group, [*story, *sentences])
                if not (a and verb) or set(verb.facts) & said or not pen.often(0.85):
                    continue
                clause = pen.fill("happens", {"a": a, "happens": verb})
                if pen.often(0.7):
                    clause = pen.fill("later", {"clause": clause})
                sentences.append(clause)
        return sentences

    def _again(self, group: Sequence[int], story: Sequence[Piece]) -> Piece | None:
        """Things named again: by a pronoun only if the last sentence was about nothing else."""
        last = {i for fact in story[-1].facts for i in fact.args if isinstance(i, int)}
        return self.namer.again(group, form="subject" if last == {*group} else "name")

    def _looks(self, story: Sequence[Piece]) -> list[Piece]:
        """A sentence or two on sizes and materials that were not yet said."""
        pen, said = self.pen, {fact for piece in story for fact in piece.facts}
        sentences = []
        for unit in self.units:
            for group in [*unit.groups, *([(unit.other,)] if unit.other is not None else [])]:
                slots = self._details(group, said)
                if not slots or len(sentences) == 2 or not pen.often(0.5):
                    continue
                the = self._again(group, [*story, *sentences])
                if the is None:
                    continue
                slots |= {**self.clauses.subject(the), "the": the}
                sentence = pen.fill("detail", slots, must=pen.pick((("measured", "made"), ())))
                said |= set(sentence.facts)
                sentences.append(sentence)
        return sentences

    def _details(self, group: Sequence[int], said: set[Fact]) -> Filled:
        """Size and material as predicates, those that all of a group have and that are new."""
        slots: Filled = {}
        for name, slot in (("size", "measured"), ("material", "made")):
            facts = [self.cast.fact(name, i) for i in group]
            have = tuple(fact for fact in facts if fact is not None)
            same = len({fact.value for fact in have}) == 1 and len(have) == len(group)
            if same and not said & set(have):
                kind = self.cast.kind(group[0])
                slots[slot] = Piece(self.pen.word(slot, str(have[0].value), kind), have)
        return slots

    def _scene(self, story: Sequence[Piece]) -> Piece | None:
        """Where and when, so far as that was not said."""
        pen = self.pen
        light = None if _said("light", story) else self.around.light(0.85)
        slots: Filled = {"light": light}
        if not _said("setting", story):
            where = self.around.setting("at" if pen.english else "spot", 1.0)
            slots["where" if pen.english else "spot"] = where
            name = None if pen.english else self.around.setting("setting", 1.0)
            if name and "的" not in name.text + (light.text if light else ""):
                slots["setting"] = name
        if not any(slots.values()):
            return None
        return pen.fill("scene", slots, must=("where", "setting|spot", "light"))


def _said(name: str, story: Sequence[Piece]) -> bool:
    return any(fact.name == name for piece in story for fact in piece.facts)


def _ended(pen: Pen, sentences: Sequence[Piece]) -> Piece:
    """Sentences with capitals and full stops."""
    if not pen.english:
        return joined("", [Piece(s.text + "。", s.facts) for s in sentences])
    capital = [Piece(s.text[0].upper() + s.text[1:] + ".", s.facts) for s in sentences]
    return joined(" ", capital)
