"""What is true of a take: typed statements, read off its record and not off its intentions.

Actions, directions, hits and sides come from positions, rotations and contacts (`record`); what a
scene only wishes for is never a fact. `verdict.confirm` compares the two.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from worldreel.world import record
from worldreel.world.actors import RIGS
from worldreel.world.record import landed, path, struck
from worldreel.world.scene import ACTORS, Take

MOVED = 0.4  # metres: what moved less has no direction worth a word
FLOWN = 0.8  # metres over the ground: what was thrown, at least; less is a fall
RISEN = 0.1  # metres that a throw goes up, at least
COLOURLESS = ("black and white",)  # styles that show no colour
PIECES = ("dominoes", "blocks")  # what can topple
_EVENTS = {
    "stops": record.stopped,
    "turns": record.turned,
    "jumps": record.jumped,
    "waves": record.waved,
}


@dataclass(frozen=True)
class Fact:
    """`name(args) == value`. Things are numbered as in the scene: color(0) == red."""

    name: str
    args: tuple[Any, ...]  # things by number, or words
    value: Any  # a word, a number or True

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.args))}) == {self.value}"

    def to_list(self) -> list:
        """As JSON-able [name, [args], value]."""
        return [self.name, list(self.args), self.value]

    @classmethod
    def from_list(cls, data: Sequence) -> Fact:
        """Inverse of `to_list`."""
        name, args, value = data
        return cls(name, tuple(args), value)


def facts(take: Take) -> tuple[Fact, ...]:
    """All that is true of the take, in a fixed order.

    In a style without colours none is stated, and things are counted by kind alone.
    """
    scene = take.scene
    colored = scene.style not in COLOURLESS
    said = [Fact(name, (), getattr(scene, name)) for name in ("setting", "light", "weather")]
    said += [Fact("style", (), scene.style), Fact("camera", (), scene.camera.move)]
    keys = [(t.kind, t.color) if colored else (t.kind,) for t in scene.things]
    said += [Fact("count", key, keys.count(key)) for key in dict.fromkeys(keys)]
    for index, thing in enumerate(scene.things):
        said.append(Fact("kind", (index,), thing.kind))
        if colored:
            said.append(Fact("color", (index,), thing.color))
        said.append(Fact("size", (index,), thing.size))
        if thing.kind in ACTORS:
            said += _acting(take, index)
        else:
            said.append(Fact("material", (index,), thing.material))
            said += _motion(take, index)
    said += _sides(take, said)
    return (*said, *_order(take))


# What one thing does.


def _acting(take: Take, index: int) -> list[Fact]:
    """What an actor does, where it goes and what it does in the midst of it."""
    thing = take.scene.things[index]
    rig = RIGS[thing.kind]
    where, speed = path(take, index), record.speeds(take, index)
    found = {event: _EVENTS[event](take, index) for event in rig.events if len(where) > 1}
    events = sorted((when, event) for event, when in found.items() if when is not None)
    moved = _length(where[:, :2])
    said = []
    if moved < record.STILL:
        said.append(Fact("action", (index,), rig.stands))
    elif moved > MOVED:
        cruise = float(np.median(speed[speed > 0.5 * speed.max()]))
        runs = cruise > record.size_of(take, index) * math.sqrt(rig.speed[0] * rig.speed[1])
        said.append(Fact("action", (index,), rig.goes[runs]))
        turn = found.get("turns")
        way = where[: len(where) if turn is None else turn + 1, :2]
        # One that was driven to and fro went nowhere in particular.
        if np.linalg.norm(way[-1] - way[0]) > 0.6 * _length(way):
            said += _headed(take, index, way[-1] - way[0])
    return [*said, *(Fact("event", (index,), event) for _, event in events)]


def _length(way: np.ndarray) -> float:
    """How long a way (F, D) is."""
    return float(np.linalg.norm(np.diff(way, axis=0), axis=1).sum())


def _motion(take: Take, index: int) -> list[Fact]:
    """The action and direction of one thing, as far as the record shows a clear one."""
    thing, where, hits = take.scene.things[index], path(take, index), struck(take)
    was_hit = any(other == index for _, other in hits)
    hit = next((pair for pair in hits if pair[0] == index), None)
    end = hits[hit] if hit else len(where) - 1
    moved = where[end] - where[0]
    if thing.kind in PIECES and record.toppled(take, index) is not None:
        way = None if was_hit else record.fall_direction(take, index)
        said = [Fact("action", (index,), "topples"), Fact("topples", (index,), True)]
        return said + ([] if way is None else _headed(take, index, way))
    if was_hit:
        return []  # what it does is the other's doing; the hit says so
    below = [j for j in range(len(take.scene.things)) if j != index]
    onto = next((j for j in below if record.settled(take, index, j)), None)
    if onto is not None:
        return [Fact("action", (index,), "stacks"), Fact("onto", (index, onto), True)]
    if np.abs(where - where[0]).max() < record.STILL:
        return [Fact("action", (index,), "rests")]
    down = landed(take, index)
    if down > 1:  # what it does once it has landed is the fall's too
        return _airborne(take, index, down)
    manner = _manner(take, index, end)
    if manner is None or math.hypot(moved[0], moved[1]) < MOVED:
        return []
    if hit is None:
        return [Fact("action", (index,), manner), *_direction(take, index, end)]
    said = [Fact("action", (index,), "hits"), Fact("hits", hit, True)]
    return [*said, Fact("manner", (index,), manner), *_direction(take, index, end)]


def _airborne(take: Take, index: int, down: int) -> list[Fact]:
    """Whether what was in the air until a frame fell or was thrown."""
    where = path(take, index)[: down + 1]
    over = math.hypot(*(where[-1] - where[0])[:2])
    if over >= FLOWN and where[:, 2].max() - where[0, 2] >= RISEN:
        return [Fact("action", (index,), "flies"), *_direction(take, index, down)]
    if over < MOVED and where[-1, 2] - where[0, 2] < -MOVED:
        return [Fact("action", (index,), "falls")]
    return []


def _direction(take: Take, index: int, end: int) -> list[Fact]:
    """Where it went until a frame, if it clearly went to a side, toward the viewer or away."""
    where = path(take, index)
    return _headed(take, index, (where[end] - where[0])[:2])


def _headed(take: Take, index: int, moved: np.ndarray) -> list[Fact]:
    if math.hypot(*moved) < MOVED:
        return []
    right, _, forward = take.look[0].astype(np.float64)
    lateral = float(moved @ right[:2]) / math.hypot(*right[:2])
    deep = float(moved @ forward[:2]) / math.hypot(*forward[:2])
    if abs(lateral) > 1.5 * abs(deep):
        return [Fact("direction", (index,), "right" if lateral > 0 else "left")]
    if abs(deep) > 1.5 * abs(lateral):
        return [Fact("direction", (index,), "away" if deep > 0 else "toward")]
    return []


def _manner(take: Take, index: int, end: int) -> str | None:
    """Rolls or slides: whether the ground that passed under it is the turning of its rim."""
    where = path(take, index)[: end + 1]
    turns = take.rotation[: end + 1, record.parts(take, index)[0]].astype(np.float64)
    between = np.einsum("fij,fkj->fik", turns[1:], turns[:-1])
    # About a level axis only: to turn like a top is not to roll.
    axis = np.stack([between[:, 2, 1] - between[:, 1, 2], between[:, 0, 2] - between[:, 2, 0]], 1)
    sine = np.linalg.norm(axis, axis=1) / 2
    angle = np.arctan2(sine, (np.trace(between, axis1=1, axis2=2) - 1) / 2)
    rolled = float(angle.sum()) * take.scene.things[index].extent[0]
    travelled = _length(where[:, :2])
    if travelled < record.STILL or np.ptp(where[:, 2]) > 0.1:
        return None
    share = rolled / travelled
    if share > 0.8:
        return "rolls"
    return "slides" if share < 0.1 else None


# How things are to each other.


def _sides(take: Take, said: Sequence[Fact]) -> list[Fact]:
    """Left and right of any two unlike things that rest or stand, in the first frame."""
    things = take.scene.things
    stands = {i: RIGS[t.kind].stands if t.kind in RIGS else "rests" for i, t in enumerate(things)}
    still = [i for i, word in stands.items() if Fact("action", (i,), word) in said]
    middle = {}
    for index in still:
        low, high = record.bounds(take, record.parts(take, index))
        middle[index] = (low[0] + high[0]) / 2
    colored = take.scene.style not in COLOURLESS
    found = []
    for one, other in itertools.combinations(still, 2):
        keys = [(things[i].kind, things[i].color if colored else None) for i in (one, other)]
        apart = float((middle[one] - middle[other]) @ take.look[0, 0])
        if keys[0] != keys[1] and abs(apart) >= MOVED:
            found.append(Fact("side", (one, other), "left" if apart < 0 else "right"))
    return found


def _order(take: Take) -> list[Fact]:
    """Which of two kinds of happening came first."""
    hits = struck(take)
    for (_, other), when in hits.items():
        if take.scene.things[other].kind in PIECES:
            began = record.toppled(take, other)
            if began is not None and when < began:
                return [Fact("before", ("hits", "topples"), True)]
    return []
