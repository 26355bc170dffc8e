"""Train the transformer: clips to weights, on a CPU, a GPU, or several under torchrun.

Each batch draws a task from the constructors that serve it (`canvas.random`), is noised by the
function that samplers start from (`flow.noised`), and is scored on what is painted. Beside the
flow, a small head on a middle block must say what the renderer knows of every token (class,
colour, nearness, motion); it is thrown away after training.

All that is random in a step is a function of the seed and the step's number, for the whole batch:
a resumed run goes on bit for bit, and several ranks take the steps that one would.
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
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from worldreel import canvas, checkpoint, flow, parallel, tokens
from worldreel.canvas import TASKS, Canvas
from worldreel.data import clip as clips
from worldreel.data.clip import DENSE
from worldreel.data.live import Fresh, Live
from worldreel.data.loader import Batch, Bucket, Loader, turns
from worldreel.errors import CheckpointError, RequestError
from worldreel.models.dit import DiT
from worldreel.models.presets import DitPreset
from worldreel.parallel import Ranks
from worldreel.train import recipe, run
from worldreel.train.log import Log, plot
from worldreel.train.optim import Ema, clip_grad_norm, optimizer, wsd
from worldreel.world.labels import LABELS

SHARES = len(DENSE) - 3  # of a token's truth: class and colour shares; the rest are measures


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Some steps on buckets of encoded clips (`data.encode`), or on clips rendered meanwhile."""

    steps: int
    buckets: tuple[Bucket, ...] = ()
    fresh: tuple[Fresh, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.buckets) == bool(self.fresh):
            raise ValueError("a phase learns from buckets or from fresh clips: give one of them")


@dataclass(frozen=True, kw_only=True)
class Config:
    """text: a trained text encoder's folder; start: weights to begin from, or nothing.

    compressor: the folder of the one that encodes fresh clips; jobs: processes that render them,
    per rank.
    """

    preset: DitPreset
    phases: tuple[Phase, ...]
    text: str
    start: str = ""
    compressor: str = ""
    jobs: int = 1
    lr: float = 2e-3
    adam_lr: float = 2e-3
    weight_decay: float = 0.0
    warmup: int = 100
    decay_share: float = 0.3
    shift: float = 1.5  # of training levels, towards noise
    dropout: float = 0.1  # share of clips without words
    dense: float = 0.1  # weight of the middle block's head
    tasks: Mapping[str, float] = field(default_factory=lambda: dict(TASKS))
    soft: float = 0.25
    context_level: float = 0.3  # kept latents are shown at up to this level, half of the time at 0
    ema: float = 0.999
    compile: bool = True
    bf16: bool = True
    seed: int = 0
    save_every: float = 180.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What is random in one step, for this rank's clips: a function of the seed and the step."""

    noise: Tensor  #    B C T H W
    sigma: Tensor  #    B 1
    context: Tensor  #  B 1
    silent: Tensor  #   B, True where the words are dropped
    freedom: Tensor  #  B 1 T H W, a canvas's: what is kept, and how free the rest is


def draw(shape: tuple[int, ...], c: Config, step: int, ranks: Ranks) -> Draw:
    """The step's randomness for this rank's B C T H W; drawn for the whole batch, then cut."""
    generator = Generator().manual_seed(c.seed * 1_000_003 + step)
    total = shape[0] * ranks.size
    luck = generator
    if ranks.device.type != "cpu":  # a processor needs longer for the noise than a GPU for a step
        luck = Generator(ranks.device).manual_seed(generator.initial_seed())
    noise = torch.randn((total, *shape[1:]), generator=luck, device=luck.device)
    sigma = flow.draw_levels(total, generator=generator, shift=c.shift)[:, None]
    u = torch.rand(3, total, generator=generator)
    context = (torch.where(u[0] < 0.5, 0.0, c.context_level * u[1]))[:, None]
    silent = u[2] < c.dropout
    nothing = torch.zeros(total, 1, *shape[2:])
    board = canvas.random(nothing, generator=generator, tasks=c.tasks, soft=c.soft)
    mine = ranks.share_of(total)
    values = (noise, sigma, context, silent, board.freedom)
    n, s, k, q, f = (v[mine].to(ranks.device) for v in values)
    return Draw(noise=n, sigma=s, context=k, silent=q, freedom=f)


class Truth(nn.Module):
    """The middle block's head: what the renderer knows of each token. Not part of the model."""

    def __init__(self, model: DiT) -> None:
        super().__init__()
        self.head = nn.Linear(model.preset.dim, len(DENSE))
        self.seen: list[Tensor] = []
        middle = model.blocks[len(model.blocks) // 2]
        middle.register_forward_hook(lambda _, __, out: self.seen.append(out[0]))

    def loss(self, dense: Tensor, part: tokens.Part) -> Tensor:
        """dense B T h w A, at the tokens of `part` (a patch of one latent)."""
        hidden = self.seen[-1]
        self.seen.clear()
        truth = dense.flatten(1, 3)[:, part.index]  #                        B N A
        said = self.head(hidden)
        shares = functional.binary_cross_entropy_with_logits(
            said[..., :SHARES], truth[..., :SHARES].clamp(0, 1)
        )
        return shares + functional.smooth_l1_loss(said[..., SHARES:], truth[..., SHARES:])


def losses(
    learner: Learner, batch: Batch, c: Config, step: int, ranks: Ranks
) -> tuple[Tensor, Tensor]:
    """The flow loss of a batch and the loss of what the middle block must know."""
    model, truth, text = learner.model, learner.truth, learner.text
    clean = batch.latents.to(ranks.device)
    d = draw(tuple(clean.shape), c, step, ranks)
    board = Canvas(known=clean, freedom=d.freedom)
    box = tokens.bag(board, patch=c.preset.patch, chunk=c.preset.chunk)
    said = torch.stack([batch.said[slot] for slot in text.labels], dim=1)  # B M
    states = text.stated(said.to(ranks.device))  #                           B M E
    mask = ~d.silent[:, None].expand(states.shape[:2])
    words = model.read([(None, states, mask)], len(states))
    context = tokens.remember(model, board, box, context_level=d.context, noise=d.noise)
    if truth is not None:
        truth.seen.clear()  # what is kept is not scored
    x = canvas.start(board, d.noise, d.sigma)
    field_ = tokens.velocity(model, board, box, words, context=context, noise=d.noise)
    v = field_(x, d.sigma, d.sigma)
    flow_loss = flow.loss(v, clean, d.noise, canvas.levels(board, d.sigma))
    if truth is None:
        return flow_loss, flow_loss.new_zeros(())
    return flow_loss, truth.loss(batch.dense.to(ranks.device), box.painted)


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

    def forward(x: Tensor, *rest: Any) -> Any:
        chunks = rest[4] if len(rest) > 4 else ()
        return (plain if chunks else compiled)(x, *rest)

    return forward


class Learner:
    """All that a step changes: weights, the head that is thrown away, optimiser, average.

    Beside them the text encoder, of which training needs the codes of what captions state alone:
    it can go on learning words meanwhile.
    """

    def __init__(self, c: Config, ranks: Ranks) -> None:
        if c.dense and c.preset.patch != 1:
            raise RequestError(
                "the renderer's truth is of single latents: set dense=0.0 or patch=1"
            )
        self.text = checkpoint.load_text(c.text).to(ranks.device)
        if self.text.labels != LABELS:
            raise CheckpointError(
                f"{c.text} reads other facts than the world has by now: train the text encoder anew"
            )
        dtype = torch.bfloat16 if c.bf16 else torch.float32
        self.model = DiT(c.preset, dtype=dtype).init(Generator().manual_seed(c.seed))
        if c.start:
            checkpoint.apply(self.model, checkpoint.load(c.start, kind="dit").tensors)
        torch.manual_seed(c.seed)  # torch's default initialisation of the head
        self.truth = Truth(self.model) if c.dense else None
        parts = {"model": self.model} | ({"truth": self.truth} if self.truth is not None else {})
        self.both = nn.ModuleDict(parts).to(ranks.device)
        ranks.share(self.both.parameters())
        self.opt = optimizer(self.both, lr=c.lr, adam_lr=c.adam_lr, weight_decay=c.weight_decay)
        self.ema = Ema(self.model, c.ema)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors = {k: v.clone() for k, v in self.both.state_dict().items()}
        return tensors, {"optimizer": self.opt.state_dict(), "ema": self.ema.state_dict()}

    def load(self, held: checkpoint.Loaded) -> None:
        """Inverse of `state`."""
        checkpoint.apply(self.both, held.tensors)
        self.opt.load_state_dict(held.extra["optimizer"])
        self.ema.load_state_dict(held.extra["ema"])


def main(
    name: str,
    *,
    out: str | Path,
    resume: bool = True,
    minutes: float | None = None,
    overrides: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Train a recipe's transformer; `out`/final always holds the average so far.

    Stops after `minutes`, or when the recipe's steps are done. A run that was stopped goes on with
    the very next step.
    """
    c: Config = recipe.load(name, "dit", overrides)
    with parallel.start() as ranks:
        step = _train(name, c, Path(out), resume, minutes, ranks)
    return {"step": step, "of": sum(p.steps for p in c.phases), "out": str(out)}


def _train(
    name: str, c: Config, out: Path, resume: bool, minutes: float | None, ranks: Ranks
) -> int:
    total = sum(p.steps for p in c.phases)
    learner = Learner(c, ranks)
    step, where = 0, None
    held = run.resume(out, kind="dit-run", ranks=ranks, fresh=not resume)
    if held is not None:
        learner.load(held)
        step, where = held.extra["step"], held.extra["loader"]
    notice = ""
    if step >= total:
        notice = f"{out} has done all its {total} steps"
    elif c.compile and not compile_blocks(learner.model):
        notice = "no C++ compiler found: training runs eagerly, and slower"
    if notice and ranks.first:
        print(notice, file=sys.stderr)
    started = saved = time.monotonic()
    begun = 0
    stop = False
    # only the first rank writes
    with Log(out, total=total, step=step) if ranks.first else nullcontext() as log:
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
                flow_loss, dense_loss = losses(learner, batch, c, step, ranks)
                learner.opt.zero_grad()
                (flow_loss + c.dense * dense_loss).backward()
                grads = (p.grad for p in learner.both.parameters() if p.grad is not None)
                ranks.average(grads)
                norm = clip_grad_norm(learner.both, 1.0)
                learner.opt.step(wsd(step, warmup=c.warmup, total=total, decay_share=c.decay_share))
                learner.ema.update()
                step += 1
                late = minutes is not None and time.monotonic() - started > 60 * minutes
                stop = ranks.agree(late)
                if step % 10 == 0 or stop or step == total:
                    told = torch.stack([flow_loss.detach(), dense_loss.detach()])
                    ranks.average([told])
                    if log is not None:
                        measures = {"loss": told[0].item(), "dense": told[1].item(), "norm": norm}
                        log.write(step, **measures, bucket=batch.bucket, phase=number)
                due = time.monotonic() - saved > c.save_every or stop or step == total
                if log is not None and due:
                    # at a phase's end the next one starts its own loader
                    at = None if step == begun else loader.state_dict()
                    _save(out, c, learner, step, at)
                    _final(out, name, c, learner, step, log, ranks)
                    saved = time.monotonic()
            if isinstance(loader, Live):
                loader.close()
        if log is not None and run.stale(out, kind="dit", step=step):
            _final(out, name, c, learner, step, log, ranks)
    return step


def _data(phase: Phase, c: Config, seed: int, ranks: Ranks) -> Loader | Live:
    if phase.buckets:
        return Loader(phase.buckets, seed=seed, rank=ranks.rank, world=ranks.size)
    if not c.compressor:
        raise RequestError("fresh clips must be encoded: set compressor= to a trained one's folder")
    dtype = torch.bfloat16 if c.bf16 else torch.float32
    encoder = checkpoint.load_compressor(c.compressor, dtype=dtype).to(ranks.device)
    return Live(
        phase.fresh, encoder, seed=seed, rank=ranks.rank, world=ranks.size, jobs=c.jobs
    )  # fmt: skip


def _save(out: Path, c: Config, learner: Learner, step: int, loader: Any) -> None:
    tensors, extra = learner.state()
    config = dataclasses.asdict(c.preset)
    extra |= {"step": step, "loader": loader}
    checkpoint.save_rolling(out, step, kind="dit-run", config=config, tensors=tensors, extra=extra)


def _final(
    out: Path, name: str, c: Config, learner: Learner, step: int, log: Log, ranks: Ranks
) -> None:
    spent = cost(c, learner, step)
    told = run.provenance(name, log, ranks, steps=step, seed=c.seed, **spent)
    config = dataclasses.asdict(c.preset)
    with learner.ema.swapped():
        checkpoint.save(
            out / "final", kind="dit", config=config, tensors=learner.model.state_dict(),
            storage="fp16", provenance=told,
        )  # fmt: skip
    plot(out, names=("loss", "dense", "norm"))


def cost(c: Config, learner: Learner, step: int) -> dict[str, Any]:
    """Clips seen and floating-point operations spent in a recipe's first steps, by formula.

    A backward pass counts twice a forward one, and every token as a painted one. NaN where a
    bucket of an earlier phase is gone.
    """
    seen, flops = 0, 0.0
    words = learner.text.preset.slots
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
                flops = math.nan
                continue
            count = math.prod(shape) // c.preset.patch**2
            flops += 3.0 * drawn * source.batch * learner.model.flops(count, words)
    return {"clips": seen, "flops": flops}


def _shape(source: Bucket | Fresh) -> tuple[int, ...] | None:
    """Latents in time, rows and columns; None for a bucket that is gone."""
    if isinstance(source, Fresh):
        return source.shape
    shards = clips.shards(source.path)
    return clips.get(shards[0])[0]["latents"].shape[2:] if shards else None
