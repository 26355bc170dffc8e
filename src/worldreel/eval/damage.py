"""Clips spoilt on purpose, exactly, and the lines that have to say so.

A damage is a function of a take, its frames and a random generator. What changes the world is drawn
again from an edited take; what changes the picture is done to the frames. The same take, frames and
generator give the same clip. `None` where a take has nothing that could be spoilt so.

Shapes: frames are F H W 3 uint8.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch.nn import functional

from worldreel.world import record
from worldreel.world.act import act
from worldreel.world.camera import WIDE, seen
from worldreel.world.render import Render, render
from worldreel.world.scene import COLORS, SHAPES, Take

SAMPLES = 4  # as the renders that are spoilt are drawn
FROM, TO = 0.3, 0.65  # of a clip: when something happens to it
SLOWED = (0.2, 0.45)  # of gravity
PLAIN = ("red", "yellow", "green", "cyan", "blue", "purple", "pink", "orange")
DEEP = 1000.0  # metres below the ground: out of sight
WELL_APART = 0.25  # metres
EARLY = 3  # frames before it is struck, at least, that a thing moves
STRETCHED = (1.7, 2.2)
MISSING = (6, 9)  # frames that a jump cut leaves out
HELD = (6, 9)  # frames that a clip stands for
MOVED = 0.10  # of half the width: what goes less far is not missed
RAMP = (0.35, 0.6)  # of the scale 0..1, by the end
BLUR = (1.2, 2.0)  # pixels of a picture 144 wide, the standard deviation by the end
SPHERE, ELLIPSOID = SHAPES.index("sphere"), SHAPES.index("ellipsoid")
OTHER_SHAPE = {  # and how large, so that it is about as wide
    "sphere": ("box", 0.88),
    "box": ("sphere", 1.1),
    "cylinder": ("cone", 1.1),
    "cone": ("sphere", 1.0),
}
_PER_FRAME = ("position", "rotation", "velocity")

Spoil = Callable[[Take, np.ndarray, np.random.Generator], "np.ndarray | None"]


@dataclass(frozen=True, kw_only=True)
class Damage:
    """caught: the lines that have to say so; at least one of them is to."""

    name: str
    spoil: Spoil
    caught: tuple[str, ...]


def _drawn(take: Take, like: np.ndarray) -> np.ndarray:
    size = (like.shape[2], like.shape[1])
    return cast(Render, render(take, size=size, samples=SAMPLES)).frames


def _when(take: Take, rng: np.random.Generator) -> int:
    """A frame in the midst of a take."""
    return int(rng.integers(round(FROM * take.num_frames), round(TO * take.num_frames) + 1))


def _without(take: Take, index: int) -> Take:
    """The take with a thing deep below the ground, which no other misses."""
    position = take.position.copy()
    position[:, take.owner == index + 1, 2] -= DEEP
    return dataclasses.replace(take, position=position)


def _last(take: Take) -> int:
    """The thing that is taken away or brought: one that only stands by, where there is one."""
    return len(take.scene.things) - 1


def removed(take: Take, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A thing is gone from one frame to the next."""
    when = _when(take, rng)
    rest = _without(take, _last(take)).at(slice(when, None))
    return np.concatenate([frames[:when], _drawn(rest, frames)])


def added(take: Take, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A thing is there from one frame to the next."""
    when = _when(take, rng)
    first = _without(take, _last(take)).at(slice(0, when))
    return np.concatenate([_drawn(first, frames), frames[when:]])


def recoloured(take: Take, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A thing has another colour from one frame to the next, one that looks quite different."""
    when, index = _when(take, rng), int(rng.integers(len(take.scene.things)))
    own = np.array(COLORS[take.scene.things[index].color])
    others = [c for c in PLAIN if np.linalg.norm(own - COLORS[c]) > 0.6]
    color = take.color.copy()
    color[take.owner == index + 1] = COLORS[str(rng.choice(others))]
    rest = dataclasses.replace(take, color=color).at(slice(when, None))
    return np.concatenate([frames[:when], _drawn(rest, frames)])


def reshaped(take: Take, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """A thing is of another kind from one frame to the next."""
    when, index = _when(take, rng), int(rng.integers(len(take.scene.things)))
    own = np.flatnonzero(take.owner == index + 1)
    name = SHAPES[take.shape[own[0]]]
    if len(own) != 1 or name not in OTHER_SHAPE:
        return None
    other, scale = OTHER_SHAPE[name]
    shape, extent = take.shape.copy(), take.extent.copy()
    shape[own] = SHAPES.index(other)
    half = float(np.prod(extent[own[0]]) ** (1 / 3)) * scale
    extent[own] = half
    rest = dataclasses.replace(take, shape=shape, extent=extent).at(slice(when, None))
    return np.concatenate([frames[:when], _drawn(rest, frames)])


def slowed(take: Take, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """A fall as it would be with a part of the gravity."""
    if not any(thing.action == "falls" for thing in take.scene.things):
        return None
    gravity = take.scene.gravity * float(rng.uniform(*SLOWED))
    scene = dataclasses.replace(take.scene, gravity=gravity)
    size = (frames.shape[2], frames.shape[1])
    return _drawn(act(scene, size=size), frames)


def untouched(take: Take, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """What is struck moves before it is: early enough that it is still well apart."""
    hits = record.struck(take)
    if not hits:
        return None
    (mover, other), when = next(iter(hits.items()))
    apart = record.path(take, other)[0, 0] - record.path(take, mover)[:when, 0]
    gap = np.abs(apart) - np.abs(apart[-1])  # metres that are still to go, by frame
    early = [k for k in range(EARLY, when) if gap[when - 1 - k] > WELL_APART]
    if not early:
        return None
    shift = int(rng.choice(early))
    own = take.owner == other + 1
    ahead = np.minimum(np.arange(take.num_frames) + shift, take.num_frames - 1)
    moving = {}
    for name in _PER_FRAME:
        values = getattr(take, name).copy()
        values[:, own] = values[ahead][:, own]
        moving[name] = values
    moving["centre"] = take.centre.copy()
    moving["centre"][:, other] = take.centre[ahead, other]
    return _drawn(dataclasses.replace(take, **moving), frames)


def stretched(take: Take, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A thing grows to about twice its height, bit by bit."""
    index, most = int(rng.integers(len(take.scene.things))), float(rng.uniform(*STRETCHED))
    own = np.flatnonzero(take.owner == index + 1)
    parts = []
    for frame, scale in enumerate(np.linspace(1.0, most, take.num_frames)):
        extent, position = take.extent.copy(), take.position.copy()
        # Along the own axis that is nearest to the vertical, and no deeper in the ground.
        for part in own:
            axis = int(np.argmax(np.abs(take.rotation[frame, part, 2])))
            position[frame, part, 2] += (scale - 1) * extent[part, axis]
            extent[part, axis] *= scale
        shape = take.shape.copy()
        shape[own] = np.where(shape[own] == SPHERE, ELLIPSOID, shape[own])
        edited = dataclasses.replace(take, shape=shape, extent=extent, position=position)
        parts.append(edited.at(slice(frame, frame + 1)))
    size = (frames.shape[2], frames.shape[1])
    return np.concatenate([one.frames for one in render(parts, size=size, samples=SAMPLES)])


def _going(take: Take, frames: int) -> np.ndarray:
    """How far what moves most goes in the picture within so many frames of each: F - frames."""
    ways = []
    for index in range(len(take.scene.things)):
        place, _ = seen(record.path(take, index), take.eye, take.look, take.scene.camera.fov)
        place = place * (1.0, 1 / WIDE)
        ways.append(np.hypot(*(place[frames:] - place[:-frames]).T))
    return np.max(ways, axis=0)


def jump_cut(take: Take, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Frames are missing, in which something went somewhere."""
    count = int(rng.integers(*MISSING))
    far = np.flatnonzero(_going(take, count + 1) > MOVED)
    far = far[(far >= 3) & (far < len(frames) - count - 4)]
    if not len(far):
        return None
    when = int(rng.choice(far))
    return np.concatenate([frames[: when + 1], frames[when + 1 + count :]])


def halted(take: Take, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """A frame is held for a while, in which something was going somewhere."""
    count = int(rng.integers(*HELD))
    going = _going(take, 1) > MOVED / 10
    when = [f for f in range(3, len(frames) - count) if going[f - 1] and going[f : f + 2].all()]
    if not when:
        return None
    frame = int(rng.choice(when))
    held = np.repeat(frames[frame : frame + 1], count, 0)
    return np.concatenate([frames[:frame], held, frames[frame:]])[: len(frames)]


def backwards(take: Take, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """From its end to its beginning, where something falls or is struck."""
    falls = any(thing.action == "falls" for thing in take.scene.things)
    return frames[::-1].copy() if falls or record.struck(take) else None


def colour_ramp(take: Take, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colours drift away bit by bit: each channel as far up or down as it has room for."""
    tint = rng.choice((-1.0, 1.0), 3) * rng.uniform(*RAMP, 3)
    along = np.linspace(0, 1, len(frames))[:, None, None, None]
    picture = frames / 255.0
    room = np.where(tint > 0, 1 - picture, picture)
    return np.round(255 * (picture + along * tint * room)).clip(0, 255).astype(np.uint8)


def blurred(take: Take, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sharp at first, and softer bit by bit."""
    most = float(rng.uniform(*BLUR)) * frames.shape[2] / 144
    made = []
    for frame, sigma in zip(frames, np.linspace(0.0, most, len(frames)), strict=True):
        reach = max(1, round(3 * most))
        offset = torch.arange(-reach, reach + 1, dtype=torch.float32)
        kernel = torch.exp(-(offset**2) / (2 * max(sigma, 0.05) ** 2))
        kernel = (kernel / kernel.sum()).expand(3, 1, -1)
        x = torch.from_numpy(frame.astype(np.float32)).permute(2, 0, 1)[None]
        x = functional.pad(x, (reach,) * 4, mode="replicate")
        x = functional.conv2d(x, kernel[:, :, None], groups=3)
        x = functional.conv2d(x, kernel[:, :, :, None], groups=3)
        made.append(x[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy())
    return np.stack(made)


def frozen(take: Take, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One frame for the whole clip."""
    return np.repeat(frames[:1], len(frames), 0)


def black(take: Take, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Nothing at all."""
    return np.zeros_like(frames)


def noise(take: Take, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another colour in every pixel of every frame."""
    return rng.integers(0, 256, frames.shape, np.uint8)


DAMAGES = (
    Damage(name="a thing removed", spoil=removed, caught=("permanence",)),
    Damage(name="a thing added", spoil=added, caught=("permanence",)),
    Damage(name="another colour", spoil=recoloured, caught=("permanence",)),
    Damage(name="another kind", spoil=reshaped, caught=("rigidity", "permanence")),
    Damage(name="a fall slowed", spoil=slowed, caught=("gravity",)),
    Damage(name="a push without contact", spoil=untouched, caught=("contact",)),
    Damage(name="a stretch", spoil=stretched, caught=("rigidity",)),
    Damage(name="a jump cut", spoil=jump_cut, caught=("seams",)),
    Damage(name="a frozen stretch", spoil=halted, caught=("alive", "seams")),
    Damage(name="reversed time", spoil=backwards, caught=("gravity", "contact", "time")),
    Damage(name="a colour ramp", spoil=colour_ramp, caught=("drift",)),
    Damage(name="blur", spoil=blurred, caught=("drift",)),
    Damage(name="a frozen clip", spoil=frozen, caught=("alive",)),
    Damage(name="black", spoil=black, caught=("alive",)),
    Damage(name="noise", spoil=noise, caught=("alive",)),
)
