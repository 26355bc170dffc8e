"""A model, loaded and ready: a request becomes a canvas, a canvas becomes a video.

    engine = load("marble")
    video = engine.generate("a red ball rolls to the left in a meadow", seconds=4, seed=7)

The engine holds no state between requests. Everything random comes from the request's seed.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Generator, Tensor

from worldreel import canvas, checkpoint, flow, guidance, prompt, samplers, tokens
from worldreel.canvas import Canvas
from worldreel.errors import CheckpointError, RequestError
from worldreel.media import Video, read_image
from worldreel.models import presets
from worldreel.models.compressor import FRAMES, STRIDE, Compressor
from worldreel.models.dit import Context, DiT
from worldreel.models.presets import CompressorPreset, DitPreset, TextPreset
from worldreel.models.text import Lexicon, TextEncoder
from worldreel.request import Limits, Plan, Request, plan

Progress = Callable[[str, int, int], None]

PACKAGED = Path(__file__).parent / "weights"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a model likes to be sampled; in its folder as `model.json`."""

    name: str
    steps: int = 20
    guidance_scale: float = 4.0
    flow_shift: float = 2.0
    sampler: str = "euler"
    context_level: float = 0.0


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def best_dtype(device: torch.device) -> torch.dtype:
    """bf16 where the hardware multiplies it faster than fp32, by what it says of itself.

    Flags and not a stopwatch: the same machine must always choose the same, or the same seed would
    not give the same bytes.
    """
    if device.type == "cuda":
        return torch.bfloat16
    if device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        import os

        capped = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
        if fast and not capped.startswith(("SSE", "AVX2")):
            return torch.bfloat16
    return torch.float32


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
    folder = PACKAGED / str(model)
    if not (folder / "model.json").is_file():
        folder = Path(model)
    if not folder.is_dir():
        known = ", ".join(sorted(p.parent.name for p in PACKAGED.glob("*/model.json")))
        raise RequestError(f"no model {str(model)!r}: packaged are {known or 'none'}, or a folder")
    if threads is not None:
        torch.set_num_threads(threads)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    where = torch.device(device)
    kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16, "auto": best_dtype(where)}
    if dtype not in kinds:
        raise RequestError(f"unknown dtype {dtype!r}: one of {', '.join(kinds)}")
    return Engine(
        settings=_settings(folder),
        text=_text(folder / "text"),
        dit=_dit(folder / "dit", kinds[dtype]),
        compressor=_compressor(folder / "compressor", kinds[dtype]),
        device=where,
    )


def _settings(folder: Path) -> Settings:
    try:
        data = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        return Settings(**data)
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{folder} is no model of worldreel's: model.json cannot be used ({error})"
        ) from None


def _text(folder: Path) -> TextEncoder:
    held = checkpoint.load(folder, kind="text")
    config = held.config
    missing = {"preset", "lexicon", "labels"} - set(config)
    if missing:
        raise CheckpointError(f"{folder}/config.json lacks {sorted(missing)[0]!r}")
    labels = {k: tuple(v) for k, v in config["labels"].items()}
    model = TextEncoder(
        presets.build(TextPreset, config["preset"]), Lexicon(config["lexicon"]), labels
    )
    checkpoint.apply(model, held.tensors)
    return model.requires_grad_(False).eval()


def _dit(folder: Path, dtype: torch.dtype) -> DiT:
    held = checkpoint.load(folder, kind="dit")
    model = DiT(presets.build(DitPreset, held.config), dtype=dtype)
    checkpoint.apply(model, held.tensors)
    return model.requires_grad_(False).eval()


def _compressor(folder: Path, dtype: torch.dtype) -> Compressor:
    held = checkpoint.load(folder, kind="compressor")
    model = Compressor(presets.build(CompressorPreset, held.config), dtype=dtype)
    checkpoint.apply(model, held.tensors)
    return model.requires_grad_(False).eval()


def load_text(folder: str | Path) -> TextEncoder:
    """A trained text encoder, frozen."""
    return _text(Path(folder))


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
        self.compressor = compressor.to(device, memory_format=torch.channels_last)
        self.device = device

    @property
    def limits(self) -> Limits:
        """What a request may ask for."""
        return Limits(
            name=self.settings.name,
            default_steps=self.settings.steps,
            default_guidance=self.settings.guidance_scale,
        )

    @torch.inference_mode()
    def generate(
        self, prompt_text: str, *, progress: Progress | None = None, **asked: Any
    ) -> Video:
        """One video. `asked` are the fields of `Request`; image and last_image may be files."""
        request = Request(prompt=prompt_text, model=self.settings.name, **asked)
        made = plan(request, self.limits)
        told = progress or _silent
        took: dict[str, float] = {}
        clock = time.perf_counter()

        def lap(stage: str) -> None:
            nonlocal clock
            now = time.perf_counter()
            took[stage], clock = now - clock, now

        told("prompt", 0, 1)
        said = prompt.read(self.text, made.prompt)
        against = prompt.read(self.text, made.negative_prompt) if made.negative_prompt else None
        board, notes = self.canvas(made)
        told("prompt", 1, 1)
        lap("prompt")
        latents = self.paint(
            board, [said.states], [None if against is None else against.states],
            seeds=[made.seed], steps=made.num_inference_steps,
            guidance_scale=made.guidance_scale, told=told,
        )  # fmt: skip
        lap("paint")
        frames = self.decode(latents, told=told)[0]
        lap("decode")
        if made.num_frames == 1:
            frames = frames[:1]
        elif made.image is not None:
            frames = frames[FRAMES - 1 :]  # the picture was kept as four equal frames
            notes.append(f"the picture is the first frame, so there are {len(frames)} frames")
        request_json = made.to_json() | {"num_frames": len(frames)}
        return Video(
            frames=frames,
            fps=made.fps,
            latents=latents,
            metadata={
                "request": request_json,
                "words": said.words(),
                "seconds": took,
                "notes": [*made.notes, *said.notes(self.settings.name), *notes],
            },
        )

    def canvas(self, made: Plan) -> tuple[Canvas, list[str]]:
        """The canvas of a plan, and what was done to pictures to fit it."""
        frames = max(1, made.num_frames // FRAMES)
        shape = (1, self.compressor.preset.channels, frames)
        board = canvas.blank((*shape, made.height // STRIDE, made.width // STRIDE))
        notes: list[str] = []
        if made.last_image is not None and frames == 1:
            raise RequestError("a picture has no last frame: ask for a longer video")
        for picture, at in ((made.image, 0), (made.last_image, -1)):
            if picture is not None:
                pixels, note = _fitted(picture, (made.width, made.height))
                notes += note
                board = canvas.keep(board, self.encode_still(pixels).cpu(), at=at)
        return board, notes

    def encode_still(self, pixels: np.ndarray) -> Tensor:
        """A picture (H, W, 3) uint8 as one latent, 1 C 1 h w: four equal frames."""
        video = torch.from_numpy(pixels).to(self.device).float() / 127.5 - 1
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
        _, c, t, h, w = board.shape
        noise = torch.cat(
            [torch.randn(1, c, t, h, w, generator=Generator().manual_seed(n)) for n in seeds]
        ).to(self.device)
        board = dataclasses.replace(
            board, known=board.known.to(self.device), freedom=board.freedom.to(self.device)
        )
        preset = self.dit.preset
        box = tokens.bag(board, patch=preset.patch, chunk=preset.chunk)
        pair = dataclasses.replace(
            board, known=board.known.repeat(2, 1, 1, 1, 1), freedom=board.freedom.repeat(2, 1, 1, 1, 1)
        )
        twice = tokens.bag(pair, patch=preset.patch, chunk=preset.chunk)
        read = self.dit.read([(None, torch.cat(states).to(self.device), None)], len(seeds))
        both = self.dit.read([(None, *self._branches(states, against))], 2 * len(seeds))
        context = tokens.remember(
            self.dit, board, box, context_level=s.context_level, noise=noise
        )
        velocity = guidance.joint(
            tokens.velocity(self.dit, board, box, read, context=context, noise=noise),
            tokens.velocity(
                self.dit, pair, twice, both, context=_doubled(context),
                noise=torch.cat([noise, noise]),
            ),
            scale,
        )  # fmt: skip
        state = samplers.State(x=canvas.start(board, noise), step=0, previous_v=None)
        sigmas = flow.schedule(steps, shift=s.flow_shift).to(self.device)
        told("paint", 0, steps)
        for state in samplers.SAMPLERS[s.sampler](velocity, state, sigmas, board.freedom):
            told("paint", state.step, steps)
        return state.x

    def _branches(
        self, states: list[Tensor], against: list[Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        """States and masks of the guided and the unguided branch, 2B M E and 2B M."""
        other = [torch.zeros_like(a) if b is None else b for a, b in zip(states, against, strict=True)]
        joined = torch.cat([*states, *other]).to(self.device)
        mask = torch.ones(joined.shape[:2], dtype=torch.bool, device=self.device)
        for i, b in enumerate(against):
            mask[len(states) + i] = b is not None
        return joined, mask

    @torch.inference_mode()
    def decode(self, latents: Tensor, *, ring: bool = False, told: Progress = _silent) -> np.ndarray:
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


def _fitted(picture: Any, size: tuple[int, int]) -> tuple[np.ndarray, list[str]]:
    """A picture cut to the aspect (around its middle) and scaled to a size, and a note of it."""
    pixels = picture if isinstance(picture, np.ndarray) else read_image(picture)
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels, []
    scale = max(size[0] / width, size[1] / height)
    cut = (min(width, round(size[0] / scale)), min(height, round(size[1] / scale)))
    x, y = (width - cut[0]) // 2, (height - cut[1]) // 2
    image = Image.fromarray(pixels).resize(
        size, Image.Resampling.LANCZOS, box=(x, y, x + cut[0], y + cut[1])
    )
    note = f"a picture of {width}x{height} was cut and scaled to {size[0]}x{size[1]}"
    return np.asarray(image), [note]
