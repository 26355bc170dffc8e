"""The scenes that a model is asked for, as prompts, and the real renders of the same scenes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from worldreel.errors import RequestError
from worldreel.eval.known import STYLES, WEATHERS, WORLDS
from worldreel.progress import Progress
from worldreel.world.act import stage_scene
from worldreel.world.describe import Caption, captions, facts
from worldreel.world.render import render
from worldreel.world.scene import Take

SIZE = (144, 80)
SECONDS = 2.0
FRAMES = 24
STATED = ("setting", "kind", "color", "direction", "side", "weather", "style")
WORLD = "plain"  # of WORLDS, where nothing else is asked for
_TRIES = 4000  # captions that are thrown away at most until one fits
_PLAIN = (WEATHERS[0], STYLES[0])  # what goes without saying
_TOGETHER = 8  # clips that are drawn in one call


@dataclass(frozen=True, kw_only=True)
class Case:
    """A scene to be made. number: the seed of the model's noise, too."""

    number: int
    seed: int
    split: str | None
    take: Take
    prompts: dict[str, Caption]  # "en", "zh": the same facts


def case(number: int, seed: int, split: str | None, world: str = WORLD) -> Case:
    """The case of a seed, always the same: its scene, and one sentence in each language."""
    take = stage_scene(seed, split=split, seconds=SECONDS, size=SIZE, within=WORLDS[world])
    rng = np.random.default_rng([seed, 0 if split is None else 1, 20])
    english = _sentence(take, rng, "en", None)
    chinese = _sentence(take, rng, "zh", english)
    return Case(
        number=number,
        seed=seed,
        split=split,
        take=take,
        prompts={"en": english, "zh": chinese},
    )


def _sentence(take: Take, rng: np.random.Generator, language: str, like: Caption | None) -> Caption:
    """One sentence that states kind and colour, setting, and motion to a side or (of two) place,
    and what weather or style is not plain; with `like`, one that states just what that says."""
    stop = {"en": ".", "zh": "。"}[language]
    must = {fact for fact in facts(take) if fact.name in STATED and fact.value not in _PLAIN}
    if len(take.scene.things) > 2:  # no sentence says where all of them stand
        must = {fact for fact in must if fact.name != "side"}
    best = None
    for _ in range(_TRIES // 8):
        for said in captions(take, rng, count=8, language=language):
            one = said.text.count(stop) == 1 and said.text.endswith(stop)
            if not one or not must <= set(said.facts):
                continue
            if like is None or set(said.facts) == set(like.facts):
                return said
            best = best or said
    assert best is not None, f"no sentence in {_TRIES} captions says all of seed {take.scene.seed}"
    return best


def cases(count: int, first_seed: int, told: Progress, world: str = WORLD) -> list[Case]:
    """`count` cases: half of ordinary unseen seeds, then half of held-out pairs.

    world: one of WORLDS, whose words they keep to.
    """
    if world not in WORLDS:
        raise RequestError(f"unknown world {world!r}: one of {', '.join(WORLDS)}")
    half = (count + 1) // 2
    plan: list[tuple[int, str | None]] = [(first_seed + i, None) for i in range(half)]
    plan += [(first_seed + i, "held_out") for i in range(count - half)]
    made = []
    told("scenes", 0, count)
    for number, (seed, split) in enumerate(plan):
        made.append(case(first_seed + number, seed, split, world))
        told("scenes", len(made), count)
    return made


def renders(takes: Sequence[Take], told: Progress) -> Iterator[np.ndarray]:  # F H W 3 uint8
    """The real clips, one by one."""
    told("renders", 0, len(takes))
    for start in range(0, len(takes), _TOGETHER):
        group = list(takes[start : start + _TOGETHER])
        drawn = render(group, size=SIZE, samples=4)
        assert isinstance(drawn, list)
        yield from (one.frames for one in drawn)
        told("renders", min(start + _TOGETHER, len(takes)), len(takes))
