"""Things by name: a red ball, another one, three of them, the ball, it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from worldreel.world.describe.cast import Cast
from worldreel.world.describe.pen import Pen, Piece
from worldreel.world.facts import Fact
from worldreel.world.words import HEAPS, PEOPLE, phrases

_STUFF = ("metal", "paper")  # a red metal ball, but a shiny red ball


class Namer:
    """Names the things of one caption; knows which it has named."""

    def __init__(self, pen: Pen, cast: Cast):
        self.pen = pen
        self.cast = cast
        self.named: list[int] = []
        self._words: dict[tuple[str, str], tuple[str, ...]] = {}  # one word for one thing

    def knows(self, index: int) -> bool:
        """Whether a thing of the same name was named."""
        return any(self.cast.key(i) == self.cast.key(index) for i in self.named)

    def new(
        self,
        group: Sequence[int],
        does: Mapping[str, Piece | None] | None = None,
        way: Piece | None = None,
        *,
        bare: bool = False,
        listed: bool = False,
        plain: bool = False,
    ) -> Piece:
        """Things of one name that were not named so far.

        does, way: a verb's slots and a direction, which can be said before the noun. bare: without
        an article, for a tag. listed: beside others, where one can be a number. plain: by the noun
        alone.
        """
        several, known = len(group) > 1, self.knows(group[0])
        self.named += group
        if bare and not several and not known:
            return self._named(group, tag=True, plain=plain)
        kind = self.cast.kind(group[0])
        name = self._named(group, plain=plain)
        slots = {
            "number": Piece(self._number(group, listed)),
            "measure": None if self.pen.english else Piece(self.pen.word("measure", kind)),
            "nameds" if several and self.pen.english else "named": name,
        }
        if does:
            slots["doing so"] = self.pen.fill("doing so", {"way": way, **does}, must=("way",))
        must = ("doing so",) if does else ("number",) if several else ()
        said = self.pen.fill("more" if known else "new", slots, must=must)
        return Piece(said.text, said.facts, several)

    def all_new(self, groups: Sequence[Sequence[int]], *, bare: bool = False) -> Piece:
        """Several groups as one subject: a red ball, a blue cube and two cones."""
        listed = any(len(group) > 1 for group in groups) and self.pen.often(0.5)
        names = [self.new(group, bare=bare, listed=listed) for group in groups]
        if len(names) == 1:
            return names[0]
        slots = {f"thing{n + 1}": name for n, name in enumerate(names)}
        said = self.pen.fill("things", slots, must=slots)
        return Piece(said.text, said.facts, True)

    def again(self, group: Sequence[int], *, form: str = "subject") -> Piece | None:
        """Things that were named, named again; None where no name would tell them apart.

        form: subject, object, or name for one that is no pronoun.
        """
        index = group[0]
        if self.cast.alike(index) != list(group):
            return None
        pronoun = self.pronoun(group, form)
        if pronoun and form != "name" and self.pen.often(0.55):
            return pronoun
        alone = len(group) == 1 and self.cast.alone(index)
        color = self.cast.color(index)
        if color and alone and not self.pen.often(0.25):
            color = None
        several = len(group) > 1
        colors = [self.cast.fact("color", i) for i in group if color]
        name = self._called(group, [fact for fact in colors if fact is not None])
        pen, kind = self.pen, self.cast.kind(index)
        slots = {"nameds" if several and pen.english else "named": name}
        if several:
            slots["number"] = Piece(self._number(group))
        if not pen.english:
            slots["measure"] = Piece(pen.word("measure", kind))
        elif kind in HEAPS and alone and color is None and pen.often(0.4):  # the row
            slots = {"heap": Piece(self._kept("heap", kind)[0], name.facts)}
        counted = not pen.english or kind == "fish"  # two fish, the two fish
        said = pen.fill("again", slots, must=("number",) if counted else ())
        return Piece(said.text, said.facts, several)

    def _number(self, group: Sequence[int], listed: bool = False) -> str:
        return self.pen.forms("number", str(len(group)), fit=lambda p: (p == "one") == listed)[0]

    def pronoun(self, group: Sequence[int], form: str = "subject") -> Piece | None:
        """She, he, it or they: None where it could be another."""
        cast = self.cast
        forms = self._pronouns(group[0])
        same = [i for i in cast.things if self._pronouns(i) == forms]
        if same != list(group) or (len(group) > 1 and len(cast.things) > len(group)):
            return None
        several = len(group) > 1
        return Piece(forms[2 * (form == "object") + several], (), several)

    def _pronouns(self, index: int) -> tuple[str, ...]:
        return phrases("pronoun", "", self.pen.language, self.cast.kind(index))[0]

    def _named(self, group: Sequence[int], *, tag: bool = False, plain: bool = False) -> Piece:
        """The noun with its colour, at times with size and material, without article."""
        if plain:
            return self._called(group, [], tag=tag)
        shown: list[Fact] = []
        for name, share in (("size", 0.33), ("material", 0.3)):
            facts = [self.cast.fact(name, i) for i in group]
            values = {fact.value for fact in facts if fact is not None}
            if self.pen.often(share) and len(values) == 1 and None not in facts:
                shown += [fact for fact in facts if fact is not None]
        colors = [self.cast.color(i) for i in group]
        return self._called(group, shown + [f for f in colors if f is not None], tag=tag)

    def _called(self, group: Sequence[int], looks: Sequence[Fact], *, tag: bool = False) -> Piece:
        """The noun with what it looks like: colour, size and material, those that are given."""
        pen, kind, several = self.pen, self.cast.kind(group[0]), len(group) > 1
        dressed = kind in PEOPLE and any(fact.name == "color" for fact in looks)
        # 红球 but 红色外套, 红色的多米诺骨牌: a colour of one character is for a short noun.
        stuff = any(fact.value in _STUFF for fact in looks)
        short = pen.english or not (dressed or stuff or len(self._kept("kind", kind)[0]) > 2)
        words: dict[str, str] = {}
        for fact in looks:
            if fact.name not in words:
                lean = not pen.english and words.get("size", "").endswith("的")
                forms = self._kept(fact.name, str(fact.value), kind, short=short, lean=lean)
                if forms:  # there is none for such as a man of medium height
                    words[fact.name] = pen.spelled(forms[0])
                if dressed and fact.name == "color":
                    hues = pen.forms("color", str(fact.value), fit=lambda phrase: len(phrase) == 1)
                    words["hue"] = hues[0]
        kinds = [self.cast.fact("kind", i) for i in group]
        said = [f for f in (*kinds, *looks) if f is not None and f.name in (*words, "kind")]
        said.sort(key=lambda fact: group.index(fact.args[0]))
        write = self._dressed if dressed else self._plain
        name = write(kind, words, "s" if several and pen.english else "", tag)
        return Piece(name.text, tuple(said), several)

    def _kept(
        self, slot: str, value: str, kind: str = "", *, short: bool = True, lean: bool = False
    ) -> tuple[str, ...]:
        """A phrase: but for sizes and materials the same one throughout a caption.

        short: it may be of one character; lean: it should not end in one more 的.
        """
        key = slot, value

        def fit(phrase: str) -> bool:
            return (short or len(phrase) > 1) and not (lean and phrase.endswith("的"))

        held = self._words.get(key)
        if slot in ("size", "material") or held is None or not fit(held[0]):
            held = self._words[key] = self.pen.forms(slot, value, kind, fit=fit)
        return held

    def _dressed(self, kind: str, words: dict[str, str], plural: str, tag: bool) -> Piece:
        """A person by the colour of the dress or the coat."""
        pen = self.pen
        short = pen.often(0.3)  # a woman in red, 红衣女子
        form = int(bool(plural))
        slots = {
            "size": Piece(words["size"]) if "size" in words else None,
            "color": Piece(words["color"]),
            "person" + plural: Piece(self._kept("kind", kind)[form]),
            "garment" + plural: None if short else Piece(pen.word("garment", kind, form=form)),
        }
        if short and not pen.english:
            slots |= {"color": Piece(words["hue"]), "attire": Piece(pen.word("attire", "", kind))}
        bare = tag and pen.english and not short and "size" not in words
        return pen.fill("bare" if bare else "named" + plural, slots, must=("size", "color"))

    def _plain(self, kind: str, words: dict[str, str], plural: str, tag: bool) -> Piece:
        """Anything else, by its adjectives."""
        pen = self.pen
        heap = pen.english and kind in HEAPS and not pen.often(0.15)  # else a domino row
        if not pen.english:
            return self._chinese(kind, words)
        inner = [words[name] for name in ("material", "color") if name in words]
        if words.get("material") in _STUFF or pen.often(0.1):
            inner.reverse()
        if "size" in words and not heap:
            inner.insert(0, words["size"])
        apart = not heap and "color" in words and pen.often(0.03)  # a ball that is red
        if apart:
            inner.remove(words["color"])
        looks = Piece(" ".join(inner)) if inner else None
        form = int(bool(plural))
        if apart:
            noun = Piece(self._kept("kind", kind)[form])
            slots = {"looks": looks, "noun" + plural: noun, "color": Piece(words["color"])}
            return pen.fill("named" + plural, slots, must=("looks", "color"))
        if not heap:
            noun = Piece(self._kept("kind", kind)[form])
            return pen.fill(
                "named" + plural, {"looks": looks, **{"noun" + plural: noun}}, must=("looks",)
            )
        slots = {
            "looks": looks,
            "size": Piece(words["size"]) if "size" in words else None,
            "heap" + plural: Piece(self._kept("heap", kind)[form]),
            "pieces": Piece(self._kept("pieces", kind)[0]),
        }
        return pen.fill("named" + plural, slots, must=("looks", "size"))

    def _chinese(self, kind: str, words: dict[str, str]) -> Piece:
        """大号哑光红色的球, 红色的金属小球, 小红球: what belongs to the noun stands next to it."""
        size, material, hue = (words.get(name, "") for name in ("size", "material", "color"))
        inner = size if len(size) == 1 else ""
        front = "" if inner else size
        if material.startswith(("金属", "纸")):
            inner = material + inner
        else:
            front += material
        if len(hue) == 1:
            inner, hue = inner + hue, ""
        elif hue and (not hue.endswith("色") or self.pen.often(0.05 if "的" in front else 0.5)):
            hue += "的"
        looks = front + hue + inner
        noun = Piece(self._kept("kind", kind)[0])
        return self.pen.fill(
            "named", {"looks": Piece(looks) if looks else None, "noun": noun}, must=("looks",)
        )
