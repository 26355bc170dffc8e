"""A meadow: grass, a few trees on it, hills and a sky with clouds."""

from __future__ import annotations

import torch

from worldreel.world.lights import Air, sky
from worldreel.world.settings.ground import UP, seen, to_ground
from worldreel.world.settings.horizon import clouds, hills, stars
from worldreel.world.settings.ring import ring, upright
from worldreel.world.settings.setting import SKY, Surface
from worldreel.world.texture import azimuth, cell, noise, scatter
from worldreel.world.vector import Vec, add, along, blend, ramp, scale, select


def meadow(origin: Vec, direction: Vec, air: Air) -> Surface:
    """Grass, a few trees on it, hills and a sky with clouds."""
    ch = air.chance
    t = to_ground(origin, direction)
    x, y, _ = along(origin, direction, t.clamp(max=5000))
    patches = noise(x * 1.1, y * 1.1, ch[2])
    tufts = noise(x * 5.5, y * 4.5, ch[3]) - 0.5
    blades = noise(x * 34, y * 15, ch[4]) - 0.5
    bright = 0.62 + 0.5 * patches
    bright = bright + 0.5 * tufts * seen(t, direction, 0.2, air)
    bright = bright + 0.75 * blades * seen(t, direction, 0.05, air)
    dry = ramp(noise(x * 0.5, y * 0.5, ch[5]), 0.35, 0.8)
    grass = scale(blend((0.12, 0.29, 0.022), (0.25, 0.34, 0.05), dry), bright.clamp(0.25, 1.6))

    angle = azimuth(direction[0], direction[1])
    up = direction[2]
    cover, white = clouds(angle, up, air)
    glow = blend(sky(direction, air), white, 0.85 * cover)
    glow = add(glow, scale((0.7, 0.75, 0.9), stars(angle, up, air) * (1 - cover)))
    day = add(scale(air.sun, 0.55), scale(air.sky, 0.7))
    for share, low, high, color in (
        (ch[2], 0.035, 0.085, (0.10, 0.20, 0.16)),
        (ch[3], 0.004, 0.055, (0.12, 0.24, 0.06)),
    ):
        hill = tuple(c * d for c, d in zip(color, day, strict=True))
        hill = blend(hill, air.horizon, 0.42 if low > 0.02 else 0.15)
        ridge = hills(angle, share, low, high)
        glow = select((up < ridge) & (up > -0.01), hill, glow)

    # Trees stand in every other cell of a ring, each a ragged crown over a trunk.
    far, way, height = ring(origin, direction, 9.5)
    number, place = cell(way + 20 * ch[5], 1.9)
    there = scatter(number, 3.0, ch[6]) < 0.5
    size = 0.75 + 0.5 * scatter(number, 5.0, ch[6])
    across = (place - 0.5) * 1.9 + 0.6 * (scatter(number, 7.0, ch[6]) - 0.5)
    rough = 0.7 * (noise(way * 5, height * 5, ch[2]) - 0.5)
    crown = (across / (0.58 * size)) ** 2 + ((height - 1.1 * size) / (0.62 * size)) ** 2
    crown = crown + rough < 1
    trunk = (across.abs() < 0.07 * size) & (height > 0) & (height < size)
    tree = there & (crown | trunk) & (height > 0) & (far < t)
    side = (across * air.sun_way[0] / size + height - size).clamp(-1, 1)
    leaf = scale((0.055, 0.16, 0.03), 0.8 + 0.45 * side + 0.9 * rough)
    leaf = select(crown, leaf, (0.07, 0.045, 0.025))

    t = torch.where(tree, far, t)
    solid = t < SKY
    zero = torch.zeros_like(t)
    color = select(tree, leaf, select(solid, grass, (zero, zero, zero)))
    normal = select(tree, upright(direction), UP)
    return Surface(t, color, select(solid, (zero, zero, zero), glow), normal, zero)
