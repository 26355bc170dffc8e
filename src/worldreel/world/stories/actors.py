"""What actors do: they stand, go alone or together, and are driven by keys.

Where an actor goes is worked out by `actors.path`, here and on the stage alike.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from worldreel.world.actors import RIGS
from worldreel.world.actors.path import follow, scale
from worldreel.world.camera import TO_LEFT
from worldreel.world.scene import FPS, Camera, Thing
from worldreel.world.stories.plan import (
    HEADING,
    SAMPLES,
    Look,
    Placed,
    Plan,
    at_rest,
    half_sizes,
    made,
    moved,
    three,
    turned,
    view_width,
)

# For each event: the earliest time at which it may begin, and how long it takes, in seconds.
_WHEN = {"stops": (0.4, 0.75), "turns": (0.35, 1.1), "jumps": (0.2, 0.8), "waves": (0.0, 1.75)}
_SHOWS = 0.27  # of the picture's width, or of the way to the camera: what it goes at least
_FURTHEST = 0.9  # of the picture's width: what it crosses at most
_FACES = (-math.pi / 2, -math.pi / 2, 0.0, math.pi)  # toward the viewer, or to a side
_LONG = 1.4  # times as long as it is wide: what shows too little of itself from the front
# Radians that it is turned to a side when it is to be seen from the front or from behind; toward
# and away are said up to 0.58 (`facts`).
_ASIDE = {False: (-0.08, 0.08), True: (0.38, 0.53)}


def standing(rng: np.random.Generator, plan: Plan, look: Look) -> Thing:
    """An actor at the origin that does not move from its place."""
    yaw = _FACES[rng.integers(len(_FACES))] + rng.uniform(-0.5, 0.5)
    if _long(look) and abs(math.cos(yaw)) < 0.5:
        yaw = -math.pi / 2 + rng.choice((-1, 1)) * rng.uniform(0.5, 0.9)
    return replace(made(rng, plan, look, yaw=yaw), action=RIGS[look.kind].stands)


def _long(look: Look) -> bool:
    """Whether it is best seen from a side: what is long, and what has wings, wheels or a keel."""
    rig = RIGS[look.kind]
    return rig.radius > 0 or rig.size[0] > _LONG * rig.size[1]


def _heading(rng: np.random.Generator, plan: Plan) -> float:
    """Which way those of a plan go, in radians to the left of the viewer's right."""
    deep = plan.direction not in TO_LEFT
    aside = rng.uniform(*_ASIDE[deep and any(_long(look) for look in plan.looks)])
    return HEADING[plan.direction] + rng.choice((-1, 1)) * aside


def stands(rng: np.random.Generator, plan: Plan, camera: Camera) -> list[Placed] | None:
    """It stays in its place; it may turn round, jump or wave."""
    thing = standing(rng, plan, plan.looks[0])
    x = rng.uniform(-0.25, 0.25) * view_width(camera, plan.middle)
    thing = moved(thing, x, plan.middle + rng.uniform(-0.4, 0.4))
    if plan.event is None:
        return [at_rest(thing)]
    at = None if RIGS[thing.kind].radius and plan.event == "turns" else _when(rng, plan, thing)
    if at is None:  # no time for it, or it turns only as it goes
        return None
    thing = replace(thing, event=plan.event, at=at)
    return [replace(at_rest(thing), half=_swept(thing))]


def _when(
    rng: np.random.Generator, plan: Plan, thing: Thing, speed: float = 0.0, least: float = 0.0
) -> float | None:
    """When the event begins, after so many metres at least; None if there is no time for it."""
    assert plan.event is not None
    rig = RIGS[thing.kind]
    earliest, takes = _WHEN[plan.event]
    if speed and plan.event in ("stops", "turns"):
        earliest = max(earliest, least / speed)
    if speed and plan.event == "turns":  # round a bend
        takes += math.pi * rig.radius * scale(thing, rig) / speed
    latest = plan.seconds - takes
    return round(float(rng.uniform(earliest, latest)), 2) if latest >= earliest else None


def _swept(thing: Thing) -> np.ndarray:
    """Half sizes of the box that it stays in when it turns on the spot and jumps."""
    side = max(thing.extent[:2])
    return np.array([side, side, thing.extent[2]])


def goes(rng: np.random.Generator, plan: Plan, camera: Camera) -> list[Placed] | None:
    """It goes to a side, toward the viewer or away; it may stop, turn round, jump or wave."""
    angle = _heading(rng, replace(plan, looks=plan.looks[:1]))
    thing = made(rng, plan, plan.looks[0], yaw=angle)
    speed = _bounded(rng, thing, plan, camera, _speeds(thing, plan))
    if speed is None:
        return None
    at = _when(rng, plan, thing, speed, _least(plan, camera)) if plan.event else 0.0
    if at is None:
        return None
    thing = _going(thing, plan, speed, angle)
    thing = replace(thing, event=plan.event, at=at)
    ways = _track(thing, plan)
    half = half_sizes(thing) if plan.event != "turns" else _swept(thing)
    return [_set_in(rng, plan, camera, thing, ways, half)]


def _speeds(thing: Thing, plan: Plan) -> tuple[float, float]:
    """The slowest and the fastest in m/s that it goes in the plan's manner."""
    rig = RIGS[thing.kind]
    slow, fast = rig.speed
    between = math.sqrt(slow * fast)
    if rig.goes[0] == rig.goes[1]:
        low, high = 0.75 * slow, fast
    elif plan.manner == rig.goes[0]:
        low, high = 0.65 * slow, min(1.1 * slow, 0.92 * between)
    else:
        low, high = 1.12 * between, fast
    return scale(thing, rig) * low, scale(thing, rig) * high


def _least(plan: Plan, camera: Camera) -> float:
    """How many metres it goes at least, for its way to be seen."""
    if plan.move == "follow":
        return 1.0
    if plan.direction in TO_LEFT:
        return _SHOWS * view_width(camera, plan.middle)
    return _SHOWS * (plan.middle - camera.eye[1])


def _bounded(
    rng: np.random.Generator, thing: Thing, plan: Plan, camera: Camera, bounds: tuple[float, float]
) -> float | None:
    """A speed within bounds at which it is seen to go and stays in the picture, None if none is."""
    low, high = bounds
    low = max(low, _least(plan, camera) / plan.seconds)
    if plan.move != "follow" and plan.event not in ("stops", "turns"):
        lateral = plan.direction in TO_LEFT
        room = _FURTHEST * view_width(camera, plan.middle) - 2 * thing.extent[0]
        high = min(high, (room if lateral else 2.6) / plan.seconds)
    return float(rng.uniform(low, high)) if low < high else None


def _going(thing: Thing, plan: Plan, speed: float, angle: float) -> Thing:
    """On its way at this speed along this angle; the word for it is its rig's."""
    rig = RIGS[thing.kind]
    slow, fast = rig.speed
    runs = speed > scale(thing, rig) * math.sqrt(slow * fast)
    return replace(
        thing,
        rotation=turned(angle),
        velocity=three(speed * math.cos(angle), speed * math.sin(angle), 0.0),
        action=rig.goes[runs],
        direction=plan.direction,
    )


def _track(thing: Thing, plan: Plan, keys: tuple[str, ...] = ()) -> np.ndarray:
    """Where its centre comes at SAMPLES points of time, (SAMPLES, 3)."""
    frames = max(1, round(plan.seconds * FPS))
    rig = RIGS[thing.kind]
    if thing.event in ("stops", "turns") or keys:
        path = follow(thing, rig, frames, gravity=plan.surface.gravity, keys=keys)
        shown = np.linspace(0, frames - 1, SAMPLES).round().astype(int)
        return path.origin[shown] + (0.0, 0.0, thing.extent[2])
    time = np.linspace(0.0, (frames - 1) / FPS, SAMPLES)[:, None]
    return np.array(thing.position) + time * np.array(thing.velocity)


def _set_in(
    rng: np.random.Generator,
    plan: Plan,
    camera: Camera,
    thing: Thing,
    track: np.ndarray,
    half: np.ndarray,
) -> Placed:
    """The actor and its track, which began at the origin, where both fit into the picture."""
    low, high = track.min(0), track.max(0)
    lateral = thing.direction in TO_LEFT
    if plan.move == "follow":
        shift = np.array([rng.uniform(-0.15, 0.15), rng.uniform(-0.2, 0.4), 0.0])
    else:
        span = view_width(camera, plan.middle) - (high[0] - low[0]) - 2 * half[0]
        room = 0.5 * max(span, 0.0)
        deep = rng.uniform(-0.3, 0.4) if lateral else rng.uniform(-0.5, 0.8)
        shift = np.array([rng.uniform(-0.8, 0.8) * room, deep, 0.0]) - (low + high) / 2
        shift[2] = 0.0
    shift[1] += plan.middle
    thing = replace(thing, position=three(*(np.array(thing.position) + shift)))
    return Placed(thing=thing, track=track + shift, half=half)


def together(rng: np.random.Generator, plan: Plan, camera: Camera) -> list[Placed] | None:
    """Two or three go the same way at the same speed: in a file, or side by side."""
    angle = _heading(rng, plan)
    things = [made(rng, plan, look, yaw=angle) for look in plan.looks]
    bounds = [_speeds(thing, replace(plan, manner=RIGS[thing.kind].goes[0])) for thing in things]
    first = _speeds(things[0], plan)
    widest = max(things, key=lambda thing: thing.extent[0])
    low = max(first[0], *(0.7 * low for low, _ in bounds))
    speed = _bounded(rng, widest, plan, camera, (low, first[1]))
    if speed is None:
        return None
    things = [_going(thing, plan, speed, angle) for thing in things]
    halves = [half_sizes(thing) for thing in things]
    lateral = plan.direction in TO_LEFT
    order = rng.permutation(len(things))
    x, offsets = 0.0, np.zeros((len(things), 3))
    for before, index in zip((None, *order), order, strict=False):
        if before is not None:
            x += halves[before][0] + halves[index][0] + rng.uniform(0.08, 0.35)
        aside = rng.uniform(-0.25, 0.25) if lateral else rng.uniform(-0.15, 0.15)
        offsets[index] = (x, aside, 0.0)
    offsets[:, 0] -= x / 2
    reach = np.array([x / 2 + max(half[0] for half in halves), 0.0, 0.0])
    start = _set_in(rng, plan, camera, things[0], _track(things[0], plan), reach).track[0]
    found = []
    for thing, half, offset in zip(things, halves, offsets, strict=True):
        x, y, _ = start + offset
        thing = replace(thing, position=three(x, y, thing.position[2]))
        found.append(Placed(thing=thing, track=_track(thing, plan), half=half))
    return found


def driven(rng: np.random.Generator, plan: Plan, camera: Camera) -> list[Placed]:
    """Keys drive it, one for every four frames."""
    faces = _FACES[2:] if _long(plan.looks[0]) else _FACES
    yaw = faces[rng.integers(len(faces))]
    thing = made(rng, plan, plan.looks[0], yaw=yaw)
    rig = RIGS[thing.kind]
    count = math.ceil(max(1, round(plan.seconds * FPS)) / 4)
    ways = ("left", "right", "left", "right", "forward", "back", "none")
    others = ("jump",) if "jumps" in rig.events else ()
    keys: list[str] = []
    while len(keys) < count:
        open_ = ways[:2] if not keys and _long(plan.looks[0]) else (*ways, *others)
        key = open_[rng.integers(len(open_))]
        keys += [key] * (1 if key == "jump" else int(rng.integers(2, 5)))
    keys = keys[:count]
    if not set(keys) & {"left", "right", "forward", "back"}:
        keys[: max(2, count // 2)] = [("left", "right")[rng.integers(2)]] * max(2, count // 2)
    played = tuple(keys[:count])
    track = _track(thing, plan, played)
    still = replace(thing, action=rig.goes[0])
    placed = _set_in(rng, plan, camera, still, track, _swept(thing))
    return [replace(placed, keys=played)]
