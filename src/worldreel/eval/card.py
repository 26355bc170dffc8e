"""The card of a model: figures with intervals, beside what the rulers and the compressor allow.

`words` judges what a prompt states, `calibrate` the rulers themselves. A card is written as JSON
(with every clip's prompt, wanted and read answers), as Markdown, and as a sheet of pictures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange

from worldreel import canvas, prompt
from worldreel.engine import Engine, load
from worldreel.errors import RequestError
from worldreel.eval import calibration, metrics, probes, report
from worldreel.eval.cases import FRAMES, SIZE, Case, Progress, cases, renders
from worldreel.eval.metrics import LINES
from worldreel.eval.probes import Reading
from worldreel.models.compressor import FRAMES as IN_LATENT
from worldreel.models.compressor import STRIDE
from worldreel.output import check_folder

BOTH = 100  # scenes that are made in both languages
COMPARED = ("colour", "kind", "side", "setting")
SHOWN = 24  # clips on the sheet: the first
BATCH = 10

calibrate = calibration.calibrate


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A case with what was read in its clips."""

    case: Case
    reading: Reading
    ceiling: Reading  # in the compressor's reconstruction of the real render
    chinese: Reading | None  # in the clip of the Chinese prompt


def words(
    *,
    model: str | Path | Engine = "marble",
    count: int = 300,
    out: str | Path,
    first_seed: int = 0,
    progress: Progress = _silent,
) -> dict[str, Any]:
    """Judge a model on `count` scenes and write its card into `out`; returns it without clips.

    Seeds 0 to n-1 are the reported ones, run once per committed version. Weights and settings are
    chosen with first_seed=100000.
    """
    if count < 1 or first_seed < 0:
        raise RequestError("count must be at least 1, and first_seed at least 0")
    folder = check_folder(out)
    rulers, known = probes.load(), calibration.packaged()
    engine = model if isinstance(model, Engine) else load(model)
    began = time.monotonic()
    made = cases(count, first_seed, progress)
    both = made[:BOTH]
    shown: list[tuple[np.ndarray, str]] = []
    english: list[Reading] = []
    for one, frames in zip(made, clips(engine, made, "en", progress), strict=True):
        english.append(rulers.read(frames))
        if len(shown) < SHOWN:
            shown.append((frames, one.prompts["en"].text))
    chinese = [rulers.read(frames) for frames in clips(engine, both, "zh", progress)]
    judged = [
        Judged(
            case=one,
            reading=english[i],
            ceiling=rulers.read(reconstructed(engine, frames)),
            chinese=chinese[i] if i < len(chinese) else None,
        )
        for i, (one, frames) in enumerate(
            zip(made, renders([one.take for one in made], progress), strict=True)
        )
    ]
    settings = engine.settings
    card = {
        "model": settings.name,
        "count": count,
        "first_seed": first_seed,
        "size": list(SIZE),
        "frames": FRAMES,
        "steps": settings.steps,
        "guidance_scale": settings.guidance_scale,
        "flow_shift": settings.flow_shift,
        "sampler": settings.sampler,
        "dtype": str(engine.dit.dtype).removeprefix("torch."),
        "seconds": round(time.monotonic() - began, 1),
        "lines": figures(judged, known),
        "languages": languages(judged),
        "confusion": confusions(judged),
    }
    report.write(folder, "words", card, [_record(one) for one in judged])
    report.sheet(folder / "words.png", shown)
    return card | {"files": [str(folder / f"words.{end}") for end in ("json", "md", "png")]}


def clips(
    engine: Engine, made: Sequence[Case], language: str, told: Progress
) -> Iterator[np.ndarray]:  # F H W 3 uint8
    """The model's clips of these cases, one by one; a case's seed is that of its noise."""
    width, height = SIZE
    stage = f"clips {language}"
    told(stage, 0, len(made))
    for start in range(0, len(made), BATCH):
        group = made[start : start + BATCH]
        shape = (len(group), engine.compressor.preset.channels, FRAMES // IN_LATENT)
        board = canvas.blank((*shape, height // STRIDE, width // STRIDE))
        states = [prompt.read(engine.text, one.prompts[language].text).states for one in group]
        seeds = [one.number for one in group]
        latents = engine.paint(board, states, [None] * len(group), seeds=seeds)
        yield from engine.decode(latents)
        told(stage, start + len(group), len(made))


@torch.inference_mode()
def reconstructed(engine: Engine, frames: np.ndarray) -> np.ndarray:  # F H W 3 uint8, both
    """What is left of a real clip when the compressor has had it."""
    video = torch.from_numpy(frames).to(engine.device).float() / 127.5 - 1
    return engine.decode(engine.compressor.encode(rearrange(video, "f h w c -> 1 c f h w")))[0]


def figures(judged: Sequence[Judged], known: dict[str, Any]) -> dict[str, Any]:
    """For each line the shares of all, of seen and of held-out pairs, and what they stand beside:
    the ruler on real renders, the ceiling, and the floor (judged by other scenes' prompts)."""
    parts = {
        "seen": [one for one in judged if one.case.split is None],
        "held out": [one for one in judged if one.case.split is not None],
    }
    scored = {
        name: metrics.tally(metrics.judge(one.case.asked, one.reading) for one in part)
        for name, part in {"all": judged, **parts}.items()
    }
    scored["ceiling"] = metrics.tally(metrics.judge(o.case.asked, o.ceiling) for o in judged)
    scored["floor"] = metrics.tally(
        metrics.judge(other.case.asked, one.reading)
        for part in parts.values()
        for one, other in zip(part, metrics.shifted(part), strict=True)
        if other is not one
    )
    return {
        line: {"what": what}
        | {name: score.get(line) for name, score in scored.items()}
        | {"ruler": known["lines"].get(line)}
        for line, what in LINES.items()
        if line in scored["all"]
    }


def languages(judged: Sequence[Judged]) -> dict[str, Any]:
    """How often a scene asked for in English and in Chinese gives clips that read differently."""
    pairs = [
        (metrics.answers(one.case.asked, one.reading), metrics.answers(one.case.asked, one.chinese))
        for one in judged
        if one.chinese is not None
    ]
    found = {}
    for line in COMPARED:
        differ = [a[line] != b[line] for a, b in pairs if line in a]
        if differ:
            score = metrics.share(sum(differ), len(differ))
            found[line] = {"differ": score.pop("right"), **score}
    return found


def confusions(judged: Sequence[Judged]) -> dict[str, Any]:
    """What was read for each answer that was wanted."""
    table = {}
    for line in LINES:
        pairs = [
            (right[line], metrics.answers(one.case.asked, one.reading)[line])
            for one in judged
            if line in (right := metrics.wanted(one.case.asked))
        ]
        if pairs:
            table[line] = metrics.confusion(pairs)
    return table


def _record(one: Judged) -> dict[str, Any]:
    asked = one.case.asked
    record = {
        "seed": one.case.seed,
        "split": one.case.split,
        "noise": one.case.number,
        "prompt": one.case.prompts["en"].text,
        "wanted": metrics.wanted(asked),
        "read": metrics.answers(asked, one.reading),
        "ceiling": metrics.answers(asked, one.ceiling),
        "reading": one.reading.to_json(),
    }
    if one.chinese is not None:
        record["chinese prompt"] = one.case.prompts["zh"].text
        record["chinese"] = metrics.answers(asked, one.chinese)
    return record
