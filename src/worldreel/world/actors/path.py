"""Where an actor goes: its action, its event or the keys that drive it become a path and a gait.

An actor is no puppet on a string of frames: it has a speed, a heading and, when it jumps, gravity;
they are integrated at ten steps a frame, so that what it does is a motion and not a cut.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldreel.world.actors.rig import Gait, Rig
from worldreel.world.scene import FPS, Thing

_STEPS = 10  # per frame
_GRIP = 7.0  # m/s^2: how fast it gathers and loses speed
_TURN = 5.5  # radians per second: how fast it turns round
_SPRING = 2.3  # m/s: how fast it leaves the ground when it jumps
_WAVES = 1.6  # seconds
_WAY = {"right": (1.0, 0.0), "left": (-1.0, 0.0), "forward": (0.0, 1.0), "back": (0.0, -1.0)}


@dataclass(frozen=True, kw_only=True)
class Path:
    """The root of an actor, frame by frame: its origin in the world and where it faces."""

    origin: np.ndarray  # (F, 3) metres
    heading: np.ndarray  # (F,) radians to the left of the world's x
    velocity: np.ndarray  # (F, 3) metres per second
    gait: Gait


def yaw(thing: Thing) -> float:
    """Where it faces at first, in radians to the left of the world's x."""
    w, x, y, z = thing.rotation
    return math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def scale(thing: Thing, rig: Rig) -> float:
    """How much larger it is than its rig."""
    return thing.extent[2] / rig.size[2]


def follow(
    thing: Thing, rig: Rig, frames: int, *, gravity: float = 9.81, keys: tuple[str, ...] = ()
) -> Path:
    """The path of an actor over a clip. keys: one per four frames, instead of its action."""
    size = scale(thing, rig)
    where = np.array(thing.position) - (0.0, 0.0, thing.extent[2])
    cruise = math.hypot(*thing.velocity[:2])
    speed, heading, facing = (0.0 if keys else cruise), yaw(thing), yaw(thing)
    fast = cruise > size * math.sqrt(rig.speed[0] * rig.speed[1])
    up, rise, phase = 0.0, 0.0, 0.0
    jumped = turned = False
    rows = []
    for step in range(frames * _STEPS):
        now = step / (FPS * _STEPS)
        before = facing
        wanted, due = cruise, thing.event is not None and now >= thing.at
        if keys:
            key = keys[min(step // (4 * _STEPS), len(keys) - 1)]
            wanted = 0.0 if key not in _WAY else size * rig.speed[0]
            if key in _WAY:
                heading = math.atan2(*reversed(_WAY[key]))
            due = key == "jump"
            jumped = jumped and (due or up > 0)
        if due and thing.event == "stops" and not keys:
            wanted = 0.0
        if due and thing.event == "turns" and not turned and not keys:
            heading, turned = heading + math.pi, True
        if due and (keys or thing.event == "jumps") and not jumped:
            rise, jumped = _SPRING * math.sqrt(size), True
        gap = math.remainder(heading - facing, 2 * math.pi)
        # Half a turn is to the left or to the right: to the side of the viewer, who then sees it.
        if abs(abs(gap) - math.pi) < 1e-6:
            gap = math.copysign(gap, -math.cos(facing)) if abs(math.cos(facing)) > 0.1 else gap
        most = _TURN  # what is driven by keys answers at once
        if rig.radius and not keys:
            most = min(_TURN, speed / (size * rig.radius))
        facing += max(-most, min(most, gap * 20)) / (FPS * _STEPS)
        if abs(gap) > 0.5:  # it slows down for a bend, and stops to turn on the spot
            wanted = min(wanted, size * rig.speed[0]) if rig.radius else 0.0
        change = _GRIP / (FPS * _STEPS)
        speed += max(-change, min(change, wanted - speed)) if up == 0 else 0.0
        pace = speed / (size * rig.speed[0]) if not fast else 2 * speed / cruise
        if step % _STEPS == 0:
            waving = thing.event == "waves" and thing.at <= now < thing.at + _WAVES
            ease = min(1.0, (now - thing.at) / 0.25, (thing.at + _WAVES - now) / 0.25)
            way = speed * math.cos(facing), speed * math.sin(facing), rise if up > 0 else 0.0
            air = min(1.0, up / 0.12)
            bend = math.remainder(facing - before, 2 * math.pi) * FPS * _STEPS
            rows.append((*where[:2], where[2] + up, facing, *way, phase, min(pace, 2.0), air,
                         ease if waving else 0.0, now, bend))  # fmt: skip
        where[0] += speed * math.cos(facing) / (FPS * _STEPS)
        where[1] += speed * math.sin(facing) / (FPS * _STEPS)
        if rise > 0 or up > 0:
            up += rise / (FPS * _STEPS) - gravity / (FPS * _STEPS) ** 2 / 2
            rise -= gravity / (FPS * _STEPS)
            if up <= 0:
                up, rise = 0.0, 0.0
        stride = size * float(np.interp(pace, (1.0, 2.0), rig.stride))
        phase += 2 * math.pi * speed / stride / (FPS * _STEPS) if up == 0 else 0.0
    table = np.array(rows)
    gait = Gait(
        phase=table[:, 7], pace=table[:, 8], air=table[:, 9], wave=table[:, 10],
        seconds=table[:, 11], bend=table[:, 12],
    )  # fmt: skip
    return Path(origin=table[:, 0:3], heading=table[:, 3], velocity=table[:, 4:7], gait=gait)
