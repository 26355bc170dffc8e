"""Seeds to scenes: what there is, where it stands, how it starts to move, who films it.

The discrete facts are drawn first and kept; positions and speeds are then drawn until the scene
says something: everything stays in view, is large enough to be told apart, and what is meant to
happen happens inside the clip. The check here is a straight line between start and end; the
exact one is the simulation's (`act.stage_scene`).
"""

from __future__ import annotations

import functools
import hashlib
import math

import numpy as np

from worldreel.errors import SceneError
from worldreel.world.camera import in_view, poses, seen
from worldreel.world.scene import (
    CAMERAS,
    COLORS,
    FPS,
    KINDS,
    LIGHTS,
    MATERIALS,
    SETTINGS,
    SIZES,
    Camera,
    Scene,
)
from worldreel.world.stories import FOV, STORIES, TRAVELS, Plan, pixels_per_tangent, three

SPLITS = (None, "held_out")

# The held-out pairs are those whose hash falls into the lowest tenth. The salt is one of those for
# which this world of 32 colour x kind and 16 kind x setting pairs holds out four and two, each of
# another colour, kind and setting, so that training still sees every word with seven or three
# others; and the pair of everyone's first prompt, a red ball, is seen. Fixed for good: a new word
# brings its own pairs and moves none of the old.
SALT = "worldreel 2708"
HELD_OUT_SHARE = 0.1

NEAREST_PIXELS, FURTHEST_PIXELS = 46.0, 12.0  # a subject's size in a frame 144 pixels wide


@functools.cache
def _share(*names: str) -> float:
    digest = hashlib.sha256(f"{SALT}: {', '.join(names)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def held_out(color: str, kind: str) -> bool:
    """Whether no thing of this colour and kind is ever shown in training."""
    return _share(color, kind) < HELD_OUT_SHARE


def held_out_setting(kind: str, setting: str) -> bool:
    """Whether no thing of this kind is ever shown in this setting in training."""
    return _share(kind, setting) < HELD_OUT_SHARE


def sample(seed: int, *, split: str | None = None, seconds: float = 2.0) -> Scene:
    """The scene of a seed, always the same one.

    split: None for the ordinary mix, without any held-out pair; "held_out" for scenes whose
    subject is of a held-out pair. seconds under half a second: a still, where everything rests.
    """
    if split not in SPLITS:
        raise SceneError(f"unknown split {split!r}: None or 'held_out'")
    rng = np.random.default_rng([seed, SPLITS.index(split), round(seconds * FPS)])
    for _ in range(50):
        plan = _plan(rng, split, seconds)
        for _ in range(200):
            scene = _compose(rng, plan, seed)
            if scene is not None:
                return scene
    raise SceneError(f"no scene of {seconds} s for seed {seed}: the world's stories do not fit")


def _pick(rng: np.random.Generator, values) -> str:
    return values[int(rng.integers(len(values)))]


def _plan(rng: np.random.Generator, split: str | None, seconds: float) -> Plan:
    still = seconds < 0.5
    two = rng.random() < 0.4
    story = _weighted(rng, (_STILL_MIX if still else _MIX)[two])
    setting, kind, color = _subject(rng, split)
    looks = [(kind, color, _pick(rng, SIZES), _pick(rng, MATERIALS))]
    if story == "twins":
        looks.append(looks[0])
    elif two:
        kinds = [k for k in KINDS if not held_out_setting(k, setting)]
        other = _pick(rng, kinds)
        colors = [c for c in COLORS if c != color and not held_out(c, other)]
        looks.append((other, _pick(rng, colors), _pick(rng, SIZES), _pick(rng, MATERIALS)))
    lateral = story == "hits" or rng.random() < 0.45
    direction = _pick(rng, ("left", "right") if lateral else ("toward", "away"))
    move = "static" if still or rng.random() < 0.5 else _pick(rng, CAMERAS[1:])
    while move.startswith("dolly") and not lateral and story in ("travels", "passes"):
        move = _pick(rng, CAMERAS[1:])  # its size in the picture would say nothing of its motion
    # Neon needs the dark: a wet street is always at night.
    light = "night" if setting == "wet street" else _pick(rng, LIGHTS)
    return Plan(
        story=story,
        setting=setting,
        light=light,
        move=move,
        direction=direction,
        travel=_pick(rng, TRAVELS[kind]),
        looks=tuple(looks),
        seconds=seconds,
    )


# How often each story is told, with one thing and with two; stills have no motion to tell.
_MIX = (
    {"travels": 0.55, "falls": 0.28, "rests": 0.17},
    {"hits": 0.32, "pair": 0.33, "twins": 0.08, "passes": 0.27},
)
_STILL_MIX = ({"rests": 1.0}, {"pair": 0.8, "twins": 0.2})


def _weighted(rng: np.random.Generator, weights: dict[str, float]) -> str:
    return str(rng.choice(list(weights), p=list(weights.values())))


def _subject(rng: np.random.Generator, split: str | None) -> tuple[str, str, str]:
    """Setting, kind and colour of the subject: all pairs seen, or one of them held out."""
    wanted = (False, False)
    if split == "held_out":
        wanted = (True, False) if rng.random() < 0.5 else (False, True)
    kinds = [kind for kind in KINDS if _choices(kind, *wanted)]
    kind = _pick(rng, kinds)
    setting, color = _pick(rng, _choices(kind, *wanted))
    return setting, kind, color


def _choices(kind: str, by_color: bool, by_setting: bool) -> list[tuple[str, str]]:
    """The settings and colours of a kind whose pairs with it are held out as asked for."""
    return [
        (setting, color)
        for setting in SETTINGS
        if held_out_setting(kind, setting) is by_setting
        for color in COLORS
        if held_out(color, kind) is by_color
    ]


def _compose(rng: np.random.Generator, plan: Plan, seed: int) -> Scene | None:
    """One try at a scene of this plan: None when it would say nothing."""
    camera = _camera(rng, plan)
    things, ends = STORIES[plan.story](rng, plan, camera)
    scene = Scene(
        seed=seed,
        setting=plan.setting,
        light=plan.light,
        things=tuple(things),
        camera=camera,
        seconds=plan.seconds,
    )
    return scene if _says_something(scene, ends) else None


def _camera(rng: np.random.Generator, plan: Plan) -> Camera:
    distance = rng.uniform(3.5, 4.1)
    amounts = {
        "static": (0.0, 0.0),
        "pan": (0.17, 0.32),
        "dolly": (0.8, 1.2),
        "orbit": (0.45, 0.8),
    }
    amount = rng.uniform(*amounts[plan.move.split("_")[0]])
    # A dolly starts far or near, so that its middle is where other cameras stand.
    distance += {"dolly_in": 0.5, "dolly_out": -0.5}.get(plan.move, 0.0) * amount
    height = rng.uniform(1.0, 1.5)
    pitch = rng.uniform(0.11, 0.16) if plan.story == "falls" else rng.uniform(0.13, 0.22)
    return Camera(
        move=plan.move,
        eye=three(0.0, -distance, height),
        look_at=three(0.0, 0.0, height - distance * math.tan(pitch)),
        amount=round(amount, 4),
        fov=FOV,
    )


def _says_something(scene: Scene, ends: list[tuple[float, ...]]) -> bool:
    """Whether all stays in view and apart, and is neither too small nor too large to tell."""
    along = np.linspace(0.0, 1.0, 5)[:, None]
    eye, look = poses(scene.camera, len(along))
    paths = [
        (1 - along) * thing.position + along * np.array(end)
        for thing, end in zip(scene.things, ends, strict=True)
    ]
    first = []
    for thing, path in zip(scene.things, paths, strict=True):
        radius = max(thing.extent)
        if not in_view(path, radius, eye, look, scene.camera.fov).all():
            return False
        place, depth = seen(path, eye, look, scene.camera.fov)
        pixels = 2 * min(thing.extent) * pixels_per_tangent() / depth
        if pixels.min() < FURTHEST_PIXELS or pixels.max() > NEAREST_PIXELS:
            return False
        first.append((place[0, 0], radius * pixels_per_tangent() / 72 / depth[0]))
    if len(scene.things) == 1:
        return True
    if scene.things[0].action != "hits":
        room = max(scene.things[0].extent) + max(scene.things[1].extent) + 0.1
        if np.linalg.norm(paths[0] - paths[1], axis=1).min() < room:
            return False
    # Side by side in the first frame, never one behind the other.
    (here, half), (there, other_half) = first
    return abs(here - there) > half + other_half
