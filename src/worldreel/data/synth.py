"""Clips from the simulated world: seeds become scenes, takes, renders, and shards on disk.

    worldreel world render --out out/clips --count 4000 --size 144x80 --jobs 2

A clip depends on its seed and the settings alone, not on who renders it beside what. Finished
shards are skipped, so the same command again goes on where it was stopped; trainers may read the
folder while it grows.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from itertools import accumulate, islice, pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from worldreel.data import clip as clips
from worldreel.data.clip import Caption, Clip, Part, Words
from worldreel.errors import MediaError
from worldreel.output import whole_file
from worldreel.progress import Progress
from worldreel.world import describe, facts, labels
from worldreel.world.act import reflect, stage_scene, stage_shots
from worldreel.world.render import Render, render
from worldreel.world.scene import FPS, Take
from worldreel.world.words import LANGUAGES

CAPTIONS = 4  # in each language
_TOGETHER = 1 << 20  # pixels that are drawn in one call: it is faster and changes no frame


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a folder of shards is made with. size: (width, height); samples: rays per edge pixel.

    within: words that the scenes keep to (`sample`). truth: whether depth, flow, normals, positions
    and contacts are kept of every frame (`clip.truth`). shots: clips of one to three shots.

    device says where it is drawn, which changes no more than a pixel's last bit.
    """

    size: tuple[int, int]
    seconds: float = 2.0
    samples: int = 1
    split: str | None = None
    still: bool = False
    within: tuple[str, ...] = ()
    truth: bool = False
    shots: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        width, height = self.size
        if width % 16 or height % 16 or width < 16 or height < 16:
            raise ValueError(f"size {width}x{height}: width and height are multiples of 16")
        if not self.still and (self.num_frames < 4 or self.num_frames % 4):
            raise ValueError(
                f"{self.seconds} s are {self.num_frames} frames: clips are multiples of 4 frames "
                "(a third of a second)"
            )

    @property
    def num_frames(self) -> int:
        return 1 if self.still else round(self.seconds * 12)


def stream(seeds: Iterable[int], settings: Settings) -> Iterator[Clip]:
    """The clips of these seeds, one after another: training data without a disk."""
    return draw((stage(seed, settings) for seed in seeds), settings)


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A clip but for its pixels; a take for each shot."""

    seed: int
    takes: tuple[Take, ...]
    words: Words
    twin_words: Words


def stage(seed: int, settings: Settings) -> Staged:
    """The takes of a seed and their words, which need no renderer."""
    given: dict[str, Any] = {"split": settings.split, "size": settings.size}
    given["within"] = frozenset(settings.within) or None
    if settings.shots:
        takes = stage_shots(seed, seconds=settings.seconds, **given)
    else:
        seconds = 0.0 if settings.still else settings.seconds
        takes = (stage_scene(seed, seconds=seconds, **given),)
    return staged(seed, takes)


def staged(seed: int, takes: tuple[Take, ...]) -> Staged:
    """Takes with the words that a seed draws for them and their twins."""
    twins = [reflect(take) for take in takes]
    return Staged(seed=seed, takes=takes, words=_words(takes, seed), twin_words=_words(twins, seed))


def _starts(takes: Sequence[Take]) -> list[int]:
    """The first frame of each shot, and the end of the last."""
    return [0, *accumulate(take.num_frames for take in takes)]


def _words(takes: Sequence[Take], seed: int) -> Words:
    shots = tuple(facts.facts(take) for take in takes)
    captions = []
    for number, (language, _) in enumerate(product(LANGUAGES, range(CAPTIONS))):
        rng = np.random.default_rng([seed, int(takes[0].scene.mirrored), number])
        captions.append(_caption(takes, shots, rng, language))
    known = labels.labels(shots[0], shots=_told(shots))
    return Words(captions=tuple(captions), shots=shots, labels=known)


def _told(shots: Sequence[Any]) -> int:
    """How many shots a text tells of: one is not said."""
    return len(shots) if len(shots) > 1 else 0


def _caption(
    takes: Sequence[Take],
    shots: Sequence[Sequence[facts.Fact]],
    rng: np.random.Generator,
    language: str,
) -> Caption:
    if len(shots) == 1:
        (said,) = describe.captions_of(shots[0], rng, count=1, language=language)
        return Caption(text=said.text, language=language, labels=labels.labels(said.facts))
    ends = _starts(takes)
    spans = [(a / FPS, b / FPS) for a, b in pairwise(ends)]
    told = describe.storyboard(shots, spans, rng, language)
    parts = tuple(
        Part(text=said.text, labels=labels.labels(said.facts), start=a, end=b)
        for (said, _), (a, b) in zip(told.parts, pairwise(ends), strict=True)
    )
    first = labels.labels(told.parts[0][0].facts, shots=len(shots))
    return Caption(text=told.text, language=language, labels=first, parts=parts)


def draw(rows: Iterable[Staged], settings: Settings) -> Iterator[Clip]:
    """Staged clips with their pixels; some at once, which is faster."""
    width, height = settings.size
    device = torch.device(settings.device)
    pixels = _TOGETHER * (1 if device.type == "cpu" else 32)
    together = max(1, pixels // (width * height * settings.num_frames))
    rows = iter(rows)
    while group := list(islice(rows, together)):
        drawn = render(
            [take for one in group for take in one.takes],
            size=settings.size,
            samples=settings.samples,
            truth=True,
            device=device,
        )
        assert isinstance(drawn, list)
        shots = iter(drawn)
        for one in group:
            yield _clip(one, list(islice(shots, len(one.takes))), settings)


def _clip(one: Staged, shots: Sequence[Render], settings: Settings) -> Clip:
    pairs = list(zip(shots, one.takes, strict=True))
    *starts, _ = _starts(one.takes)
    arrays = clips.joined(
        [
            {"frames": made.frames, "ids": _owners(made), "dense": clips.dense(made, take)}
            for made, take in pairs
        ]
    )
    contacts = [
        (start + frame, low, high, impulse)
        for start, take in zip(starts, one.takes, strict=True)
        for frame, low, high, impulse in take.contacts
    ]
    return Clip(
        seed=one.seed,
        split=settings.split,
        mirrored=False,
        scenes=tuple(take.scene.to_json() for take in one.takes),
        starts=tuple(starts),
        words=one.words,
        twin_words=one.twin_words,
        truth=clips.joined([clips.truth(*pair) for pair in pairs]) if settings.truth else None,
        contacts=tuple(contacts) if settings.truth else (),
        **arrays,
    )


def _owners(made: Render) -> np.ndarray:
    assert made.ids is not None
    return made.ids.astype(np.uint8)


def _said(out: Path) -> Progress:
    """A line on standard error for every shard."""
    began, first = time.monotonic(), -1

    def told(stage: str, done: int, total: int) -> None:
        nonlocal first
        first = done if first < 0 else first
        if done > first:
            rate = (done - first) / (time.monotonic() - began)
            line = f"{out.name}: {done}/{total} clips, {rate:.1f}/s"
            print(f"{line}, {(total - done) / rate / 60:.1f} min left", file=sys.stderr, flush=True)

    return told


def synthesize(
    out_dir: str | Path,
    settings: Settings,
    *,
    first_seed: int,
    count: int,
    jobs: int = 1,
    shard: int = 64,
    progress: Progress | None = None,
) -> None:
    """Render `count` clips from `first_seed` on into shards, in `jobs` processes.

    A folder grows at its end: the same call with a larger count adds clips.
    """
    out = Path(out_dir)
    told = progress or _said(out)
    _claim(out, settings, first_seed, shard)
    last = first_seed + count
    spans = [(start, min(start + shard, last)) for start in range(first_seed, last, shard)]
    todo = [span for span in spans if not _finished(out, *span)]
    done = count - sum(stop - start for start, stop in todo)
    told("render", done, count)

    def tell(span: Span) -> None:
        nonlocal done
        done += span[1] - span[0]
        told("render", done, count)

    if jobs == 1:
        for span in todo:
            _make(out, span, settings)
            tell(span)
        return
    # Spawned, not forked: threads of torch do not survive a fork.
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, spawn, torch.set_num_threads, (1,))
    try:
        if torch.device(settings.device).type == "cpu":
            running = {pool.submit(_make, out, span, settings): span for span in todo}
            for future in as_completed(running):
                future.result()
                tell(running[future])
        else:  # one process draws on the GPU what the others stage
            for span, rows in _ahead(todo, settings, pool):
                clips.write(_path(out, span[0]), list(draw(rows, settings)))
                tell(span)
    finally:
        pool.shutdown(cancel_futures=True)


Span = tuple[int, int]  # first seed, last seed + 1


def _make(out: Path, span: Span, settings: Settings) -> None:
    clips.write(_path(out, span[0]), list(stream(range(*span), settings)))


def _ahead(
    spans: Sequence[Span], settings: Settings, pool: ProcessPoolExecutor
) -> Iterator[tuple[Span, Iterator[Staged]]]:
    """Each span as the pool stages it, three spans ahead of who draws them."""
    one = partial(stage, settings=settings)
    waiting: deque[tuple[Span, Iterator[Staged]]] = deque()
    for span in spans:
        waiting.append((span, pool.map(one, range(*span), chunksize=4)))
        if len(waiting) > 3:
            yield waiting.popleft()
    yield from waiting


def _claim(out: Path, settings: Settings, first_seed: int, shard: int) -> None:
    """Write down what the folder is made with; refuse to mix it with anything else."""
    about = {**asdict(settings), "first_seed": first_seed, "shard": shard}
    about = json.loads(json.dumps(about))  # as a file gives it back
    del about["device"]
    file = out / "synth.json"
    if file.exists():
        try:
            there = json.loads(file.read_text("utf-8"))
        except ValueError as error:
            raise ValueError(f"{file} cannot be read ({error}): give another folder") from None
        odd = [key for key in about if about[key] != there.get(key)]
        if odd:
            raise ValueError(
                f"{out} holds clips with {odd[0]} {there.get(odd[0])!r}, not {about[odd[0]]!r}: "
                "give another folder"
            )
        return
    with whole_file(file) as part:
        out.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(about) + "\n", "utf-8")


def _path(out: Path, start: int) -> Path:
    return out / f"shard-{start:010d}"


def _finished(out: Path, start: int, stop: int) -> bool:
    path = _path(out, start)
    if not path.with_suffix(".json").exists():
        return False
    try:
        return len(clips.get(path)[1]["clips"]) == stop - start
    except MediaError:
        return False  # truncated by a full disk or a bad copy: made again
