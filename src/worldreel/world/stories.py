"""What can happen: each story places its things, and plans where each will be at the end.

A new story is a function and its row in STORIES. A story knows the ground (`surface`) and solves
for the speed that covers the distance in the clip's time; whether it comes out so is for the
simulation to say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from worldreel.world.camera import TO_LEFT, WIDE
from worldreel.world.scene import Camera, Thing
from worldreel.world.surface import SURFACES, start_speed

FOV = 40.0  # degrees, vertical at 16:9: about 66 across
RADII = {"small": 0.29, "medium": 0.37, "large": 0.47}  # metres
SHAPE = {  # half sizes as shares of the radius: about the same area in the picture for all kinds
    "ball": (1.0, 1.0, 1.0),
    "cube": (0.88, 0.88, 0.88),
    "cylinder": (0.82, 0.82, 1.0),
    "cone": (0.95, 0.95, 1.08),
}
TRAVELS = {
    "ball": ("rolls",),
    "cube": ("slides",),
    "cylinder": ("rolls", "slides"),
    "cone": ("slides",),
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The discrete half of a scene, drawn first. story: one of STORIES."""

    story: str
    setting: str
    light: str
    move: str
    direction: str  # of the subject, where the story moves it
    travel: str  # how the subject moves, where the story moves it
    looks: tuple[tuple[str, str, str, str], ...]  # kind, colour, size, material of each thing
    seconds: float


def three(x: float, y: float, z: float) -> tuple[float, float, float]:
    """Plain numbers to a hundredth of a millimetre, so that a scene's JSON is short; never -0.0."""
    return round(float(x), 5) + 0.0, round(float(y), 5) + 0.0, round(float(z), 5) + 0.0


def _thing(
    rng: np.random.Generator, look: tuple[str, str, str, str], *, lying: float | None = None
) -> Thing:
    """A thing of this look that stands on the ground at the origin, turned at random.

    lying: for a cylinder, the way its axis points in radians from the viewer's right.
    """
    kind, color, size, material = look
    radius = RADII[size] * rng.uniform(0.96, 1.04)
    extent = three(*(radius * share for share in SHAPE[kind]))
    rotation, height = _turn(rng.uniform(-math.pi, math.pi), 0.0), extent[2]
    if lying is not None:
        rotation, height = _turn(lying, math.pi / 2), extent[0]
    return Thing(
        kind=kind,
        color=color,
        size=size,
        material=material,
        extent=extent,
        position=three(0.0, 0.0, height),
        rotation=rotation,
    )


def _turn(yaw: float, tilt: float) -> tuple[float, float, float, float]:
    """The quaternion of a tilt toward x, then a turn by yaw about the vertical (radians)."""
    cz, sz, ct, st = (f(a / 2) for a in (yaw, tilt) for f in (math.cos, math.sin))
    return (round(cz * ct, 6), *three(-sz * st, cz * st, sz * ct))


def _at(thing: Thing, x: float, y: float, up: float = 0.0) -> Thing:
    return replace(thing, position=three(x, y, thing.position[2] + up))


def _view_width(camera: Camera, y: float = 0.0) -> float:
    """How many metres the first frame spans at a distance of y beyond the origin."""
    return 2 * math.tan(math.radians(camera.fov) / 2) * WIDE * (y - camera.eye[1])


# Each story places its things and says where each will be at the end: (things, end positions).
Told = tuple[list[Thing], list[tuple[float, ...]]]


def _rests(rng: np.random.Generator, plan: Plan, camera: Camera) -> Told:
    thing = _resting(rng, plan.looks[0])
    thing = _at(thing, rng.uniform(-0.3, 0.3) * _view_width(camera), rng.uniform(-0.5, 0.3))
    return [thing], [thing.position]


def _resting(rng: np.random.Generator, look: tuple[str, str, str, str]) -> Thing:
    lies = look[0] == "cylinder" and rng.random() < 0.25
    return _thing(rng, look, lying=rng.uniform(-math.pi, math.pi) if lies else None)


def _pair(rng: np.random.Generator, plan: Plan, camera: Camera) -> Told:
    things = [_resting(rng, look) for look in plan.looks]
    width = _view_width(camera)
    apart = rng.uniform(0.24, 0.5) * width
    middle = rng.uniform(-0.12, 0.12) * width
    side = rng.choice((-1.0, 1.0))
    things = [
        _at(thing, middle + sign * side * apart / 2, rng.uniform(-0.4, 0.4))
        for thing, sign in zip(things, (-1, 1), strict=True)
    ]
    return things, [thing.position for thing in things]


def _travels(rng: np.random.Generator, plan: Plan, camera: Camera) -> Told:
    surface = SURFACES[plan.setting]
    rolls = plan.travel == "rolls"
    heading = {"right": 0.0, "left": math.pi, "away": math.pi / 2, "toward": -math.pi / 2}
    angle = heading[plan.direction] + rng.uniform(-0.08, 0.08)
    lying = None
    if rolls and plan.looks[0][0] == "cylinder":
        # A cylinder that rolls past would show its end and look like a ball: seen a little from
        # the side, it goes a little away, or comes a little nearer.
        if plan.direction in TO_LEFT:
            angle += rng.choice((-1, 1)) * rng.uniform(0.18, 0.3)
        lying = angle + math.pi / 2
    thing = _thing(rng, plan.looks[0], lying=lying)
    width = _view_width(camera)
    if plan.direction in TO_LEFT:
        distance = rng.uniform(0.3, 0.58) * width
        middle = rng.uniform(-0.12, 0.12) * width, rng.uniform(-0.2, 0.2)
    else:
        near = 2 * thing.extent[0] * pixels_per_tangent() / rng.uniform(26, 38)
        distance = near * (rng.uniform(1.45, 1.8) - 1)
        middle = rng.uniform(-0.2, 0.2) * width, near + distance / 2 + camera.eye[1]
    step = np.array([math.cos(angle), math.sin(angle)])
    start = np.array(middle) - step * distance / 2
    end = np.array(middle) + step * distance / 2
    deceleration = surface.roll if rolls else surface.slide * 9.81
    speed = start_speed(distance, plan.seconds, deceleration)
    thing = _moving(_at(thing, *start), step * speed, plan)
    return [thing], [(*end, thing.position[2])]


def pixels_per_tangent() -> float:
    return 144 / 2 / math.tan(math.radians(FOV) / 2) / WIDE


def _moving(thing: Thing, velocity: np.ndarray, plan: Plan, target: int | None = None) -> Thing:
    """The thing on its way; one that rolls spins as fast as the ground passes under it."""
    radius = thing.extent[0]
    turning = velocity / radius if plan.travel == "rolls" else np.zeros(2)
    return replace(
        thing,
        velocity=three(velocity[0], velocity[1], 0.0),
        spin=three(-turning[1], turning[0], 0.0),
        action=plan.travel if target is None else "hits",
        direction=plan.direction,
        target=target,
    )


def _falls(rng: np.random.Generator, plan: Plan, camera: Camera) -> Told:
    thing = _thing(rng, plan.looks[0])
    x, y = rng.uniform(-0.3, 0.3) * _view_width(camera), rng.uniform(-0.3, 0.4)
    thing = _at(thing, x, y, rng.uniform(0.75, 1.5))
    if thing.kind != "ball":
        # Never quite level, as nothing that is dropped is: an edge or a corner lands first.
        turn = _turn(rng.uniform(-math.pi, math.pi), rng.uniform(0.02, 0.3))
        thing = replace(thing, rotation=turn)
    thing = replace(
        thing,
        velocity=three(rng.uniform(-0.12, 0.12), rng.uniform(-0.08, 0.08), 0.0),
        spin=three(rng.uniform(-0.6, 0.6), rng.uniform(-0.6, 0.6), rng.uniform(-0.6, 0.6)),
        action="falls",
    )
    return [thing], [(x, y, thing.extent[2])]


def _hits(rng: np.random.Generator, plan: Plan, camera: Camera) -> Told:
    surface = SURFACES[plan.setting]
    side = TO_LEFT[plan.direction]
    rolls = plan.travel == "rolls"
    kind = plan.looks[0][0]
    lying = math.pi / 2 if rolls and kind == "cylinder" else None
    if lying is not None:
        lying += rng.choice((-1, 1)) * rng.uniform(0.08, 0.16)
    thing = _thing(rng, plan.looks[0], lying=lying)
    other = _thing(rng, plan.looks[1])
    gap = rng.uniform(0.45, 1.1)
    apart = gap + thing.extent[0] + other.extent[0]
    x = -side * rng.uniform(0.2, 0.36) * _view_width(camera)
    y = rng.uniform(-0.2, 0.3)
    deceleration = surface.roll if rolls else surface.slide * 9.81
    until_impact = rng.uniform(0.22, 0.4) * min(plan.seconds, 3.0)
    speed = gap / until_impact + deceleration * until_impact / 2
    speed = max(speed, math.sqrt(2 * deceleration * gap) + 1.0)
    thing = _moving(_at(thing, x, y), np.array([side * speed, 0.0]), plan, target=1)
    other = _at(other, x + side * apart, y + rng.uniform(-0.06, 0.06))
    return [thing, other], [(other.position[0] - side * gap, y, thing.position[2]), other.position]


def _passes(rng: np.random.Generator, plan: Plan, camera: Camera) -> Told:
    """The subject travels or falls; something else rests beyond its path or beside it."""
    story = _falls if rng.random() < 0.3 else _travels
    things, ends = story(rng, plan, camera)
    other = _resting(rng, plan.looks[1])
    beyond = things[0].direction in TO_LEFT
    y = rng.uniform(0.9, 1.4) if beyond else rng.uniform(-0.3, 0.6)
    other = _at(other, rng.uniform(-0.4, 0.4) * _view_width(camera, y), y)
    return [*things, other], [*ends, other.position]


STORIES = {
    "rests": _rests,
    "pair": _pair,
    "twins": _pair,
    "travels": _travels,
    "falls": _falls,
    "hits": _hits,
    "passes": _passes,
}
