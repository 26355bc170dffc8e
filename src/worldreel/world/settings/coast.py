"""A sandy coast: sand with shells, surf at the shore, a rolling sea and a headland."""

from __future__ import annotations

import torch
from torch import Tensor

from worldreel.world.lights import Air, sky
from worldreel.world.settings.ground import seen, to_ground
from worldreel.world.settings.horizon import clouds, hills, stars
from worldreel.world.settings.setting import SKY, Surface
from worldreel.world.texture import azimuth, cell, noise, scatter
from worldreel.world.vector import Plane, Vec, add, along, blend, ramp, scale, select, times

SHORE = 1.1  # metres, the y where the sea begins; the surf washes half a metre to either side
_SPEED = 0.45  # metres per second, of waves on their way to the shore
_LENGTH = 1.7  # metres from crest to crest
_TURN = 6.2832


def sandy_coast(origin: Vec, direction: Vec, air: Air) -> Surface:
    """Sand with ripples and shells up to SHORE, the sea beyond it."""
    ch = air.chance
    t = to_ground(origin, direction)
    x, y, _ = along(origin, direction, t.clamp(max=5000))
    swell = air.seconds * (_SPEED / _LENGTH)
    bend = torch.sin(0.55 * x + _TURN * ch[2]) + 0.4 * torch.sin(1.7 * x + _TURN * ch[3])
    wash = torch.sin(_TURN * (swell + ch[7]) + 0.6 * bend)
    edge = SHORE + 0.12 * bend + 0.16 * wash + 0.03 * torch.sin(5.1 * x + _TURN * ch[4])
    depth = y - edge
    water = depth > 0

    # A ray sees sand or sea: the same noise serves both.
    come = air.seconds * 0.5
    broad = noise(
        torch.where(water, x * 0.38, x * 0.9), torch.where(water, (y + come) * 1.1, y * 0.9), ch[2]
    )
    fine = noise(
        torch.where(water, x * 1.5, x * 38),
        torch.where(water, (y + 0.7 * come) * 4.5, y * 38),
        ch[3],
    )
    sand, wet = _sand(t, x, y, y - SHORE - 0.12 * bend, broad - 0.5, fine - 0.5, direction, air)
    sea, sheen, glint = _sea(t, x, y, broad - 0.5, fine - 0.5, depth, direction, air)
    foam = _foam(x, y, depth, bend, swell, air)
    shallow = blend(scale(sand, 0.75), sea, ramp(depth, -0.1, 1.5))
    white = (0.80, 0.84, 0.86)
    ground = select(water, blend(shallow, white, foam), sand)
    clear = torch.where(water, ramp(depth, 0.0, 1.2) * (1 - foam), 0.0)
    gleam = scale(blend(air.horizon, air.zenith, 0.55), sheen * clear)
    gleam = add(gleam, scale(air.sun, 0.9 * glint * clear))

    angle = azimuth(direction[0], direction[1])
    glow = _beyond(angle, direction, air)
    solid = t < SKY
    zero = torch.zeros_like(t)
    dark = (zero, zero, zero)
    wet = torch.where(water, 0.25 * (1 - foam) * ramp(depth, 1.2, 0.0), wet)
    normal = (zero, zero, 1 + zero)
    return Surface(t, select(solid, ground, dark), select(solid, gleam, glow), normal, wet)


def _sand(
    t: Tensor,
    x: Tensor,
    y: Tensor,
    depth: Tensor,
    patches: Tensor,
    grains: Tensor,
    direction: Vec,
    air: Air,
) -> tuple[Vec, Tensor]:
    """The sand's colour, and how wet it is."""
    ch = air.chance
    ripple = torch.sin(_TURN * (y * 4.6 + 0.35 * torch.sin(2.1 * x + _TURN * ch[5]) + 3 * patches))
    damp = ramp(depth + 0.25 * patches, -0.55, -0.35)
    bright = 1 + 0.22 * patches + 0.34 * grains * seen(t, direction, 0.05, air)
    bright = bright + 0.11 * ripple * (0.6 + patches) * seen(t, direction, 0.2, air) * (1 - damp)
    color = scale(blend((0.66, 0.55, 0.37), (0.31, 0.25, 0.17), damp), bright)
    # One shell in some cells: a fan with ribs, pale or rosy.
    column, u = cell(x, 0.62)
    row, v = cell(y, 0.62)
    kind = scatter(column, row, ch[4])
    u = (u - 0.3 - 0.4 * scatter(column, row + 50, ch[5])) * 0.62
    v = (v - 0.3 - 0.4 * scatter(column, row + 90, ch[5])) * 0.62
    away = u * u + v * v
    there = (kind < 0.42) & (v > -0.02) & (depth < -0.2)
    ribs = torch.sin(12 * azimuth(u, v + 0.02))
    shell = scale(blend((0.86, 0.80, 0.72), (0.80, 0.50, 0.42), kind * 2), 0.92 + 0.16 * ribs)
    color = select(there & (away < 0.0085), scale(color, 0.5), color)
    color = select(there & (away < 0.006), shell, color)
    return color, 0.40 * damp


def _sea(
    t: Tensor,
    x: Tensor,
    y: Tensor,
    broad: Tensor,
    fine: Tensor,
    depth: Tensor,
    direction: Vec,
    air: Air,
) -> tuple[Vec, Tensor, Tensor]:
    """The water's own colour, and the shares of the sky and of the sun that it mirrors."""
    ch = air.chance
    come = air.seconds
    long = noise(x * 0.09, (y + 1.0 * come) * 0.46, ch[4]) - 0.5
    longer = noise(x * 0.02, (y + 2.0 * come) * 0.10, ch[5]) - 0.5
    wave = 0.6 * fine * seen(t, direction, 0.25, air) + 1.1 * broad * seen(t, direction, 1, air)
    wave = wave + 1.2 * long * seen(t, direction, 2.2, air)
    wave = wave + 0.8 * longer * seen(t, direction, 10, air)
    color = blend((0.05, 0.24, 0.26), (0.012, 0.10, 0.19), ramp(depth, 0.2, 6.0))
    color = scale(color, (1 + 1.2 * wave).clamp(0.55, 2))
    graze = 1 - direction[2].abs().clamp(max=1)
    share = 0.06 + 0.50 * graze**9 + 0.40 * wave
    # Glitter lives in the picture's own perspective, so that it is as fine far off as near.
    a, b = x / (y + 4).clamp(min=1) * 60, torch.log(t) * 26
    glint = noise(a + 1.1 * come, b, ch[6]) * noise(a - 0.9 * come, b + come, ch[7])
    return color, share.clamp(0.02, 0.8), ramp(glint, 0.50, 0.68) * ramp(depth, 0.5, 3.0)


def _foam(x: Tensor, y: Tensor, depth: Tensor, bend: Tensor, swell: Plane, air: Air) -> Tensor:
    """How white the water is: at its edge, and along breakers that come in."""
    phase = (y - SHORE) / _LENGTH + swell + air.chance[7] + 0.10 * bend
    crest, behind = cell(phase, 1.0)
    lace = noise(x * 4.5, phase * 15, air.chance[5])
    long = noise(x * 0.55 + 7 * crest, crest, air.chance[6])
    near = ramp(depth, 4.2, 0.4)
    width = 0.05 + 0.42 * near
    breaker = ramp(behind, width, 0.0) * ramp(behind, 0.0, 0.06) * ramp(depth, 6.0, 2.0)
    breaker = breaker * ramp(long + 0.35 * near, 0.45, 0.62)
    rim = ramp(depth, 0.55, 0.02)
    return ramp(breaker * (0.55 + lace) + rim * (0.30 + 0.75 * lace), 0.32, 0.62)


def _beyond(angle: Tensor, direction: Vec, air: Air) -> Vec:
    """Sky and clouds, and to one side a headland with a lighthouse."""
    ch = air.chance
    up = direction[2]
    cover, white = clouds(angle, up, air)
    glow = blend(sky(direction, air), white, 0.85 * cover)
    glow = add(glow, scale((0.7, 0.75, 0.9), stars(angle, up, air) * (1 - cover)))
    day = add(scale(air.sun, 0.55), scale(air.sky, 0.7))
    side = torch.where(ch[2] < 0.5, -1.0, 1.0)
    out = angle * side - 0.12 - 0.2 * ch[3]
    top = hills(angle, ch[4], 0.03, 0.075) * ramp(out, 0.0, 0.16)
    rock = select(up > 0.62 * top, (0.10, 0.19, 0.07), (0.26, 0.21, 0.16))
    glow = select((up < top) & (up > -0.01), blend(times(rock, day), air.horizon, 0.28), glow)
    tower = (out - 0.15).abs()
    rise = up - 0.035
    shaft = (tower < 0.008 - 0.03 * rise) & (rise > 0) & (rise < 0.06)
    band = (rise > 0.018) & (rise < 0.034)
    paint = times(select(band, (0.62, 0.05, 0.04), (0.80, 0.80, 0.78)), day)
    glow = select(shaft, paint, glow)
    lamp = (tower < 0.007) & (rise >= 0.06) & (rise < 0.070)
    return select(lamp, blend((0.10, 0.03, 0.02), (1.0, 0.85, 0.45), air.dark), glow)
