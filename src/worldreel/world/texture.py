"""Procedural texture: hashes, value noise and angles that compile to plain arithmetic.

No sine is hashed and no library arctangent is called: a vector unit's sine differs from a
scalar one in the last bit, and a hash would blow that bit up to another picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

from worldreel.world.vector import Plane


def scatter(x: Plane, y: Plane, seed: Plane) -> Tensor:
    """A number in [0, 1) per cell: x and y are whole numbers, seed is in [0, 1)."""
    a, c = _column(x, seed)
    b = _row(y, seed)
    d = a * (b + 33.33) + b * (c + 33.33) + c * (a + 33.33)
    a, b, c = a + d, b + d, c + d
    value = (a + b) * c
    return value - torch.floor(value)


def _column(x: Plane, seed: Plane) -> tuple[Tensor, Tensor]:
    """What of a cell's number depends on x alone."""
    a, c = (x + 173 * seed) * 0.1031, (x + 57 * seed) * 0.0973
    return a - torch.floor(a), c - torch.floor(c)


def _row(y: Plane, seed: Plane) -> Tensor:
    """What of it depends on y alone."""
    b = (y + 311 * seed) * 0.1030
    return b - torch.floor(b)


def noise(x: Tensor, y: Tensor, seed: Plane) -> Tensor:
    """Value noise in [0, 1) with one cell per unit; x and y of one shape.

    Of each four corners two share a column and two a row. Half a setting's time is spent here, so
    planes are written over as soon as they have been read.
    """
    left, low = torch.floor(x), torch.floor(y)
    columns = _column(left, seed), _column(left + 1, seed)
    rows = _row(low, seed), _row(low + 1, seed)
    u, v = _eased(x - left), _eased(y - low)
    near, far = (_corner(columns[0], b).lerp_(_corner(columns[1], b), u) for b in rows)
    return near.lerp_(far, v)


def _corner(column: tuple[Tensor, Tensor], b: Tensor) -> Tensor:
    """`scatter` of a cell, by the same steps."""
    a, c = column
    d = (b + 33.33).mul_(a)
    d.add_((c + 33.33).mul_(b)).add_((a + 33.33).mul_(c))
    value = (a + d).add_(b + d).mul_(d.add_(c))
    return value.sub_(torch.floor(value))


def _eased(x: Tensor) -> Tensor:
    """x^2 (3 - 2 x), in its place."""
    slope = (2 * x).neg_().add_(3)
    return x.mul_(x).mul_(slope)


def cell(x: Plane, size: Plane) -> tuple[Tensor, Tensor]:
    """The number of a cell of this size, and the place in it from 0 to 1."""
    s = x / size
    number = torch.floor(s)
    return number, s - number


def azimuth(x: Tensor, y: Tensor) -> Tensor:
    """The angle to the right of +y, in radians from -pi to pi, within 1e-4."""
    ax, ay = x.abs(), y.abs()
    steep = ax > ay
    r = torch.minimum(ax, ay) / torch.maximum(ax, ay).clamp(min=1e-9)
    s = r * r
    angle = r * (
        0.99997726
        + s
        * (-0.33262347 + s * (0.19354346 + s * (-0.11643287 + s * (0.05265332 - s * 0.01172120))))
    )
    angle = torch.where(steep, 1.5707963 - angle, angle)
    angle = torch.where(y < 0, 3.1415927 - angle, angle)
    return torch.where(x < 0, -angle, angle)
