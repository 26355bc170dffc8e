"""A scene as data, and a take: the record of a scene that was acted out.

A scene says what there is and what is meant to happen; it knows nothing of physics, pixels or
words. `stage` and `act` turn it into a take, `render` into pixels, `describe` into facts and
captions. Both are plain data: a scene is JSON that round-trips.

Units are metres and seconds. The world's axes are the viewer's in the first frame of a shot:
x to the right, y away from the viewer, z up; the ground is z = 0.
"""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from worldreel.errors import SceneError

FPS = 12

# What a scene may name. A new entry here, with its entries in the rooms that draw, move and
# describe it, is all that a new word of the world needs.
THINGS = ("ball", "cube", "cylinder", "cone", "ring", "dominoes", "blocks")  # physics moves them
ACTORS = (  # a rig moves them (`actors`)
    "woman", "man", "robot", "dog", "mammoth", "fish", "dragon", "car", "train", "ship",
)  # fmt: skip
KINDS = (*THINGS, *ACTORS)
COLORS: dict[str, tuple[float, float, float]] = {  # sRGB, as a person would pick them
    "red": (0.86, 0.08, 0.08),
    "orange": (1.00, 0.50, 0.03),
    "yellow": (0.98, 0.86, 0.06),
    "green": (0.08, 0.60, 0.14),
    "cyan": (0.05, 0.80, 0.85),
    "blue": (0.08, 0.20, 0.88),
    "purple": (0.50, 0.10, 0.70),
    "pink": (1.00, 0.45, 0.72),
    "white": (0.95, 0.95, 0.95),
    "black": (0.07, 0.07, 0.08),
    "brown": (0.42, 0.24, 0.10),
    "grey": (0.50, 0.51, 0.53),
}
SIZES = ("small", "medium", "large")
MATERIALS = ("matte", "glossy", "metal", "paper")
SETTINGS = (
    "wooden table", "meadow", "snowfield", "wet street", "sandy coast", "desert", "coral reef",
    "space station",
)  # fmt: skip
LIGHTS = ("noon", "sunset", "night", "overcast")
WEATHERS = ("clear", "snow", "rain", "fog")
STYLES = ("render", "paper craft", "black and white", "pixel art", "watercolour")
CAMERAS = (
    "static",
    "pan_left",
    "pan_right",
    "tilt_up",
    "tilt_down",
    "dolly_in",
    "dolly_out",
    "orbit_left",
    "orbit_right",
    "crane_up",
    "follow",
)
ACTIONS = (  # of things; a stack that is struck topples, a thing that lands on another stacks
    "rests", "rolls", "slides", "falls", "flies", "hits", "topples", "stacks",
    # of actors; a dragon flies too, a car and a train drive
    "stands", "walks", "runs", "swims", "sails", "drives",
)  # fmt: skip
EVENTS = ("stops", "turns", "jumps", "waves")  # what an actor does in the midst of it
DIRECTIONS = ("left", "right", "toward", "away")
KEYS = ("none", "left", "right", "forward", "back", "jump")  # what drives an actor in a game

# Every word of the world that its mirror image turns into another.
OTHER_SIDE = {
    "left": "right",
    "right": "left",
    **{f"{move}_left": f"{move}_right" for move in ("pan", "orbit")},
    **{f"{move}_right": f"{move}_left" for move in ("pan", "orbit")},
}

# The primitives that a renderer must draw, by index in `Take.shape`. Those of the first row carry
# a pattern, so that a turn of them shows; those of actors are plain. A frustum is a cone cut at
# half its width, a dome the upper half of a ball.
SHAPES = (
    "sphere", "box", "cylinder", "cone",
    "ellipsoid", "block", "tube", "spike", "frustum", "dome",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One thing or actor, where and how it starts.

    position: its centre (x, y, z) in metres; velocity in metres per second; spin in radians per
    second about the world's axes; rotation: a unit quaternion (w, x, y, z); extent: half sizes
    along its own axes in metres (a ball r, r, r; a cylinder or cone r, r, half its height; of an
    actor x is forward, y its left, z up; of a row or a stack those of the whole).
    action: what it is meant to do, one of ACTIONS, with a direction where it has one; target: the
    index of the thing that it is meant to hit or to land on. pieces: how many dominoes or blocks.
    event: what an actor does `at` so many seconds, one of EVENTS.
    """

    kind: str
    color: str
    size: str
    material: str
    extent: tuple[float, float, float]
    position: tuple[float, float, float]
    rotation: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    action: str = "rests"
    direction: str | None = None
    target: int | None = None
    pieces: int = 1
    event: str | None = None
    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera's move: where it looks from and at in the first frame, and how far it goes.

    eye and look_at in metres; amount: radians for a pan or an orbit, metres for a dolly, over the
    whole clip; fov: the vertical field of view in degrees at 16:9 (other aspects are framed so
    that the same width of the scene stays in view).
    """

    move: str
    eye: tuple[float, float, float]
    look_at: tuple[float, float, float]
    amount: float = 0.0
    fov: float = 40.0


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What there is and what is meant to happen, in one shot. `things[0]` is the subject.

    Several shots are several scenes of one seed (`shots`).
    """

    seed: int
    setting: str
    light: str
    things: tuple[Thing, ...]
    camera: Camera
    weather: str = "clear"
    style: str = "render"
    seconds: float = 2.0
    gravity: float = 9.81
    keys: tuple[str, ...] = ()  # one per four frames, that drive `things[0]`
    mirrored: bool = False  # textures too are drawn with left and right swapped
    version: int = field(default=1)

    def __post_init__(self) -> None:
        if not self.things:
            raise SceneError("the scene has no subject: give it at least one thing")
        known = [("setting", self.setting, SETTINGS), ("light", self.light, LIGHTS)]
        known += [("weather", self.weather, WEATHERS), ("style", self.style, STYLES)]
        known.append(("camera move", self.camera.move, CAMERAS))
        known += [("key", key, KEYS) for key in self.keys]
        for thing in self.things:
            known += [("kind", thing.kind, KINDS), ("color", thing.color, tuple(COLORS))]
            known += [("size", thing.size, SIZES), ("material", thing.material, MATERIALS)]
            known.append(("action", thing.action, ACTIONS))
            if thing.direction is not None:
                known.append(("direction", thing.direction, DIRECTIONS))
            if thing.event is not None:
                known.append(("event", thing.event, EVENTS))
            if abs(math.hypot(*thing.rotation) - 1) > 1e-3:
                raise SceneError(f"rotation {thing.rotation} is no unit quaternion")
            if thing.target is not None and not 0 <= thing.target < len(self.things):
                raise SceneError(f"target {thing.target} is none of {len(self.things)} things")
        if math.dist(self.camera.eye, self.camera.look_at) < 1e-3:
            raise SceneError("the camera looks at the place where it is: move its eye or look_at")
        for name, given, expected in known:
            if given not in expected:
                raise SceneError(f"unknown {name} {given!r}: one of {', '.join(expected)}")

    def to_json(self) -> str:
        """The scene as one line of JSON, the same bytes for the same scene."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Scene:
        """Inverse of `to_json`; a SceneError names what does not fit."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise SceneError(f"a scene must be JSON: {error}") from None
        return _build(cls, data, things=Thing, camera=Camera)


def mirror(scene: Scene) -> Scene:
    """The twin with left and right swapped; twice is the scene itself.

    Positions and velocities change the sign of x. A spin is an axial vector: its x stays, y and z
    change sign. What faced right faces left, and its own left is its right.
    """
    things = tuple(
        dataclasses.replace(
            thing,
            position=_flipped(thing.position, (0,)),
            velocity=_flipped(thing.velocity, (0,)),
            spin=_flipped(thing.spin, (1, 2)),
            rotation=_turned_over(thing.rotation),
            direction=thing.direction and OTHER_SIDE.get(thing.direction, thing.direction),
        )
        for thing in scene.things
    )
    move = scene.camera.move
    camera = dataclasses.replace(
        scene.camera,
        move=OTHER_SIDE.get(move, move),
        eye=_flipped(scene.camera.eye, (0,)),
        look_at=_flipped(scene.camera.look_at, (0,)),
    )
    keys = tuple(OTHER_SIDE.get(key, key) for key in scene.keys)
    return dataclasses.replace(
        scene, things=things, camera=camera, keys=keys, mirrored=not scene.mirrored
    )


def _flipped(values: tuple[float, ...], axes: tuple[int, ...]) -> tuple[float, ...]:
    return tuple(0.0 - v if axis in axes else v for axis, v in enumerate(values))  # never -0.0


def _turned_over(rotation: tuple[float, ...]) -> tuple[float, ...]:
    """The twin's quaternion: y and z change sign, then half a turn about its own z."""
    w, x, y, z = rotation
    return z, 0.0 - y, 0.0 - x, w


# The least and the greatest that a number of a scene file may be.
_BOUNDS = {
    "seed": (0, 2**63 - 1), "seconds": (0, 60), "gravity": (0.01, 100), "fov": (5, 150),
    "extent": (0.001, 50), "position": (-1000, 1000), "velocity": (-100, 100), "spin": (-200, 200),
    "rotation": (-1.001, 1.001), "eye": (-1000, 1000), "look_at": (-1000, 1000), "at": (0, 60),
    "pieces": (1, 12),
}  # fmt: skip


def _build(cls: type, data: Any, **parts: type) -> Any:
    name = cls.__name__
    if not isinstance(data, dict):
        raise SceneError(f"{name} is a JSON object, not {json.dumps(data)[:40]}")
    kinds = typing.get_type_hints(cls)
    unknown = sorted(set(data) - set(kinds))
    if unknown:
        raise SceneError(f"unknown key {unknown[0]!r} in {name}: one of {sorted(kinds)}")
    fields = dataclasses.fields(cls)
    missing = [f.name for f in fields if f.default is dataclasses.MISSING and f.name not in data]
    if missing:
        raise SceneError(f"{name} has no {missing[0]!r}, which it needs")
    values = {}
    for key, value in data.items():
        if key in parts and isinstance(value, list):
            values[key] = tuple(_build(parts[key], item) for item in value)
        elif key in parts:
            values[key] = _build(parts[key], value)
        else:
            values[key] = tuple(value) if isinstance(value, list) else value
        if not _fits(values[key], kinds[key]):
            given = json.dumps(value)[:40]
            raise SceneError(f"{key!r} of {name} is {given}: it must be {_told(kinds[key])}")
        low, high = _BOUNDS.get(key, (-math.inf, math.inf))
        numbers = values[key] if isinstance(values[key], tuple) else (values[key],)
        if any(isinstance(n, int | float) and not low <= n <= high for n in numbers):
            raise SceneError(f"{key!r} of {name} is {value}: it must be from {low} to {high}")
    return cls(**values)


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of an annotated type; whole numbers are floats too, truth is no number."""
    inner = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        every = inner[:1] * len(value) if inner[-1] is ... else inner
        return len(value) == len(every) and all(map(_fits, value, every))
    if inner:
        return any(_fits(value, one) for one in inner)
    if kind in (int, float):
        known = int if kind is int else (int, float)
        return isinstance(value, known) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, kind)


def _told(kind: Any) -> str:
    """A type in words."""
    plain = {float: "a number", int: "a whole number", str: "a word", bool: "true or false"}
    inner = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        each = plain.get(inner[0], inner[0].__name__)
        return f"a list of {each}s" if inner[-1] is ... else f"{len(inner)} numbers"
    if inner:
        return " or ".join(_told(one) for one in inner)
    return plain.get(kind, "null" if kind is type(None) else "a JSON object")


@dataclass(frozen=True, kw_only=True)
class Take:
    """A scene that was acted out: all that a camera sees, frame by frame, in plain arrays.

    F frames, N primitives, M things. A thing may be built of several primitives; `owner` says which
    thing (1 is `things[0]`; 0 is kept for the ground and the sky). A thing's centre is that of the
    box that it fills (of its first piece for a row or a stack). Rotations map a body's own axes to
    the world's. `look` has rows right, up, forward: a direction d in the world is `look @ d` in the
    camera's axes. Contacts are (frame, owner, owner, impulse in newton seconds), the ground 0.
    """

    scene: Scene
    fps: int
    shape: np.ndarray  # (N,) int64, index into SHAPES
    extent: np.ndarray  # (N, 3) float32, half sizes as in `Thing.extent`
    color: np.ndarray  # (N, 3) float32, sRGB in 0..1
    gloss: np.ndarray  # (N,) float32, 0 matte to 1 mirror
    owner: np.ndarray  # (N,) int64, from 1
    position: np.ndarray  # (F, N, 3) float32
    rotation: np.ndarray  # (F, N, 3, 3) float32
    velocity: np.ndarray  # (F, N, 3) float32
    centre: np.ndarray  # (F, M, 3) float32
    facing: np.ndarray  # (F, M, 2) float32, the way an actor faces, unit; 0 for what has no front
    eye: np.ndarray  # (F, 3) float32
    look: np.ndarray  # (F, 3, 3) float32
    fov: float  # vertical, degrees, for the aspect that was asked for
    contacts: tuple[tuple[int, int, int, float], ...]

    @property
    def num_frames(self) -> int:
        return len(self.position)

    def at(self, frames: np.ndarray | slice) -> Take:
        """The take of some of its frames alone, by number; contacts keep theirs."""
        moving = ("position", "rotation", "velocity", "centre", "facing", "eye", "look")
        return dataclasses.replace(self, **{name: getattr(self, name)[frames] for name in moving})
