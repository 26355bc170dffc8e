"""A wet street between houses, at its best by night."""

from __future__ import annotations

import torch
from torch import Tensor

from worldreel.world.lights import Air, sky
from worldreel.world.settings.ground import UP, seen, to_ground
from worldreel.world.settings.ring import ring, upright
from worldreel.world.settings.setting import SKY, Surface
from worldreel.world.texture import cell, noise, scatter
from worldreel.world.vector import Vec, along, blend, ramp, scale, select, unit

NEON = (
    (1.0, 0.08, 0.22), (0.05, 0.85, 1.0), (1.0, 0.25, 0.85), (0.25, 1.0, 0.35), (1.0, 0.62, 0.08),
    (0.40, 0.30, 1.0),
)  # fmt: skip


def _neon(share: Tensor) -> Vec:
    """One of NEON by a number in [0, 1)."""
    color: Vec = NEON[0]
    for i, other in enumerate(NEON[1:], 1):
        color = select(share * len(NEON) >= i, other, color)
    return color


def wet_street(origin: Vec, direction: Vec, air: Air) -> Surface:
    """Wet asphalt between houses with lit windows and neon signs."""
    ch = air.chance
    t = to_ground(origin, direction)
    x, y, _ = along(origin, direction, t.clamp(max=500))
    rough = noise(x * 30, y * 30, ch[2]) - 0.5
    stains = noise(x * 0.8, y * 1.2, ch[3])
    puddle = ramp(noise(x * 0.55, y * 1.1, ch[4]), 0.42, 0.60)
    bright = (0.8 + 0.5 * stains) * (1 + 0.9 * rough * seen(t, direction, 0.05, air))
    asphalt = scale((0.052, 0.056, 0.066), bright * (1 - 0.45 * puddle))
    _, dash = cell(x + 3 * ch[5], 2.0)
    line = ((y - 1.9).abs() < 0.09) & (dash < 0.6)
    worn = 0.75 + 0.5 * rough
    asphalt = select(line, scale((0.55, 0.54, 0.48), worn), asphalt)
    kerb = y > 4.6
    _, slab = cell(x, 1.1)
    paving = scale((0.13, 0.13, 0.14), 0.85 + 0.3 * stains - 0.4 * (slab < 0.04))
    asphalt = select(kerb, select(y < 4.75, (0.26, 0.26, 0.27), paving), asphalt)
    wet = torch.where(kerb, 0.25, 0.30 + 0.45 * puddle) * torch.where(line, 0.6, 1.0)

    # Houses stand on a ring, one per cell, with rows of windows over a shop and its sign.
    far, way, height = ring(origin, direction, 9.0)
    house, place = cell(way + 30 * ch[5], 2.6)
    tall = 1.5 + 2.6 * scatter(house, 2.0, ch[6])
    built = (height < tall) & (far < t)
    tone = 0.5 + scatter(house, 4.0, ch[6])
    wall = scale(blend((0.10, 0.075, 0.07), (0.075, 0.085, 0.11), scatter(house, 6.0, ch[6])), tone)
    wall = scale(wall, torch.where(place * 2.6 < 0.05, 0.4, 1.0))
    column, u = cell(way, 0.325)
    row, v = cell(height - 1.02, 0.42)
    pane = (row >= 0) & (u > 0.22) & (u < 0.78) & (v > 0.2) & (v < 0.8) & (height < tall - 0.12)
    chance = scatter(column, row, ch[7])
    cold = scatter(column, row + 9, ch[3]) > 0.75
    warm = select(cold, (0.62, 0.80, 1.0), (1.0, 0.62, 0.22))
    window = scale(warm, torch.where(chance > 0.45, 0.35 + 0.5 * chance, 0.02))

    number, s = cell(way + 30 * ch[5], 1.3)
    sign_here = scatter(number, 3.0, ch[2]) < 0.72
    half = 0.34 + 0.22 * scatter(number, 5.0, ch[2])
    rise = 0.58 + 0.32 * scatter(number, 7.0, ch[2])
    a, b = ((s - 0.5) * 1.3).abs(), (height - rise).abs()
    thick = 0.10 + 0.07 * scatter(number, 9.0, ch[2])
    board = sign_here & (a < half) & (b < thick)
    _, letter = cell((s - 0.5) * 1.3, 0.13)
    tube = ((a > half - 0.035) | (b > thick - 0.035)) | ((letter < 0.55) & (b < 0.55 * thick))
    neon = _neon(scatter(number, 11.0, ch[2]))
    sign = scale(neon, torch.where(tube, 1.25, 0.30))
    halo = ramp((a - half).clamp(min=0) + (b - thick).clamp(min=0), 0.5, 0.0)
    halo = torch.where(sign_here, 0.28 * halo, 0.0)
    shop = (height < 0.42) & (height > 0.06) & (a < 0.5)
    front = scale((1.0, 0.80, 0.50), 0.16 + 0.3 * scatter(number, 13.0, ch[2]))

    lit = select(pane, scale(window, air.lamps), scale(neon, halo * air.lamps))
    lit = select(shop, scale(front, air.lamps), lit)
    lit = select(board, scale(sign, 0.4 + 0.6 * air.lamps), lit)
    glow = select(built, lit, sky(direction, air))

    t = torch.where(built, far, t)
    solid = t < SKY
    zero = torch.zeros_like(t)
    color = select(built, wall, select(solid, asphalt, (zero, zero, zero)))
    glow = select(solid & ~built, (zero, zero, zero), glow)
    normal = select(built, upright(direction), UP)
    # Ripples: a mirrored light becomes a streak toward the viewer.
    calm = 0.10 * seen(t, direction, 0.05, air) * (1 - 0.7 * puddle)
    tilt = (noise(x * 21, y * 21, ch[6]) - 0.5) * calm
    tip = (noise(x * 21, y * 9, ch[7]) - 0.5) * (0.05 + calm)
    normal = select(built, normal, unit((tilt, tip, 1 + zero)))
    return Surface(t, color, glow, normal, torch.where(built, 0.0, wet))
