"""The memory plan: what a run will need, and the first way to run it that fits what is free.

    wanted = plan(MODELS["marble"], frames=48, height=144, width=256, dtype=torch.float32,
                  free=free_bytes(torch.device("cpu")))
    print(wanted.table())

`plan` is a function of its arguments alone; what networks take is counted in `models.footprint`.
It chooses, and does nothing: `offload` is what the engine does it with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from worldreel.errors import RequestError
from worldreel.models import footprint, wan_models
from worldreel.models.compressor import FRAMES, STRIDE
from worldreel.models.footprint import Numbers, Shape, Words
from worldreel.models.presets import (
    MARBLE_COMPRESSOR,
    MARBLE_DIT,
    CompressorPreset,
    DitPreset,
    WanVaePreset,
)
from worldreel.models.wan_models import WanModel

# The tests hold an estimate to this share of the truth, and glibc keeps about as much of what was
# freed, as long as tensors are below 32 MiB: as much must be to spare.
MARGIN = 0.2


@dataclass(frozen=True, kw_only=True)
class Model:
    """What a plan must know of a model.

    experts: transformers of which one works at a time. together: guidance's branches are one batch.
    at_once: latents that are decoded together where memory is not short.
    """

    name: str
    dit: DitPreset
    vae: CompressorPreset | WanVaePreset
    text: Words
    experts: int = 1
    together: bool = False
    at_once: int = 2


_UMT5 = Words(  # the numbers in its file
    params=5_680_910_336, table=256_384 * 4096, layers=24, dim=4096, mlp=10240, heads=64, tokens=512
)


def wan(model: WanModel) -> Model:
    """What a plan must know of a public model."""
    m = model
    return Model(name=m.name, dit=m.dit, vae=m.vae, text=_UMT5, experts=m.experts, at_once=3)


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            name="marble", dit=MARBLE_DIT, vae=MARBLE_COMPRESSOR, together=True, at_once=3,
            text=Words(params=1_749_963, table=1701 * 192, layers=3, dim=192, mlp=768, heads=3,
                       tokens=32),
        ),
        *map(wan, wan_models.MODELS),
    )
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Part:
    """A network: bytes of its weights, of one block of them, and at work."""

    name: str
    weights: int
    work: int
    block: int
    blocks: int
    aside: int = 0  # of its weights, those that are looked up and may stay in main memory
    count: int = 1  # networks of this size, of which one works at a time

    @property
    def streamed(self) -> int:
        """Its weights where two blocks are there at a time: the one at work and the next."""
        return self.weights - self.aside - max(0, self.blocks - 2) * self.block


@dataclass(frozen=True, kw_only=True)
class Way:
    """How to run: what of three networks must be there at once. A way also does what those before
    it do. latents: decoded at a time. bits8: weights are kept in 8 bits."""

    peak: Callable[[Part, Part, Part], int]
    latents: int | None = None
    bits8: bool = False


def _resident(text: Part, dit: Part, vae: Part) -> int:
    work = max(text.work, dit.work, vae.work)
    return text.weights + dit.count * dit.weights + vae.weights + work


def _freed(text: Part, dit: Part, vae: Part) -> int:
    rest = dit.count * dit.weights + vae.weights + max(dit.work, vae.work)
    return max(text.weights + text.work, rest)


def _in_turn(*parts: Part) -> int:
    return max(part.weights + part.work for part in parts)


def _streamed(*parts: Part) -> int:
    return max(part.streamed + part.work for part in parts)


# The first that fits is taken: each costs more time than those before it. Decoding a latent at a
# time costs little, streaming costs a transfer of all weights a step, 8 bits change the frames.
WAYS: dict[str, Way] = {
    "all resident": Way(peak=_resident),
    "text encoder freed after use": Way(peak=_freed),
    "one network at a time": Way(peak=_in_turn),
    "decoded latent by latent": Way(peak=_in_turn, latents=1),
    "blocks streamed": Way(peak=_streamed, latents=1),
    "weights in 8 bits": Way(peak=_streamed, latents=1, bits8=True),
}


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """A way to run, the most that it needs in bytes, and whether that fits with a margin."""

    name: str
    peak: int
    fits: bool


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run needs, every way to run it in the order of preference, and the one to take."""

    model: str
    frames: int
    height: int
    width: int
    dtype: str
    tokens: int
    free: int
    parts: tuple[Part, ...]
    strategies: tuple[Strategy, ...]
    advice: tuple[str, ...] = ()  # where nothing fits: what would

    @property
    def chosen(self) -> Strategy | None:
        """The first strategy that fits, or None."""
        return next((s for s in self.strategies if s.fits), None)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"chosen": None if self.chosen is None else self.chosen.name}

    def table(self) -> str:
        """The plan for a person to read."""
        size = f"{self.width}x{self.height}, {self.frames} frames"
        lines = [
            f"{self.model}, {size}, {self.dtype}: {self.tokens:,} tokens, {said(self.free)} free",
            f"{'':32}{'weights':>11}{'at work':>11}",
        ]
        for part in self.parts:
            name = part.name if part.count == 1 else f"{part.name}, {part.count} of them"
            weights = part.count * part.weights
            lines.append(f"  {name:30}{said(weights):>11}{said(part.work):>11}")
        lines.append(f"{'':43}{'at most':>11}")
        for s in self.strategies:
            mark = "  <- the first that fits" if s is self.chosen else "  fits" if s.fits else ""
            lines.append(f"  {s.name:41}{said(s.peak):>11}{mark}")
        return "\n".join([*lines, *self.advice])


def said(count: int) -> str:
    """Bytes for a person."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def plan(
    model: Model,
    *,
    frames: int,
    height: int,
    width: int,
    dtype: torch.dtype,
    free: int,
    stored: torch.dtype | None = None,
    clips: int = 1,
    guided: bool = True,
    levels: int = 1,
    ways: Sequence[str] = tuple(WAYS),
) -> Plan:
    """What painting and decoding clips of a size takes, and how to do it with `free` bytes.

    dtype: what is computed in; stored: what weights are kept in (dtype). levels: different ones
    among a clip's tokens, more than 1 where some are kept or loosened. ways: those that the caller
    can do. A RequestError where the model makes no such size.
    """
    if unknown := [name for name in ways if name not in WAYS]:
        raise RequestError(f"unknown strategy {unknown[0]!r}: one of {', '.join(WAYS)}")
    how = Numbers(dtype=dtype, stored=stored or dtype, guided=guided, levels=levels)
    shape = _shape(model, frames, height, width, clips)
    found = _strategies(model, shape, how, ways, free)
    advice: tuple[str, ...] = ()
    if not any(s.fits for s in found):
        advice = tuple(_advice(model, (frames, height, width), clips, how, ways, free))
    return Plan(
        model=model.name,
        frames=frames,
        height=height,
        width=width,
        dtype=str(dtype).removeprefix("torch."),
        tokens=shape.tokens(model.dit.patch),
        free=free,
        parts=parts_of(model, shape, how),
        strategies=found,
        advice=advice,
    )


def parts_of(
    model: Model, shape: Shape, how: Numbers, at_once: int | None = None
) -> tuple[Part, Part, Part]:
    """Text encoder, transformer and decoder; so many latents are decoded at a time."""
    kept, words = how.stored.itemsize, model.text
    params, block = footprint.params_of(model.dit)
    vae = model.vae
    decoder = kept * footprint.params_of(vae)[0]
    return (
        Part(
            name="text encoder",
            weights=kept * words.params,
            work=footprint.reading(words, how),
            block=kept * (words.params - words.table) // words.layers,
            blocks=words.layers,
            aside=kept * words.table,
        ),
        Part(
            name="transformer",
            weights=kept * params,
            work=footprint.painting(model.dit, words, shape, how, together=model.together),
            block=kept * block,
            blocks=model.dit.layers,
            count=model.experts,
        ),
        Part(
            name="decoder",
            weights=decoder,
            work=footprint.decoding(vae, shape, how, at_once or model.at_once),
            block=decoder,
            blocks=1,
        ),
    )


def _strategies(
    model: Model, shape: Shape, how: Numbers, ways: Sequence[str], free: int
) -> tuple[Strategy, ...]:
    found = []
    for name in ways:
        way = WAYS[name]
        numbers = replace(how, stored=torch.int8) if way.bits8 else how
        peak = way.peak(*parts_of(model, shape, numbers, way.latents))
        found.append(Strategy(name=name, peak=peak, fits=peak * (1 + MARGIN) <= free))
    return tuple(found)


def _shape(model: Model, frames: int, height: int, width: int, clips: int) -> Shape:
    vae = model.vae
    causal = isinstance(vae, WanVaePreset)
    stride, each = (vae.stride, vae.frames) if causal else (STRIDE, FRAMES)
    grid, alone = stride * model.dit.patch, 1 if causal else 0
    if height < grid or width < grid or height % grid or width % grid or clips < 1:
        raise RequestError(f"{width}x{height}: {model.name}'s sides are multiples of {grid}")
    if frames < max(1, alone) or (frames - alone) % each:
        count = f"1 more than a multiple of {each}" if alone else f"a multiple of {each}"
        raise RequestError(f"{frames} frames: {model.name} makes {count}")
    latents = alone + (frames - alone) // each
    return Shape(latents=latents, height=height // stride, width=width // stride, clips=clips)


def _advice(
    model: Model,
    size: tuple[int, int, int],
    clips: int,
    how: Numbers,
    ways: Sequence[str],
    free: int,
) -> Iterator[str]:
    """What would fit: fewer frames of this size, or as many of a smaller one."""

    def fits(frames: int, height: int, width: int) -> bool:
        shape = _shape(model, frames, height, width, clips)
        return any(s.fits for s in _strategies(model, shape, how, ways, free))

    frames, height, width = size
    vae = model.vae
    causal = isinstance(vae, WanVaePreset)
    stride, each = (vae.stride, vae.frames) if causal else (STRIDE, FRAMES)
    fewer = [f for f in range(frames - each, 0, -each) if fits(f, height, width)]
    grid = stride * model.dit.patch
    sizes = [(h, max(grid, round(width * h / height / grid) * grid))
             for h in range(height - grid, 0, -grid)]  # fmt: skip
    smaller = next(((h, w) for h, w in sizes if fits(frames, h, w)), None)
    least = min(s.peak for s in _strategies(model, _shape(model, *size, clips), how, ways, free))
    yield f"nothing fits: it needs {said(int(least * (1 + MARGIN)))} free, a margin included"
    if fewer:
        yield f"{fewer[0]} frames of {width}x{height} would fit"
    if smaller:
        yield f"{frames} frames of {smaller[1]}x{smaller[0]} would fit"
    if not fewer and not smaller:
        yield f"no clip of {model.name} fits: use a machine with more memory, or a smaller model"


def free_bytes(device: torch.device) -> int:
    """Memory that a process could still take on a device; on Linux within its control group."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    room = []
    told = _text("/proc/meminfo").split()
    if "MemAvailable:" in told:
        room.append(int(told[told.index("MemAvailable:") + 1]) * 1024)
    most, used = _text("/sys/fs/cgroup/memory.max"), _text("/sys/fs/cgroup/memory.current")
    if most.strip().isdigit() and used.strip().isdigit():
        room.append(int(most) - int(used))
    if not room:  # not Linux: all there is, of which others have their share
        room.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return max(0, min(room))


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
