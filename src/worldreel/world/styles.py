"""Styles: filters over a finished render, the same world by another hand.

Each is a function of pictures alone (and of which thing a pixel shows), without memory from frame
to frame: paper grain and brush wobble are fixed to the picture, so nothing flickers. Sizes are
shares of the picture's height, so that a style looks alike at every size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from worldreel.errors import SceneError

_LUMA = (0.299, 0.587, 0.114)
_BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16 - 0.47


def apply(style: str, frames: np.ndarray, ids: np.ndarray, *, seed: int) -> np.ndarray:
    """The frames in a style. frames: (F, H, W, 3) uint8; ids: (F, H, W) owners, 0 the ground."""
    if style not in STYLES:
        raise SceneError(f"unknown style {style!r}: one of {', '.join(STYLES)}")
    if style == "render":
        return frames
    x = torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous().float() / 255
    out = STYLES[style](x, torch.from_numpy(np.ascontiguousarray(ids)), seed)
    return (out.clamp(0, 1) * 255 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def _black_and_white(x: Tensor, ids: Tensor, seed: int) -> Tensor:
    """Silver: luminance on a film's curve, exposed so that a night keeps its shapes."""
    grey = torch.einsum("fchw,c->fhw", x, torch.tensor(_LUMA))
    grey = grey * (1.45 - 0.45 * grey)
    grey = grey * grey * (3 - 2 * grey) * 0.5 + grey * 0.5
    return grey[:, None].expand(-1, 3, -1, -1)


def _pixel_art(x: Tensor, ids: Tensor, seed: int) -> Tensor:
    """Large pixels of few colours, in between by ordered dither."""
    height, width = x.shape[-2:]
    block = max(2, round(height / 64))
    rows, columns = -(-height // block), -(-width // block)
    small = F.interpolate(x, size=(rows, columns), mode="area")
    mean = small.mean(1, keepdim=True)
    vivid = (mean + (small - mean) * 1.35).clamp(0, 1)
    vivid = vivid * (1.3 - 0.3 * vivid)  # the darkest of few levels would swallow a night
    pattern = torch.from_numpy(np.tile(_BAYER, (-(-rows // 4), -(-columns // 4)))[:rows, :columns])
    levels = 7
    few = torch.round(vivid * (levels - 1) + 0.16 * pattern.float()) / (levels - 1)
    grown = few.repeat_interleave(block, -2).repeat_interleave(block, -1)
    return grown[..., :height, :width]


def _watercolour(x: Tensor, ids: Tensor, seed: int) -> Tensor:
    """Washes with wobbling borders, dark where pigment gathers, on grainy paper."""
    height, width = x.shape[-2:]
    wobble = torch.stack([_paper(height, width, seed + k, 0.09) for k in (1, 2)], -1) * 0.010
    v, u = torch.meshgrid(_ends(height), _ends(width), indexing="ij")
    grid = torch.stack([u, v], -1) + wobble * torch.tensor([height / width, 1.0])
    x = F.grid_sample(
        x, grid.expand(len(x), -1, -1, -1), padding_mode="border", align_corners=False
    )
    wash = _kuwahara(x, max(1, round(height / 72)))
    wash = wash * (1.5 - 0.5 * wash)  # paper shines through: no wash is as dark as a night
    edge = (wash - _blur(wash, max(1, round(height / 36)))).mean(1, keepdim=True)
    paper = _paper(height, width, seed, 0.012) * 0.6 + _paper(height, width, seed + 3, 0.12)
    pale = 0.16 + 0.84 * wash
    pale = pale + 1.2 * edge.clamp(max=0) + 0.055 * paper
    sides = torch.minimum(_rim(height)[:, None], _rim(width)[None] * width / height)
    ragged = ((sides - 0.01 + 0.007 * _paper(height, width, seed + 5, 0.07)) / 0.03).clamp(0, 1)
    return 0.97 - (0.97 - pale) * ragged


def _paper_craft(x: Tensor, ids: Tensor, seed: int) -> Tensor:
    """Sheets cut out and laid over each other: flat tones, a white rim, a shadow below each."""
    height, width = x.shape[-2:]
    flat = _kuwahara(x, max(1, round(height / 72)))
    value = flat.amax(1, keepdim=True)
    levels = 5
    step = torch.round(value * levels) / levels
    toned = flat * (step / value.clamp(min=1e-3)).clamp(0.5, 1.6)
    toned = 0.10 + 0.88 * toned
    # Sheets end where tones jump or a thing does.
    jump = (step - _shifted(step, 1, 1)).abs() > 0.5 / levels
    rim = jump.float() * 0.10
    fall = max(1, round(height / 48))
    thing = (ids > 0)[:, None].float()
    grown = F.max_pool2d(thing, 2 * max(1, height // 100) + 1, 1, max(1, height // 100))
    shadow = _blur(_shifted(grown, fall, fall), fall) * (1 - grown)
    step_shadow = _blur((_shifted(step, fall, fall) > step + 0.1).float(), 1)
    out = toned * (1 - 0.38 * shadow - 0.16 * step_shadow * (1 - grown)) + rim
    border = grown - thing
    out = out * (1 - border) + 0.97 * border
    fibre = _paper(height, width, seed, 0.010) + 0.7 * _paper(height, width, seed + 1, 0.045)
    return out * (1 + 0.045 * fibre)


STYLES: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {
    "render": lambda x, ids, seed: x,
    "paper craft": _paper_craft,
    "black and white": _black_and_white,
    "pixel art": _pixel_art,
    "watercolour": _watercolour,
}


def _ends(n: int) -> Tensor:
    return (torch.arange(n) + 0.5) * (2 / n) - 1


def _rim(n: int) -> Tensor:
    """How far from the nearer border, as a share of the side."""
    place = (torch.arange(n) + 0.5) / n
    return torch.minimum(place, 1 - place)


def _paper(height: int, width: int, seed: int, size: float) -> Tensor:
    """Smooth noise of deviation about 1, (H, W); size: of its grain, as a share of the height."""
    cell = max(1.0, size * height)
    rows, columns = int(height / cell) + 3, int(width / cell) + 3
    coarse = np.random.default_rng([seed % 2**63, 0x9A9E]).standard_normal((rows, columns))
    grain = torch.from_numpy(coarse).float()[None, None]
    if cell > 1:
        large = round((rows - 1) * cell) + 1, round((columns - 1) * cell) + 1
        grain = F.interpolate(grain, size=large, mode="bicubic", align_corners=True)
    return grain[0, 0, :height, :width]


def _blur(x: Tensor, radius: int) -> Tensor:
    return _box(F.pad(x, (radius,) * 4, mode="replicate"), 2 * radius + 1)


def _box(x: Tensor, size: int) -> Tensor:
    """The mean of every square of this size, (..., H, W) to (..., H - size + 1, W - size + 1).

    Whole planes are added up, first along the rows: a pooling layer takes ten times as long.
    """
    for axis in (-1, -2):
        kept = x.shape[axis] - size + 1
        total = x.narrow(axis, 0, kept).clone()
        for start in range(1, size):
            total += x.narrow(axis, start, kept)
        x = total
    return x.div_(size * size)


def _shifted(x: Tensor, down: int, right: int) -> Tensor:
    """Moved down and to the right, the border repeated."""
    return F.pad(x, (right, 0, down, 0), mode="replicate")[..., : x.shape[-2], : x.shape[-1]]


def _kuwahara(x: Tensor, radius: int) -> Tensor:
    """Smoothed, with borders kept: of four squares round a pixel the calmest one's mean."""
    size = radius + 1
    padded = F.pad(x, (radius,) * 4, mode="replicate")
    mean, square = _box(padded, size), _box(padded * padded, size)
    unrest = (square - mean * mean).sum(1, keepdim=True)
    height, width = x.shape[-2:]
    best, least = None, None
    for row, column in ((0, 0), (0, radius), (radius, 0), (radius, radius)):
        here = slice(row, row + height), slice(column, column + width)
        own, calm = mean[..., *here], unrest[..., *here]
        if best is None or least is None:
            best, least = own, calm
            continue
        best = torch.where(calm < least, own, best)
        least = torch.minimum(calm, least)
    assert best is not None
    return best
