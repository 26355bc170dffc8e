"""Framing: what part of the picture something fills."""

from __future__ import annotations

import itertools
import math

import numpy as np

from worldreel.world.camera import WIDE

_CORNERS = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
_NEAREST = 0.4  # metres: what comes nearer to the eye is in no picture


def frame(
    points: np.ndarray, half: np.ndarray, eye: np.ndarray, look: np.ndarray, fov: float
) -> np.ndarray:
    """The rectangles (F, 4), left, bottom, right, top in -1..1 of a 16:9 picture, that boxes fill.

    points: their centres (F, 3); half: their half sizes (3,) or (F, 3) along the world's axes in
    metres. A box that reaches the eye fills more than any picture (infinities).
    """
    corners = points[:, None] + np.reshape(half, (-1, 1, 3)) * _CORNERS
    local = np.einsum("fij,fkj->fki", look, corners - eye[:, None])
    depth = local[..., 2]
    high = math.tan(math.radians(fov) / 2)
    place = local[..., :2] / np.maximum(depth, 1e-6)[..., None] / (high * WIDE, high)
    filled = np.concatenate([place.min(1), place.max(1)], axis=1)
    everything = np.array([-np.inf, -np.inf, np.inf, np.inf])
    return np.where(depth.min(1)[:, None] < _NEAREST, everything, filled)


def inside(filled: np.ndarray, margin: float = 0.0) -> np.ndarray:
    """Whether rectangles (F, 4) are wholly in the picture, and this share of half of it from its
    edges: (F,) bool."""
    return np.abs(filled).max(1) <= 1.0 - margin


def pixels(filled: np.ndarray) -> np.ndarray:
    """How large rectangles (F, 4) are in a picture of 144x81, as the side of a square: (F,)."""
    wide, high = filled[:, 2] - filled[:, 0], filled[:, 3] - filled[:, 1]
    return np.sqrt(wide * high * (144 / 2) * (81 / 2))


def hidden(one: np.ndarray, other: np.ndarray) -> float:
    """The share of the smaller of two rectangles (4,) that lies in the larger, 0 to 1."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    common = float(np.prod(np.maximum(high - low, 0.0)))
    least = min(float(np.prod(r[2:] - r[:2])) for r in (one, other))
    return common / max(least, 1e-9)
