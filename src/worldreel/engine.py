"""A model, loaded and ready: a request becomes a canvas, a canvas becomes a video.

    engine = load("marble")
    video = engine.generate("a red ball rolls to the left in a meadow", seconds=4, seed=7)

The engine holds no state between requests. Everything random comes from the request's seed.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from worldreel import canvas, clips, conditions, flow, guidance, loading, montage, samplers, tokens
from worldreel.canvas import Canvas
from worldreel.coding import decoded, encoded, shown
from worldreel.device import DTYPES, best_dtype, find_device
from worldreel.errors import RequestError
from worldreel.flow import Velocity
from worldreel.footage import Footage
from worldreel.loading import Loras
from worldreel.media import Video
from worldreel.models.compressor import FRAMES, Compressor
from worldreel.models.dit import Context, DiT
from worldreel.models.presets import Settings
from worldreel.models.text import TextEncoder
from worldreel.models.unread import Unread, give_back
from worldreel.models.wan_text import WanText
from worldreel.models.wan_vae import WanVae
from worldreel.noise import drawn, fresh
from worldreel.offload import RESIDENT, Way, turns_of, weights_of
from worldreel.progress import Progress, silent
from worldreel.prompt import hear, heard, read, rewriter
from worldreel.public import LEAST, Public, guided
from worldreel.request import Limits, Request, RequestWarning, plan
from worldreel.settings import limits_of
from worldreel.tasks import Tasks
from worldreel.team import Team

AT_ONCE = 3  # latents that are encoded or decoded together, which bounds the memory


def load(
    model: str | Path = "marble",
    *,
    device: str = "auto",
    dtype: str = "auto",
    threads: int | None = None,
    loras: Loras = (),
    text: WanText | None = None,
    way: str = "auto",
    weights: str = "auto",
    team: Team | None = None,
    progress: Progress | None = None,
) -> Engine:
    """A model by name (one that is packaged), by folder, or by file; ours or public Wan weights.

    dtype: "auto", "float32" or "bfloat16". loras: (file, strength) each, written into the weights.
    text: instead of the text encoder beside public weights. way: one of `offload.ways`, how to run
    in less memory; "auto": the first with which a clip of the model's own size fits what is free.
    weights: "int8", a transformer's blocks in 8 bits; "auto": where nothing else fits. team:
    processes that share the work, and each hold all of it; in the others this ends with the team.
    A CheckpointError says what is wrong with a folder.
    """
    where = find_device(device) if team is None else team.ranks.device
    if dtype != "auto" and dtype not in DTYPES:
        raise RequestError(f"unknown dtype {dtype!r}: one of auto, {', '.join(DTYPES)}")
    kind = best_dtype(where)[0] if dtype == "auto" else DTYPES[dtype]
    if threads is not None:
        if threads < 1:
            raise RequestError(f"{threads} threads were asked for: give 1 or more")
        torch.set_num_threads(threads)
    told = progress or silent
    how = loading.way(model, way, weights, where, kind, team)
    if team is not None:
        team.begin(loading.transformers, model=model, dtype=kind, loras=loras)
    made = loading.parts(
        model, dtype=kind, loras=loras, text=text, way=how, device=where, team=team, told=told
    )
    return Engine(
        settings=made.settings,
        text=made.text,
        dit=made.dit,
        compressor=made.compressor,
        device=where,
        public=made.public,
        loras=made.loras,
        way=how,
        unread=made.unread,
    )


class Engine(Tasks):
    """Three networks and how they like to be used."""

    def __init__(
        self,
        *,
        settings: Settings,
        text: TextEncoder | WanText,
        dit: DiT,
        compressor: Compressor | WanVae,
        device: torch.device,
        public: Public | None = None,
        loras: tuple[tuple[str, float], ...] = (),
        way: Way = RESIDENT,
        unread: tuple[Unread, ...] = (),
    ) -> None:
        self.settings, self.device = settings, device
        self.text: Any = text  # ours or Wan's; `prompt` knows which
        self.dit = dit
        self.compressor: Any = compressor  # `encode` and `decode` know which
        self.public, self.loras = public, loras
        self.way, self._unread = way, unread
        self.at_once = way.at_once or AT_ONCE
        experts = [part for part in self._networks() if isinstance(part, DiT)]
        self.turns = turns_of(way, text, compressor, experts, device, unread)
        if self.turns is None:
            for network in self._networks():
                network.to(device)

    def __repr__(self) -> str:
        millions = sum(p.numel() for part in self._networks() for p in part.parameters()) / 1e6
        kind = str(self.dit.dtype).removeprefix("torch.")
        return f"Engine({self.settings.name}, {millions:.1f} M parameters, {kind}, {self.device})"

    def _networks(self) -> list[nn.Module]:
        """Text encoder and compressor first: their methods ask for these by place."""
        low = self.public.low if self.public is not None else None
        return [self.text, self.compressor, self.dit, *([low] if low is not None else [])]

    def _need(self, index: int) -> None:
        if self.turns is not None:
            self.turns.need(index)

    @property
    def limits(self) -> Limits:
        """What a request may ask for."""
        if self.public is not None:
            c, patch = self.compressor, self.dit.preset.patch
            return self.public.limits(patch=patch, stride=c.stride, reach=c.reach)
        return limits_of(self.settings)

    @functools.cached_property
    def space(self) -> str:
        """What tells this compressor's latents from another's."""
        total = hashlib.sha256()
        for name, tensor in sorted(weights_of(self.compressor, self._unread)):
            total.update(name.encode() + tensor.detach().cpu().float().numpy().tobytes())
        return total.hexdigest()[:16]

    def make(
        self, request: Request, *, progress: Progress | None = None, stacklevel: int = 2
    ) -> Video:
        """The video that a request asks for; every task comes this way.

        progress(stage, done, total) is told each step. What is made differently from what was
        asked, and words that the model does not know, are a RequestWarning each, and in
        `Video.notes`. What cannot be made is a RequestError, a clip that cannot be read a
        MediaError.
        """
        return self.film(request, progress=progress, stacklevel=stacklevel + 1).video()

    def film(
        self, request: Request, *, progress: Progress | None = None, stacklevel: int = 2
    ) -> Footage:
        """`make` without its frames, which are decoded as they are asked for, into a file."""
        told = progress or silent
        took: dict[str, float] = {}
        clock = time.perf_counter()

        def lap(stage: str) -> None:
            nonlocal clock
            now = time.perf_counter()
            took[stage], clock = now - clock, now
            give_back()

        told("prompt", 0, 1)
        made = plan(clips.ready(request, self.limits, space=self.space), self.limits)
        stills, fitted = montage.stills(made, self.encode)
        write = rewriter(request.rewrite)
        if self.public is None:
            self._need(0)
        said = hear(self.text, made.prompt, write, seed=made.seed, name=made.model)
        words = said.words()
        notes = [*made.notes, *heard(words, made.model), *fitted, *said.notes(made.model)]
        notes += self.public.notes(made) if self.public is not None else []
        against = None
        if made.negative_prompt:
            other = read(self.text, made.negative_prompt)
            notes += other.notes(made.model, negative=True)
            against = other.states if other.reading.ids else None
        if self.public is not None and made.guidance_scale != 1:
            self.unsaid()  # it is remembered: later the text encoder may have left
        for note in notes:  # before the painting, which takes long
            warnings.warn(note, RequestWarning, stacklevel=stacklevel)
        told("prompt", 1, 1)
        lap("prompt")
        made, sources = montage.sources(made, self.encode, self.decode, told)
        c = self.compressor
        board = montage.compose(made, sources, stills, channels=c.preset.channels, stride=c.stride)
        if sources:
            lap("clip")
        window = made.timeline.window
        seen = conditions.derive(self.public, made, board, self.encode, told)
        painted = self.paint(
            seen.board,
            [said.states],
            [against],
            seeds=[made.seed],
            steps=made.num_inference_steps,
            guidance_scale=made.guidance_scale,
            guidance_interval=made.guidance_interval,
            flow_shift=made.flow_shift,
            beside=seen.channels,
            told=told,
        ).cpu()
        lap("paint")
        latents = montage.joined(board, seen.kept(painted), window).clone()  # like any other tensor
        asked = made.to_json() | {"notes": notes}
        if self.loras:
            asked["loras"] = [list(one) for one in self.loras]
        if len(told_of := clips.prompts(made, FRAMES)) > 1:
            asked["prompts"] = told_of
        metadata = {"request": asked, "words": words, "seconds": took}
        metadata |= clips.descent(made, space=self.space, frames_per_latent=FRAMES)
        reached = {"reach": c.reach, "first_frame": c.first_frame}
        return Footage(
            decode=lambda: montage.composite(made, latents, self.frames, told, **reached),
            num_frames=made.num_frames,
            size=(made.width, made.height),
            fps=made.fps,
            latents=latents,
            metadata=metadata,
        )

    @torch.inference_mode()
    def encode(
        self,
        frames: np.ndarray,
        *,
        told: Progress = silent,
        begins: bool = True,
        where: np.ndarray | None = None,
    ) -> Tensor:
        """Latents of frames F H W 3 uint8, 1 C F/4 h w, a few at a time: see `coding.encoded`."""
        self._need(1)
        asked = {"begins": begins, "where": where, "told": told}
        return encoded(self.compressor, frames, at_once=self.at_once, device=self.device, **asked)

    @torch.inference_mode()
    def encode_still(self, pixels: np.ndarray) -> Tensor:
        """A picture (H, W, 3) uint8 as one latent, 1 C 1 h w: four equal frames."""
        return self.encode(np.repeat(pixels[None], FRAMES, 0))

    @torch.inference_mode()
    def paint(
        self,
        board: Canvas,
        states: list[Tensor],
        against: list[Tensor | None],
        *,
        seeds: list[int],
        steps: int | None = None,
        guidance_scale: float | None = None,
        guidance_interval: tuple[float, float] | None = None,
        flow_shift: float | None = None,
        beside: Tensor | None = None,
        told: Progress = silent,
    ) -> Tensor:
        """Latents of a canvas of B clips, for one prompt and one seed a clip.

        states and against: 1 M E each, or None for no words (guidance away from nothing said).
        beside: channels that some public weights are shown (`conditions`).
        """
        s = self.settings
        steps = s.steps if steps is None else steps
        scale = s.guidance_scale if guidance_scale is None else guidance_scale
        noise = drawn(board.shape, seeds).to(self.device)
        board = dataclasses.replace(
            board, known=board.known.to(self.device), freedom=board.freedom.to(self.device)
        )
        span = guidance_interval or s.guidance_interval
        velocity = self._velocity(board, states, against, noise, scale, span, beside)
        least = 0.0 if self.public is None else LEAST
        start = samplers.State(canvas.start(board, noise))
        shift = flow_shift or s.flow_shift
        sigmas = flow.schedule(steps, shift=shift, least=least).to(self.device)
        told("paint", 0, steps)
        x = start.x
        sampler = samplers.named(s.sampler, fresh(noise, seeds))
        for state in sampler(velocity, start, sigmas, board.freedom):
            x = state.x
            told("paint", state.step, steps)
        return x

    def unsaid(self) -> Tensor:
        """The states of no words, 1 L E, of public weights."""
        return self.text.states("")[0]

    def _velocity(
        self,
        board: Canvas,
        states: list[Tensor],
        against: list[Tensor | None],
        noise: Tensor,
        scale: float,
        interval: tuple[float, float],
        beside: Tensor | None,
    ) -> Velocity:
        """The guided velocity of a canvas's latents."""
        heard = torch.cat(states).to(self.device)
        if self.public is not None:
            return guided(
                self.public,
                self.dit,
                board,
                [(None, heard)],
                lambda: torch.cat([self.unsaid() if a is None else a for a in against]),
                scale=scale,
                interval=interval,
                noise=noise,
                beside=None if beside is None else beside.to(self.device),
            )
        preset, s = self.dit.preset, self.settings
        box = tokens.bag(board, patch=preset.patch, chunk=preset.chunk)
        words = self.dit.read([(None, heard, None)], len(heard))
        context = tokens.remember(self.dit, board, box, context_level=s.context_level, noise=noise)
        velocity = tokens.velocity(self.dit, board, box, words, context=context, noise=noise)
        if scale == 1:
            return velocity
        both = self._both(board, states, against, context, noise)
        # means down to a target have a guidance of their own, and would be guided twice
        return flow.instant(guidance.joint(velocity, both, scale, interval=interval))

    def _both(
        self,
        board: Canvas,
        states: list[Tensor],
        against: list[Tensor | None],
        context: Context | None,
        noise: Tensor,
    ) -> Velocity:
        """The velocity of both branches of guidance in one call; what is kept is shown to both."""
        other = [
            torch.zeros_like(a) if b is None else b for a, b in zip(states, against, strict=True)
        ]
        joined = torch.cat([*states, *other]).to(self.device)  #                    2B M E
        heard = [True] * len(states) + [b is not None for b in against]
        mask = torch.tensor(heard, device=self.device)[:, None].expand(joined.shape[:2])
        pair = dataclasses.replace(
            board, known=torch.cat([board.known] * 2), freedom=torch.cat([board.freedom] * 2)
        )
        preset = self.dit.preset
        return tokens.velocity(
            self.dit,
            pair,
            tokens.bag(pair, patch=preset.patch, chunk=preset.chunk),
            self.dit.read([(None, joined, mask)], len(joined)),
            context=None if context is None else context.shown(2),
            noise=torch.cat([noise, noise]),
        )

    @torch.inference_mode()
    def decode(self, latents: Tensor, *, told: Progress = silent, **asked: Any) -> np.ndarray:
        """Pixels of latents B C T h w: B F H W 3 uint8, decoded a few latents at a time.

        Where a clip's first latent is one frame, it stands four times here, as `encode` takes it.
        past: the one or two latents before the first (B C 1|2 h w), where latents go on from
        others. ring: the last are before the first.
        """
        return decoded(self.compressor, latents.to(self.device), **self._decoding(told, **asked))

    @torch.inference_mode()
    def frames(self, latents: Tensor, *, told: Progress, **asked: Any) -> Iterator[np.ndarray]:
        """What `decode` gives, as it comes: B f H W 3."""
        yield from shown(self.compressor, latents.to(self.device), **self._decoding(told, **asked))

    def _decoding(
        self, told: Progress, *, past: Tensor | None = None, ring: bool = False
    ) -> dict[str, Any]:
        self._need(1)
        own = {} if self.compressor.first_frame else {"past": past, "ring": ring}
        return {"at_once": self.at_once, "tile": self.way.tile, "told": told, **own}
