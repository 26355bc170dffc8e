"""What is true of a take: typed statements, read off its record and not off its intentions.

Actions, directions, hits and sides come from positions, rotations and contacts of the simulation;
what a scene only wishes for is never a fact. `confirm` compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from worldreel.world.camera import in_view, seen
from worldreel.world.scene import SHAPES, Scene, Take

STILL = 0.05  # metres: what moved less is at rest
MOVED = 0.4  # metres: what moved less has no direction worth a word
CROSSES = 0.25  # of the picture's width: what a motion to a side crosses at least
GROWS = 1.3  # how much larger or smaller a motion toward or away makes a thing, at least


@dataclass(frozen=True)
class Fact:
    """`name(args) == value`. Things are numbered as in the scene: color(0) == red."""

    name: str
    args: tuple[Any, ...]  # things by number, or words
    value: Any  # a word, a number or True

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.args))}) == {self.value}"

    def to_list(self) -> list:
        """As JSON-able [name, [args], value]."""
        return [self.name, list(self.args), self.value]

    @classmethod
    def from_list(cls, data: Sequence) -> Fact:
        """Inverse of `to_list`."""
        name, args, value = data
        return cls(name, tuple(args), value)


def facts(take: Take) -> tuple[Fact, ...]:
    """All that is true of the take, in a fixed order."""
    scene = take.scene
    said = [
        Fact("setting", (), scene.setting),
        Fact("light", (), scene.light),
        Fact("camera", (), scene.camera.move),
    ]
    for kind, color in dict.fromkeys((thing.kind, thing.color) for thing in scene.things):
        same = [t for t in scene.things if (t.kind, t.color) == (kind, color)]
        said.append(Fact("count", (kind, color), len(same)))
    for index, thing in enumerate(scene.things):
        said += [
            Fact("kind", (index,), thing.kind),
            Fact("color", (index,), thing.color),
            Fact("size", (index,), thing.size),
            Fact("material", (index,), thing.material),
        ]
        said += _motion(take, index)
    return (*said, *_sides(take))


def path(take: Take, index: int) -> np.ndarray:
    """Where a thing's centre is, frame by frame: (F, 3) in metres."""
    return take.centre[:, index].astype(np.float64)


def lowest(take: Take) -> float:
    """The height in metres of the lowest point of any primitive in any frame."""
    down = take.rotation[:, :, 2].astype(np.float64)  # the world's vertical along its own axes
    half = take.extent[None].astype(np.float64)
    boxed = np.abs(down * half).sum(2)
    round_side = np.hypot(down[..., 0], down[..., 1]) * half[..., 0]
    reach = {
        "sphere": np.sqrt((np.square(down * half)).sum(2)),
        "box": boxed,
        "cylinder": round_side + np.abs(down[..., 2]) * half[..., 2],
        # Its rim, or its tip when it stands on its head.
        "cone": np.maximum(round_side + down[..., 2] * half[..., 2], -down[..., 2] * half[..., 2]),
    }
    reach |= {"ellipsoid": reach["sphere"], "block": boxed, "tube": reach["cylinder"]}
    reach |= {"spike": reach["cone"], "frustum": reach["cylinder"], "dome": reach["cylinder"]}
    kinds = [SHAPES[shape] for shape in take.shape]
    bottoms = [take.position[:, n, 2] - reach[kind][:, n] for n, kind in enumerate(kinds)]
    return float(np.min(bottoms))


def struck(take: Take) -> dict[tuple[int, int], int]:
    """Which things touched which, and in which frame first: (mover, other) -> frame."""
    first: dict[tuple[int, int], int] = {}
    for frame, low, high, _ in take.contacts:
        if low > 0:
            first.setdefault((low - 1, high - 1), frame)
    found = {}
    for (a, b), frame in first.items():
        # The frame before the contact: who was on its way, who stood?
        moved = [np.linalg.norm(path(take, i)[frame - 1] - path(take, i)[0]) for i in (a, b)]
        found[(a, b) if moved[0] >= moved[1] else (b, a)] = frame
    return found


def bounces(take: Take, index: int) -> float:
    """How high in metres a thing's centre comes back up after it first landed: 0 if it does not."""
    height = path(take, index)[:, 2]
    landed = _landed(take, index)
    if not 0 < landed < len(height) - 1:
        return 0.0
    low = landed - 1 + int(np.argmin(height[landed - 1 : landed + 2]))
    return float(height[low:].max() - height[low])


def _landed(take: Take, index: int) -> int:
    """The first frame by which a thing has touched the ground; 0 if it never does."""
    return next((f for f, low, high, _ in take.contacts if (low, high) == (0, index + 1)), 0)


def _first_part(take: Take, index: int) -> int:
    return int(np.argmax(take.owner == index + 1))


def _motion(take: Take, index: int) -> list[Fact]:
    """The action and direction of one thing, as far as the record shows a clear one."""
    where = path(take, index)
    hits = struck(take)
    was_hit = any(other == index for _, other in hits)
    hit = next(((mover, other) for mover, other in hits if mover == index), None)
    end = hits[hit] if hit else len(where) - 1
    moved = where[end] - where[0]
    said = []
    if was_hit:
        return []  # what it does is the other's doing; the hit says so
    if np.abs(where - where[0]).max() < STILL:
        return [Fact("action", (index,), "rests")]
    landed = _landed(take, index)
    if landed > 1 and moved[2] < -MOVED:  # what it does once it has landed is the fall's too
        fallen = where[landed] - where[0]
        return [Fact("action", (index,), "falls")] if np.hypot(*fallen[:2]) < MOVED else []
    manner = _manner(take, index, end)
    if manner is None or np.hypot(moved[0], moved[1]) < MOVED:
        return []
    if hit:
        said.append(Fact("action", (index,), "hits"))
        said.append(Fact("hits", hit, True))
        said.append(Fact("manner", (index,), manner))
    else:
        said.append(Fact("action", (index,), manner))
    right, _, forward = take.look[0]
    ahead = math.hypot(forward[0], forward[1])
    lateral, deep = float(moved @ right), float(moved[:2] @ forward[:2]) / ahead
    if abs(lateral) > 1.5 * abs(deep):
        said.append(Fact("direction", (index,), "right" if lateral > 0 else "left"))
    elif abs(deep) > 1.5 * abs(lateral):
        said.append(Fact("direction", (index,), "away" if deep > 0 else "toward"))
    return said


def _manner(take: Take, index: int, end: int) -> str | None:
    """Rolls or slides: whether the ground that passed under it is the turning of its rim."""
    part = _first_part(take, index)
    where = path(take, index)[: end + 1]
    turns = take.rotation[: end + 1, part].astype(np.float64)
    between = np.einsum("fij,fkj->fik", turns[1:], turns[:-1])
    # About a level axis only: to turn like a top is not to roll.
    axis = np.stack([between[:, 2, 1] - between[:, 1, 2], between[:, 0, 2] - between[:, 2, 0]], 1)
    sine = np.linalg.norm(axis, axis=1) / 2
    angle = np.arctan2(sine, (np.trace(between, axis1=1, axis2=2) - 1) / 2)
    rolled = float(angle.sum()) * float(take.extent[part, 0])
    travelled = float(np.linalg.norm(np.diff(where[:, :2], axis=0), axis=1).sum())
    if travelled < STILL or np.ptp(where[:, 2]) > 0.1:
        return None
    share = rolled / travelled
    if share > 0.8:
        return "rolls"
    return "slides" if share < 0.1 else None


def _sides(take: Take) -> list[Fact]:
    """Left and right of two different things that both rest, in the first frame."""
    scene = take.scene
    if len(scene.things) != 2 or _alike(scene):
        return []
    if any(Fact("action", (i,), "rests") not in _motion(take, i) for i in (0, 1)):
        return []
    apart = float((path(take, 0)[0] - path(take, 1)[0]) @ take.look[0, 0])
    if abs(apart) < MOVED:
        return []
    return [Fact("side", (0, 1), "left" if apart < 0 else "right")]


def _alike(scene: Scene) -> bool:
    return len({(thing.kind, thing.color) for thing in scene.things}) == 1


def confirm(take: Take) -> str | None:
    """None if the record shows what the scene says, in full view; else what is wrong with it."""
    scene, known = take.scene, set(facts(take))
    hits = struck(take)
    for index, thing in enumerate(scene.things):
        if any(other == index for _, other in hits) and scene.things[0].target == index:
            if np.linalg.norm(path(take, index)[-1] - path(take, index)[0]) < 0.1:
                return f"thing {index} was hit and hardly moved"
        elif Fact("action", (index,), thing.action) not in known:
            return f"thing {index} was to do: {thing.action}"
        if thing.direction and Fact("direction", (index,), thing.direction) not in known:
            return f"thing {index} was to go: {thing.direction}"
        if thing.target is not None and Fact("hits", (index, thing.target), True) not in known:
            return f"thing {index} did not hit {thing.target}"
        if thing.action == "falls" and bounces(take, index) < 0.08:
            return f"thing {index} did not bounce"
        if thing.action in ("rolls", "slides") and not _goes_far(take, index):
            return f"thing {index} hardly moved in the picture"
        if not _well_seen(take, index):
            return f"thing {index} is not well in view"
    if len(hits) != sum(thing.target is not None for thing in scene.things):
        return "things touched that were not to"
    if lowest(take) < -0.05:
        return "something sank into the ground"
    return None


def _goes_far(take: Take, index: int) -> bool:
    """Whether a motion is plain to see from where the camera stood at first."""
    where = path(take, index)
    still = np.repeat(take.eye[:1], 2, 0), np.repeat(take.look[:1], 2, 0)
    place, depth = seen(where[[0, -1]], *still, take.scene.camera.fov)
    if take.scene.things[index].direction in ("left", "right"):
        return abs(place[1, 0] - place[0, 0]) / 2 >= CROSSES
    return max(depth) / min(depth) >= GROWS


def _well_seen(take: Take, index: int) -> bool:
    """In every frame wholly in view and not too small. What was hit may be cut by the edge."""
    where = path(take, index)
    extent = take.scene.things[index].extent
    radius = 0.9 * max(extent)
    if any(other == index for _, other in struck(take)):
        radius = 0.0
    fov = take.scene.camera.fov
    _, depth = seen(where, take.eye, take.look, fov)
    pixels = 2 * min(extent) * 40 / math.tan(math.radians(fov) / 2) / np.maximum(depth, 1e-6)
    return bool(in_view(where, radius, take.eye, take.look, fov).all() and pixels.min() >= 12)
