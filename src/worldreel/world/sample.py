"""Seeds to scenes: what there is, where it stands, how it starts to move, who films it.

The words are drawn first (`casting`) and kept; positions and speeds are then drawn until the scene
says something (`compose`): everything stays in view and apart, is large enough to be told, and
what is meant to happen happens inside the clip. The check there is a plan's; the exact one is the
simulation's (`act.stage_scene`).
"""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from worldreel.errors import SceneError
from worldreel.world import casting
from worldreel.world.compose import compose
from worldreel.world.scene import FPS, Scene
from worldreel.world.split import SALT, SPLITS, held_out, held_out_setting
from worldreel.world.stories import STORIES, Plan

__all__ = ["SALT", "held_out", "held_out_setting", "sample", "shots"]

_SHORTEST = 4  # thirds of a second: a shot
_PLANS, _TRIES = 300, 24  # how many plans are drawn at most, and how often each is tried
_NONE = "no scene of {seconds} s for seed {seed}: no story fits these words"


def sample(
    seed: int,
    *,
    split: str | None = None,
    seconds: float = 2.0,
    within: Set[str] | None = None,
    story: str | None = None,
) -> Scene:
    """The scene of a seed, always the same one.

    split: None for the ordinary mix, without any held-out pair; "held_out" for scenes whose
    subject is of a held-out pair. seconds under half a second: a still, where everything rests.
    within: words of a smaller world (kinds, colours, settings, lights, cameras, weathers, styles,
    actions, events, sizes, materials, directions, and "1" to "4" for how many there are), that a
    scene keeps to. Where it names no weather, style, camera or event, these stay clear, render,
    static and none; where it names nothing else of a slot, all of it is in. story: one of STORIES,
    to be told whatever the mix.
    """
    if story not in (None, *STORIES):
        raise SceneError(f"unknown story {story!r}: one of {', '.join(STORIES)}")
    rng = np.random.default_rng(_numbers(seed, split, seconds))
    known = casting.known_words(within)
    for _ in range(_PLANS):
        plan = casting.draw(rng, split=split, seconds=seconds, known=known, only=story)
        scene = _composed(rng, plan, seed)
        if scene is not None:
            return scene
    raise SceneError(_NONE.format(seconds=seconds, seed=seed))


def shots(
    seed: int, *, split: str | None = None, seconds: float = 6.0, within: Set[str] | None = None
) -> tuple[Scene, ...]:
    """One to three shots of a seed, to be shown one after another: `seconds` in all.

    The same subject in each, in kind, colour, size and material; another camera or setting.
    """
    rng = np.random.default_rng([*_numbers(seed, split, seconds), 1])
    known = casting.known_words(within)
    lengths = _lengths(rng, seconds)
    found: list[Scene] = []
    for _ in range(_PLANS):
        plan = casting.draw(
            rng, split=split, seconds=lengths[len(found)], known=known, before=found
        )
        scene = _composed(rng, plan, seed)
        if scene is not None:
            found.append(scene)
        if len(found) == len(lengths):
            return tuple(found)
    raise SceneError(_NONE.format(seconds=seconds, seed=seed))


def _lengths(rng: np.random.Generator, seconds: float) -> list[float]:
    """How long each shot is, in whole thirds of a second: a clip's frames come in fours."""
    thirds = round(3 * seconds)
    count = 1 + int(rng.integers(max(1, min(3, thirds // _SHORTEST))))
    if count == 1:
        return [seconds]
    spare = rng.multinomial(thirds - _SHORTEST * count, [1 / count] * count)
    return [(_SHORTEST + int(more)) / 3 for more in spare]


def _composed(rng: np.random.Generator, plan: Plan | None, seed: int) -> Scene | None:
    tries = (compose(rng, plan, seed) for _ in range(_TRIES) if plan)
    return next((scene for scene in tries if scene is not None), None)


def _numbers(seed: int, split: str | None, seconds: float) -> list[int]:
    if split not in SPLITS:
        raise SceneError(f"unknown split {split!r}: 'held_out', or none at all")
    return [seed, SPLITS.index(split), round(seconds * FPS)]
