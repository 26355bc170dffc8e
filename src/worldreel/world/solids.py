"""Solids: what a ray hits, and what shades a point.

Every solid is convex and lives in a box of half sizes 1 in its own scaled axes: the part between
z = -1 and z = 1 of either a quadric, x^2 + y^2 + a z^2 + b z + c <= 0, or of the square column
|x|, |y| <= 1. So a row of three numbers is a new solid, and a ray's way through it is one
interval, for all solids in the same arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from worldreel.errors import SceneError
from worldreel.world.scene import SHAPES, Take
from worldreel.world.vector import Plane, Vec, add, along, dot, ramp, scale, select, sub

FAR = 1e9  # metres, or any t: no hit
_GRAZE = 1e-3  # metres: a shadow ray starts this far off its surface
COVER = 4.0  # radii of a body within which it darkens what is near


@dataclass(frozen=True, kw_only=True)
class Solid:
    """A row of the table. marks: "panels", "rims", "edges", in a lighter shade, or ""."""

    quadric: tuple[float, float, float] = (0.0, 0.0, -1.0)
    square: bool = False
    marks: str = "panels"


SOLIDS = {
    "sphere": Solid(quadric=(1.0, 0.0, -1.0)),
    "box": Solid(square=True, marks="edges"),
    "cylinder": Solid(quadric=(0.0, 0.0, -1.0), marks="rims"),
    "cone": Solid(quadric=(-0.25, 0.5, -0.25), marks="rims"),
    "ellipsoid": Solid(quadric=(1.0, 0.0, -1.0), marks=""),
    "block": Solid(square=True, marks=""),
    "tube": Solid(quadric=(0.0, 0.0, -1.0), marks=""),
    "spike": Solid(quadric=(-0.25, 0.5, -0.25), marks=""),
    "frustum": Solid(quadric=(-0.0625, 0.375, -0.5625), marks=""),
    "dome": Solid(quadric=(0.25, 0.5, -0.75), marks=""),
}


class Body(NamedTuple):
    """One solid for each of Q rows of rays, each field (Q, 1) or a Vec of (Q, 1)."""

    centre: Vec  # world, metres
    rows: tuple[Vec, Vec, Vec]  # world offset -> own scaled axes
    radius: Plane  # of a ball that is about as large, metres
    quadric: Vec
    square: Plane  # 1 for a square column
    panels: Plane
    rims: Plane
    color: Vec  # linear
    light_color: Vec  # linear, of the marks
    gloss: Plane
    around: Plane  # the radius of a ball that holds the body, metres; below 0 for no body


class Paint(NamedTuple):
    """What a ray meets on a body, (Q, P) each."""

    normal: Vec  # not yet unit
    color: Vec
    gloss: Tensor


# Numbers per body, as `pack` writes and `unpack` reads them, and where some of them are.
WIDTH = 27
CENTRE, RADIUS, AROUND = (0, 1, 2), 12, 26


def pack(take: Take) -> np.ndarray:
    """A take's solids as numbers, (N, F, WIDTH) float32, read back by `unpack`."""
    frames, count = take.position.shape[:2]
    if len(take.shape) and not (0 <= take.shape.min() and take.shape.max() < len(SHAPES)):
        raise SceneError(f"unknown shape {take.shape.tolist()}: 0 to {len(SHAPES) - 1}, {SHAPES}")
    rows = [SOLIDS[SHAPES[i]] for i in take.shape]
    extent = np.maximum(take.extent.astype(np.float64), 1e-6)
    axes = np.swapaxes(take.rotation.astype(np.float64), -1, -2) / extent[None, :, :, None]
    plain = np.array([[not r.marks] for r in rows])
    light = np.where(plain, take.color, take.color + (1 - take.color) * 0.28)
    square = np.array([r.square for r in rows])
    across = np.where(square, np.hypot(*extent.T[:2]), extent.T[:2].max(0))
    ball = np.array([r.quadric == SOLIDS["sphere"].quadric for r in rows])
    around = np.where(ball, extent.max(-1), np.hypot(across, extent[:, 2]))
    still = np.concatenate(
        [
            np.cbrt(extent.prod(-1, keepdims=True)),
            np.array([r.quadric for r in rows]).reshape(count, 3),
            np.array([[r.square, r.marks == "panels", r.marks == "rims"] for r in rows]).reshape(
                count, 3
            ),
            take.color**2,
            light**2,
            take.gloss[:, None],
            around[:, None],
        ],
        axis=1,
    )
    moving = np.concatenate([take.position, axes.reshape(frames, count, 9)], axis=-1)
    still = np.broadcast_to(still[None], (frames, *still.shape))
    return np.concatenate([moving, still], axis=-1).swapaxes(0, 1).astype(np.float32)


def null_body(frames: int) -> np.ndarray:
    """A body that no ray meets, (1, F, WIDTH): batches of unequal takes are filled up with it."""
    numbers = np.zeros((1, frames, WIDTH), np.float32)
    numbers[..., 0:3] = -1e4
    numbers[..., [3, 7, 11]] = 1e3
    numbers[..., 12] = 1e-6
    numbers[..., 15] = -1.0
    numbers[..., 26] = -1.0
    return numbers


def unpack(numbers: Tensor) -> Body:
    """(Q, WIDTH) -> Body."""
    n = numbers.T.contiguous()[..., None].unbind(0)
    return Body(
        centre=n[0:3],
        rows=(n[3:6], n[6:9], n[9:12]),
        radius=n[12],
        quadric=n[13:16],
        square=n[16],
        panels=n[17],
        rims=n[18],
        color=n[19:22],
        light_color=n[22:25],
        gloss=n[25],
        around=n[26],
    )


class _Passage(NamedTuple):
    """A ray's way through a body, which it is inside of for enter < t < leave.

    In the body's own scaled axes, and with t from the point of the ray nearest to its centre.
    """

    ahead: Tensor  # what t is short by
    enter: Tensor
    leave: Tensor
    start: Vec
    way: Vec
    sides: tuple[Tensor, Tensor]  # t where it comes in between x = -1 and 1, and between y
    side: Tensor  # t where it comes in through the side
    cap: Tensor  # t where it comes in between z = -1 and 1


def _nonzero(x: Tensor, least: float = 1e-7) -> Tensor:
    return torch.where(x.abs() < least, least, x)


def _slab(start: Tensor, way: Tensor) -> tuple[Tensor, Tensor]:
    inverse = 1 / _nonzero(way)
    a, b = (-1 - start) * inverse, (1 - start) * inverse
    return torch.minimum(a, b), torch.maximum(a, b)


def _pass(origin: Vec, direction: Vec, body: Body) -> _Passage:
    # From the point nearest to the centre on, or a distant eye would cost the digits of c.
    offset = sub(origin, body.centre)
    ahead = -dot(offset, direction)
    offset = along(offset, direction, ahead)
    start = tuple(dot(row, offset) for row in body.rows)
    way = tuple(dot(row, direction) for row in body.rows)
    a, b, c = body.quadric

    qa = _nonzero(way[0] * way[0] + way[1] * way[1] + a * way[2] * way[2])
    qb = start[0] * way[0] + start[1] * way[1] + (a * start[2] + 0.5 * b) * way[2]
    qc = start[0] * start[0] + start[1] * start[1] + (a * start[2] + b) * start[2] + c
    root = qb * qb - qa * qc
    met = (root >= 0) | (qa < 0)
    q = -qb - torch.copysign(torch.sqrt(root.clamp(min=0)), qb)
    one, two = q / qa, qc / _nonzero(q, 1e-20)
    low, high = torch.minimum(one, two), torch.maximum(one, two)
    # A steep ray is inside both halves of a double cone: keep the half below the tip.
    steep, up = qa < 0, way[2] > 0
    enter = torch.where(steep, torch.where(up, -FAR, high), low)
    leave = torch.where(steep, torch.where(up, low, FAR), high)
    enter = torch.where(met, enter, FAR)

    x0, x1 = _slab(start[0], way[0])
    y0, y1 = _slab(start[1], way[1])
    z0, z1 = _slab(start[2], way[2])
    square = body.square > 0.5
    side = torch.where(square, torch.maximum(x0, y0), enter)
    leave = torch.minimum(torch.where(square, torch.minimum(x1, y1), leave), z1)
    return _Passage(
        ahead=ahead,
        enter=torch.maximum(side, z0),
        leave=leave,
        start=start,
        way=way,
        sides=(x0, y0),
        side=side,
        cap=z0,
    )


def meet(origin: Vec, direction: Vec, numbers: Tensor) -> Tensor:
    """t where each ray (unit directions, (Q, P)) enters its body (Q, WIDTH), FAR where it does
    not."""
    ray = _pass(origin, direction, unpack(numbers))
    t = ray.enter + ray.ahead
    return torch.where((ray.enter < ray.leave) & (t > _GRAZE), t, FAR)


def paint(origin: Vec, direction: Vec, numbers: Tensor) -> Paint:
    """What rays that do meet their bodies see there."""
    body = unpack(numbers)
    ray = _pass(origin, direction, body)
    point = along(ray.start, ray.way, ray.enter.clamp(-FAR, FAR))
    capped = ray.cap > ray.side
    x, y, z = point
    a, b, _ = body.quadric

    square = body.square > 0.5
    facing = tuple(-torch.sign(w) for w in ray.way)
    zero = torch.zeros_like(x)
    first = ray.sides[0] > ray.sides[1]
    column = select(first, (facing[0], zero, zero), (zero, facing[1], zero))
    slope = select(square, column, (x, y, a * z + 0.5 * b))
    slope = select(capped, (zero, zero, facing[2]), slope)
    rows = body.rows
    normal = add(add(scale(rows[0], slope[0]), scale(rows[1], slope[1])), scale(rows[2], slope[2]))
    color = select(_marks(body, point, capped), body.light_color, body.color)
    return Paint(normal=normal, color=color, gloss=body.gloss + zero)


def _marks(body: Body, point: Vec, cap: Tensor) -> Tensor:
    """Where a body's own pattern is, so that a turn of it shows."""
    x, y, z = point
    ax, ay, az = x.abs(), y.abs(), z.abs()
    panels = x * y > 0
    rims = torch.where(cap, (x * y > 0), (z < -0.72) | ((ay < 0.3 * ax) & (x > 0)))
    largest = torch.maximum(torch.maximum(ax, ay), az)
    middle = ax + ay + az - largest - torch.minimum(torch.minimum(ax, ay), az)
    edges = middle > 0.86
    return torch.where(body.panels > 0.5, panels, torch.where(body.rims > 0.5, rims, edges))


def shadow(point: Vec, normal: Vec, sun: Vec, soft: Plane, numbers: Tensor) -> Tensor:
    """The share of the sun that a body (Q, WIDTH) hides from points (Q, P): 0 to 1.

    soft: the sun's apparent radius in radians. The half shadow comes from the chord that a ray
    cuts: near a rim a chord grows as the root of the depth, so its length tells the depth. So
    it ends where the body's own outline ends.
    """
    body = unpack(numbers)
    ray = _pass(along(point, normal, _GRAZE), sun, body)
    enter = (ray.enter + ray.ahead).clamp(min=0)
    leave = ray.leave + ray.ahead
    rim = 2 * torch.sqrt(2 * body.radius * soft * enter.clamp(0.02, 5))
    hidden = (ray.enter < ray.leave) & (leave > 2 * _GRAZE)
    return torch.where(hidden, ramp(leave - enter, 0.0, rim), 0.0)


def cover(point: Vec, normal: Vec, numbers: Tensor) -> Tensor:
    """The share of the sky that a body (Q, WIDTH) hides from points (Q, P).

    It fades to nothing at COVER of the body's radii from its centre.
    """
    body = unpack(numbers)
    to = sub(body.centre, point)
    far = dot(to, to)
    square = body.radius * body.radius
    closeness = square / (far + 0.1 * square)
    closeness = closeness * ramp(far, COVER * COVER * square, 4 * square)
    return 0.85 * ((dot(normal, to) * torch.rsqrt(far)).clamp(0, 1) * closeness).clamp(0, 1)
