"""How often clips that were spoilt on purpose are caught by the lines that have to say so."""

from __future__ import annotations

from itertools import count
from typing import Any, cast

import numpy as np

from worldreel.eval import judging, metrics
from worldreel.eval.cases import SIZE
from worldreel.eval.damage import DAMAGES, SAMPLES
from worldreel.eval.known import CORE
from worldreel.eval.probes import Rulers
from worldreel.progress import Progress
from worldreel.world.act import stage_scene
from worldreel.world.facts import facts
from worldreel.world.render import Render, render

FIRST_SEED = 5_300_000
STORIES = ("falls", "hits", None)  # in turn: some damages need one of them
TRIES = 6  # scenes for each clip that is asked for, at most


def caught(rulers: Rulers, number: int, told: Progress) -> dict[str, Any]:
    """`number` clips of each damage, or as many as there are scenes that can be spoilt so: how
    many are caught by any line that is named for it, and by each."""
    asked = {damage.name: damage for damage in DAMAGES}
    judged: dict[str, list[dict[str, bool]]] = {name: [] for name in asked}
    told("damages", 0, number * len(asked))
    for seed in count(FIRST_SEED):
        left = [damage for name, damage in asked.items() if len(judged[name]) < number]
        if not left or seed >= FIRST_SEED + TRIES * number:
            break
        story = STORIES[seed % len(STORIES)]
        take = stage_scene(seed, size=SIZE, within=CORE, story=story)
        frames = cast(Render, render(take, size=SIZE, samples=SAMPLES)).frames
        true = facts(take)
        for damage in left:
            rng = np.random.default_rng([seed, DAMAGES.index(damage)])
            spoilt = damage.spoil(take, frames, rng)
            lines = judging.wanted(true, damage.caught)
            if spoilt is not None and lines:
                seen = judging.read(rulers, spoilt, lines)
                judged[damage.name].append(judging.judge(true, seen, lines))
        done = sum(len(some) for some in judged.values())
        told("damages", done, number * len(asked))
    return {
        name: {
            "lines": list(asked[name].caught),
            **metrics.share(sum(not all(one.values()) for one in some), len(some)),
            "by": {
                line: {
                    "caught": sum(one.get(line) is False for one in some),
                    "count": sum(line in one for one in some),
                }
                for line in asked[name].caught
            },
        }
        for name, some in judged.items()
    }
