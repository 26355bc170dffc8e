"""A desert: rippled sand and stones, dunes, cacti, mesas under a hot pale sky."""

from __future__ import annotations

import torch
from torch import Tensor

from worldreel.world.lights import Air, sky
from worldreel.world.settings.ground import UP, seen, to_ground
from worldreel.world.settings.horizon import stars
from worldreel.world.settings.outline import post
from worldreel.world.settings.ring import ring, upright
from worldreel.world.settings.setting import SKY, Surface
from worldreel.world.texture import azimuth, cell, noise, scatter
from worldreel.world.vector import Plane, Vec, add, along, blend, ramp, scale, select, times, unit

SAND = (0.68, 0.50, 0.29)  # linear
_CREST = 0.66  # where along a dune its crest is; the lee beyond is steeper


def desert(origin: Vec, direction: Vec, air: Air) -> Surface:
    """Dunes near and far, with a cactus here and there."""
    ch = air.chance
    t = to_ground(origin, direction)
    x, y, _ = along(origin, direction, t.clamp(max=5000))
    color = _sand(t, x, y, direction, air)
    glow = _beyond(azimuth(direction[0], direction[1]), direction, air)

    solid = t < SKY
    zero = torch.zeros_like(t)
    dark = (zero, zero, zero)
    color, normal = select(solid, color, dark), UP
    for radius, width, height, share in ((21.0, 11.0, 2.2, ch[2]), (12.5, 8.0, 1.0, ch[3])):
        far, dune, face, tilt = _dune(origin, direction, radius, width, height, share)
        dune = dune & (far < t)
        t = torch.where(dune, far, t)
        color = select(dune, scale(SAND, face), color)
        normal = select(dune, tilt, normal)

    far, cactus, skin = _cactus(origin, direction, air)
    cactus = cactus & (far < t)
    t = torch.where(cactus, far, t)
    color = select(cactus, skin, color)
    normal = select(cactus, upright(direction), normal)
    return Surface(t, color, select(t < SKY, dark, glow), unit(normal), zero)


def _sand(t: Tensor, x: Tensor, y: Tensor, direction: Vec, air: Air) -> Vec:
    """Ripples of the wind, and stones."""
    ch = air.chance
    broad = noise(x * 0.5, y * 0.7, ch[4]) - 0.5
    warp = noise(x * 0.9, y * 0.6, ch[5])
    grains = noise(x * 34, y * 34, ch[6]) - 0.5
    _, ripple = cell(y * 1.1 + 0.35 * x + 1.3 * warp, 0.27)
    ripple = torch.where(ripple < 0.7, ripple / 0.7, (1 - ripple) / 0.3) - 0.5
    bright = 1 + 0.30 * broad + 0.25 * grains * seen(t, direction, 0.05, air)
    bright = bright + 0.28 * (0.7 + broad) * ripple * seen(t, direction, 0.24, air)
    sand = scale(SAND, bright)
    column, u = cell(x, 0.8)
    row, v = cell(y, 0.8)
    size = 0.03 + 0.05 * scatter(column, row, ch[7])
    u = (u - 0.2 - 0.6 * scatter(column, row + 50, ch[7])) * 0.8
    v = (v - 0.2 - 0.6 * scatter(column, row + 90, ch[7])) * 0.8
    there = scatter(column, row, ch[2]) < 0.3
    away = (u * u + 2.2 * v * v) / (size * size)
    lit = 0.75 + 0.5 * v / size + 0.3 * u / size * torch.sign(air.sun_way[0])
    stone = scale((0.33, 0.25, 0.18), lit)
    return select(there & (away < 1), stone, scale(sand, torch.where(there & (away < 2), 0.7, 1.0)))


def _dune(
    origin: Vec, direction: Vec, radius: float, width: float, height: float, seed: Plane
) -> tuple[Tensor, Tensor, Tensor, Vec]:
    """Dunes on a ring: t, where they are, how bright their sand is, and which way it faces."""
    far, way, rise = ring(origin, direction, radius)
    number, place = cell(way + 40 * seed, width)
    tall = height * (0.35 + 0.65 * scatter(number, 3.0, seed))
    crest = _CREST - 0.3 * scatter(number, 5.0, seed)
    before = place < crest
    slope = torch.where(before, place / crest, (1 - place) / (1 - crest))
    top = tall * ramp(0.88 * slope, 0.0, 1.0)
    # From the top the crest runs down toward the viewer in a bend, and parts light from shade.
    fall = 1 - (rise / tall).clamp(0, 1)
    side = torch.where(place < crest + 0.20 * fall * (1.5 - fall), -1.0, 1.0)
    tilt = (0.75 * side - 0.3 * direction[0], -0.55 - 0 * direction[1], 0.85 + 0 * direction[2])
    _, stripe = cell(rise + 0.12 * side * place * width, 0.16)
    return far, (rise < top) & (rise > -0.01), 0.96 + 0.08 * stripe, unit(tilt)


def _cactus(origin: Vec, direction: Vec, air: Air) -> tuple[Tensor, Tensor, Vec]:
    """Cacti on a ring, a trunk with an arm to either side: t, where they are, their colour."""
    ch = air.chance
    far, way, height = ring(origin, direction, 7.6)
    number, place = cell(way + 30 * ch[4], 3.0)
    size = 0.85 + 0.5 * scatter(number, 5.0, ch[5])
    across = ((place - 0.5) * 3.0 + 1.2 * (scatter(number, 7.0, ch[5]) - 0.5)) / size
    rise = height / size
    arm = across.abs()
    low = torch.where(across * (scatter(number, 9.0, ch[5]) - 0.5) > 0, 0.40, 0.62)
    trunk = post(across, rise, 0.0, 0.0, 1.30) / 0.14
    upper = post(arm, rise, 0.38, low, low + 0.36) / 0.095
    elbow = torch.sqrt((arm - arm.clamp(max=0.38)) ** 2 + (rise - low) ** 2) / 0.09
    near = torch.minimum(trunk, torch.minimum(upper, elbow))
    here = (scatter(number, 3.0, ch[5]) < 0.6) & (near < 1) & (height > 0)
    ribs = torch.cos(near * 11)
    lit = 1 + 0.35 * near * torch.sign(across * air.sun_way[0]) - 0.45 * near * near
    return far, here, scale((0.13, 0.30, 0.10), lit * (1 + 0.25 * ribs))


def _beyond(angle: Tensor, direction: Vec, air: Air) -> Vec:
    """The sky, and mesas of banded rock."""
    ch = air.chance
    up = direction[2]
    glow = add(sky(direction, air), scale((0.7, 0.75, 0.9), stars(angle, up, air)))
    day = add(scale(air.sun, 0.55), scale(air.sky, 0.6))
    for seed, width, high, fade in ((ch[6], 0.33, 0.062, 0.45), (ch[7], 0.58, 0.085, 0.15)):
        number, place = cell(angle + 3 * seed, width)
        half = 0.22 + 0.2 * scatter(number, 3.0, seed)
        inside = (half - (place - 0.5).abs()) * width
        cliff = high * (0.5 + 0.5 * scatter(number, 5.0, seed))
        ragged = 0.004 * noise(angle * 60, up * 0 + number, seed)
        step = torch.where(inside > 0.018, cliff, 0.55 * cliff)
        top = torch.minimum(step - ragged, (inside + 0.035) * 1.3)
        there = (scatter(number, 7.0, seed) < 0.62) & (up < top) & (up > -0.01)
        band = 0.75 + 0.5 * noise(up * 190 + angle * 4, 0 * up, seed)
        edge = torch.where((place - 0.5) * air.sun_way[0] > 0, 1.0, 0.72)
        rock = times(scale((0.52, 0.20, 0.10), band * edge), day)
        glow = select(there, blend(rock, air.horizon, fade), glow)
    return glow
