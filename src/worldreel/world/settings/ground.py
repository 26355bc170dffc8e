"""The ground z = 0, and how much of its detail a pixel resolves."""

from __future__ import annotations

import torch
from torch import Tensor

from worldreel.world.lights import Air
from worldreel.world.settings.setting import SKY
from worldreel.world.vector import Vec

UP: Vec = (0.0, 0.0, 1.0)


def to_ground(origin: Vec, direction: Vec) -> Tensor:
    """t where rays from above meet the ground, SKY for all others."""
    down = direction[2]
    t = -origin[2] / torch.where(down < -1e-5, down, -1e-5)
    return torch.where((down < -1e-5) & (origin[2] > 0) & (t < 4000), t, SKY)


def seen(t: Tensor, direction: Vec, size: float, air: Air) -> Tensor:
    """How much of a ground detail of this size in metres a pixel at t still resolves."""
    spread = t * air.pixel / direction[2].abs().clamp(min=0.02)
    return (1.6 - 2.2 * spread / size).clamp(0, 1)
