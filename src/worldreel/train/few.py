"""Few steps: a transformer learns to do in four steps what its teacher does in many guided ones.

The teacher, a trained transformer, paints each canvas from noise by the sampler and the guidance
that serve. Between any two rows of its schedule the mean of its guided velocity is then known, and
exact: the way gone, divided by the difference of the levels. The student starts as the teacher, and
learns these means (`target` <= `level`) at the places where the teacher came through.

Short ways come first. Ways of one row are the guided velocity itself: so guidance is folded in, and
a step has half its cost (2210.03142). Longer ones follow, phase by phase, as in progressive
distillation (2202.00512), with two differences. What is wanted is always the teacher's own way and
never that of an earlier student, whose errors would add up; it costs the same, for a walk of many
rows holds as many ways. And no count of steps is left behind: the student knows how far it is asked
to look, so that one set of weights serves 4 steps and 24, all of them without guidance.

What says the velocity at `target` == `level` is continuous with what says its mean just below:
both are guided. Weights that kept the unguided velocity there had to jump, and did not learn to
(docs/LOG.md).

Why not from clips alone: MeanFlow (2505.13447) needs derivatives forward in time, shortcut models
(2410.12557) and SplitMeanFlow (2507.16884) learn from their own guesses, distribution matching
(DMD2, 2405.14867) trains a third network, and places on straight paths between clips and noise
(PeRFlow, 2405.07510; LCM, 2310.04378) are not where guided sampling comes through (2511.18834).
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
    shift: how the teacher samples; the shift is spread by factors of about 1 +- spread. counts: how
    long the ways are, as the number of steps of that length that make a walk, each by its weight;
    a phase may set others. aligned: the share of ways that are steps of such a walk from its start;
    the others begin at any row. parts: an update learns from every so-manieth clip of the walk, so
    that many clips are walked through at once and updates differ. judged: the number of steps of
    which the gap is told.
    """

    teacher: str
    guidance_scale: float = 5.0
    walk_steps: int = 24
    shift: float = 2.0
    spread: float = 0.0
    counts: Mapping[int, float] = field(default_factory=lambda: {4: 0.7, 8: 0.15, 24: 0.15})
    aligned: float = 0.5
    updates: int = 24  # of the student, for each of the teacher's walks
    parts: int = 1
    judged: int = 4


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What is random in one step, for this rank's clips: a function of the seed and the step."""

    noise: Tensor  #    B C T H W
    context: Tensor  #  B 1
    freedom: Tensor  #  B 1 T H W
    sigmas: Tensor  #   S+1
    first: Tensor  #    U B, the row of the schedule from which each clip goes, in each update
    last: Tensor  #     U B, the row down to which it goes
    target: Tensor  #   U B, the row to which the student looks: that, or the first one

    def some(self, which: slice) -> Draw:
        """That of some of the clips."""
        clips = {name: getattr(self, name)[which] for name in ("noise", "context", "freedom")}
        rows = {name: getattr(self, name)[:, which] for name in ("first", "last", "target")}
        return Draw(sigmas=self.sigmas, **clips, **rows)


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
    long = c.walk_steps // count
    place, aligned, itself = torch.rand((3, *many), generator=generator)
    anywhere = (place * (c.walk_steps - long + 1)).long()
    first = torch.where(aligned < c.aligned, (place * count).long() * long, anywhere)
    last = first + long
    target = torch.where((long == 1) & (itself < 0.5), first, last)
    d = Draw(
        noise=noise, context=context, freedom=board.freedom, first=first, last=last, target=target,
        sigmas=flow.schedule(c.walk_steps, shift=c.shift * factor),
    ).some(ranks.share_of(total))  # fmt: skip
    return Draw(**{name: value.to(ranks.device) for name, value in vars(d).items()})


def guided(model: DiT, board: Canvas, states: Tensor, d: Draw, scale: float) -> Velocity:
    """A model's velocity with guidance."""
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
    both = flow.instant(tokens.velocity(model, pair, box, words, context=context, noise=noise))

    def alone(x: Tensor, sigma: Tensor, target: Tensor) -> Tensor:
        return both(torch.cat([x, x]), sigma, target).chunk(2)[0]

    return guidance.joint(alone, both, scale)


@torch.no_grad()
def walk(teacher: DiT, board: Canvas, states: Tensor, d: Draw, scale: float) -> Tensor:
    """The teacher's walk from the canvas's noise to its clips, row by row: S+1 B C T H W."""
    velocity = guided(teacher, board, states, d, scale)
    start = State(canvas.start(board, d.noise))
    rows = samplers.euler(velocity, start, d.sigmas, board.freedom)
    return torch.stack([start.x, *(row.x for row in rows)])


def wanted(trod: Tensor, board: Canvas, d: Draw, update: int) -> tuple[Tensor, Tensor]:
    """Where the student is in an update, and the velocity that it is to say there: B C T H W."""
    clip = torch.arange(len(board.known), device=board.known.device)
    i, j = d.first[update], d.last[update]
    s, s_next = (canvas.levels(board, d.sigmas[row][:, None]) for row in (i, j))  # B 1 T H W
    moved = s != s_next
    x, x_next = trod[i, clip], trod[j, clip]
    return x, torch.where(moved, (x_next - x) / torch.where(moved, s_next - s, 1), 0)


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
    held = [c, *(c.at(sum(p.steps for p in c.phases[:i])) for i in range(len(c.phases)))]
    for counts in (*(one.counts for one in held), {c.judged: 1.0}):
        odd = [n for n in counts if n < 1 or c.walk_steps % n]
        if odd or not counts:
            raise RequestError(f"counts must divide the {c.walk_steps} steps of a walk: not {odd}")
    if cuts := sorted(canvas.CUTS & {name for one in held for name in one.tasks}):
        raise RequestError(f"few steps are learned on whole clips: leave out {cuts[0]}")
    if not c.preset.target:
        raise RequestError("few steps need a network that takes a target: preset.target=True")
    if not 1 <= c.parts <= c.updates:
        raise RequestError(f"parts is {c.parts}: give 1 to {c.updates}, the updates of a step")


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
        # forward; a backward pass counts as two
        passes = 2.0 * c.walk_steps + 3.0 * c.updates / c.parts
        told = ("guidance_scale", "walk_steps", "shift", "updates", "parts")
        about |= {key: getattr(c, key) for key in told}
        stage = Stage(
            kind="few",
            learner=taught,
            lesson=lesson,
            flops=lambda count, words: passes * taught.model.flops(count, words),
            curves=("mean", "gap", "euler", "norm"),
            about=about,
        )
        return follow(name, c, stage, Path(out), resume=resume, minutes=minutes)


def learn(
    learner: Learner, teacher: DiT, batch: Batch, c: Config, step: int, tells: bool
) -> Mapping[str, Tensor | float]:
    """One step: the teacher's walk through a batch, and the student's updates on it.

    Measures: the squared error of the means; if it tells, on this walk, which the student has not
    yet seen, the gap of its average in `judged` steps, and the teacher's own in as many.
    """
    ranks, model = learner.ranks, learner.model
    clean = batch.latents.to(ranks.device)
    if len(clean) % c.parts:
        raise RequestError(f"{len(clean)} clips a process do not divide into {c.parts} parts")
    d = draw(tuple(clean.shape), c, step, ranks)
    board = Canvas(known=clean, freedom=d.freedom)
    states = learner.states(batch)
    trod = walk(teacher, board, states, d, c.guidance_scale)
    told: dict[str, Tensor | float] = {}
    if tells:
        stride = c.walk_steps // c.judged
        with learner.ema.swapped(), torch.no_grad():
            told["gap"] = gap(student(model, board, states, d), board, d, trod[-1], stride)
        with torch.no_grad():
            own = guided(teacher, board, states, d, c.guidance_scale)
        told["euler"] = gap(own, board, d, trod[-1], stride)
    error, norm = clean.new_zeros(()), 0.0
    for update in range(c.updates):
        some = slice(update % c.parts, None, c.parts)
        mine, luck = Canvas(known=clean[some], freedom=d.freedom[some]), d.some(some)
        x, v = wanted(trod[:, some], mine, luck, update)
        sigma, target = (luck.sigmas[r[update]][:, None] for r in (luck.first, luck.target))
        said = student(model, mine, states[some], luck)(x, sigma, target)
        loss = flow.distance(said, v, canvas.levels(mine, sigma))
        norm = learner.descend(loss, c.rate(step))
        error += loss.detach()
    return {"mean": error / c.updates, "norm": norm} | told
