"""Tracing: from packed numbers to the colour of each ray.

Each step is a function of planes (B frames, P rays). Compiled, the steps see one shape only, a
tile, whatever the size and number of pictures: so they compile once, and a frame's colours do not
depend on what is drawn beside it.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import shutil
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from worldreel.errors import SceneError
from worldreel.world import lights, solids
from worldreel.world.lights import Air
from worldreel.world.scene import Take
from worldreel.world.settings import SETTINGS, SKY, Setting, Surface
from worldreel.world.solids import Hit
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

log = logging.getLogger(__name__)

CAMERA = 14  # numbers per frame: eye 3, right 3, up 3, forward 3, tangents of half the view 2
TILE = {"cpu": (8, 4096), "cuda": (64, 16384)}  # frames and rays that are traced at once


# --- compiling ----------------------------------------------------------------------------------

Step = Callable[..., Any]


@functools.cache
def can_compile(device: str) -> bool:
    """Whether a compiler for this kind of device is here; says once where none is."""
    if device == "cpu":
        found = shutil.which("g++") or shutil.which("clang++") or shutil.which("c++")
        missing = "a C++ compiler"
    else:
        found = importlib.util.find_spec("triton")
        missing = "Triton"
    if not found:
        log.warning("drawing without %s: the same pictures, several times slower", missing)
    return bool(found)


@functools.cache
def _compiled(step: Step) -> Step:
    """A step for a tile, whose per-frame numbers are widened to planes on the way in.

    Nothing is copied; but values of one shape are compiled into one loop, where frames' own
    values beside rays' took the compiler minutes to sort.
    """

    def wide(count: int, *given: Any) -> Any:
        return step(*tree_map(lambda x: _widened(x, count), given))

    compiled = torch.compile(wide, dynamic=False, fullgraph=True)
    return lambda *given: compiled(_rays(given), *given)


def _rays(given: Any) -> int:
    return max(x.shape[-1] for x in tree_leaves(given) if isinstance(x, Tensor))


def _widened(x: Any, count: int) -> Any:
    return x.expand(*x.shape[:-1], count) if isinstance(x, Tensor) else x


# --- numbers ------------------------------------------------------------------------------------


class Numbers(NamedTuple):
    """All that frames are drawn from, packed; the last axes are (B, 1)."""

    bodies: Tensor  # (N, solids.WIDTH, B, 1)
    air: Tensor  # (lights.WIDTH, B, 1)
    camera: Tensor  # (CAMERA, B, 1)

    def frames(self, start: int, count: int, total: int) -> Numbers:
        """`count` frames from `start` on, the last repeated to make `total`.

        A copy, so that strides (and with them the compiled code) are the same for every chunk.
        """
        index = torch.arange(start, start + total, device=self.air.device)
        index = index.clamp(max=start + count - 1)
        return Numbers(*(x.index_select(x.ndim - 2, index) for x in self))


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
        air.append(lights.pack(scene, known[scene.light], 2 * rise / height, seconds))
        spread = np.broadcast_to([rise * width / height, rise], (frames, 2))
        look = take.look.reshape(frames, 9)
        camera.append(np.concatenate([take.eye, look, spread], axis=1).T.astype(np.float32))
    joined = (np.concatenate(x, axis=-1)[..., None] for x in (bodies, air, camera))
    return Numbers(*(torch.from_numpy(np.ascontiguousarray(x)).to(device) for x in joined))


# --- steps --------------------------------------------------------------------------------------


class Face(NamedTuple):
    """What a ray meets first, thing or setting, all (B, P)."""

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


def _glance(hit: Hit, back: Surface, direction: Vec, air: Tensor) -> Vec:
    """The colour of what a mirror shows: lit, but without shadows."""
    light = lights.unpack(air)
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
    air: Tensor,
) -> Vec:
    """The linear colour on each ray, 0..1. seen: what the ground mirrors, None for sky alone."""
    a = lights.unpack(air)
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
    haze = torch.where(face.t < SKY, 1 - torch.exp2(-far * far.sqrt()), 0.0)
    out = blend(out, a.horizon, haze)
    return tuple(c.clamp(0, 1) for c in out)  # type: ignore[return-value]


@functools.cache
def _behind(draw: Callable[[Vec, Vec, Air], Surface]) -> Step:
    def behind(origin: Vec, direction: Vec, air: Tensor) -> Surface:
        return draw(origin, direction, lights.unpack(air))

    return behind


def _shade(
    light: Tensor, open_: Tensor, point: Vec, normal: Vec, air: Tensor, body: Tensor
) -> tuple[Tensor, Tensor]:
    a = lights.unpack(air)
    return solids.shade(light, open_, point, normal, a.sun_way, a.soft, body)


# --- rays ---------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """What rays show, (B, P, ...)."""

    color: Tensor  # (B, P, 3) linear, 0..1
    index: Tensor  # (B, P) float, the place of a solid in its take plus one; 0: the setting
    t: Tensor  # (B, P) metres along the ray, SKY where there is nothing
    normal: Tensor  # (B, P, 3) unit


def trace(numbers: Numbers, setting: Setting, u: Tensor, v: Tensor, compiled: bool) -> Seen:
    """What the cameras see at picture points u, v in -1..1, (B, P) each, B at most a tile's."""
    frames, count = u.shape
    most_frames, most = TILE.get(u.device.type, TILE["cpu"])
    if compiled and len(numbers.air[0]) != most_frames:
        numbers = numbers.frames(0, frames, most_frames)
    tiles = []
    for start in range(0, count, most):
        a, b = u[:, start : start + most], v[:, start : start + most]
        if compiled:
            spare = (0, most - a.shape[1], 0, most_frames - frames)
            a, b = F.pad(a, spare), F.pad(b, spare)
        tiles.append(_trace_tile(numbers, setting, a.contiguous(), b.contiguous(), compiled))
    whole = (torch.cat(x, 1)[:frames, :count] for x in zip(*tiles, strict=True))
    return Seen(*whole)


def _trace_tile(numbers: Numbers, setting: Setting, u: Tensor, v: Tensor, compiled: bool) -> Seen:
    use = _compiled if compiled else lambda step: step
    nearest, shade = use(solids.nearest), use(_shade)
    draw = use(_behind(setting.draw))
    origin = tuple(numbers.camera[0:3].unbind(0))
    direction = use(_cast)(numbers.camera, u, v)

    hit = solids.no_hit(direction)
    for body in numbers.bodies:
        hit = nearest(hit, origin, direction, body)
    back = draw(origin, direction, numbers.air)
    face = use(_meet)(hit, back, origin, direction)

    seen = None
    if setting.mirror:
        image = solids.no_hit(direction)
        for body in numbers.bodies:
            image = nearest(image, face.point, face.mirror, body)
        behind = draw(face.point, face.mirror, numbers.air)
        seen = use(_glance)(image, behind, face.mirror, numbers.air)

    light = open_ = torch.ones_like(face.t)
    for body in numbers.bodies:
        light, open_ = shade(light, open_, face.point, face.normal, numbers.air, body)
    color = use(_illuminate)(face, hit, back, direction, light, open_, seen, numbers.air)
    return Seen(
        torch.stack(color, -1), hit.index * face.thing, face.t, torch.stack(face.normal, -1)
    )
