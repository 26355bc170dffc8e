"""Where a camera is in every frame, and what it sees: pure geometry, no pixels.

Camera axes are right, up, forward, the rows of `look`. Everything here is per frame: F frames.
"""

from __future__ import annotations

import math

import numpy as np

from worldreel.errors import SceneError
from worldreel.world.scene import Camera

WIDE = 16 / 9  # the aspect that `Camera.fov` is given for
TO_LEFT = {"left": -1.0, "right": 1.0}


def field_of_view(fov: float, size: tuple[int, int]) -> float:
    """The vertical field of view in degrees at `size` (width, height) that shows the same width
    as `fov` does at 16:9: a portrait sees more sky and ground, never less of the motion."""
    width, height = size
    half_width = math.tan(math.radians(fov) / 2) * WIDE
    return math.degrees(2 * math.atan(half_width * height / width))


def poses(
    camera: Camera, frames: int, *, follow: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The camera's eye (F, 3) and look (F, 3, 3): its move at an even pace over the clip.

    follow: the subject's centre (F, 3), which a camera that follows keeps where it was in view.
    """
    start = np.array(camera.eye)
    target = np.array(camera.look_at)
    if camera.move == "follow":
        if follow is None:
            raise SceneError("a camera that follows needs a subject's path")
        along = (follow - follow[0]) * (1.0, 1.0, 0.0)
        eye, at = start + along, target + along
    else:
        travelled = camera.amount * np.linspace(0.0, 1.0, frames)  # all at the start if one frame
        eye, at = _MOVES[camera.move.split("_")[0]](start, target, travelled, camera.move)
    forward = at - eye
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return eye, np.stack([right, np.cross(right, forward), forward], axis=1)


def _static(eye, at, travelled, move):
    rest = np.zeros((len(travelled), 1))
    return eye + rest, at + rest


def _pan(eye, at, travelled, move):
    angle = -TO_LEFT[move.split("_")[1]] * travelled  # to the left is counter-clockwise from above
    return eye + np.zeros((len(angle), 1)), eye + _turned(at - eye, angle)


def _dolly(eye, at, travelled, move):
    ahead = (at - eye) * (1.0, 1.0, 0.0)  # on rails: its height stays
    ahead /= np.linalg.norm(ahead)
    step = np.outer(travelled if move == "dolly_in" else -travelled, ahead)
    return eye + step, at + step


def _orbit(eye, at, travelled, move):
    angle = TO_LEFT[move.split("_")[1]] * travelled  # in front of its target, left is clockwise
    return at + _turned(eye - at, angle), at + np.zeros((len(angle), 1))


def _tilt(eye, at, travelled, move):
    away = at - eye
    level, rise = np.hypot(away[0], away[1]), away[2]
    angle = np.arctan2(rise, level) + (travelled if move == "tilt_up" else -travelled)
    reach = np.hypot(level, rise)
    ahead = away[:2] / level
    flat = np.cos(angle)[:, None] * ahead
    return eye + np.zeros((len(angle), 1)), eye + reach * np.column_stack([flat, np.sin(angle)])


def _crane(eye, at, travelled, move):
    return eye + np.outer(travelled, (0.0, 0.0, 1.0)), at + np.zeros((len(travelled), 1))


_MOVES = {
    "static": _static,
    "pan": _pan,
    "tilt": _tilt,
    "dolly": _dolly,
    "orbit": _orbit,
    "crane": _crane,
}


def _turned(vector: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """`vector` turned about the vertical by each angle in radians: (F, 3)."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y, z = vector
    return np.stack([cos * x - sin * y, sin * x + cos * y, np.full_like(cos, z)], axis=1)


def seen(
    points: np.ndarray, eye: np.ndarray, look: np.ndarray, fov: float, aspect: float = WIDE
) -> tuple[np.ndarray, np.ndarray]:
    """Where points (F, 3) are in their frames, (F, 2) in -1..1 right and up, and how deep (F,).

    fov is vertical in degrees, for `aspect` (width / height).
    """
    local = np.einsum("fij,fj->fi", look, points - eye)
    depth = np.maximum(local[:, 2], 1e-6)
    half_height = math.tan(math.radians(fov) / 2)
    half = np.array([half_height * aspect, half_height])
    return local[:, :2] / depth[:, None] / half, local[:, 2]


def in_view(
    points: np.ndarray, radius: float, eye: np.ndarray, look: np.ndarray, fov: float
) -> np.ndarray:
    """Whether a ball of `radius` at each point (F, 3) is wholly in the 16:9 frame: (F,) bool."""
    place, depth = seen(points, eye, look, fov)
    half_height = math.tan(math.radians(fov) / 2)
    size = radius / np.maximum(depth, 1e-6) / half_height
    wide = np.abs(place[:, 0]) + size / WIDE
    return (depth > 4 * radius) & (wide <= 1.0) & (np.abs(place[:, 1]) + size <= 1.0)
