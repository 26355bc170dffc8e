"""What a step of the transformer's training learns, and what it changes.

Each batch draws a task from the constructors that serve it (`canvas.random`), is noised by the
function that samplers start from (`flow.noised`), and is scored on what is painted. Beside the
flow, a small head on a middle block must say what the renderer knows of every token (class,
colour, nearness, motion); it is thrown away after training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from worldreel import canvas, checkpoint, flow, tokens
from worldreel.canvas import TASKS, Canvas
from worldreel.data.clip import DENSE
from worldreel.data.live import Fresh
from worldreel.data.loader import Batch, Bucket
from worldreel.errors import CheckpointError, RequestError
from worldreel.models.dit import DiT
from worldreel.models.presets import DitPreset
from worldreel.parallel import Ranks
from worldreel.train.optim import Ema, in_blocks, optimizer
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
    mean: float = 0.0  # of the logit of training levels, and their spread
    std: float = 1.0
    shift: float = 1.5  # of training levels, towards noise
    dropout: float = 0.1  # share of clips without words
    dense: float = 0.1  # weight of the middle block's head
    contrast: float = 0.0  # how much a clip's velocity is pushed from its neighbour's (2506.05350)
    bypass: float = 0.0  # share of painted tokens that pass by the middle blocks (2501.04765)
    twins: bool = True  # whether mirrored clips are trained on
    tasks: Mapping[str, float] = field(default_factory=lambda: dict(TASKS))
    soft: float = 0.25
    context_level: float = 0.3  # kept latents are shown at up to this level, half of the time at 0
    ema: float = 0.999
    averages: tuple[float, ...] = ()
    compile: bool = True
    bf16: bool = True
    seed: int = 0
    save_every: float = 180.0  # seconds

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
        self.opt = optimizer(
            self.both, lr=c.lr, adam_lr=c.adam_lr, weight_decay=c.weight_decay,
            hidden=in_blocks if c.muon else lambda *_: False,
        )  # fmt: skip
        self.ema = Ema(self.model, c.ema)
        self.averages = {
            given: Ema(self.model, given) if given < 1 else Ema(self.model, 1.0, power=given)
            for given in c.averages
        }

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

    def follow(self) -> None:
        """Move the averages towards the weights as they are now."""
        for average in (self.ema, *self.averages.values()):
            average.update()
