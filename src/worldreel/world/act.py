"""Scenes acted out: MuJoCo moves the things, the camera makes its move, all of it is written down.

`act` plays one scene. `stage_scene` plays the scenes of a seed until one does what it says.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import mujoco
import numpy as np
from mujoco import rollout

from worldreel.errors import SceneError
from worldreel.world.camera import field_of_view, poses
from worldreel.world.facts import confirm
from worldreel.world.sample import sample
from worldreel.world.scene import COLORS, FPS, Scene, Take, mirror
from worldreel.world.stage import GLOSS, STEPS_PER_SECOND, begin, build, parts, touching

_STEPS = STEPS_PER_SECOND // FPS  # per frame


def act(scene: Scene, *, size: tuple[int, int] = (256, 144)) -> Take:
    """The scene simulated and filmed at 12 frames per second; the same bytes for the same scene.

    size: (width, height) of the picture, on which only the field of view depends. A clip of 0
    seconds has one frame. A mirrored scene is its twin's take reflected, exactly.
    """
    if scene.mirrored:
        return reflect(act(mirror(scene), size=size))
    frames = max(1, round(scene.seconds * FPS))
    model = build(scene)
    data = begin(scene, model)
    states, forces = _simulate(model, data, (frames - 1) * _STEPS)
    count = len(scene.things)
    pose = states[::_STEPS, 1 : 1 + 7 * count].reshape(frames, count, 7)
    speed = states[::_STEPS, 1 + 7 * count : 1 + 13 * count].reshape(frames, count, 6)
    built = [
        (owner, shape) for owner in range(1, count + 1) for shape in parts(scene.things[owner - 1])
    ]
    who = np.array([owner - 1 for owner, _ in built])
    eye, look = poses(scene.camera, frames)
    return Take(
        scene=scene,
        fps=FPS,
        shape=np.array([shape for _, shape in built]),
        extent=np.array([scene.things[i].extent for i in who], np.float32),
        color=np.array([COLORS[scene.things[i].color] for i in who], np.float32),
        gloss=np.array([GLOSS[scene.things[i].material] for i in who], np.float32),
        owner=who + 1,
        position=pose[:, who, :3].astype(np.float32),
        rotation=_matrices(pose[:, who, 3:]).astype(np.float32),
        velocity=speed[:, who, :3].astype(np.float32),
        eye=eye.astype(np.float32),
        look=look.astype(np.float32),
        fov=field_of_view(scene.camera.fov, size),
        contacts=_impulses(scene, forces, frames),
    )


def stage_scene(
    seed: int,
    *,
    split: str | None = None,
    seconds: float = 2.0,
    size: tuple[int, int] = (256, 144),
) -> Take:
    """The take of a seed: the first of its scenes that, acted out, does what it says.

    The first try is `sample(seed)` itself, later ones are of seeds derived from it; the accepted
    scene is the take's. What is checked is in `facts.confirm`.
    """
    for attempt in range(100):
        take = act(sample(_derived(seed, attempt), split=split, seconds=seconds), size=size)
        if confirm(take) is None:
            return take
    raise SceneError(f"no scene of seed {seed} came out as planned in 100 tries")


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
        eye=take.eye * flip + 0.0,
        # A camera's right is the mirror image of its left; up and forward are just mirrored.
        look=take.look * (np.array([[-1], [1], [1]], np.float32) * flip) + 0.0,
    )


def _simulate(
    model: mujoco.MjModel, data: mujoco.MjData, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """States (steps + 1, ...) from the start on, and contact forces (steps, pairs, 3) in N."""
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
    """What touched what, and how hard, between each frame and the one before it."""
    size = np.linalg.norm(forces, axis=2).reshape(frames - 1, _STEPS, forces.shape[1]).sum(1)
    size = size / STEPS_PER_SECOND
    return tuple(
        (frame + 1, low, high, round(float(size[frame, pair]), 6))
        for frame in range(frames - 1)
        for pair, (low, high) in enumerate(touching(scene))
        if size[frame, pair] > 0
    )


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
