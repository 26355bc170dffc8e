"""Scenes acted out: MuJoCo moves the things, the camera makes its move, all of it is written down.

`act` plays one scene. `stage_scene` plays the scenes of a seed until one does what it says. What
physics adds to a scene is a `Motion`; `taken` makes the take of both, and needs no MuJoCo.
"""

from __future__ import annotations

import hashlib
from collections.abc import Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from worldreel.errors import SceneError
from worldreel.world import stage
from worldreel.world.actors import RIGS
from worldreel.world.actors.path import follow, scale
from worldreel.world.actors.rig import posed, turned
from worldreel.world.camera import field_of_view, poses
from worldreel.world.sample import sample, shots
from worldreel.world.scene import ACTORS, COLORS, FPS, SHAPES, Scene, Take, mirror
from worldreel.world.stage import GLOSS, STEPS_PER_SECOND, sensed
from worldreel.world.surface import Surface
from worldreel.world.verdict import confirm

if TYPE_CHECKING:
    import mujoco

_STEPS = STEPS_PER_SECOND // FPS  # per frame
_TRIES = 100


def act(
    scene: Scene, *, size: tuple[int, int] = (256, 144), surface: Surface | None = None
) -> Take:
    """The scene simulated and filmed at 12 frames per second; the same bytes for the same scene.

    size: (width, height) of the picture, on which only the field of view depends. surface: another
    ground than the setting's. A clip of 0 seconds has one frame. A mirrored scene is its twin's
    take reflected, exactly.
    """
    if scene.mirrored:
        return reflect(act(mirror(scene), size=size, surface=surface))
    frames = max(1, round(scene.seconds * FPS))
    return taken(scene, _played(scene, frames, surface), size=size)


@dataclass(frozen=True, kw_only=True)
class Motion:
    """How physics moved the B bodies of a scene (`stage.bodies`), and what touched what.

    pose: (F, B, 7) where a body is and its quaternion, w first; contacts: as in a take; speed:
    (F, B, 6) metres per second, and radians per second about its own axes, None where only the
    poses tell. Actors are no bodies.
    """

    pose: np.ndarray
    contacts: tuple[tuple[int, int, int, float], ...]
    speed: np.ndarray | None = None


def taken(scene: Scene, motion: Motion, *, size: tuple[int, int]) -> Take:
    """The take of a scene, not mirrored, whose bodies moved so; size: as for `act`."""
    frames = len(motion.pose)
    moved = _moved(scene, motion)
    made = [
        _performed(scene, index, frames) if thing.kind in ACTORS else moved[index]
        for index, thing in enumerate(scene.things)
    ]
    eye, look = poses(scene.camera, frames, follow=made[0].centre)
    whole = {name: np.concatenate([getattr(m, name) for m in made]) for name in _PER_PART}
    moving = {
        name: np.concatenate([getattr(m, name) for m in made], axis=1).astype(np.float32)
        for name in _PER_FRAME
    }
    return Take(
        scene=scene,
        fps=FPS,
        owner=np.repeat(np.arange(1, len(made) + 1), [len(m.shape) for m in made]),
        **whole,
        **moving,
        centre=np.stack([m.centre for m in made], axis=1).astype(np.float32),
        facing=np.stack([m.facing for m in made], axis=1).astype(np.float32),
        eye=eye.astype(np.float32),
        look=look.astype(np.float32),
        fov=field_of_view(scene.camera.fov, size),
        contacts=motion.contacts,
    )


_PER_PART = ("shape", "extent", "color", "gloss")
_PER_FRAME = ("position", "rotation", "velocity")


@dataclass(frozen=True, kw_only=True)
class _Made:
    """One thing of a take: its primitives' fields, its own centre and where it faces."""

    shape: np.ndarray
    extent: np.ndarray
    color: np.ndarray
    gloss: np.ndarray
    position: np.ndarray
    rotation: np.ndarray
    velocity: np.ndarray
    centre: np.ndarray
    facing: np.ndarray


def _played(scene: Scene, frames: int, surface: Surface | None) -> Motion:
    count = len(stage.bodies(scene))
    if not count:
        return Motion(pose=np.zeros((frames, 0, 7)), contacts=())
    model = stage.build(scene, surface)
    data = stage.begin(scene, model)
    states, forces = _simulate(model, data, (frames - 1) * _STEPS)
    return Motion(
        pose=states[::_STEPS, 1 : 1 + 7 * count].reshape(frames, count, 7),
        speed=states[::_STEPS, 1 + 7 * count : 1 + 13 * count].reshape(frames, count, 6),
        contacts=_impulses(scene, forces, frames),
    )


def _moved(scene: Scene, motion: Motion) -> dict[int, _Made]:
    """The things that physics moves, by their number in the scene."""
    bodies, pose, speed = stage.bodies(scene), motion.pose, motion.speed
    turn = _matrices(pose[..., 3:])
    made = {}
    for index in dict.fromkeys(body.thing for body in bodies):
        thing = scene.things[index]
        own = [i for i, body in enumerate(bodies) if body.thing == index]
        parts = [(i, part) for i in own for part in bodies[i].parts]
        at = [i for i, _ in parts]
        offset = np.array([part.offset for _, part in parts])
        inner = np.array([part.turn for _, part in parts])
        arm = np.einsum("fpij,pj->fpi", turn[:, at], offset)
        position = pose[:, at, :3] + arm
        velocity = _velocity(position)
        if speed is not None:
            # MuJoCo turns a free body about its own axes.
            spin = np.einsum("fpij,fpj->fpi", turn[:, at], speed[:, at, 3:])
            velocity = speed[:, at, :3] + np.cross(spin, arm)
        coat, light = np.array(COLORS[thing.color]), np.array([[p.light] for _, p in parts])
        made[index] = _Made(
            shape=np.array([SHAPES.index(part.shape) for _, part in parts]),
            extent=np.array([part.extent for _, part in parts], np.float32),
            color=(coat + (1 - coat) * light).astype(np.float32),
            gloss=np.full(len(parts), GLOSS[thing.material], np.float32),
            position=position,
            rotation=turn[:, at] @ inner,
            velocity=velocity,
            centre=pose[:, own[0], :3],
            facing=np.zeros((len(pose), 2)),
        )
    return made


def _velocity(position: np.ndarray) -> np.ndarray:
    """Metres per second of what was at these places, frame by frame."""
    return np.gradient(position, 1 / FPS, axis=0) if len(position) > 1 else 0 * position


def _performed(scene: Scene, index: int, frames: int) -> _Made:
    """An actor: its rig on its path."""
    thing = scene.things[index]
    rig = RIGS[thing.kind]
    keys = scene.keys if index == 0 else ()
    path = follow(thing, rig, frames, gravity=scene.gravity, keys=keys)
    size = scale(thing, rig)
    centres, turns = posed(rig, path.gait, size)
    root = turned(np.stack([0 * path.heading, 0 * path.heading, path.heading], axis=1))
    position = path.origin[:, None] + np.einsum("fij,fpj->fpi", root, centres)
    coat = np.array(COLORS[thing.color])
    colors = [coat if bone.color == "coat" else np.array(bone.color) for bone in rig.bones]
    shades = np.array([[bone.shade] for bone in rig.bones])
    return _Made(
        shape=np.array([SHAPES.index(bone.shape) for bone in rig.bones]),
        extent=size * np.array([bone.extent for bone in rig.bones], np.float32),
        color=np.clip(np.array(colors) * shades, 0, 1).astype(np.float32),
        gloss=np.array([bone.gloss for bone in rig.bones], np.float32),
        position=position,
        rotation=root[:, None] @ turns,
        velocity=_velocity(position),
        centre=path.origin + (0.0, 0.0, thing.extent[2]),
        facing=np.stack([np.cos(path.heading), np.sin(path.heading)], axis=1),
    )


def stage_scene(
    seed: int,
    *,
    split: str | None = None,
    seconds: float = 2.0,
    size: tuple[int, int] = (256, 144),
    within: Set[str] | None = None,
    story: str | None = None,
) -> Take:
    """The take of a seed: the first of its scenes that, acted out, does what it says.

    The first try is `sample(seed)` itself, later ones are of seeds derived from it; the accepted
    scene is the take's. What is checked is in `verdict.confirm`; the arguments are those of
    `sample`, and `size` is that of `act`.
    """
    for attempt in range(_TRIES):
        scene = sample(
            _derived(seed, attempt), split=split, seconds=seconds, within=within, story=story
        )
        take = act(scene, size=size)
        if confirm(take) is None:
            return take
    raise SceneError(f"no scene of seed {seed} came out as planned in {_TRIES} tries")


def stage_shots(
    seed: int,
    *,
    split: str | None = None,
    seconds: float = 6.0,
    size: tuple[int, int] = (256, 144),
    within: Set[str] | None = None,
) -> tuple[Take, ...]:
    """The takes of one to three shots of a seed (`sample.shots`), each as `stage_scene` has it."""
    for attempt in range(_TRIES):
        scenes = shots(_derived(seed, attempt), split=split, seconds=seconds, within=within)
        takes = tuple(act(scene, size=size) for scene in scenes)
        if all(confirm(take) is None for take in takes):
            return takes
    raise SceneError(f"no shots of seed {seed} came out as planned in {_TRIES} tries")


def _derived(seed: int, attempt: int) -> int:
    if attempt == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed} {attempt}".encode()).digest()[:6], "big")


def reflect(take: Take) -> Take:
    """The mirrored twin's take: left and right swapped in everything, exactly."""
    flip = np.array([-1, 1, 1], np.float32)
    turn = np.outer(flip, flip)  # every primitive is its own mirror image
    return replace(
        take,
        scene=mirror(take.scene),
        position=take.position * flip + 0.0,
        rotation=take.rotation * turn + 0.0,
        velocity=take.velocity * flip + 0.0,
        centre=take.centre * flip + 0.0,
        facing=take.facing * flip[:2] + 0.0,
        eye=take.eye * flip + 0.0,
        # A camera's right is the mirror image of its left; up and forward are just mirrored.
        look=take.look * (np.array([[-1], [1], [1]], np.float32) * flip) + 0.0,
    )


def _simulate(
    model: mujoco.MjModel, data: mujoco.MjData, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """States (steps + 1, ...) from the start on, and contact forces (steps, pairs, 3) in N."""
    import mujoco
    from mujoco import rollout

    kind = mujoco.mjtState.mjSTATE_FULLPHYSICS
    start = np.zeros(mujoco.mj_stateSize(model, kind))
    mujoco.mj_getState(model, data, start, kind)
    if steps == 0:
        return start[None], np.zeros((0, model.nsensor, 3))
    states, sensed = rollout.rollout(model, data, start[None], nstep=steps)
    return np.concatenate([start[None], states[0]]), sensed[0].reshape(steps, -1, 3)


def _impulses(
    scene: Scene, forces: np.ndarray, frames: int
) -> tuple[tuple[int, int, int, float], ...]:
    """What touched what, and how hard, between each frame and the one before it.

    Of a row or a stack, the touches of all its pieces together.
    """
    size = np.linalg.norm(forces, axis=2).reshape(frames - 1, _STEPS, forces.shape[1]).sum(1)
    touched: dict[tuple[int, int, int], float] = {}
    for pair, owners in enumerate(sensed(scene)):
        for frame in np.flatnonzero(size[:, pair]):
            key = (int(frame) + 1, *owners)
            touched[key] = touched.get(key, 0.0) + float(size[frame, pair]) / STEPS_PER_SECOND
    return tuple((*key, round(impulse, 6)) for key, impulse in sorted(touched.items()))


def _matrices(quaternions: np.ndarray) -> np.ndarray:
    """(..., 4) as w, x, y, z to (..., 3, 3)."""
    q = quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)
    w, x, y, z = np.moveaxis(q, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))
