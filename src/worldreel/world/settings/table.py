"""A wooden table in a room with a window; chairs stand on its far side."""

from __future__ import annotations

import torch
from torch import Tensor

from worldreel.world.lights import Air
from worldreel.world.settings.ground import UP, seen, to_ground
from worldreel.world.settings.setting import SKY, Surface
from worldreel.world.texture import cell, noise, scatter
from worldreel.world.vector import Plane, Vec, along, blend, ramp, scale, select


def wooden_table(origin: Vec, direction: Vec, air: Air) -> Surface:
    """A table of planks in a room with a window."""
    ch = air.chance
    t = to_ground(origin, direction)
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
    tone = tone * (1 + 0.55 * grain * seen(t, direction, 0.06, air))
    tone = tone * (1 + 0.16 * rings * seen(t, direction, 0.12, air))
    tone = tone * (1 + 0.30 * fibre * seen(t, direction, 0.02, air))
    seam = seen(t, direction, 0.16, air) * ramp((across - 0.5).abs(), 0.462, 0.485)
    tone = tone * (1 - 0.70 * seam)
    wood = blend((0.33, 0.19, 0.09), (0.43, 0.29, 0.16), ch[7])
    edge = torch.minimum(deep - y, half - x.abs())
    wood = scale(wood, tone * (1 + 0.35 * ramp(edge, 0.16, 0.12) - 0.75 * ramp(edge, 0.05, 0.02)))

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

    far, chair, back = _chairs(origin, direction, deep, air)
    chair = chair & (far < room)
    room = torch.where(chair, far, room)
    color, pane = select(chair, back, color), pane & ~chair
    side, floor = side & ~chair, floor & ~chair

    normal = select(side, (-torch.sign(dx), 0 * dx, 0 * dx), (0 * dx, -torch.sign(dy), 0 * dx))
    normal = select(floor | table, UP, normal)
    zero = torch.zeros_like(t)
    return Surface(
        torch.where(table, t, room),
        select(table, wood, select(pane, (zero, zero, zero), color)),
        select(pane & ~table, view, (zero, zero, zero)),
        normal,
        torch.where(table, 0.05, zero),
    )


def _chairs(origin: Vec, direction: Vec, deep: Plane, air: Air) -> tuple[Tensor, Tensor, Vec]:
    """The backs of chairs behind the table's far edge: t, where they are, their colour."""
    ahead = direction[1]
    far = (deep + 0.45 - origin[1]) / torch.where(ahead > 1e-4, ahead, 1e-4)
    x, _, z = along(origin, direction, far.clamp(max=100))
    number, place = cell(x + 2.4 * air.chance[4], 2.4)
    u = ((place - 0.5) * 2.4).abs()
    top = 0.98 - 0.22 * u * u
    post = (u - 0.56).abs() < 0.075
    rail = (u < 0.56) & ((z > top - 0.24) | ((z - 0.14).abs() < 0.05))
    spindle = (u < 0.56) & ((u - 0.19).abs() < 0.035)
    here = (post | rail | spindle) & (z < top) & (x.abs() < 4.2) & (ahead > 1e-4)
    lit = (
        0.8
        + 0.5 * (z - top + 0.24).clamp(0, 0.24) / 0.24
        + 0.1 * scatter(number, 1.0, air.chance[5])
    )
    return far, here, scale((0.085, 0.055, 0.040), lit)
