"""A room of a space station: panels, round windows with stars and a planet, strips of light."""

from __future__ import annotations

import torch
from torch import Tensor

from worldreel.world.lights import Air
from worldreel.world.settings.ground import seen
from worldreel.world.settings.setting import SKY, Surface
from worldreel.world.texture import azimuth, cell, noise, scatter
from worldreel.world.vector import Plane, Vec, add, along, blend, ramp, scale, select, unit

WIDE, LONG, HIGH = 4.3, 5.6, 3.1  # metres from the middle to the walls, and to the ceiling
_BEVEL = 1.05  # how far the slope between wall and ceiling cuts the corner
_SILL = 1.5  # the height of the windows' middle
BUTTONS = ((0.95, 0.16, 0.10), (1.0, 0.68, 0.10), (0.15, 0.90, 0.35), (0.15, 0.60, 1.0))


def space_station(origin: Vec, direction: Vec, air: Air) -> Surface:
    """A floor of metal plates between walls of panels, with windows to the stars."""
    t, part, normal = _room(origin, direction)
    x, y, z = along(origin, direction, t)
    floor, side, slope, ceiling = part
    u = torch.where(side, y, x)
    far = ~(floor | side | slope | ceiling) & (y > 0)

    plates, wet = _plates(t, x, y, direction, air)
    wall = _panels(u, z, air)
    wall = scale(wall, torch.where(ceiling, 1.6, torch.where(slope, 1.1, 1.0)))
    color = select(floor, plates, wall)

    strip = ((z - 2.32).abs() < 0.055) | ((z - 0.10).abs() < 0.04)
    strip = strip & ~floor & ~ceiling
    lamp = ceiling & ((x.abs() - 1.7).abs() < 0.16)
    white = blend((0.95, 0.97, 1.0), (0.25, 0.62, 1.0), air.dark)
    zero = torch.zeros_like(t)
    dark = (zero, zero, zero)
    glow = select(strip | lamp, scale(white, air.lamps), dark)
    near = torch.minimum((z - 2.32).abs(), (z - 0.10).abs())
    halo = torch.where(floor | ceiling, 0.0, (0.5 - near).clamp(min=0) ** 2)
    glow = add(glow, scale(white, 0.5 * halo * air.lamps * (0.3 + 0.7 * air.dark)))

    color, glow = _console(u, z, far, color, glow, air)
    color, glow = _windows(u, z, far, side & (z < 2.2), color, glow, direction, air)
    return Surface(t, color, glow, unit(normal), torch.where(floor, wet, zero))


def _room(origin: Vec, direction: Vec) -> tuple[Tensor, tuple[Tensor, ...], Vec]:
    """Where rays from within leave the room: t, the part (floor, side, slope, ceiling), normal."""
    dx, dy, dz = direction
    zero = 0 * dx
    right = torch.copysign(1 + zero, dx)
    safe = [torch.where(d.abs() < 1e-6, 1e-6, d) for d in direction]
    to_x = ((WIDE * right - origin[0]) / safe[0]).abs()
    to_y = ((torch.copysign(LONG + zero, dy) - origin[1]) / safe[1]).abs()
    to_z = (torch.where(dz < 0, -origin[2], HIGH - origin[2]) / safe[2]).abs()
    closing = right * dx + dz
    to_slope = (WIDE + HIGH - _BEVEL - right * origin[0] - origin[2]) / torch.where(
        closing > 1e-6, closing, 1e-6
    )
    to_slope = torch.where(closing > 1e-6, to_slope.abs(), SKY)
    wall = torch.minimum(to_x, to_y)
    t = torch.minimum(torch.minimum(wall, to_z), to_slope)
    slope = to_slope <= t
    flat = ~slope & (to_z <= t)
    side = ~slope & ~flat & (to_x <= t)
    floor, ceiling = flat & (dz < 0), flat & (dz >= 0)
    normal = select(side, (-right, zero, zero), (zero, -torch.sign(dy), zero))
    normal = select(slope, (-0.7 * right, zero, zero - 0.7), normal)
    normal = select(flat, (zero, zero, -torch.sign(dz)), normal)
    return t, (floor, side, slope, ceiling), normal


def _plates(t: Tensor, x: Tensor, y: Tensor, direction: Vec, air: Air) -> tuple[Vec, Tensor]:
    """The floor: plates with seams, bolts and a tread, and how well they mirror."""
    ch = air.chance
    column, u = cell(x + 0.5, 1.15)
    row, v = cell(y, 1.15)
    u, v = (u - 0.5).abs() * 1.15, (v - 0.5).abs() * 1.15
    edge = torch.maximum(u, v)
    tone = 0.85 + 0.3 * scatter(column, row, ch[2])
    tread = torch.sin((x + y) * 42) * torch.sin((x - y) * 42)
    rough = scatter(column, row + 30, ch[3]) < 0.4
    tone = tone + torch.where(rough, 0.22 * tread * seen(t, direction, 0.11, air), 0.0)
    tone = tone * (0.94 + 0.12 * noise(x * 3, y * 3, ch[4]))
    seam = seen(t, direction, 0.08, air) * 0.6 + 0.25
    tone = tone * torch.where(edge > 0.555, 1 - seam, 1.0)
    bolt = (u - 0.48) ** 2 + (v - 0.48) ** 2 < 0.0009
    tone = torch.where(bolt, 1.5, tone)
    return scale((0.10, 0.115, 0.14), tone), torch.where(edge > 0.555, 0.0, 0.35)


def _panels(u: Tensor, z: Tensor, air: Air) -> Vec:
    """Walls: pale panels with dark seams, some of them tinted, a few with vents."""
    ch = air.chance
    row, v = cell(z + 0.02, 0.78)
    column, s = cell(u + 0.5 * row, 1.5)
    s, v = (s - 0.5).abs() * 1.5, (v - 0.5).abs() * 0.78
    edge = torch.maximum(s - 0.75, v - 0.39)
    kind = scatter(column, row, ch[5])
    tone = 0.86 + 0.2 * scatter(column, row + 20, ch[5])
    paint = select(kind < 0.16, (0.30, 0.36, 0.42), (0.68, 0.71, 0.74))
    vent = (kind > 0.80) & (s < 0.42) & (v < 0.2)
    _, slat = cell(z, 0.09)
    tone = tone * torch.where(vent & (slat < 0.5), 0.35, 1.0)
    tone = tone * torch.where(edge > -0.022, 0.38, torch.where(edge > -0.05, 1.12, 1.0))
    return scale(paint, tone)


def _console(u: Tensor, z: Tensor, far: Tensor, color: Vec, glow: Vec, air: Air) -> tuple[Vec, Vec]:
    """A desk with rows of buttons and two screens, on the far wall away from the window."""
    ch = air.chance
    a, b = u + _middle(air) * 1.05, z - 0.86
    here = far & (a.abs() < 1.25) & (b.abs() < 0.52)
    color = select(here, (0.045, 0.05, 0.06), color)
    column, s = cell(a, 0.155)
    row, v = cell(b, 0.13)
    button = here & (b < -0.06) & ((s - 0.5).abs() < 0.32) & ((v - 0.5).abs() < 0.30)
    pick = scatter(column, row, ch[6])
    shine: Vec = BUTTONS[0]
    for i, other in enumerate(BUTTONS[1:], 1):
        shine = select(pick * len(BUTTONS) >= i, other, shine)
    pulse = 0.55 + 0.45 * torch.sin(air.seconds * (1 + 3 * scatter(column, row, ch[7])) + 9 * pick)
    on = torch.where(scatter(column, row + 40, ch[6]) < 0.6, pulse, 0.12)
    glow = select(button, scale(shine, on), glow)
    c, d = (a.abs() - 0.6).abs(), b - 0.22
    screen = here & (c < 0.48) & (d.abs() < 0.20)
    wave = 0.10 * torch.sin(a * 11 - 3 * air.seconds) * torch.sin(a * 3.1 + 1.3 * air.seconds)
    line = ramp((d - wave).abs(), 0.045, 0.012)
    glow = select(screen, blend((0.01, 0.08, 0.12), (0.30, 1.0, 0.75), line), glow)
    return select(button | screen, (0.0, 0.0, 0.0), color), glow


def _middle(air: Air) -> Plane:
    """Where along the far wall the large window's middle is, to either side."""
    side = torch.where(air.chance[6] < 0.5, -1.0, 1.0)
    return side * (1.35 + 0.5 * air.chance[7])


def _windows(
    u: Tensor, z: Tensor, far: Tensor, side: Tensor, color: Vec, glow: Vec, direction: Vec, air: Air
) -> tuple[Vec, Vec]:
    """One large round window in the far wall, small ones in a row along the sides."""
    _, place = cell(u, 2.3)
    a = torch.where(far, u - _middle(air), (place - 0.5) * 2.3)
    b = z - _SILL
    radius = torch.where(far, 1.12, 0.46)
    out = torch.sqrt(a * a + b * b)
    here = far | side
    rim = here & (out < radius * 1.16 + 0.04)
    bolts = torch.cos(azimuth(a, b) * 16) > 0.8
    bolts = bolts & ((out / radius - 1.09).abs() < 0.035) & far
    metal = scale((0.34, 0.36, 0.39), 0.75 + 0.5 * (b - a) / out.clamp(min=0.1))
    color = select(rim, select(bolts, (0.10, 0.11, 0.12), metal), color)
    glass = here & (out < radius)
    color = select(glass, (0.0, 0.0, 0.0), color)
    glow = select(rim, select(glass, _space(direction, air), (0.0, 0.0, 0.0)), glow)
    return color, glow


def _space(direction: Vec, air: Air) -> Vec:
    """Stars, and a planet: blue with land and clouds, or with a ring."""
    ch = air.chance
    angle, up = azimuth(direction[0], direction[1]), direction[2]
    column, u = cell(angle, 0.021)
    row, v = cell(up, 0.021)
    bright = scatter(column, row, ch[3])
    star = (bright > 0.80) & ((u - 0.5) ** 2 + (v - 0.5) ** 2 < 0.07)
    haze = noise(angle * 9 + up * 5, up * 11 - angle * 4, ch[4])
    space = scale((0.05, 0.02, 0.09), ramp(haze, 0.4, 0.9))
    space = add(space, scale((1.0, 1.0, 1.0), torch.where(star, 4 * (bright - 0.68), 0.0)))

    # The planet's own axes, in its radii: a to the right, b up.
    radius = 0.058 + 0.014 * ch[2]
    a = (angle - _middle(air) / (LONG + 4.0)) / radius + 0.3
    b = (up - 0.03) / radius
    out = a * a + b * b
    front = torch.sqrt((1 - out).clamp(min=0))
    light = torch.where(ch[5] < 0.5, -0.62, 0.62)
    lit = ramp(a * light + 0.45 * b + 0.64 * front, -0.05, 0.75)
    ringed = ch[3] < 0.5
    land = noise(a * 2.3 + 1.4 * a * front + 5, b * 2.6, ch[5])
    cloud = noise(a * 2.2 + 0.05 * air.seconds, b * 6, ch[6])
    earth = select(land > 0.52, (0.14, 0.34, 0.09), (0.03, 0.14, 0.50))
    earth = blend(earth, (0.85, 0.88, 0.92), ramp(cloud, 0.55, 0.80))
    bands = noise(b * 5.5 + 0.4 * a, 0 * a, ch[5])
    giant = blend((0.72, 0.46, 0.22), (0.80, 0.68, 0.46), bands)
    body = scale(select(ringed, giant, earth), 0.03 + 0.97 * lit)
    space = select(out < 1, body, space)
    flat = (b - 0.25 * a) / 0.24
    reach = torch.sqrt(a * a + flat * flat)
    ring = ringed & (reach > 1.35) & (reach < 2.15) & ((out > 1) | (flat < 0))
    gap = torch.where((reach - 1.82).abs() < 0.07, 0.15, 0.75 + 0.25 * torch.cos(reach * 19))
    return select(ring, scale((0.70, 0.60, 0.44), gap), space)
