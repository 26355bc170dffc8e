"""People: a woman in a dress, a man in a coat and a hat, a robot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from worldreel.world.actors.legs import Leg, Step, between, stepped
from worldreel.world.actors.rig import Bone, Gait, Pose, Rig, Three, both, swing

SKIN = (0.93, 0.72, 0.58)
HAIR = (0.16, 0.09, 0.05)
SHOE = (0.12, 0.10, 0.12)
TROUSERS = (0.25, 0.27, 0.34)
LINEN = (0.93, 0.92, 0.88)
FELT = (0.20, 0.16, 0.14)
STEEL = (0.64, 0.67, 0.71)
IRON = (0.36, 0.38, 0.42)
LAMP = (0.98, 0.97, 0.55)
SIDES = (("left", 1.0), ("right", -1.0))

_RAISED = (-2.3, 0.0, 0.95)  # an arm that waves: up, out and to the front, to be seen from all
_THROWN = (0.35, -2.2, 0.0)  # arms in a jump: up, forward and a little apart
_SHAKES = 1.7  # per second


@dataclass(frozen=True, kw_only=True)
class Carriage:
    """How one holds oneself; a pair is of the slow and the fast way of going.

    bob: metres that the body rises (or, less than 0, sinks) over a leg that is straight below it;
    crouch: metres that it is lower than when it stands; lean: radians forward; arms: radians that
    they swing to each side; elbow: radians that they are bent.
    """

    bob: tuple[float, float]
    crouch: tuple[float, float]
    lean: tuple[float, float]
    arms: tuple[float, float]
    elbow: tuple[float, float]


def _upright(legs: Sequence[Leg], step: Step, carriage: Carriage) -> Callable[[Gait], Pose]:
    """The pose of what goes on two legs, whose arms swing against them."""

    def pose(g: Gait) -> Pose:
        going = np.minimum(g.pace, 1) * (1 - g.air)
        rise = between(g.pace, carriage.bob) * np.cos(2 * g.phase)
        lift = swing((rise - between(g.pace, carriage.crouch)) * going, axis=2)
        lean = swing(between(g.pace, carriage.lean) * np.minimum(g.pace, 1))
        turns = stepped(legs, step, g, lift, lean)
        for side, sign in SIDES:
            arm = between(g.pace, carriage.arms) * going * np.sin(g.phase) * sign
            turns[f"{side} arm"] = swing(-arm) + np.outer(g.air, _THROWN) * (sign, 1.0, 1.0)
            elbow = between(g.pace, carriage.elbow) * np.minimum(g.pace, 1)
            turns[f"{side} hand"] = swing((-0.2 - elbow) * (1 - 0.6 * g.air))
        wave = g.wave[:, None]
        shake = swing(0.55 * np.sin(2 * np.pi * _SHAKES * g.seconds) - 0.35, axis=0)
        turns["right arm"] = turns["right arm"] * (1 - wave) + np.array(_RAISED) * wave
        turns["right hand"] = turns["right hand"] * (1 - wave) + shake * wave
        return Pose(turns=turns, lift=lift, lean=lean)

    return pose


def _legs(hip: Three, lengths: tuple[float, float], sole: float) -> dict[str, Leg]:
    x, y, z = hip
    return {
        side: Leg(name=side, hip=(x, y * sign, z), lengths=lengths, sole=sole, beat=(beat, beat))
        for (side, sign), beat in zip(SIDES, (0.0, 0.5), strict=True)
    }


def _eyes(x: float, y: float, z: float) -> tuple[Bone, ...]:
    return both(
        lambda side, sign: Bone(
            name=f"{side} eye", extent=(0.014, 0.018, 0.024), color=HAIR, joint=(x, y * sign, z)
        )
    )


_WOMANS = _legs((0.0, 0.07, 0.555), (0.27, 0.26), 0.035)
_WOMANS_STEP = Step(stride=(0.84, 1.5), ground=(0.56, 0.32), lift=(0.06, 0.15))


def _womans_limbs(side: str, sign: float) -> tuple[Bone, ...]:
    shin = Bone(name="", extent=(0.042, 0.042, 0.14), color=SKIN, offset=(0.0, 0.0, -0.14))
    return (
        *_WOMANS[side].bones(
            Bone(name="", extent=(0.06, 0.06, 0.17), offset=(0.0, 0.0, -0.13)),  # lifts the dress
            shin,
            Bone(name="", extent=(0.085, 0.045, 0.035), color=SHOE, offset=(0.03, 0.0, 0.0)),
        ),
        Bone(
            name=f"{side} arm", extent=(0.048, 0.048, 0.13), shade=0.85,
            joint=(0.0, 0.155 * sign, 0.94), offset=(0.0, 0.0, -0.11), tilt=(0.12 * sign, 0.0, 0.0),
        ),
        Bone(
            name=f"{side} hand", extent=(0.042, 0.042, 0.125), color=SKIN,
            parent=f"{side} arm", joint=(0.0, 0.0, -0.22), offset=(0.0, 0.0, -0.10),
        ),
    )  # fmt: skip


WOMAN = Rig(
    bones=(
        Bone(name="skirt", shape="frustum", extent=(0.25, 0.23, 0.26), joint=(0.0, 0.0, 0.52)),
        Bone(name="chest", extent=(0.115, 0.15, 0.20), joint=(0.0, 0.0, 0.84)),
        Bone(name="neck", extent=(0.04, 0.04, 0.06), color=SKIN, joint=(0.0, 0.0, 1.01)),
        Bone(name="head", extent=(0.105, 0.095, 0.125), color=SKIN, joint=(0.01, 0.0, 1.14)),
        Bone(name="hair", extent=(0.12, 0.115, 0.12), color=HAIR, joint=(-0.035, 0.0, 1.17)),
        Bone(name="tail", extent=(0.05, 0.09, 0.17), color=HAIR, joint=(-0.105, 0.0, 1.03)),
        *_eyes(0.105, 0.04, 1.145),
        *both(_womans_limbs),
    ),
    pose=_upright(
        tuple(_WOMANS.values()),
        _WOMANS_STEP,
        Carriage(
            bob=(0.022, -0.03), crouch=(0.024, 0.05), lean=(0.03, 0.14), arms=(0.42, 0.75),
            elbow=(0.15, 1.1),
        ),
    ),
    goes=("walks", "runs"),
    speed=(0.9, 2.0),
    stride=_WOMANS_STEP.stride,
    size=(0.50, 0.38, 0.66),
    events=("stops", "turns", "jumps", "waves"),
)  # fmt: skip


_MANS = _legs((0.0, 0.085, 0.60), (0.29, 0.285), 0.04)
_MANS_STEP = Step(stride=(0.92, 1.6), ground=(0.56, 0.32), lift=(0.06, 0.16))


def _mans_limbs(side: str, sign: float) -> tuple[Bone, ...]:
    return (
        *_MANS[side].bones(
            Bone(name="", extent=(0.08, 0.078, 0.175), color=TROUSERS, offset=(0.0, 0.0, -0.13)),
            Bone(
                name="", shape="frustum", extent=(0.068, 0.068, 0.15), color=TROUSERS,
                offset=(0.0, 0.0, -0.135), tilt=(0.0, 0.0, 0.0),
            ),
            Bone(name="", extent=(0.105, 0.052, 0.04), color=SHOE, offset=(0.035, 0.0, 0.0)),
        ),
        Bone(
            name=f"{side} arm", extent=(0.062, 0.06, 0.15), shade=0.85,
            joint=(0.0, 0.19 * sign, 1.03), offset=(0.0, 0.0, -0.12), tilt=(0.1 * sign, 0.0, 0.0),
        ),
        Bone(
            name=f"{side} hand", extent=(0.052, 0.052, 0.12), shade=0.85,
            parent=f"{side} arm", joint=(0.0, 0.0, -0.25), offset=(0.0, 0.0, -0.08),
        ),
        Bone(
            name=f"{side} fist", extent=(0.042, 0.042, 0.05), color=SKIN,
            parent=f"{side} hand", joint=(0.0, 0.0, -0.21),
        ),
    )  # fmt: skip


MAN = Rig(
    bones=(
        Bone(name="coat", shape="frustum", extent=(0.185, 0.215, 0.18), joint=(-0.01, 0.0, 0.62)),
        Bone(name="chest", extent=(0.135, 0.20, 0.25), joint=(0.0, 0.0, 0.88)),
        Bone(name="shirt", extent=(0.03, 0.05, 0.10), color=LINEN, joint=(0.105, 0.0, 0.985)),
        Bone(name="neck", extent=(0.05, 0.055, 0.07), color=SKIN, joint=(0.005, 0.0, 1.11)),
        Bone(name="head", extent=(0.105, 0.10, 0.125), color=SKIN, joint=(0.015, 0.0, 1.23)),
        Bone(name="hair", extent=(0.10, 0.108, 0.10), color=HAIR, joint=(-0.03, 0.0, 1.245)),
        Bone(
            name="brim", shape="tube", extent=(0.17, 0.155, 0.012), color=FELT,
            joint=(0.0, 0.0, 1.305), tilt=(0.0, 0.06, 0.0),
        ),
        Bone(
            name="crown", shape="dome", extent=(0.115, 0.105, 0.12), color=FELT,
            joint=(-0.005, 0.0, 1.36), tilt=(0.0, 0.06, 0.0),
        ),
        *_eyes(0.11, 0.04, 1.235),
        *both(_mans_limbs),
    ),
    pose=_upright(
        tuple(_MANS.values()),
        _MANS_STEP,
        Carriage(
            bob=(0.023, -0.03), crouch=(0.025, 0.05), lean=(0.03, 0.14), arms=(0.45, 0.8),
            elbow=(0.15, 1.1),
        ),
    ),
    goes=("walks", "runs"),
    speed=(0.95, 2.1),
    stride=_MANS_STEP.stride,
    size=(0.56, 0.45, 0.75),
    events=("stops", "turns", "jumps", "waves"),
)  # fmt: skip


_ROBOTS = _legs((0.0, 0.11, 0.55), (0.26, 0.25), 0.045)
_ROBOTS_STEP = Step(stride=(0.74, 1.3), ground=(0.58, 0.36), lift=(0.08, 0.14), heel=0.15)


def _robots_limbs(side: str, sign: float) -> tuple[Bone, ...]:
    return (
        *_ROBOTS[side].bones(
            Bone(name="", shape="block", extent=(0.055, 0.055, 0.12), color=STEEL, gloss=0.3,
                 offset=(0.0, 0.0, -0.13)),
            Bone(name="", shape="block", extent=(0.06, 0.06, 0.12), color=IRON, gloss=0.3,
                 offset=(0.0, 0.0, -0.12)),
            Bone(name="", shape="block", extent=(0.115, 0.075, 0.045), color=STEEL, gloss=0.3,
                 offset=(0.03, 0.0, 0.0)),
        ),
        Bone(name=f"{side} shoulder", extent=(0.075, 0.07, 0.075), color=IRON, gloss=0.3,
             joint=(0.0, 0.265 * sign, 0.94)),
        Bone(
            name=f"{side} arm", shape="tube", extent=(0.042, 0.042, 0.11), color=STEEL, gloss=0.3,
            joint=(0.0, 0.28 * sign, 0.94), offset=(0.0, 0.0, -0.11),
        ),
        Bone(
            name=f"{side} hand", shape="block", extent=(0.055, 0.055, 0.12), color=IRON, gloss=0.3,
            parent=f"{side} arm", joint=(0.0, 0.0, -0.22), offset=(0.0, 0.0, -0.12),
        ),
    )  # fmt: skip


ROBOT = Rig(
    bones=(
        Bone(name="hips", shape="block", extent=(0.12, 0.16, 0.06), color=IRON, gloss=0.3,
             joint=(0.0, 0.0, 0.58)),
        Bone(name="chest", shape="block", extent=(0.16, 0.215, 0.19), gloss=0.15,
             joint=(0.0, 0.0, 0.82)),
        Bone(name="panel", shape="block", extent=(0.01, 0.11, 0.07), color=IRON, gloss=0.3,
             joint=(0.16, 0.0, 0.86)),
        Bone(name="neck", shape="tube", extent=(0.06, 0.06, 0.05), color=IRON, gloss=0.3,
             joint=(0.0, 0.0, 1.04)),
        Bone(name="head", shape="block", extent=(0.13, 0.15, 0.115), color=STEEL, gloss=0.3,
             joint=(0.0, 0.0, 1.185)),
        Bone(name="visor", shape="block", extent=(0.012, 0.13, 0.05), color=SHOE,
             joint=(0.128, 0.0, 1.2)),
        *both(
            lambda side, sign: Bone(
                name=f"{side} eye", extent=(0.02, 0.034, 0.034), color=LAMP,
                joint=(0.14, 0.065 * sign, 1.2),
            )
        ),
        Bone(name="aerial", shape="tube", extent=(0.012, 0.012, 0.07), color=IRON,
             joint=(0.0, 0.0, 1.365)),
        Bone(name="bulb", extent=(0.042, 0.042, 0.042), joint=(0.0, 0.0, 1.45)),
        *both(_robots_limbs),
    ),
    pose=_upright(
        tuple(_ROBOTS.values()),
        _ROBOTS_STEP,
        Carriage(
            bob=(0.017, -0.015), crouch=(0.022, 0.04), lean=(0.0, 0.08), arms=(0.3, 0.5),
            elbow=(0.5, 1.2),
        ),
    ),
    goes=("walks", "runs"),
    speed=(0.75, 1.6),
    stride=_ROBOTS_STEP.stride,
    size=(0.48, 0.56, 0.75),
    events=("stops", "turns", "jumps", "waves"),
)  # fmt: skip
