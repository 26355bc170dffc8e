"""A model, loaded and ready: a request becomes a canvas, a canvas becomes a video.

    engine = load("marble")
    video = engine.generate("a red ball rolls to the left in a meadow", seconds=4, seed=7)

The engine holds no state between requests. Everything random comes from the request's seed.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Generator, Tensor

from worldreel import canvas, checkpoint, clips, flow, guidance, montage, samplers, tokens
from worldreel.canvas import Canvas
from worldreel.checkpoint import PACKAGED
from worldreel.device import DTYPES, best_dtype, find_device
from worldreel.errors import CheckpointError, RequestError
from worldreel.flow import Velocity
from worldreel.media import Video
from worldreel.models.compressor import FRAMES, STRIDE, Compressor
from worldreel.models.dit import Context, DiT
from worldreel.models.presets import Settings, build
from worldreel.models.text import TextEncoder
from worldreel.progress import Progress, silent
from worldreel.prompt import hear, read, rewriter
from worldreel.request import Limits, Request, RequestWarning, plan
from worldreel.tasks import Tasks
from worldreel.values import parse_size

AT_ONCE = 3  # latents that are encoded or decoded together, which bounds the memory
NAMED = 12  # ignored words in a note; `Video.metadata` has them all


def load(
    model: str | Path = "marble",
    *,
    device: str = "auto",
    dtype: str = "auto",
    threads: int | None = None,
) -> Engine:
    """A model by name (one that is packaged) or by folder.

    dtype: "auto", "float32" or "bfloat16". A CheckpointError says what is wrong with a folder.
    """
    folder, where = _folder(model), find_device(device)
    if dtype != "auto" and dtype not in DTYPES:
        raise RequestError(f"unknown dtype {dtype!r}: one of auto, {', '.join(DTYPES)}")
    kind = best_dtype(where)[0] if dtype == "auto" else DTYPES[dtype]
    if threads is not None:
        if threads < 1:
            raise RequestError(f"{threads} threads were asked for: give 1 or more")
        torch.set_num_threads(threads)
    settings = _settings(folder / "model.json")
    text = checkpoint.load_text(folder / "text")
    dit = checkpoint.load_dit(folder / "dit", dtype=kind)
    compressor = checkpoint.load_compressor(folder / "compressor", dtype=kind)
    takes = (dit.preset.channels, dit.preset.text_dim)
    given = (compressor.preset.channels, text.preset.out_dim)
    if takes != given:
        raise CheckpointError(
            f"the parts of {folder} are of different models: its transformer takes channels and "
            f"words of {takes}, its compressor and text encoder give {given}: fetch it again"
        )
    return Engine(settings=settings, text=text, dit=dit, compressor=compressor, device=where)


def _folder(model: str | Path) -> Path:
    """The folder of a model; one that is packaged comes before one of the same name here."""
    for folder in (PACKAGED / str(model), Path(model)):
        if str(model) and (folder / "model.json").is_file():
            return folder
    if str(model) and Path(model).exists():
        raise CheckpointError(
            f"{model} is no model of worldreel's: give a folder that holds model.json and the"
            " folders text, dit and compressor"
        )
    known = ", ".join(sorted(p.parent.name for p in PACKAGED.glob("*/model.json")))
    raise RequestError(
        f"no model {str(model)!r}: give the name of a packaged one ({known or 'there is none'})"
        " or a folder"
    )


def _settings(file: Path) -> Settings:
    try:
        s = build(Settings, dict(json.loads(file.read_text(encoding="utf-8"))))
        if not isinstance(s.name, str) or str(s.sampler) not in samplers.SAMPLERS:
            raise ValueError(f"no name, or no sampler of {', '.join(samplers.SAMPLERS)}")
        if not (isinstance(s.steps, int) and s.steps >= 1 and s.guidance_scale >= 0):
            raise ValueError("steps or guidance_scale makes no sense")
        if not (s.flow_shift > 0 and 0 <= s.context_level < 1):
            raise ValueError("flow_shift or context_level makes no sense")
        low, high = s.guidance_interval
        if not 0 <= low <= high <= 1:
            raise ValueError("guidance_interval makes no sense")
        if not (s.trained_seconds is None or s.trained_seconds > 0):
            raise ValueError("trained_seconds makes no sense")
        for size in s.trained_sizes:
            parse_size(size)
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{file} cannot be used ({error}): fetch the model again") from None
    return s


class Engine(Tasks):
    """Three networks and how they like to be used."""

    def __init__(
        self,
        *,
        settings: Settings,
        text: TextEncoder,
        dit: DiT,
        compressor: Compressor,
        device: torch.device,
    ) -> None:
        self.settings = settings
        self.text = text.to(device)
        self.dit = dit.to(device)
        self.compressor = compressor.to(device)
        self.device = device

    def __repr__(self) -> str:
        parts = (self.text, self.dit, self.compressor)
        millions = sum(p.numel() for part in parts for p in part.parameters()) / 1e6
        kind = str(self.dit.dtype).removeprefix("torch.")
        return f"Engine({self.settings.name}, {millions:.1f} M parameters, {kind}, {self.device})"

    @property
    def limits(self) -> Limits:
        """What a request may ask for."""
        return Limits(
            name=self.settings.name,
            default_steps=self.settings.steps,
            default_guidance=self.settings.guidance_scale,
            trained_sizes=tuple(map(parse_size, self.settings.trained_sizes)),
            trained_seconds=self.settings.trained_seconds,
            reach=self.compressor.reach,
        )

    @functools.cached_property
    def space(self) -> str:
        """What tells this compressor's latents from another's."""
        total = hashlib.sha256()
        for name, tensor in sorted(self.compressor.state_dict().items()):
            total.update(name.encode())
            total.update(tensor.detach().cpu().float().numpy().tobytes())
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
        told = progress or silent
        took: dict[str, float] = {}
        clock = time.perf_counter()

        def lap(stage: str) -> None:
            nonlocal clock
            now = time.perf_counter()
            took[stage], clock = now - clock, now

        told("prompt", 0, 1)
        made = plan(clips.ready(request, self.limits, space=self.space), self.limits)
        stills, fitted = montage.stills(made, self.encode)
        write = rewriter(request.rewrite)
        said = hear(self.text, made.prompt, write, seed=made.seed, name=made.model)
        words = said.words()
        notes = [*made.notes, *heard(words, made.model), *fitted, *said.notes(made.model)]
        against = None
        if made.negative_prompt:
            other = read(self.text, made.negative_prompt)
            notes += other.notes(made.model, negative=True)
            against = other.states if other.reading.ids else None
            if made.guidance_scale == 1:
                notes.append(
                    "the negative prompt changes nothing at guidance scale 1: ask for a larger one,"
                    " and for 20 steps or more"
                )
        for note in notes:  # before the painting, which takes long
            warnings.warn(note, RequestWarning, stacklevel=stacklevel)
        told("prompt", 1, 1)
        lap("prompt")
        made, sources = montage.sources(made, self.encode, self.decode, told)
        board = montage.compose(made, sources, stills, channels=self.compressor.preset.channels)
        if sources:
            lap("clip")
        window = made.timeline.window
        painted = self.paint(
            montage.shown(board, window),
            [said.states],
            [against],
            seeds=[made.seed],
            steps=made.num_inference_steps,
            guidance_scale=made.guidance_scale,
            told=told,
        )
        lap("paint")
        latents = montage.joined(board, painted.cpu(), window).clone()  # a tensor like any other
        frames = montage.composite(made, latents, self.decode, told, reach=self.compressor.reach)
        lap("decode")
        request_made = made.to_json() | {"notes": notes}
        if len(told_of := clips.prompts(made, FRAMES)) > 1:
            request_made["prompts"] = told_of
        metadata = {"request": request_made, "words": words, "seconds": took}
        descent = clips.descent(made, space=self.space, frames_per_latent=FRAMES)
        return Video(frames=frames, fps=made.fps, latents=latents, metadata=metadata | descent)

    @torch.inference_mode()
    def encode(self, frames: np.ndarray, *, told: Progress = silent) -> Tensor:
        """Latents of frames F H W 3 uint8, 1 C F/4 h w, a few at a time."""
        parts, count = [], len(frames) // FRAMES
        told("clip", 0, count)
        for first in range(0, count, AT_ONCE):
            part = torch.tensor(frames[FRAMES * first : FRAMES * (first + AT_ONCE)])
            video = rearrange(part.to(self.device), "f h w c -> 1 c f h w").float() / 127.5 - 1
            parts.append(self.compressor.encode(video).cpu())
            told("clip", min(first + AT_ONCE, count), count)
        return torch.cat(parts, dim=2)

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
        told: Progress = silent,
    ) -> Tensor:
        """Latents of a canvas of B clips, for one prompt and one seed a clip.

        states and against: 1 M E each, or None for no words (guidance away from nothing said).
        """
        s = self.settings
        steps = s.steps if steps is None else steps
        scale = s.guidance_scale if guidance_scale is None else guidance_scale
        noise = torch.cat(
            [torch.randn(1, *board.shape[1:], generator=Generator().manual_seed(n)) for n in seeds]
        ).to(self.device)
        board = dataclasses.replace(
            board, known=board.known.to(self.device), freedom=board.freedom.to(self.device)
        )
        preset = self.dit.preset
        box = tokens.bag(board, patch=preset.patch, chunk=preset.chunk)
        words = self.dit.read([(None, torch.cat(states).to(self.device), None)], len(seeds))
        context = tokens.remember(self.dit, board, box, context_level=s.context_level, noise=noise)
        velocity = tokens.velocity(self.dit, board, box, words, context=context, noise=noise)
        if scale != 1:
            both = self._both(board, states, against, context, noise)
            # means down to a target have a guidance of their own, and would be guided twice
            velocity = flow.instant(
                guidance.joint(velocity, both, scale, interval=s.guidance_interval)
            )
        start = samplers.State(canvas.start(board, noise))
        sigmas = flow.schedule(steps, shift=s.flow_shift).to(self.device)
        told("paint", 0, steps)
        x = start.x
        for state in samplers.SAMPLERS[s.sampler](velocity, start, sigmas, board.freedom):
            x = state.x
            told("paint", state.step, steps)
        return x

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
            context=_doubled(context),
            noise=torch.cat([noise, noise]),
        )

    @torch.inference_mode()
    def decode(
        self,
        latents: Tensor,
        *,
        past: Tensor | None = None,
        ring: bool = False,
        told: Progress = silent,
    ) -> np.ndarray:
        """Pixels of latents B C T h w: B F H W 3 uint8, decoded a few latents at a time.

        past: the latent before the first (B C 1 h w), where latents go on from others. As many are
        decoded each time, so that a latent gives the same bytes whatever stands around it: sums
        over a smaller batch may round otherwise.
        """
        b, _, t, h, w = latents.shape
        out = np.empty((b, FRAMES * t, STRIDE * h, STRIDE * w, 3), dtype=np.uint8)
        padding = latents[:, :, -1:].expand(-1, -1, -t % AT_ONCE, -1, -1)
        padded = torch.cat([latents, padding], dim=2).to(self.device)
        done = 0
        told("decode", 0, t)
        for part in self.compressor.stream(padded, chunk=AT_ONCE, past=past, ring=ring):
            pixels = (part.clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
            pixels = rearrange(pixels, "b c f h w -> b f h w c").cpu().numpy()
            place = out[:, done : done + pixels.shape[1]]
            place[:] = pixels[:, : place.shape[1]]
            done += place.shape[1]
            told("decode", done // FRAMES, t)
        return out


def _doubled(context: Context | None) -> Context | None:
    """What is kept, for both branches of guidance: computed once, shown twice."""
    if context is None:
        return None
    return Context(
        keys=[k.repeat(2, 1, 1, 1) for k in context.keys],
        values=[v.repeat(2, 1, 1, 1) for v in context.values],
        pos=context.pos.repeat(2, 1, 1),
    )


def heard(words: Mapping[str, Any], model: str) -> list[str]:
    """Notes of the words that were taken for others, and of those that were ignored."""
    notes = [f"read {word!r} as {meaning!r}" for word, meaning in words["mapped"].items()]
    named, more = words["ignored"][:NAMED], len(words["ignored"]) - NAMED
    if named and words["read"]:
        others = f" and {more} other words" if more > 0 else ""
        notes.append(f"{model} does not know {', '.join(map(repr, named))}{others}")
    return notes
