"""What clauses state, put together: things get their numbers, words become facts."""

from __future__ import annotations

from dataclasses import dataclass, field

from worldreel.world.facts import Fact
from worldreel.world.parse.chart import Node, leaves
from worldreel.world.scene import OTHER_SIDE

# Of which fact each table of phrases is the value: of the whole scene, of a thing, of the subject.
_SCENE = {
    "setting": "setting", "at": "setting", "along": "setting", "onto": "setting", "spot": "setting",
    "when": "light", "hour": "light", "time": "light", "foul": "weather",
    "weather": "weather", "forecast": "weather", "air": "weather",
    "style": "style", "medium": "style",
    "camera": "camera", "follows": "camera",
}  # fmt: skip
_THING = {
    "kind": "kind", "person": "kind", "heap": "kind", "pieces": "kind", "color": "color",
    "size": "size", "measured": "size", "material": "material", "made": "material",
}  # fmt: skip
_SUBJECT = {
    "action": "action", "stays": "action", "manner": "manner", "event": "event",
    "direction": "direction", "nearing": "direction", "goal": "direction", "sits": "action",
    "lands": "action",
}  # fmt: skip
_THINGS = ("thing", "things", "known")  # symbols that name things


@dataclass
class _Named:
    """One thing as it was named: kind, and the rest where it was said."""

    looks: dict[str, str] = field(default_factory=dict)

    def fits(self, looks: dict[str, str]) -> bool:
        return all(self.looks.get(name, value) == value for name, value in looks.items())


class Reading:
    """Takes clause after clause of a text; `facts` is what they state.

    recalls: whether a bare noun can name a thing again, as it does in Chinese: 球停了.
    """

    def __init__(self, *, recalls: bool = False) -> None:
        self.recalls = recalls
        self._things: list[_Named] = []
        self._said: dict[Fact, None] = {}
        self._scene: dict[str, Node] = {}
        self._loose: list[Node] = []
        self._subject: list[int] = []
        self._object: list[int] = []

    def take(self, node: Node) -> None:
        """One clause or adjunct more."""
        if node.symbol == "adjunct" and node.slots[0][0] == "keyword":
            self._loose.append(node)
            return
        slots = dict(node.slots)
        roles: dict[str, list[int]] = {}
        for name, child in node.slots:  # numbers are given in the order of the text
            if child.symbol in _THINGS:
                roles[name] = self._resolve(
                    child, hits=bool({"hits", "hitting", "hit", "overturns"} & slots.keys())
                )
            else:
                self._around(child)
        subject = roles.get("a") or self._subject
        other = roles.get("b") or self._object
        if "a" in roles or "b" in roles:
            self._subject, self._object = subject, roles.get("b", [])
        fallen = roles.get("the", other) if node.symbol in ("fall", "tag fall") else subject
        for name, child in node.slots:
            if name in ("topples", "toppling", "fells", "felling"):
                self._topple(fallen)
                if "then" in slots:
                    self._say("before", ("hits", "topples"), True)
            elif child.symbol in _SUBJECT:
                self._act(_SUBJECT[child.symbol], subject, child)
            elif child.symbol in ("collision", "hit", "overturning"):
                self._relate("hits", "hits", subject, other)
                self._topple(other if child.symbol == "overturning" else [])
            elif child.symbol == "landing":
                self._relate("stacks", "onto", subject, other)
            elif name in ("side", "flank"):
                self._beside(subject, other, child.words[0].value)
            elif child.symbol in ("measured", "made"):
                self._look(roles.get("the", []), child)

    def facts(self) -> tuple[Fact, ...]:
        """Facts of the scene, of each thing, of two, and how many there are."""
        self._bind()
        of_things: list[Fact] = []
        keys = []
        for index, thing in enumerate(self._things):
            looks = sorted(thing.looks.items(), key=lambda look: look[0] != "kind")
            of_things += [Fact(name, (index,), value) for name, value in looks]
            of_things += [fact for fact in self._said if fact.args == (index,)]
            color = thing.looks.get("color")
            keys.append((thing.looks["kind"], *([color] if color else [])))
        counts = [Fact("count", key, keys.count(key)) for key in dict.fromkeys(keys)]
        kinds = {thing.looks["kind"] for thing in self._things}
        scene = [Fact(name, (), _meant(node, kinds)) for name, node in self._scene.items()]
        two = [fact for fact in self._said if len(fact.args) > 1]
        # One of a kind goes without saying; one of a kind and a colour does not.
        counts = [fact for fact in counts if len(fact.args) > 1 or fact.value > 1]
        return (*scene, *of_things, *two, *counts)

    # What a clause holds.

    def _around(self, node: Node) -> None:
        """Facts of the whole scene, in an adjunct or inside of a clause."""
        if node.symbol in _SCENE and node.words:
            self._scene.setdefault(_SCENE[node.symbol], node)
        for _, child in node.slots:
            if child.symbol in _THINGS:
                self._resolve(child)
            else:
                self._around(child)

    def _say(self, name: str, args: tuple, value: str | bool) -> None:
        self._said.setdefault(Fact(name, args, value))

    def _act(self, name: str, things: list[int], node: Node) -> None:
        for index in things:
            value = self._value(node, index)
            if value == "topples":
                self._topple([index])
            elif value:
                self._say(name, (index,), value)

    def _topple(self, things: list[int]) -> None:
        for index in things:
            self._say("action", (index,), "topples")
            self._say("topples", (index,), True)

    def _relate(self, action: str, name: str, subject: list[int], other: list[int]) -> None:
        for index in subject[:1]:
            self._say("action", (index,), action)
            for target in [i for i in other if i != index][:1]:
                self._say(name, (index, target), True)

    def _beside(self, subject: list[int], other: list[int], value: str) -> None:
        for a, b in [(a, b) for a in subject[:1] for b in other[:1] if a != b]:
            side = (a, b, value) if a < b else (b, a, OTHER_SIDE[value])
            self._say("side", side[:2], side[2])

    def _look(self, things: list[int], node: Node) -> None:
        for index in things:
            self._things[index].looks.setdefault(_THING[node.symbol], node.words[0].value)

    def _value(self, node: Node, index: int) -> str:
        """What a phrase says of a thing: it may say one thing of a car and another of a ball."""
        return _meant(node, {self._things[index].looks.get("kind", "")})

    def _bind(self) -> None:
        """Keywords, to what they can only be said of: all things of the first one's kind."""
        kind = self._things[0].looks["kind"] if self._things else ""
        things = [i for i, thing in enumerate(self._things) if thing.looks["kind"] == kind]
        for leaf in (leaf for node in self._loose for leaf in leaves(node)):
            if leaf.symbol in _THING:
                self._look(things, leaf)
            elif leaf.symbol in _SUBJECT:
                self._act(_SUBJECT[leaf.symbol], things, leaf)
        self._loose = []

    # Which things are meant.

    def _resolve(self, node: Node, *, hits: bool = False, known: int | None = None) -> list[int]:
        """The numbers of the things that are named, new ones or those that were named before.

        known: how many there were before those that are named together with this one.
        """
        if node.symbol == "things":
            known = len(self._things)
            return [i for _, n in node.slots for i in self._resolve(n, hits=hits, known=known)]
        ((name, child),) = node.slots
        if name in ("it", "them"):
            return self._before(child)
        looks = {_THING[n.symbol]: n.words[0].value for n in leaves(child) if n.symbol in _THING}
        if name == "again" or (name == "bare" and self.recalls):
            found = self._again(looks, child.several)
            found = [i for i in found if known is None or name == "again" or i < known]
            if found:
                return found
        number = next((int(n.words[0].value) for n in leaves(child) if n.symbol == "number"), 1)
        if number == 1 and child.several:
            number = 2  # balls: two at the least
        first = len(self._things)
        self._things += [_Named(dict(looks)) for _ in range(number)]
        things = list(range(first, first + number))
        for leaf in leaves(child):  # a ball that rolls to the left, before its noun
            if leaf.symbol in _SUBJECT:
                hitting = hits and leaf.symbol == "action"
                self._act("manner" if hitting else _SUBJECT[leaf.symbol], things, leaf)
        return things

    def _again(self, looks: dict[str, str], several: bool) -> list[int]:
        """All that fit what is said, if several are meant; else the one named last."""
        fitting = [i for i, thing in enumerate(self._things) if thing.fits(looks)]
        return fitting if several else fitting[-1:]

    def _before(self, pronoun: Node) -> list[int]:
        """What a pronoun stands for: the last subject that it can be, or the last thing."""
        kinds = {kind for word in pronoun.words for kind in word.kinds}
        fitting = [i for i, t in enumerate(self._things) if self._called(t, kinds)]
        if pronoun.several:
            return self._subject if len(self._subject) > 1 else fitting
        last = [i for i in self._subject if i in fitting]
        return last[-1:] or fitting[-1:]

    def _called(self, thing: _Named, kinds: set[str]) -> bool:
        kind = thing.looks.get("kind", "")
        return kind in kinds if kinds else kind not in ("woman", "man")


def _meant(node: Node, kinds: set[str]) -> str:
    """The value of a phrase that can say one of these kinds and another of the rest."""
    own = [word for word in node.words if kinds & {*word.kinds}]
    general = [word for word in node.words if not word.kinds]
    return (*own, *general, *node.words)[0].value
