"""Vectors as three planes: the arithmetic of the ray-caster.

A `Vec` is (x, y, z), or (red, green, blue), each a tensor of (B, P), a per-frame (B, 1) or a plain
number. Planes and not a trailing axis of three, because a compiler fuses and vectorises whole
expressions of planes; nothing here looks at a shape.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor

Plane: TypeAlias = Any  # Tensor | float, which broadcast alike
Vec: TypeAlias = tuple[Plane, ...]  # three of them


def add(a: Vec, b: Vec) -> Vec:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def sub(a: Vec, b: Vec) -> Vec:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def times(a: Vec, b: Vec) -> Vec:
    """Per component, as light and paint multiply."""
    return a[0] * b[0], a[1] * b[1], a[2] * b[2]


def scale(a: Vec, s: Plane) -> Vec:
    return a[0] * s, a[1] * s, a[2] * s


def along(origin: Vec, direction: Vec, t: Plane) -> Vec:
    """The point at t on a ray."""
    return add(origin, scale(direction, t))


def dot(a: Vec, b: Vec) -> Plane:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(a: Vec) -> Vec:
    return scale(a, torch.rsqrt(dot(a, a) + 1e-20))


def reflect(direction: Vec, normal: Vec) -> Vec:
    """A direction after a mirror with this unit normal."""
    return along(direction, normal, -2 * dot(direction, normal))


def blend(a: Vec, b: Vec, share: Plane) -> Vec:
    """a where share is 0, b where it is 1."""
    return along(a, sub(b, a), share)


def select(mask: Tensor, a: Vec, b: Vec) -> Vec:
    return (
        torch.where(mask, a[0], b[0]),
        torch.where(mask, a[1], b[1]),
        torch.where(mask, a[2], b[2]),
    )


def ramp(x: Tensor, low: Plane, high: Plane) -> Tensor:
    """0 up to low, 1 from high on, smooth between (smoothstep); high may lie below low."""
    s = ((x - low) / (high - low)).clamp(0, 1)
    return s * s * (3 - 2 * s)
