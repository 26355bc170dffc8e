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
from worldreel.offload import Way, ways

# The tests hold an estimate to this share of the truth, and glibc keeps about as much of what was
# freed, as long as tensors are below 32 MiB: as much must be to spare. CUDA's allocator keeps less.
MARGIN, MARGIN_CUDA = 0.2, 0.1


@dataclass(frozen=True, kw_only=True)
class Model:
    """What a plan must know of a model.

    experts: transformers of which one works at a time. together: guidance's branches are one batch.
    at_once: latents that are decoded together where memory is not short. by_token: it knows a level
    for each token, where others know one for a clip.
    """

    name: str
    dit: DitPreset
    vae: CompressorPreset | WanVaePreset
    text: Words
    experts: int = 1
    together: bool = False
    at_once: int = 2
    exact: bool = False
    by_token: bool = False


_UMT5 = Words(  # the numbers in its file
    params=5_680_910_336, table=256_384 * 4096, layers=24, dim=4096, mlp=10240, heads=64, tokens=512
)


def wan(model: WanModel) -> Model:
    """What a plan must know of a public model."""
    m = model
    return Model(name=m.name, dit=m.dit, vae=m.vae, text=_UMT5, experts=m.experts, at_once=3,
                 exact=True, by_token=m.pictures == "level")  # fmt: skip


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            name="marble", dit=MARBLE_DIT, vae=MARBLE_COMPRESSOR, together=True, at_once=3,
            by_token=True,
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
    passing: int = 0  # a tensor of a block that was read and is not yet in its place
    count: int = 1  # networks of this size, of which one works at a time

    def streamed(self, ahead: int) -> int:
        """Its weights where one block at a time is there, and so many that come next; or where one
        is being read (none ahead)."""
        passing = 0 if ahead else self.passing
        return self.weights - max(0, self.blocks - 1 - ahead) * self.block + passing


def peak(way: Way, text: Part, dit: Part, vae: Part) -> int:
    """What of three networks must be there at once: bytes."""
    if not way.freed:
        weights = text.weights + dit.count * dit.weights + vae.weights
        return weights + max(text.work, dit.work, vae.work)
    reading = text.work + (text.streamed(way.ahead) if way.by_layers else text.weights)
    if not way.in_turn:
        rest = dit.count * dit.weights + vae.weights + max(dit.work, vae.work)
        return max(reading, rest)
    painting = dit.work + (dit.streamed(way.ahead) if way.streamed else dit.weights)
    return max(reading, painting, vae.weights + vae.work)


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """A way to run, the most that it takes in bytes, that with a margin, and whether it fits."""

    name: str
    peak: int
    need: int
    fits: bool
    way: Way


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

    def estimate(self) -> str:
        """What the chosen way takes, in words."""
        most = min(s.peak for s in self.strategies) if self.chosen is None else self.chosen.peak
        return f"it takes at most {said(most)}, of {said(self.free)} that are free"

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
        wide = max(len(s.name) for s in self.strategies)
        lines.append(f"  {'':{wide}}{'at most':>11}")
        for s in self.strategies:
            mark = "  <- the first that fits" if s is self.chosen else "  fits" if s.fits else ""
            lines.append(f"  {s.name:{wide}}{said(s.peak):>11}{mark}")
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
    device: torch.device | None = None,
    bits8: bool = False,
    written: bool = False,
) -> Plan:
    """What painting and decoding clips of a size takes, and how to do it with `free` bytes.

    dtype: what is computed in; stored: what weights are kept in (dtype). levels: different ones
    among a clip's tokens, more than 1 where some are kept or loosened. device: where it runs, CUDA
    if it is not said. bits8: the transformer's blocks are in 8 bits. written: frames go to a file
    as they are decoded, and are not held. A RequestError where the model makes no such size.
    """
    levels = levels if model.by_token else 1
    where = torch.device("cuda") if device is None else device
    how = Numbers(
        dtype=dtype,
        stored=stored or dtype,
        guided=guided,
        levels=levels,
        rowwise=where.type == "cpu",
    )
    into = "" if where.type != "cpu" else "file" if written else "memory"  # frames come to the host
    shape = shape_of(model, frames, height, width, clips, into)

    def at(shape: Shape) -> tuple[Strategy, ...]:
        return _strategies(model, shape, how, where, bits8, free)

    found = at(shape)
    advice: tuple[str, ...] = ()
    if not any(s.fits for s in found):
        advice = tuple(_advice(model, (frames, height, width), shape, found[-1], at))
    return Plan(
        model=model.name,
        frames=frames,
        height=height,
        width=width,
        dtype=str(dtype).removeprefix("torch."),
        tokens=shape.tokens(model.dit.patch),
        free=free,
        parts=parts_of(model, shape, how, next(s.way for s in found if s.fits or s is found[-1])),
        strategies=found,
        advice=advice,
    )


def parts_of(model: Model, shape: Shape, how: Numbers, way: Way) -> tuple[Part, Part, Part]:
    """Text encoder, transformer and decoder in a way to run."""
    kept, words, at_once = how.stored.itemsize, model.text, way.at_once or model.at_once
    count, fine = footprint.params_of(model.dit), footprint.params_of(model.vae)
    weights, block = count.nbytes(how.stored, bits8=way.bits8)
    painted = replace(how, stored=torch.int8) if way.bits8 else how
    decoded = replace(how, dtype=torch.float32, stored=torch.float32) if model.exact else how
    decoder = decoded.stored.itemsize * fine.all
    # public models' table of words stays in its file
    table = words.table if model.exact else 0
    return (
        Part(
            name="text encoder",
            weights=kept * (words.params - table),
            work=footprint.reading(words, how),
            block=kept * (words.params - words.table) // words.layers,
            blocks=words.layers,
        ),
        Part(
            name="transformer",
            weights=weights,
            work=footprint.painting(model.dit, words, shape, painted, together=model.together),
            block=block,
            blocks=count.blocks,
            passing=kept * count.largest,
            count=model.experts,
        ),
        Part(
            name="decoder",
            weights=decoder,
            work=footprint.decoding(model.vae, shape, decoded, at_once, way.tile),
            block=decoder,
            blocks=1,
        ),
    )


def _strategies(
    model: Model, shape: Shape, how: Numbers, device: torch.device, bits8: bool, free: int
) -> tuple[Strategy, ...]:
    """The ways there are; one that takes as much as one before it is left out."""
    found: list[Strategy] = []
    margin = MARGIN if device.type == "cpu" else MARGIN_CUDA
    for name, way in ways(device, bits8=bits8).items():
        most = peak(way, *parts_of(model, shape, how, way))
        if not found or most < found[-1].peak:
            need = int(most * (1 + margin))
            found.append(Strategy(name=name, peak=most, need=need, fits=need <= free, way=way))
    return tuple(found)


def shape_of(
    model: Model, frames: int, height: int, width: int, clips: int = 1, into: str = "memory"
) -> Shape:
    """The latents of clips of a size; a RequestError where the model makes no such."""
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
    size = {"height": height // stride, "width": width // stride}
    return Shape(latents=latents, clips=clips, into=into, **size)


def _advice(
    model: Model,
    size: tuple[int, int, int],
    like: Shape,
    least: Strategy,
    at: Callable[[Shape], Sequence[Strategy]],
) -> Iterator[str]:
    """What would fit: fewer frames of this size, or as many of a smaller one."""

    def fits(frames: int, height: int, width: int) -> bool:
        shape = shape_of(model, frames, height, width, like.clips, like.into)
        return any(s.fits for s in at(shape))

    frames, height, width = size
    vae = model.vae
    causal = isinstance(vae, WanVaePreset)
    stride, each = (vae.stride, vae.frames) if causal else (STRIDE, FRAMES)
    fewer = [f for f in range(frames - each, 0, -each) if fits(f, height, width)]
    grid = stride * model.dit.patch
    sizes = [(h, max(grid, round(width * h / height / grid) * grid))
             for h in range(height - grid, 0, -grid)]  # fmt: skip
    smaller = next(((h, w) for h, w in sizes if fits(frames, h, w)), None)
    yield f"nothing fits: it needs {said(least.need)} free, a margin included"
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
