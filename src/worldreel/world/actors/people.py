"""People: a woman in a dress, a man in a coat, a robot."""

from __future__ import annotations

import numpy as np

from worldreel.world.actors.rig import Bone, Gait, Pose, Rig, both, swing

SKIN = (0.93, 0.72, 0.58)
HAIR = (0.16, 0.09, 0.05)
SHOE = (0.12, 0.10, 0.12)


def _leg(side: str, sign: float) -> tuple[Bone, ...]:
    return (
        Bone(
            name=f"{side} thigh", extent=(0.055, 0.055, 0.16), color=SKIN,
            joint=(0.0, 0.07 * sign, 0.56), offset=(0.0, 0.0, -0.13),
        ),
        Bone(
            name=f"{side} shin", extent=(0.045, 0.045, 0.15), color=SKIN,
            parent=f"{side} thigh", joint=(0.0, 0.0, -0.27), offset=(0.0, 0.0, -0.13),
        ),
        Bone(
            name=f"{side} shoe", extent=(0.085, 0.045, 0.035), color=SHOE,
            parent=f"{side} shin", joint=(0.03, 0.0, -0.26),
        ),
    )  # fmt: skip


def _arm(side: str, sign: float) -> tuple[Bone, ...]:
    return (
        Bone(
            name=f"{side} arm", extent=(0.045, 0.045, 0.13), shade=0.85,
            joint=(0.0, 0.155 * sign, 0.94), offset=(0.0, 0.0, -0.11), tilt=(0.12 * sign, 0.0, 0.0),
        ),
        Bone(
            name=f"{side} hand", extent=(0.04, 0.04, 0.12), color=SKIN,
            parent=f"{side} arm", joint=(0.0, 0.0, -0.22), offset=(0.0, 0.0, -0.10),
        ),
    )  # fmt: skip


def _walk(g: Gait) -> Pose:
    """Legs and arms swing against each other; knees bend as a leg comes forward."""
    reach = 0.45 * np.minimum(g.pace, 1) + 0.3 * np.clip(g.pace - 1, 0, 1)
    turns = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        at = np.sin(g.phase) * sign
        coming = np.clip(np.cos(g.phase) * sign, 0, 1)
        turns[f"{side} thigh"] = swing(-reach * at - 0.4 * g.air)
        turns[f"{side} shin"] = swing(1.3 * reach * coming + 0.12 * g.pace + 0.7 * g.air)
        turns[f"{side} arm"] = swing(0.8 * reach * at - 0.9 * g.air)
        turns[f"{side} hand"] = swing(-0.35 - 0.7 * np.clip(g.pace - 1, 0, 1))
    up = g.wave * (2.7 + 0.0 * g.phase)
    turns["right arm"] = turns["right arm"] * (1 - g.wave)[:, None] + swing(-up, axis=0)
    turns["right hand"] = turns["right hand"] * (1 - g.wave)[:, None] + swing(
        g.wave * 0.6 * np.sin(2 * np.pi * 1.8 * g.seconds), axis=0
    )
    bob = 0.018 * np.abs(np.cos(g.phase)) * np.minimum(g.pace, 1)
    lean = swing(0.05 * g.pace)
    return Pose(turns=turns, lift=swing(bob, axis=2), lean=lean)


_HEAD = (
    Bone(name="neck", extent=(0.04, 0.04, 0.06), color=SKIN, joint=(0.0, 0.0, 1.01)),
    Bone(name="head", extent=(0.105, 0.095, 0.125), color=SKIN, joint=(0.01, 0.0, 1.14)),
)

WOMAN = Rig(
    bones=(
        Bone(name="skirt", shape="frustum", extent=(0.25, 0.23, 0.26), joint=(0.0, 0.0, 0.52)),
        Bone(name="chest", extent=(0.115, 0.15, 0.20), joint=(0.0, 0.0, 0.84)),
        *_HEAD,
        Bone(name="hair", extent=(0.12, 0.115, 0.12), color=HAIR, joint=(-0.035, 0.0, 1.17)),
        Bone(name="tail", extent=(0.05, 0.09, 0.17), color=HAIR, joint=(-0.105, 0.0, 1.03)),
        *both(_leg),
        *both(_arm),
    ),
    pose=_walk,
    goes=("walks", "runs"),
    speed=(0.9, 2.0),
    stride=(1.0, 1.7),
    size=(0.27, 0.25, 0.65),
    events=("stops", "turns", "jumps", "waves"),
)
