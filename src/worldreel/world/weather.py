"""Weather: how it changes the light, and what falls.

Drops and flakes are points in the world that fall, drift and are wrapped in boxes before the
camera, so that a few hundred are always in view; a frame is a function of its time alone. They
are drawn over a finished picture where nothing nearer hides them, and carry no id.

B frames, M points of a layer per frame, V of them in view in all frames.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from worldreel.world import lights
from worldreel.world.lights import Air, Light
from worldreel.world.scene import WEATHERS, Scene
from worldreel.world.settings import Surface
from worldreel.world.texture import cell, scatter
from worldreel.world.vector import Vec, add, along, dot, ramp, scale, sub

_POINT = 8  # numbers per point, as `points` writes and `_moved` reads them
_NEAR = 0.7  # metres before the camera within which nothing is drawn


@dataclass(frozen=True, kw_only=True)
class Fall:
    """What falls. layers: half the side of a box in metres, and how many points are in it.

    speed: metres per second; wind: its side speed at most; sway: metres that it drifts to and
    fro; radius: metres; shutter: seconds that it is seen for; share: how opaque it is; shine: how
    bright, of the light that falls on things and of the sky.
    """

    layers: tuple[tuple[float, int], ...]
    speed: float
    wind: float
    radius: float
    shutter: float
    share: float
    shine: tuple[float, float]
    sway: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Weather:
    """A row of the table. haze: metres at which half of a thing's colour is gone, at most.

    grey: how far the sky's colours go to a grey of brightness gain * their mean + lift; sun, sky:
    what is left of their light; soft: the sun's radius in radians, at least; veil: the share of
    what stands against the sky that is hidden; rings: drops make rings on wet ground.
    """

    haze: float = math.inf
    grey: float = 0.0
    gain: float = 1.0
    lift: float = 0.0
    sun: float = 1.0
    sky: float = 1.0
    soft: float = 0.0
    veil: float = 0.0
    rings: bool = False
    fall: Fall | None = None


WEATHER = {
    "clear": Weather(),
    "fog": Weather(
        haze=9.5, grey=0.88, gain=0.80, lift=0.17, sun=0.62, sky=1.16, soft=0.12, veil=0.92
    ),
    "rain": Weather(
        haze=22.0, grey=0.70, gain=0.76, lift=0.03, sun=0.72, sky=0.96, soft=0.10, veil=0.45,
        rings=True,
        fall=Fall(
            layers=((1.3, 120), (2.6, 420), (5.5, 1100)), speed=7.0, wind=0.9, radius=0.0045,
            shutter=1 / 36, share=0.62, shine=(0.55, 0.65),
        ),
    ),
    "snow": Weather(
        haze=20.0, grey=0.70, gain=0.74, lift=0.02, sun=0.75, sky=1.06, soft=0.10, veil=0.45,
        fall=Fall(
            layers=((1.3, 90), (2.6, 420), (5.5, 1800)), speed=0.75, wind=0.35, radius=0.015,
            shutter=1 / 120, share=1.0, shine=(1.25, 0.60), sway=0.10,
        ),
    ),
}  # fmt: skip
assert set(WEATHER) == set(WEATHERS)


def through(light: Light, weather: Weather) -> Light:
    """A setting's light in this weather."""

    def greyed(color: tuple[float, ...]) -> tuple[float, ...]:
        mean = sum(color) / 3 * weather.gain + weather.lift
        return tuple(c + (mean - c) * weather.grey for c in color)

    def dimmed(color: tuple[float, ...], share: float) -> tuple[float, ...]:
        mean = sum(color) / 3
        return tuple((c + (mean - c) * 0.5 * weather.grey) * share for c in color)

    horizon = greyed(light.horizon)
    zenith = greyed(light.zenith)
    return dataclasses.replace(
        light,
        haze=min(light.haze, weather.haze),
        soft=max(light.soft, weather.soft),
        sun=dimmed(light.sun, weather.sun),
        sky=dimmed(light.sky, weather.sky),
        horizon=horizon,
        zenith=tuple(z + (h - z) * weather.veil for z, h in zip(zenith, horizon, strict=True)),
    )


def rings(back: Surface, origin: Vec, direction: Vec, air: Air) -> Surface:
    """Wet ground with the rings that drops make on it, each for a part of a second."""
    x, y, _ = along(origin, direction, back.t.clamp(max=50.0))
    column, u = cell(x, 0.30)
    row, v = cell(y, 0.30)
    turn, age = cell(air.seconds + 3 * scatter(column, row, air.chance[2]), 0.55)
    here = scatter(column, row + 31 * turn, air.chance[3]) < 0.6
    middle = [0.35 + 0.3 * scatter(column + k * turn, row, air.chance[4 + k]) for k in (1, 2)]
    far = torch.sqrt((u - middle[0]) ** 2 + (v - middle[1]) ** 2)
    ring = ramp((far - 0.33 * age).abs(), 0.11, 0.0) * (1 - age) * ramp(back.t, 9.0, 5.0)
    ring = torch.where(here & (back.wet > 0), ring, 0.0)
    return back._replace(glow=add(back.glow, scale(_lit(air, (0.5, 0.5)), 0.4 * ring)))


def _lit(air: Air, shine: tuple[float, float]) -> Vec:
    """The colour of water or snow in the air."""
    falls = scale(add(air.thing_sun, air.thing_sky), 0.5 * shine[0])
    return add(falls, scale(air.horizon, shine[1]))


# --- what falls ---------------------------------------------------------------------------------


def points(scene: Scene, weather: Weather) -> np.ndarray:
    """The points of all layers, (sum of M, _POINT) float32 in [0, 1): the same for a seed.

    Place 3, speed 1, wind 2, phase 1, size 1; the wind is the same for all but a little.
    """
    rng = np.random.default_rng([scene.seed % 2**63, 0xFA11])
    wind = rng.random(2)
    layers = weather.fall.layers if weather.fall else ()
    made = rng.random((sum(count for _, count in layers), _POINT))
    made[:, 4:6] = 0.8 * wind + 0.2 * made[:, 4:6]
    return made.astype(np.float32)


def draw(
    linear: Tensor, t: Tensor, fall: Fall, made: Tensor, camera: Tensor, air: Tensor
) -> Tensor:
    """Pictures with what falls before them.

    linear: (B, H, W, 3); t: (B, H, W) metres to what is seen; made: (B, sum of M, _POINT);
    camera, air: as in `tracing.Numbers`.
    """
    light = lights.unpack(air)
    cover = torch.zeros_like(t)
    start = 0
    for half, count in fall.layers:
        _splat(cover, t, fall, half, made[:, start : start + count], camera, light)
        start += count
    color = torch.cat(_lit(light, fall.shine), -1).clamp(max=1.0)
    return torch.lerp(linear, color[:, None, None], cover[..., None])


def _moved(
    fall: Fall, made: Tensor, half: float, eye: Vec, ahead: Vec, seconds: Tensor
) -> tuple[Vec, Vec, Tensor]:
    """Where points are at a time, their velocity, and how far from the box's sides: 0 to 1."""
    n = made.unbind(-1)
    speed = fall.speed * (0.85 + 0.3 * n[3])
    wind = [fall.wind * (2 * w - 1) for w in n[4:6]]
    turn = 2 * math.pi * (n[6] + seconds * (0.25 + 0.25 * n[7]))
    sway = (fall.sway * torch.sin(turn), fall.sway * torch.cos(1.3 * turn), 0.0 * turn)
    velocity = (wind[0], wind[1], -speed)
    place = add(along(sway, velocity, seconds), scale(n[0:3], 2 * half))
    middle = along(eye, ahead, 0.9 * half)
    inside = scale(sub(place, middle), 0.5 / half)
    inside = tuple(x - torch.round(x) for x in inside)
    rim = torch.stack(inside).abs().amax(0)
    return along(middle, inside, 2 * half), velocity, ramp(rim, 0.5, 0.4)


def _splat(
    cover: Tensor, t: Tensor, fall: Fall, half: float, made: Tensor, camera: Tensor, light: Air
) -> None:
    """Write one layer's share of each pixel into `cover` (B, H, W), the largest of all points."""
    frames, height, width = t.shape
    n = camera.unbind(0)
    eye, right, up, ahead = (n[i : i + 3] for i in (0, 3, 6, 9))
    place, velocity, share = _moved(fall, made, half, eye, ahead, light.seconds)

    def seen(point: Vec) -> tuple[Tensor, Tensor, Tensor]:
        offset = sub(point, eye)
        depth = dot(offset, ahead)
        across = dot(offset, right) / (depth.clamp(min=0.1) * n[12])
        above = dot(offset, up) / (depth.clamp(min=0.1) * n[13])
        return (across + 1) * (width / 2) - 0.5, (1 - above) * (height / 2) - 0.5, depth

    x, y, depth = seen(place)
    x1, y1, _ = seen(along(place, velocity, -fall.shutter))
    offset = sub(place, eye)
    far = torch.sqrt(dot(offset, offset))
    size = fall.radius * (0.7 + 0.6 * made[..., 7]) / (depth.clamp(min=0.1) * light.pixel)
    radius = size.clamp(min=0.55)  # what is smaller than a pixel is fainter, not smaller
    share = fall.share * share * (size / radius).sqrt() * ramp(depth, _NEAR, 1.4 * _NEAR)
    out = radius + 1
    there = (share > 0.01) & (torch.maximum(x, x1) > -out) & (torch.minimum(x, x1) < width + out)
    there &= (torch.maximum(y, y1) > -out) & (torch.minimum(y, y1) < height + out)
    frame, point = there.nonzero(as_tuple=True)
    if len(frame) == 0:
        return
    x, y, x1, y1, far, radius, share = (
        value[frame, point, None, None] for value in (x, y, x1, y1, far, radius, share)
    )

    # One window for all: as large as the largest, from each one's upper left corner on.
    left = torch.floor(torch.minimum(x, x1) - radius - 0.5).clamp(min=0)
    top = torch.floor(torch.minimum(y, y1) - radius - 0.5).clamp(min=0)
    wide = int((torch.maximum(x, x1) + radius + 0.5 - left).max()) + 1
    tall = int((torch.maximum(y, y1) + radius + 0.5 - top).max()) + 1
    column = left + torch.arange(min(wide, width), device=t.device)
    line = top + torch.arange(min(tall, height), device=t.device)[:, None]
    dx, dy = x1 - x, y1 - y
    on = ((column - x) * dx + (line - y) * dy) / (dx * dx + dy * dy).clamp(min=1e-6)
    on = on.clamp(0, 1)
    miss = torch.sqrt((column - x - on * dx) ** 2 + (line - y - on * dy) ** 2)
    mine = share * ramp(miss, radius + 0.5, (radius - 0.6).clamp(min=0))
    inside = (column < width) & (line < height)
    pixel = (frame[:, None, None] * height + line.long()) * width + column.long()
    pixel = torch.where(inside, pixel, 0)
    mine = torch.where(inside & (far < t.flatten()[pixel]), mine, 0.0)
    cover.view(-1).scatter_reduce_(0, pixel.flatten(), mine.flatten(), "amax")
