"""Train the transformer: clips to weights, on a CPU, a GPU, or several under torchrun.

Each batch draws a task from the constructors that serve it (`canvas.random`), is noised by the
function that samplers start from (`flow.noised`), and is scored on what is painted. Beside the
flow, a small head on a middle block must say what the renderer knows of every token (class,
colour, nearness, motion); it is thrown away after training.

All that is random in a step is a function of the seed and the step's number, for the whole batch:
a resumed run goes on bit for bit, and several ranks take the steps that one would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from worldreel import canvas, flow, parallel, tokens
from worldreel.canvas import Canvas
from worldreel.data.clip import DENSE
from worldreel.data.loader import Batch
from worldreel.errors import RequestError
from worldreel.models.dit import DiT
from worldreel.parallel import Ranks
from worldreel.train import recipe
from worldreel.train.course import Course, Learner, Stage, follow
from worldreel.train.course import Phase as Phase  # a recipe's word

SHARES = len(DENSE) - 3  # of a token's truth: class and colour shares; the rest are measures


@dataclass(frozen=True, kw_only=True)
class Config(Course):
    """A course of clips, words and levels."""

    mean: float = 0.0  # of the logit of training levels, and their spread
    std: float = 1.0
    shift: float = 1.5  # of training levels, towards noise
    dropout: float = 0.1  # share of clips without words
    dense: float = 0.1  # weight of the middle block's head
    contrast: float = 0.0  # how much a clip's velocity is pushed from its neighbour's (2506.05350)
    bypass: float = 0.0  # share of painted tokens that pass by the middle blocks (2501.04765)

    def __post_init__(self) -> None:
        if not 0 <= self.bypass < 1:
            raise ValueError(
                f"bypass is {self.bypass}; it is a share of tokens, at least 0, below 1"
            )


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
    sigma = flow.draw_levels(
        total, generator=generator, mean=c.mean, std=c.std, shift=c.shift
    )[:, None]  # fmt: skip
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

    def loss(self, dense: Tensor, part: tokens.Part, through: Tensor | None = None) -> Tensor:
        """dense B T h w A, at the tokens of `part` (a patch of one latent) or at some of them."""
        hidden = self.seen[-1]
        self.seen.clear()
        truth = dense.flatten(1, 3)[:, part.index]  #                        B N A
        if through is not None and hidden.shape[1] < truth.shape[1]:
            truth = truth.gather(1, through[..., None].expand(-1, -1, truth.shape[-1]))
        said = self.head(hidden)
        shares = functional.binary_cross_entropy_with_logits(
            said[..., :SHARES], truth[..., :SHARES].clamp(0, 1)
        )
        return shares + functional.smooth_l1_loss(said[..., SHARES:], truth[..., SHARES:])


def losses(
    learner: Learner, batch: Batch, c: Config, step: int, ranks: Ranks
) -> tuple[Tensor, Tensor]:
    """The flow loss of a batch and the loss of what the middle block must know."""
    model, truth = learner.model, cast(Truth, learner.both["truth"]) if c.dense else None
    clean = batch.latents.to(ranks.device)
    d = draw(tuple(clean.shape), c, step, ranks)
    board = Canvas(known=clean, freedom=d.freedom)
    box = tokens.bag(board, patch=c.preset.patch, chunk=c.preset.chunk)
    states = learner.states(batch)  #                                        B M E
    mask = ~d.silent[:, None].expand(states.shape[:2])
    words = model.read([(None, states, mask)], len(states))
    context = tokens.remember(model, board, box, context_level=d.context, noise=d.noise)
    if truth is not None:
        truth.seen.clear()  # what is kept is not scored
    x = canvas.start(board, d.noise, d.sigma)
    through = thinned(len(clean), len(box.painted.index), c, step, ranks)
    network = model if through is None else cast(tokens.Network, partial(model, through=through))
    field_ = tokens.velocity(network, board, box, words, context=context, noise=d.noise)
    v = field_(x, d.sigma, d.sigma)
    levels = canvas.levels(board, d.sigma)
    flow_loss = flow.loss(v, clean, d.noise, levels)
    if c.contrast:
        apart = flow.loss(v, neighbours(clean), neighbours(d.noise), levels)
        flow_loss = flow_loss - c.contrast * apart
    if truth is None:
        return flow_loss, flow_loss.new_zeros(())
    return flow_loss, truth.loss(batch.dense.to(ranks.device), box.painted, through)


def staying(count: int, c: Config) -> int:
    """How many of a clip's painted tokens go through the middle blocks: one at least."""
    return max(1, count - int(c.bypass * count))


def thinned(clips: int, count: int, c: Config, step: int, ranks: Ranks) -> Tensor | None:
    """Which of `count` painted tokens stay in the middle blocks, B n in order; None: all.

    Drawn anew for each clip of the whole batch, then cut.
    """
    if not c.bypass:
        return None
    generator = Generator().manual_seed((c.seed * 1_000_003 + step) * 2 + 1)
    luck = torch.rand(clips * ranks.size, count, generator=generator)
    stay = luck.topk(staying(count, c), dim=1).indices.sort(dim=1).values
    return stay[ranks.share_of(len(luck))].to(ranks.device)


def neighbours(x: Tensor) -> Tensor:
    """Clips in pairs, each in the other's place: several ranks make the pairs that one would."""
    if len(x) % 2:
        raise RequestError(f"contrast takes clips in pairs: {len(x)} a process are odd")
    return x.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


def learner(c: Config, ranks: Ranks) -> Learner:
    """The model, and the head that is thrown away if there is one."""
    if c.dense and c.preset.patch != 1:
        raise RequestError("the renderer's truth is of single latents: set dense=0.0 or patch=1")
    return Learner(c, ranks, lambda model: {"truth": Truth(model)} if c.dense else {})


def flops(c: Config, model: DiT, count: int, words: int) -> float:
    """Floating-point operations of a clip of `count` tokens in a step, by formula.

    A backward pass counts twice a forward one, and every token as a painted one.
    """
    return 3.0 * model.flops(count, words, through=staying(count, c))


def learn(taught: Learner, batch: Batch, c: Config, step: int, factor: float) -> dict[str, Any]:
    """One step, at a factor of the learning rates: its losses, and the gradient's norm."""
    flow_loss, dense_loss = losses(taught, batch, c, step, taught.ranks)
    norm = taught.descend(flow_loss + c.dense * dense_loss, factor)
    return {"loss": flow_loss, "dense": dense_loss, "norm": norm}


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
        taught = learner(c, ranks)
        stage = Stage(
            kind="dit",
            learner=taught,
            lesson=lambda batch, step, tells: learn(taught, batch, c, step, c.rate(step)),
            flops=partial(flops, c, taught.model),
            curves=("loss", "dense", "norm"),
        )
        return follow(name, c, stage, Path(out), resume=resume, minutes=minutes)
