"""Samplers: generators that walk a canvas's latents down a schedule.

    state = State(canvas.start(known, noise), 0)
    x = run(ab2(velocity, state, flow.schedule(20), known.freedom))

Each yields its `State` after every step; any of them resumes from a state that it has yielded as
if it had never stopped. They know no network and no guidance, and draw nothing: new noise, which
`ancestral` alone asks for, is an argument. `sigmas` is (S+1,), or (S+1, T) for a schedule with a
time axis; what is kept (freedom 0) comes out bit for bit.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from worldreel import flow
from worldreel.flow import Velocity
from worldreel.noise import Fresh


@dataclass(frozen=True, eq=False)
class State:
    """Where a sampler is: x before step `step`, and the velocity that the step before it used.

    memory: what else a sampler of several steps goes on from; see `unipc`.
    """

    x: Tensor  # B C T H W
    step: int = 0
    previous_v: Tensor | None = None  # B C T H W
    memory: tuple[Tensor, ...] = ()  # each B C T H W


Sampler = Callable[[Velocity, State, Tensor, Tensor], Iterator[State]]


def euler(velocity: Velocity, state: State, sigmas: Tensor, freedom: Tensor) -> Iterator[State]:
    """Euler's method. It alone asks for the mean velocity down to the next row, if one is known."""
    for i in range(state.step, _num_steps(sigmas)):
        s, s_next = flow.level(sigmas[i], freedom), flow.level(sigmas[i + 1], freedom)
        v = velocity(state.x, sigmas[i], sigmas[i + 1])
        state = State(flow.step(state.x, v, s, s_next), i + 1, v)
        yield state


def heun(velocity: Velocity, state: State, sigmas: Tensor, freedom: Tensor) -> Iterator[State]:
    """Heun's method: a step with the mean of the velocities at its two ends.

    Where a step ends at level 0, where no model is trained, it is Euler's: the order stays two.
    """
    for i in range(state.step, _num_steps(sigmas)):
        s, s_next = flow.level(sigmas[i], freedom), flow.level(sigmas[i + 1], freedom)
        v = velocity(state.x, sigmas[i], sigmas[i])
        if (sigmas[i + 1] > 0).any():
            ahead = velocity(flow.step(state.x, v, s, s_next), sigmas[i + 1], sigmas[i + 1])
            v = torch.where(s_next > 0, (v + ahead) / 2, v)
        state = State(flow.step(state.x, v, s, s_next), i + 1, v)
        yield state


def ab2(velocity: Velocity, state: State, sigmas: Tensor, freedom: Tensor) -> Iterator[State]:
    """Adams and Bashforth's method of two steps: order two at one velocity per step.

    The line through the last two velocities is integrated over the step; with r the ratio of this
    step to the one before it, v + r/2 (v - previous_v), for each latent by its own levels. A latent
    that has not moved in the step before takes an Euler step.
    """
    for i in range(state.step, _num_steps(sigmas)):
        s, s_next = flow.level(sigmas[i], freedom), flow.level(sigmas[i + 1], freedom)
        v = mean = velocity(state.x, sigmas[i], sigmas[i])
        if i > 0 and state.previous_v is not None:
            h, h_before = s_next - s, s - flow.level(sigmas[i - 1], freedom)  # B 1 T H W
            ratio = h / torch.where(h_before == 0, 1, h_before)
            bent = v + ratio / 2 * (v - state.previous_v)  # B C T H W
            mean = torch.where(h_before == 0, v, bent)
        state = State(flow.step(state.x, mean, s, s_next), i + 1, v)
        yield state


def unipc(velocity: Velocity, state: State, sigmas: Tensor, freedom: Tensor) -> Iterator[State]:
    """UniPC of order two, B(h) = e^h - 1 (2302.04867): public Wan weights are sampled with it.

    The estimate of the clean latents is extrapolated over the log of the signal-to-noise ratio; the
    next velocity then corrects the step that led to it. One velocity per step. A latent's first
    step, also the one after it has waited, and its last are Euler's. In `memory`: the corrected
    latents that the last step set out from, and the clean ones as estimated there and a step
    earlier. A state without it goes on as from a first step.
    """
    for i in range(state.step, _num_steps(sigmas)):
        s, s_next = flow.level(sigmas[i], freedom), flow.level(sigmas[i + 1], freedom)
        v = velocity(state.x, sigmas[i], sigmas[i])
        x, clean, mean = state.x, state.x - s * v, v  # B C T H W
        if i > 0 and len(state.memory) >= 2:
            s_before = flow.level(sigmas[i - 1], freedom)
            s_early = flow.level(sigmas[i - 2], freedom) if len(state.memory) > 2 else s_before
            x = _corrected(state, clean, s_early, s_before, s)
            ratio = _log_snr(s, s_next) / _log_snr(s_before, s)
            bent = (clean - state.memory[1]) * (ratio / 2).to(s)
            bent = torch.where((s_before != s) & (s_next > 0), bent, 0)
            mean = v + (x - state.x - bent) / s
        state = State(flow.step(x, mean, s, s_next), i + 1, v, (x, clean, *state.memory[1:2]))
        yield state


def _corrected(state: State, clean: Tensor, s_early: Tensor, s_before: Tensor, s: Tensor) -> Tensor:
    """The step that led to `state`, from s_before to s, again, now that its end is known."""
    start, clean_before, more = state.memory[0], state.memory[1], state.memory[2:]
    h = _log_snr(s_before, s)
    b = torch.expm1(-h)
    first = (b / -h - 1) / b  # the weights' sum, so that constants are integrated exactly
    second = 2 * ((b / -h - 1) / -h - 0.5) / b  # and their first moment, so that lines are
    ratio = -_log_snr(s_early, s_before) / h
    bent = (s_early != s_before) & (s > 0)
    old = torch.where(bent, (first - second) / (1 - ratio), 0)
    new = torch.where(bent, first - old, 0.5)
    change = new.to(s) * (clean - clean_before)
    if more:
        bend = (old / ratio).to(s) * (more[0] - clean_before)
        change = change + torch.where(bent, bend, 0)
    moved = flow.step(start, (start - clean_before - change) / s_before, s_before, s)
    return torch.where((s_before != s) & (s > 0), moved, state.x)


def _log_snr(s: Tensor, s_next: Tensor) -> Tensor:
    """By how much log((1 - s) / s) rises on the way from s to s_next, in fp64.

    Level 1 counts as 1 - 1e-6, as in the schedulers with which the public weights came: at 1 it
    would be infinite, and a line through it flat.
    """
    a, b = (level.double().clamp(1e-300, 1 - 1e-6) for level in (s, s_next))
    return ((1 - b) / b).log() - ((1 - a) / a).log()


def ancestral(fresh: Fresh) -> Sampler:
    """Euler's method with as much new noise in each step as keeps the distribution (2010.02502, eta
    of 1).

    A step's clean latents and noise are what the velocity says. To the lower level go the clean
    ones, with noise of which a part is new: n, the ratio of noise to signal, falls to n_next, and
    r = n_next / n of the old noise stays beside sqrt(1 - r^2) of the new. So an error that a
    network made is forgotten with the noise that it was made in. fresh: for the row that a step
    goes to.
    """

    def walk(velocity: Velocity, state: State, sigmas: Tensor, freedom: Tensor) -> Iterator[State]:
        for i in range(state.step, _num_steps(sigmas)):
            s, s_next = flow.level(sigmas[i], freedom), flow.level(sigmas[i + 1], freedom)
            v = velocity(state.x, sigmas[i], sigmas[i])
            clean, noise = state.x - s * v, state.x + (1 - s) * v  # B C T H W
            r = (s_next * (1 - s) / (s * (1 - s_next)).clamp(min=1e-12)).clamp(max=1)
            noise = r * noise + (1 - r * r).sqrt() * fresh(sigmas[i + 1]).to(noise)
            moved = ((1 - s_next) * clean + s_next * noise).to(state.x.dtype)
            state = State(torch.where(s != s_next, moved, state.x), i + 1, v)
            yield state

    return walk


SAMPLERS: dict[str, Sampler] = {"euler": euler, "heun": heun, "ab2": ab2, "unipc": unipc}
NAMES = (*SAMPLERS, "ancestral")


def named(name: str, fresh: Fresh) -> Sampler:
    """The sampler of a name in `NAMES`; fresh is for the one that asks for it."""
    return ancestral(fresh) if name == "ancestral" else SAMPLERS[name]


def run(states: Iterable[State]) -> Tensor:
    """The latents after the last of the states, B C T H W."""
    x = None
    for state in states:
        x = state.x
    if x is None:
        raise ValueError("the sampler had no step left to take: its state is already the last")
    return x


def _num_steps(sigmas: Tensor) -> int:
    if sigmas.ndim not in (1, 2) or len(sigmas) < 2:
        raise ValueError(
            f"sigmas has shape {tuple(sigmas.shape)}; give the S + 1 levels of S steps, (S+1,) or"
            " (S+1, T)"
        )
    return len(sigmas) - 1
