"""Train the transformer: clips to weights, on a CPU, a GPU, or several under torchrun.

What a step learns is in `learner`; this file turns a recipe's phases into steps, and keeps what
they made. All that is random in a step is a function of the seed and the step's number, for the
whole batch: a resumed run goes on bit for bit, and several ranks take the steps that one would.
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
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from worldreel import checkpoint, parallel
from worldreel.data import clip as clips
from worldreel.data.live import Fresh, Live
from worldreel.data.loader import Bucket, Loader, turns
from worldreel.errors import RequestError
from worldreel.models.dit import Around, DiT, Heard, Past, Rope
from worldreel.parallel import Ranks
from worldreel.train import recipe, run
from worldreel.train.learner import Config, Learner, Phase, losses, staying
from worldreel.train.log import Log, plot
from worldreel.train.optim import clip_grad_norm, wsd


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
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        return (plain if chunks else compiled)(x, mod, rope, heard, dtype, chunks, past, around)

    return forward


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
    return train(name, c, out=out, resume=resume, minutes=minutes)


def train(
    name: str,
    c: Config,
    *,
    out: str | Path,
    resume: bool = True,
    minutes: float | None = None,
) -> dict[str, Any]:
    """`main` for a config that is at hand; `name` is told as the recipe's."""
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
                learner.follow()
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
        return Loader(
            phase.buckets, seed=seed, rank=ranks.rank, world=ranks.size, twins=c.twins
        )  # fmt: skip
    if not c.compressor:
        raise RequestError("fresh clips must be encoded: set compressor= to a trained one's folder")
    dtype = torch.bfloat16 if c.bf16 else torch.float32
    encoder = checkpoint.load_compressor(c.compressor, dtype=dtype).to(ranks.device)
    return Live(
        phase.fresh, encoder, seed=seed, rank=ranks.rank, world=ranks.size, jobs=c.jobs,
        twins=c.twins,
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
    # `final` last: it tells whether a save was cut short
    for given, average in (*learner.averages.items(), (None, learner.ema)):
        folder = out / ("final" if given is None else f"final-{given}")
        with average.swapped():
            checkpoint.save(
                folder, kind="dit", config=config, tensors=learner.model.state_dict(),
                storage="fp16", provenance=told | ({} if given is None else {"average": given}),
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
            once = learner.model.flops(count, words, through=staying(count, c))
            flops += 3.0 * drawn * source.batch * once
    return {"clips": seen, "flops": flops}


def _shape(source: Bucket | Fresh) -> tuple[int, ...] | None:
    """Latents in time, rows and columns; None for a bucket that is gone."""
    if isinstance(source, Fresh):
        return source.shape
    shards = clips.shards(source.path)
    return clips.get(shards[0])[0]["latents"].shape[2:] if shards else None
