"""Settings: what a ray sees where no thing is.

A setting is a function of rays and a table of lights; whatever differs from clip to clip comes
from `Air.chance`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from worldreel.world.lights import INDOORS, OUTDOORS, STREET, Air, Light, sky
from worldreel.world.texture import azimuth, cell, noise, scatter
from worldreel.world.vector import Plane, Vec, add, along, blend, ramp, scale, select, unit

SKY = 1e8  # metres, or any t: the sky


class Surface(NamedTuple):
    """What a setting shows to rays that meet no thing, all (B, P)."""

    t: Tensor  # SKY where there is nothing
    color: Vec  # linear, of a lit surface
    glow: Vec  # linear, seen as it is
    normal: Vec  # unit
    wet: Tensor  # share of a mirror's


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A row of the table. mirror: whether its ground reflects things and what stands behind."""

    draw: Callable[[Vec, Vec, Air], Surface]
    lights: dict[str, Light]
    mirror: bool = False


def _floor(origin: Vec, direction: Vec) -> Tensor:
    down = direction[2]
    t = -origin[2] / torch.where(down < -1e-5, down, -1e-5)
    return torch.where((down < -1e-5) & (origin[2] > 0) & (t < 4000), t, SKY)


def _seen(t: Tensor, direction: Vec, size: float, air: Air) -> Tensor:
    """How much of a ground detail of this size in metres a pixel at t still resolves."""
    spread = t * air.pixel / direction[2].abs().clamp(min=0.02)
    return (1.6 - 2.2 * spread / size).clamp(0, 1)


def _cylinder(origin: Vec, direction: Vec, radius: float) -> tuple[Tensor, Tensor, Tensor]:
    """Where rays from within leave an upright cylinder round the world's axis.

    t, the way round in metres and the height.
    """
    ox, oy, _ = origin
    dx, dy, dz = direction
    a = (dx * dx + dy * dy).clamp(min=1e-6)
    b = ox * dx + oy * dy
    c = ox * ox + oy * oy - radius * radius
    t = (torch.sqrt((b * b - a * c).clamp(min=0)) - b) / a
    return t, azimuth(ox + t * dx, oy + t * dy) * radius, origin[2] + t * dz


def _upright(direction: Vec) -> Vec:
    """A normal toward the viewer, for scenery that stands."""
    return unit((-direction[0], -direction[1], 0.6 + 0 * direction[2]))


_UP: Vec = (0.0, 0.0, 1.0)


def _ridge(angle: Tensor, seed: Plane, low: float, high: float) -> Tensor:
    """The height of rolling hills round the horizon, in radians."""
    wave = (
        torch.sin(angle * 3 + 6.28 * seed)
        + 0.6 * torch.sin(angle * 7 + 17 * seed)
        + 0.3 * torch.sin(angle * 13 + 41 * seed)
    )
    return low + (high - low) * (0.5 + 0.26 * wave)


def _peaks(angle: Tensor, seed: Plane) -> tuple[Tensor, Tensor]:
    """The height of jagged mountains in 0..1, and where their side lies in the light."""
    height, slope = torch.zeros_like(angle), torch.zeros_like(angle)
    for frequency, share in ((2.6, 0.6), (6.1, 0.27), (14.7, 0.13)):
        s = angle * frequency + 7 * seed * frequency
        s = s - torch.floor(s)
        height = height + share * (1 - (2 * s - 1).abs())
        slope = slope + torch.where(s < 0.5, share, -share)
    return height, slope


def meadow(origin: Vec, direction: Vec, air: Air) -> Surface:
    """Grass, a few trees on it, hills and a sky with clouds."""
    ch = air.chance
    t = _floor(origin, direction)
    x, y, _ = along(origin, direction, t.clamp(max=5000))
    patches = noise(x * 1.1, y * 1.1, ch[2])
    tufts = noise(x * 5.5, y * 4.5, ch[3]) - 0.5
    blades = noise(x * 34, y * 15, ch[4]) - 0.5
    bright = 0.62 + 0.5 * patches
    bright = bright + 0.5 * tufts * _seen(t, direction, 0.2, air)
    bright = bright + 0.75 * blades * _seen(t, direction, 0.05, air)
    dry = ramp(noise(x * 0.5, y * 0.5, ch[5]), 0.35, 0.8)
    grass = scale(blend((0.12, 0.29, 0.022), (0.25, 0.34, 0.05), dry), bright.clamp(0.25, 1.6))

    angle = azimuth(direction[0], direction[1])
    up = direction[2]
    clouds = noise(angle * 9, up * 42, ch[6]) * 0.65 + noise(angle * 23, up * 95, ch[7]) * 0.35
    clouds = ramp(clouds, 0.42, 0.72) * ramp(up, 0.015, 0.06)
    white = blend(air.horizon, add(scale(air.sun, 0.6), scale(air.sky, 0.6)), 0.8)
    glow = blend(sky(direction, air), white, 0.85 * clouds)
    glow = add(glow, scale((0.7, 0.75, 0.9), _stars(angle, up, air) * (1 - clouds)))
    day = add(scale(air.sun, 0.55), scale(air.sky, 0.7))
    for share, low, high, color in (
        (ch[2], 0.035, 0.085, (0.10, 0.20, 0.16)),
        (ch[3], 0.004, 0.055, (0.12, 0.24, 0.06)),
    ):
        hill = tuple(c * d for c, d in zip(color, day, strict=True))
        hill = blend(hill, air.horizon, 0.42 if low > 0.02 else 0.15)
        ridge = _ridge(angle, share, low, high)
        glow = select((up < ridge) & (up > -0.01), hill, glow)

    # Trees stand in every other cell of a ring, each a ragged crown over a trunk.
    far, way, height = _cylinder(origin, direction, 9.5)
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
    normal = select(tree, _upright(direction), _UP)
    return Surface(t, color, select(solid, (zero, zero, zero), glow), normal, zero)


def _stars(angle: Tensor, up: Tensor, air: Air) -> Tensor:
    column, u = cell(angle, 0.035)
    row, v = cell(up, 0.035)
    here = scatter(column, row, air.chance[4]) > 0.86
    near = (u - 0.5) ** 2 + (v - 0.5) ** 2 < 0.05
    return torch.where(here & near & (up > 0), 0.8 * air.dark, 0.0)


def snowfield(origin: Vec, direction: Vec, air: Air) -> Surface:
    """Drifts of snow, firs and snowy mountains."""
    ch = air.chance
    t = _floor(origin, direction)
    x, y, _ = along(origin, direction, t.clamp(max=5000))
    # A slope from three samples of the drifts' height.
    step, grade = 0.15, 0.26
    u, v = x * 0.55, y * 0.9
    here = noise(u, v, ch[2])
    east, north = noise(u + step, v, ch[2]) - here, noise(u, v + step, ch[2]) - here
    fine = noise(x * 7, y * 5, ch[3]) - 0.5
    close = _seen(t, direction, 0.15, air)
    calm = _seen(t, direction, 1.2, air) * grade / step
    normal = unit((-east * calm, -north * calm, 1 + 0 * t))
    bright = 0.9 + 0.12 * (here - 0.5) + 0.10 * fine * close
    sparkle = (scatter(torch.floor(x * 40), torch.floor(y * 40), ch[4]) > 0.985) & (t < 4.5)
    bright = bright + torch.where(sparkle, 0.25 * (1 - t / 4.5), 0.0)
    snow = scale((0.80, 0.86, 0.95), bright)

    angle = azimuth(direction[0], direction[1])
    up = direction[2]
    glow = sky(direction, air)
    glow = add(glow, scale((0.7, 0.75, 0.9), _stars(angle, up, air)))
    shine = add(scale(air.sun, 0.5), scale(air.sky, 0.5))
    lit = torch.sign(air.sun_way[0])
    for seed, low, high, fade in ((ch[5], 0.035, 0.125, 0.30), (ch[6], 0.005, 0.085, 0.06)):
        height, slope = _peaks(angle + up * 0.6, seed)
        ridge = low + (high - low) * height
        mountain = _peaks(angle, seed)[0] * (high - low) + low
        white = ramp(up / ridge + 0.25 * (noise(angle * 40, up * 60, seed) - 0.5), 0.30, 0.52)
        face = 0.66 + 0.38 * (slope * lit).clamp(-1, 1)
        rock = blend((0.11, 0.14, 0.21), (0.84, 0.90, 1.0), white)
        rock = tuple(c * s * face for c, s in zip(rock, shine, strict=True))
        rock = blend(rock, air.horizon, fade)
        glow = select((up < mountain) & (up > -0.01), rock, glow)

    # Firs: triangles in three tiers.
    far, way, height = _cylinder(origin, direction, 14.0)
    number, place = cell(way + 20 * ch[7], 0.8)
    there = scatter(number, 3.0, ch[7]) < 0.34
    size = 0.75 + 0.7 * scatter(number, 5.0, ch[7])
    across = ((place - 0.5) * 0.8 + 0.2 * (scatter(number, 7.0, ch[7]) - 0.5)).abs()
    tier = height / size * 3
    tier = tier - torch.floor(tier)
    width = 0.27 * size * (1.08 - height / size) * (1.15 - 0.5 * tier)
    fir = there & (across < width) & (height > 0) & (height < size) & (far < t)
    frost = ramp(tier, 0.55, 0.2)
    leaf = blend((0.035, 0.085, 0.06), (0.55, 0.62, 0.70), 0.75 * frost)

    t = torch.where(fir, far, t)
    solid = t < SKY
    zero = torch.zeros_like(t)
    color = select(fir, leaf, select(solid, snow, (zero, zero, zero)))
    normal = select(fir, _upright(direction), normal)
    return Surface(t, color, select(solid, (zero, zero, zero), glow), normal, zero)


def wooden_table(origin: Vec, direction: Vec, air: Air) -> Surface:
    """A table of planks in a room with a window."""
    ch = air.chance
    t = _floor(origin, direction)
    x, y, _ = along(origin, direction, t.clamp(max=100))
    half, deep = 3.5 + 0.5 * ch[2], 2.7 + 0.6 * ch[3]
    table = (t < SKY) & (x.abs() < half) & (y.abs() < deep + 1.5 * (y < 0))
    plank, across = cell(y + 0.2 * ch[4], 0.52)
    shift = scatter(plank, 1.0, ch[5])
    board, _ = cell(x + 9 * shift, 3.1)
    tone = 0.72 + 0.5 * scatter(plank, board, ch[6])
    warp = noise(x * 0.9 + 9 * shift, y * 2.2, ch[5])
    grain = noise(x * 2.2 + 31 * shift, y * 26 + 5 * warp, ch[4]) - 0.5
    fibre = noise(x * 6, y * 85, ch[3]) - 0.5
    rings = torch.sin((across - 0.5 + 0.5 * warp) * 34 + 6 * shift)
    tone = tone * (1 + 0.55 * grain * _seen(t, direction, 0.06, air))
    tone = tone * (1 + 0.16 * rings * _seen(t, direction, 0.12, air))
    tone = tone * (1 + 0.30 * fibre * _seen(t, direction, 0.02, air))
    seam = _seen(t, direction, 0.16, air) * ramp((across - 0.5).abs(), 0.462, 0.485)
    tone = tone * (1 - 0.70 * seam)
    wood = blend((0.33, 0.19, 0.09), (0.43, 0.29, 0.16), ch[7])
    wood = scale(wood, tone)

    # The room: four walls and a floor well below the table.
    wide, long, low = 7.5, 6.2, -1.3
    dx, dy, dz = direction
    to_x = (torch.copysign(wide + 0 * dx, dx) - origin[0]) / torch.where(dx.abs() < 1e-6, 1e-6, dx)
    to_y = (torch.copysign(long + 0 * dy, dy) - origin[1]) / torch.where(dy.abs() < 1e-6, 1e-6, dy)
    to_z = (low - origin[2]) / torch.where(dz > -1e-6, -1e-6, dz)
    to_z = torch.where(dz < 0, to_z, SKY)
    wall = torch.minimum(to_x.abs(), to_y.abs())
    side = to_x.abs() < to_y.abs()
    floor = to_z < wall
    room = torch.minimum(wall, to_z)
    px, py, pz = along(origin, direction, room)
    u = torch.where(side, py, px)
    paint = blend((0.50, 0.44, 0.33), (0.36, 0.44, 0.42), ch[5])
    paint = blend(paint, (0.52, 0.49, 0.46), 0.7 * ch[6])
    paint = scale(paint, 0.92 + 0.16 * noise(u * 0.5, pz * 0.5, ch[2]))
    panel = pz < -0.15
    paint = select(panel, scale(paint, 0.55), paint)
    paint = select((pz > -0.15) & (pz < 0.02), (0.62, 0.58, 0.52), paint)
    boards = scale((0.10, 0.065, 0.045), 0.8 + 0.4 * noise(px * 4, py * 0.7, ch[3]))
    color = select(floor, boards, paint)

    # The window hangs on the far wall, to either side of the middle.
    middle = (1.2 + 1.6 * ch[4]) * torch.where(ch[6] < 0.5, -1.0, 1.0)
    a, b = (px - middle).abs(), (pz - 1.55).abs()
    inside = ~side & ~floor & (py > 0)
    frame = inside & (a < 1.12) & (b < 1.12)
    pane = inside & (a < 1.0) & (b < 1.0) & (a > 0.05) & (b > 0.05)
    view = blend(air.horizon, air.zenith, ramp(pz, 0.4, 2.4))
    color = select(frame, (0.66, 0.64, 0.60), color)
    # A picture on the other side.
    c, d = (px + 0.9 * middle).abs(), (pz - 1.25).abs()
    picture = inside & (c < 0.72) & (d < 0.52)
    color = select(picture, (0.05, 0.035, 0.025), color)
    mount = inside & (c < 0.64) & (d < 0.44)
    color = select(mount, (0.60, 0.57, 0.50), color)
    art = inside & (c < 0.44) & (d < 0.27)
    color = select(art, scale((0.22, 0.30, 0.36), 0.5 + noise(px * 3, pz * 4, ch[7])), color)

    normal = select(side, (-torch.sign(dx), 0 * dx, 0 * dx), (0 * dx, -torch.sign(dy), 0 * dx))
    normal = select(floor | table, _UP, normal)
    zero = torch.zeros_like(t)
    return Surface(
        torch.where(table, t, room),
        select(table, wood, select(pane, (zero, zero, zero), color)),
        select(pane & ~table, view, (zero, zero, zero)),
        normal,
        torch.where(table, 0.05, zero),
    )


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
    t = _floor(origin, direction)
    x, y, _ = along(origin, direction, t.clamp(max=500))
    rough = noise(x * 30, y * 30, ch[2]) - 0.5
    stains = noise(x * 0.8, y * 1.2, ch[3])
    puddle = ramp(noise(x * 0.55, y * 1.1, ch[4]), 0.42, 0.60)
    bright = (0.8 + 0.5 * stains) * (1 + 0.9 * rough * _seen(t, direction, 0.05, air))
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
    far, way, height = _cylinder(origin, direction, 9.0)
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
    normal = select(built, _upright(direction), _UP)
    # Ripples: a mirrored light becomes a streak toward the viewer.
    calm = 0.10 * _seen(t, direction, 0.05, air) * (1 - 0.7 * puddle)
    tilt = (noise(x * 21, y * 21, ch[6]) - 0.5) * calm
    tip = (noise(x * 21, y * 9, ch[7]) - 0.5) * (0.05 + calm)
    normal = select(built, normal, unit((tilt, tip, 1 + zero)))
    return Surface(t, color, glow, normal, torch.where(built, 0.0, wet))


SETTINGS = {
    "wooden table": Setting(draw=wooden_table, lights=INDOORS),
    "meadow": Setting(draw=meadow, lights=OUTDOORS),
    "snowfield": Setting(draw=snowfield, lights=OUTDOORS),
    "wet street": Setting(draw=wet_street, lights=STREET, mirror=True),
}
