"""Vehicles: a car, a train, a sailing ship."""

from __future__ import annotations

import math

import numpy as np

from worldreel.world.actors.rig import Bone, Gait, Pose, Rig, Three, both, swing
from worldreel.world.scene import FPS

TYRE = (0.07, 0.07, 0.08)
STEEL = (0.80, 0.81, 0.84)
GLASS = (0.30, 0.52, 0.66)
LAMP = (1.00, 0.95, 0.62)
IRON = (0.20, 0.20, 0.23)
CREAM = (0.96, 0.91, 0.76)
BRASS = (0.93, 0.72, 0.22)
TIMBER = (0.40, 0.23, 0.11)
PLANK = (0.74, 0.55, 0.33)

_AXLE = (-math.pi / 2, 0.0, 0.0)  # a tilt: a tube's length lies across, and it rolls about its z
_AHEAD = (0.0, math.pi / 2, 0.0)  # a tilt: a tube's length lies along the way


def _car_wheel(name: str, at: Three) -> tuple[Bone, ...]:
    """A tyre on its axle, a hub and a spoke across it, that shows how it turns."""
    return (
        Bone(
            name=f"{name} wheel", shape="tube", extent=(_CAR_WHEEL, _CAR_WHEEL, 0.055), color=TYRE,
            joint=at, tilt=_AXLE,
        ),
        Bone(
            name=f"{name} hub", shape="tube", extent=(0.105, 0.105, 0.060), color=STEEL,
            parent=f"{name} wheel",
        ),
        Bone(
            name=f"{name} spoke", shape="block", extent=(0.10, 0.026, 0.066), color=TYRE,
            parent=f"{name} wheel",
        ),
    )  # fmt: skip


_CAR_WHEEL = 0.165


def _car_side(side: str, sign: float) -> tuple[Bone, ...]:
    return (
        *_car_wheel(f"{side} front", (0.39, 0.245 * sign, _CAR_WHEEL)),
        *_car_wheel(f"{side} rear", (-0.39, 0.245 * sign, _CAR_WHEEL)),
        Bone(
            name=f"{side} lamp", extent=(0.03, 0.06, 0.06), color=LAMP, gloss=0.2,
            joint=(0.62, 0.17 * sign, 0.31),
        ),
        Bone(
            name=f"{side} tail lamp", shape="block", extent=(0.015, 0.045, 0.035),
            color=(0.75, 0.04, 0.04), joint=(-0.62, 0.19 * sign, 0.32),
        ),
    )  # fmt: skip


def _drive(g: Gait) -> Pose:
    """The wheels turn with the road; the body nods as it gathers and loses speed."""
    turns = {
        f"{side} {place} wheel": swing(g.phase, axis=2)
        for side in ("left", "right")
        for place in ("front", "rear")
    }
    return Pose(turns=turns)


CAR = Rig(
    bones=(
        Bone(name="body", shape="block", extent=(0.62, 0.26, 0.09), joint=(0.0, 0.0, 0.25)),
        Bone(name="bonnet", extent=(0.32, 0.25, 0.10), joint=(0.32, 0.0, 0.33)),
        Bone(name="boot", extent=(0.26, 0.25, 0.10), joint=(-0.36, 0.0, 0.33)),
        Bone(
            name="windows", shape="frustum", extent=(0.42, 0.27, 0.12), color=GLASS, gloss=0.25,
            joint=(-0.06, 0.0, 0.45),
        ),
        Bone(name="roof", extent=(0.25, 0.19, 0.055), joint=(-0.06, 0.0, 0.565)),
        Bone(
            name="pillar", shape="frustum", extent=(0.030, 0.273, 0.12), joint=(-0.06, 0.0, 0.45),
        ),
        *(
            Bone(
                name=f"{place} bumper", shape="block", extent=(0.03, 0.26, 0.03), color=STEEL,
                gloss=0.2, joint=(x, 0.0, 0.17),
            )
            for place, x in (("front", 0.63), ("rear", -0.63))
        ),
        *both(_car_side),
    ),
    pose=_drive,
    goes=("drives", "drives"),
    speed=(1.1, 2.1),
    stride=(2 * math.pi * _CAR_WHEEL, 2 * math.pi * _CAR_WHEEL),
    size=(0.66, 0.315, 0.315),
    radius=0.3,
)  # fmt: skip


_DRIVER = 0.17  # radius of a locomotive's driving wheels
_TRUCK = 0.085  # of the wheels in front of them and of a wagon's
_CRANK = 0.085  # metres from a driving wheel's middle to the pin of its rod
_DRIVERS = {"first": 0.60, "last": 0.22}
_WAGONS = ("first", "last")
_LONG = 0.48  # metres from one coupling to the next
_HITCH = 1.1  # radians: how far a coupling gives


def _driver(name: str, x: float) -> tuple[Bone, ...]:
    return (
        Bone(
            name=f"{name} driver", shape="tube", extent=(_DRIVER, _DRIVER, 0.14), shade=0.6,
            joint=(x, 0.0, _DRIVER), tilt=_AXLE,
        ),
        Bone(
            name=f"{name} spoke", shape="block", extent=(0.155, 0.018, 0.146), color=CREAM,
            parent=f"{name} driver",
        ),
    )  # fmt: skip


def _rod(side: str, sign: float) -> Bone:
    """A coupling rod on the pins of its side; those of the other side are a quarter turn ahead."""
    pin = (_CRANK, 0.0) if sign > 0 else (0.0, _CRANK)
    middle = (_DRIVERS["first"] - _DRIVERS["last"]) / 2
    return Bone(
        name=f"{side} rod", shape="block", extent=(middle + 0.03, 0.024, 0.012), color=STEEL,
        parent="last driver", joint=(*pin, 0.165 * sign), offset=(middle, 0.0, 0.0),
    )  # fmt: skip


def _wagon(name: str, parent: str | None, joint: Three, load: Three) -> tuple[Bone, ...]:
    """A wagon that hangs on its coupling, so that it comes after in a bend."""
    return (
        Bone(
            name=f"{name} wagon", shape="block", extent=(0.21, 0.17, 0.11),
            parent=parent, joint=joint, offset=(-0.23, 0.0, 0.0),
        ),
        Bone(
            name=f"{name} load", extent=(0.18, 0.14, 0.09), color=load,
            parent=f"{name} wagon", joint=(-0.23, 0.0, 0.11),
        ),
        *(
            Bone(
                name=f"{name} {place} wheels", shape="cylinder", extent=(_TRUCK, _TRUCK, 0.15),
                color=IRON, parent=f"{name} wagon", joint=(x - 0.23, 0.0, _TRUCK - 0.25),
                tilt=_AXLE,
            )
            for place, x in (("front", 0.12), ("rear", -0.12))
        ),
    )  # fmt: skip


def _steam(g: Gait) -> Pose:
    """Wheels turn with the rails, and the rod goes round with their pins but stays level."""
    turns = {f"{name} driver": swing(g.phase, axis=2) for name in _DRIVERS}
    turns |= {f"{side} rod": swing(-g.phase, axis=2) for side in ("left", "right")}
    small = swing(g.phase * _DRIVER / _TRUCK, axis=2)
    turns["front wheels"] = small
    went = g.phase * _DRIVER
    yaw = _trailed(went, np.concatenate([[0.0], np.cumsum(g.bend[:-1]) / FPS]))
    for name in _WAGONS:
        turns |= {f"{name} {place} wheels": small for place in ("front", "rear")}
    turns["first wagon"] = swing(yaw[1] - yaw[0], axis=2)
    turns["last wagon"] = swing(yaw[2] - yaw[1], axis=2)
    return Pose(turns=turns)


def _trailed(went: np.ndarray, heading: np.ndarray) -> list[np.ndarray]:
    """Where the engine and each wagon face, (F,) radians each: what is drawn turns toward its
    coupling as far as it is drawn along. went: metres; heading: radians of the engine."""
    step = np.diff(went, prepend=0.0)
    yaws = [heading]
    for _ in _WAGONS:
        ahead, own = yaws[-1], np.empty_like(heading)
        own[0] = ahead[0]
        for frame in range(1, len(own)):
            gap = ahead[frame] - own[frame - 1]
            gap *= math.exp(-step[frame] / _LONG)
            own[frame] = ahead[frame] - min(max(gap, -_HITCH), _HITCH)
        yaws.append(own)
    return yaws


TRAIN = Rig(
    bones=(
        Bone(
            name="boiler", shape="tube", extent=(0.15, 0.15, 0.29), joint=(0.58, 0.0, 0.46),
            tilt=_AHEAD,
        ),
        Bone(
            name="smokebox", shape="tube", extent=(0.155, 0.155, 0.06), shade=0.7,
            joint=(0.85, 0.0, 0.46), tilt=_AHEAD,
        ),
        Bone(name="lamp", extent=(0.03, 0.075, 0.075), color=LAMP, joint=(0.92, 0.0, 0.49)),
        Bone(
            name="chimney", shape="tube", extent=(0.055, 0.055, 0.12), color=IRON,
            joint=(0.82, 0.0, 0.70),
        ),
        Bone(
            name="crown", shape="frustum", extent=(0.10, 0.10, 0.055), color=IRON,
            joint=(0.82, 0.0, 0.83), tilt=(math.pi, 0.0, 0.0),
        ),
        Bone(
            name="dome", extent=(0.075, 0.075, 0.10), color=BRASS, gloss=0.3,
            joint=(0.54, 0.0, 0.60),
        ),
        Bone(name="cab", shape="block", extent=(0.15, 0.185, 0.22), joint=(0.16, 0.0, 0.51)),
        Bone(
            name="window", shape="block", extent=(0.08, 0.190, 0.07), color=LAMP,
            joint=(0.16, 0.0, 0.61),
        ),
        Bone(
            name="roof", shape="block", extent=(0.20, 0.215, 0.025), color=IRON,
            joint=(0.16, 0.0, 0.75),
        ),
        Bone(
            name="frame", shape="block", extent=(0.46, 0.12, 0.045), color=IRON,
            joint=(0.45, 0.0, 0.28),
        ),
        Bone(name="beam", shape="block", extent=(0.025, 0.21, 0.06), joint=(0.93, 0.0, 0.25)),
        Bone(
            name="cowcatcher", shape="spike", extent=(0.10, 0.17, 0.09), color=IRON,
            joint=(0.91, 0.0, 0.11), tilt=_AHEAD,
        ),
        Bone(
            name="front wheels", shape="cylinder", extent=(_TRUCK, _TRUCK, 0.14), color=IRON,
            joint=(0.85, 0.0, _TRUCK), tilt=_AXLE,
        ),
        *(bone for name, x in _DRIVERS.items() for bone in _driver(name, x)),
        *both(_rod),
        *_wagon("first", None, (0.0, 0.0, 0.25), IRON),
        *_wagon("last", "first wagon", (-_LONG, 0.0, 0.0), PLANK),
    ),
    pose=_steam,
    goes=("drives", "drives"),
    speed=(0.9, 1.7),
    stride=(2 * math.pi * _DRIVER, 2 * math.pi * _DRIVER),
    size=(1.0, 0.22, 0.445),
    radius=0.3,
)  # fmt: skip


def _mast(mast: str, x: float, tall: float, brace: float) -> tuple[Bone, ...]:
    """A mast and its two square sails, each below its yard. brace: radians that they are turned by;
    the masts differ in it, so that no view meets all sails edge on."""
    sails = (("course", 0.39, 0.32, 0.22, 0.13), ("topsail", 0.77, 0.23, 0.16, 0.10))
    return (
        Bone(
            name=f"{mast} mast", shape="tube", extent=(0.022, 0.022, tall / 2), color=TIMBER,
            joint=(x, 0.0, 0.25), offset=(0.0, 0.0, tall / 2),
        ),
        *(
            bone
            for name, height, wide, high, deep in sails
            for bone in (
                Bone(
                    name=f"{mast} {name}", shape="tube", extent=(deep, wide, high),
                    parent=f"{mast} mast", joint=(0.07, 0.0, height * tall),
                    tilt=(0.0, 0.0, brace),
                ),
                Bone(
                    name=f"{mast} {name} yard", shape="tube", extent=(0.018, 0.018, wide + 0.04),
                    color=TIMBER, parent=f"{mast} mast", joint=(0.03, 0.0, height * tall + high),
                    tilt=(-math.pi / 2, 0.0, brace),
                ),
            )
        ),
    )  # fmt: skip


def _flag() -> tuple[Bone, ...]:
    """Two pieces of cloth, one on the other: the second flutters behind the first."""
    return tuple(
        Bone(
            name=name, shape="block", extent=(0.06, 0.006, 0.045),
            parent=parent, joint=joint, offset=(-0.05, 0.0, 0.0),
        )
        for name, parent, joint in (
            ("flag", "main mast", (0.0, 0.0, 1.20)),
            ("fly", "flag", (-0.10, 0.0, 0.0)),
        )
    )  # fmt: skip


def _sail(g: Gait) -> Pose:
    """It rolls, pitches and heaves on the swell; the sails give a little, the flag flutters."""
    roll = 0.09 * np.sin(2.1 * g.seconds) - 0.03 * g.bend
    pitch = 0.05 * np.sin(2.9 * g.seconds + 1.0)
    heave = 0.02 * np.sin(2.9 * g.seconds)
    turns = {"flag": swing(0.4 * np.sin(11.0 * g.seconds), axis=2)}
    turns["fly"] = swing(0.7 * np.sin(11.0 * g.seconds - 1.2), axis=2)
    for lag, name in enumerate(("fore course", "main course", "fore topsail", "main topsail")):
        turns[name] = swing(0.06 * np.sin(2.5 * g.seconds - 0.7 * lag), axis=2)
    lean = swing(roll, axis=0) + swing(pitch)
    return Pose(turns=turns, lift=swing(heave, axis=2), lean=lean)


SHIP = Rig(
    bones=(
        Bone(
            name="hull", shape="frustum", extent=(0.66, 0.21, 0.25), color=TIMBER,
            joint=(0.0, 0.0, 0.03), tilt=(math.pi, 0.0, 0.0),
        ),
        Bone(
            name="wale", shape="tube", extent=(0.645, 0.207, 0.022), joint=(0.0, 0.0, 0.225),
        ),
        Bone(
            name="deck", shape="tube", extent=(0.62, 0.19, 0.012), color=PLANK,
            joint=(0.0, 0.0, 0.275),
        ),
        Bone(
            name="castle", shape="block", extent=(0.14, 0.13, 0.075), color=TIMBER,
            joint=(-0.44, 0.0, 0.33),
        ),
        Bone(
            name="prow", shape="block", extent=(0.08, 0.09, 0.04), color=TIMBER,
            joint=(0.50, 0.0, 0.30),
        ),
        Bone(
            name="bowsprit", shape="tube", extent=(0.02, 0.02, 0.16), color=TIMBER,
            joint=(0.54, 0.0, 0.29), offset=(0.0, 0.0, 0.13), tilt=(0.0, 1.2, 0.0),
        ),
        *_mast("fore", 0.26, 1.1, -0.5),
        *_mast("main", -0.16, 1.25, 0.5),
        Bone(
            name="jib", shape="spike", extent=(0.16, 0.02, 0.30), joint=(0.55, 0.0, 0.65),
        ),
        Bone(
            name="spanker", shape="spike", extent=(0.15, 0.02, 0.26), joint=(-0.45, 0.0, 0.70),
            tilt=(0.0, 0.0, 0.35),
        ),
        *_flag(),
    ),
    pose=_sail,
    goes=("sails", "sails"),
    speed=(0.6, 1.1),
    stride=(1.0, 1.0),
    size=(0.84, 0.41, 0.77),
    radius=0.22,
)  # fmt: skip
