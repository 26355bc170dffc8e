"""How frames suffer between a render and a ruler, drawn at random: what a compressor leaves of
them, and frames that show nothing at all. No model's output is the pattern of any of it.

Shapes: N 3 H W pixels in -1..1.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

BLOCKS = (8, 16, 16, 16, 28)  # pixels of a compressor's patch, at the eye's width
LEAST = 0.1  # of a patch's frequencies, along and down together: what is kept at worst
TOGETHER = 4  # frames that a compressor holds as one
MIXED = 0.7  # of a frame: the most that is the mean of those that are held with it
SEAM = 0.02  # the standard deviation of a patch's own error in each colour
CELLS = (1, 2, 4, 8, 16, 32)  # pixels of noise's grains


def _each(rng: np.random.Generator, n: int, low: float, high: float, colors: int = 1) -> Tensor:
    """A number for each frame, or for each of its colours: N colours 1 1."""
    return torch.from_numpy(rng.uniform(low, high, (n, colors, 1, 1)).astype(np.float32))


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(rng.normal(size=shape).astype(np.float32))


def worn(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Frames as a compressor might give them back; a part of them stays sharp."""
    x = x.clone()
    n = len(x)
    parts = np.array_split(rng.permutation(n), 6)
    for part in parts[3:]:
        x[part] = _soft(x[part], float(rng.uniform(1.2, 2.5)))
    for part in parts[2:5]:
        x[part] = patched(x[part], int(rng.choice(BLOCKS)), rng)
    for part in parts[4:]:
        x[part] = sharpened(x[part], _each(rng, len(part), 0, 1.2))
    gain = _each(rng, n, 0.9, 1.1) * _each(rng, n, 0.96, 1.04, 3)
    bias = _each(rng, n, -0.06, 0.06) + _each(rng, n, -0.03, 0.03, 3)
    grain = _each(rng, n, 0, 0.3) ** 2 * _noise(rng, tuple(x.shape))
    return (x * gain + bias + grain).clamp(-1, 1)


def softened(x: Tensor, rng: np.random.Generator) -> Tensor:
    """A clip's frames, all as soft as each other, with patches that are off one by one; in half of
    the clips what moves is smeared over a few frames."""
    soft = _soft(x, float(rng.uniform(1, 2.5)))
    if rng.random() < 0.5:
        soft = torch.cat([smeared(part, rng) for part in soft.split(TOGETHER)])
    return patched(soft, int(rng.choice(BLOCKS)), rng, alike=True).clamp(-1, 1)


def smeared(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Neighbouring frames, each mixed with their mean: what moves leaves its other places."""
    return x.lerp(x.mean(0, keepdim=True), float(rng.uniform(0.1, MIXED)))


def _soft(x: Tensor, factor: float) -> Tensor:
    """Frames drawn smaller by a factor, and large again."""
    size = list(x.shape[2:])
    small = [max(8, round(side / factor)) for side in size]
    soft = functional.interpolate(x, size=small, mode="bilinear", antialias=True)
    return functional.interpolate(soft, size=size, mode="bilinear")


def sharpened(x: Tensor, much: Tensor) -> Tensor:  # N 3 H W, N 1 1 1
    """Edges with a rim of the opposite on each side, as too few frequencies leave them."""
    return x + much * (x - functional.avg_pool2d(x, 5, 1, 2, count_include_pad=False))


def patched(x: Tensor, block: int, rng: np.random.Generator, *, alike: bool = False) -> Tensor:
    """Patches that keep their low frequencies alone (by a cosine transform, as JPEG's), each a
    little off in colour: they ring, and their seams show. alike: as many of them in each frame."""
    n, _, h, w = x.shape
    padded = functional.pad(x, (0, -w % block, 0, -h % block), mode="replicate")
    rows, columns = padded.shape[2] // block, padded.shape[3] // block
    tiles = padded.unflatten(3, (columns, block)).unflatten(2, (rows, block))  # N 3 r b c b
    along = torch.arange(block).float()
    basis = torch.cos(math.pi / block * (along + 0.5) * along[:, None]) * math.sqrt(2 / block)
    basis[0] /= math.sqrt(2)
    waves = torch.einsum("ui,vj,ncrisj->ncrusv", basis, basis, tiles)
    kept = _each(rng, 1 if alike else n, LEAST, 1)[..., None, None] * 2 * block
    low = (along[:, None, None] + along < kept).float()  #                     N 1 1 b 1 b
    made = torch.einsum("ui,vj,ncrusv->ncrisj", basis, basis, waves * low)
    made = (
        made
        + SEAM * _noise(rng, (n, 3, rows, 1, columns, 1)) * _each(rng, n, 0, 1)[..., None, None]
    )
    share = _each(rng, 1 if alike else n, 0.3, 1)
    return x + share * (made.flatten(4).flatten(2, 3)[:, :, :h, :w] - x)


def nothing(x: Tensor, rng: np.random.Generator) -> Tensor:  # 3 H W
    """A frame with nothing to be read: noise of any grain, one colour, or this very frame in
    rubble that is too small to show a thing."""
    rows, columns = x.shape[1:]
    fill = torch.from_numpy(rng.uniform(-1, 1, (3, 1, 1)).astype(np.float32))
    style = rng.integers(6)
    if style == 0:  # one colour, the ends of the scale more often than not
        return (fill if rng.random() < 0.5 else torch.tensor(float(rng.choice((-1, 1))))).expand_as(
            x
        )
    if style == 1:
        tiles = functional.unfold(x[None], 4, stride=4)
        tiles = tiles[:, :, rng.permutation(tiles.shape[2])]
        return functional.fold(tiles, (rows, columns), 4, stride=4)[0]
    cell = int(rng.choice(CELLS))
    colors = 3 if rng.random() < 0.75 else 1
    rough = _noise(rng, (1, colors, -(-rows // cell), -(-columns // cell)))
    mode = "nearest" if rng.random() < 0.6 else "bilinear"
    rough = functional.interpolate(rough, scale_factor=cell, mode=mode)[0, :, :rows, :columns]
    fill = fill if rng.random() < 0.5 else fill.mean() * 0.3  # about grey
    return (fill + rough * float(rng.uniform(0.05, 1.2))).expand_as(x).clamp(-1, 1)
