"""What can be measured on a take's record: ways, heights, touches, turns; never what was meant.

F frames. Things are numbered as in the scene.
"""

from __future__ import annotations

import math

import numpy as np

from worldreel.world.actors import RIGS
from worldreel.world.actors.path import scale
from worldreel.world.framing import frame
from worldreel.world.scene import SHAPES, Take

STILL = 0.05  # metres: what moved less is at rest
STOOD = 0.08  # metres per second: what goes slower stands
_ROUND = math.radians(150)  # a turn by more than this is a turn round
_LEANS = math.cos(math.radians(45))  # a piece that leans further has fallen
_LEAPT = 0.1  # metres: a jump, at least
_WAVING = ("hand", "trunk tip")  # the bones that an actor waves with
_RAISED = 0.3  # of half its height, above its middle: a hand that waves, at least
_SWINGS = 0.03  # metres: its way to or fro, at least, of an actor of medium size


def path(take: Take, index: int) -> np.ndarray:
    """Where a thing's centre is, frame by frame: (F, 3) in metres."""
    return take.centre[:, index].astype(np.float64)


def parts(take: Take, index: int) -> np.ndarray:
    """The places of a thing's primitives in the take."""
    return np.flatnonzero(take.owner == index + 1)


def bounds(take: Take, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest x, y and z of these primitives together, (F, 3) each."""
    place = take.position[:, which].astype(np.float64)
    low = place - _reach(take, which, -1.0)
    high = place + _reach(take, which, 1.0)
    return low.min(1), high.max(1)


def _reach(take: Take, which: np.ndarray, sign: float) -> np.ndarray:
    """How far primitives reach from their centres along the world's axes: (F, P, 3) metres."""
    way = sign * take.rotation[:, which].astype(np.float64)  # rows: the axes, in their own
    half = take.extent[which].astype(np.float64)[None, :, None]
    reach = np.abs(way * half)
    boxed, ball = reach.sum(-1), np.sqrt(np.square(reach).sum(-1))
    side, along = np.hypot(reach[..., 0], reach[..., 1]), way[..., 2] * half[..., 2]
    found = {
        "sphere": ball,
        "ellipsoid": ball,
        "box": boxed,
        "block": boxed,
        "cylinder": side + np.abs(along),
        "tube": side + np.abs(along),
        "cone": np.maximum(side - along, along),
        "spike": np.maximum(side - along, along),
        "frustum": np.maximum(side - along, side / 2 + along),
        "dome": np.where(along > 0, np.hypot(side, 2 * along) - along, side - along),
    }
    kinds = [SHAPES[shape] for shape in take.shape[which]]
    return np.stack([found[kind][:, place] for place, kind in enumerate(kinds)], axis=1)


def lowest(take: Take, which: np.ndarray | None = None) -> float:
    """The height in metres of the lowest point of any of these primitives, or of all."""
    which = np.arange(len(take.shape)) if which is None else which
    return float(bounds(take, which)[0][:, 2].min())


def filled(take: Take, index: int) -> np.ndarray:
    """The rectangle of the 16:9 picture that a thing fills: (F, 4), see `framing.frame`."""
    low, high = bounds(take, parts(take, index))
    fov = take.scene.camera.fov
    return frame((low + high) / 2, (high - low) / 2, take.eye, take.look, fov)


# Touches.


def touched(take: Take, one: int, other: int) -> np.ndarray:
    """Whether two owners (0 the ground) touched since the frame before: (F,) bool."""
    found = np.zeros(take.num_frames, bool)
    pair = min(one, other), max(one, other)
    found[[frame for frame, low, high, _ in take.contacts if (low, high) == pair]] = True
    return found


def landed(take: Take, index: int) -> int:
    """The first frame by which a thing has touched the ground; 0 if it never does."""
    return int(np.argmax(touched(take, 0, index + 1)))


def struck(take: Take) -> dict[tuple[int, int], int]:
    """Which things struck which, and in which frame first: (mover, other) -> frame."""
    first: dict[tuple[int, int], int] = {}
    for when, low, high, _ in take.contacts:
        if low > 0:
            first.setdefault((low - 1, high - 1), when)
    found = {}
    for (a, b), when in first.items():
        # The frame before the contact: who was on its way, who stood?
        moved = [np.linalg.norm(path(take, i)[when - 1] - path(take, i)[0]) for i in (a, b)]
        mover, other = (a, b) if moved[0] >= moved[1] else (b, a)
        if not settled(take, mover, other):
            found[mover, other] = when
    return found


def settled(take: Take, upper: int, lower: int) -> bool:
    """Whether a thing came down on another and lies there at the end, above the ground."""
    if take.num_frames < 4:
        return False
    where, below = path(take, upper), path(take, lower)
    came = where[0, 2] - where[-1, 2] > STILL and where[-1, 2] > below[-1, 2]
    lies = np.abs(where[-3:] - where[-1]).max() < STILL / 2
    holds = touched(take, lower + 1, upper + 1)[-3:].all()
    return bool(came and lies and holds and not touched(take, 0, upper + 1).any())


def bounces(take: Take, index: int) -> float:
    """How high in metres a thing's centre comes back up after it first landed: 0 if it does not."""
    height = path(take, index)[:, 2]
    when = landed(take, index)
    if not 0 < when < len(height) - 1:
        return 0.0
    low = when - 1 + int(np.argmin(height[when - 1 : when + 2]))
    return float(height[low:].max() - height[low])


# Rows and stacks.


def fallen(take: Take, index: int) -> np.ndarray:
    """Of a row's or a stack's pieces which leant over 45 degrees, or lay more than half their
    height lower than at first: (F, pieces) bool."""
    own = parts(take, index)
    up = take.rotation[:, own, 2, 2].astype(np.float64)
    drop = take.position[:1, own, 2] - take.position[:, own, 2]
    return (up < _LEANS) | (drop > take.extent[own, 2])


def toppled(take: Take, index: int) -> int | None:
    """By which frame a row or a stack began to fall over, if most of what could fall fell."""
    thing = take.scene.things[index]
    fell = fallen(take, index)
    could = thing.pieces - (thing.kind == "blocks")  # a stack's lowest block is down already
    if fell[-1].sum() < (0.8 if thing.kind == "dominoes" else 0.5) * could:
        return None
    return int(np.argmax(fell.any(1)))


def fall_direction(take: Take, index: int) -> np.ndarray | None:
    """From the first piece of a row that fell to the last: (2,) metres; None if none did."""
    fell = fallen(take, index)
    when = np.where(fell.any(0), np.argmax(fell, 0), take.num_frames)
    if when.min() == take.num_frames:
        return None
    place = take.position[0, parts(take, index), :2].astype(np.float64)
    early, late = when <= when.min(), when >= when[when < take.num_frames].max()
    return place[late].mean(0) - place[early].mean(0)


# Actors.


def speeds(take: Take, index: int) -> np.ndarray:
    """How fast a thing's centre goes over the ground from each frame to the next: (F - 1,) m/s."""
    return np.linalg.norm(np.diff(path(take, index)[:, :2], axis=0), axis=1) * take.fps


def size_of(take: Take, index: int) -> float:
    """How much larger an actor is than its rig."""
    thing = take.scene.things[index]
    return scale(thing, RIGS[thing.kind])


def turned(take: Take, index: int) -> int | None:
    """The frame in which an actor began to turn round, if it did."""
    facing = take.facing[:, index].astype(np.float64)
    heading = np.unwrap(np.arctan2(facing[:, 1], facing[:, 0]))
    away = np.abs(heading - heading[0])
    if away.max() < _ROUND:
        return None
    return int(np.argmax(away > 0.3)) - 1


def stopped(take: Take, index: int) -> int | None:
    """The frame in which an actor came to stand, after it went and for good."""
    speed = speeds(take, index)
    going = np.flatnonzero(speed > STOOD)
    if not len(going) or len(speed) - going[-1] <= 3:
        return None
    return int(going[-1]) + 1


def jumped(take: Take, index: int) -> int | None:
    """The frame in which an actor left the ground, if it came down again."""
    up = path(take, index)[:, 2] - path(take, index)[0, 2]
    top = int(np.argmax(up))
    if up[top] < _LEAPT or up[top:].min() > 0.02:
        return None
    return int(np.flatnonzero(up[:top] < 0.02)[-1])


def waved(take: Take, index: int) -> int | None:
    """The frame in which an actor raised a hand or a trunk, if that swung to and fro twice."""
    thing = take.scene.things[index]
    names = [bone.name for bone in RIGS[thing.kind].bones]
    ahead, centre = take.facing[:, index].astype(np.float64), path(take, index)
    left = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    least = _SWINGS * size_of(take, index)
    for bone, name in enumerate(names):
        if not any(word in name for word in _WAVING):
            continue
        arm = take.position[:, parts(take, index)[bone]] - centre
        raised = np.flatnonzero(arm[:, 2] > _RAISED * thing.extent[2])
        swings = (np.einsum("fi,fi->f", arm[raised, :2], way[raised]) for way in (ahead, left))
        if len(raised) and max(_strokes(swing, least) for swing in swings) >= 4:
            return int(raised[0])
    return None


def _strokes(way: np.ndarray, least: float) -> int:
    """How often it goes one way or the other by at least so much before it turns back."""
    count, turn, sign = 0, way[0], 0.0
    for here in way[1:]:
        if abs(here - turn) >= least and np.sign(here - turn) != sign:
            count, sign, turn = count + 1, np.sign(here - turn), here
        elif sign * (here - turn) > 0:
            turn = here
    return count
