"""A take in words: captions from a few words to a paragraph, in English and Chinese.

A caption is put together from the phrases and templates of `words`, and carries the facts that
its text states, in the order in which the text names things. It says nothing that is not a fact
of the take's record. `facts`, `labels` and `lexicon` are offered from here, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from worldreel.errors import SceneError
from worldreel.world.facts import Fact, facts
from worldreel.world.labels import LABELS, labels
from worldreel.world.scene import OTHER_SIDE, Take
from worldreel.world.words import LANGUAGES, PHRASES, TEMPLATES, lexicon, plural

__all__ = ["LABELS", "Caption", "Fact", "captions", "facts", "labels", "lexicon"]


@dataclass(frozen=True)
class Caption:
    """A text and the facts that it states, those of the thing named first first."""

    text: str
    language: str
    facts: tuple[Fact, ...]


def captions(
    take: Take, rng: np.random.Generator, *, count: int = 4, language: str = "en"
) -> list[Caption]:
    """`count` captions of a take: a quarter tags, about half sentences, the rest paragraphs.

    Each names kind and colour of everything in the scene; nine in ten the motion and the setting,
    and a camera's move if there is one.
    """
    if language not in LANGUAGES:
        raise SceneError(f"unknown language {language!r}: one of {', '.join(LANGUAGES)}")
    teller = _Teller(facts(take), rng, language)
    return [teller.caption() for _ in range(count)]


@dataclass(frozen=True)
class _Piece:
    """A bit of text and what it states."""

    text: str
    facts: tuple[Fact, ...] = ()


class _Teller:
    """Writes captions of one take in one language; `rng` chooses among what could be said."""

    def __init__(self, known: tuple[Fact, ...], rng: np.random.Generator, language: str):
        self.known = known
        self.rng = rng
        self.language = language
        self.things = [fact.args[0] for fact in known if fact.name == "kind"]

    # What is known, and chance.

    def fact(self, name: str, *args: int | str) -> Fact:
        """One that every take has, such as a thing's kind."""
        return next(f for f in self.known if f.name == name and f.args == args)

    def maybe(self, name: str, *args: int | str) -> Fact | None:
        return next((f for f in self.known if f.name == name and f.args == args), None)

    def often(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, values):
        return values[int(self.rng.integers(len(values)))]

    def phrase(self, fact: Fact):
        """A phrase for a fact's value: a text, or the pair of texts that English has for it."""
        slot = "action" if fact.name == "manner" else fact.name
        return self.pick(PHRASES[slot][fact.value][self.language])

    def piece(self, fact: Fact) -> _Piece:
        return _Piece(self.phrase(fact), (fact,))

    def fill(self, clause: str, **slots: _Piece | None) -> _Piece:
        """One of a clause's templates whose slots are all there, filled."""
        given = {name: piece for name, piece in slots.items() if piece}
        fitting = [
            template
            for template in TEMPLATES[clause][self.language]
            if given.keys() >= set(re.findall(r"\{(\w+)\}", template))
        ]
        text, said = "", []
        for bit in re.split(r"(\{\w+\})", self.pick(fitting)):
            piece = given[bit[1:-1]] if bit.startswith("{") else _Piece(bit)
            text += piece.text
            said += piece.facts
        return _Piece(text, tuple(dict.fromkeys(said)))

    # Things, and what they do.

    def named(self, index: int, *, plurals: bool = False) -> _Piece:
        """A thing without article: its kind and colour, at times its size and material."""
        kind, color = self.fact("kind", index), self.fact("color", index)
        size = self.fact("size", index) if self.often(0.35) else None
        material = self.fact("material", index) if self.often(0.3) else None
        said = [fact for fact in (kind, color, size, material) if fact]
        said.append(self.fact("count", kind.value, color.value))
        noun = self.phrase(kind)
        if self.language == "zh":
            return _Piece(self._chinese(noun, color, size, material), tuple(said))
        # "small red metal ball" or "small metallic red ball": both are said.
        middle = [self.phrase(fact) for fact in (material, color) if fact]
        if self.often(0.5):
            middle.reverse()
        front = [self.phrase(size)] if size else []
        return _Piece(" ".join((*front, *middle, plural(noun) if plurals else noun)), tuple(said))

    def _chinese(self, noun: str, color: Fact, size: Fact | None, material: Fact | None) -> str:
        hue = self.phrase(color)
        front = self.phrase(size) if size else ""
        between = "的" if hue.endswith("色") and self.often(0.5) else ""
        if front and not front.endswith("的"):  # a bare 大 or 小 belongs to the noun: 红色的小球
            noun, front, between = front + noun, "", "的"
        return front + (self.phrase(material) if material else "") + hue + between + noun

    def with_article(self, name: _Piece) -> _Piece:
        if self.language == "zh":
            return _Piece("一个" + name.text, name.facts)
        return _Piece(("an " if name.text[0] in "aeiou" else "a ") + name.text, name.facts)

    def doing(self, index: int, name: str = "action") -> tuple[_Piece | None, _Piece | None]:
        """What a thing does, finite and as a participle (the same in Chinese)."""
        fact = self.maybe(name, index)
        if fact is None:
            return None, None
        phrase = self.phrase(fact)
        both = (phrase, phrase) if isinstance(phrase, str) else phrase
        return _Piece(both[0], (fact,)), _Piece(both[1], (fact,))

    def core(self, *, tag: bool) -> _Piece:
        """Who does what: the clause that every caption has."""
        prefix = "tag " if tag else ""
        if len(self.things) == 1:
            return self._acting(0, prefix)
        if any(fact.name == "count" and fact.value == 2 for fact in self.known):
            return self._twins(prefix)
        hit = next((fact for fact in self.known if fact.name == "hits"), None)
        if hit:
            return self._hitting(hit, prefix)
        side = self.maybe("side", 0, 1)
        if side:
            return self._side_by_side(side, prefix)
        actor = next((i for i in self.things if self._acts(i)), 0)
        (other,) = (i for i in self.things if i != actor)
        bare = self.named(other)
        does, doing = self.doing(other)
        return self.fill(
            prefix + "beside",
            core=self._acting(actor, prefix),
            b=self.with_article(bare),
            B=bare,
            bdoes=does,
            bdoing=doing,
        )

    def _acts(self, index: int) -> bool:
        action = self.maybe("action", index)
        return action is not None and action.value != "rests"

    def _acting(self, index: int, prefix: str) -> _Piece:
        bare = self.named(index)
        does, doing = self.doing(index)
        way = self.maybe("direction", index)
        clause = "exists" if does is None or self.often(0.08) else "moves" if way else "acts"
        return self.fill(
            prefix + clause,
            a=self.with_article(bare),
            A=bare,
            does=does,
            doing=doing,
            way=way and self.piece(way),
        )

    def _twins(self, prefix: str) -> _Piece:
        does, doing = self.doing(0)
        both = [f for f in self.known if f.name == "action"]
        one = self.named(0, plurals=True)
        # What is said of two alike is said of each.
        said = [Fact(f.name, (1,), f.value) for f in one.facts if f.args == (0,)]
        name = _Piece(one.text, (*one.facts, *said))
        if len(both) < 2:
            does = doing = None
        does, doing = (p and _Piece(p.text, tuple(both)) for p in (does, doing))
        return self.fill(prefix + "twins", A=name, As=name, does=does, doing=doing)

    def _hitting(self, hit: Fact, prefix: str) -> _Piece:
        mover, other = hit.args
        bare, struck = self.named(mover), self.named(other)
        does, doing = (_Piece(p.text, (*p.facts, hit)) for p in self.doing(mover) if p)
        moves, moving = self.doing(mover, "manner")
        way = self.maybe("direction", mover)
        return self.fill(
            prefix + "hits",
            a=self.with_article(bare),
            A=bare,
            b=self.with_article(struck),
            B=struck,
            does=does,
            doing=doing,
            moves=moves,
            moving=moving,
            way=way and self.piece(way),
        )

    def _side_by_side(self, side: Fact, prefix: str) -> _Piece:
        first, second = side.args
        text = self.phrase(side)
        if self.often(0.35):  # seen from the other: the same fact
            first, second = second, first
            text = self.pick(PHRASES["side"][OTHER_SIDE[side.value]][self.language])
        bare, other = self.named(first), self.named(second)
        does, doing = self.doing(first)
        return self.fill(
            prefix + "pair",
            a=self.with_article(bare),
            A=bare,
            b=self.with_article(other),
            B=other,
            does=does,
            doing=doing,
            side=_Piece(text, (side,)),
        )

    # Where, when, how filmed.

    def where(self, core: _Piece, *, tag: bool) -> _Piece:
        travels = any(f.name == "action" and f.value in ("rolls", "slides") for f in core.facts)
        clause = "across" if travels and self.often(0.5) else "where"
        setting = self.piece(self.fact("setting"))
        return self.fill("tag where" if tag else clause, setting=setting)

    def camera(self, *, tag: bool) -> _Piece | None:
        fact = self.fact("camera")
        if not self.often(0.2 if fact.value == "static" else 0.75 if tag else 0.92):
            return None
        phrase = self.phrase(fact)
        return _Piece(phrase if isinstance(phrase, str) else phrase[tag], (fact,))

    # Whole captions.

    def caption(self) -> Caption:
        style = self.rng.random()
        if style < 0.25:
            said = self._tag()
        elif style < 0.7:
            said = self._sentence()
        else:
            said = self._paragraph()
        return Caption(said.text, self.language, said.facts)

    def _tag(self) -> _Piece:
        core = self.core(tag=True)
        rest = [self.where(core, tag=True)] if self.often(0.85) else []
        rest += [self.piece(self.fact("light"))] if self.often(0.6) else []
        camera = self.camera(tag=True)
        rest += [camera] if camera else []
        order = self.rng.permutation(len(rest))
        pieces = [core, *(rest[i] for i in order)]
        return _joined("，" if self.language == "zh" else ", ", pieces)

    def _sentence(self) -> _Piece:
        said = self._told(place=self.often(0.92), light=self.often(0.75))
        camera = self.camera(tag=False)
        if camera:
            said = self.fill("filmed", said=said, camera=camera)
        return self._ended([said]) if self.often(0.75) else said

    def _told(self, *, place: bool, light: bool) -> _Piece:
        """The core with its place and its light, where they are to be said."""
        core = self.core(tag=False)
        clause = {(True, True): "placed and lit", (True, False): "placed", (False, True): "lit"}
        if not place and not light:
            return core
        return self.fill(
            clause[place, light],
            core=core,
            where=self.where(core, tag=False),
            light=self.piece(self.fact("light")),
        )

    def _paragraph(self) -> _Piece:
        place, light = self.often(0.5), self.often(0.4)
        story = [self._told(place=place, light=light)]
        story += self._details(story[0])
        setting, when = (self.piece(self.fact(name)) for name in ("setting", "light"))
        clause = {
            (False, False): "scene",
            (False, True): "scene place",
            (True, False): "scene light",
        }
        if not (place and light) and self.often(0.95):
            scene = self.fill(clause[place, light], setting=setting, light=when)
            story.insert(self.pick((0, len(story))), scene)
        camera = self.camera(tag=False)
        if camera:
            story.insert(self.pick((0, len(story), len(story))), camera)
        return self._ended(story)

    def _details(self, told: _Piece) -> list[_Piece]:
        """A sentence on the size or material of a thing of which they were not yet said."""
        if any(fact.name == "count" and fact.value == 2 for fact in self.known):
            return []
        sentences = []
        for index in self.things:
            unsaid = [self.fact(name, index) for name in ("size", "material")]
            unsaid = [fact for fact in unsaid if fact not in told.facts]
            if not unsaid or not self.often(0.6):
                continue
            chosen = unsaid if self.often(0.4) else [self.pick(unsaid)]
            texts = [self._detail(fact) for fact in chosen]
            joint = "而且是" if self.language == "zh" else " and "
            detail = _Piece(joint.join(texts), tuple(chosen))
            sentences.append(self.fill("looks", the=self._again(index), detail=detail))
        return sentences

    def _detail(self, fact: Fact) -> str:
        phrases = PHRASES[fact.name][fact.value][self.language]
        # 大 alone is no predicate, 大大的 is; nothing "is metal" that can be metallic.
        if self.language == "zh":
            phrases = [phrase for phrase in phrases if phrase.endswith("的")]
        elif fact.value == "metal":
            phrases = [phrase for phrase in phrases if phrase != "metal"]
        return self.pick(phrases)

    def _again(self, index: int) -> _Piece:
        """A thing named again: by its kind alone where that is enough."""
        kind, color = self.fact("kind", index), self.fact("color", index)
        alone = [i for i in self.things if self.fact("kind", i).value == kind.value] == [index]
        name = self.phrase(kind)
        said = (kind,)
        if not alone or self.often(0.3):
            gap = " " if self.language == "en" else ""
            name, said = f"{self.phrase(color)}{gap}{name}", (kind, color)
        return _Piece(("这个" if self.language == "zh" else "the ") + name, said)

    def _ended(self, sentences: list[_Piece]) -> _Piece:
        if self.language == "zh":
            return _joined("", [_Piece(s.text + "。", s.facts) for s in sentences])
        return _joined(
            " ", [_Piece(s.text[0].upper() + s.text[1:] + ".", s.facts) for s in sentences]
        )


def _joined(between: str, pieces: list[_Piece]) -> _Piece:
    said = dict.fromkeys(fact for piece in pieces for fact in piece.facts)
    return _Piece(between.join(piece.text for piece in pieces), tuple(said))
