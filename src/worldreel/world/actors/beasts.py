"""Beasts: a dog, a woolly mammoth."""

from __future__ import annotations

import numpy as np

from worldreel.world.actors.legs import Leg, Step, stepped
from worldreel.world.actors.rig import Bone, Gait, Pose, Rig, both, swing

IVORY = (0.96, 0.92, 0.80)
CREAM = (0.93, 0.88, 0.78)  # a face and paws that show on a dark coat
NOSE = (0.05, 0.04, 0.05)
TONGUE = (0.92, 0.38, 0.42)

# A trot: the legs of a diagonal go together. Running becomes a gallop: fore against hind.
_TROT = {
    "left fore": (0.0, 0.0), "right fore": (0.5, 0.14),
    "left hind": (0.5, 0.5), "right hind": (0.0, -0.36),
}  # fmt: skip
_DOGS = {
    f"{side} {end}": Leg(
        name=f"{side} {end}", hip=(x, 0.09 * sign, z), lengths=lengths, sole=0.034,
        beat=_TROT[f"{side} {end}"], knee=knee, leap=leap,
    )
    for side, sign in (("left", 1.0), ("right", -1.0))
    for end, x, z, lengths, knee, leap in (
        ("fore", 0.19, 0.42, (0.21, 0.20), 1.0, (0.08, 0.16)),
        ("hind", -0.25, 0.43, (0.23, 0.22), -1.0, (-0.22, 0.02)),
    )
}  # fmt: skip
_DOGS_STEP = Step(stride=(0.70, 1.25), ground=(0.48, 0.28), lift=(0.08, 0.11), heel=0.5, toe=0.06)


def _dogs_limbs(side: str, sign: float) -> tuple[Bone, ...]:
    paw = Bone(name="", extent=(0.068, 0.05, 0.034), color=CREAM, offset=(0.025, 0.0, 0.0))
    shin = Bone(name="", extent=(0.042, 0.04, 0.13), shade=0.9, offset=(0.0, 0.0, -0.10))
    return (
        *_DOGS[f"{side} fore"].bones(
            Bone(name="", extent=(0.072, 0.055, 0.16), shade=0.9, offset=(0.0, 0.0, -0.09)),
            shin,
            paw,
        ),
        *_DOGS[f"{side} hind"].bones(
            Bone(name="", extent=(0.10, 0.06, 0.17), shade=0.9, offset=(0.0, 0.0, -0.08)),
            shin,
            paw,
        ),
        Bone(
            name=f"{side} ear", extent=(0.06, 0.024, 0.11), shade=0.5, parent="head",
            joint=(-0.01, 0.10 * sign, 0.07), offset=(0.0, 0.0, -0.085),
            tilt=(0.25 * sign, 0.15, 0.0),
        ),
    )  # fmt: skip


def _trot(g: Gait) -> Pose:
    """Legs by their beats; head and ears nod with the steps, the tail wags all the time."""
    going = np.minimum(g.pace, 1) * (1 - g.air)
    fast = np.clip(g.pace - 1, 0, 1) * (1 - g.air)
    lift = swing(0.012 * np.cos(2 * g.phase) * (going - fast) - 0.012 * going, axis=2)
    lean = swing(0.09 * np.cos(g.phase - 0.4) * fast - 0.25 * g.air)
    turns = stepped(tuple(_DOGS.values()), _DOGS_STEP, g, lift, lean)
    turns["neck"] = swing(0.05 * np.cos(2 * g.phase) * going + 0.3 * fast - 0.7 * lean[:, 1])
    wag = 0.5 * np.sin(2 * np.pi * 2.1 * g.seconds) * (1 - 0.6 * fast)
    turns["tail"] = np.stack([0 * wag, -0.45 * fast, wag], axis=1)
    turns["tip"] = swing(0.6 * wag, axis=2)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        flap = 0.25 * (1 + np.cos(2 * g.phase)) * going + 0.5 * g.air
        turns[f"{side} ear"] = swing(sign * flap, axis=0) + swing(0.5 * fast)
    return Pose(turns=turns, lift=lift, lean=lean)


DOG = Rig(
    bones=(
        Bone(name="chest", extent=(0.215, 0.15, 0.175), joint=(0.14, 0.0, 0.485)),
        Bone(name="loin", extent=(0.265, 0.125, 0.135), joint=(-0.13, 0.0, 0.50)),
        Bone(
            name="neck", extent=(0.10, 0.09, 0.15), joint=(0.27, 0.0, 0.56), tilt=(0.0, 0.55, 0.0),
            offset=(0.0, 0.0, 0.08),
        ),
        Bone(
            name="head", extent=(0.13, 0.112, 0.11), parent="neck", joint=(0.03, 0.0, 0.215),
            tilt=(0.0, -0.45, 0.0),
        ),
        Bone(
            name="muzzle", extent=(0.115, 0.062, 0.058), color=CREAM, parent="head",
            joint=(0.135, 0.0, -0.035),
        ),
        Bone(
            name="nose", extent=(0.032, 0.036, 0.03), color=NOSE, parent="head",
            joint=(0.24, 0.0, -0.012),
        ),
        Bone(
            name="tongue", extent=(0.032, 0.026, 0.045), color=TONGUE, parent="head",
            joint=(0.17, 0.0, -0.085),
        ),
        *both(
            lambda side, sign: Bone(
                name=f"{side} eye", extent=(0.024, 0.022, 0.026), color=NOSE, parent="head",
                joint=(0.095, 0.06 * sign, 0.045),
            )
        ),
        Bone(
            name="tail", extent=(0.12, 0.038, 0.038), joint=(-0.35, 0.0, 0.56),
            offset=(-0.09, 0.0, 0.0),
            tilt=(0.0, 0.75, 0.0),
        ),
        Bone(
            name="tip", extent=(0.10, 0.032, 0.032), parent="tail", joint=(-0.17, 0.0, 0.0),
            offset=(-0.07, 0.0, 0.0), tilt=(0.0, 0.5, 0.0),
        ),
        *both(_dogs_limbs),
    ),
    pose=_trot,
    goes=("walks", "runs"),
    speed=(0.8, 2.0),
    stride=_DOGS_STEP.stride,
    size=(0.76, 0.24, 0.46),
    events=("stops", "turns", "jumps"),
)  # fmt: skip

# An elephant's walk: each foot a quarter of a cycle after the one before, hind then fore.
_AMBLE = {"left hind": 0.0, "left fore": 0.25, "right hind": 0.5, "right fore": 0.75}
_MAMMOTHS = {
    f"{side} {end}": Leg(
        name=f"{side} {end}", hip=(x, 0.2 * sign, z), lengths=(0.38, 0.35), sole=0.05,
        beat=(_AMBLE[f"{side} {end}"], _AMBLE[f"{side} {end}"]), footed=False,
    )
    for side, sign in (("left", 1.0), ("right", -1.0))
    for end, x, z in (("fore", -0.02, 0.76), ("hind", -0.80, 0.75))
}  # fmt: skip
_MAMMOTHS_STEP = Step(stride=(1.0, 1.55), ground=(0.62, 0.40), lift=(0.10, 0.14), heel=0.0)
_SWAY = 0.45  # per second, of a trunk that hangs
_SHAKES = 1.6  # per second, of one that is raised


def _mammoths_limbs(side: str, sign: float) -> tuple[Bone, ...]:
    def leg(end: str) -> tuple[Bone, ...]:
        return _MAMMOTHS[f"{side} {end}"].bones(
            Bone(
                name="",
                extent=(0.20, 0.16, 0.34),
                shade=0.8,
                offset=(0.0, 0.03 * sign, -0.12),
            ),
            Bone(
                name="",
                shape="tube",
                extent=(0.125, 0.12, 0.22),
                shade=0.55,
                offset=(0.0, 0.0, -0.155),
            ),
        )

    return (
        *leg("fore"),
        *leg("hind"),
        Bone(
            name=f"{side} tusk", extent=(0.065, 0.065, 0.22), parent="head", color=IVORY,
            joint=(0.16, 0.14 * sign, -0.16), offset=(0.0, 0.0, -0.17),
            tilt=(0.42 * sign, -0.55, 0.0),
        ),
        Bone(
            name=f"{side} tusk middle", extent=(0.06, 0.06, 0.2), color=IVORY,
            parent=f"{side} tusk", joint=(0.0, 0.0, -0.33), offset=(0.0, 0.0, -0.15),
            tilt=(0.0, -0.95, 0.0),
        ),
        Bone(
            name=f"{side} tusk tip", extent=(0.045, 0.045, 0.2), color=IVORY,
            parent=f"{side} tusk middle", joint=(0.0, 0.0, -0.29), offset=(0.0, 0.0, -0.15),
            tilt=(-0.35 * sign, -1.05, 0.0),
        ),
    )  # fmt: skip


_TRUNK = (  # half thickness, length, radians that it is bent back at rest and with the trunk up
    ("trunk", 0.135, 0.27, -0.20, -1.35),
    ("trunk middle", 0.105, 0.25, 0.12, -0.75),
    ("trunk lower", 0.08, 0.22, 0.05, -0.45),
    ("trunk tip", 0.06, 0.19, -0.55, 0.9),
)


def _trunk() -> tuple[Bone, ...]:
    bones, parent, joint = [], "head", (0.20, 0.0, -0.10)
    for name, thick, length, bend, _ in _TRUNK:
        bones.append(
            Bone(
                name=name, extent=(thick, thick, length * 0.78), shade=0.85, parent=parent,
                joint=joint, offset=(0.0, 0.0, -length / 2), tilt=(0.0, bend, 0.0),
            )
        )  # fmt: skip
        parent, joint = name, (0.0, 0.0, -length)
    return tuple(bones)


def _amble(g: Gait) -> Pose:
    """Four pillars one after the other; the head nods, the trunk sways behind it."""
    going = np.minimum(g.pace, 1)
    lift = swing(-0.015 * going + 0.008 * np.cos(4 * g.phase) * going, axis=2)
    lean = swing(0.025 * np.sin(g.phase) * going, axis=0)
    turns = stepped(tuple(_MAMMOTHS.values()), _MAMMOTHS_STEP, g, lift, lean)
    turns["head"] = swing(0.06 * np.sin(2 * g.phase) * going - 0.15 * g.wave)
    beat = 2 * np.pi * _SWAY * g.seconds
    for place, (name, _, _, _, up) in enumerate(_TRUNK):
        shake = 0.16 * np.sin(2 * np.pi * _SHAKES * g.seconds - 0.4 * place)
        aside = 0.14 * np.sin(beat - 0.7 * place) * (1 - g.wave) + shake * g.wave
        along = 0.12 * np.sin(1.3 * beat - 0.8 * place)
        turns[name] = np.stack([aside, along * (1 - g.wave) + up * g.wave, 0 * beat], axis=1)
    turns["tail"] = swing(0.2 * np.sin(1.7 * beat), axis=0)
    return Pose(turns=turns, lift=lift, lean=lean)


# Its wool hangs in locks to the knees, wide enough to hang on both sides.
_COAT = tuple(
    Bone(name=name, extent=extent, shade=shade, joint=joint, tilt=(0.0, tilt, 0.0))
    for name, extent, shade, joint, tilt in (
        ("hump", (0.32, 0.39, 0.56), 0.92, (-0.03, 0.0, 0.93), 0.06),
        ("flank", (0.13, 0.42, 0.52), 0.68, (-0.32, 0.0, 0.80), 0.12),
        ("side", (0.14, 0.43, 0.50), 0.95, (-0.54, 0.0, 0.77), 0.06),
        ("rump", (0.20, 0.40, 0.50), 0.78, (-0.82, 0.0, 0.76), 0.08),
    )
)

MAMMOTH = Rig(
    bones=(
        Bone(
            name="body", extent=(0.60, 0.39, 0.40), joint=(-0.50, 0.0, 0.96), tilt=(0.0, -0.2, 0.0)
        ),
        *_COAT,
        Bone(name="head", extent=(0.28, 0.25, 0.32), joint=(0.32, 0.0, 1.24)),
        Bone(
            name="dome", extent=(0.21, 0.20, 0.24), shade=0.75, parent="head",
            joint=(-0.06, 0.0, 0.22), tilt=(0.0, -0.2, 0.0),
        ),
        *_trunk(),
        Bone(
            name="tail", extent=(0.06, 0.055, 0.27), shade=0.45, joint=(-1.06, 0.0, 1.02),
            offset=(0.0, 0.0, -0.22), tilt=(0.0, 0.12, 0.0),
        ),
        *both(_mammoths_limbs),
    ),
    pose=_amble,
    goes=("walks", "runs"),
    speed=(1.2, 2.1),
    stride=_MAMMOTHS_STEP.stride,
    size=(1.28, 0.48, 0.9),
    events=("stops", "turns", "waves"),
)  # fmt: skip
