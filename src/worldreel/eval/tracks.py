"""Where things are in a clip, how they move, and how the background does: plain geometry.

A thing is what the eye sees in one colour: two alike are one entry with a count of two. Places
are in halves of the picture's width from its middle, right and down.

Shapes: F frames, h w cells of the eye's maps (half its pixels).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from worldreel.eval.eye import WIDTH, Sight
from worldreel.eval.known import COLORS

LEAST = 9  # cells: what is smaller is no thing
OFTEN = 0.2  # of the frames: what is seen in fewer is no thing
SPECK = 0.25  # of a piece of any colour: what is less of it is no colour of its own
PIECE = 0.25  # of a thing's largest piece: what is smaller is not counted
MOMENTS = 12  # at which a track is looked at
BANDS = (-20, -14, -8, -2, 6, 20)  # rows of cells from the middle: sky, far, horizon, middle, near


@dataclass(frozen=True, kw_only=True)
class Track:
    """One thing, or two alike, frame by frame; where it is not seen it is where it last was."""

    color: str
    count: int
    area: float  # cells, on average
    place: Tensor  # F 5: x, y, and the logarithms of its width, height and area
    there: Tensor  # F, bool: where it is seen
    piece: Tensor  # F h w, bool: its largest piece


def tracks(sight: Sight) -> list[Track]:
    """The things of a clip, the largest first."""
    thing = sight.thing > 0  #  F h w
    color = _settled(thing, sight.color.argmax(1))
    found = []
    for index, name in enumerate(COLORS):
        mask = thing & (color == index)
        areas = mask.sum((1, 2))
        if (areas >= LEAST).float().mean() < OFTEN:
            continue
        pieces, mask, largest = _pieces(mask)
        areas = mask.sum((1, 2))
        there = areas >= LEAST
        if there.float().mean() < OFTEN:
            continue
        found.append(
            Track(
                color=name,
                count=int(pieces[there].float().median()),
                area=float(areas.float().mean()),
                place=_place(mask, there),
                there=there,
                piece=largest,
            )
        )
    return sorted(found, key=lambda track: -track.area)


def _place(mask: Tensor, there: Tensor) -> Tensor:  # F h w, F -> F 5
    f, h, w = mask.shape
    scale = WIDTH / 4  # cells per half of the width
    m = mask.float()
    area = m.sum((1, 2)).clamp_min(1)
    y = (torch.arange(h) + 0.5 - h / 2) / scale
    x = (torch.arange(w) + 0.5 - w / 2) / scale
    along, down = m.sum(1) / area[:, None], m.sum(2) / area[:, None]  # F w, F h
    cx, cy = along @ x, down @ y
    wide = ((along @ x**2) - cx**2).clamp_min(1e-4).sqrt()
    high = ((down @ y**2) - cy**2).clamp_min(1e-4).sqrt()
    place = torch.stack([cx, cy, wide.log(), high.log(), (area / scale**2).log()], 1)
    seen = torch.where(there, torch.arange(f), -1).cummax(0).values
    first = int(there.int().argmax())
    return place[torch.where(seen < 0, first, seen)]


def _settled(thing: Tensor, color: Tensor) -> Tensor:  # F h w, twice -> F h w
    """Colours, where a speck of another on a thing (a glint, a shaded edge) is the thing's own."""
    label = _labels(thing).flatten(1).long()
    votes = functional.one_hot(color, len(COLORS)).flatten(1, 2) * thing.flatten(1)[..., None]
    found = torch.zeros(len(label), int(label.max()) + 1, len(COLORS))
    found.scatter_add_(1, label[..., None].expand(-1, -1, len(COLORS)), votes.float())
    share = found / found.sum(2, keepdim=True).clamp_min(1)  # of each piece, its colours
    here = share.gather(1, label[..., None].expand(-1, -1, len(COLORS)))
    own = here.gather(2, color.flatten(1)[..., None])[..., 0]
    return torch.where(own < SPECK, here.argmax(2), color.flatten(1)).view_as(color)


def _labels(mask: Tensor) -> Tensor:  # F h w
    """A number for each connected piece of a mask, 0 where it is not."""
    f, h, w = mask.shape
    label = torch.arange(1, h * w + 1, dtype=torch.float32).view(1, h, w) * mask
    while True:
        spread = functional.max_pool2d(label[:, None], 3, stride=1, padding=1)[:, 0] * mask
        if torch.equal(spread, label):
            return label
        label = spread


def _pieces(mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # F h w -> F, F h w, F h w
    """How many pieces a mask has in each frame, the mask without its crumbs, and the largest."""
    f, h, w = mask.shape
    label = _labels(mask)
    sizes = torch.zeros(f, h * w + 1)
    sizes.scatter_add_(1, label.flatten(1).long(), mask.flatten(1).float())
    sizes[:, 0] = 0
    whole = sizes >= (PIECE * sizes.amax(1, keepdim=True)).clamp_min(LEAST / 2)
    place = label.flatten(1).long()
    largest = (place == sizes.argmax(1, keepdim=True)).view(f, h, w) & mask
    return whole.sum(1), whole.gather(1, place).view(f, h, w) & mask, largest


def moments(track: Track) -> Tensor:  # MOMENTS 5
    """A track at even moments from its first frame to its last."""
    last = len(track.place) - 1
    return track.place[torch.linspace(0, last, MOMENTS).round().long()]


def background(x: Tensor, sight: Sight) -> Tensor:  # F 3 H W -> bands 4
    """How the background moves over the clip, in each band of rows: right, down, and apart (how
    much faster at the edges), in halves of the width; and how plainly it shows that.

    Lucas and Kanade's least squares on each pair of frames, from coarse to fine, without what the
    eye takes for things.
    """
    if len(x) < 2:
        return torch.zeros(len(BANDS) - 1, 4)
    gray = functional.avg_pool2d(x.mean(1, keepdim=True), 2)  #                F 1 h w
    things = (sight.thing[:, None] > 0).float()
    around = functional.max_pool2d(things, 7, stride=1, padding=3)
    free = (1 - around[:-1]) * (1 - around[1:])  #                             F-1 1 h w
    coarse, _ = _flow(functional.avg_pool2d(gray, 2), functional.avg_pool2d(free, 2), None)
    fine, clear = _flow(gray, free, coarse)
    return torch.cat([fine.sum(0), clear.mean(0)[:, None]], 1)


def _flow(gray: Tensor, free: Tensor, guess: Tensor | None) -> tuple[Tensor, Tensor]:
    """Motion of each pair of frames in each band (P bands 3) and how sure it is (P bands)."""
    f, _, h, w = gray.shape
    scale = w / 2
    kernel = torch.tensor([0.25, 0.5, 0.25])
    smooth = functional.pad(gray, (1, 1, 1, 1), mode="replicate")
    smooth = functional.conv2d(smooth, (kernel[:, None] * kernel)[None, None])
    before, after = smooth[:-1], smooth[1:]
    x = ((torch.arange(w) + 0.5) / scale - 1).expand(h, w)
    y = ((torch.arange(h) + 0.5 - h / 2) / scale)[:, None].expand(h, w)
    edges = torch.tensor(BANDS) / (WIDTH / 4)
    band = torch.bucketize(y[:, 0].contiguous(), edges, right=True) - 1  #     h
    inside = functional.one_hot(band.clamp(0, len(BANDS) - 2), len(BANDS) - 1).float()
    inside = inside * ((band >= 0) & (band < len(BANDS) - 1))[:, None]  #      h bands
    padded = functional.pad(before, (1, 1, 1, 1), mode="replicate")
    slope_x = (padded[:, 0, 1:-1, 2:] - padded[:, 0, 1:-1, :-2]) / 2  #        P h w, per cell
    slope_y = (padded[:, 0, 2:, 1:-1] - padded[:, 0, :-2, 1:-1]) / 2
    basis = torch.stack([slope_x, slope_y, slope_x * x], -1) * scale  #        P h w 3
    motion = torch.zeros(f - 1, len(BANDS) - 1, 3) if guess is None else guess
    clear = torch.zeros(f - 1, len(BANDS) - 1)
    for _ in range(3):
        at = torch.einsum("hb,pbk->phk", inside, motion)[:, :, None]  #        P h 1 3
        there = torch.stack([x + at[..., 0] + at[..., 2] * x, (y + at[..., 1]) * w / h], -1)
        moved = functional.grid_sample(after, there, padding_mode="border", align_corners=False)
        left = (before - moved)[:, 0]
        # What left the picture says nothing.
        weight = free[:, 0] * (there.abs().amax(-1) < 1)
        square = torch.einsum("phwk,phwl,phw,hb->pbkl", basis, basis, weight, inside)
        toward = torch.einsum("phwk,phw,phw,hb->pbk", basis, left, weight, inside)
        ridge = torch.eye(3) * (0.02 * w * h / 100)
        motion = motion + torch.linalg.solve(square + ridge, toward)
        motion = motion.clamp(-0.3, 0.3)
        clear = (square[..., 0, 0] / (w * h)).clamp_min(1e-6).log()
    return motion, clear
