"""Long video of public weights: a window after the other, each beside the end of the last.

These models know no chunks and were trained on short clips, so a stream of theirs is approximate.
Of what is finished a window shows the last latents, in the way that the model knows:

    TI2V-5B        at level 0, token by token
    I2V, VACE      their frames, decoded, as the beginning of a clip of its own (`conditions`)
    T2V            noised to the one level of the window, with the same noise at every step

What is finished never changes, memory does not grow with the length, and every window costs the
same. Shapes: B = 1, C channels, t latents, h w; F H W frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from worldreel import canvas, flow, pictures, samplers
from worldreel.canvas import Canvas
from worldreel.coding import check_finite
from worldreel.conditions import CHANNELS, Seen
from worldreel.models.compressor import FRAMES
from worldreel.models.streaming import Past
from worldreel.public import LEAST, Heard, guided

if TYPE_CHECKING:
    from worldreel.engine import Engine
    from worldreel.stream import State, Stream


def walk(stream: Stream, state: State) -> Iterator[tuple[State, np.ndarray]]:
    """The state after each group, and the group's frames; the first frame stands four times."""
    made, engine = stream.course, stream.engine
    past = Past()
    frames = np.empty((0, made.plan.height, made.plan.width, 3), np.uint8)
    if state.done:  # what is decoded next follows from these, and they are what a window shows
        frames = _decoded(engine, torch.cat(state.recent, dim=2), past)
    while state.done < made.num_groups:
        latents = _painted(stream, state, frames[len(frames) - FRAMES * made.context :])
        recent = (*state.recent, latents)
        while sum(r.shape[2] for r in recent[1:]) >= made.held:
            recent = recent[1:]
        state = replace(state, done=state.done + 1, recent=recent)
        fresh = _decoded(engine, latents, past)
        yield state, fresh
        frames = np.concatenate([frames, fresh])[-FRAMES * made.context :]


def _decoded(engine: Engine, latents: Tensor, past: Past) -> np.ndarray:
    """Frames of latents that go on from a past, one by one, so that a resumed stream gives the
    same bytes; a first frame stands four times."""
    if engine.turns is not None:
        engine.turns.need(1)
    check_finite(latents)
    alone, parts = not past.begun, []
    for part in engine.compressor.stream(latents.to(engine.device), chunk=1, past=past, uint8=True):
        parts.append(part[0].cpu().numpy())
    return np.concatenate([*[parts[0]] * (FRAMES - 1 if alone else 0), *parts])


def _painted(stream: Stream, state: State, frames: np.ndarray) -> Tensor:
    """The latents of the next group, 1 C t h w, beside the frames that the window shows."""
    made, engine = stream.course, stream.engine
    public, plan = engine.public, made.plan
    assert public is not None
    start, stop = made.group(state.done)
    low = start - made.context if state.done else 0
    noise = stream.noise(low, stop)[0]
    known, freedom = torch.zeros_like(noise), torch.ones_like(noise[:, :1])
    if state.done:
        known[:, :, : start - low] = canvas.tail(torch.cat(state.recent, dim=2), start - low)
        freedom[:, :, : start - low] = 0
    elif stream.still is not None:
        known[:, :, :1], freedom[:, :, :1] = stream.still, 0
    board, beside = Canvas(known=known, freedom=freedom), None
    if public.sees_pixels:
        seen = _seen(stream, state, frames, stop - low)
        beside = CHANNELS[public.model.pictures](seen, engine.encode, lambda *_: None)
        beside = beside.to(engine.device)
        board = replace(board, freedom=torch.ones_like(freedom))
    against = stream.against
    velocity = guided(
        public,
        engine.dit,
        board,
        _heard(stream, low, stop),
        lambda: engine.unsaid().to(engine.device) if against is None else against,
        scale=plan.guidance_scale,
        interval=plan.guidance_interval,
        noise=noise,
        beside=beside,
    )
    sigmas = flow.schedule(plan.num_inference_steps, shift=plan.flow_shift, least=LEAST)
    begun = samplers.State(canvas.start(board, noise))
    sampler = stream.sampler(low, stop)
    x = samplers.run(sampler(velocity, begun, sigmas.to(engine.device), board.freedom))
    return torch.where(freedom == 0, known, x)[:, :, start - low :].clone()


def _seen(stream: Stream, state: State, frames: np.ndarray, latents: int) -> Seen:
    """What a window knows of its frames: those of the last latents, or the first picture."""
    plan = stream.course.plan
    shape = (FRAMES * latents, plan.height, plan.width, 3)
    shown, known = np.zeros(shape, np.uint8), np.zeros((shape[0], 1, 1), bool)
    for keyframe in plan.timeline.keyframes if not state.done else ():
        picture = pictures.read_image(keyframe.picture)
        frames = pictures.fitted(picture, (plan.width, plan.height))[0][None].repeat(FRAMES, 0)
    shown[: len(frames)], known[: len(frames)] = frames, True
    return Seen(frames=shown, known=known, references=shown[:0])


def _heard(stream: Stream, low: int, stop: int) -> Heard:
    """Which tokens of a window read which prompt: all that are its own, in order of time."""
    made, engine = stream.course, stream.engine
    side = engine.compressor.stride * engine.dit.preset.patch
    each = (made.plan.height // side) * (made.plan.width // side)
    starts = [start for start, _ in made.spans]
    heard: Heard = []
    for states, begin, end in zip(stream.states, starts, [*starts[1:], stop], strict=True):
        count = min(end, stop) - max(begin, low)
        if count > 0:
            heard.append((each * count, states))
    return heard
