"""Places: what may be in a setting, in which light and weather, and what cannot be told there."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from worldreel.world.scene import ACTORS, LIGHTS, SETTINGS, THINGS, WEATHERS

SHORE = 1.1  # metres: the y at which the sandy coast's sea begins

_WATER = ("fish", "ship")
_LAND = (*THINGS, *(kind for kind in ACTORS if kind not in _WATER))


@dataclass(frozen=True, kw_only=True)
class Place:
    """kinds: what may be there. toy: how large actors are, as a share of their own size. far: the
    y in metres to which the ground reaches; sea: from where to where what sails may be."""

    kinds: tuple[str, ...] = _LAND
    lights: tuple[str, ...] = LIGHTS
    weathers: tuple[str, ...] = WEATHERS
    toy: float = 1.0
    far: float = 4.0
    sea: tuple[float, float] | None = None


PLACES = {
    "wooden table": Place(weathers=("clear",), toy=0.6, far=2.2),
    "meadow": Place(),
    "snowfield": Place(weathers=("clear", "snow", "fog")),
    "wet street": Place(lights=("night",)),  # neon needs the dark
    "sandy coast": Place(
        kinds=(*_LAND, "ship"), weathers=("clear", "rain", "fog"), far=0.95, sea=(SHORE + 0.2, 5.6)
    ),
    "desert": Place(weathers=("clear", "rain", "fog")),
    "coral reef": Place(kinds=(*THINGS, "fish"), weathers=("clear",)),
    "space station": Place(lights=("noon", "night"), weathers=("clear",), far=2.5),
}
assert tuple(PLACES) == SETTINGS


@dataclass(frozen=True, kw_only=True)
class Near:
    """Colours that cannot be told where all of these hold; () is everywhere or always."""

    colors: tuple[str, ...]
    settings: tuple[str, ...] = ()
    lights: tuple[str, ...] = ()
    weathers: tuple[str, ...] = ()


# Measured on renders of balls of all colours: those that lie nearer than 16 to the ground about
# them in CIELAB, or nearer than 13 to each other, and what is asking for too much of a viewer:
# black at night, green on grass by night, brown on sand, white on bright sand.
NEAR = (
    Near(colors=("black",), lights=("night",)),
    Near(colors=("white", "grey", "brown", "black"), weathers=("fog",)),
    Near(colors=("brown",), settings=("wooden table", "wet street", "sandy coast", "desert")),
    Near(colors=("grey",), settings=("wooden table",), lights=("noon",)),
    Near(colors=("green",), settings=("meadow",), lights=("night",)),
    Near(colors=("white",), settings=("snowfield",)),
    Near(colors=("grey",), settings=("snowfield",), weathers=("snow",)),
    Near(colors=("grey",), settings=("wet street", "sandy coast", "coral reef", "space station")),
    Near(colors=("white",), settings=("sandy coast", "desert"), lights=("noon",)),
    Near(colors=("grey",), settings=("desert",), lights=("night",)),
)


@functools.cache
def tells(color: str, setting: str, light: str, weather: str = "clear") -> bool:
    """Whether a thing of this colour stands out there, and its colour can be named."""
    return not any(
        color in near.colors
        and (not near.settings or setting in near.settings)
        and (not near.lights or light in near.lights)
        and (not near.weathers or weather in near.weathers)
        for near in NEAR
    )
