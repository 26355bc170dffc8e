"""Where things are in a clip, how they move, and how the background does: plain geometry.

A thing is what the eye sees in one colour: those alike are one entry with their count. Places are
in halves of the picture's width from its middle, right and down.

Shapes: F frames, h w cells of the eye's maps (half its pixels).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from worldreel.eval.eye import REACH, SURE, WIDTH, Sight
from worldreel.eval.flow import EDGES, Fit
from worldreel.eval.known import COLORS, KINDS

LEAST = 9  # cells: what is smaller is no thing
OFTEN = 0.48  # of the frames: what is seen in fewer is no thing
SPECK = 0.5  # of a piece of any colour: what is less of it is no colour of its own
SLIM, FILLS = 5, 0.6  # cells across, and of its box: unless it is as broad and fills as much
PIECE = 0.25  # of a thing's largest piece: what is smaller is not counted
_NEAR = 7  # cells: middles that are nearer are one
_ONE = 0.35  # of the sides of two things as squares, added: middles that are nearer are one
_VOTES = 4  # cells that point to a middle, at least
MOMENTS = 12  # at which a track is looked at
SPANS = 3  # of a clip, in each of which the background's way is told: what turns goes back


@dataclass(frozen=True, kw_only=True)
class Track:
    """One thing, or several alike, frame by frame; where it is not seen it is where it last was."""

    color: str | None  # None in a picture without colours
    kinds: Tensor  # kinds: how much the eye takes it for each, logarithms of shares
    count: int
    area: float  # cells, on average
    place: Tensor  # F 5: x, y, and the logarithms of its width, height and area
    there: Tensor  # F, bool: where it is seen
    piece: Tensor  # F h w, bool: its largest piece


def tracks(sight: Sight, *, colored: bool = True) -> list[Track]:
    """The things of a clip, the largest first: told apart by colour, or else by kind."""
    thing = sight.thing > SURE  #  F h w
    if not thing.any():
        return []
    size = thing.shape[1:]
    kinds = functional.interpolate(sight.kind, size, mode="bilinear").log_softmax(1)
    names = COLORS if colored else KINDS
    piece = _pieces(thing, sight.middle)
    own = _settled(piece, (sight.color if colored else kinds).argmax(1), len(names))
    found = []
    for index, name in enumerate(names):
        mask = thing & (own == index)
        areas = mask.sum((1, 2))
        if (areas >= LEAST).float().mean() < OFTEN:
            continue
        pieces, mask, largest = _counted(mask, piece)
        areas = mask.sum((1, 2))
        there = areas >= LEAST
        if there.float().mean() < OFTEN:
            continue
        inside = largest[:, None].float()
        found.append(
            Track(
                color=name if colored else None,
                kinds=(kinds * inside).sum((0, 2, 3)) / inside.sum(),
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


def _pieces(thing: Tensor, middle: Tensor) -> Tensor:  # F h w, F 2 h w -> F h w
    """Which thing each cell is of, by the middle that it points to: 1, 2 and so on, 0 for none.

    Where many cells point there is a thing, so two that overlap stay two, and a row of dominoes
    one (a generalized Hough transform; Ballard, Pattern Recognition 13, 1981).
    """
    _, h, w = thing.shape
    labels = torch.zeros(thing.shape, dtype=torch.long)
    for f in thing.flatten(1).any(1).nonzero()[:, 0].tolist():
        rows, columns = thing[f].nonzero(as_tuple=True)
        x = (columns + middle[f, 0, rows, columns] * REACH).clamp(0, w - 1)
        y = (rows + middle[f, 1, rows, columns] * REACH).clamp(0, h - 1)
        votes = torch.zeros(h * w)
        votes.index_add_(0, y.round().long() * w + x.round().long(), torch.ones_like(x))
        heat = votes.view(1, 1, h, w)
        for _ in range(2):
            heat = functional.avg_pool2d(heat, 3, stride=1, padding=1) * 9 / 5
        # Of two that are equal one is a peak.
        heat = heat + 1e-4 * torch.rand(heat.shape, generator=torch.Generator().manual_seed(0))
        top = functional.max_pool2d(heat, _NEAR, stride=1, padding=_NEAR // 2)
        peaks = ((heat == top) & (heat >= _VOTES))[0, 0].nonzero()
        if not len(peaks):
            continue
        far = (y[:, None] - peaks[:, 0]).square() + (x[:, None] - peaks[:, 1]).square()
        labels[f, rows, columns] = 1 + _joined(far.argmin(1), peaks.float())
    return labels


def _joined(nearest: Tensor, peaks: Tensor) -> Tensor:  # N, P 2 -> N
    """Which middle each cell is of, where those that are nearer to each other than their things are
    large are one: cells of a large thing miss its middle by more."""
    size = torch.bincount(nearest, minlength=len(peaks)).sqrt()
    apart = torch.cdist(peaks, peaks) / (size[:, None] + size).clamp_min(1)
    own = list(range(len(peaks)))
    larger: list[int] = []
    for one in size.argsort(descending=True).tolist():
        own[one] = next((other for other in larger if apart[one, other] < _ONE), one)
        larger += [one] * (own[one] == one)
    return torch.tensor(own)[nearest]


def _settled(piece: Tensor, names: Tensor, count: int) -> Tensor:  # F h w, twice -> F h w
    """Names of cells, where a speck of another on a thing (a glint, a face) is the thing's own."""
    label = piece.flatten(1)
    votes = functional.one_hot(names, count).flatten(1, 2) * (label > 0)[..., None]
    found = torch.zeros(len(label), int(label.max()) + 1, count)
    found.scatter_add_(1, label[..., None].expand(-1, -1, count), votes.float())
    share = found / found.sum(2, keepdim=True).clamp_min(1)  # of each piece, its names
    speck = share < SPECK
    # What stands before or behind another may be one piece with it, and be seen by its colour.
    for f, own, name in (speck & (found >= SLIM**2)).nonzero().tolist():
        speck[f, own, name] = not (own and _whole((piece[f] == own) & (names[f] == name)))
    here = share.gather(1, label[..., None].expand(-1, -1, count))
    small = speck.gather(1, label[..., None].expand(-1, -1, count))
    small = small.gather(2, names.flatten(1)[..., None])[..., 0]
    return torch.where(small, here.argmax(2), names.flatten(1)).view_as(names)


def _whole(part: Tensor) -> bool:  # h w
    """Whether a part of a piece may be a thing: broad each way, and a patch rather than an edge."""
    rows, columns = (part.any(side).nonzero()[:, 0] for side in (1, 0))
    high, wide = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
    return min(high, wide) >= SLIM and int(part.sum()) >= FILLS * high * wide


def _counted(mask: Tensor, piece: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How many things a mask (F h w) has in each frame (F), the mask without its crumbs, and the
    largest of them."""
    label = (piece * mask).flatten(1)
    sizes = torch.zeros(len(mask), int(piece.max()) + 1)
    sizes.scatter_add_(1, label, (label > 0).float())
    whole = sizes >= (PIECE * sizes.amax(1, keepdim=True)).clamp_min(LEAST / 2)
    largest = (label == sizes.argmax(1, keepdim=True)).view_as(mask) & mask
    return whole.sum(1), whole.gather(1, label).view_as(mask) & mask, largest


def moments(track: Track) -> Tensor:  # MOMENTS 5
    """A track at even moments from its first frame to its last."""
    last = len(track.place) - 1
    return track.place[torch.linspace(0, last, MOMENTS).round().long()]


def background(x: Tensor, sight: Sight) -> Tensor:  # F 3 H W -> bands 3*SPANS+1
    """How the background moves in each third of the clip, in each band of rows: right, down, and
    apart (how much faster at the edges), in halves of the width; and how plainly it shows that.

    Lucas and Kanade's least squares on each pair of frames, from coarse to fine, without what the
    eye takes for things.
    """
    if len(x) < 2:
        return torch.zeros(len(EDGES) - 1, 3 * SPANS + 1)
    gray = functional.avg_pool2d(x.mean(1, keepdim=True), 2)  #                F 1 h w
    things = (sight.thing[:, None] > 0).float()
    around = functional.max_pool2d(things, 7, stride=1, padding=3)
    free = (1 - around[:-1]) * (1 - around[1:])  #                             F-1 1 h w
    coarse, _ = _flow(functional.avg_pool2d(gray, 2), functional.avg_pool2d(free, 2), None)
    fine, clear = _flow(gray, free, coarse)
    spans = [part.sum(0) for part in fine.tensor_split(SPANS)]
    return torch.cat([*spans, clear.mean(0)[:, None]], 1)


def turned(flow: Tensor) -> Tensor:  # ... 3*SPANS+1, twice
    """The background of the clip shown backwards."""
    *spans, clear = flow.split([3] * SPANS + [1], -1)
    return torch.cat([*(-span for span in reversed(spans)), clear], -1)


def stilled(flow: Tensor) -> Tensor:  # ... 3*SPANS+1, twice
    """The background of the clip frozen."""
    return torch.cat([torch.zeros_like(flow[..., :-1]), flow[..., -1:]], -1)


def reflected(flow: Tensor) -> Tensor:  # ... 3*SPANS+1, twice
    """The background of the mirrored clip."""
    return flow * torch.tensor([-1.0, 1, 1] * SPANS + [1.0])


def _flow(gray: Tensor, free: Tensor, guess: Tensor | None) -> tuple[Tensor, Tensor]:
    """Motion of each pair of frames in each band (P bands 3) and how sure it is (P bands)."""
    f, _, h, w = gray.shape
    fit = Fit(gray, EDGES)
    motion = torch.zeros(f - 1, len(EDGES) - 1, 3) if guess is None else guess
    clear = torch.zeros(f - 1, len(EDGES) - 1)
    ridge = torch.eye(3) * (0.02 * w * h / 100)
    for _ in range(3):
        left, inside = fit.left(motion)
        square, toward = fit.normal(free[:, 0] * inside, left)
        motion = motion + torch.linalg.solve(square + ridge, toward)
        motion = motion.clamp(-0.3, 0.3)
        clear = (square[..., 0, 0] / (w * h)).clamp_min(1e-6).log()
    return motion, clear
