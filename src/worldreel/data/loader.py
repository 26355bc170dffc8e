"""Latent clips in batches: endless, the same for the same seed, and resumed to the very batch.

What a batch holds is a function of the seed, the shards and the number of batches before it. All
random choices are keyed by a clip's place in its bucket's order, so that the shares of several
ranks together are the batch that one process would have drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from worldreel.data import clip as clips
from worldreel.errors import CheckpointError, MediaError


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A folder of latent shards of one shape; `batch` clips per step over all ranks.

    weight: this bucket's share of the steps, relative to the others'.
    """

    path: str | Path
    weight: float = 1.0
    batch: int = 32


@dataclass(frozen=True, kw_only=True)
class Batch:
    """B clips of one shape. said: labels of the chosen captions; labels: of all that is true.

    spans: where any of the clips has several shots, from which latent on (the first is 0) which
    labels the captions say of the shots; a clip of one shot says the same in all of them.
    """

    bucket: int  # which of the loader's
    still: bool  # T = 1: pictures, encoded as four equal frames
    latents: Tensor  #             B C T h w, fp32
    dense: Tensor  #               B T h w A, fp32, see `clip.DENSE`
    captions: list[str]
    labels: dict[str, Tensor]  #   slot -> B, int64
    said: dict[str, Tensor]  #     slot -> B, int64
    seeds: list[int]
    spans: tuple[tuple[int, dict[str, Tensor]], ...] = ()


def spans(
    told: Sequence[Sequence[tuple[int, Mapping[str, int]]]],
) -> tuple[tuple[int, dict[str, Tensor]], ...]:
    """A batch's spans, from each clip's own: (first latent, labels), in order, the first at 0."""
    starts = sorted({start for own in told for start, _ in own})
    if len(starts) < 2:
        return ()
    made = []
    for at in starts:
        heard = [next(said for start, said in reversed(own) if start <= at) for own in told]
        made.append((at, {slot: torch.tensor([int(s[slot]) for s in heard]) for slot in heard[0]}))
    return tuple(made)


class Weighted(Protocol):
    """What takes its share of the steps."""

    @property
    def weight(self) -> float: ...


def turns(buckets: Sequence[Weighted], steps: int) -> list[int]:
    """How many of a loader's first batches come from each bucket."""
    drawn = [0] * len(buckets)
    for _ in range(steps):
        drawn[turn(drawn, buckets)] += 1
    return drawn


def turn(drawn: Sequence[int], buckets: Sequence[Weighted]) -> int:
    """The bucket that is furthest behind its share: no run of luck, nothing to remember."""
    due = [(n + 1) / b.weight for n, b in zip(drawn, buckets, strict=True)]
    return due.index(min(due))


class Loader:
    """An iterator over batches. Shards that appear later are seen at the next construction.

    chinese: the share of captions in Chinese. mapped: leave latents on disk, mapped, for sets that
    do not fit into memory. compressor: the fingerprint that shards must carry; when None, any one.
    twins: whether mirrored clips are drawn.
    """

    def __init__(
        self,
        buckets: Sequence[Bucket],
        *,
        seed: int,
        rank: int = 0,
        world: int = 1,
        chinese: float = 0.3,
        mapped: bool = False,
        compressor: str | None = None,
        twins: bool = True,
    ) -> None:
        if not buckets or any(b.weight <= 0 for b in buckets):
            raise ValueError("a loader needs buckets, each of a weight above 0")
        for bucket in buckets:
            if bucket.batch % world:
                raise ValueError(
                    f"{bucket.path}: a batch of {bucket.batch} does not divide by {world} ranks"
                )
        self.buckets, self.seed, self.rank, self.world = tuple(buckets), seed, rank, world
        self.chinese = chinese
        self.rooms = [_Room(Path(b.path), mapped, twins) for b in buckets]
        self.compressor = compressor or self.rooms[0].compressors[0]
        for room in self.rooms:
            if set(room.compressors) != {self.compressor}:
                raise MediaError(
                    f"{room.path} holds latents of another compressor: run `encode` again, which "
                    "makes stale shards anew"
                )
        self.drawn = [0] * len(buckets)  # batches so far, per bucket

    def __iter__(self) -> Loader:
        return self

    def __next__(self) -> Batch:
        which = turn(self.drawn, self.buckets)
        batch = self.buckets[which].batch
        first = self.drawn[which] * batch + self.rank * (batch // self.world)
        self.drawn[which] += 1
        return self._batch(which, range(first, first + batch // self.world))

    def state_dict(self) -> dict[str, Any]:
        """JSON; small."""
        shards = [room.names for room in self.rooms]
        return {"seed": self.seed, "drawn": list(self.drawn), "shards": shards}

    def load_state_dict(self, state: Mapping[str, Any], *, grow: bool = False) -> None:
        """Go on with the very next batch, from the shards of then.

        grow: use the shards of now instead, in a new order; only the counts go on.
        """
        if len(state["drawn"]) != len(self.buckets) or state["seed"] != self.seed:
            raise CheckpointError(
                f"the loader's state is of seed {state['seed']} and {len(state['drawn'])} buckets, "
                f"not of seed {self.seed} and {len(self.buckets)}: resume with the same recipe"
            )
        if not grow:
            for room, names in zip(self.rooms, state["shards"], strict=True):
                room.keep(names)
        self.drawn = list(state["drawn"])

    def _batch(self, which: int, places: range) -> Batch:
        room = self.rooms[which]
        rows = [room.row(place, (self.seed, which)) for place in places]
        picks = []
        for place, (shard, row) in zip(places, rows, strict=True):
            captions = shard.captions[row]
            u, v = np.random.default_rng((self.seed, which, place, 1)).random(2)
            chinese = [i for i, (_, language) in enumerate(captions) if language == "zh"]
            english = [i for i, (_, language) in enumerate(captions) if language != "zh"]
            pool = (chinese or english) if u < self.chinese else (english or chinese)
            picks.append(pool[int(v * len(pool))])
        said = [shard.said[row][pick] for (shard, row), pick in zip(rows, picks, strict=True)]
        labels = [shard.labels[row] for shard, row in rows]
        parts = []
        if any(shard.shots is not None for shard, _ in rows):
            parts = [shard.parts(row, n) for (shard, row), n in zip(rows, picks, strict=True)]
        return Batch(
            bucket=which,
            still=rows[0][0].still,
            latents=_stack([shard.latents[row] for shard, row in rows]),
            dense=_stack([shard.dense[row] for shard, row in rows]),
            captions=[
                shard.captions[row][pick][0] for (shard, row), pick in zip(rows, picks, strict=True)
            ],
            labels=_by_slot(rows[0][0].slots, labels),
            said=_by_slot(rows[0][0].slots, said),
            seeds=[shard.seeds[row] for shard, row in rows],
            spans=spans(parts),
        )


@dataclass(frozen=True)
class _Shard:
    latents: np.ndarray
    dense: np.ndarray
    labels: np.ndarray
    said: np.ndarray
    captions: list[list[tuple[str, str]]]
    seeds: list[int]
    slots: list[str]
    still: bool
    mirrored: list[bool]
    starts: list[list[int]]  # the first latents of each clip's shots
    shots: np.ndarray | None = None  # n captions shots slots; None where all clips have one

    def parts(self, row: int, pick: int) -> list[tuple[int, dict[str, int]]]:
        """What a caption of a clip says, and from which latent on."""
        starts, said = self.starts[row], self.said[row][pick][None]
        if len(starts) > 1 and self.shots is not None:
            said = self.shots[row][pick][: len(starts)]
        pairs = zip(starts, said, strict=True)
        return [(start, dict(zip(self.slots, own, strict=True))) for start, own in pairs]


class _Room:
    """The shards of one bucket, and the order in which their clips come."""

    def __init__(self, path: Path, mapped: bool, twins: bool) -> None:
        self.path, self.twins = path, twins
        self.names: list[str] = []
        self.compressors: list[str] = []
        self.shards: list[_Shard] = []
        shape: tuple[int, ...] | None = None
        for file in clips.shards(path):
            arrays, about = clips.get(file)
            if "compressor" not in about:
                raise MediaError(f"{file} holds raw clips: give the folder that `encode` wrote")
            parts = {k: arrays[k] if mapped else np.array(arrays[k]) for k in arrays}
            records = about["clips"]
            if shape not in (None, parts["latents"].shape[1:]):
                raise MediaError(f"{file} has clips of another shape than the shards before it")
            shape = parts["latents"].shape[1:]
            self.names.append(file.name)
            self.compressors.append(about["compressor"])
            captions = [record["captions"] for record in records]
            seeds = [record["seed"] for record in records]
            shard = _Shard(
                captions=captions, seeds=seeds, slots=about["slots"], still=about["still"],
                mirrored=[record["mirrored"] for record in records],
                starts=[record.get("starts", [0]) for record in records], **parts,
            )  # fmt: skip
            self.shards.append(shard)
        if not self.shards:
            raise MediaError(f"{path} has no finished latent shards: run `encode` into it first")
        self._index()

    def keep(self, names: Sequence[str]) -> None:
        """Only these shards, which all must be here."""
        held = dict(zip(self.names, self.shards, strict=True))
        missing = [name for name in names if name not in held]
        if missing:
            raise CheckpointError(
                f"{self.path} has no {missing[0]}, which the run used: bring it back, or load the "
                "state with grow=True to go on with other data"
            )
        self.names, self.shards = list(names), [held[name] for name in names]
        self._index()

    def _index(self) -> None:
        self.starts = np.cumsum([0, *(len(shard.seeds) for shard in self.shards)])
        self.orders: dict[int, np.ndarray] = {}
        mirrored = np.concatenate([shard.mirrored for shard in self.shards])
        self.drawable = np.flatnonzero(~mirrored | self.twins)

    def row(self, place: int, key: tuple[int, int]) -> tuple[_Shard, int]:
        """The clip at a place of the endless order: every clip once, shuffled, and again."""
        epoch, at = divmod(place, len(self.drawable))
        if epoch not in self.orders:
            rng = np.random.default_rng((*key, epoch, 0))
            order = self.drawable[rng.permutation(len(self.drawable))]
            self.orders = {e: o for e, o in self.orders.items() if e >= epoch - 1} | {epoch: order}
        index = int(self.orders[epoch][at])
        shard = int(np.searchsorted(self.starts, index, side="right")) - 1
        return self.shards[shard], index - int(self.starts[shard])


def _stack(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays).astype(np.float32))


def _by_slot(slots: Sequence[str], rows: Sequence[np.ndarray]) -> dict[str, Tensor]:
    table = torch.from_numpy(np.stack(rows).astype(np.int64))  # B slots
    return {slot: table[:, i] for i, slot in enumerate(slots)}
