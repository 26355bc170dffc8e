"""Tracing: from packed numbers to the colour of each ray.

All is arithmetic on planes (R rows, P rays), each row of one frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from worldreel.errors import SceneError
from worldreel.world import beams, lights, solids
from worldreel.world.beams import Hit
from worldreel.world.lights import Air
from worldreel.world.scene import Take
from worldreel.world.settings import SETTINGS, SKY, Setting, Surface
from worldreel.world.vector import (
    Vec,
    add,
    along,
    blend,
    dot,
    ramp,
    reflect,
    scale,
    select,
    times,
    unit,
)
from worldreel.world.weather import WEATHER, Weather, rings, through

MIRROR = 1024  # mirrored rays that are drawn in one row
_MOST = {"cpu": 160_000, "cuda": 4_000_000}  # rays traced at once: what caches, or cores, like
CAMERA = 14  # numbers per frame: eye 3, right 3, up 3, forward 3, tangents of half the view 2


# --- numbers ------------------------------------------------------------------------------------


class Numbers(NamedTuple):
    """All that frames are drawn from, packed; the last axes are (B, 1)."""

    bodies: Tensor  # (N, B, solids.WIDTH)
    air: Tensor  # (lights.WIDTH, B, 1)
    camera: Tensor  # (CAMERA, B, 1)

    def of(self, frames: Tensor) -> Numbers:
        """Those of some frames (R,), which may repeat."""
        return Numbers(self.bodies[:, frames], self.air[:, frames], self.camera[:, frames])


def pack(takes: Sequence[Take], size: tuple[int, int], device: torch.device) -> Numbers:
    """The frames of takes, one after the other, filled up to the same number of bodies."""
    width, height = size
    most = max(len(take.shape) for take in takes)
    bodies, air, camera = [], [], []
    for take in takes:
        scene, frames = take.scene, take.num_frames
        known = SETTINGS[scene.setting].lights
        if scene.light not in known:
            raise SceneError(f"{scene.setting} has no light {scene.light!r}: one of {list(known)}")
        packed = solids.pack(take)
        spare = [solids.null_body(frames)] * (most - len(packed))
        bodies.append(np.concatenate([packed, *spare]))
        rise = np.tan(np.radians(take.fov) / 2)
        seconds = np.arange(frames) / take.fps
        light = through(known[scene.light], WEATHER[scene.weather])
        air.append(lights.pack(scene, light, 2 * rise / height, seconds))
        spread = np.broadcast_to([rise * width / height, rise], (frames, 2))
        look = take.look.reshape(frames, 9)
        camera.append(np.concatenate([take.eye, look, spread], axis=1).T.astype(np.float32))
    joined = [np.concatenate(x, axis=1) for x in (bodies, air, camera)]
    return Numbers(
        *(torch.from_numpy(x).to(device) for x in (joined[0], *(j[..., None] for j in joined[1:])))
    )


# --- steps --------------------------------------------------------------------------------------


class Face(NamedTuple):
    """What a ray meets first, thing or setting, all (R, P)."""

    t: Tensor
    point: Vec
    normal: Vec  # unit
    thing: Tensor  # bool
    mirror: Vec  # unit, the ray after a reflection


def _cast(camera: Tensor, u: Tensor, v: Tensor) -> Vec:
    """Unit directions through picture points from -1 to 1. camera: (CAMERA, B, 1)."""
    n = camera.unbind(0)
    right, up, forward = n[3:6], n[6:9], n[9:12]
    return unit(add(add(scale(right, u * n[12]), scale(up, v * n[13])), forward))


def _meet(hit: Hit, back: Surface, origin: Vec, direction: Vec) -> Face:
    thing = hit.t < back.t
    t = torch.minimum(hit.t, back.t)
    normal = unit(select(thing, hit.normal, back.normal))
    mirror = reflect(direction, normal)
    mirror = (mirror[0], mirror[1], torch.where(thing, mirror[2], mirror[2].clamp(min=0.01)))
    return Face(t, along(origin, direction, t.clamp(max=1e4)), normal, thing, unit(mirror))


def _glance(hit: Hit, back: Surface, direction: Vec, light: Air) -> Vec:
    """The colour of what a mirror shows: lit, but without shadows."""
    thing = hit.t < back.t
    normal = unit(select(thing, hit.normal, back.normal))
    shine = add(
        scale(light.thing_sun, dot(normal, light.sun_way).clamp(min=0)), _ambient(normal, light)
    )
    return add(
        times(select(thing, hit.color, back.color), shine),
        select(thing, (0.0, 0.0, 0.0), back.glow),
    )


def _ambient(normal: Vec, light: Air) -> Vec:
    return blend(light.ground, light.sky, 0.5 + 0.5 * normal[2])


def _illuminate(
    face: Face,
    hit: Hit,
    back: Surface,
    direction: Vec,
    light: Tensor,
    open_: Tensor,
    seen: Vec | None,
    veil: float,
    a: Air,
) -> Vec:
    """The linear colour on each ray, 0..1.

    seen: what the ground mirrors, None for sky alone. veil: the share of the sky that is hidden.
    """
    thing, normal = face.thing, face.normal
    color = select(thing, hit.color, back.color)
    facing = dot(normal, a.sun_way).clamp(min=0) * light
    sun = select(thing, a.thing_sun, a.sun)
    sky = select(thing, blend(a.ground, a.thing_sky, 0.5 + 0.5 * normal[2]), _ambient(normal, a))
    shine = add(scale(sun, facing), scale(sky, open_))

    graze = (1 + dot(normal, direction)).clamp(0, 1)
    around = lights.around(face.mirror, a)
    metal = ramp(hit.gloss, 0.5, 0.85)
    share = hit.gloss * (0.10 + 0.45 * hit.gloss + 0.35 * graze * graze * graze)
    on_thing = times(around, blend((1.0, 1.0, 1.0), scale(color, 1.5), metal))
    wet = back.wet * (0.22 + 0.78 * graze * graze * graze)
    wet = torch.where(thing, 0.0, wet)
    on_ground = around if seen is None else seen
    share = torch.where(thing, share, wet)
    mirrored = select(thing, on_thing, select(wet > 0, on_ground, (0.0, 0.0, 0.0)))

    out = add(scale(times(color, shine), 1 - share), scale(mirrored, share))
    out = add(out, select(thing, (0.0, 0.0, 0.0), back.glow))
    far = face.t.clamp(max=1e4) / a.haze
    haze = torch.where(face.t < SKY, 1 - torch.exp2(-far * far.sqrt()), veil)
    out = blend(out, a.horizon, haze)
    return tuple(c.clamp(0, 1) for c in out)  # type: ignore[return-value]


# --- rays ---------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """What rays show, (R, P, ...)."""

    color: Tensor  # (R, P, 3) linear, 0..1
    index: Tensor  # (R, P) float, the place of a solid in its take plus one; 0: the setting
    t: Tensor  # (R, P) metres along the ray, SKY where there is nothing
    normal: Tensor  # (R, P, 3) unit


def most(device: torch.device) -> int:
    """How many rays are best traced at once, a multiple of `beams.BUNDLE`."""
    return _MOST.get(device.type, _MOST["cpu"]) // beams.BUNDLE * beams.BUNDLE


def trace(numbers: Numbers, setting: Setting, weather: Weather, u: Tensor, v: Tensor) -> Seen:
    """What the cameras see at picture points u, v in -1..1, (R, P) each.

    numbers: R frames. P is a multiple of `beams.BUNDLE`; rays of a bundle that lie side by side
    are faster. What is traced at once changes nothing but the time and the room that it takes.
    """
    rows, rays = u.shape
    limit = most(u.device)
    if rows * rays <= limit:
        return _trace(numbers, setting, weather, u, v)
    done = []
    for some in torch.arange(rows, device=u.device).split(max(1, limit // rays)):
        own = numbers.of(some)
        pieces = zip(u[some].split(limit, 1), v[some].split(limit, 1), strict=True)
        made = [_trace(own, setting, weather, *piece) for piece in pieces]
        done.append([torch.cat(planes, 1) for planes in zip(*made, strict=True)])
    return Seen(*(torch.cat(planes) for planes in zip(*done, strict=True)))


def _trace(numbers: Numbers, setting: Setting, weather: Weather, u: Tensor, v: Tensor) -> Seen:
    air = lights.unpack(numbers.air)
    origin = tuple(numbers.camera[0:3].unbind(0))
    direction = _cast(numbers.camera, u, v)
    hit = beams.first(origin, direction, numbers.bodies)
    back = setting.draw(origin, direction, air)
    if weather.rings:
        back = rings(back, origin, direction, air)
    face = _meet(hit, back, origin, direction)
    seen = _mirrored(numbers, setting, face, back) if setting.mirror else None

    solid = face.t < SKY
    lit = solid & (dot(face.normal, air.sun_way) > 0)
    light = beams.sunlight(face.point, face.normal, lit, air.sun_way, air.soft, numbers.bodies)
    open_ = beams.openness(face.point, face.normal, solid, numbers.bodies)
    color = _illuminate(face, hit, back, direction, light, open_, seen, weather.veil, air)
    return Seen(
        torch.stack(color, -1), hit.index * face.thing, face.t, torch.stack(face.normal, -1)
    )


def _mirrored(numbers: Numbers, setting: Setting, face: Face, back: Surface) -> Vec:
    """What a wet ground shows, (R, P); black where nothing is wet."""
    ray, row = beams.regrouped((back.wet > 0) & ~face.thing, MIRROR)
    few = numbers.of(row)
    point, way = (tuple(plane.flatten()[ray] for plane in v) for v in (face.point, face.mirror))
    image = beams.first(point, way, few.bodies)
    air = lights.unpack(few.air)
    color = _glance(image, setting.draw(point, way, air), way, air)
    planes = [torch.zeros_like(face.t) for _ in color]
    for plane, values in zip(planes, color, strict=True):
        plane.view(-1)[ray] = values
    return tuple(planes)
