"""How the background of a clip moves: plain least squares, band by band.

The world's ground is a plane, so that what lies in one row of a picture is about equally far away:
the background's motion is found for bands of rows, as a shift right and down and a spread (how
much faster at the edges), between each frame and the next. Places are in halves of the picture's
width from its middle, right and down. Lucas and Kanade's method, from coarse to fine, with weights
that fall where a pixel does not follow the rest, so that what moves by itself has no say.

Shapes: F frames, P = F - 1 pairs, B bands, h w cells of the eye's maps.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def _bands(y: Tensor, edges: Sequence[int]) -> Tensor:
    """The band of each height, -1 or B where it is in none."""
    return (
        torch.bucketize(y, torch.tensor(edges, dtype=torch.float32) / (WIDTH / 4), right=True) - 1
    )


def background(x: Tensor, sight: Sight) -> Flow:  # F 3 H W
    """The motion of all that the eye does not take for a thing."""
    count = len(EDGES) - 1
    pairs = max(len(x) - 1, 0)
    if not pairs:
        zero = torch.zeros(0, count)
        return Flow(motion=torch.zeros(0, count, 3), clear=zero, change=torch.zeros(0))
    gray = functional.avg_pool2d(x.mean(1, keepdim=True), 2)  #               F 1 h w
    free = _free(sight)
    motion = torch.zeros(pairs, count, 3)
    for factor in LEVELS:
        small = functional.avg_pool2d(gray, factor) if factor > 1 else gray
        own = functional.avg_pool2d(free, factor) if factor > 1 else free
        motion, clear, change = _solved(small, (own > 0.99).float()[:, 0], motion)
    return Flow(motion=motion, clear=clear, change=change)


def _free(sight: Sight) -> Tensor:  # P 1 h w
    """Where neither frame of a pair has a thing, or what goes with one."""
    things = (sight.thing[:, None] > 0).float()
    # Shadows and mirror images go with a thing, and are on the ground about it.
    around = functional.max_pool2d(things, SHADE, stride=1, padding=(SHADE[0] // 2, SHADE[1] // 2))
    return (1 - around[:-1]) * (1 - around[1:])


def _solved(gray: Tensor, free: Tensor, motion: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A better guess at one level; gray F 1 h w, free P h w, motion P B 3."""
    fit = Fit(gray, EDGES)
    ridge = torch.eye(3) * STEEP * fit.scale**2
    for _ in range(ROUNDS):
        left, inside = fit.left(motion)
        weight = free * inside / (1 + (left / TURN) ** 2)
        square, toward = fit.normal(weight, left)
        motion = (motion + torch.linalg.solve(square + ridge, toward)).clamp(-FASTEST, FASTEST)
    seen = torch.einsum("phw,hb->pb", free, fit.member).clamp_min(1)
    clear = torch.diagonal(square, dim1=2, dim2=3)[..., :2].sum(-1) / seen
    change = (left.abs() * free).sum((1, 2)) / free.sum((1, 2)).clamp_min(1)
    return motion, clear, change


class Fit:
    """Least squares of how bands of rows move between neighbouring frames, gray F 1 h w.

    edges: of the bands, in cells of the eye's maps from the middle. member: h B, of which band each
    row is; scale: cells of half the width.
    """

    def __init__(self, gray: Tensor, edges: Sequence[int]) -> None:
        _, _, h, w = gray.shape
        self.scale = w / 2
        kernel = torch.tensor([0.25, 0.5, 0.25])
        smooth = functional.pad(gray, (1, 1, 1, 1), mode="replicate")
        smooth = functional.conv2d(smooth, (kernel[:, None] * kernel)[None, None])
        self.before, self.after = smooth[:-1], smooth[1:]
        self.x = ((torch.arange(w) + 0.5) / self.scale - 1).expand(h, w)
        self.y = ((torch.arange(h) + 0.5 - h / 2) / self.scale)[:, None].expand(h, w)
        band, count = _bands(self.y[:, 0].contiguous(), edges), len(edges) - 1
        member = functional.one_hot(band.clamp(0, count - 1), count).float()
        self.member = member * ((band >= 0) & (band < count))[:, None]
        across, down = _slopes(self.before)
        self.basis = torch.stack([across, down, across * self.x], -1) * self.scale  # P h w 3

    def left(self, motion: Tensor) -> tuple[Tensor, Tensor]:  # P B 3
        """By how much frames differ once they are moved, and what has not left the picture, which
        says nothing: P h w each."""
        h, w = self.x.shape
        at = torch.einsum("hb,pbk->phk", self.member, motion)[:, :, None]  #  P h 1 3
        across = self.x + at[..., 0] + at[..., 2] * self.x
        there = torch.stack([across, (self.y + at[..., 1]) * w / h], -1)
        moved = functional.grid_sample(
            self.after, there, padding_mode="border", align_corners=False
        )
        return (self.before - moved)[:, 0], there.abs().amax(-1) < 1

    def normal(self, weight: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        """The normal equations of each band: P B 3 3 and P B 3."""
        square = torch.einsum("phwk,phwl,phw,hb->pbkl", self.basis, self.basis, weight, self.member)
        return square, torch.einsum("phwk,phw,phw,hb->pbk", self.basis, left, weight, self.member)


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
    across = ((torch.arange(w) + 0.5) / (w / 2) - 1).expand(h, w)
    y = (torch.arange(h) + 0.5 - h / 2) / (w / 2)
    band = _bands(y, EDGES).clamp(0, flow.motion.shape[1] - 1)
    at = flow.motion[:, band][:, :, None]  #                                  P h 1 3
    down = (y[:, None] + at[..., 1]).expand(-1, h, w) * w / h
    there = torch.stack([across + at[..., 0] + at[..., 2] * across, down], -1)
    after = functional.grid_sample(cells[1:], there, padding_mode="border", align_corners=False)
    return cells[:-1], after, _free(sight) * (there.abs().amax(-1) < 1)[:, None]
