"""What stands against the sky, by its angle round the horizon: hills, mountains, stars."""

from __future__ import annotations

import torch
from torch import Tensor

from worldreel.world.lights import Air
from worldreel.world.texture import cell, noise, scatter
from worldreel.world.vector import Plane, Vec, add, blend, ramp, scale


def hills(angle: Tensor, seed: Plane, low: float, high: float) -> Tensor:
    """The height of rolling hills round the horizon, in radians."""
    wave = (
        torch.sin(angle * 3 + 6.28 * seed)
        + 0.6 * torch.sin(angle * 7 + 17 * seed)
        + 0.3 * torch.sin(angle * 13 + 41 * seed)
    )
    return low + (high - low) * (0.5 + 0.26 * wave)


def peaks(angle: Tensor, seed: Plane) -> tuple[Tensor, Tensor]:
    """The height of jagged mountains in 0..1, and where their side lies in the light."""
    height, slope = torch.zeros_like(angle), torch.zeros_like(angle)
    for frequency, share in ((2.6, 0.6), (6.1, 0.27), (14.7, 0.13)):
        s = angle * frequency + 7 * seed * frequency
        s = s - torch.floor(s)
        height = height + share * (1 - (2 * s - 1).abs())
        slope = slope + torch.where(s < 0.5, share, -share)
    return height, slope


def clouds(angle: Tensor, up: Tensor, air: Air) -> tuple[Tensor, Vec]:
    """How much of the sky clouds hide, in 0..1, and their colour."""
    first, second = air.chance[6:8]
    cover = noise(angle * 9, up * 42, first) * 0.65 + noise(angle * 23, up * 95, second) * 0.35
    cover = ramp(cover, 0.42, 0.72) * ramp(up, 0.015, 0.06)
    return cover, blend(air.horizon, add(scale(air.sun, 0.6), scale(air.sky, 0.6)), 0.8)


def stars(angle: Tensor, up: Tensor, air: Air) -> Tensor:
    """How brightly a star shines, 0 by day."""
    column, u = cell(angle, 0.035)
    row, v = cell(up, 0.035)
    here = scatter(column, row, air.chance[4]) > 0.86
    near = (u - 0.5) ** 2 + (v - 0.5) ** 2 < 0.05
    return torch.where(here & near & (up > 0), 0.8 * air.dark, 0.0)
