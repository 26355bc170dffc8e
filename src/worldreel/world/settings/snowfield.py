"""A snowfield: drifts, firs and snowy mountains."""

from __future__ import annotations

import torch

from worldreel.world.lights import Air, sky
from worldreel.world.settings.ground import seen, to_ground
from worldreel.world.settings.horizon import peaks, stars
from worldreel.world.settings.ring import ring, upright
from worldreel.world.settings.setting import SKY, Surface
from worldreel.world.texture import azimuth, cell, noise, scatter
from worldreel.world.vector import Vec, add, along, blend, ramp, scale, select, unit


def snowfield(origin: Vec, direction: Vec, air: Air) -> Surface:
    """Drifts of snow, firs and snowy mountains."""
    ch = air.chance
    t = to_ground(origin, direction)
    x, y, _ = along(origin, direction, t.clamp(max=5000))
    # A slope from three samples of the drifts' height.
    step, grade = 0.15, 0.26
    u, v = x * 0.55, y * 0.9
    here = noise(u, v, ch[2])
    east, north = noise(u + step, v, ch[2]) - here, noise(u, v + step, ch[2]) - here
    fine = noise(x * 7, y * 5, ch[3]) - 0.5
    close = seen(t, direction, 0.15, air)
    calm = seen(t, direction, 1.2, air) * grade / step
    normal = unit((-east * calm, -north * calm, 1 + 0 * t))
    bright = 0.9 + 0.12 * (here - 0.5) + 0.10 * fine * close
    sparkle = (scatter(torch.floor(x * 40), torch.floor(y * 40), ch[4]) > 0.985) & (t < 4.5)
    bright = bright + torch.where(sparkle, 0.25 * (1 - t / 4.5), 0.0)
    snow = scale((0.80, 0.86, 0.95), bright)

    angle = azimuth(direction[0], direction[1])
    up = direction[2]
    glow = sky(direction, air)
    glow = add(glow, scale((0.7, 0.75, 0.9), stars(angle, up, air)))
    shine = add(scale(air.sun, 0.5), scale(air.sky, 0.5))
    lit = torch.sign(air.sun_way[0])
    for seed, low, high, fade in ((ch[5], 0.035, 0.125, 0.30), (ch[6], 0.005, 0.085, 0.06)):
        height, slope = peaks(angle + up * 0.6, seed)
        ridge = low + (high - low) * height
        mountain = peaks(angle, seed)[0] * (high - low) + low
        white = ramp(up / ridge + 0.25 * (noise(angle * 40, up * 60, seed) - 0.5), 0.30, 0.52)
        face = 0.66 + 0.38 * (slope * lit).clamp(-1, 1)
        rock = blend((0.11, 0.14, 0.21), (0.84, 0.90, 1.0), white)
        rock = tuple(c * s * face for c, s in zip(rock, shine, strict=True))
        rock = blend(rock, air.horizon, fade)
        glow = select((up < mountain) & (up > -0.01), rock, glow)

    # Firs: triangles in three tiers, snow on each.
    far, way, height = ring(origin, direction, 10.0)
    number, place = cell(way + 20 * ch[7], 1.5)
    there = scatter(number, 3.0, ch[7]) < 0.45
    size = 1.5 + 1.3 * scatter(number, 5.0, ch[7])
    across = ((place - 0.5) * 1.5 + 0.5 * (scatter(number, 7.0, ch[7]) - 0.5)).abs()
    tier = height / size * 3
    tier = tier - torch.floor(tier)
    width = 0.27 * size * (1.08 - height / size) * (1.15 - 0.5 * tier)
    fir = there & (across < width) & (height > 0) & (height < size) & (far < t)
    frost = ramp(tier - 0.35 * across / width.clamp(min=1e-3), 0.25, 0.5)
    leaf = blend((0.035, 0.10, 0.06), (0.80, 0.86, 0.95), 0.9 * frost)

    t = torch.where(fir, far, t)
    solid = t < SKY
    zero = torch.zeros_like(t)
    color = select(fir, leaf, select(solid, snow, (zero, zero, zero)))
    normal = select(fir, upright(direction), normal)
    return Surface(t, color, select(solid, (zero, zero, zero), glow), normal, zero)
