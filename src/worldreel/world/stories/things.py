"""What things do: they rest, travel, fall, are thrown, hit, topple and land on each other."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from worldreel.world.camera import TO_LEFT
from worldreel.world.scene import Camera, Thing
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
    pixels_per_tangent,
    straight,
    three,
    turned,
    view_width,
)
from worldreel.world.surface import start_speed

TRAVELS = {
    "ball": ("rolls",),
    "cube": ("slides",),
    "cylinder": ("rolls", "slides"),
    "cone": ("slides",),
    "ring": ("rolls", "slides"),
}
SOLIDS = tuple(TRAVELS)


def resting(rng: np.random.Generator, plan: Plan, look: Look) -> Thing:
    """A thing at the origin as it may rest: upright, or a cylinder on its side."""
    if look.kind == "dominoes":
        # Seen a little from the side, or its slabs would hide each other or show their edges only.
        return made(rng, plan, look, yaw=rng.choice((-1, 1)) * rng.uniform(0.2, 0.6))
    lies = look.kind == "cylinder" and rng.random() < 0.25
    return made(rng, plan, look, lying=rng.uniform(-math.pi, math.pi) if lies else None)


def rests(rng: np.random.Generator, plan: Plan, camera: Camera) -> list[Placed]:
    thing = resting(rng, plan, plan.looks[0])
    x, y = rng.uniform(-0.3, 0.3) * view_width(camera), rng.uniform(-0.5, 0.3)
    return [at_rest(moved(thing, x, y))]


def travels(rng: np.random.Generator, plan: Plan, camera: Camera) -> list[Placed]:
    """It rolls or slides to a side, or toward the viewer or away."""
    angle = HEADING[plan.direction] + rng.uniform(-0.08, 0.08)
    lateral = plan.direction in TO_LEFT
    if plan.manner == "rolls" and plan.looks[0].kind == ("cylinder" if lateral else "ring"):
        # A cylinder that rolls past would show its end and look like a ball, and a ring that comes
        # nearer would look like a stick: seen a little from the side, they go a little aslant.
        angle += rng.choice((-1, 1)) * rng.uniform(0.18, 0.3)
    thing = _travelling(rng, plan, angle)
    width = view_width(camera)
    if lateral:
        distance = rng.uniform(0.3, 0.58) * width
        middle = rng.uniform(-0.12, 0.12) * width, rng.uniform(-0.2, 0.2)
    else:
        near = 2 * thing.extent[0] * pixels_per_tangent() / rng.uniform(26, 38)
        distance = near * (rng.uniform(1.45, 1.8) - 1)
        middle = rng.uniform(-0.2, 0.2) * width, near + distance / 2 + camera.eye[1]
    step = np.array([math.cos(angle), math.sin(angle)])
    start = np.array(middle) - step * distance / 2
    end = np.array(middle) + step * distance / 2
    speed = start_speed(distance, plan.seconds, _slowing(plan))
    thing = _moving(moved(thing, *start), step * speed, plan)
    return [straight(thing, (*end, thing.position[2]))]


def _travelling(rng: np.random.Generator, plan: Plan, angle: float) -> Thing:
    """The subject as it travels along an angle: on its rim if it is one that rolls on it."""
    look = plan.looks[0]
    on_rim = plan.manner == "rolls" and look.kind in ("cylinder", "ring")
    return made(rng, plan, look, lying=angle + math.pi / 2 if on_rim else None)


def _slowing(plan: Plan) -> float:
    """What it loses of its speed as it travels, in metres per second squared."""
    surface = plan.surface
    return surface.roll if plan.manner == "rolls" else surface.slide * surface.gravity


def _moving(thing: Thing, velocity: np.ndarray, plan: Plan, target: int | None = None) -> Thing:
    """The thing on its way; one that rolls spins as fast as the ground passes under it."""
    radius = thing.extent[0]
    turning = velocity / radius if plan.manner == "rolls" else np.zeros(2)
    return replace(
        thing,
        velocity=three(velocity[0], velocity[1], 0.0),
        spin=three(-turning[1], turning[0], 0.0),
        action=plan.manner if target is None else "hits",
        direction=plan.direction,
        target=target,
    )


def falls(rng: np.random.Generator, plan: Plan, camera: Camera) -> list[Placed]:
    """It drops from above, and bounces."""
    thing = made(rng, plan, plan.looks[0])
    x, y = rng.uniform(-0.3, 0.3) * view_width(camera), rng.uniform(-0.3, 0.4)
    thing = _tumbling(rng, moved(thing, x, y, rng.uniform(0.75, 1.5)), 0.6)
    velocity = three(rng.uniform(-0.12, 0.12), rng.uniform(-0.08, 0.08), 0.0)
    thing = replace(thing, velocity=velocity, action="falls")
    return [straight(thing, (x, y, max(half_sizes(thing))))]


def _tumbling(rng: np.random.Generator, thing: Thing, spin: float) -> Thing:
    """Never quite level, as nothing that is let go is: an edge or a corner lands first."""
    if thing.kind != "ball":
        turn = turned(rng.uniform(-math.pi, math.pi), rng.uniform(0.02, 0.3))
        thing = replace(thing, rotation=turn)
    return replace(thing, spin=three(*rng.uniform(-spin, spin, 3)))


def flies(rng: np.random.Generator, plan: Plan, camera: Camera) -> list[Placed] | None:
    """It was thrown: up and over to a side, and down again."""
    side = TO_LEFT[plan.direction]
    gravity, width = plan.surface.gravity, view_width(camera)
    thing = made(rng, plan, plan.looks[0])
    up = rng.uniform(0.15, 0.6)
    rise = rng.uniform(0.2, 0.75)
    climb = math.sqrt(2 * gravity * rise)
    airborne = (climb + math.sqrt(climb**2 + 2 * gravity * up)) / gravity
    if airborne > 0.8 * plan.seconds:
        return None
    distance = rng.uniform(0.26, 0.42) * width
    x, y = -side * rng.uniform(0.25, 0.4) * width, rng.uniform(-0.2, 0.4)
    thing = _tumbling(rng, moved(thing, x, y, up), 2.0)
    speed = distance / airborne
    thing = replace(
        thing,
        velocity=three(side * speed, rng.uniform(-0.1, 0.1), climb),
        action="flies",
        direction=plan.direction,
    )
    time = np.linspace(0.0, airborne, SAMPLES)[:, None]
    fall = np.array([0.0, 0.0, -gravity / 2])
    track = np.array(thing.position) + time * np.array(thing.velocity) + time**2 * fall
    # Once it has landed it goes on, as far as its ground lets it.
    round_ = thing.kind in ("ball", "cylinder", "ring")
    left, slowing = (0.7, plan.surface.roll) if round_ else (0.5, plan.surface.slide * gravity)
    further = min(
        left * speed * (plan.seconds - airborne), (left * speed) ** 2 / (2 * max(slowing, 0.1))
    )
    track[-1, 0] += side * further
    return [Placed(thing=thing, track=track, half=half_sizes(thing))]


def hits(rng: np.random.Generator, plan: Plan, camera: Camera) -> list[Placed]:
    """It travels to a side and strikes another thing, which stood."""
    side = TO_LEFT[plan.direction]
    aslant = plan.manner == "rolls" and plan.looks[0].kind == "cylinder"
    angle = rng.choice((-1, 1)) * rng.uniform(0.08, 0.16) if aslant else 0.0
    thing = _travelling(rng, plan, angle)
    other = made(rng, plan, plan.looks[1])
    gap = rng.uniform(0.45, 1.1)
    apart = gap + thing.extent[0] + other.extent[0]
    x = -side * rng.uniform(0.2, 0.36) * view_width(camera)
    y = rng.uniform(-0.2, 0.3)
    until_impact = rng.uniform(0.22, 0.4) * min(plan.seconds, 3.0)
    speed = _striking(plan, gap, until_impact, 1.0)
    thing = _moving(moved(thing, x, y), np.array([side * speed, 0.0]), plan, target=1)
    other = moved(other, x + side * apart, y + rng.uniform(-0.06, 0.06))
    end = (other.position[0] - side * (apart - gap), y, thing.position[2])
    return [straight(thing, end), at_rest(other, loose=True)]


def _striking(plan: Plan, gap: float, seconds: float, least: float) -> float:
    """The speed in m/s that covers the gap in the time given, and arrives with about `least`."""
    slowing = _slowing(plan)
    speed = gap / seconds + slowing * seconds / 2
    return max(speed, math.sqrt(2 * slowing * gap) + least)


def topples(rng: np.random.Generator, plan: Plan, camera: Camera) -> list[Placed]:
    """It travels to a side and strikes the first of a row, or a stack, which falls over."""
    side = TO_LEFT[plan.direction]
    row = plan.looks[1].kind == "dominoes"
    angle = rng.choice((-1, 1)) * rng.uniform(0.15, 0.45) if row else rng.uniform(-0.1, 0.1)
    step = side * np.array([math.cos(angle), math.sin(angle)])
    heading = math.atan2(step[1], step[0])
    thing = _travelling(rng, plan, heading)
    # Two blocks are pushed away together, where three or four fall.
    yaw, pieces = (heading, 0) if row else (None, int(rng.integers(3, 5)))
    other = replace(made(rng, plan, plan.looks[1], yaw=yaw, pieces=pieces), action="topples")
    gap = rng.uniform(0.35, 0.8) if row else rng.uniform(0.7, 1.3)
    apart = gap + thing.extent[0] + other.extent[0]
    if row:
        least = rng.uniform(1.9, 2.6) if thing.kind == "ring" else rng.uniform(1.4, 2.0)
    else:  # measured: fast enough to fell the stack, and not so fast that all leaves the picture
        least = 0.5 + rng.uniform(1.8, 2.3) / math.sqrt(_volume(thing) / _volume(other))
    speed = _striking(plan, gap, rng.uniform(0.2, 0.3) * min(plan.seconds, 3.0), least)
    whole = apart + thing.extent[0] + other.extent[0]
    before = -side * rng.uniform(0.04, 0.16) * view_width(camera)  # it goes on after it struck
    middle = np.array([before, rng.uniform(-0.1, 0.4)])
    start = middle - step * (whole / 2 - thing.extent[0])
    thing = _moving(moved(thing, *start), step * speed, plan, target=1)
    other = moved(other, *(start + step * apart))
    end = (*(start + step * gap), thing.position[2])
    return [straight(thing, end), at_rest(other, loose=not row)]


def _volume(thing: Thing) -> float:
    """Of a ball, a cube, a cylinder or a stack of blocks, in cubic metres."""
    x, y, z = thing.extent
    return {"ball": 4 / 3, "cylinder": 2.0}.get(thing.kind, 8 / math.pi) * math.pi * x * y * z


def tips(rng: np.random.Generator, plan: Plan, camera: Camera) -> list[Placed]:
    """The first of a row tips over, and all of them fall one after another."""
    angle = HEADING[plan.direction] + rng.choice((-1, 1)) * rng.uniform(0.15, 0.5)
    thing = made(rng, plan, plan.looks[0], yaw=angle)
    high = thing.extent[2]
    push = rng.uniform(1.3, 2.0) * math.sqrt(plan.surface.gravity / 9.81) * math.sqrt(0.35 / high)
    ahead = np.array([math.cos(angle), math.sin(angle), 0.0])
    # It turns about its front edge on the ground.
    velocity = push * (high * ahead + (0.0, 0.0, 0.16 * high))
    x, y = rng.uniform(-0.12, 0.12) * view_width(camera), rng.uniform(-0.3, 0.4)
    thing = replace(
        moved(thing, x, y),
        velocity=three(*velocity),
        spin=three(-push * ahead[1], push * ahead[0], 0.0),
        action="topples",
        direction=plan.direction,
    )
    # The last one comes to lie beyond the row's end.
    half = half_sizes(thing) + high * np.abs(ahead) / 2
    place = at_rest(thing)
    return [replace(place, track=place.track + high * ahead / 2, half=half)]


def stacks(rng: np.random.Generator, plan: Plan, camera: Camera) -> list[Placed]:
    """It drops onto another thing, and comes to rest there."""
    other = made(rng, plan, plan.looks[1])
    thing = made(rng, plan, plan.looks[0])
    x, y = rng.uniform(-0.3, 0.3) * view_width(camera), rng.uniform(-0.3, 0.3)
    nests = thing.kind == "ball"  # in a ring, which moves aside where it is struck on one side
    slack = (0.03 if nests else 0.12) * other.extent[0]
    top, drop = 2 * other.extent[2], rng.uniform(0.2, 0.4 if nests else 0.55)
    landed = moved(thing, x + rng.uniform(-slack, slack), y + rng.uniform(-slack, slack), top)
    thing = replace(moved(landed, *landed.position[:2], drop), action="stacks", target=1)
    return [straight(thing, landed.position), at_rest(moved(other, x, y))]
