"""Lights: what shines on a scene, and what differs from clip to clip.

A light is a row of numbers; a setting has a table of them, one per word of `scene.LIGHTS`.
Colours in the tables are sRGB in 0..1 (or above, for what is brighter than paper in noon's sun);
inside, light is linear with a gamma of 2. `Air.chance` is drawn from the scene's seed: the shape
of hills, the colours of signs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from torch import Tensor

from worldreel.world.scene import Scene
from worldreel.world.vector import Plane, Vec, add, along, blend, dot, ramp, scale

CHANCES = 8
WIDTH = 30 + CHANCES  # numbers per frame, as `pack` writes and `unpack` reads them


@dataclass(frozen=True, kw_only=True)
class Light:
    """A row of a setting's table of lights.

    height and side: the sun's, or the lamp's, angle above the ground and to the right of straight
    behind the camera, in degrees (the seed chooses the side). sun, sky and ground are what falls
    on a surface: from the sun, from above and from below; zenith and horizon what one sees.
    tint: how far the light's colour tints a thing, whose own colour must stay nameable; lift: how
    much more light it gets. soft: the sun's radius in radians. lamps: how bright windows and signs
    are, or the light that dances under water. haze: metres at which half of a thing's colour is
    gone.
    """

    height: float
    side: float
    sun: tuple[float, float, float]
    sky: tuple[float, float, float]
    ground: tuple[float, float, float]
    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    tint: float = 0.4
    lift: float = 1.0
    soft: float = 0.02
    lamps: float = 1.0
    haze: float = 45.0


class Air(NamedTuple):
    """The light of B frames, each field (B, 1) or a Vec of (B, 1), colours linear."""

    sun_way: Vec  # unit, toward the sun
    sun: Vec
    sky: Vec
    ground: Vec
    zenith: Vec
    horizon: Vec
    thing_sun: Vec  # the lights as things see them, less tinted
    thing_sky: Vec
    soft: Plane
    lamps: Plane
    haze: Plane
    pixel: Plane  # radians per pixel
    dark: Plane  # 1 at night
    chance: tuple[Plane, ...]  # CHANCES numbers in [0, 1)
    seconds: Plane  # since the clip began, for what moves by itself


OUTDOORS = {
    "noon": Light(
        height=52, side=38, sun=(1.02, 0.99, 0.92), sky=(0.50, 0.56, 0.65),
        ground=(0.42, 0.42, 0.40), zenith=(0.16, 0.42, 0.88), horizon=(0.70, 0.85, 0.97),
    ),
    "sunset": Light(
        height=17, side=66, sun=(1.20, 0.84, 0.54), sky=(0.52, 0.48, 0.58),
        ground=(0.42, 0.37, 0.36), zenith=(0.40, 0.36, 0.62), horizon=(1.0, 0.60, 0.26),
        tint=0.10, soft=0.05, lift=1.12,
    ),
    "night": Light(
        height=44, side=50, sun=(0.50, 0.57, 0.74), sky=(0.24, 0.29, 0.46),
        ground=(0.20, 0.22, 0.32), zenith=(0.02, 0.03, 0.10), horizon=(0.10, 0.14, 0.30),
        tint=0.15, soft=0.03, lift=2.6,
    ),
    "overcast": Light(
        height=62, side=30, sun=(0.36, 0.37, 0.38), sky=(0.68, 0.70, 0.73),
        ground=(0.48, 0.49, 0.50), zenith=(0.58, 0.61, 0.65), horizon=(0.77, 0.79, 0.81),
        soft=0.30, lift=1.35,
    ),
}  # fmt: skip
INDOORS = {
    "noon": Light(
        height=46, side=52, sun=(0.92, 0.91, 0.86), sky=(0.58, 0.58, 0.58),
        ground=(0.46, 0.43, 0.40), zenith=(0.45, 0.68, 0.98), horizon=(0.86, 0.93, 1.0),
        soft=0.04, haze=1e5,
    ),
    "sunset": Light(
        height=22, side=64, sun=(1.14, 0.82, 0.55), sky=(0.54, 0.49, 0.48),
        ground=(0.42, 0.37, 0.34), zenith=(0.86, 0.46, 0.30), horizon=(1.0, 0.70, 0.32),
        tint=0.10, soft=0.05, lift=1.12, haze=1e5,
    ),
    "night": Light(
        height=56, side=40, sun=(0.72, 0.64, 0.52), sky=(0.32, 0.34, 0.45),
        ground=(0.25, 0.24, 0.27), zenith=(0.02, 0.04, 0.14), horizon=(0.08, 0.12, 0.28),
        tint=0.15, soft=0.05, lift=1.9, haze=1e5,
    ),
    "overcast": Light(
        height=50, side=46, sun=(0.40, 0.41, 0.43), sky=(0.66, 0.68, 0.71),
        ground=(0.46, 0.46, 0.47), zenith=(0.60, 0.63, 0.67), horizon=(0.78, 0.80, 0.82),
        soft=0.30, lift=1.35, haze=1e5,
    ),
}  # fmt: skip
STREET = {
    "noon": Light(
        height=50, side=38, sun=(0.84, 0.84, 0.82), sky=(0.60, 0.64, 0.68),
        ground=(0.42, 0.43, 0.45), zenith=(0.52, 0.62, 0.74), horizon=(0.80, 0.85, 0.90),
        soft=0.06, lamps=0.5, haze=60,
    ),
    "sunset": Light(
        height=19, side=66, sun=(1.14, 0.80, 0.52), sky=(0.50, 0.46, 0.54),
        ground=(0.40, 0.36, 0.36), zenith=(0.50, 0.36, 0.52), horizon=(1.0, 0.58, 0.26),
        tint=0.10, soft=0.05, lift=1.12, lamps=0.8, haze=60,
    ),
    "night": Light(
        height=58, side=44, sun=(0.60, 0.58, 0.62), sky=(0.28, 0.29, 0.42),
        ground=(0.24, 0.22, 0.32), zenith=(0.02, 0.02, 0.07), horizon=(0.10, 0.09, 0.22),
        tint=0.15, soft=0.04, lift=2.5, haze=60,
    ),
    "overcast": Light(
        height=60, side=34, sun=(0.32, 0.33, 0.34), sky=(0.64, 0.67, 0.70),
        ground=(0.44, 0.46, 0.48), zenith=(0.50, 0.53, 0.56), horizon=(0.68, 0.70, 0.73),
        soft=0.30, lift=1.4, lamps=0.7, haze=40,
    ),
}  # fmt: skip

SNOW = dict(OUTDOORS)  # white under an orange sky too, or a viewer takes it for sand
SNOW["sunset"] = replace(SNOW["sunset"], sun=(1.10, 0.88, 0.72), sky=(0.62, 0.62, 0.76))
COAST = {word: replace(light, haze=900) for word, light in OUTDOORS.items()}  # a clear horizon
COAST["night"] = replace(COAST["night"], sun=(0.40, 0.54, 0.84), sky=(0.20, 0.28, 0.52))
COAST["sunset"] = replace(COAST["sunset"], sun=(1.22, 0.94, 0.70), sky=(0.64, 0.59, 0.66))
DESERT = {
    "noon": Light(
        height=58, side=48, sun=(1.08, 1.02, 0.90), sky=(0.54, 0.54, 0.56),
        ground=(0.50, 0.44, 0.36), zenith=(0.38, 0.62, 0.90), horizon=(0.97, 0.93, 0.82),
        haze=110,
    ),
    "sunset": replace(
        COAST["sunset"], zenith=(0.44, 0.30, 0.56), horizon=(1.0, 0.55, 0.24), haze=140,
    ),
    "night": replace(
        COAST["night"], sun=(0.56, 0.57, 0.70), sky=(0.29, 0.31, 0.46), haze=140,
    ),
    "overcast": replace(
        OUTDOORS["overcast"], sky=(0.70, 0.69, 0.67), zenith=(0.62, 0.60, 0.57),
        horizon=(0.78, 0.75, 0.70), haze=70,
    ),
}  # fmt: skip
REEF = {  # through the surface of the sea
    "noon": Light(
        height=64, side=36, sun=(0.86, 0.98, 0.96), sky=(0.46, 0.62, 0.68),
        ground=(0.36, 0.48, 0.52), zenith=(0.50, 0.90, 0.95), horizon=(0.08, 0.46, 0.68),
        tint=0.15, soft=0.06, lift=1.2, haze=11,
    ),
    "sunset": Light(
        height=44, side=60, sun=(1.05, 0.80, 0.62), sky=(0.52, 0.50, 0.62),
        ground=(0.40, 0.40, 0.50), zenith=(1.0, 0.66, 0.48), horizon=(0.36, 0.32, 0.56),
        tint=0.10, soft=0.08, lift=1.2, lamps=0.8, haze=11,
    ),
    "night": Light(
        height=60, side=46, sun=(0.34, 0.48, 0.62), sky=(0.18, 0.27, 0.44),
        ground=(0.14, 0.20, 0.32), zenith=(0.06, 0.22, 0.40), horizon=(0.02, 0.07, 0.20),
        tint=0.15, soft=0.08, lift=3.0, lamps=0.45, haze=11,
    ),
    "overcast": Light(
        height=66, side=30, sun=(0.48, 0.54, 0.54), sky=(0.60, 0.70, 0.70),
        ground=(0.42, 0.48, 0.48), zenith=(0.60, 0.74, 0.74), horizon=(0.24, 0.42, 0.46),
        tint=0.10, soft=0.30, lift=1.35, lamps=0.15, haze=13,
    ),
}  # fmt: skip
STATION = {  # by its lamps: on, or dimmed while the crew sleeps; it has no sunset and no clouds
    "noon": Light(
        height=60, side=42, sun=(0.76, 0.78, 0.80), sky=(0.68, 0.70, 0.72),
        ground=(0.50, 0.52, 0.54), zenith=(0.80, 0.84, 0.88), horizon=(0.60, 0.64, 0.68),
        soft=0.12, haze=1e5,
    ),
    "night": Light(
        height=58, side=46, sun=(0.36, 0.42, 0.60), sky=(0.22, 0.27, 0.44),
        ground=(0.18, 0.22, 0.36), zenith=(0.10, 0.14, 0.28), horizon=(0.05, 0.08, 0.20),
        tint=0.15, soft=0.12, lift=3.0, haze=1e5,
    ),
}  # fmt: skip


def pack(scene: Scene, light: Light, pixel: float, seconds: np.ndarray) -> np.ndarray:
    """A light, a scene's chances and each frame's time (F,), read back by `unpack`.

    -> (WIDTH, F) float32.
    """
    chance = np.random.default_rng([scene.seed % 2**63, 0x5C1E]).random(CHANCES)
    height, side = np.radians(light.height), np.radians(light.side + 14 * (chance[0] - 0.5))
    side = side if chance[1] < 0.5 else -side
    way = np.cos(height) * np.sin(side), -np.cos(height) * np.cos(side), np.sin(height)
    linear = [np.square(c) for c in (light.sun, light.sky, light.ground)]
    seen = [np.square(c) for c in (light.zenith, light.horizon)]
    plain = [(c.mean() + (c - c.mean()) * light.tint) * light.lift for c in linear[:2]]
    scalars = light.soft, light.lamps, light.haze, pixel, float(scene.light == "night")
    still = np.concatenate([way, *linear, *seen, *plain, scalars, chance])
    frames = np.repeat(still[:, None], len(seconds), axis=1)
    return np.concatenate([frames, seconds[None]]).astype(np.float32)


def unpack(numbers: Tensor) -> Air:
    """(WIDTH, B, 1) -> Air."""
    n = numbers.unbind(0)
    vectors = [n[i : i + 3] for i in range(0, 24, 3)]
    return Air(*vectors, *n[24:29], chance=n[29:-1], seconds=n[-1])


def sky(direction: Vec, air: Air) -> Vec:
    """The open sky, without clouds."""
    height = direction[2].clamp(0, 1)
    return blend(air.horizon, air.zenith, 1 - (1 - height) ** 5)


def around(direction: Vec, air: Air) -> Vec:
    """What a shiny thing mirrors: sky, horizon and ground, and the sun."""
    seen = blend(air.horizon, air.zenith, ramp(direction[2], 0.0, 0.6))
    floor = scale(add(air.ground, air.sky), 0.3)
    seen = blend(floor, seen, ramp(direction[2], -0.06, 0.06))
    spot = ramp(dot(direction, air.sun_way), 0.93, 0.985)
    return along(seen, air.sun, 1.6 * spot)
