"""Scenery that stands on a ring round the scene: trees, houses, corals."""

from __future__ import annotations

import torch
from torch import Tensor

from worldreel.world.texture import azimuth
from worldreel.world.vector import Vec, unit


def ring(origin: Vec, direction: Vec, radius: float) -> tuple[Tensor, Tensor, Tensor]:
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


def upright(direction: Vec) -> Vec:
    """A normal toward the viewer, for scenery that stands."""
    return unit((-direction[0], -direction[1], 0.6 + 0 * direction[2]))
