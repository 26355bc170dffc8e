"""Train the transformer: clips to weights, on a CPU, a GPU, or several under torchrun.

Each batch draws a task from the constructors that serve it (`canvas.random`), is noised by the
function that samplers start from (`flow.noised`), and is scored on what is painted. Beside the
flow, a small head on a middle block must say what the renderer knows of every token (class,
colour, nearness, motion); it is thrown away after training.

All that is random in a step is a function of the seed and the step's number, for the whole batch:
a resumed run goes on bit for bit, and several ranks take the steps that one would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from worldreel.models.dit import DiT, Read
from worldreel.parallel import Ranks
from worldreel.tokens import Words
from worldreel.train import recipe
from worldreel.train.course import PER_STEP as PER_STEP  # recipes' words, as is Phase
from worldreel.train.course import Course, Learner, Stage, follow
from worldreel.train.course import Phase as Phase
from worldreel.world.scene import KINDS

OWN = (0.5, 0.95)  # levels from which the model paints what is kept: what it hides is its own
SHARES = len(DENSE) - 3  # of a token's truth: class and colour shares; the rest are measures


@dataclass(frozen=True, kw_only=True)
class Config(Course):
    """A course of clips, words and levels.

    What a stream serves (docs/stream.md) is learned by three shares, each 0 until a recipe sets it.
    own: of steps, in which what is kept is shown as the model itself would paint it. staggered: of
    steps, in which levels rise from group to group of latents. spans: of clips of several shots, in
    which the words of each shot are bound to its latents.
    """

    mean: float = 0.0  # of the logit of training levels, and their spread
    std: float = 1.0
    shift: float = 1.5  # of training levels, towards noise
    dropout: float = 0.1  # share of clips without words
    dense: float = 0.1  # weight of the middle block's head
    subjects: float = 0.0  # how much more errors count in cells that a thing touches
    contrast: float = 0.0  # how much a clip's velocity is pushed from its neighbour's (2506.05350)
    bypass: float = 0.0  # share of painted tokens that pass by the middle blocks (2501.04765)
    own: float = 0.0
    staggered: float = 0.0
    spans: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bypass and self.spans:
            raise ValueError("tokens that pass by must hear the same words: bypass=0 or spans=0")
        for name in ("context_exact", "own", "staggered", "spans"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is a share, from 0 to 1")
        if not 0 <= self.context_level < 1:
            raise ValueError(f"context_level is {self.context_level}; give 0 or more, below 1")
        if self.subjects < 0:
            raise ValueError(f"subjects is {self.subjects}; it is a weight: give 0 or more")
        if not 0 <= self.bypass < 1:
            raise ValueError(
                f"bypass is {self.bypass}; it is a share of tokens, at least 0, below 1"
            )


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What is random in one step, for this rank's clips: a function of the seed and the step.

    T are the latents of the canvas, which may be a window of the clips.
    """

    noise: Tensor  #    B C T H W
    sigma: Tensor  #    B 1, or B T
    context: Tensor  #  B 1
    silent: Tensor  #   B, True where the words are dropped
    freedom: Tensor  #  B 1 T H W, a canvas's: what is kept, and how free the rest is
    places: Tensor | None = None  #  B T, which latents of the clips the canvas has; None: all
    shown: Tensor | None = None  #   B n, which of them are references
    own: Tensor | None = None  #     B 1, the level from which the model paints what is kept itself
    again: Tensor | None = None  #   B C T H W, the noise for that; B 0 T H W where it does not
    bound: Tensor | None = None  #   B, True where the words of several shots are bound to them


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
    context = (torch.where(u[0] < c.context_exact, 0.0, c.context_level * u[1]))[:, None]
    silent = u[2] < c.dropout
    # drawn on clips that hold the number of each latent: so it is known which were taken
    numbers = torch.arange(float(shape[2]))[:, None, None].expand(total, 1, *shape[2:])
    board = canvas.random(numbers, generator=generator, tasks=c.tasks, soft=c.soft)
    places = board.known[:, 0, :, 0, 0].long()
    shown = [r[:, 0, :, 0, 0].long() for r in board.references]
    staggers, paints = torch.rand(2, generator=generator).tolist()
    v = torch.rand(2, total, generator=generator)
    if staggers < c.staggered:
        sigma = staggered(sigma, board.freedom, c, generator)
    noise = noise.index_select(2, places[0].to(noise.device))
    again = noise[:, :0]
    if paints < c.own:
        again = torch.randn(noise.shape, generator=luck, device=luck.device)
    values = {
        "noise": noise,
        "sigma": sigma,
        "context": context,
        "silent": silent,
        "freedom": board.freedom,
        "places": places,
        "shown": torch.cat(shown, dim=1) if shown else places[:, :0],
        "own": (OWN[0] + (OWN[1] - OWN[0]) * v[0])[:, None],
        "again": again,
        "bound": v[1] < c.spans,
    }
    mine = ranks.share_of(total)
    return Draw(**{name: value[mine].to(ranks.device) for name, value in values.items()})


def staggered(sigma: Tensor, freedom: Tensor, c: Config, generator: Generator) -> Tensor:
    """Levels that rise from group to group of what is painted: B 1 to B T.

    Half of the time they are a stream's with a lag, evenly spaced before the shift; else each
    group's is drawn, and they are sorted. Groups have any length; of one latent: B 1, as it is.
    """
    painted = (freedom[0, 0].flatten(1) > 0).any(dim=1).nonzero()[:, 0]
    count = freedom.shape[2] - int(painted[0])
    if count < 2:
        return sigma
    size, even = (int(torch.randint(n, (), generator=generator)) for n in (count // 2, 2))
    groups = (torch.arange(freedom.shape[2]) - painted[0]).clamp(min=0) // (size + 1)
    many = (len(sigma), int(groups[-1]) + 1)
    if even:
        levels = rungs(1 - torch.rand(many[0], 1, generator=generator), many[1], c.shift)
    else:
        drawn = flow.draw_levels(
            many[0] * many[1], generator=generator, mean=c.mean, std=c.std, shift=c.shift
        )
        levels = drawn.view(many).sort(dim=1).values
    return levels[:, groups]


def rungs(u: Tensor, count: int, shift: float) -> Tensor:
    """Levels of `count` groups that set out one after the other, all on their way: B 1 to B count.

    u: how far each still has to go until the next sets out, in (0, 1].
    """
    return flow.shifted((u + torch.arange(count)) / count, shift)


class Truth(nn.Module):
    """The middle block's head: what the renderer knows of each token. Not part of the model."""

    def __init__(self, model: DiT) -> None:
        super().__init__()
        self.head = nn.Linear(model.preset.dim, len(DENSE))
        self.seen: list[Tensor] = []
        middle = model.blocks[len(model.blocks) // 2]
        middle.register_forward_hook(self._see)

    def _see(self, _: nn.Module, __: Any, out: tuple[Tensor, Any]) -> None:
        # without a gradient the blocks after it write over what it gave
        self.seen.append(out[0] if torch.is_grad_enabled() else out[0].clone())

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
    whole, dense = batch.latents.to(ranks.device), batch.dense.to(ranks.device)
    d = draw(tuple(whole.shape), c, step, ranks)
    board, said = cut(whole, d), words(learner, batch, d, c)
    clean, dense = board.known, dense if d.places is None else dense[:, d.places[0]]
    if d.again is not None and d.again.shape[1]:
        board = repainted(model, board, said, d)
    per_frame = d.sigma.shape[1] > 1
    box = tokens.bag(board, patch=c.preset.patch, chunk=c.preset.chunk, per_frame=per_frame)
    heard = read(model, said, box)
    context = tokens.remember(model, board, box, context_level=d.context, noise=d.noise)
    if truth is not None:
        truth.seen.clear()  # what is kept is not scored
    x = canvas.start(board, d.noise, d.sigma)
    through = thinned(len(clean), len(box.painted.index), c, step, ranks)
    network = model if through is None else cast(tokens.Network, partial(model, through=through))
    field_ = tokens.velocity(network, board, box, heard, context=context, noise=d.noise)
    v = field_(x, d.sigma, d.sigma)
    levels = canvas.levels(board, d.sigma)
    weight = emphasis(dense, levels, c.subjects) if c.subjects else None
    flow_loss = flow.loss(v, clean, d.noise, levels, weight)
    if c.contrast:
        apart = flow.loss(v, neighbours(clean), neighbours(d.noise), levels)
        flow_loss = flow_loss - c.contrast * apart
    if truth is None:
        return flow_loss, flow_loss.new_zeros(())
    return flow_loss, truth.loss(dense, box.painted, through)


def emphasis(dense: Tensor, levels: Tensor, subjects: float) -> Tensor:
    """How much errors count, B 1 T H W, of truth B T h w A: more where a thing touches a cell.

    Least near noise: where things are is not seen there yet, and a weight that knows it would teach
    the model to paint more of them than the words say.
    """
    things = dense[..., : len(KINDS)].sum(dim=-1)[:, None] > 0  #                     B 1 T H W
    return 1 + subjects * things * (1 - levels)


def cut(clips: Tensor, d: Draw) -> Canvas:
    """The canvas that was drawn, of clean clips B C T H W."""
    if d.places is None or d.shown is None:
        return Canvas(known=clips, freedom=d.freedom)
    board = Canvas(known=clips[:, :, d.places[0]], freedom=d.freedom)
    return canvas.refer(board, clips[:, :, d.shown[0]]) if d.shown.shape[1] else board


def words(learner: Learner, batch: Batch, d: Draw, c: Config) -> list[Words]:
    """What is said of a batch, with spans counted from the canvas's first latent."""
    states = learner.states(batch)  #                                        B M E
    mask = ~d.silent[:, None].expand(states.shape[:2])
    if not (batch.spans and c.spans) or d.bound is None:
        return [Words(states=states, mask=mask)]
    spans, bound = learner.spans(batch), d.bound[:, None, None]
    stops = [*(start for start, _ in spans[1:]), None]
    told = [
        Words(states=torch.where(bound, own, states), mask=mask, start=start, stop=stop)
        for (start, own), stop in zip(spans, stops, strict=True)
    ]
    return told if d.places is None else earlier(told, int(d.places[0, 0]))


def earlier(said: Sequence[Words], by: int) -> list[Words]:
    """Words on a canvas that begins so many latents later."""
    return [
        replace(w, start=w.start - by, stop=None if w.stop is None else w.stop - by) for w in said
    ]


def read(model: DiT, said: Sequence[Words], box: tokens.Bag) -> list[Read]:
    """Words as each run of painted tokens reads them, as a stream's are."""
    if len(said) == 1:
        return model.read([(None, said[0].states, said[0].mask)], len(said[0].states))
    runs = [(n, said[i]) for n, (i,) in tokens.groups(said, box)]
    return model.read([(n, w.states, w.mask) for n, w in runs], len(said[0].states))


@torch.no_grad()
def repainted(model: DiT, board: Canvas, said: Sequence[Words], d: Draw) -> Canvas:
    """The canvas with what it keeps as the model paints it: two of Euler's steps from `d.own`."""
    assert d.own is not None and d.again is not None
    held = board.kept[0, 0].flatten(1).any(dim=1).nonzero()[:, 0].tolist()
    if not held:
        return board
    span = slice(held[0], held[-1] + 1)
    part = canvas.loosen(board.known[:, :, span], 1.0)
    box = tokens.bag(part, patch=model.preset.patch, chunk=model.preset.chunk)
    heard = read(model, earlier(said, span.start), box)
    noise = d.again[:, :, span]
    velocity = tokens.velocity(model, part, box, heard, noise=noise)
    x = canvas.start(part, noise, d.own)
    for sigma, target in ((d.own, d.own / 2), (d.own / 2, 0 * d.own)):
        s, s_next = canvas.levels(part, sigma), canvas.levels(part, target)
        x = flow.step(x, velocity(x, sigma, sigma), s, s_next)
    known = board.known.clone()
    known[:, :, span] = torch.where(board.kept[:, :, span], x, known[:, :, span])
    return replace(board, known=known)


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
            lesson=lambda batch, step, tells: learn(taught, batch, c.at(step), step, c.rate(step)),
            flops=partial(flops, c, taught.model),
            curves=("loss", "dense", "norm"),
        )
        return follow(name, c, stage, Path(out), resume=resume, minutes=minutes)
