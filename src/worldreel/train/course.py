"""A course: what all training of the transformer shares. Phases of steps, a learner, the loop.

A stage (`train.dit`, `train.few`) says what one step is; the loop draws batches, tells how it goes,
saves, and goes on bit for bit where it was stopped.
"""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Generator, Tensor, nn

from worldreel import checkpoint
from worldreel.canvas import TASKS
from worldreel.data import clip as clips
from worldreel.data.live import Fresh, Live
from worldreel.data.loader import Batch, Bucket, Loader, turns
from worldreel.errors import CheckpointError, RequestError
from worldreel.models.dit import Around, DiT, Heard, Past, Rope
from worldreel.models.presets import DitPreset
from worldreel.parallel import Ranks
from worldreel.train import growing, run
from worldreel.train.log import Log, plot
from worldreel.train.optim import Ema, clip_grad_norm, in_blocks, optimizer, wsd
from worldreel.world.labels import LABELS

# A step on a batch: what it measured. The flag says whether its measures will be told.
Lesson = Callable[[Batch, int, bool], Mapping[str, Tensor | float]]


# What is looked up anew in each step, so that phases may differ in it.
PER_STEP = frozenset(
    ("tasks", "soft", "context_level", "context_exact", "mean", "std", "shift", "dropout")
    + ("contrast", "bypass", "subjects", "own", "staggered", "spans", "counts")
)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Some steps on buckets of encoded clips (`data.encode`), or on clips rendered meanwhile.

    settings: of the course, those of PER_STEP, that are others in this phase.
    """

    steps: int
    buckets: tuple[Bucket, ...] = ()
    fresh: tuple[Fresh, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.buckets) == bool(self.fresh):
            raise ValueError("a phase learns from buckets or from fresh clips: give one of them")


@dataclass(frozen=True, kw_only=True)
class Course:
    """text: a trained text encoder's folder; start: weights to begin from, or nothing; those of
    fewer layers are grown (`train.growing`).

    compressor: the folder of the one that encodes fresh clips; jobs: processes that render them,
    per rank. averages: further ones, each in a folder of its own (`final-4.0`), by their decay or,
    from 1 on, their power (`optim.Ema`): which is best can be chosen when the run is over.
    """

    preset: DitPreset
    phases: tuple[Phase, ...]
    text: str
    start: str = ""
    compressor: str = ""
    jobs: int = 1
    lr: float = 2e-3
    adam_lr: float = 2e-3
    muon: bool = True  # hidden matrices by Muon at lr; else all by AdamW at adam_lr
    weight_decay: float = 0.0
    warmup: int = 100
    decay_share: float = 0.3
    twins: bool = True  # whether mirrored clips are trained on
    tasks: Mapping[str, float] = field(default_factory=lambda: dict(TASKS))
    soft: float = 0.25
    context_level: float = 0.3  # kept latents are shown at up to this level
    context_exact: float = 0.5  # share of clips in which they are shown at level 0
    ema: float = 0.999
    averages: tuple[float, ...] = ()
    compile: bool = True
    bf16: bool = True
    seed: int = 0
    save_every: float = 180.0  # seconds

    def __post_init__(self) -> None:
        known = PER_STEP & {f.name for f in dataclasses.fields(self)}
        for phase in self.phases:
            if fixed := sorted(set(phase.settings) - known):
                raise ValueError(
                    f"a phase cannot set {fixed[0]}: one of {', '.join(sorted(known))}"
                )
            dataclasses.replace(self, phases=(), **phase.settings)  # what they must be is checked

    @property
    def total(self) -> int:
        """The steps of all phases."""
        return sum(p.steps for p in self.phases)

    def at(self, step: int) -> Self:
        """What holds at a step: the settings of its phase in place of the course's own."""
        for phase in self.phases:
            step -= phase.steps
            if step < 0:
                return dataclasses.replace(self, **phase.settings) if phase.settings else self
        return self

    @property
    def dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.bf16 else torch.float32

    def rate(self, step: int) -> float:
        """The factor on the learning rates at a step."""
        return wsd(step, warmup=self.warmup, total=self.total, decay_share=self.decay_share)


def compile_blocks(model: DiT) -> bool:
    """Compile each block where there is a compiler; False, and eager, where there is none."""
    if model.head.weight.device.type == "cpu":
        usual = "clang++" if sys.platform == "darwin" else "g++"
        if not shutil.which(os.environ.get("CXX", usual)):
            return False
    torch._dynamo.config.recompile_limit = 64  # a graph per shape and canvas
    if model.head.weight.device.type == "cpu":
        for block in model.blocks:
            block.forward = torch.compile(block.forward, dynamic=False)
        return True
    # A GPU has many canvases to see in little time: what varies becomes a variable of the graph.
    for block in model.blocks:
        block.forward = _for_painted(block.forward, torch.compile(block.forward))
    return True


def _for_painted(plain: Callable[..., Any], compiled: Callable[..., Any]) -> Callable[..., Any]:
    """A block that is compiled for what is painted; what is kept is little, in many forms."""

    def forward(
        x: Tensor, mod: Tensor, rope: Rope, heard: Heard, dtype: torch.dtype,
        chunks: tuple[int, ...] = (), past: Past | None = None, around: Around | None = None,
        keep: bool = False,
    ) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:  # fmt: skip
        work = plain if chunks else compiled
        return work(x, mod, rope, heard, dtype, chunks, past, around, keep)

    return forward


class Learner:
    """All that a step changes: weights, heads that are thrown away, optimiser, averages.

    heads: modules by name, made for the model, that learn with it and are no part of it. Beside
    them the text encoder, of which training needs the codes of what captions state alone: it can go
    on learning words meanwhile.
    """

    def __init__(
        self,
        c: Course,
        ranks: Ranks,
        heads: Callable[[DiT], Mapping[str, nn.Module]] = lambda _: {},
    ) -> None:
        self.text = checkpoint.load_text(c.text).to(ranks.device)
        if self.text.labels != LABELS:
            raise CheckpointError(
                f"{c.text} reads other facts than the world has by now: train the text encoder anew"
            )
        self.model = DiT(c.preset, dtype=c.dtype).init(Generator().manual_seed(c.seed))
        self.begun = growing.begin(self.model, c.start) if c.start else {}
        torch.manual_seed(c.seed)  # torch's default initialisation of the heads
        parts = {"model": self.model, **heads(self.model)}
        self.both = nn.ModuleDict(parts).to(ranks.device)
        self.ranks = ranks
        ranks.share(self.both.parameters())
        self.opt = optimizer(
            self.both, lr=c.lr, adam_lr=c.adam_lr, weight_decay=c.weight_decay,
            hidden=in_blocks if c.muon else lambda *_: False,
        )  # fmt: skip
        self.ema = Ema(self.model, c.ema)
        self.averages = {
            given: Ema(self.model, given) if given < 1 else Ema(self.model, 1.0, power=given)
            for given in c.averages
        }

    def states(self, batch: Batch) -> Tensor:
        """The words of a batch's captions: B M E."""
        return _stated(self, batch.said)

    def spans(self, batch: Batch) -> list[tuple[int, Tensor]]:
        """The words of each of a batch's spans, B M E, and the latent from which on they hold."""
        return [(start, _stated(self, said)) for start, said in batch.spans]

    def descend(self, loss: Tensor, factor: float) -> float:
        """One step of the optimiser, on the ranks' common gradient; the gradient's norm."""
        self.opt.zero_grad()
        loss.backward()
        self.ranks.average(p.grad for p in self.both.parameters() if p.grad is not None)
        norm = clip_grad_norm(self.both, 1.0)
        self.opt.step(factor)
        for average in (self.ema, *self.averages.values()):
            average.update()
        return norm

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors = {k: v.clone() for k, v in self.both.state_dict().items()}
        extra = {"optimizer": self.opt.state_dict(), "ema": self.ema.state_dict()}
        if self.averages:
            extra["averages"] = {str(k): e.state_dict() for k, e in self.averages.items()}
        return tensors, extra

    def load(self, held: checkpoint.Loaded) -> None:
        """Inverse of `state`."""
        checkpoint.apply(self.both, held.tensors)
        self.opt.load_state_dict(held.extra["optimizer"])
        self.ema.load_state_dict(held.extra["ema"])
        for given, average in self.averages.items():
            average.load_state_dict(held.extra["averages"][str(given)])


def _stated(learner: Learner, labels: Mapping[str, Tensor]) -> Tensor:
    """States of labels, slot to B: B M E."""
    said = torch.stack([labels[slot] for slot in learner.text.labels], dim=1)  # B M
    return learner.text.stated(said.to(learner.ranks.device))


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What a stage of training is to the loop.

    kind: of its states; flops: floating-point operations of a clip in a step, by its tokens and its
    words; curves: the measures that are drawn; about: more of its provenance.
    """

    kind: str
    learner: Learner
    lesson: Lesson
    flops: Callable[[int, int], float]
    curves: tuple[str, ...]
    about: Mapping[str, Any] = field(default_factory=dict)


def follow(
    name: str, c: Course, stage: Stage, out: Path, *, resume: bool, minutes: float | None
) -> dict[str, Any]:
    """Take a course's steps from where its run in `out` stopped; what `main` of a stage answers."""
    with run.claimed(out, stage.learner.ranks):
        step = _follow(name, c, stage, out, resume, minutes)
    return {"step": step, "of": c.total, "out": str(out)}


def _follow(
    name: str, c: Course, stage: Stage, out: Path, resume: bool, minutes: float | None
) -> int:
    total, learner, ranks = c.total, stage.learner, stage.learner.ranks
    step, where = 0, None
    held = run.resume(out, kind=f"{stage.kind}-run", ranks=ranks, fresh=not resume)
    if held is not None:
        learner.load(held)
        step, where = held.extra["step"], held.extra["loader"]
    kept = run.kept(c, held, ranks)
    notice = ""
    if step >= total:
        notice = f"{out} has done all its {total} steps"
    elif c.compile and not compile_blocks(learner.model):
        notice = "no C++ compiler found: training runs eagerly, and slower"
    if notice and ranks.first:
        print(notice, file=sys.stderr)
    saved, begun = time.monotonic(), 0
    stop = False
    # only the first rank writes
    logged = Log(out, total=total, step=step) if ranks.first else nullcontext()
    with run.allowed(minutes, ranks) as late, logged as log:
        for number, phase in enumerate(c.phases):
            begun += phase.steps
            if step >= begun or stop:
                continue
            seed = c.seed + number
            loader = _data(phase, c, seed, ranks)
            if where is not None:
                loader.load_state_dict(where)
                where = None
            while step < begun and not stop:
                batch = next(loader)
                tells = (step + 1) % 10 == 0 or step + 1 == total
                measures = stage.lesson(batch, step, tells)
                step += 1
                stop = late()
                if tells or stop:
                    values = [torch.as_tensor(v).detach().cpu().float() for v in measures.values()]
                    told = torch.stack(values).to(ranks.device)
                    ranks.average([told])
                    if log is not None:
                        shown = dict(zip(measures, told.tolist(), strict=True))
                        log.write(step, **shown, bucket=batch.bucket, phase=number)
                due = time.monotonic() - saved > c.save_every or stop or step == total
                if log is not None and due:
                    # at a phase's end the next one starts its own loader
                    at = None if step == begun else loader.state_dict()
                    _save(out, c, stage, step, {"loader": at, "told": kept})
                    _final(out, name, c, stage, step, log, kept)
                    saved = time.monotonic()
            if isinstance(loader, Live):
                loader.close()
        if log is not None and run.stale(out, kind="dit", step=step):
            _final(out, name, c, stage, step, log, kept)
    return step


def _data(phase: Phase, c: Course, seed: int, ranks: Ranks) -> Loader | Live:
    if phase.buckets:
        return Loader(
            phase.buckets, seed=seed, rank=ranks.rank, world=ranks.size, twins=c.twins
        )  # fmt: skip
    if not c.compressor:
        raise RequestError("fresh clips must be encoded: set compressor= to a trained one's folder")
    encoder = checkpoint.load_compressor(c.compressor, dtype=c.dtype).to(ranks.device)
    return Live(
        phase.fresh, encoder, seed=seed, rank=ranks.rank, world=ranks.size, jobs=c.jobs,
        twins=c.twins,
    )  # fmt: skip


def _save(out: Path, c: Course, stage: Stage, step: int, more: Mapping[str, Any]) -> None:
    tensors, extra = stage.learner.state()
    extra |= {"step": step, **more}
    checkpoint.save_rolling(
        out, step, kind=f"{stage.kind}-run", config=dataclasses.asdict(c.preset), tensors=tensors,
        extra=extra,
    )  # fmt: skip


def _final(
    out: Path, name: str, c: Course, stage: Stage, step: int, log: Log, kept: Mapping[str, Any]
) -> None:
    learner = stage.learner
    spent = cost(c, step, learner.text.preset.slots, stage.flops)
    told = run.provenance(
        name, log, learner.ranks, steps=step, seed=c.seed, changed=kept["changed"], **spent,
        **stage.about, **learner.begun,
    )  # fmt: skip
    # `final` last: it tells whether a save was cut short
    for given, average in (*learner.averages.items(), (None, learner.ema)):
        folder = out / ("final" if given is None else f"final-{given}")
        with average.swapped():
            checkpoint.save(
                folder, kind="dit", config=dataclasses.asdict(c.preset),
                tensors=learner.model.state_dict(), storage="fp16",
                provenance=told | ({} if given is None else {"average": given}),
            )  # fmt: skip
    plot(out, names=stage.curves)


def cost(c: Course, step: int, words: int, flops: Callable[[int, int], float]) -> dict[str, Any]:
    """Clips seen and floating-point operations spent in a course's first steps, by formula.

    flops: as in a `Stage`. NaN where a bucket of an earlier phase is gone.
    """
    seen, spent = 0, 0.0
    for phase in c.phases:
        steps = min(step, phase.steps)
        step -= steps
        sources = phase.buckets or phase.fresh
        for source, drawn in zip(sources, turns(sources, steps), strict=True):
            if not drawn:
                continue
            seen += drawn * source.batch
            shape = _shape(source)
            if shape is None:
                spent = math.nan
                continue
            spent += drawn * source.batch * flops(math.prod(shape) // c.preset.patch**2, words)
    return {"clips": seen, "flops": spent}


def _shape(source: Bucket | Fresh) -> tuple[int, ...] | None:
    """Latents in time, rows and columns; None for a bucket that is gone."""
    if isinstance(source, Fresh):
        return source.shape
    shards = clips.shards(source.path)
    return clips.get(shards[0])[0]["latents"].shape[2:] if shards else None
