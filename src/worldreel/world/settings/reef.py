"""A coral reef under water, cut out of paper: corals in layers, dancing light, bubbles."""

from __future__ import annotations

import torch
from torch import Tensor

from worldreel.world.lights import Air
from worldreel.world.settings.ground import UP, seen, to_ground
from worldreel.world.settings.horizon import hills
from worldreel.world.settings.outline import bar
from worldreel.world.settings.ring import ring, upright
from worldreel.world.settings.setting import SKY, Surface
from worldreel.world.texture import azimuth, cell, noise, scatter
from worldreel.world.vector import Plane, Vec, add, along, blend, ramp, scale, select, unit

CORALS = (  # linear
    (0.80, 0.16, 0.22), (0.90, 0.36, 0.12), (0.46, 0.16, 0.56), (0.86, 0.62, 0.16),
    (0.85, 0.30, 0.48), (0.10, 0.46, 0.42),
)  # fmt: skip
_SHEET = 0.10  # metres from the edge of one sheet of paper to that of the next


def coral_reef(origin: Vec, direction: Vec, air: Air) -> Surface:
    """Corals on two rings above a sandy floor, in water that hides what is far."""
    ch = air.chance
    t = to_ground(origin, direction)
    x, y, _ = along(origin, direction, t.clamp(max=200))
    solid = t < SKY
    zero = torch.zeros_like(t)
    dark = (zero, zero, zero)
    color, normal = select(solid, _floor(t, x, y, direction, air), dark), UP
    glow = _water(direction, air)
    for radius, width, tall, seed in ((9.0, 2.1, 1.9, ch[2]), (6.2, 1.7, 1.15, ch[3])):
        far, way, height = ring(origin, direction, radius)
        near, paint = _coral(way, height, width, tall, seed, air)
        front = (far < t) & (height > -0.01)
        shadow = torch.where(front, 0.62 + 0.38 * ramp(near, 0.0, 0.10), 1.0)
        color, glow = scale(color, shadow), scale(glow, shadow)
        coral = front & (near < 0)
        t = torch.where(coral, far, t)
        color = select(coral, paint, color)
        normal = select(coral, upright(direction), normal)
    glow = select(t < SKY, dark, glow)
    glow = add(glow, scale(air.zenith, _shafts(direction, air) + _bubbles(origin, direction, air)))
    return Surface(t, color, glow, unit(normal), zero)


def _floor(t: Tensor, x: Tensor, y: Tensor, direction: Vec, air: Air) -> Vec:
    """Sand with ripples, starfish, and the net of light that waves throw on it."""
    ch = air.chance
    time = air.seconds
    warp = noise(x * 0.8, y * 0.8, ch[4])
    ripple = torch.sin(6.2832 * (2.6 * y + 0.7 * x + 2.2 * warp))
    sand = scale(
        (0.40, 0.45, 0.39), 0.9 + 0.2 * warp + 0.08 * ripple * seen(t, direction, 0.4, air)
    )
    # Two nets that drift apart; where the lines of both meet, light gathers.
    u, v = x * 1.7 + 0.5 * warp, y * 1.7
    first = 1 - (2 * noise(u + 0.45 * time, v + 0.20 * time, ch[5]) - 1).abs()
    second = 1 - (2 * noise(1.3 * u - 0.35 * time, 1.3 * v + 0.30 * time, ch[6]) - 1).abs()
    net = ramp(first, 0.62, 1.0) + ramp(second, 0.62, 1.0) + 0.9 * ramp(first + second, 1.5, 2.0)
    sand = scale(sand, 1 + air.lamps * (0.62 * net * seen(t, direction, 0.5, air) - 0.25))
    column, u = cell(x, 0.9)
    row, v = cell(y, 0.9)
    u = (u - 0.25 - 0.5 * scatter(column, row + 50, ch[7])) * 0.9
    v = (v - 0.25 - 0.5 * scatter(column, row + 90, ch[7])) * 0.9
    arms = azimuth(u, v) * 5 + 6.28 * scatter(column, row + 20, ch[7])
    out = torch.sqrt(u * u + v * v) / (0.085 + 0.042 * torch.cos(arms))
    there = scatter(column, row, ch[7]) < 0.30
    star = scale((0.80, 0.30, 0.16), 1.1 - 0.4 * out)
    sand = scale(sand, torch.where(there & (out < 1.25), 0.6, 1.0))
    return select(there & (out < 1), star, sand)


def _coral(
    way: Tensor, height: Tensor, width: float, tall: float, seed: Plane, air: Air
) -> tuple[Tensor, Vec]:
    """One coral per cell of a ring: how far a point is from it, below 0 inside, and its colour."""
    number, place = cell(way + 30 * seed, width)
    size = tall * (0.75 + 0.5 * scatter(number, 3.0, seed))
    kind = scatter(number, 5.0, seed) * 4
    u = (place - 0.5) * width + 0.3 * (scatter(number, 7.0, seed) - 0.5)
    u, v = u / size, height / size

    # A fan, with slots between its ribs.
    out, turn = torch.sqrt(u * u + (v - 0.12) ** 2), azimuth(u, v - 0.12)
    slot = 0.030 - torch.sin(turn * 9).abs() * out * 0.22
    fan = torch.maximum(out - 0.66 - 0.03 * torch.cos(turn * 18), slot * ramp(out, 0.12, 0.3))
    fan = torch.minimum(fan, torch.maximum(u.abs() - 0.05, v - 0.3))
    # Antlers: two halves that mirror one another, but for their height.
    a, b = u.abs(), v * torch.where(u < 0, 1.0, 1.15)
    stems = torch.minimum(bar(a, b, (0.0, 0.0), (0.0, 0.5)), bar(a, b, (0.0, 0.28), (0.36, 0.66)))
    twigs = torch.minimum(
        bar(a, b, (0.0, 0.5), (0.14, 0.98)), bar(a, b, (0.36, 0.66), (0.38, 0.95))
    )
    antler = torch.minimum(stems, torch.minimum(twigs, bar(a, b, (0.2, 0.48), (0.42, 0.46))))
    antler = antler - 0.062
    # Tubes with open mouths, and blades of grass that sway: both side by side.
    blade = kind >= 3
    sway = torch.where(blade, 0.10 * v * torch.sin(2.2 * v + 1.6 * air.seconds + 2 * number), 0.0)
    share = torch.where(blade, 0.15, 0.21)
    stalk, s = cell(u + sway + 0.5 * share, share)
    top = (0.45 + 0.55 * scatter(stalk, number, seed)) * (1 - 0.9 * (u + sway) ** 2)
    s = (s - 0.5).abs() * share
    thick = torch.where(blade, 0.062 * (1 - v / top).clamp(0, 1).sqrt(), 0.085)
    row = torch.maximum(torch.maximum(s - thick, v - top), (u + sway).abs() - 0.52)
    # A dome with the winding furrows of a brain.
    dome = torch.sqrt((u / 0.62) ** 2 + (v / 0.55) ** 2) * 0.55 - 0.55
    furrow = torch.sin(17 * u + 2.5 * torch.sin(11 * v + 3 * number)) * torch.sin(13 * v)

    near = torch.where(kind < 1, fan, torch.where(kind < 2, antler, row))
    round_ = (kind >= 1.6) & (kind < 2.25)
    near = torch.where(round_, dome, near) * size

    color: Vec = CORALS[0]
    pick = scatter(number, 9.0, seed) * len(CORALS)
    for i, other in enumerate(CORALS[1:], 1):
        color = select(pick >= i, other, color)
    color = select(blade, (0.10, 0.42, 0.14), color)
    # Sheets of paper, one on another, the upper ones smaller and paler; each throws a shadow.
    deep = torch.where(kind < 1, (0.66 - out) * size, -near) / _SHEET
    sheet, depth = cell(deep.clamp(0, 3.99), 1.0)
    bright = (0.62 + 0.22 * sheet) * (1 - 0.45 * ramp(depth, 0.62, 1.0) * (sheet < 3))
    mouth = (kind >= 2.25) & ~blade & ((v - top + 0.07) ** 2 * 4 + s * s < 0.0035)
    bright = torch.where(round_ & (furrow > 0.25), 0.72 * bright, bright)
    return near, scale(color, torch.where(mouth, 0.25, bright))


def _water(direction: Vec, air: Air) -> Vec:
    """The open water, brighter toward the surface, and two sheets of far rock."""
    up = direction[2]
    angle = azimuth(direction[0], direction[1])
    glow = blend(air.horizon, air.zenith, 0.85 * ramp(up, 0.0, 0.42))
    for seed, high, deep in ((air.chance[4], 0.17, 0.80), (air.chance[5], 0.10, 0.62)):
        ridge = hills(angle * 1.7, seed, 0.02, high) + 0.014 * torch.sin(angle * 41 + 9 * seed)
        shade = torch.where(up < ridge, deep, deep + (1 - deep) * ramp(up - ridge, -0.01, 0.03))
        glow = scale(glow, 1 - (1 - shade) * ramp(up, 0.0, 0.07))
    return glow


def _shafts(direction: Vec, air: Air) -> Tensor:
    """How much light hangs in the water, in slanting shafts that wander."""
    angle = azimuth(direction[0], direction[1]) + 0.55 * direction[2]
    wide = noise(angle * 7 + 0.25 * air.seconds, 0 * angle, air.chance[6])
    thin = noise(angle * 19 - 0.30 * air.seconds, 0 * angle, air.chance[7])
    return (
        0.30 * air.lamps * ramp(wide * 0.6 + thin * 0.4, 0.42, 0.8) * ramp(direction[2], -0.2, 0.25)
    )


def _bubbles(origin: Vec, direction: Vec, air: Air) -> Tensor:
    """Bubbles that rise in a few columns before the corals."""
    first, second = air.chance[2:4]
    _, way, height = ring(origin, direction, 5.4)
    column, u = cell(way + 20 * second, 0.55)
    row, v = cell(height - 0.5 * air.seconds, 0.36)
    size = 0.035 + 0.045 * scatter(column, row, second)
    u = (u - 0.5) * 0.55 + 0.12 * (scatter(column, row + 40, second) - 0.5)
    v = (v - 0.5) * 0.36
    u = u + 0.02 * torch.sin(5 * height + 3 * air.seconds)
    here = (scatter(column, 1.0, first) < 0.24) & (scatter(column, row + 80, second) < 0.6)
    out = (u * u + v * v) / (size * size)
    shine = (u + 0.35 * size) ** 2 + (v - 0.35 * size) ** 2 < 0.08 * size * size
    bright = torch.where(shine, 0.9, torch.where(out > 0.5, 0.45, 0.12))
    return torch.where(here & (out < 1) & (height > 0.1), bright, 0.0)
