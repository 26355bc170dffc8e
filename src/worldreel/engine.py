"""A model, loaded and ready: a request becomes a canvas, a canvas becomes a video.

    engine = load("marble")
    video = engine.generate("a red ball rolls to the left in a meadow", seconds=4, seed=7)

The engine holds no state between requests. Everything random comes from the request's seed.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Generator, Tensor

from worldreel import canvas, checkpoint, flow, guidance, prompt, samplers, tokens
from worldreel.canvas import Canvas
from worldreel.checkpoint import PACKAGED
from worldreel.errors import CheckpointError, RequestError
from worldreel.flow import Velocity
from worldreel.media import Video, read_image
from worldreel.models.compressor import FRAMES, STRIDE, Compressor
from worldreel.models.dit import Context, DiT
from worldreel.models.presets import Settings
from worldreel.models.text import TextEncoder
from worldreel.request import Limits, Plan, Request, plan

Progress = Callable[[str, int, int], None]

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# Values of ONEDNN_MAX_CPU_ISA under which oneDNN has no instruction that multiplies bfloat16.
_NO_BF16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def best_dtype(device: torch.device) -> tuple[torch.dtype, str]:
    """bfloat16 where the hardware multiplies it, else float32; and why.

    By what the hardware says of itself and not by a stopwatch: the same machine must always choose
    the same, or the same seed would not give the same frames.
    """
    if device.type == "cuda":
        return torch.bfloat16, "a CUDA device multiplies it"
    own = {
        "amx": torch.cpu._is_amx_tile_supported(),
        "avx512_bf16": torch.cpu._is_avx512_bf16_supported(),
    }
    name = next((name for name, have in own.items() if have), None)
    if name is None or not torch.backends.mkldnn.is_available():
        return torch.float32, "this processor has neither avx512_bf16 nor amx for bfloat16"
    capped = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or ""
    if capped.upper() in _NO_BF16:
        return torch.float32, f"ONEDNN_MAX_CPU_ISA={capped} leaves no instruction for bfloat16"
    return torch.bfloat16, f"this processor has {name}"


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
    folder, where = _folder(model), _device(device)
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


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise RequestError(f"unknown device {name!r}: one of auto, cpu, cuda, cuda:1 and so on")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise RequestError(f"this machine has no {name}: `worldreel doctor` tells what it has")
    return device


def _settings(file: Path) -> Settings:
    try:
        s = Settings(**json.loads(file.read_text(encoding="utf-8")))
        if not isinstance(s.name, str) or str(s.sampler) not in samplers.SAMPLERS:
            raise ValueError(f"no name, or no sampler of {', '.join(samplers.SAMPLERS)}")
        if not (isinstance(s.steps, int) and s.steps >= 1 and s.guidance_scale >= 0):
            raise ValueError("steps or guidance_scale makes no sense")
        if not (s.flow_shift > 0 and 0 <= s.context_level < 1):
            raise ValueError("flow_shift or context_level makes no sense")
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{file} cannot be used ({error}): fetch the model again") from None
    return s


class Engine:
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

    @property
    def limits(self) -> Limits:
        """What a request may ask for."""
        return Limits(
            name=self.settings.name,
            default_steps=self.settings.steps,
            default_guidance=self.settings.guidance_scale,
        )

    def generate(
        self, prompt_text: str, *, progress: Progress | None = None, **asked: Any
    ) -> Video:
        """One video. `asked` are the fields of `Request`; image and last_image may be files."""
        made = plan(Request(prompt=prompt_text, model=self.settings.name, **asked), self.limits)
        told = progress or _silent
        took: dict[str, float] = {}
        clock = time.perf_counter()

        def lap(stage: str) -> None:
            nonlocal clock
            now = time.perf_counter()
            took[stage], clock = now - clock, now

        told("prompt", 0, 1)
        board, notes = self.canvas(made)
        said = prompt.read(self.text, made.prompt)
        notes += said.notes(self.settings.name)
        against = None
        if made.negative_prompt:
            other = prompt.read(self.text, made.negative_prompt)
            notes += other.notes(self.settings.name, negative=True)
            against = other.states if other.reading.ids else None
        told("prompt", 1, 1)
        lap("prompt")
        latents = self.paint(
            board,
            [said.states],
            [against],
            seeds=[made.seed],
            steps=made.num_inference_steps,
            guidance_scale=made.guidance_scale,
            told=told,
        )
        lap("paint")
        frames = self.decode(latents, told=told)[0]
        lap("decode")
        if made.num_frames == 1:
            frames = frames[:1]
        elif made.image is not None:
            frames = frames[FRAMES - 1 :]  # the picture was kept as four equal frames
            notes.append(f"the picture is the first frame, so there are {len(frames)} frames")
        return Video(
            frames=frames,
            fps=made.fps,
            latents=latents.cpu().clone(),  # out of inference mode: a tensor like any other
            metadata={
                "request": made.to_json() | {"num_frames": len(frames)},
                "words": said.words(),
                "seconds": took,
                "notes": [*made.notes, *notes],
            },
        )

    @torch.inference_mode()
    def canvas(self, made: Plan) -> tuple[Canvas, list[str]]:
        """The canvas of a plan, and what was done to pictures to fit it."""
        frames = max(1, made.num_frames // FRAMES)
        shape = (1, self.compressor.preset.channels, frames)
        board = canvas.blank((*shape, made.height // STRIDE, made.width // STRIDE))
        notes: list[str] = []
        for name, picture, at in (("first", made.image, 0), ("last", made.last_image, -1)):
            if picture is not None:
                pixels, note = _fitted(picture, name, (made.width, made.height))
                notes += note
                board = canvas.keep(board, self.encode_still(pixels).cpu(), at=at)
        return board, notes

    @torch.inference_mode()
    def encode_still(self, pixels: np.ndarray) -> Tensor:
        """A picture (H, W, 3) uint8 as one latent, 1 C 1 h w: four equal frames."""
        video = torch.tensor(pixels).to(self.device).float() / 127.5 - 1
        return self.compressor.encode(
            rearrange(video, "h w c -> 1 c 1 h w").expand(-1, -1, FRAMES, -1, -1)
        )

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
        told: Progress = _silent,
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
            velocity = guidance.joint(velocity, both, scale)
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
        self, latents: Tensor, *, ring: bool = False, told: Progress = _silent
    ) -> np.ndarray:
        """Pixels of latents B C T h w: B F H W 3 uint8, decoded a few latents at a time."""
        b, _, t, h, w = latents.shape
        out = np.empty((b, FRAMES * t, STRIDE * h, STRIDE * w, 3), dtype=np.uint8)
        done = 0
        told("decode", 0, t)
        for part in self.compressor.stream(latents, ring=ring):
            pixels = (part.clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
            pixels = rearrange(pixels, "b c f h w -> b f h w c").cpu().numpy()
            out[:, done : done + pixels.shape[1]] = pixels
            done += pixels.shape[1]
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


def _fitted(picture: Any, name: str, size: tuple[int, int]) -> tuple[np.ndarray, list[str]]:
    """A picture cut to the aspect (around its middle) and scaled to a size, and a note of it."""
    pixels = read_image(picture)
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels, []
    scale = max(size[0] / width, size[1] / height)
    cut = min(width, size[0] / scale), min(height, size[1] / scale)  # in the picture's own pixels
    x, y = (width - cut[0]) / 2, (height - cut[1]) / 2
    image = Image.fromarray(pixels).resize(
        size, Image.Resampling.LANCZOS, box=(x, y, width - x, height - y)
    )
    done = "scaled" if max(x, y) < 0.5 else "cut and scaled"
    note = f"the {name} picture, {width}x{height}, was {done} to {size[0]}x{size[1]}"
    return np.asarray(image), [note]
