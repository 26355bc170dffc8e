"""What grounds and things are like to touch: how things slide, roll and bounce.

Plain numbers, so that `sample` can plan a motion and `stage` can give the same ground to MuJoCo.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Surface:
    """slide: Coulomb friction; roll: what a rolling thing loses of its speed, in metres per
    second squared; bounce: the share of its speed that a ball keeps when it bounces; gravity: in
    metres per second squared, under water what is left of it."""

    slide: float
    roll: float
    bounce: float
    gravity: float = 9.81


# Varnished wood, short dry grass, packed snow, asphalt under a film of water; packed sand by the
# sea, dunes, the sea's floor, plates of steel.
SURFACES = {
    "wooden table": Surface(slide=0.20, roll=0.06, bounce=0.78),
    "meadow": Surface(slide=0.30, roll=0.30, bounce=0.62),
    "snowfield": Surface(slide=0.08, roll=0.40, bounce=0.52),
    "wet street": Surface(slide=0.15, roll=0.08, bounce=0.74),
    "sandy coast": Surface(slide=0.35, roll=0.45, bounce=0.45),
    "desert": Surface(slide=0.35, roll=0.40, bounce=0.45),
    "coral reef": Surface(slide=0.30, roll=0.35, bounce=0.40, gravity=3.0),
    "space station": Surface(slide=0.18, roll=0.05, bounce=0.78),
}

# Rubber balls bounce best; solids with edges lose speed in every corner that touches.
LIVELINESS = {
    "ball": 1.0,
    "cube": 0.7,
    "cylinder": 0.7,
    "cone": 0.65,
    "ring": 0.7,
    "dominoes": 0.4,
    "blocks": 0.4,
}

THICKNESS = 0.16  # of a domino, as a share of its height


def start_speed(distance: float, seconds: float, deceleration: float) -> float:
    """The speed in m/s with which a thing covers `distance` in `seconds`, or comes to rest there.

    With s = v t - a t^2 / 2; when friction would stop it before the time is up, it travels the
    same distance in less time and rests.
    """
    speed = distance / seconds + deceleration * seconds / 2
    if speed < deceleration * seconds:
        return (2 * deceleration * distance) ** 0.5
    return speed
