"""Plans and what is placed for them: the tools that every story tells with.

A story knows the ground (`surface`) and solves for the speed that covers the distance in the clip's
time; whether it comes out so is for the simulation to say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from worldreel.world.actors import RIGS
from worldreel.world.camera import WIDE
from worldreel.world.place import PLACES
from worldreel.world.scene import Camera, Thing
from worldreel.world.surface import SURFACES, THICKNESS, Surface

FOV = 40.0  # degrees, vertical at 16:9: about 66 across
SAMPLES = 9  # points of time, evenly over the clip, at which a plan is looked at
RADII = {"small": 0.29, "medium": 0.37, "large": 0.47}  # metres
SCALES = {"small": 0.8, "medium": 1.0, "large": 1.2}  # of an actor
HEADING = {"right": 0.0, "left": math.pi, "away": math.pi / 2, "toward": -math.pi / 2}
_SHAPE = {  # half sizes as shares of the radius: about the same area in the picture for all kinds
    "ball": (1.0, 1.0, 1.0),
    "cube": (0.88, 0.88, 0.88),
    "cylinder": (0.82, 0.82, 1.0),
    "cone": (0.95, 0.95, 1.08),
    "ring": (1.08, 1.08, 0.24),
}
_BLOCK = {2: 0.62, 3: 0.54, 4: 0.45}  # half a block's side by their number, as a share
_SLAB = 0.85  # half a domino's height, as a share of the radius

Spot = tuple[float, float]
Three = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a thing or an actor is like, before it has a place."""

    kind: str
    color: str
    size: str
    material: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The discrete half of a scene, drawn first. story: one of STORIES.

    direction: of the subject, where the story moves it; manner: the word for how it moves; event:
    what an actor does in the midst of it. looks: the subject first. middle: the y in metres round
    which all happens.
    """

    story: str
    setting: str
    light: str
    weather: str
    style: str
    move: str
    direction: str
    manner: str
    event: str | None
    looks: tuple[Look, ...]
    seconds: float
    middle: float = 0.0

    @property
    def surface(self) -> Surface:
        return SURFACES[self.setting]


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A thing with its place, and where the plan sees it at SAMPLES points of time.

    track: its centre, (SAMPLES, 3); half: half sizes along the world's axes of the box that it
    stays in, (3,). loose: whether it may leave the picture, as what is struck may.
    """

    thing: Thing
    track: np.ndarray
    half: np.ndarray
    loose: bool = False
    keys: tuple[str, ...] = ()


Tell = Callable[[np.random.Generator, Plan, Camera], "list[Placed] | None"]


@dataclass(frozen=True, kw_only=True)
class Story:
    """A row of STORIES. tell: places what plays a part in it, None where it does not fit.

    manners: for each kind that can be its subject, the words for how it does what it does; cast:
    the kinds that can play each of its other parts. says: words that it always needs. share: how
    often it is told, beside others. more: how often 0, 1, 2.. others are there, which only rest
    or, if `together`, go with the subject; alike: how often they all look the same. events: what
    the subject may do in the midst of it. seconds: the least that it takes. moves: whether the
    subject goes in a direction, one of `ways`; follow: whether a camera may follow it. larger: 1
    if it is no smaller than its target, -1 if no larger. room: how much further away than from
    others the camera stands.
    """

    tell: Tell
    manners: Mapping[str, tuple[str, ...]]
    cast: tuple[tuple[str, ...], ...] = ()
    says: tuple[str, ...] = ()
    share: float
    more: tuple[float, ...] = (1.0,)
    together: bool = False
    alike: float = 0.0
    events: tuple[str, ...] = ()
    seconds: float = 0.5
    moves: bool = False
    ways: tuple[str, ...] = ("left", "right")
    follow: bool = False
    larger: int = 0
    room: float = 1.0


def three(x: float, y: float, z: float) -> Three:
    """Plain numbers to a hundredth of a millimetre, so that a scene's JSON is short; never -0.0."""
    return round(float(x), 5) + 0.0, round(float(y), 5) + 0.0, round(float(z), 5) + 0.0


def turned(yaw: float, tilt: float = 0.0) -> tuple[float, float, float, float]:
    """The quaternion of a tilt toward x, then a turn by yaw about the vertical (radians)."""
    cz, sz, ct, st = (f(a / 2) for a in (yaw, tilt) for f in (math.cos, math.sin))
    return (round(cz * ct, 6) + 0.0, *three(-sz * st, cz * st, sz * ct))


def made(
    rng: np.random.Generator,
    plan: Plan,
    look: Look,
    *,
    yaw: float | None = None,
    lying: float | None = None,
    pieces: int = 0,
) -> Thing:
    """A thing or an actor of this look that stands on the ground at the origin.

    yaw: which way its front points, in radians to the left of the viewer's right; at random if
    None. lying: for a cylinder or a ring, the way its axis points. pieces: of a row or a stack,
    drawn if 0.
    """
    if look.kind in RIGS:
        rig = RIGS[look.kind]
        size = SCALES[look.size] * PLACES[plan.setting].toy * rng.uniform(0.96, 1.04)
        extent = three(*(size * half for half in rig.size))
        height = extent[2] + size * rig.float_
    else:
        radius = RADII[look.size] * rng.uniform(0.96, 1.04)
        if look.kind == "dominoes":
            pieces = pieces or int(rng.integers(4, 8))
            high = _SLAB * radius
            long = (pieces - 1) * rng.uniform(0.8, 1.1) * high / 2 + THICKNESS * high
            extent = three(long, 0.55 * high, high)
        elif look.kind == "blocks":
            pieces = pieces or int(rng.integers(2, 5))
            side = _BLOCK[pieces] * radius
            extent = three(side, side, pieces * side)
        else:
            extent = three(*(radius * share for share in _SHAPE[look.kind]))
        height = extent[2] if lying is None else extent[0]
    yaw = rng.uniform(-math.pi, math.pi) if yaw is None else yaw
    return Thing(
        kind=look.kind,
        color=look.color,
        size=look.size,
        material=look.material,
        extent=extent,
        position=three(0.0, 0.0, height),
        rotation=turned(yaw) if lying is None else turned(lying, math.pi / 2),
        pieces=max(pieces, 1),
    )


def moved(thing: Thing, x: float, y: float, up: float = 0.0) -> Thing:
    """The thing at another place on the ground, and so much higher."""
    return replace(thing, position=three(x, y, thing.position[2] + up))


def half_sizes(thing: Thing) -> np.ndarray:
    """Half sizes along the world's axes of the box that it fills as it stands, (3,) in metres."""
    extent = np.array(thing.extent)
    if thing.kind == "ball":
        return extent
    w, x, y, z = thing.rotation
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    if thing.kind in ("cylinder", "cone", "ring"):  # round about their own z
        side = np.sqrt(np.maximum(1 - turn[:, 2] ** 2, 0.0)) * extent[0]
        return side + np.abs(turn[:, 2]) * extent[2]
    return np.abs(turn) @ extent


def at_rest(thing: Thing, *, loose: bool = False) -> Placed:
    """The thing where it is, for the whole clip."""
    track = np.repeat(np.array([thing.position]), SAMPLES, axis=0)
    return Placed(thing=thing, track=track, half=half_sizes(thing), loose=loose)


def straight(thing: Thing, end: Three | np.ndarray, half: np.ndarray | None = None) -> Placed:
    """The thing on a straight way to its end."""
    along = np.linspace(0.0, 1.0, SAMPLES)[:, None]
    track = (1 - along) * np.array(thing.position) + along * np.array(end)
    return Placed(thing=thing, track=track, half=half_sizes(thing) if half is None else half)


def view_width(camera: Camera, y: float = 0.0) -> float:
    """How many metres the first frame spans at y."""
    return 2 * math.tan(math.radians(camera.fov) / 2) * WIDE * (y - camera.eye[1])


def pixels_per_tangent() -> float:
    return 144 / 2 / math.tan(math.radians(FOV) / 2) / WIDE
