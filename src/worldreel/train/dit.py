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
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from worldreel import canvas, checkpoint, flow, parallel, tokens
from worldreel.canvas import TASKS
from worldreel.data.clip import DENSE
from worldreel.data.loader import Batch, Bucket, Loader
from worldreel.errors import RequestError
from worldreel.models import presets
from worldreel.models.dit import DiT
from worldreel.models.presets import DitPreset, TextPreset
from worldreel.models.text import Lexicon, TextEncoder
from worldreel.parallel import Ranks
from worldreel.train import recipe
from worldreel.train.log import Log
from worldreel.train.optim import Ema, clip_grad_norm, optimizer, wsd

SHARES = len(DENSE) - 3  # of a token's truth: class and colour shares; the rest are measures


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Some steps on some buckets of encoded clips (`data.encode`)."""

    steps: int
    buckets: tuple[Bucket, ...]


@dataclass(frozen=True, kw_only=True)
class Config:
    """text: a trained text encoder's folder; start: weights to begin from, or nothing."""

    preset: DitPreset
    phases: tuple[Phase, ...]
    text: str
    start: str = ""
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


def load_text(folder: str | Path) -> TextEncoder:
    """A trained text encoder, frozen."""
    held = checkpoint.load(folder, kind="text")
    preset = presets.build(TextPreset, held.config["preset"])
    labels = {k: tuple(v) for k, v in held.config["labels"].items()}
    model = TextEncoder(preset, Lexicon(held.config["lexicon"]), labels)
    checkpoint.apply(model, held.tensors)
    return model.requires_grad_(False).eval()


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What is random in one step, for the whole batch; `mine` cuts a rank's share."""

    noise: Tensor  #    B C T H W
    sigma: Tensor  #    B 1
    context: Tensor  #  B 1
    silent: Tensor  #   B, True where the words are dropped


def draw(shape: tuple[int, ...], c: Config, step: int, ranks: Ranks) -> tuple[Draw, Generator]:
    """The step's randomness for this rank's clips, and a generator for the canvas (shared)."""
    generator = Generator().manual_seed(c.seed * 1_000_003 + step)
    total = shape[0] * ranks.size
    noise = torch.randn((total, *shape[1:]), generator=generator)
    sigma = flow.draw_levels(total, generator=generator, shift=c.shift)[:, None]
    u = torch.rand(3, total, generator=generator)
    context = (torch.where(u[0] < 0.5, 0.0, c.context_level * u[1]))[:, None]
    silent = u[2] < c.dropout
    mine = slice(ranks.rank * shape[0], (ranks.rank + 1) * shape[0])
    values = (noise, sigma, context, silent)
    n, s, k, q = (v[mine].to(ranks.device) for v in values)
    return Draw(noise=n, sigma=s, context=k, silent=q), generator


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
    model: DiT, truth: Truth | None, text: TextEncoder, batch: Batch, c: Config, step: int,
    ranks: Ranks,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The flow loss of a batch and the loss of what the middle block must know."""
    clean = batch.latents.to(ranks.device)
    b = clean.shape[0]
    d, generator = draw(tuple(clean.shape), c, step, ranks)
    board = canvas.random(clean, generator=generator, tasks=c.tasks, soft=c.soft)
    box = tokens.bag(board, patch=c.preset.patch, chunk=c.preset.chunk)
    with torch.no_grad():
        ids, _ = text.tokens(batch.captions)
        states = text(ids)  #                                                B M E
    mask = ~d.silent[:, None].expand(b, states.shape[1])
    words = model.read([(None, states, mask)], b)
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
    if model.head.weight.device.type == "cpu" and not (shutil.which("g++") or shutil.which("c++")):
        return False
    torch._dynamo.config.recompile_limit = 64  # a graph per shape and canvas
    for block in model.blocks:
        block.forward = torch.compile(block.forward, dynamic=False)
    return True


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
    ranks = parallel.start()
    out = Path(out)
    text = load_text(c.text).to(ranks.device)
    generator = Generator().manual_seed(c.seed)
    dtype = torch.bfloat16 if c.bf16 else torch.float32
    model = DiT(c.preset, dtype=dtype).init(generator)
    if c.start:
        checkpoint.apply(model, checkpoint.load(c.start, kind="dit").tensors)
    model.to(ranks.device)
    torch.manual_seed(c.seed)  # torch's default initialisation of the head
    truth = Truth(model).to(ranks.device) if c.dense else None
    both = nn.ModuleDict({"model": model} | ({"truth": truth} if truth is not None else {}))
    opt = optimizer(both, lr=c.lr, adam_lr=c.adam_lr, weight_decay=c.weight_decay)
    ema = Ema(model, c.ema)
    total = sum(p.steps for p in c.phases)
    step, loader_state = 0, None
    state = checkpoint.latest(out) if resume else None
    if state is not None:
        held = checkpoint.load(state, kind="dit-run")
        checkpoint.apply(both, held.tensors)
        opt.load_state_dict(held.extra["optimizer"])
        ema.load_state_dict(held.extra["ema"])
        step, loader_state = held.extra["step"], held.extra["loader"]
    if step >= total:
        raise RequestError(f"{out} has done all {total} steps: give the recipe more, or --fresh")
    if c.compile and not compile_blocks(model) and ranks.first:
        print("no C++ compiler found: training runs eagerly, about 2.5 times slower")
    log = Log(out, total=total, step=step) if ranks.first else None
    started = saved = time.monotonic()
    begun = 0
    stop = False
    for number, phase in enumerate(c.phases):
        begun += phase.steps
        if step >= begun or stop:
            continue
        loader = Loader(phase.buckets, seed=c.seed + number, rank=ranks.rank, world=ranks.size)
        if loader_state is not None:
            loader.load_state_dict(loader_state)
            loader_state = None
        while step < begun and not stop:
            batch = next(loader)
            flow_loss, dense_loss = losses(model, truth, text, batch, c, step, ranks)
            opt.zero_grad()
            (flow_loss + c.dense * dense_loss).backward()
            ranks.average(p.grad for p in both.parameters() if p.grad is not None)
            norm = clip_grad_norm(both, 1.0)
            opt.step(wsd(step, warmup=c.warmup, total=total, decay_share=c.decay_share))
            ema.update()
            step += 1
            late = minutes is not None and time.monotonic() - started > 60 * minutes
            stop = ranks.agree(late)
            if log is not None and (step % 10 == 0 or stop or step == total):
                log.write(
                    step, loss=flow_loss.item(), dense=dense_loss.item(), norm=norm,
                    bucket=batch.bucket, phase=number,
                )  # fmt: skip
            due = time.monotonic() - saved > c.save_every or stop or step == total
            if ranks.first and due:
                # at a phase's end the next one starts its own loader
                where = None if step == begun else loader.state_dict()
                _save(out, name, c, model, both, opt, ema, step, where)
                saved = time.monotonic()
    if log is not None:
        log.close()
    ranks.close()
    return {"step": step, "of": total, "out": str(out)}


def _save(
    out: Path, name: str, c: Config, model: DiT, both: nn.Module, opt: Any, ema: Ema, step: int,
    loader: dict[str, Any] | None,
) -> None:  # fmt: skip
    config = dataclasses.asdict(c.preset)
    extra = {
        "optimizer": opt.state_dict(),
        "ema": ema.state_dict(),
        "step": step,
        "loader": loader,
    }
    tensors = {k: v.clone() for k, v in both.state_dict().items()}
    checkpoint.save_rolling(
        out, step, kind="dit-run", config=config, tensors=tensors, extra=extra
    )
    with ema.swapped():
        checkpoint.save(
            out / "final", kind="dit", config=config, tensors=model.state_dict(), storage="fp16",
            provenance={"recipe": name, "steps": step, "seed": c.seed},
        )  # fmt: skip
