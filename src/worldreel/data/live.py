"""Batches straight from the simulated world: rendered, encoded and trained on, without a disk.

Processes render ahead while the trainer steps, on its GPU too where they are told to. A clip is
drawn once and used `reuse` times, beside its mirrored twin, before its group makes way for the
next; what a batch holds is a function of the seed and the number of batches before it alone. Clips
are dealt to lanes, and a rank owns whole lanes: so several ranks together see the batch that one
process would, and none renders for another.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from worldreel.data import synth, takes
from worldreel.data.clip import STRIDE, Caption, Clip
from worldreel.data.encode import Compressor, pixels
from worldreel.data.loader import Batch, spans, turn
from worldreel.errors import CheckpointError
from worldreel.world.labels import LABELS

LANES = 8
_TOGETHER = 8  # clips that one task renders, and that are encoded at once
_ON_A_GPU = 4  # times as many


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """Clips that are rendered as they are needed; `batch` clips per step over all ranks.

    settings: what is rendered (`data.synth.Settings`); first_seed: of its first clip, they count
    up; takes: a folder of packed takes (`data.takes`) to render in place of seeds, in the endless
    order in which first_seed is then a place; group: clips that are drawn before the first of them
    comes again; reuse: how often each of them, and its mirrored twin, is seen.
    """

    settings: synth.Settings
    first_seed: int = 0
    takes: str = ""
    weight: float = 1.0
    batch: int = 32
    group: int = 256
    reuse: int = 4

    @property
    def lanes(self) -> int:
        return min(LANES, self.batch)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Latents in time, rows and columns."""
        width, height = self.settings.size
        frames = max(self.settings.num_frames, STRIDE[0])
        return frames // STRIDE[0], height // STRIDE[1], width // STRIDE[2]

    def staged(self, number: int) -> synth.Staged:
        """A clip without its pixels, by seed or by place."""
        if self.takes:
            return takes.opened(self.takes).staged(number, self.settings)
        return synth.stage(number, self.settings)


class Live:
    """An endless iterator over batches, with the interface of `data.loader.Loader`.

    jobs: processes that render for this rank; 0 does all in this one. Where the settings name a
    GPU each of them draws on it, and what a drawn clip is beside its pixels is worked out on as
    many processors. twins: whether mirrored clips are seen, too.
    """

    def __init__(
        self,
        sources: Sequence[Fresh],
        compressor: Compressor,
        *,
        seed: int,
        rank: int = 0,
        world: int = 1,
        chinese: float = 0.3,
        jobs: int = 1,
        twins: bool = True,
    ) -> None:
        for source in sources:
            if source.lanes % world or source.batch % source.lanes or source.group % source.lanes:
                raise ValueError(
                    f"batches of {source.batch} and groups of {source.group} on {world} ranks: "
                    f"the ranks must divide {source.lanes} lanes, and the lanes batch and group"
                )
        if not sources or any(s.weight <= 0 for s in sources):
            raise ValueError("live data needs sources, each of a weight above 0")
        self.sources, self.seed, self.chinese = tuple(sources), seed, chinese
        self.drawn = [0] * len(sources)
        self.begun = False
        self.pool = _pool(jobs) if jobs else None
        self.streams = [
            [
                _Lane(source, lane, compressor, (seed, which), self.pool, twins)
                for lane in _mine(source.lanes, rank, world)
            ]
            for which, source in enumerate(sources)
        ]

    def __iter__(self) -> Live:
        return self

    def __next__(self) -> Batch:
        if not self.begun:
            self._begin()
        which = turn(self.drawn, self.sources)
        source = self.sources[which]
        share = source.batch // source.lanes
        first = self.drawn[which] * share
        self.drawn[which] += 1
        rows = [
            (lane.row(place), (self.seed, which, lane.number, place, 1))
            for lane in self.streams[which]
            for place in range(first, first + share)
        ]
        return _batch(which, rows, source, self.chinese)

    def _begin(self) -> None:
        """Have the first clips of all lanes drawn at once, not lane by lane as they are needed."""
        self.begun = True
        for source, drawn, lanes in zip(self.sources, self.drawn, self.streams, strict=True):
            for lane in lanes:
                lane.expect(drawn * (source.batch // source.lanes))

    def state_dict(self) -> dict[str, Any]:
        """JSON; small."""
        return {"seed": self.seed, "drawn": list(self.drawn)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the very next batch: the groups in use are rendered again."""
        if len(state["drawn"]) != len(self.sources) or state["seed"] != self.seed:
            raise CheckpointError(
                f"the data's state is of seed {state['seed']} and {len(state['drawn'])} sources, "
                f"not of seed {self.seed} and {len(self.sources)}: resume with the same recipe"
            )
        self.drawn = list(state["drawn"])

    def close(self) -> None:
        """End the processes; what they had begun is thrown away."""
        if self.pool is not None:
            self.pool.shutdown(wait=True, cancel_futures=True)


def _mine(lanes: int, rank: int, world: int) -> range:
    """The lanes of a rank."""
    each = lanes // world
    return range(rank * each, (rank + 1) * each)


def _pool(jobs: int) -> ProcessPoolExecutor:
    # Spawned, not forked: threads of torch do not survive a fork.
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, spawn, torch.set_num_threads, (1,))


def _task(numbers: Sequence[int], source: Fresh) -> list[Clip]:
    """Some clips, whole."""
    return list(synth.draw((source.staged(number) for number in numbers), source.settings))


@dataclass(frozen=True)
class _Row:
    """One clip or twin, encoded, on the compressor's device."""

    clip: Clip  # its frames are gone
    latents: Tensor  #  C T h w, fp16
    dense: Tensor  #    T h w A, fp16


def _at_once(numbers: Sequence[int], source: Fresh) -> Future[Any]:
    done: Future[Any] = Future()
    done.set_result(_task(numbers, source))
    return done


class _Lane:
    """Every so-manieth clip of a source: rendered ahead, encoded, dealt out."""

    def __init__(
        self,
        source: Fresh,
        number: int,
        compressor: Compressor,
        key: tuple[int, int],
        pool: ProcessPoolExecutor | None,
        twins: bool,
    ) -> None:
        self.source, self.number, self.compressor, self.key = source, number, compressor, key
        self.pool, self.twins = pool, twins
        self.each = source.group // source.lanes  # clips of a group in this lane
        self.span = (1 + twins) * self.each * source.reuse  # places of a group
        on_cpu = torch.device(source.settings.device).type == "cpu"
        self.together = _TOGETHER * (1 if on_cpu else _ON_A_GPU)
        self.group = -1
        self.rows: list[_Row] = []
        self.order = np.zeros(0, np.int64)
        self.ahead: tuple[int, Iterable[Future[Any]]] = (-1, ())

    def row(self, place: int) -> _Row:
        """What stands at a place of this lane's endless order."""
        group, at = divmod(place, self.span)
        if group != self.group:
            self._turn(group)
        return self.rows[int(self.order[at])]

    def expect(self, place: int) -> None:
        """Have the clips of a place's group drawn by other processes, if there are any."""
        if self.pool is not None:
            group = place // self.span
            self.ahead = group, self._ordered(group)

    def _turn(self, group: int) -> None:
        rows = []
        for clips in self._render(group):
            if self.twins:
                clips = [row for clip in clips for row in (clip, clip.mirrored_twin())]
            rows += _encoded(clips, self.compressor, self.together)
        self.rows, self.group = rows, group
        rng = np.random.default_rng((*self.key, self.number, group, 0))
        # every clip once, shuffled, and again
        self.order = np.concatenate([rng.permutation(len(rows)) for _ in range(self.source.reuse)])
        if self.pool is not None:
            self.ahead = group + 1, self._ordered(group + 1)

    def _render(self, group: int) -> Iterator[list[Clip]]:
        number, tasks = self.ahead
        for task in tasks if number == group else self._ordered(group):
            yield task.result()

    def _ordered(self, group: int) -> Iterable[Future[Any]]:
        if self.pool is None:
            return (_at_once(numbers, self.source) for numbers in self._seeds(group))
        return [self.pool.submit(_task, numbers, self.source) for numbers in self._seeds(group)]

    def _seeds(self, group: int) -> list[list[int]]:
        first = self.source.first_seed + group * self.source.group + self.number * self.each
        seeds = list(range(first, first + self.each))
        return [seeds[i : i + self.together] for i in range(0, len(seeds), self.together)]


@torch.inference_mode()
def _encoded(clips: Sequence[Clip], compressor: Compressor, together: int) -> list[_Row]:
    device = next(iter(compressor.state_dict().values())).device
    rows = []
    for start in range(0, len(clips), together):
        part = clips[start : start + together]
        latents = compressor.encode(pixels([clip.frames for clip in part], device)).half()
        dense = torch.from_numpy(np.stack([clip.dense for clip in part])).to(device)
        rows += [
            _Row(_without_frames(c), z, d) for c, z, d in zip(part, latents, dense, strict=True)
        ]
    return rows


def _without_frames(clip: Clip) -> Clip:
    nothing = np.zeros(0, np.uint8)
    return Clip(**{**vars(clip), "frames": nothing, "ids": nothing, "dense": nothing})


def _parts(caption: Caption) -> list[tuple[int, Mapping[str, int]]]:
    """What a caption says, and from which latent on."""
    return [(p.start // STRIDE[0], p.labels) for p in caption.parts] or [(0, caption.labels)]


def _batch(
    which: int, rows: Sequence[tuple[_Row, tuple[int, ...]]], source: Fresh, chinese: float
) -> Batch:
    picked = []
    for row, key in rows:
        u, v = np.random.default_rng(key).random(2)
        wanted = "zh" if u < chinese else "en"
        pool = [c for c in row.clip.captions if c.language == wanted] or row.clip.captions
        picked.append(pool[int(v * len(pool))])
    table = {
        name: {slot: torch.tensor([held[slot] for held in labels]) for slot in LABELS}
        for name, labels in (
            ("labels", [row.clip.labels for row, _ in rows]),
            ("said", [caption.labels for caption in picked]),
        )
    }
    return Batch(
        bucket=which,
        still=source.settings.still,
        latents=torch.stack([row.latents for row, _ in rows]).float(),
        dense=torch.stack([row.dense for row, _ in rows]).float(),
        captions=[caption.text for caption in picked],
        seeds=[row.clip.seed for row, _ in rows],
        spans=spans([_parts(caption) for caption in picked]),
        **table,
    )
