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
    a = (x + 173 * seed) * 0.1031
    b = (y + 311 * seed) * 0.1030
    c = (x + 57 * seed) * 0.0973
    a, b, c = a - torch.floor(a), b - torch.floor(b), c - torch.floor(c)
    d = a * (b + 33.33) + b * (c + 33.33) + c * (a + 33.33)
    a, b, c = a + d, b + d, c + d
    value = (a + b) * c
    return value - torch.floor(value)


def noise(x: Tensor, y: Tensor, seed: Plane) -> Tensor:
    """Value noise in [0, 1) with one cell per unit."""
    left, low = torch.floor(x), torch.floor(y)
    u, v = x - left, y - low
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    near = torch.lerp(scatter(left, low, seed), scatter(left + 1, low, seed), u)
    far = torch.lerp(scatter(left, low + 1, seed), scatter(left + 1, low + 1, seed), u)
    return torch.lerp(near, far, v)


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
