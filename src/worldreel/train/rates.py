"""What a run will cost on this machine, measured before it begins, and whether it computes rightly.

Drawing clips, encoding them, the transformer's steps; renders against the CPU's, and gradients as
they are trained (bf16, compiled) against plain ones in fp32. Each takes seconds.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from worldreel import checkpoint
from worldreel.data import synth
from worldreel.data.clip import DENSE
from worldreel.data.live import Fresh
from worldreel.data.loader import Batch
from worldreel.parallel import Ranks
from worldreel.train import course, dit
from worldreel.train.course import Learner
from worldreel.train.dit import Config
from worldreel.world.render import render

_STEP = 0.02  # what is added to weights of zero, that each of them has a gradient


def drawing(source: Fresh, *, jobs: int, each: int) -> float:
    """Clips per second that so many processes draw together, `each` at once per process."""
    tasks = [range(i * each, (i + 1) * each) for i in range(3 * max(1, jobs))]
    tasks = [[source.first_seed + n for n in task] for task in tasks]
    if jobs < 2:
        began = time.monotonic()
        drawn(source, tasks[0])
        return each / (time.monotonic() - began)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, torch.set_num_threads, (1,)) as pool:
        list(pool.map(drawn, [source] * jobs, tasks[:jobs]))  # processes start, kernels load
        began = time.monotonic()
        list(pool.map(drawn, [source] * (2 * jobs), tasks[jobs:]))
        return 2 * jobs * each / (time.monotonic() - began)


def drawn(source: Fresh, numbers: Sequence[int]) -> int:
    """Draw some clips and throw them away; how many."""
    staged = (source.staged(number) for number in numbers)
    return sum(1 for _ in synth.draw(staged, source.settings))


def unlike(source: Fresh, *, count: int) -> float:
    """The share of pixels that the source's device draws over 8 levels unlike the CPU."""
    settings = source.settings
    picked = [source.staged(source.first_seed + n).takes[0] for n in range(count)]
    made = [
        render(picked, size=settings.size, samples=settings.samples, device=device)
        for device in ("cpu", settings.device)
    ]
    apart = [
        np.abs(one.frames.astype(np.int16) - two.frames).max(-1) > 8
        for one, two in zip(*made, strict=True)
    ]
    return float(np.mean([np.mean(a) for a in apart]))


def encoding(c: Config, source: Fresh, ranks: Ranks, *, count: int) -> float:
    """Clips per second that the compressor encodes."""
    net = checkpoint.load_compressor(c.compressor, dtype=c.dtype).to(ranks.device)
    width, height = source.settings.size
    frames = 4 * source.shape[0]
    video = torch.rand(count, 3, frames, height, width, device=ranks.device) * 2 - 1
    with torch.inference_mode():
        net.encode(video[:1])
        began = _now(ranks)
        net.encode(video)
        return count / (_now(ranks) - began)


def stepping(c: Config, sources: Sequence[Fresh], ranks: Ranks, *, steps: int) -> list[float]:
    """Seconds of a step on each source, every latent painted: the median after a warm-up."""
    c = dataclasses.replace(c, tasks={"blank": 1.0}, soft=0.0)
    learner = dit.learner(c, ranks)
    if c.compile:
        course.compile_blocks(learner.model)
    found = []
    for source in sources:
        batch = noise(c, source, learner, source.batch, ranks)
        spent = []
        for step in range(steps + 2):
            began = _now(ranks)
            dit.learn(learner, batch, c, step, 0.0)
            spent.append(_now(ranks) - began)
        found.append(sorted(spent[2:])[steps // 2])
    return found


def gradients(c: Config, source: Fresh, ranks: Ranks) -> dict[str, float]:
    """How far gradients as trained are from plain fp32 ones, as a share, on two canvases."""
    found = {}
    for task in ("blank", "first") if source.shape[0] > 1 else ("blank",):
        own = dataclasses.replace(c, tasks={task: 1.0}, soft=0.0)
        plain = dataclasses.replace(own, bf16=False, compile=False)
        a, b = (_gradient(each, source, ranks) for each in (own, plain))
        found[task] = float((a - b).norm() / b.norm())
    return found


def _gradient(c: Config, source: Fresh, ranks: Ranks) -> Tensor:
    learner = dit.learner(c, ranks)
    generator = Generator().manual_seed(c.seed)
    with torch.no_grad():
        for p in learner.both.parameters():
            p += _STEP * torch.randn(p.shape, generator=generator).to(p.device)
    if c.compile:
        course.compile_blocks(learner.model)
    batch = noise(c, source, learner, 4, ranks)
    flow_loss, dense_loss = dit.losses(learner, batch, c, 0, ranks)
    (flow_loss + c.dense * dense_loss).backward()
    grads = [p.grad.flatten() for p in learner.model.parameters() if p.grad is not None]
    return torch.cat(grads)


def noise(c: Config, source: Fresh, learner: Learner, count: int, ranks: Ranks) -> Batch:
    """A batch of the source's shape that means nothing."""
    generator = Generator().manual_seed(c.seed)
    shape = source.shape
    latents = torch.randn((count, c.preset.channels, *shape), generator=generator)
    truth = torch.rand((count, *shape, len(DENSE)), generator=generator)
    said = {slot: torch.zeros(count, dtype=torch.long) for slot in learner.text.labels}
    rest: dict[str, Any] = {"captions": [""] * count, "seeds": [0] * count, "labels": said}
    return Batch(
        bucket=0, still=source.settings.still, latents=latents.to(ranks.device),
        dense=truth.to(ranks.device), said=said, **rest,
    )  # fmt: skip


def _now(ranks: Ranks) -> float:
    """Seconds, when all that was asked of the device is done."""
    if ranks.device.type == "cuda":
        torch.cuda.synchronize(ranks.device)
    return time.monotonic()
