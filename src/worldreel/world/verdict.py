"""Verdicts: whether a take shows what its scene says, in full view."""

from __future__ import annotations

import itertools

import numpy as np

from worldreel.world import record
from worldreel.world.camera import seen
from worldreel.world.facts import Fact, facts
from worldreel.world.framing import hidden, inside, pixels
from worldreel.world.place import PLACES, SHORE
from worldreel.world.scene import ACTORS, Take

CROSSES = 0.22  # of the picture's width: what a motion to a side crosses at least
GROWS = 1.25  # how much larger or smaller a motion toward or away makes a thing, at least
FOLLOWED = 0.8  # metres: what a camera follows goes at least
BOUNCES = 0.08  # metres: what falls comes up again at least
SMALLEST = 13.0  # pixels in a picture 144 wide, as the side of a square
_NEAR = ("hits", "topples")  # what needs no long way to be seen
_SANK = 0.05  # metres
_HIDDEN = 0.2  # the share of a thing that another may hide at first
_BLOCKED = 0.1  # metres: what was struck and moved less was hardly struck


def confirm(take: Take) -> str | None:
    """None if the record shows what the scene says, in full view; else what is wrong with it."""
    scene, known, hits = take.scene, set(facts(take)), record.struck(take)
    meant = {(i, thing.target) for i, thing in enumerate(scene.things) if thing.action == "hits"}
    if set(hits) != meant:
        return "things touched that were not to, or did not that were"
    for index, thing in enumerate(scene.things):
        struck = any(other == index for _, other in hits)
        for name, args, value in _wanted(take, index, struck=struck):
            if Fact(name, args, value) not in known:
                return f"it is not so that {Fact(name, args, value)}"
        events = {f.value for f in known if f.name == "event" and f.args == (index,)}
        if events - {thing.event} and not (scene.keys and index == 0):
            return f"thing {index} does more than it was to: {events}"
        wrong = _unclear(take, index, struck=struck)
        if wrong:
            return f"thing {index} {wrong}"
    if _through_actors(take):
        return "things went through actors, or they through each other"
    first = [record.filled(take, i)[0] for i in range(len(scene.things))]
    if any(hidden(a, b) > _HIDDEN for a, b in itertools.combinations(first, 2)):
        return "one thing hides another"
    return None


def _wanted(take: Take, index: int, *, struck: bool) -> list[tuple]:
    """What has to be a fact of a thing."""
    thing = take.scene.things[index]
    wanted: list[tuple] = []
    if not (struck and thing.action == "rests"):  # what becomes of it is the other's doing
        wanted.append(("action", (index,), thing.action))
    if thing.direction:
        wanted.append(("direction", (index,), thing.direction))
    if thing.event:
        wanted.append(("event", (index,), thing.event))
    if thing.action == "stacks":
        wanted.append(("onto", (index, thing.target), True))
    return wanted


def _unclear(take: Take, index: int, *, struck: bool) -> str | None:
    """What a viewer would miss of a thing, or find odd."""
    thing, where = take.scene.things[index], record.path(take, index)
    if struck and np.linalg.norm(where[-1] - where[0]) < _BLOCKED and thing.action == "rests":
        return "was hit and hardly moved"
    if thing.action == "falls" and record.bounces(take, index) < BOUNCES:
        return "did not bounce"
    if thing.direction and thing.action not in _NEAR and not _goes_far(take, index):
        return "hardly moved in the picture"
    low, high = record.bounds(take, record.parts(take, index))
    if thing.kind not in ACTORS and low[:, 2].min() < -_SANK:
        return "sank into the ground"
    if not _on_its_ground(take, thing.kind, low[:, 1].min(), high[:, 1].max()):
        return "left its ground"
    filled = record.filled(take, index)
    if pixels(filled[:1] if struck else filled).min() < SMALLEST:
        return "is too small"
    if not inside(filled[:1] if struck else filled).all():
        return "is not wholly in view"
    if struck:  # it may be cut by the picture's edge, but not leave it
        place, _ = seen(where, take.eye, take.look, take.scene.camera.fov)
        if np.abs(place).max() > 1.0:
            return "left the picture"
    return None


def _on_its_ground(take: Take, kind: str, near: float, far: float) -> bool:
    """Whether what is between two y in metres is in the sea, or on land, as it has to be."""
    sea = PLACES[take.scene.setting].sea
    if kind == "ship":
        return sea is not None and near > SHORE
    return sea is None or far < SHORE


def _through_actors(take: Take) -> bool:
    """Whether the boxes of an actor, which no contact stops, and of another thing ever meet."""
    things = take.scene.things
    boxes = [record.bounds(take, record.parts(take, i)) for i in range(len(things))]
    for one, other in itertools.combinations(range(len(things)), 2):
        if {things[one].kind, things[other].kind} & set(ACTORS):
            low = np.maximum(boxes[one][0], boxes[other][0])
            high = np.minimum(boxes[one][1], boxes[other][1])
            if (low < high).all(1).any():
                return True
    return False


def _goes_far(take: Take, index: int) -> bool:
    """Whether a motion is plain to see from where the camera stood at first."""
    where, frames = record.path(take, index), take.num_frames
    if take.scene.camera.move == "follow":
        return float(np.linalg.norm(where - where[0], axis=1).max()) >= FOLLOWED
    still = np.repeat(take.eye[:1], frames, 0), np.repeat(take.look[:1], frames, 0)
    place, depth = seen(where, *still, take.scene.camera.fov)
    if take.scene.things[index].direction in ("left", "right"):
        return np.abs(place[:, 0] - place[0, 0]).max() / 2 >= CROSSES
    return depth.max() / depth.min() >= GROWS
