"""Creatures that need no ground: a fish, a dragon."""

from __future__ import annotations

import math

import numpy as np

from worldreel.world.actors.rig import Bone, Gait, Pose, Rig, both, swing

IVORY = (0.96, 0.90, 0.72)
WHITE = (0.97, 0.97, 0.95)
DARK = (0.06, 0.06, 0.08)
GOLD = (1.00, 0.80, 0.10)

_BACK = -math.pi / 2  # a tilt about y: what points up points backward
_FLOAT = 0.3  # metres: how high a dragon flies

# The joints of a fish from the head on: how far behind the nose, in metres.
_SPINE = {"head": 0.12, "belly": 0.26, "rear": 0.39, "root": 0.50, "tail": 0.58}
_WAVE = 2 * math.pi / 0.8  # radians per metre of body: a little longer than the fish


def _fish_side(side: str, sign: float) -> tuple[Bone, ...]:
    return (
        Bone(
            name=f"{side} eye", extent=(0.040, 0.040, 0.040), color=WHITE,
            parent="head", joint=(0.055, 0.052 * sign, 0.035),
        ),
        Bone(
            name=f"{side} pupil", extent=(0.024, 0.018, 0.024), color=DARK,
            parent=f"{side} eye", joint=(0.004, 0.028 * sign, 0.0),
        ),
        Bone(
            name=f"{side} fin", shape="spike", extent=(0.05, 0.008, 0.085), shade=0.8,
            parent="belly", joint=(0.05, 0.07 * sign, -0.05), offset=(0.0, 0.0, 0.06),
            tilt=(-0.9 * sign, -2.1, 0.0),
        ),
    )  # fmt: skip


def _swim(g: Gait) -> Pose:
    """A wave runs down the body and grows on its way; in its place a fish still fans the water."""
    beat = g.phase + 3.0 * g.seconds
    strength = 0.3 + 0.7 * np.minimum(g.pace, 1) + 0.25 * np.clip(g.pace - 1, 0, 1)
    turns = {}
    before = 0.0
    for name, behind in _SPINE.items():
        yaw = strength * (0.08 + 0.75 * behind) * np.sin(beat - _WAVE * behind)
        yaw = yaw - g.bend * 0.16 * (behind - 0.2)
        turns[name] = swing(yaw - before, axis=2)
        before = yaw
    fan = 0.35 * np.sin(0.5 * beat)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        turns[f"{side} fin"] = swing(sign * fan, axis=0)
    return Pose(turns=turns, lean=swing(-0.03 * g.bend, axis=0))


FISH = Rig(
    bones=(
        Bone(
            name="head", extent=(0.15, 0.062, 0.115), joint=(0.23, 0.0, 0.20),
            offset=(-0.03, 0.0, 0.0),
        ),
        Bone(
            name="mouth", extent=(0.03, 0.03, 0.018), color=(0.98, 0.78, 0.62),
            parent="head", joint=(0.108, 0.0, -0.03),
        ),
        Bone(
            name="belly", extent=(0.17, 0.072, 0.155), parent="head", joint=(-0.14, 0.0, 0.0),
        ),
        Bone(
            name="rear", extent=(0.14, 0.052, 0.115), parent="belly", joint=(-0.13, 0.0, 0.0),
        ),
        Bone(
            name="root", extent=(0.10, 0.030, 0.060), parent="rear", joint=(-0.11, 0.0, 0.0),
        ),
        Bone(name="tail", extent=(0.035, 0.014, 0.035), parent="root", joint=(-0.08, 0.0, 0.0)),
        Bone(
            name="upper lobe", shape="spike", extent=(0.065, 0.009, 0.12), shade=0.8,
            parent="tail", offset=(0.0, 0.0, 0.095), tilt=(0.0, -0.75, 0.0),
        ),
        Bone(
            name="lower lobe", shape="spike", extent=(0.065, 0.009, 0.12), shade=0.8,
            parent="tail", offset=(0.0, 0.0, 0.095), tilt=(0.0, -math.pi + 0.75, 0.0),
        ),
        Bone(
            name="back fin", shape="spike", extent=(0.13, 0.009, 0.075), shade=0.8,
            parent="belly", joint=(-0.02, 0.0, 0.12), offset=(0.0, 0.0, 0.075),
            tilt=(0.0, -0.5, 0.0),
        ),
        Bone(
            name="keel fin", shape="spike", extent=(0.06, 0.009, 0.06), shade=0.8,
            parent="rear", joint=(0.02, 0.0, -0.09), offset=(0.0, 0.0, 0.05),
            tilt=(0.0, -math.pi + 0.7, 0.0),
        ),
        Bone(
            name="white stripe", shape="tube", extent=(0.151, 0.070, 0.026), color=WHITE,
            parent="belly", joint=(0.055, 0.0, 0.0), tilt=(0.0, _BACK, 0.0),
        ),
        Bone(
            name="dark stripe", shape="tube", extent=(0.115, 0.052, 0.022), color=DARK,
            parent="rear", joint=(-0.02, 0.0, 0.0), tilt=(0.0, _BACK, 0.0),
        ),
        *both(_fish_side),
    ),
    pose=_swim,
    goes=("swims", "swims"),
    speed=(0.7, 1.5),
    stride=(0.5, 0.7),
    size=(0.38, 0.235, 0.23),
    float_=0.4,
    radius=0.2,
)  # fmt: skip


def _wing(side: str, sign: float) -> tuple[Bone, ...]:
    out = -sign * math.pi / 2
    return (
        Bone(
            name=f"{side} arm", extent=(0.028, 0.20, 0.028), shade=0.8,
            joint=(0.20, 0.08 * sign, 0.54), offset=(0.0, 0.19 * sign, 0.0),
            tilt=(0.0, -0.55, 0.0),
        ),
        Bone(
            name=f"{side} web", shape="frustum", extent=(0.20, 0.010, 0.20), shade=0.7,
            parent=f"{side} arm", joint=(0.0, 0.18 * sign, 0.0), offset=(0.0, 0.0, 0.20),
            tilt=(math.pi / 2, 0.0, -math.pi / 2),
        ),
        Bone(
            name=f"{side} hand", extent=(0.024, 0.22, 0.022), shade=0.8,
            parent=f"{side} arm", joint=(0.0, 0.37 * sign, 0.0), offset=(0.0, 0.20 * sign, 0.0),
        ),
        Bone(
            name=f"{side} tip", shape="spike", extent=(0.19, 0.010, 0.22), shade=0.7,
            parent=f"{side} hand", joint=(-0.17, 0.0, 0.0), offset=(0.0, 0.0, 0.20),
            tilt=(out, 0.0, -0.4 * sign),
        ),
    )  # fmt: skip


def _dragon_side(side: str, sign: float) -> tuple[Bone, ...]:
    return (
        Bone(
            name=f"{side} horn", shape="spike", extent=(0.032, 0.032, 0.11), color=IVORY,
            parent="head", joint=(-0.04, 0.05 * sign, 0.04), offset=(0.0, 0.0, 0.09),
            tilt=(-0.25 * sign, -0.8, 0.0),
        ),
        *(
            Bone(
                name=f"{side} {place} leg", extent=(0.052, 0.05, 0.16), shade=0.85,
                joint=(x, 0.11 * sign, 0.30), offset=(0.0, 0.0, -0.14),
            )
            for place, x in (("fore", 0.23), ("hind", -0.11))
        ),
        *_wing(side, sign),
    )  # fmt: skip


def _fly(g: Gait) -> Pose:
    """The wings beat by themselves, harder the faster it goes; on the ground they are half shut."""
    beat = 2 * math.pi * 1.1 * g.seconds + 1.2  # a still shows its wings up
    ground = np.clip(1 - g.pace, 0, 1) * np.exp(-2 * g.phase)  # what has stopped hovers
    aloft = 1 - ground
    turns = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = 0.35 * aloft + 0.95 * ground + 0.55 * aloft * np.sin(beat)
        hand = -0.15 * aloft - 1.2 * ground + 0.6 * aloft * np.sin(beat - 1.1)
        turns[f"{side} arm"] = swing(sign * arm, axis=0)
        turns[f"{side} hand"] = swing(sign * hand, axis=0)
        for place, tuck in (("fore", 0.7), ("hind", 1.1)):
            turns[f"{side} {place} leg"] = swing(tuck * aloft)
    sway = g.bend * 0.06
    turns["neck"] = swing(0.10 * np.sin(beat - 0.5) + 0.35 * aloft)
    turns["throat"] = swing(-0.10 * np.sin(beat - 0.9)) + swing(sway, axis=2)
    turns["head"] = swing(-0.35 * aloft) + swing(sway, axis=2)
    for place, name in enumerate(("tail", "whip", "end")):
        wave = 0.22 * np.sin(beat - 1.0 - 0.9 * place)
        side_sway = 0.18 * np.sin(0.5 * beat - 0.8 * place)
        turns[name] = swing(wave * aloft) + swing(side_sway - sway, axis=2)
    bob = -_FLOAT * ground - 0.03 * aloft * np.sin(beat + 0.4)
    lean = swing(-0.04 * g.bend * aloft, axis=0)
    return Pose(turns=turns, lift=swing(bob, axis=2), lean=lean)


DRAGON = Rig(
    bones=(
        Bone(name="body", extent=(0.29, 0.15, 0.15), joint=(0.06, 0.0, 0.42)),
        Bone(
            name="belly", extent=(0.25, 0.12, 0.13), color=IVORY, joint=(0.09, 0.0, 0.385),
        ),
        Bone(
            name="neck", extent=(0.15, 0.08, 0.085), joint=(0.26, 0.0, 0.48),
            offset=(0.10, 0.0, 0.0), tilt=(0.0, -0.95, 0.0),
        ),
        Bone(
            name="throat", extent=(0.14, 0.06, 0.062), parent="neck", joint=(0.20, 0.0, 0.0),
            offset=(0.08, 0.0, 0.0), tilt=(0.0, 0.3, 0.0),
        ),
        Bone(
            name="head", extent=(0.11, 0.085, 0.08), parent="throat", joint=(0.18, 0.0, 0.0),
            offset=(0.03, 0.0, 0.0), tilt=(0.0, 0.75, 0.0),
        ),
        Bone(
            name="snout", extent=(0.09, 0.05, 0.042), parent="head", joint=(0.12, 0.0, -0.02),
        ),
        Bone(
            name="eyes", extent=(0.030, 0.088, 0.030), color=GOLD, parent="head",
            joint=(0.055, 0.0, 0.035),
        ),
        Bone(
            name="tail", extent=(0.17, 0.085, 0.085), joint=(-0.16, 0.0, 0.42),
            offset=(-0.09, 0.0, 0.0), tilt=(0.0, -0.15, 0.0),
        ),
        Bone(
            name="whip", extent=(0.14, 0.055, 0.055), parent="tail", joint=(-0.20, 0.0, 0.0),
            offset=(-0.09, 0.0, 0.0), tilt=(0.0, 0.15, 0.0),
        ),
        Bone(
            name="end", extent=(0.12, 0.032, 0.032), parent="whip", joint=(-0.19, 0.0, 0.0),
            offset=(-0.07, 0.0, 0.0), tilt=(0.0, 0.3, 0.0),
        ),
        Bone(
            name="barb", shape="spike", extent=(0.02, 0.07, 0.07), color=IVORY,
            parent="end", joint=(-0.15, 0.0, 0.0), offset=(0.0, 0.0, 0.06),
            tilt=(0.0, _BACK, 0.0),
        ),
        *(
            Bone(
                name=f"{parent} ridge", shape="spike", extent=(0.055, 0.014, 0.055), color=IVORY,
                parent=parent, joint=joint, offset=(0.0, 0.0, 0.04), tilt=(0.0, -0.35, 0.0),
            )
            for parent, joint in (
                ("neck", (0.10, 0.0, 0.07)),
                ("body", (-0.06, 0.0, 0.14)),
                ("tail", (-0.10, 0.0, 0.07)),
            )
        ),
        *both(_dragon_side),
    ),
    pose=_fly,
    goes=("flies", "flies"),
    speed=(0.9, 1.7),
    stride=(0.6, 1.1),
    size=(0.83, 0.87, 0.58),
    float_=_FLOAT,
    radius=0.28,
)  # fmt: skip
