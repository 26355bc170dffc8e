"""The scenes that a model is asked for, as prompts, and the real renders of the same scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from worldreel.eval.known import CORE
from worldreel.eval.metrics import Asked, asked
from worldreel.world.act import stage_scene
from worldreel.world.describe import Caption, captions, facts
from worldreel.world.render import render
from worldreel.world.scene import Take

Progress = Callable[[str, int, int], None]  # stage, done, total

SIZE = (144, 80)
SECONDS = 2.0
FRAMES = 24
STATED = ("setting", "kind", "color", "direction", "side")
_TRIES = 4000  # captions that are thrown away at most until one fits
_TOGETHER = 8  # clips that are drawn in one call


@dataclass(frozen=True, kw_only=True)
class Case:
    """A scene to be made. number: the seed of the model's noise, too."""

    number: int
    seed: int
    split: str | None
    take: Take
    prompts: dict[str, Caption]  # "en", "zh": the same facts
    asked: Asked  # what the English prompt states


def case(number: int, seed: int, split: str | None) -> Case:
    """The case of a seed, always the same: its scene, and one sentence in each language."""
    take = stage_scene(seed, split=split, seconds=SECONDS, size=SIZE, within=CORE)
    rng = np.random.default_rng([seed, 0 if split is None else 1, 20])
    english = _sentence(take, rng, "en", None)
    chinese = _sentence(take, rng, "zh", english)
    return Case(
        number=number,
        seed=seed,
        split=split,
        take=take,
        prompts={"en": english, "zh": chinese},
        asked=asked(english.facts),
    )


def _sentence(take: Take, rng: np.random.Generator, language: str, like: Caption | None) -> Caption:
    """One sentence that states kind and colour, setting, and motion to a side or place; with
    `like`, one that states just what that says."""
    stop = {"en": ".", "zh": "。"}[language]
    must = {fact for fact in facts(take) if fact.name in STATED}
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


def cases(count: int, first_seed: int, told: Progress) -> list[Case]:
    """`count` cases: half of ordinary unseen seeds, then half of held-out pairs."""
    half = (count + 1) // 2
    plan: list[tuple[int, str | None]] = [(first_seed + i, None) for i in range(half)]
    plan += [(first_seed + i, "held_out") for i in range(count - half)]
    made = []
    told("scenes", 0, count)
    for number, (seed, split) in enumerate(plan):
        made.append(case(first_seed + number, seed, split))
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
