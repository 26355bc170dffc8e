"""Draws a take: a batched ray-caster in plain torch, the same code on CPU and GPU.

Every pixel is one ray (or several, where `samples` asks for smooth edges): the nearest solid, or
the setting behind, lit by one sun with soft shadows and by the sky, with one reflection. Each
step is a function of planes (B frames, P rays) that is compiled once and serves any number of
solids; takes of one setting share their batches.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from worldreel.errors import RequestError, SceneError
from worldreel.world import settings, solids
from worldreel.world.scene import Take
from worldreel.world.settings import SETTINGS, SKY, Air, Setting, Surface
from worldreel.world.solids import Hit
from worldreel.world.vector import (
    Plane,
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

MAX_SIDE = 4096  # pixels
_CHUNK = {"cpu": 1 << 17, "cuda": 1 << 22}  # rays at once
_LANES = 64  # ray counts are multiples of it, so that each ray meets the same vector code
_EDGE = 0.055  # a step in 0..1 between neighbours that is worth more samples


@dataclass(frozen=True, kw_only=True)
class Render:
    """The frames of a take, and with `truth` what each pixel is. A still has F = 1.

    The sky is where depth is inf; there and on the ground ids is 0. depth is measured along the
    camera's forward axis, normals are in the world, flow is how far in pixels (right, down) what
    a pixel shows moves until the next frame, by its surface's motion and the camera's.
    """

    frames: np.ndarray  # (F, H, W, 3) uint8, sRGB
    ids: np.ndarray | None = None  # (F, H, W) int64, the owner, 0 for ground and sky
    depth: np.ndarray | None = None  # (F, H, W) float32, metres
    normals: np.ndarray | None = None  # (F, H, W, 3) float32, unit, 0 in the sky
    flow: np.ndarray | None = None  # (F, H, W, 2) float32, 0 in the last frame


def render(
    takes: Take | Sequence[Take],
    *,
    size: tuple[int, int],
    samples: int = 1,
    truth: bool = False,
    device: str | torch.device = "cpu",
    compiled: bool | None = None,
) -> Render | list[Render]:
    """Draw one take, or many at once, which gives the same frames and is faster.

    size: (width, height) in pixels. samples: rays per pixel at edges; 1 is fastest. compiled:
    None compiles where a compiler is found; the first call then takes some ten seconds.
    """
    width, height = _checked_size(size)
    if not isinstance(samples, int) or not 1 <= samples <= 64:
        raise RequestError(f"samples must be 1 to 64, not {samples!r}")
    one = isinstance(takes, Take)
    batch = [takes] if one else list(takes)
    device = torch.device(device)
    if compiled is None:
        compiled = _can_compile(device.type)
    steps = _steps(compiled)

    made: list[Render | None] = [None] * len(batch)
    with torch.inference_mode():
        for name in dict.fromkeys(take.scene.setting for take in batch):
            places = [i for i, take in enumerate(batch) if take.scene.setting == name]
            group = [_unmirrored(batch[i]) for i in places]
            drawn = _draw(group, (width, height), samples, truth, device, steps)
            for i, result in zip(places, drawn, strict=True):
                made[i] = _mirrored(result) if batch[i].scene.mirrored else result
    return made[0] if one else made  # type: ignore[return-value]


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    try:
        width, height = size
    except (TypeError, ValueError):
        raise RequestError(f"size must be (width, height), not {size!r}") from None
    for side in (width, height):
        if not isinstance(side, int | np.integer) or not 1 <= side <= MAX_SIDE:
            raise RequestError(f"a side must be 1 to {MAX_SIDE} pixels, not {side!r}")
    return int(width), int(height)


def _unmirrored(take: Take) -> Take:
    """A mirrored take as its twin: drawn and then flipped, textures and all are exact mirrors."""
    if not take.scene.mirrored:
        return take
    sign = np.array([-1, 1, 1], np.float32)
    both = sign[:, None] * sign[None, :]
    look = take.look * sign  # in the camera's axes right is swapped too, so right stays right
    look = look * sign[:, None]
    return dataclasses.replace(
        take,
        position=take.position * sign,
        rotation=take.rotation * both,
        velocity=take.velocity * sign,
        eye=take.eye * sign,
        look=look,
    )


def _mirrored(made: Render) -> Render:
    sign = np.array([-1, 1, 1], np.float32)
    changes: dict[str, Any] = {}
    for f in dataclasses.fields(made):
        value = getattr(made, f.name)
        if value is not None:
            value = np.ascontiguousarray(np.flip(value, axis=2))
            if f.name in ("normals", "flow"):
                value = value * sign[: value.shape[-1]]
            changes[f.name] = value
    return Render(**changes)


# --- compiling ---------------------------------------------------------------------------------


@functools.cache
def _can_compile(device: str) -> bool:
    if device == "cpu":
        found = shutil.which("g++") or shutil.which("clang++") or shutil.which("c++")
        missing = "a C++ compiler"
    else:
        found = torch.utils._triton.has_triton()
        missing = "Triton"
    if not found:
        log.warning("drawing without %s: the same pictures, several times slower", missing)
    return bool(found)


@functools.cache
def _steps(compiled: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a step as it is, or compiled: once per step, for any number of frames and rays."""
    if not compiled:
        return lambda step: step

    @functools.cache
    def compile_step(step: Callable[..., Any]) -> Callable[..., Any]:
        return torch.compile(step, dynamic=True, fullgraph=True)

    return compile_step


# --- the steps, functions of (B, P) planes -----------------------------------------------------


class _Face(NamedTuple):
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


def _meet(hit: Hit, back: Surface, origin: Vec, direction: Vec) -> _Face:
    thing = hit.t < back.t
    t = torch.minimum(hit.t, back.t)
    normal = unit(select(thing, hit.normal, back.normal))
    mirror = reflect(direction, normal)
    mirror = (mirror[0], mirror[1], torch.where(thing, mirror[2], mirror[2].clamp(min=0.01)))
    return _Face(t, along(origin, direction, t.clamp(max=1e4)), normal, thing, unit(mirror))


def _glance(hit: Hit, back: Surface, direction: Vec, air: Tensor) -> Vec:
    """The colour of what a mirror shows: lit, but without shadows."""
    light = settings.unpack(air)
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
    face: _Face,
    hit: Hit,
    back: Surface,
    direction: Vec,
    light: Tensor,
    open_: Tensor,
    seen: Vec | None,
    air: Tensor,
) -> Vec:
    """The linear colour on each ray, 0..1. seen: what the ground mirrors, None for sky alone."""
    a = settings.unpack(air)
    thing, normal = face.thing, face.normal
    color = select(thing, hit.color, back.color)
    facing = dot(normal, a.sun_way).clamp(min=0) * light
    sun = select(thing, a.thing_sun, a.sun)
    sky = select(thing, blend(a.ground, a.thing_sky, 0.5 + 0.5 * normal[2]), _ambient(normal, a))
    shine = add(scale(sun, facing), scale(sky, open_))

    graze = (1 + dot(normal, direction)).clamp(0, 1)
    around = settings.around(face.mirror, a)
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


# --- frames -------------------------------------------------------------------------------------

_CAMERA = 14  # eye 3, right 3, up 3, forward 3, tangents 2


class _Numbers(NamedTuple):
    """All that frames are drawn from, packed; the last axes are (B, 1)."""

    bodies: Tensor  # (N, solids.WIDTH, B, 1)
    air: Tensor  # (settings.WIDTH, B, 1)
    camera: Tensor  # (_CAMERA, B, 1)

    def frames(self, start: int, count: int) -> _Numbers:
        # A copy, so that strides (and with them the compiled code) are the same for every chunk.
        return _Numbers(*(x[..., start : start + count, :].contiguous() for x in self))

    def twice(self, frame: int) -> _Numbers:
        return _Numbers(*(x[..., [frame, frame], :].contiguous() for x in self))


def _pack(takes: Sequence[Take], size: tuple[int, int], device: torch.device) -> _Numbers:
    width, height = size
    most = max(len(take.shape) for take in takes)
    bodies, air, camera = [], [], []
    for take in takes:
        frames = take.num_frames
        packed = solids.pack(take)
        spare = [solids.null_body(frames)] * (most - len(packed))
        bodies.append(np.concatenate([packed, *spare]))
        rise = np.tan(np.radians(take.fov) / 2)
        light = settings.pack(take.scene, 2 * rise / height)
        air.append(np.broadcast_to(light[:, None], (settings.WIDTH, frames)))
        spread = np.broadcast_to([rise * width / height, rise], (frames, 2))
        look = take.look.reshape(frames, 9)
        camera.append(np.concatenate([take.eye, look, spread], axis=1).T.astype(np.float32))
    joined = (np.concatenate(x, axis=-1)[..., None] for x in (bodies, air, camera))
    return _Numbers(*(torch.from_numpy(np.ascontiguousarray(x)).to(device) for x in joined))


def _trace(
    numbers: _Numbers, setting: Setting, u: Tensor, v: Tensor, steps: Callable[..., Any]
) -> tuple[Vec, Hit, _Face]:
    """The linear colour of rays through u, v, (B, P) each, and what they met."""
    origin = tuple(numbers.camera[0:3].unbind(0))
    direction = steps(_cast)(numbers.camera, u, v)
    draw = steps(_behind(setting.draw))

    hit = solids.no_hit(direction)
    for body in numbers.bodies:
        hit = steps(solids.nearest)(hit, origin, direction, body)
    back = draw(origin, direction, numbers.air)
    face = steps(_meet)(hit, back, origin, direction)

    seen = None
    if setting.mirror:
        image = solids.no_hit(direction)
        for body in numbers.bodies:
            image = steps(solids.nearest)(image, face.point, face.mirror, body)
        behind = draw(face.point, face.mirror, numbers.air)
        seen = steps(_glance)(image, behind, face.mirror, numbers.air)

    light = open_ = torch.ones_like(face.t)
    for body in numbers.bodies:
        light, open_ = steps(_shade)(light, open_, face.point, face.normal, numbers.air, body)
    color = steps(_illuminate)(
        face, hit, back, direction, light, open_, seen, numbers.air
    )
    return color, hit, face


@functools.cache
def _behind(draw: Callable[[Vec, Vec, Air], Surface]) -> Callable[[Vec, Vec, Tensor], Surface]:
    def behind(origin: Vec, direction: Vec, air: Tensor) -> Surface:
        return draw(origin, direction, settings.unpack(air))

    return behind


def _shade(
    light: Tensor, open_: Tensor, point: Vec, normal: Vec, air: Tensor, body: Tensor
) -> tuple[Tensor, Tensor]:
    a = settings.unpack(air)
    return solids.shade(light, open_, point, normal, a.sun_way, a.soft, body)


def _draw(
    takes: Sequence[Take],
    size: tuple[int, int],
    samples: int,
    truth: bool,
    device: torch.device,
    steps: Callable[..., Any],
) -> Iterator[Render]:
    """Takes of one setting, none of them mirrored."""
    name = takes[0].scene.setting
    if name not in SETTINGS:
        raise SceneError(f"unknown setting {name!r}: one of {', '.join(SETTINGS)}")
    setting = SETTINGS[name]
    width, height = size
    numbers = _pack(takes, size, device)
    total = numbers.camera.shape[-2]
    pixels = torch.arange(-(-width * height // _LANES) * _LANES, device=device)
    pixels = pixels.clamp(max=width * height - 1)[None]
    step = max(2, _CHUNK.get(device.type, _CHUNK["cpu"]) // pixels.shape[1])

    parts: list[tuple[np.ndarray, ...]] = []
    for start in range(0, total, step):
        count = min(step, total - start)
        # One frame alone would be compiled anew, as a shape of its own.
        part = numbers.frames(start, count) if count > 1 else numbers.twice(start)
        frames = part.camera.shape[-2]
        u, v = _picture(pixels.expand(frames, -1), size)
        color, hit, face = _trace(part, setting, u, v, steps)
        linear = torch.stack(color, -1)[:, : width * height]
        if samples > 1:
            linear = _smoothed(linear, hit.index, part, setting, size, samples, steps)
        shown = (linear.sqrt() * 255 + 0.5).to(torch.uint8)
        planes = [rearrange(shown, "b (h w) c -> b h w c", h=height)]
        if truth:
            flat = (hit.index * face.thing, face.t, torch.stack(face.normal, -1))
            flat = tuple(x[:, : width * height] for x in flat)
            planes += [rearrange(x, "b (h w) ... -> b h w ...", h=height) for x in flat]
        parts.append(tuple(plane[:count].cpu().numpy() for plane in planes))

    whole = [np.concatenate(planes) for planes in zip(*parts, strict=True)]
    start = 0
    for take in takes:
        stop = start + take.num_frames
        mine = [plane[start:stop] for plane in whole]
        yield _with_truth(take, size, *mine) if truth else Render(frames=mine[0])
        start = stop


def _picture(pixels: Tensor, size: tuple[int, int], offset: tuple[Plane, Plane] = (0.5, 0.5)):
    """Picture points from -1 to 1 (right, up) of flat pixel numbers, and a place in the pixel."""
    width, height = size
    column = (pixels % width).float()
    row = torch.div(pixels, width, rounding_mode="floor").float()
    u = (column + offset[0]) * (2 / width) - 1
    return u, 1 - (row + offset[1]) * (2 / height)


def _smoothed(
    linear: Tensor,
    index: Tensor,
    numbers: _Numbers,
    setting: Setting,
    size: tuple[int, int],
    samples: int,
    steps: Callable[..., Any],
) -> Tensor:
    """Linear colours (B, P, 3) with the pixels at edges drawn again, by several rays each."""
    frames, count, _ = linear.shape
    width, height = size
    seen = rearrange(linear.sqrt(), "b (h w) c -> b h w c", h=height)
    which = rearrange(index[:, :count], "b (h w) -> b h w", h=height)
    edge = torch.zeros_like(which, dtype=torch.bool)
    for axis, side in ((1, height), (2, width)):
        if side < 2:
            continue
        a, b = (seen.narrow(axis, i, side - 1) for i in (0, 1))
        step = (a - b).abs().amax(-1) > _EDGE
        step |= which.narrow(axis, 0, side - 1) != which.narrow(axis, 1, side - 1)
        edge.narrow(axis, 0, side - 1).logical_or_(step)
        edge.narrow(axis, 1, side - 1).logical_or_(step)
    edge = rearrange(edge, "b h w -> b (h w)")
    most = int(edge.sum(1).max())
    if most == 0:
        return linear

    # (B, K) pixel numbers, filled up with `count`, whose colour is thrown away.
    most = -(-most // _LANES) * _LANES
    place = torch.where(edge, edge.cumsum(1) - 1, most)
    number = torch.arange(count, device=linear.device).expand(frames, -1)
    pixels = torch.full((frames, most + 1), count, device=linear.device)
    pixels = pixels.scatter_(1, place, number)[:, :most]
    offsets = [((i + 0.5) / samples, _reversed_bits(i)) for i in range(samples)]
    points = [_picture(pixels.clamp(max=count - 1), size, (x, y)) for x, y in offsets]
    u, v = (torch.cat([p[i] for p in points], 1) for i in (0, 1))
    color, _, _ = _trace(numbers, setting, u, v, steps)
    again = rearrange(torch.stack(color, -1), "b (s k) c -> s b k c", s=samples).mean(0)
    room = torch.cat([linear, linear[:, :1]], 1)
    room.scatter_(1, pixels[..., None].expand(-1, -1, 3), again)
    return room[:, :count]


def _reversed_bits(i: int) -> float:
    """The van der Corput sequence from the middle of its cell: 4 samples are a rotated grid."""
    value, share = 0.125, 0.5
    while i:
        value, share, i = value + share * (i & 1), share / 2, i >> 1
    return value % 1


def _with_truth(
    take: Take,
    size: tuple[int, int],
    frames: np.ndarray,
    index: np.ndarray,
    t: np.ndarray,
    normal: np.ndarray,
) -> Render:
    """index: (F, H, W) float, place in the take plus one; t: (F, H, W) along the unit ray."""
    width, height = size
    index = index.astype(np.int64)
    owner = np.concatenate([[0], take.owner])
    open_sky = t >= SKY
    rise = float(np.tan(np.radians(take.fov) / 2))
    spread = np.array([rise * width / height, rise])
    u = (np.arange(width) + 0.5) * (2 / width) - 1
    v = 1 - (np.arange(height) + 0.5) * (2 / height)
    axes = np.broadcast_arrays(u * spread[0], v[:, None] * spread[1], 1.0)
    view = np.stack(axes, -1)  # (H, W, 3) in the camera's axes, forward 1
    norm = np.linalg.norm(view, axis=-1)
    depth = np.where(open_sky, np.inf, t / norm)

    flow = np.zeros((*index.shape, 2), np.float32)
    for f in range(take.num_frames - 1):
        # The sky is a point so far off that only a turn of the camera moves it.
        away = np.where(open_sky[f], 1e12, depth[f])[..., None]
        point = take.eye[f] + (view * away) @ take.look[f].astype(np.float64)
        for i in range(len(take.shape)):
            mask = index[f] == i + 1
            own = (point[mask] - take.position[f, i]) @ take.rotation[f, i].astype(np.float64)
            point[mask] = take.position[f + 1, i] + own @ take.rotation[f + 1, i].T
        then = (point - take.eye[f + 1]) @ take.look[f + 1].T.astype(np.float64)
        place = then[..., :2] / np.maximum(then[..., 2:], 1e-6) / spread
        moved = (place - view[..., :2] / spread) * [width / 2, -height / 2]
        flow[f] = moved
    return Render(
        frames=frames,
        ids=owner[index],
        depth=depth.astype(np.float32),
        normals=np.where(open_sky[..., None], 0, normal).astype(np.float32),
        flow=flow,
    )
