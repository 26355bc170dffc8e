"""The canary: eight fixed prompts and seeds, judged by the rulers. It sings as long as a model's
output is what it was; noise, black, a wrong decoder or deaf ears make it stop.

It is no measure of quality: the prompts are few, and their pairs are all seen in training.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from worldreel import canvas, prompt
from worldreel.engine import Engine, load
from worldreel.eval import metrics, probes
from worldreel.eval.cases import FRAMES, SIZE
from worldreel.eval.metrics import Asked, Thing
from worldreel.models.compressor import FRAMES as IN_LATENT
from worldreel.models.compressor import STRIDE
from worldreel.progress import Progress, silent

FIRST_SEED = 100_000
# Set from what the committed weights give, less a margin for other machines' last bits.
LEAST = 48


def _one(color: str, kind: str, motion: str, setting: str, light: str) -> Asked:
    thing = Thing(color=color, kind=kind, motion=motion)
    return Asked(things=(thing,), count=1, setting=setting, light=light, side=None)


PROMPTS: tuple[tuple[str, Asked], ...] = (
    (
        "A red ball rolls to the left across a meadow at noon.",
        _one("red", "ball", "left", "meadow", "noon"),
    ),
    (
        "正午，雪原上，一个绿色的立方体向右滑动。",
        _one("green", "cube", "right", "snowfield", "noon"),
    ),
    (
        "A purple cone is falling and bouncing on a wooden table at sunset.",
        _one("purple", "cone", "falls", "wooden table", "sunset"),
    ),
    (
        "夜晚，湿漉漉的街道上，一个黄色的球朝镜头滚动。",
        _one("yellow", "ball", "toward", "wet street", "night"),
    ),
    (
        "A blue cylinder is to the left of a red cone on a snowfield at noon.",
        Asked(
            things=(
                Thing(color="blue", kind="cylinder", motion=None),
                Thing(color="red", kind="cone", motion=None),
            ),
            count=2,
            setting="snowfield",
            light="noon",
            side="left",
        ),
    ),
    (
        "日落时，草地上，一个粉色的圆锥静止不动。",
        _one("pink", "cone", "rests", "meadow", "sunset"),
    ),
    (
        "An orange cube slides to the right on a wet street at night.",
        _one("orange", "cube", "right", "wet street", "night"),
    ),
    (
        "夜晚，木桌上，一个青色的圆柱向左滚动。",
        _one("cyan", "cylinder", "left", "wooden table", "night"),
    ),
)


def canary(
    model: str | Path | Engine = "marble",
    *,
    least: int = LEAST,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Make the eight clips, read them, and say whether at least `least` facts are as asked."""
    began = time.monotonic()
    rulers = probes.load()
    engine = model if isinstance(model, Engine) else load(model)
    width, height = SIZE
    count = len(PROMPTS)
    shape = (count, engine.compressor.preset.channels, FRAMES // IN_LATENT)
    board = canvas.blank((*shape, height // STRIDE, width // STRIDE))
    states = [prompt.read(engine.text, text).states for text, _ in PROMPTS]
    seeds = list(range(FIRST_SEED, FIRST_SEED + count))
    latents = engine.paint(board, states, [None] * count, seeds=seeds, told=progress)
    frames = engine.decode(latents, told=progress)
    clips, right, facts = [], 0, 0
    for (text, what), clip in zip(PROMPTS, frames, strict=True):
        reading = rulers.read(clip)
        judged = metrics.judge(what, reading)
        right, facts = right + sum(judged.values()), facts + len(judged)
        missed = [line for line, good in judged.items() if not good]
        clips.append({"prompt": text, "missed": missed, "read": metrics.answers(what, reading)})
    return {
        "model": engine.settings.name,
        "sings": right >= least,
        "right": right,
        "facts": facts,
        "least": least,
        "seconds": round(time.monotonic() - began, 1),
        "clips": clips,
    }
