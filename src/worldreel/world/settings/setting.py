"""A setting: what a ray sees where no thing is, as a function of rays and a table of lights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from worldreel.world.lights import Air, Light
from worldreel.world.vector import Vec

SKY = 1e8  # metres, or any t: the sky


class Surface(NamedTuple):
    """What a setting shows to rays that meet no thing, all (B, P)."""

    t: Tensor  # SKY where there is nothing
    color: Vec  # linear, of a lit surface
    glow: Vec  # linear, seen as it is
    normal: Vec  # unit
    wet: Tensor  # share of a mirror's


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A row of the table. mirror: whether its ground reflects things and what stands behind."""

    draw: Callable[[Vec, Vec, Air], Surface]
    lights: dict[str, Light]
    mirror: bool = False
