"""The card of a model: figures with intervals, beside what the rulers and the compressor allow.

`card` judges a model, or a folder of videos of any other system, on every line; `words` a model on
what a prompt states, in two languages; `calibrate` the rulers themselves. A card is written as JSON
(with every clip's prompt, wanted and read answers), as Markdown and with pictures.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange

from worldreel import canvas, prompt
from worldreel.engine import Engine, load
from worldreel.errors import RequestError
from worldreel.eval import calibration, judging, metrics, page, probes, report, videos
from worldreel.eval.cases import FRAMES, SIZE, WORLD, Case, cases, renders
from worldreel.eval.judging import Read
from worldreel.eval.known import WORLDS
from worldreel.models.compressor import FRAMES as IN_LATENT
from worldreel.models.compressor import STRIDE
from worldreel.output import check_folder
from worldreel.progress import Progress, silent
from worldreel.world.facts import Fact

BOTH = 100  # scenes that `words` makes in both languages
COMPARED = ("colour", "kind", "side", "setting")
SHOWN = 24  # clips on the sheet: the first
BATCH = 10

calibrate = calibration.calibrate


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What was asked of a clip, and what was read in it (None: it could not be read)."""

    facts: tuple[Fact, ...]
    split: str | None
    about: dict[str, Any]  # the clip as the card names it
    seen: Read | None
    ceiling: Read | None = None  # in the compressor's reconstruction of the real render
    chinese: Read | None = None  # in the clip of the Chinese prompt


@dataclass(kw_only=True)
class Spent:
    """Seconds, by what they were spent on."""

    began: float = field(default_factory=time.monotonic)
    on: dict[str, float] = field(default_factory=dict)

    def each(self, name: str, values: Iterable[Any]) -> Iterator[Any]:
        """The values, with the time that it takes to make them booked on a name."""
        source = iter(values)
        while True:
            began = time.monotonic()
            value = next(source, None)
            self.on[name] = self.on.get(name, 0.0) + time.monotonic() - began
            if value is None:
                return
            yield value

    def to_json(self) -> dict[str, Any]:
        whole = time.monotonic() - self.began
        return {
            "seconds": round(whole, 1),
            "spent": {name: round(seconds, 1) for name, seconds in self.on.items()},
            "threads": torch.get_num_threads(),
        }


def words(
    *,
    model: str | Path | Engine = "marble",
    count: int = 300,
    out: str | Path,
    first_seed: int = 0,
    world: str = WORLD,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Judge a model's hearing on `count` scenes and write its card into `out`; returns it without
    clips.

    Seeds 0 to n-1 are the reported ones, run once per committed version. Weights and settings are
    chosen with first_seed=100000.
    """
    asked = _Asked(count=count, first_seed=first_seed, world=world, lines=tuple(metrics.LINES))
    folder, known = check_folder(out), calibration.packaged(world)
    shown: list[tuple[np.ndarray, str, str]] = []
    judged, about = _of_model(model, asked, BOTH, progress, shown=shown)
    card = about | _figures(judged, asked, known, report.COLUMNS)
    report.write(folder, "words", card, [_record(one, asked.lines) for one in judged])
    report.sheet(folder / "words.png", shown)
    return card | {"files": [str(folder / f"words.{end}") for end in ("json", "md", "png")]}


def card(
    *,
    model: str | Path | Engine = "marble",
    videos_of: str | Path | None = None,
    prompts: str | Path | None = None,
    lines: Sequence[str] | None = None,
    count: int = 300,
    out: str | Path,
    first_seed: int = 0,
    world: str | None = None,
    chinese: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Judge a model, or the videos of a folder, and write the card into `out`.

    videos_of: a folder of videos; prompts: a file with a prompt for each (`videos.paired`). lines:
    keys of `judging.questions`, all of them for None. world: None for the one that the file of
    prompts names, else the plain one. chinese: scenes that are made in Chinese too.
    """
    if (videos_of is None) != (prompts is None):
        raise RequestError("a folder of videos is judged by its prompts: give both or none")
    world = world or (videos.world_of(Path(prompts)) if prompts is not None else None) or WORLD
    asked = _Asked(
        count=count, first_seed=first_seed, world=world, lines=tuple(judging.chosen(lines))
    )
    folder, known = check_folder(out), calibration.packaged(world)
    album = page.Album()
    if videos_of is not None and prompts is not None:
        judged, about = _of_videos(Path(videos_of), Path(prompts), asked, progress, album)
    else:
        judged, about = _of_model(model, asked, chinese, progress, album=album)
    made = about | _figures(judged, asked, known, report.columns(about))
    report.write(folder, "card", made, [_record(one, asked.lines) for one in judged])
    page.write(folder / "card.html", made, album)
    return made | {"files": [str(folder / f"card.{end}") for end in ("json", "md", "html")]}


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """Which scenes and lines a card is of."""

    count: int
    first_seed: int
    world: str
    lines: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.count < 1 or self.first_seed < 0:
            raise RequestError("the count must be at least 1, and the first seed at least 0")
        if self.world not in WORLDS:
            raise RequestError(f"unknown world {self.world!r}: one of {', '.join(WORLDS)}")


# A model.


def _of_model(
    model: str | Path | Engine,
    asked: _Asked,
    both: int,
    told: Progress,
    *,
    album: page.Album | None = None,
    shown: list[tuple[np.ndarray, str, str]] | None = None,
) -> tuple[list[Judged], dict[str, Any]]:
    rulers, spent = probes.load(), Spent()
    engine = model if isinstance(model, Engine) else load(model)
    made = cases(asked.count, asked.first_seed, told, asked.world)
    read = {"en": [], "zh": []}
    for language, some in (("en", made), ("zh", made[:both])):
        drawn = spent.each("making", clips(engine, some, language, told) if some else ())
        for one, frames in zip(some, drawn, strict=True):
            read[language].append(judging.read(rulers, frames, asked.lines))
            if language == "en" and album is not None:
                album.add(
                    frames, one.prompts["en"].text, *_asked_and_read(one, read["en"][-1], asked)
                )
            if language == "en" and shown is not None and len(shown) < SHOWN:
                amiss = report.amiss(*_asked_and_read(one, read["en"][-1], asked))
                shown.append((frames, one.prompts["en"].text, amiss))
    judged = []
    drawn = spent.each("renders", renders([one.take for one in made], told))
    for i, (one, frames) in enumerate(zip(made, drawn, strict=True)):
        again = reconstructed(engine, frames)
        judged.append(
            Judged(
                facts=one.prompts["en"].facts,
                split=one.split,
                about=_about(one, with_chinese=i < both),
                seen=read["en"][i],
                ceiling=judging.read(rulers, again, asked.lines),
                chinese=read["zh"][i] if i < both else None,
            )
        )
    settings = engine.settings
    return judged, {
        "model": settings.name,
        "count": asked.count,
        "first_seed": asked.first_seed,
        "world": asked.world,
        "size": list(SIZE),
        "frames": FRAMES,
        "steps": settings.steps,
        "guidance_scale": settings.guidance_scale,
        "flow_shift": settings.flow_shift,
        "sampler": settings.sampler,
        "dtype": str(engine.dit.dtype).removeprefix("torch."),
        "device": str(engine.device),
        **spent.to_json(),
    }


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


def _asked_and_read(one: Case, seen: Read, asked: _Asked) -> tuple[dict[str, str], dict[str, str]]:
    facts = one.prompts["en"].facts
    return judging.wanted(facts, asked.lines), judging.answers(facts, seen, asked.lines)


def _about(one: Case, *, with_chinese: bool) -> dict[str, Any]:
    texts = {"prompt": one.prompts["en"].text}
    if with_chinese:
        texts["chinese prompt"] = one.prompts["zh"].text
    return {"seed": one.seed, "split": one.split, "noise": one.number, **texts}


# A folder of videos.


def _of_videos(
    folder: Path, prompts: Path, asked: _Asked, told: Progress, album: page.Album
) -> tuple[list[Judged], dict[str, Any]]:
    rulers, spent = probes.load(), Spent()
    pairs = videos.paired(folder, prompts)
    judged, failed = [], []
    told("videos", 0, len(pairs))
    for clip, opened in zip(pairs, spent.each("reading", map(videos.opened, pairs)), strict=True):
        about = {"file": clip.name, "prompt": clip.text}
        about |= {"not understood": list(clip.unknown)} if clip.unknown else {}
        seen = None
        if isinstance(opened, str):
            failed.append({"file": clip.name, "why": opened})
        else:
            seen = judging.read(rulers, opened.frames, asked.lines, fps=opened.fps)
            read = judging.answers(clip.facts, seen, asked.lines)
            right = judging.wanted(clip.facts, asked.lines, still=seen.still)
            album.add(opened.frames, clip.text, right, read)
        judged.append(Judged(facts=clip.facts, split=None, about=about, seen=seen))
        told("videos", len(judged), len(pairs))
    if len(failed) == len(judged):
        why = failed[0]
        raise RequestError(f"no video of {folder} can be read: {why['file']}: {why['why']}")
    return judged, {
        "model": folder.resolve().name,
        "videos": str(folder),
        "prompts": str(prompts),
        "read by": "worldreel.world.parse",
        "not understood": sorted({word for clip in pairs for word in clip.unknown}),
        "count": len(judged),
        "world": asked.world,
        "prompts' world": videos.world_of(prompts),
        "stating nothing": sum(not one.facts for one in judged),
        "of one frame": sum(one.seen is not None and one.seen.still for one in judged),
        "failed": failed,
        **spent.to_json(),
    }


# Figures.


def _figures(
    judged: Sequence[Judged], asked: _Asked, known: dict[str, Any], columns: Sequence[str]
) -> dict[str, Any]:
    return {
        "lines": figures(judged, known, asked.lines, columns),
        "languages": languages(judged),
        "confusion": confusions(judged, asked.lines),
    }


def figures(
    judged: Sequence[Judged],
    known: dict[str, Any],
    lines: Sequence[str],
    columns: Sequence[str] = report.COLUMNS,
) -> dict[str, Any]:
    """For each line the shares of all, of seen and of held-out pairs, and what they stand beside:
    the ruler on real renders, the ceiling, and the floor (judged by other scenes' prompts).

    columns: which of these.
    """
    parts = {
        "seen": [one for one in judged if one.split is None],
        "held out": [one for one in judged if one.split is not None],
    }
    scored = {
        name: metrics.tally(judging.judge(one.facts, one.seen, lines) for one in part)
        for name, part in {"all": judged, **parts}.items()
    }
    scored["ceiling"] = metrics.tally(
        judging.judge(one.facts, one.ceiling, lines) for one in judged if one.ceiling is not None
    )
    scored["floor"] = metrics.tally(
        judging.judge(other.facts, one.seen, lines)
        for part in parts.values()
        for one, other in zip(part, metrics.shifted(part), strict=True)
        if other is not one
    )
    asks = judging.questions()
    return {
        line: {"what": asks[line]}
        | {name: score.get(line) for name, score in scored.items() if name in columns}
        | {"ruler": known["lines"].get(line)}
        for line in lines
        if line in scored["all"]
    }


def languages(judged: Sequence[Judged]) -> dict[str, Any]:
    """How often a scene asked for in English and in Chinese gives clips that read differently."""
    pairs = [
        [judging.answers(one.facts, seen, COMPARED) for seen in (one.seen, one.chinese)]
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


def confusions(judged: Sequence[Judged], lines: Sequence[str]) -> dict[str, Any]:
    """What was read for each answer that was wanted."""
    answers = [(_wanted(one, lines), judging.answers(one.facts, one.seen, lines)) for one in judged]
    table = {
        line: metrics.confusion((right[line], got[line]) for right, got in answers if line in right)
        for line in lines
    }
    return {line: rows for line, rows in table.items() if rows}


def _wanted(one: Judged, lines: Sequence[str]) -> dict[str, str]:
    return judging.wanted(one.facts, lines, still=one.seen is not None and one.seen.still)


def _record(one: Judged, lines: Sequence[str]) -> dict[str, Any]:
    record = one.about | {
        "wanted": _wanted(one, lines),
        "read": judging.answers(one.facts, one.seen, lines),
    }
    for name, seen in (("ceiling", one.ceiling), ("chinese", one.chinese)):
        if seen is not None:
            record[name] = judging.answers(one.facts, seen, lines)
    if one.seen is not None:
        record["reading"] = one.seen.reading.to_json()
    return record
