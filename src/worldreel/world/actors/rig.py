"""Rigs: an actor is primitives on joints, and a cycle that swings them.

An actor's own axes are x forward, y to its left, z up; its origin lies on the ground below its
middle. All lengths are metres of an actor of medium size. A positive turn about y (radians) takes
what hangs down backward and what points forward down; one about z turns to the left.

F frames, P bones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

Three = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Bone:
    """One primitive and the joint that it hangs on.

    extent: half sizes along its own axes. color: "coat" for the actor's own colour, or sRGB;
    shade: what it is multiplied by. parent: the bone whose axes the joint is given in, None for
    the actor's; joint: where it turns; offset: from the joint to the primitive's centre, in the
    bone's axes; tilt: its turn at rest about x, then y, then z.
    """

    name: str
    extent: Three
    shape: str = "ellipsoid"  # one of scene.SHAPES
    color: str | Three = "coat"
    shade: float = 1.0
    gloss: float = 0.0
    parent: str | None = None
    joint: Three = (0.0, 0.0, 0.0)
    offset: Three = (0.0, 0.0, 0.0)
    tilt: Three = (0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Gait:
    """What an actor is doing, frame by frame; each (F,) float64.

    phase: radians of its cycle so far; pace: 0 it stands, 1 its slow way of going, 2 its fast
    one; air: 1 in the middle of a jump, 0 on the ground; wave: 1 while it waves; seconds: since
    the clip's start, for what moves by itself (a flag, a swell); bend: radians per second that it
    turns to its left.
    """

    phase: np.ndarray
    pace: np.ndarray
    air: np.ndarray
    wave: np.ndarray
    seconds: np.ndarray
    bend: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Pose:
    """How a gait turns the bones, beside their tilt: name -> (F, 3) radians about x, y, z.

    lift: (F, 3) metres that the whole actor is moved by, in its own axes; lean: (F, 3) radians
    that it is turned by about its origin.
    """

    turns: Mapping[str, np.ndarray] = field(default_factory=dict)
    lift: np.ndarray | None = None
    lean: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Rig:
    """An actor. goes: its slow and its fast way of going, of scene.ACTIONS (the same word twice
    for one that has a single way); stands: what it does when it does not move from its place.

    speed: metres per second of both ways; stride: metres per cycle of both. size: half sizes of
    the box that it fills (forward, left, up). events: what it can do in the midst of it. float_:
    metres that its origin is above the ground (a fish, a dragon) or the water (a ship: 0).
    radius: metres of the bend that it turns round on while it goes on; 0 turns on the spot.
    """

    bones: tuple[Bone, ...]
    pose: Callable[[Gait], Pose]
    goes: tuple[str, str]
    speed: tuple[float, float]
    stride: tuple[float, float]
    size: Three
    stands: str = "stands"
    events: tuple[str, ...] = ("stops", "turns")
    float_: float = 0.0
    radius: float = 0.0

    def index(self, name: str) -> int:
        """The place of a bone."""
        return next(i for i, bone in enumerate(self.bones) if bone.name == name)


def turned(angles: np.ndarray) -> np.ndarray:
    """(..., 3) radians about x, then y, then z to (..., 3, 3)."""
    (cx, cy, cz), (sx, sy, sz) = (np.moveaxis(f(angles), -1, 0) for f in (np.cos, np.sin))
    rows = [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def posed(rig: Rig, gait: Gait, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Where every bone is in the actor's axes: centres (F, P, 3) and turns (F, P, 3, 3)."""
    frames = len(gait.phase)
    pose = rig.pose(gait)
    unknown = sorted(set(pose.turns) - {bone.name for bone in rig.bones})
    assert not unknown, f"no bone is called {unknown}"
    still = np.zeros((frames, 3))
    lift = still if pose.lift is None else pose.lift
    lean = turned(still if pose.lean is None else pose.lean)
    joints: dict[str | None, tuple[np.ndarray, np.ndarray]] = {None: (lift, lean)}
    centres, turns = [], []
    for bone in rig.bones:
        origin, axes = joints[bone.parent]
        at = origin + axes @ np.array(bone.joint)
        own = turned(np.array(bone.tilt)) @ turned(pose.turns.get(bone.name, still))
        own = axes @ own
        joints[bone.name] = at, own
        centres.append(at + own @ np.array(bone.offset))
        turns.append(own)
    return scale * np.stack(centres, 1), np.stack(turns, 1)


def both(make: Callable[[str, float], Bone | tuple[Bone, ...]]) -> tuple[Bone, ...]:
    """The bones of both sides: `make(side, sign)` for "left", +1 and "right", -1."""
    made = (make(side, sign) for side, sign in (("left", 1.0), ("right", -1.0)))
    return tuple(b for bones in made for b in (bones if isinstance(bones, tuple) else (bones,)))


def swing(angle: np.ndarray, axis: int = 1) -> np.ndarray:
    """(F,) radians about one axis as (F, 3)."""
    out = np.zeros((len(angle), 3))
    out[:, axis] = angle
    return out
