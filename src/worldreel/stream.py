"""Video of any length in bounded memory: an endless clip, painted group by group in a window.

    made = stream(engine, "a red ball rolls across a meadow", seconds=60, then=[(20, "it snows")])
    for chunk in made:
        show(chunk.frames)                      (f, H, W, 3) uint8, as soon as they are done

Of what is finished the window shows the last latents: their keys and values are computed once, when
their group is done, and serve every step and every later window. All that a stream remembers is a
`State`; from one that it has given it goes on as if it had never stopped. Randomness is the seed's
alone: each latent has its own noise, by its place in the stream, whatever the stream's length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from worldreel import canvas, checkpoint, flow, guidance, montage, noise, samplers, tokens, windows
from worldreel.canvas import Canvas
from worldreel.course import USUAL, Course, Pace, course
from worldreel.engine import Engine
from worldreel.errors import RequestError
from worldreel.flow import Velocity
from worldreel.models.dit import Context
from worldreel.prompt import hear, heard, read, rewriter
from worldreel.request import Request
from worldreel.tasks import by_name
from worldreel.tokens import Words
from worldreel.values import Size


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """Where a stream is, between two groups; tensors are 1 C t h w.

    recent: the last finished groups, as many as reach over the window's context. anchor: the first
    latents of the group `anchored`. flight: groups on their way, the oldest first, with what their
    sampler remembers; None unless groups are painted at once.
    """

    done: int = 0  # finished groups
    recent: tuple[Tensor, ...] = ()
    anchor: Tensor | None = None
    anchored: int = 0
    flight: Tensor | None = None
    velocity: Tensor | None = None
    memory: tuple[Tensor, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunk:
    """A finished group. Of the last one the frames are cut at the end, the latents are not."""

    index: int
    seconds: float  # from the stream's start
    frames: np.ndarray  # (f, H, W, 3) uint8
    latents: Tensor  # 1 C t h w, fp32 on the CPU
    state: State  # from which the stream goes on after it


@by_name
def stream(
    engine: Engine,
    prompt: str,
    *,
    seconds: float = USUAL,
    then: Iterable[tuple[float, str]] = (),
    pace: Pace | None = None,
    negative_prompt: str = "",
    size: Size | str | None = None,
    aspect: str | None = None,
    seed: int = 0,
    num_inference_steps: int | None = None,
    guidance_scale: float | None = None,
    guidance_interval: Any = None,
    flow_shift: float | None = None,
    image: Any = None,
    rewrite: Any = False,
) -> Stream:
    """A stream of a prompt, and of other prompts from later seconds on.

    then: (seconds, prompt), in order; the rest is as in `Engine.generate`. What cannot be made is a
    RequestError; what is made differently from what was asked stands in `Stream.notes`.
    """
    request = Request(
        prompt=prompt, negative_prompt=negative_prompt, seconds=seconds, size=size, aspect=aspect,
        seed=seed, num_inference_steps=num_inference_steps, guidance_scale=guidance_scale,
        guidance_interval=guidance_interval, flow_shift=flow_shift, image=image, rewrite=rewrite,
        model=engine.settings.name,
    )  # fmt: skip
    return opened(engine, request, tuple(then), pace)


def opened(
    engine: Engine,
    request: Request,
    then: Sequence[tuple[float, str]],
    pace: Pace | None = None,
) -> Stream:
    """The stream of a request, whose prompts become captions first where it asks for that."""
    chunk, write = engine.dit.preset.chunk or 1, rewriter(request.rewrite)
    made = course(request, then, engine.limits, pace, chunk=chunk)
    if write is None:
        return Stream(engine, made)
    asked: dict[str, Any] = {"seed": made.plan.seed, "name": made.plan.model}
    said = [hear(engine.text, prompt, write, **asked) for _, prompt in made.spans]
    notes = [note for one in said for note in heard(one.words(), made.plan.model)]
    notes += [note for one in said if one.written for note in one.written.told()]
    later = [(at, one.text) for (at, _), one in zip(then, said[1:], strict=True)]
    made = course(replace(request, prompt=said[0].text), later, engine.limits, pace, chunk=chunk)
    plan = replace(made.plan, notes=(*notes, *made.plan.notes))
    return Stream(engine, replace(made, plan=plan))


class Stream:
    """A course and the engine that paints it. Holds nothing that painting changes."""

    def __init__(self, engine: Engine, made: Course) -> None:
        if engine.dit.preset.chunk is None and engine.public is None:
            raise RequestError(f"{made.plan.model} knows no chunks: it cannot paint a stream")
        self.engine = engine
        self.course = made
        self.words: list[dict[str, Any]] = []  # what became of each prompt's words
        notes = list(made.plan.notes)
        self.states: list[Tensor] = []
        for _, prompt in made.spans:
            said = read(engine.text, prompt, seed=made.plan.seed)
            self.words.append(said.words())
            notes += [*heard(said.words(), made.plan.model), *said.notes(made.plan.model)]
            self.states.append(said.states.to(engine.device))
        self.against: Tensor | None = None
        if made.plan.negative_prompt:
            other = read(engine.text, made.plan.negative_prompt)
            notes += other.notes(made.plan.model, negative=True)
            self.against = other.states.to(engine.device) if other.reading.ids else None
        self.still: Tensor | None = None  # the first picture, 1 C 1 h w
        if made.plan.image:
            (first,), fitted = montage.stills(made.plan, engine.encode)
            self.still = first.to(engine.device).clone()
            notes += fitted
        notes += engine.public.notes(made.plan, windows=True) if engine.public is not None else []
        self.notes = list(dict.fromkeys(notes))

    def __iter__(self) -> Iterator[Chunk]:
        return self.chunks()

    @cached_property
    def fingerprint(self) -> str:
        """Of weights and first picture: a stream goes on with those that began it."""
        e, low = self.engine, self.engine.public and self.engine.public.low
        parts = {"text": e.text, "dit": e.dit, "c": e.compressor} | ({"low": low} if low else {})
        named = {f"{k}.{n}": t for k, part in parts.items() for n, t in part.state_dict().items()}
        return checkpoint.fingerprint(named | ({} if self.still is None else {"": self.still}))

    @torch.no_grad()
    def chunks(self, state: State | None = None) -> Iterator[Chunk]:
        """Groups one after the other, from the start or from a state."""
        state = State() if state is None else state
        walked = self._walk(state) if self.engine.public is None else windows.walk(self, state)
        for reached, frames in walked:
            index, made = reached.done - 1, self.course
            first = 0 if index else made.dropped
            yield Chunk(
                index=index,
                seconds=made.seconds(made.group(index)[0]),
                frames=frames[first : first + made.num_frames(index)],
                latents=reached.recent[-1].cpu().clone(),
                state=reached,
            )

    def _walk(self, state: State) -> Iterator[tuple[State, np.ndarray]]:
        """The state after each group, and the group's frames."""
        held: dict[int, Context] = {}  # by group; of an anchor at -1 - group
        while state.done < self.course.num_groups:
            before = state
            state = self._tick(state, held)
            if state.done > before.done:
                past = torch.cat(before.recent, dim=2)[:, :, -2:] if before.done else None
                yield state, self.engine.decode(state.recent[-1], past=past)[0]

    def _tick(self, state: State, held: dict[int, Context]) -> State:
        """Walk what is in the window `lag` steps on; a new group sets out, the oldest may end."""
        made, steps = self.course, self.course.plan.num_inference_steps
        start, stop = made.group(state.done)
        lag, ends, low = steps, True, 0
        if state.done:
            count = 1 + (0 if state.flight is None else state.flight.shape[2] // made.pace.advance)
            stop = start + count * made.pace.advance
            lag, ends, low = made.lag, count == made.at_once, start - made.context
        size = made.group(state.done)[1] - start  # of the oldest group
        drawn = self.noise(low, stop)
        x, kept = drawn[0], start - low
        if kept:
            past = canvas.tail(torch.cat(state.recent, dim=2), kept)
            x = torch.cat([past, x[:, :, kept:]], dim=2)
        velocity, memory = None, ()
        if state.flight is not None and state.velocity is not None:
            flown = kept + state.flight.shape[2]
            around = (0, 0, 0, 0, kept, x.shape[2] - flown)  # nothing flew there
            velocity, *memory = (functional.pad(m, around) for m in (state.velocity, *state.memory))
            x = torch.cat([x[:, :, :kept], state.flight, x[:, :, flown:]], dim=2)
        freedom = torch.ones_like(x[:, :1])
        freedom[:, :, :kept] = 0
        if not state.done and self.still is not None:
            x = torch.cat([self.still, x[:, :, 1:]], dim=2)
            freedom[:, :, :1] = 0
        board = Canvas(known=torch.where(freedom == 0, x, 0), freedom=freedom)
        sigmas = self._sigmas(stop - start, size, lag, kept).to(x.device)
        context = self._context(state, stop, held)
        field = self._velocity(board, low, sigmas.ndim == 2, drawn[0], context, bool(state.done))
        begun = samplers.State(x, len(sigmas) - 1 - lag, velocity, tuple(memory))
        for walked in self.sampler(low, stop)(field, begun, sigmas, freedom):
            begun = walked
        assert begun.previous_v is not None
        x, v, *memory = (y[:, :, kept:] for y in (begun.x, begun.previous_v, *begun.memory))
        if not ends:
            return replace(state, flight=x, velocity=v, memory=tuple(memory))
        recent = (*state.recent, x[:, :, :size])
        while sum(r.shape[2] for r in recent[1:]) >= made.held:
            recent = recent[1:]
        flying = stop - start > size
        return State(
            done=state.done + 1,
            recent=recent,
            anchor=x[:, :, : made.pace.anchor] if state.done in made.anchors else state.anchor,
            anchored=state.done if state.done in made.anchors else state.anchored,
            flight=x[:, :, size:] if flying else None,
            velocity=v[:, :, size:] if flying else None,
            memory=tuple(m[:, :, size:] for m in memory) if flying else (),
        )

    def noise(self, start: int, stop: int) -> Tensor:
        """Noise of a span of latents, 2 1 C t h w: to paint from, and to be shown under."""
        return self._drawn(2, [(latent,) for latent in range(start, stop)])[:, None]

    def sampler(self, start: int, stop: int) -> samplers.Sampler:
        """The settings' sampler for a span of latents; new noise is of a latent and its level."""

        def fresh(row: Tensor) -> Tensor:
            levels = row.expand(stop - start).tolist()
            return self._drawn(1, list(zip(range(start, stop), levels, strict=True)))

        return samplers.named(self.engine.settings.sampler, fresh)

    def _drawn(self, count: int, places: Sequence[tuple[float, ...]]) -> Tensor:  # count C t h w
        p, c = self.course.plan, self.engine.compressor
        shape = (count, c.preset.channels, p.height // c.stride, p.width // c.stride)
        each = [noise.at(shape, p.seed, *place) for place in places]
        return torch.stack(each, dim=2).to(self.engine.device)

    def _sigmas(self, painted: int, size: int, lag: int, kept: int) -> Tensor:
        """The rows of the schedule that a tick walks: (S+1,), or (S+1, T) with several groups.

        In that case they begin two rows earlier where these are known: samplers may look back.
        """
        steps, shift = self.course.plan.num_inference_steps, self.course.plan.flow_shift
        if lag == steps:
            return flow.schedule(steps, shift=shift)
        first = (painted // size - 1) * lag
        rows = flow.staggered(steps, painted, chunk=size, lag=lag, shift=shift)
        return functional.pad(rows[max(0, first - 2) : first + lag + 1], (kept, 0))

    def _velocity(
        self,
        board: Canvas,
        low: int,
        per_frame: bool,
        noise: Tensor,
        context: Context | None,
        goes_on: bool,
    ) -> Velocity:
        """The velocity of a window whose first latent is `low`, guided as the course says."""
        dit, plan = self.engine.dit, self.course.plan

        def branches(count: int) -> Velocity:
            wide = replace(
                board,
                known=board.known.expand(count, -1, -1, -1, -1),
                freedom=board.freedom.expand(count, -1, -1, -1, -1),
            )
            box = self._bag(wide, per_frame=per_frame)
            words = dit.read(self._said(box, low, count), count)
            shown = None if context is None else context.shown(count)
            noises = noise.expand(count, -1, -1, -1, -1)
            return tokens.velocity(dit, wide, box, words, context=shown, noise=noises)

        if (scale := plan.guidance_scale) == 1:
            return branches(1)
        span = plan.context_interval if goes_on else plan.guidance_interval
        return flow.instant(guidance.joint(branches(1), branches(2), scale, interval=span))

    def _said(
        self, box: tokens.Bag, low: int, count: int
    ) -> list[tuple[int | None, Tensor | None, Tensor | None]]:
        """What each run of painted tokens reads; with two branches the second reads against it."""
        ends = [start for start, _ in self.course.spans[1:]]
        spans = [
            Words(states=states, start=start - low, stop=None if stop is None else stop - low)
            for states, (start, _), stop in zip(
                self.states, self.course.spans, [*ends, None], strict=True
            )
        ]
        groups: list[tuple[int | None, Tensor | None, Tensor | None]] = []
        for tokens_, (span,) in tokens.groups(spans, box):
            states, mask = self.states[span], None
            if count == 2:
                other = torch.zeros_like(states) if self.against is None else self.against
                states = torch.cat([states, other])  #                       2 M E
                mask = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
                mask[1] = self.against is not None
            groups.append((tokens_, states, mask))
        return groups

    def _context(self, state: State, stop: int, held: dict[int, Context]) -> Context | None:
        """Keys and values of all that the window up to `stop` shows; `held` has what is known.

        Each group is read once, in a call of its own shape, so that a stream that is resumed
        computes the same bits.
        """
        if not state.done:
            return None if self.still is None else self._remember(self.still, 0, level=0.0)
        made = self.course
        low = made.group(state.done)[0] - made.context
        shown = range(state.done - len(state.recent), state.done)
        for gone in [i for i in held if i not in shown and i != -1 - state.anchored]:
            del held[gone]
        parts = []
        for index, latents in zip(shown, state.recent, strict=True):
            begin, end = made.group(index)
            if index not in held:
                held[index] = self._remember(latents, begin)
            count = held[index].pos.shape[1] // (end - begin)
            parts.append(_moved(held[index], max(0, low - begin) * count, begin - low))
        if (anchors := self.anchors(state, stop)) is not None:
            key = -1 - state.anchored
            if key not in held or held[key].pos.shape[1] < anchors.shape[2] * count:
                held[key] = self._refer(anchors)
            parts.append(held[key])
        return _joined(parts)

    def anchors(self, state: State, stop: int) -> Tensor | None:
        """The anchor's latents that have left the window, while the words are its own."""
        made = self.course
        if state.anchor is None or made.anchor(stop - 1) != state.anchored:
            return None
        left = made.group(state.done)[0] - made.context - made.group(state.anchored)[0]
        gone = state.anchor[:, :, : max(0, left)]
        return gone if gone.shape[2] else None

    def _remember(self, latents: Tensor, start: int, level: float | None = None) -> Context:
        """Latents, shown at the context level or another, with times from the first on."""
        board = Canvas(known=latents, freedom=torch.zeros_like(latents[:, :1]))
        return tokens.remember(
            self.engine.dit,
            board,
            self._bag(board),
            context_level=self.course.pace.context_level if level is None else level,
            noise=self.noise(start, start + latents.shape[2])[1],
        )

    def _refer(self, latents: Tensor) -> Context:
        """Latents as references, clean, at their fixed times."""
        nothing = torch.zeros_like(latents[:, :, :1])
        board = canvas.refer(canvas.loosen(nothing, 1.0), latents)
        return tokens.remember(self.engine.dit, board, self._bag(board))

    def _bag(self, board: Canvas, *, per_frame: bool = False) -> tokens.Bag:
        p = self.engine.dit.preset
        return tokens.bag(board, patch=p.patch, chunk=p.chunk, per_frame=per_frame)


def _moved(context: Context, first: int, time: int) -> Context:
    """A context without its first so many tokens, `time` latents later."""
    pos = context.pos[:, first:].clone()
    pos[..., 0] += time
    return Context(
        keys=[k[:, :, first:] for k in context.keys],
        values=[v[:, :, first:] for v in context.values],
        pos=pos,
    )


def _joined(parts: list[Context]) -> Context:
    """Several contexts as one."""
    return Context(
        keys=[torch.cat(k, dim=2) for k in zip(*(p.keys for p in parts), strict=True)],
        values=[torch.cat(v, dim=2) for v in zip(*(p.values for p in parts), strict=True)],
        pos=torch.cat([p.pos for p in parts], dim=1),
    )
