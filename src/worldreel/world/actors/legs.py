"""Legs: feet that stay where they are set down, and joints that follow them.

A foot on the ground moves back, in the actor's axes, exactly as fast as the actor goes forward;
in between it is lifted and swings to the front. Hip and knee turn so that the ankle is there.
F frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from worldreel.world.actors.rig import Bone, Gait, Three, swing, turned

_SETTLED = 0.5  # the pace below which steps grow short, until it stands
_TREADS = 2.2  # steps of each leg per second while it turns on the spot
_TREAD = 0.05  # metres that a foot is raised for one
_BRISK = 3.0  # radians per second: what turns faster than that treads in full


@dataclass(frozen=True, kw_only=True)
class Leg:
    """Two bones from a hip to an ankle, "NAME thigh" and "NAME shin", and below "NAME foot".

    hip: in the actor's axes; lengths: of thigh and shin; sole: from the ankle down to the ground;
    beat: the parts of a cycle by which it comes after a leg of beat 0, in the slow way of going
    and in the fast one; knee: 1 where it bends forward, -1 backward; footed: whether it has a
    foot, or ends in its shin as a pillar does; leap: how far forward and up it is drawn in a jump.
    Metres.
    """

    name: str
    hip: Three
    lengths: tuple[float, float]
    sole: float
    beat: tuple[float, float]
    knee: float = 1.0
    footed: bool = True
    leap: tuple[float, float] = (-0.06, 0.12)

    def bones(self, *drawn: Bone) -> tuple[Bone, ...]:
        """Its thigh, shin and foot: what is drawn, with the names and joints of this leg."""
        upper, lower = self.lengths
        names = [f"{self.name} {part}" for part in ("thigh", "shin", "foot")][: len(drawn)]
        parents = (None, names[0], names[1])
        joints = (self.hip, (0.0, 0.0, -upper), (0.0, 0.0, -lower))
        return tuple(
            replace(bone, name=name, parent=parent, joint=joint)
            for bone, name, parent, joint in zip(drawn, names, parents, joints, strict=False)
        )


@dataclass(frozen=True, kw_only=True)
class Step:
    """How feet go, a pair of numbers for the slow and the fast way of going.

    stride: metres per cycle, the rig's own; ground: the part of a cycle that a foot is down; lift:
    metres that it is raised in between; heel: radians that it points down as it leaves the ground,
    on its toes, which are so far from the ankle: toe.
    """

    stride: tuple[float, float]
    ground: tuple[float, float]
    lift: tuple[float, float]
    heel: float = 0.6
    toe: float = 0.1


def between(pace: np.ndarray, ways: tuple[float, float]) -> np.ndarray:
    """What is between the slow and the fast way of going, (F,)."""
    return np.interp(pace, (1.0, 2.0), ways)


def stepped(
    legs: Sequence[Leg], step: Step, gait: Gait, lift: np.ndarray, lean: np.ndarray
) -> dict[str, np.ndarray]:
    """The turns (F, 3) of all bones of legs. lift and lean (F, 3): as the pose will have them."""
    axes = turned(lean)
    turns = {}
    for leg in legs:
        x, z, pitch = _foot(leg, step, gait)
        ankle = np.stack([leg.hip[0] + x, np.full_like(x, leg.hip[1]), leg.sole + z], axis=1)
        ankle = np.einsum("fji,fj->fi", axes, ankle - lift) - leg.hip
        thigh, shin = _bent(ankle[:, 0], -ankle[:, 2], leg)
        turns[f"{leg.name} thigh"] = swing(thigh)
        turns[f"{leg.name} shin"] = swing(shin)
        if leg.footed:
            turns[f"{leg.name} foot"] = swing(pitch - thigh - shin - lean[:, 1])
    return turns


def _foot(leg: Leg, step: Step, gait: Gait) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Metres forward of below the hip, metres above the ground, radians that it points down."""
    ground = between(gait.pace, step.ground)
    stride = between(gait.pace, step.stride)
    full = np.minimum(gait.pace / _SETTLED, 1) * (1 - 0.7 * gait.air)
    at = gait.phase / (2 * np.pi) - between(gait.pace, leg.beat) + ground / 2
    at = at - np.floor(at)  # 0 where it is set down, `ground` where it leaves
    u = np.clip((at - ground) / (1 - ground), 0, 1)
    # A cubic that leaves and meets the ground at the ground's own speed: no jerk, no slip.
    ease, back = u * u * (3 - 2 * u), u * (1 - u) * (1 - 2 * u)
    swung = ground * (ease - 0.5) - (1 - ground) * back
    x = stride * np.where(at < ground, ground / 2 - at, swung) * full
    z = between(gait.pace, step.lift) * np.sin(np.pi * u) * full
    pitch = step.heel * np.sin(2 * np.pi * u) * (1.15 - u) * full
    turning = np.minimum(np.abs(gait.bend) / _BRISK, 1) * (1 - full)
    beats = np.sin(2 * np.pi * (_TREADS * gait.seconds - leg.beat[0]))
    z = z + _TREAD * turning * np.maximum(beats, 0) + step.toe * np.abs(np.sin(pitch))
    forward, up = leg.leap
    return x + forward * gait.air, z + up * gait.air, pitch + 0.5 * gait.air


def _bent(x: np.ndarray, down: np.ndarray, leg: Leg) -> tuple[np.ndarray, np.ndarray]:
    """The turns of thigh and shin that bring the ankle to x forward and so far down."""
    upper, lower = leg.lengths
    reach = np.clip(np.hypot(x, down), abs(upper - lower) + 1e-3, (upper + lower) * 0.9995)
    knee = np.pi - np.arccos((upper**2 + lower**2 - reach**2) / (2 * upper * lower))
    lead = np.arccos((upper**2 + reach**2 - lower**2) / (2 * upper * reach))
    return -np.arctan2(x, down) - leg.knee * lead, leg.knee * knee
