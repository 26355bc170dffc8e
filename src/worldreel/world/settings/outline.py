"""Outlines of flat scenery: how far a point (u, v) of its plane is from simple figures."""

from __future__ import annotations

import torch
from torch import Tensor

from worldreel.world.vector import Plane


def bar(u: Tensor, v: Tensor, start: tuple[Plane, Plane], end: tuple[Plane, Plane]) -> Tensor:
    """The distance from the straight line between two points."""
    along_u, along_v = end[0] - start[0], end[1] - start[1]
    u, v = u - start[0], v - start[1]
    place = (u * along_u + v * along_v) / (along_u * along_u + along_v * along_v)
    place = place.clamp(0, 1)
    u, v = u - place * along_u, v - place * along_v
    return torch.sqrt(u * u + v * v)


def post(u: Tensor, v: Tensor, across: float, low: Plane, high: Plane) -> Tensor:
    """The distance from an upright line from low to high."""
    u, v = u - across, v - torch.minimum(torch.maximum(v, low + 0 * v), high + 0 * v)
    return torch.sqrt(u * u + v * v)
