"""Plans to scenes: who stands where, and whether all of it can be seen and told."""

from __future__ import annotations

import math

import numpy as np

from worldreel.world.actors import RIGS
from worldreel.world.camera import poses
from worldreel.world.framing import frame, hidden, inside, pixels
from worldreel.world.place import PLACES
from worldreel.world.scene import ACTORS, Camera, Scene
from worldreel.world.stories import FOV, STORIES, Look, Placed, Plan, resting, standing
from worldreel.world.stories.plan import SAMPLES, SCALES, at_rest, moved, three, view_width

SMALLEST, LARGEST = 14.0, {False: 46.0, True: 66.0}  # pixels in a frame 144 wide; of an actor: True
_EDGE = 0.015  # of half the picture: what is nearer to its edge is as good as cut
_HIDDEN = 0.1  # the share of a thing that another may hide at first
_APART = 0.12  # metres between what does not touch
_TRIES = 12  # places that are tried for each that only stands by
_AMOUNTS = {  # radians or metres, see `Camera`
    "static": (0.0, 0.0),
    "follow": (0.0, 0.0),
    "pan": (0.17, 0.32),
    "tilt": (0.12, 0.22),
    "dolly": (0.8, 1.2),
    "orbit": (0.45, 0.8),
    "crane": (0.5, 1.0),
}


def compose(rng: np.random.Generator, plan: Plan, seed: int) -> Scene | None:
    """One try at a scene of this plan: None when it would say nothing."""
    story = STORIES[plan.story]
    camera = _camera(rng, plan)
    placed = story.tell(rng, plan, camera)
    if placed is None:
        return None
    view = _View(plan, camera, placed[0].track)
    for index, one in enumerate(placed):
        if not view.shows(one):
            return None
        for other in placed[:index]:
            if not view.apart(one, other, meet=other.thing.target == index):
                return None
    for look in plan.looks[len(placed) :]:
        tried = (_bystander(rng, plan, camera, look) for _ in range(_TRIES))
        fits = (t for t in tried if view.shows(t) and all(view.apart(t, o) for o in placed))
        one = next(fits, None)
        if one is None:
            return None
        placed.append(one)
    return Scene(
        seed=seed,
        setting=plan.setting,
        light=plan.light,
        weather=plan.weather,
        style=plan.style,
        things=tuple(one.thing for one in placed),
        camera=camera,
        seconds=plan.seconds,
        gravity=plan.surface.gravity,
        keys=placed[0].keys,
    )


def _camera(rng: np.random.Generator, plan: Plan) -> Camera:
    amount = rng.uniform(*_AMOUNTS[plan.move.split("_")[0]])
    distance = rng.uniform(3.5, 4.1) * _further(plan) * STORIES[plan.story].room
    # Its middle is where other cameras stand and look.
    distance += {"dolly_in": 0.5, "dolly_out": -0.5}.get(plan.move, 0.0) * amount
    height = rng.uniform(1.0, 1.5) - (0.5 * amount if plan.move == "crane_up" else 0.0)
    high = plan.story in ("falls", "flies", "stacks", "nests")
    pitch = rng.uniform(0.11, 0.16) if high else rng.uniform(0.13, 0.22)
    pitch += {"tilt_up": 0.5, "tilt_down": -0.5}.get(plan.move, 0.0) * amount
    return Camera(
        move=plan.move,
        eye=three(0.0, plan.middle - distance, height),
        look_at=three(0.0, plan.middle, height - distance * math.tan(pitch)),
        amount=round(amount, 4),
        fov=FOV,
    )


def _further(plan: Plan) -> float:
    """How much further away than from a thing a camera stands, for what acts to fill as much."""
    sides = [_side(plan, look) for look in plan.looks if look.kind in RIGS]
    if not sides:
        return 1.0
    # The longer a clip, the more room for a way.
    near = min(0.82 + 0.03 * plan.seconds, 1.0)
    least = 0.55 if len(sides) == len(plan.looks) else 0.92
    return min(max(least, near * max(sides)) * (1 + 0.06 * (len(plan.looks) - 1)), 2.0)


def _side(plan: Plan, look: Look) -> float:
    """The side in metres of a square that is as large as what the viewer sees of an actor."""
    length, width, height = RIGS[look.kind].size
    if plan.direction in ("toward", "away"):
        length = max(width, 0.36 * length + 0.93 * width)
    return PLACES[plan.setting].toy * SCALES[look.size] * 2 * math.sqrt(length * height)


class _View:
    """What a camera sees of a plan."""

    def __init__(self, plan: Plan, camera: Camera, subject: np.ndarray):
        self.place = PLACES[plan.setting]
        self.fov = camera.fov
        self.eye, self.look = poses(camera, SAMPLES, follow=subject)

    def frame(self, one: Placed) -> np.ndarray:
        return frame(one.track, one.half, self.eye, self.look, self.fov)

    def shows(self, one: Placed) -> bool:
        """Whether it is on its ground, in view all the time, neither too small nor too large."""
        near, far = one.track[:, 1] - one.half[1], one.track[:, 1] + one.half[1]
        if one.thing.kind == "ship":
            assert self.place.sea is not None
            if near.min() < self.place.sea[0] or far.max() > self.place.sea[1]:
                return False
        elif far.max() > self.place.far:
            return False
        filled = self.frame(one)
        if one.loose:
            filled = filled[:1]
        if not inside(filled, _EDGE).all():
            return False
        size = pixels(filled)
        return bool(size.min() >= SMALLEST and size.max() <= LARGEST[one.thing.kind in ACTORS])

    def apart(self, one: Placed, other: Placed, *, meet: bool = False) -> bool:
        """Whether neither hides the other at first, and they never touch unless they are to."""
        if hidden(self.frame(one)[0], self.frame(other)[0]) > _HIDDEN:
            return False
        between = np.abs(one.track - other.track) - one.half - other.half
        return meet or bool((between[:, :2].max(1) > _APART).all())


def _bystander(rng: np.random.Generator, plan: Plan, camera: Camera, look: Look) -> Placed:
    """One that only rests or stands by, anywhere on the ground."""
    thing = (standing if look.kind in RIGS else resting)(rng, plan, look)
    far = 0.8 if look.kind == "ship" else min(1.5, PLACES[plan.setting].far)
    y = plan.middle + rng.uniform(-0.8, far)
    x = rng.uniform(-0.45, 0.45) * view_width(camera, y)
    return at_rest(moved(thing, x, y))
