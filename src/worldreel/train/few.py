"""Few steps: a transformer learns to do in four steps what its teacher does in many guided ones.

The teacher, a trained transformer, paints each canvas from noise by the sampler and the guidance
that serve. Between any two rows of its schedule the mean of its guided velocity is then known, and
exact: the way gone, divided by the difference of the levels. The student starts as the teacher, and
learns these means (`target` < `level`) at the places where the teacher came through; so guidance is
folded in (2210.03142), and a step has half its cost. At `target` == `level` it goes on saying what
the teacher says there, with words and without: many guided steps remain, from the same weights.

Why not from clips alone: MeanFlow (2505.13447) needs derivatives forward in time, shortcut models
(2410.12557) and SplitMeanFlow (2507.16884) learn from their own guesses, and places on straight
paths between clips and noise (PeRFlow, 2405.07510) are not where guided sampling comes through
(2511.18834). A walk of 24 steps costs as much as 16 updates, but its means have no error and no
noise, and serve many.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from worldreel import canvas, checkpoint, flow, guidance, parallel, samplers, tokens
from worldreel.canvas import Canvas
from worldreel.data.loader import Batch
from worldreel.errors import RequestError
from worldreel.flow import Velocity
from worldreel.models.dit import DiT
from worldreel.parallel import Ranks
from worldreel.samplers import State
from worldreel.train import recipe
from worldreel.train.course import Course, Learner, Stage, follow
from worldreel.train.course import Phase as Phase  # a recipe's word

_APART = 7_000_003  # its seeds are not those of the course by which the teacher learned


@dataclass(frozen=True, kw_only=True)
class Config(Course):
    """A course in which each step is a walk of the teacher's, and some of the student's on its way.

    teacher: a trained transformer's folder; `start`, if nothing, is it. guidance_scale, walk_steps,
    shift: how the teacher samples; the shift is spread by factors of about 1 +- spread. counts:
    into how many steps of equal length a walk is cut, each by its weight.
    """

    teacher: str
    guidance_scale: float = 5.0
    walk_steps: int = 24
    shift: float = 2.0
    spread: float = 0.15
    counts: Mapping[int, float] = field(default_factory=lambda: {4: 0.7, 2: 0.1, 3: 0.1, 8: 0.1})
    updates: int = 12  # of the student, for each of the teacher's walks
    plain: float = 0.25  # share of clips that learn the velocity itself


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What is random in one step, for this rank's clips: a function of the seed and the step."""

    noise: Tensor  #    B C T H W
    context: Tensor  #  B 1
    freedom: Tensor  #  B 1 T H W
    sigmas: Tensor  #   S+1
    first: Tensor  #    U B, the row of the schedule from which each clip goes, in each update
    last: Tensor  #     U B, the row down to which it goes; the same row for the velocity itself
    silent: Tensor  #   U B, True where the words are dropped, which is at the same row only


def draw(shape: tuple[int, ...], c: Config, step: int, ranks: Ranks) -> Draw:
    """The step's randomness for this rank's B C T H W; drawn for the whole batch, then cut."""
    generator = Generator().manual_seed(_APART + c.seed * 1_000_003 + step)
    total = shape[0] * ranks.size
    noise = torch.randn((total, *shape[1:]), generator=generator)
    u = torch.rand(2, total, generator=generator)
    context = (torch.where(u[0] < c.context_exact, 0.0, c.context_level * u[1]))[:, None]
    nothing = torch.zeros(total, 1, *shape[2:])
    board = canvas.random(nothing, generator=generator, tasks=c.tasks, soft=c.soft)
    factor = float(torch.exp(c.spread * torch.randn((), generator=generator)))
    many = (c.updates, total)
    weights = torch.tensor([float(w) for w in c.counts.values()])
    chosen = torch.multinomial(weights, c.updates * total, True, generator=generator)
    count = torch.tensor(list(c.counts))[chosen].view(many)
    which = (torch.rand(many, generator=generator) * count).long()
    first, last = which * c.walk_steps // count, (which + 1) * c.walk_steps // count
    order = torch.randperm(c.updates * total, generator=generator).view(many)
    num_plain = round(c.plain * c.updates * total)
    plain, silent = order < num_plain, order < num_plain // 2
    anywhere = torch.randint(c.walk_steps, many, generator=generator)
    first, last = torch.where(plain, anywhere, first), torch.where(plain, anywhere, last)
    mine = ranks.share_of(total)
    clips = (x[mine].to(ranks.device) for x in (noise, context, board.freedom))
    rows = (x[:, mine].to(ranks.device) for x in (first, last, silent))
    n, k, f = clips
    i, j, q = rows
    sigmas = flow.schedule(c.walk_steps, shift=c.shift * factor).to(ranks.device)
    return Draw(noise=n, context=k, freedom=f, sigmas=sigmas, first=i, last=j, silent=q)


@dataclass(frozen=True, kw_only=True)
class Walk:
    """How a teacher painted B clips in S steps."""

    x: Tensor  #       S+1 B C T H W
    said: Tensor  #    S B C T H W, its velocity with words
    unsaid: Tensor  #  S B C T H W, and without


def guided(
    model: DiT, board: Canvas, states: Tensor, d: Draw, scale: float, heard: list[Tensor]
) -> Velocity:
    """A model's velocity with guidance; both of its branches, 2B C T H W, are added to `heard`."""
    pair = dataclasses.replace(
        board, known=torch.cat([board.known] * 2), freedom=torch.cat([board.freedom] * 2)
    )
    noise = torch.cat([d.noise] * 2)
    box = tokens.bag(pair, patch=model.preset.patch, chunk=model.preset.chunk)
    said = torch.arange(2 * len(states), device=states.device) < len(states)
    mask = said[:, None].expand(-1, states.shape[1])
    words = model.read([(None, torch.cat([states] * 2), mask)], len(mask))
    context = tokens.remember(
        model, pair, box, context_level=torch.cat([d.context] * 2), noise=noise
    )  # fmt: skip
    field_ = tokens.velocity(model, pair, box, words, context=context, noise=noise)

    def both(x: Tensor, sigma: Tensor, target: Tensor) -> Tensor:
        heard.append(field_(x, sigma, sigma))
        return heard[-1]

    def alone(x: Tensor, sigma: Tensor, target: Tensor) -> Tensor:
        return both(torch.cat([x, x]), sigma, target).chunk(2)[0]

    return guidance.joint(alone, both, scale)


@torch.no_grad()
def walk(teacher: DiT, board: Canvas, states: Tensor, d: Draw, scale: float) -> Walk:
    """The teacher's walk from the canvas's noise to its clips."""
    heard: list[Tensor] = []
    velocity = guided(teacher, board, states, d, scale, heard)
    start = State(canvas.start(board, d.noise))
    x = [state.x for state in samplers.euler(velocity, start, d.sigmas, board.freedom)]
    said, unsaid = torch.stack(heard).chunk(2, dim=1)
    return Walk(x=torch.stack([start.x, *x]), said=said, unsaid=unsaid)


def wanted(trod: Walk, board: Canvas, d: Draw, update: int) -> tuple[Tensor, Tensor]:
    """Where the student is in an update, and the velocity that it is to say there: B C T H W."""
    clip = torch.arange(len(board.known), device=board.known.device)
    i, j, silent = d.first[update], d.last[update], d.silent[update]
    s, s_next = (canvas.levels(board, d.sigmas[row][:, None]) for row in (i, j))  # B 1 T H W
    moved = s != s_next
    x, x_next = trod.x[i, clip], trod.x[j, clip]
    mean = torch.where(moved, (x_next - x) / torch.where(moved, s_next - s, 1), 0)
    plain = torch.where(silent[:, None, None, None, None], trod.unsaid[i, clip], trod.said[i, clip])
    return x, torch.where((i == j)[:, None, None, None, None], plain, mean)


def student(
    model: DiT, board: Canvas, states: Tensor, d: Draw, silent: Tensor | None = None
) -> Velocity:
    """A model's velocity without guidance; silent (B,) is True where it is told no words."""
    box = tokens.bag(board, patch=model.preset.patch, chunk=model.preset.chunk)
    mask = None if silent is None else ~silent[:, None].expand(states.shape[:2])
    words = model.read([(None, states, mask)], len(states))
    context = tokens.remember(model, board, box, context_level=d.context, noise=d.noise)
    return tokens.velocity(model, board, box, words, context=context, noise=d.noise)


@torch.no_grad()
def gap(velocity: Velocity, board: Canvas, d: Draw, end: Tensor, stride: int) -> Tensor:
    """How far from `end` a walk ends that takes every `stride`-th row, relative to its size.

    The mean over clips of the distance of what was painted.
    """
    start = State(canvas.start(board, d.noise))
    x = samplers.run(samplers.euler(velocity, start, d.sigmas[::stride], board.freedom))
    free = (board.freedom > 0).expand_as(x)
    off, size = (torch.where(free, y, 0).flatten(1).norm(dim=1) for y in (x - end, end))
    return (off / size.clamp(min=1e-6)).mean()


def _check(c: Config) -> None:
    odd = [n for n in c.counts if n < 1 or c.walk_steps % n]
    if odd or not c.counts:
        raise RequestError(f"counts must divide the {c.walk_steps} steps of a walk: not {odd}")
    mixes = (c.tasks, *(phase.settings.get("tasks", {}) for phase in c.phases))
    if cuts := sorted(canvas.CUTS & {name for mix in mixes for name in mix}):
        raise RequestError(f"few steps are learned on whole clips: leave out {cuts[0]}")
    if not c.preset.target:
        raise RequestError("few steps need a network that takes a target: preset.target=True")


def main(
    name: str,
    *,
    out: str | Path,
    resume: bool = True,
    minutes: float | None = None,
    overrides: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Teach a recipe's transformer few steps; `out`/final always holds the average so far.

    Stops after `minutes`, or when the recipe's steps are done. A run that was stopped goes on with
    the very next step.
    """
    c: Config = recipe.load(name, "few", overrides)
    _check(c)
    with parallel.start() as ranks:
        teacher = checkpoint.load_dit(c.teacher, dtype=c.dtype).to(ranks.device)
        taught = Learner(dataclasses.replace(c, start=c.start or c.teacher), ranks)

        def lesson(batch: Batch, step: int, tells: bool) -> Mapping[str, Tensor | float]:
            return learn(taught, teacher, batch, c.at(step), step, tells)

        about = {"teacher": checkpoint.fingerprint(teacher.state_dict())[:12]}
        passes = 2.0 * c.walk_steps + 3.0 * c.updates  # forward; a backward one counts as two
        told = ("guidance_scale", "walk_steps", "shift", "updates")
        about |= {key: getattr(c, key) for key in told}
        stage = Stage(
            kind="few",
            learner=taught,
            lesson=lesson,
            flops=lambda count, words: passes * taught.model.flops(count, words),
            curves=("mean", "plain", "gap", "euler", "norm"),
            about=about,
        )
        return follow(name, c, stage, Path(out), resume=resume, minutes=minutes)


def learn(
    learner: Learner, teacher: DiT, batch: Batch, c: Config, step: int, tells: bool
) -> Mapping[str, Tensor | float]:
    """One step: the teacher's walk through a batch, and the student's updates on it.

    Measures: the squared errors of means and of velocities; if it tells, on this walk, which the
    student has not yet seen, the gap of its average in four steps, and the teacher's own in four.
    """
    ranks, model = learner.ranks, learner.model
    clean = batch.latents.to(ranks.device)
    d = draw(tuple(clean.shape), c, step, ranks)
    board = Canvas(known=clean, freedom=d.freedom)
    states = learner.states(batch)
    trod = walk(teacher, board, states, d, c.guidance_scale)
    told: dict[str, Tensor | float] = {}
    if tells:
        stride = c.walk_steps // min(c.counts, key=lambda n: abs(n - 4))
        with learner.ema.swapped(), torch.no_grad():
            told["gap"] = gap(student(model, board, states, d), board, d, trod.x[-1], stride)
        with torch.no_grad():
            own = guided(teacher, board, states, d, c.guidance_scale, [])
        told["euler"] = gap(own, board, d, trod.x[-1], stride)
    errors = clean.new_zeros(2)
    norm = 0.0
    for update in range(c.updates):
        x, v = wanted(trod, board, d, update)
        sigma, target = (d.sigmas[rows[update]][:, None] for rows in (d.first, d.last))
        said = student(model, board, states, d, d.silent[update])(x, sigma, target)
        level = canvas.levels(board, sigma)
        plain = d.first[update] == d.last[update]
        parts = [flow.distance(said, v, level, which.float()) for which in (~plain, plain)]
        norm = learner.descend(parts[0] + parts[1], c.rate(step))
        errors += torch.stack(parts).detach()
    # of all clips of all updates a share of c.plain learned the velocity itself
    shares = clean.new_tensor([1 - c.plain, c.plain]).clamp(min=1e-6) * c.updates
    mean, plain_error = (errors / shares).unbind()
    return {"mean": mean, "plain": plain_error, "norm": norm} | told
