"""A scene in words, some of them open: what a prompt says of it, and what goes well with that.

The pairs that go together are the world's own: what may be where (`world.place`), what each kind
does (`world.stories`), which colours it has and which pairs training never shows.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from worldreel.world.actors import RIGS
from worldreel.world.casting import NATURAL
from worldreel.world.facts import COLOURLESS, Fact
from worldreel.world.place import PLACES, tells
from worldreel.world.scene import COLORS, KINDS
from worldreel.world.split import held_out, held_out_setting
from worldreel.world.stories import STORIES
from worldreel.world.words import IDLE

T = TypeVar("T")

_SCENE = ("setting", "light", "weather", "style", "camera")
_LOOKS = ("kind", "color", "size", "material")
# What may be told of one that is alone, and of one among others alike: these share what they do.
_ALONE = ("rests", "travels", "falls", "flies", "tips", "stands", "goes")
_ALIKE = ("rests", "stands", "together")
_GOING = ("travels", "flies", "tips", "goes", "together")  # stories in which it has a direction
_STRUCK = ("hits", "onto")  # what is done to another, which then needs no doing of its own


@dataclass
class Draft:
    """scene: setting, light, weather, style, camera; things: what each is and does, by name;
    events and what is said of two things stay facts."""

    scene: dict[str, str] = field(default_factory=dict)
    things: list[dict[str, str]] = field(default_factory=list)
    others: list[Fact] = field(default_factory=list)

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> Draft:
        """What facts say; how many things there are follows from what they are."""
        made = cls()
        for fact in facts:
            for index in (i for i in fact.args if isinstance(i, int)):
                made.things += [{} for _ in range(index + 1 - len(made.things))]
            if not fact.args:
                made.scene[fact.name] = str(fact.value)
            elif len(fact.args) > 1 or fact.name == "event":
                made.others += [fact] if fact.name != "count" else []
            elif fact.name not in ("count", "topples"):
                for index in fact.args:
                    made.things[index].setdefault(fact.name, str(fact.value))
        return made

    def facts(self) -> tuple[Fact, ...]:
        """All that is said, as a take's facts are ordered."""
        keys = [
            tuple(thing[name] for name in ("kind", "color") if name in thing)
            for thing in self.things
        ]
        found = [Fact(name, (), self.scene[name]) for name in _SCENE if name in self.scene]
        found += [Fact("count", key, keys.count(key)) for key in dict.fromkeys(keys)]
        for index, thing in enumerate(self.things):
            found += [Fact(name, (index,), thing[name]) for name in _LOOKS if name in thing]
            found += [Fact(n, (index,), value) for n, value in thing.items() if n not in _LOOKS]
            if thing.get("action") == "topples":
                found.append(Fact("topples", (index,), True))
            found += [f for f in self.others if f.name == "event" and f.args == (index,)]
        return (*found, *(fact for fact in self.others if fact.name != "event"))


def fill(draft: Draft, rng: np.random.Generator, denied: Collection[tuple[str, str]]) -> Draft:
    """The draft with what was left open: who, which colours, where, when, what they do.

    denied: names and values that are not to be added; a value "" stands for all. What was said is
    never changed; what goes with it is left open, too, where the world has nothing that does.
    """
    made = copy.deepcopy(draft)
    made.things = made.things or [{}]
    _Filler(made, rng, frozenset(denied)).fill()
    return made


class _Filler:
    def __init__(self, draft: Draft, rng: np.random.Generator, denied: frozenset[tuple[str, str]]):
        self.draft = draft
        self.scene = draft.scene
        self.things = draft.things
        self.rng = rng
        self.denied = denied

    def fill(self) -> None:
        for thing in self.things:
            if "kind" not in thing:
                thing["kind"] = self._pick(
                    self._allowed("kind", self._kinds(thing))
                ) or self._weighed(KINDS)
        where = [s for s in PLACES if all(t["kind"] in PLACES[s].kinds for t in self.things)]
        self._add(self.scene, "setting", self._settings(where))
        self._add(self.scene, "light", self._lights())
        if any(name == "weather" for name, _ in self.denied):
            self._add(self.scene, "weather", {"clear": 1.0})
        if self.scene.get("style") not in COLOURLESS:
            for group in self._alike():
                self._color(group)
        self._do()
        self._stand()

    # What goes with what is said: for each value how likely it is.

    def _kinds(self, thing: Mapping[str, str]) -> dict[str, float]:
        setting, action = self.scene.get("setting"), thing.get("action")
        color = thing.get("color")
        there = {t["kind"] for t in self.things if "kind" in t}
        places = (
            [PLACES[setting]] if setting else [p for p in PLACES.values() if there <= {*p.kinds}]
        )
        found = {kind for place in places for kind in place.kinds}
        if action:
            found &= {k for s in STORIES.values() for k, m in s.manners.items() if action in m}
        events = {str(f.value) for f in self.draft.others if f.name == "event"}
        found = {k for k in found if not events or (k in RIGS and events <= {*RIGS[k].events})}
        return {
            kind: NATURAL.get(kind, {}).get(color or "", 1.0)
            for kind in KINDS
            if kind in found
            and not (color and held_out(color, kind))
            and not (setting and held_out_setting(kind, setting))
        }

    def _settings(self, where: Sequence[str]) -> dict[str, float]:
        first = self.things[0]["kind"]
        fit = [s for s in where if self._tells(s) and not held_out_setting(first, s)]
        return dict.fromkeys(fit or [s for s in where if self._tells(s)] or where, 1.0)

    def _tells(self, setting: str) -> bool:
        """Whether the light, the weather and the colours that are said can be seen there."""
        place, light, weather = PLACES[setting], self.scene.get("light"), self.scene.get("weather")
        if (light and light not in place.lights) or (weather and weather not in place.weathers):
            return False
        lights = (light,) if light else place.lights
        return any(self._shows(setting, one) for one in lights)

    def _shows(self, setting: str, light: str) -> bool:
        weather = self.scene.get("weather", "clear")
        colors = [thing["color"] for thing in self.things if "color" in thing]
        return all(tells(color, setting, light, weather) for color in colors)

    def _lights(self) -> dict[str, float]:
        setting = self.scene.get("setting")
        if setting is None:
            return {}
        lights = PLACES[setting].lights
        return dict.fromkeys([o for o in lights if self._shows(setting, o)] or lights, 1.0)

    def _alike(self) -> list[list[dict[str, str]]]:
        """Things that are called the same, by kind and colour."""
        groups: dict[tuple, list[dict[str, str]]] = {}
        for thing in self.things:
            groups.setdefault((thing["kind"], thing.get("color")), []).append(thing)
        return list(groups.values())

    def _color(self, group: list[dict[str, str]]) -> None:
        used = {thing["color"] for thing in self.things if "color" in thing}
        kind, setting = group[0]["kind"], self.scene.get("setting")
        light, weather = self.scene.get("light", "noon"), self.scene.get("weather", "clear")
        shares = {
            color: NATURAL.get(kind, {}).get(color, 1.0)
            for color in COLORS
            if color not in used
            and not held_out(color, kind)
            and (setting is None or tells(color, setting, light, weather))
        }
        picked = (
            {} if "color" in group[0] else {"color": self._pick(self._allowed("color", shares))}
        )
        for thing in group:
            thing.update({name: value for name, value in picked.items() if value})

    # What they do.

    def _do(self) -> None:
        """The subject does something, the others rest or do what those like them do."""
        related = {i for f in self.draft.others if f.name in _STRUCK for i in f.args}
        doing = {i for i, t in enumerate(self.things) if "action" in t or "direction" in t}
        events = {f.args[0] for f in self.draft.others if f.name == "event"}
        first = min(doing | events | related, default=0)
        for group in self._alike():
            numbers = [i for i, thing in enumerate(self.things) if any(thing is t for t in group)]
            if {*numbers} & related and not {*numbers} & doing:
                continue  # what is struck does what the other makes it do
            rest: dict[tuple, dict[str, str]] = {}  # those that do the same do it the same way
            for thing in (self.things[n] for n in numbers if n in doing):
                does = thing.get("action"), thing.get("direction")
                rest[does] = rest[does] if does in rest else self._rest_of(thing)
                thing.update(rest[does])
            others = [self.things[n] for n in numbers if n not in doing]
            if others:
                stories = _ALONE if len(group) == 1 else _ALIKE
                stories = stories if first in numbers and others == group else ("rests", "stands")
                told = self._deed(group[0], stories, events & {*numbers})
                for thing in others:
                    thing.update(told)
        for index, thing in enumerate(self.things):
            if thing.get("action") == "hits":
                self._strike(index, thing)

    def _deed(
        self, thing: Mapping[str, str], names: Sequence[str], acting: Collection[int]
    ) -> dict[str, str]:
        """An action, with a direction where it has one."""
        kind = thing["kind"]
        events = {
            str(f.value) for f in self.draft.others if f.name == "event" and f.args[0] in acting
        }
        shares = {
            (name, manner): STORIES[name].share / len(STORIES[name].manners[kind])
            for name in names
            if kind in STORIES[name].manners and events <= {*STORIES[name].events}
            for manner in STORIES[name].manners[kind]
            if not {("action", manner), ("action", "")} & self.denied
        }
        picked = self._pick(shares)
        if picked is None:
            return {}
        story, manner = picked
        way = self._way(story) if story in _GOING else None
        return {"action": manner} | ({"direction": way} if way else {})

    def _rest_of(self, told: Mapping[str, str]) -> dict[str, str]:
        """Of an action its direction, of a direction its action, where that is open."""
        kind, action = told["kind"], told.get("action")
        going = [n for n in _GOING if kind in STORIES[n].manners]
        if action is None:
            manners = dict.fromkeys((m for n in going for m in STORIES[n].manners[kind]), 1.0)
            picked = self._pick(self._allowed("action", manners))
            return {"action": picked} if picked else {}
        fits = [n for n in going if action in STORIES[n].manners[kind]]
        way = self._way(fits[0]) if fits and "direction" not in told else None
        return {"direction": way} if way else {}

    def _way(self, story: str) -> str | None:
        return self._pick(self._allowed("direction", dict.fromkeys(STORIES[story].ways, 1.0)))

    def _strike(self, index: int, thing: dict[str, str]) -> None:
        """What hits another rolls or slides there, to a side."""
        manners = STORIES["hits"].manners.get(thing["kind"], ())
        if any(f.name == "hits" and f.args[0] == index for f in self.draft.others):
            self._add(thing, "manner", dict.fromkeys(manners, 1.0))
            if "manner" in thing:
                self._add(thing, "direction", dict.fromkeys(STORIES["hits"].ways, 1.0))

    def _stand(self) -> None:
        """Of two unlike things that stay in their places, which is on the left."""
        if len(self.things) != 2 or any(len(f.args) == 2 for f in self.draft.others):
            return
        looks = [(thing["kind"], thing.get("color")) for thing in self.things]
        if looks[0] != looks[1] and all(t.get("action") in IDLE for t in self.things):
            side = self._pick(self._allowed("side", {"left": 1.0, "right": 1.0}))
            self.draft.others += [Fact("side", (0, 1), side)] if side else []

    # Choosing.

    def _add(self, what: dict[str, str], name: str, shares: Mapping[str, float]) -> None:
        if name not in what:
            picked = self._pick(self._allowed(name, shares))
            what.update({name: picked} if picked else {})

    def _allowed(self, name: str, shares: Mapping[str, float]) -> dict[str, float]:
        none = (name, "") in self.denied
        return {v: s for v, s in shares.items() if not none and (name, v) not in self.denied}

    def _weighed(self, values: Sequence[T]) -> T:
        return values[int(self.rng.integers(len(values)))]

    def _pick(self, shares: Mapping[T, float]) -> T | None:
        """One of these values by its share; None where there is none."""
        if not shares:
            return None
        p = np.array(list(shares.values()))
        return list(shares)[int(self.rng.choice(len(p), p=p / p.sum()))]
