"""How the background of a clip moves: plain least squares, band by band.

The world's ground is a plane, so that what lies in one row of a picture is about equally far away:
the background's motion is found for bands of rows, as a shift right and down and a spread (how
much faster at the edges), between each frame and the next. Places are in halves of the picture's
width from its middle, right and down. Lucas and Kanade's method, from coarse to fine, with weights
that fall where a pixel does not follow the rest, so that what moves by itself has no say.

Shapes: F frames, P = F - 1 pairs, B bands, h w cells of the eye's maps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from worldreel.eval.eye import WIDTH, Sight

EDGES = (-20, -14, -8, -2, 6, 20)  # rows of cells from the middle: sky, far, horizon, middle, near
LEVELS = (4, 2, 1)  # how much smaller than the eye's maps
ROUNDS = 4  # of least squares at each level
TURN = 0.06  # of the scale -1..1: a pixel that differs by so much has half a say
STEEP = 0.004  # of a slope per cell, squared: what is flatter says little
SHADE = (9, 17)  # cells, down and across: what is so near to a thing is left out
QUIET = 0.0005  # of half the width per frame: a background that goes slower stands
FASTEST = 0.3  # of half the width from one frame to the next


@dataclass(frozen=True, kw_only=True, eq=False)
class Flow:
    """motion: P B 3, right, down, apart; clear: P B, the texture that it was read from, the mean
    square slope per half width; change: P, how much the background differs once it is moved."""

    motion: Tensor
    clear: Tensor
    change: Tensor

    @property
    def stands(self) -> bool:
        """Whether the camera does: what is far away goes nowhere."""
        if not len(self.motion):
            return True
        # The near ground has shadows; of the others one may have what moves, or no texture.
        usual = self.motion.median(0).values.abs().amax(1)[:-1]
        return bool(usual.sort().values[-2] < QUIET)

    def at(self, y: Tensor, x: Tensor) -> Tensor:
        """How the background goes at places in each pair (P), right and down: P 2."""
        if self.stands:
            return torch.zeros(len(y), 2)
        edges = torch.tensor(EDGES, dtype=torch.float32) / (WIDTH / 4)
        middle = (edges[:-1] + edges[1:]) / 2
        place = y.clamp(float(middle[0]), float(middle[-1]))
        above = (torch.bucketize(place.contiguous(), middle, right=True) - 1).clamp(
            0, len(middle) - 2
        )
        share = ((place - middle[above]) / (middle[above + 1] - middle[above]))[:, None]
        pair = torch.arange(len(place))
        here = self.motion[pair, above] * (1 - share) + self.motion[pair, above + 1] * share
        return torch.stack([here[:, 0] + here[:, 2] * x, here[:, 1]], 1)


def _bands(y: Tensor) -> Tensor:
    """The band of each height, -1 or B where it is in none."""
    edges = torch.tensor(EDGES, dtype=torch.float32) / (WIDTH / 4)
    return torch.bucketize(y, edges, right=True) - 1


def background(x: Tensor, sight: Sight) -> Flow:  # F 3 H W
    """The motion of all that the eye does not take for a thing."""
    count = len(EDGES) - 1
    pairs = max(len(x) - 1, 0)
    if not pairs:
        zero = torch.zeros(0, count)
        return Flow(motion=torch.zeros(0, count, 3), clear=zero, change=torch.zeros(0))
    gray = functional.avg_pool2d(x.mean(1, keepdim=True), 2)  #               F 1 h w
    things = (sight.thing[:, None] > 0).float()
    # Shadows and mirror images go with a thing, and are on the ground about it.
    around = functional.max_pool2d(things, SHADE, stride=1, padding=(SHADE[0] // 2, SHADE[1] // 2))
    free = (1 - around[:-1]) * (1 - around[1:])  #                            P 1 h w
    motion = torch.zeros(pairs, count, 3)
    for factor in LEVELS:
        small = functional.avg_pool2d(gray, factor) if factor > 1 else gray
        own = functional.avg_pool2d(free, factor) if factor > 1 else free
        motion, clear, change = _solved(small, (own > 0.99).float()[:, 0], motion)
    return Flow(motion=motion, clear=clear, change=change)


def _solved(gray: Tensor, free: Tensor, motion: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A better guess at one level; gray F 1 h w, free P h w, motion P B 3."""
    _, _, h, w = gray.shape
    scale = w / 2
    kernel = torch.tensor([0.25, 0.5, 0.25])
    smooth = functional.pad(gray, (1, 1, 1, 1), mode="replicate")
    smooth = functional.conv2d(smooth, (kernel[:, None] * kernel)[None, None])
    before, after = smooth[:-1], smooth[1:]
    x = ((torch.arange(w) + 0.5) / scale - 1).expand(h, w)
    y = ((torch.arange(h) + 0.5 - h / 2) / scale)[:, None].expand(h, w)
    band = _bands(y[:, 0].contiguous())
    inside = functional.one_hot(band.clamp(0, motion.shape[1] - 1), motion.shape[1]).float()
    inside = inside * ((band >= 0) & (band < motion.shape[1]))[:, None]  #    h B
    slope_x, slope_y = _slopes(before)
    basis = torch.stack([slope_x, slope_y, slope_x * x], -1) * scale  #       P h w 3
    ridge = torch.eye(3) * STEEP * scale**2
    for _ in range(ROUNDS):
        at = torch.einsum("hb,pbk->phk", inside, motion)[:, :, None]  #       P h 1 3
        there = torch.stack([x + at[..., 0] + at[..., 2] * x, (y + at[..., 1]) * w / h], -1)
        moved = functional.grid_sample(after, there, padding_mode="border", align_corners=False)
        left = (before - moved)[:, 0]
        # What left the picture says nothing.
        weight = free * (there.abs().amax(-1) < 1) / (1 + (left / TURN) ** 2)
        square = torch.einsum("phwk,phwl,phw,hb->pbkl", basis, basis, weight, inside)
        toward = torch.einsum("phwk,phw,phw,hb->pbk", basis, left, weight, inside)
        motion = (motion + torch.linalg.solve(square + ridge, toward)).clamp(-FASTEST, FASTEST)
    seen = torch.einsum("phw,hb->pb", free, inside).clamp_min(1)
    clear = torch.diagonal(square, dim1=2, dim2=3)[..., :2].sum(-1) / seen
    change = (left.abs() * free).sum((1, 2)) / free.sum((1, 2)).clamp_min(1)
    return motion, clear, change


def _slopes(gray: Tensor) -> tuple[Tensor, Tensor]:  # P 1 h w -> P h w, per cell, twice
    padded = functional.pad(gray, (1, 1, 1, 1), mode="replicate")
    across = (padded[:, 0, 1:-1, 2:] - padded[:, 0, 1:-1, :-2]) / 2
    down = (padded[:, 0, 2:, 1:-1] - padded[:, 0, :-2, 1:-1]) / 2
    return across, down


def aligned(x: Tensor, sight: Sight, flow: Flow) -> tuple[Tensor, Tensor, Tensor]:
    """The background of each pair of frames laid over each other: before and after (P 3 h w) and
    their weight (P 1 h w), 0 at things and where one of them has left the picture."""
    cells = functional.avg_pool2d(x, 2)
    _, _, h, w = cells.shape
    things = (sight.thing[:, None] > 0).float()
    around = functional.max_pool2d(things, SHADE, stride=1, padding=(SHADE[0] // 2, SHADE[1] // 2))
    across = ((torch.arange(w) + 0.5) / (w / 2) - 1).expand(h, w)
    y = (torch.arange(h) + 0.5 - h / 2) / (w / 2)
    band = _bands(y).clamp(0, flow.motion.shape[1] - 1)
    at = flow.motion[:, band][:, :, None]  #                                  P h 1 3
    down = (y[:, None] + at[..., 1]).expand(-1, h, w) * w / h
    there = torch.stack([across + at[..., 0] + at[..., 2] * across, down], -1)
    after = functional.grid_sample(cells[1:], there, padding_mode="border", align_corners=False)
    free = (1 - around[:-1]) * (1 - around[1:])
    return cells[:-1], after, free * (there.abs().amax(-1) < 1)[:, None]
