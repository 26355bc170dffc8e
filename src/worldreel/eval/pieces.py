"""Every single thing of a clip, followed from frame to frame: plain geometry on the eye's maps.

A thing in a frame is a connected piece of one colour. Pieces of neighbouring frames that are of one
colour and near to where the thing was on its way to are the same thing; what is hidden for a while
and comes back where it was to be is, too. Places are in halves of the picture's width from its
middle, right and down.

Shapes: F frames, h w cells of the eye's maps (half its pixels).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from worldreel.eval.eye import SURE, WIDTH, Sight
from worldreel.eval.known import COLORS

LEAST = 7.0  # cells: what is smaller is no thing
SPECK = 0.25  # of a piece of any colour: what is less of it is no colour of its own
SLIM, FILLS = 5, 0.6  # cells, and of its box: what is less across or fills less is an edge
NEAR = 0.17  # of half the width: how far from where it was to be a thing is looked for
OTHER = 0.10  # of half the width: how much further away another colour counts as
GROWN = 0.06  # of half the width: how much further away twice the area counts as
PATIENT = 10  # frames that a thing may be out of sight
OFTEN = 3  # frames: what is seen in fewer is no thing
PACE = 3  # frames that a thing's pace is measured over
BORDER = 1  # cells: what is nearer to the picture's edge may be cut
SCALE = WIDTH / 4  # cells per half of the width


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """One connected patch of one colour in one frame. place: its middle; spread: the standard
    deviation of its cells, right and down; slender: the logarithm of how much longer it is than
    wide, along its own axes; box: left, top, right, bottom; area in cells."""

    color: int
    area: float
    place: np.ndarray
    spread: np.ndarray
    slender: float
    box: np.ndarray
    cut: bool
    mask: np.ndarray  # h w bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Body:
    """One thing; where it is not seen its places are nan, and its colour is -1."""

    color: str
    colors: np.ndarray  # F, index into COLORS
    place: np.ndarray  # F 2
    spread: np.ndarray  # F 2
    slender: np.ndarray  # F
    box: np.ndarray  # F 4
    area: np.ndarray  # F
    seen: np.ndarray  # F bool
    cut: np.ndarray  # F bool, whether it touches the picture's edge
    masks: Mapping[int, np.ndarray]  # h w bool, by the frames in which it is seen

    @property
    def first(self) -> int:
        return int(np.argmax(self.seen))

    @property
    def last(self) -> int:
        return len(self.seen) - 1 - int(np.argmax(self.seen[::-1]))


@dataclass(kw_only=True, eq=False)
class _Track:
    """A thing while it is being followed: its pieces by frame."""

    pieces: dict[int, Piece] = field(default_factory=dict)

    def toward(self, frame: int) -> np.ndarray:
        """Where it is to be in a frame after its last, at an even pace."""
        last = max(self.pieces)
        here = self.pieces[last].place
        before = [f for f in self.pieces if last - PACE <= f < last]
        if not before:
            return here
        # What is long out of sight may have been stopped.
        ahead = min(frame - last, 2 * PACE)
        return here + (here - self.pieces[min(before)].place) / (last - min(before)) * ahead


def bodies(sight: Sight) -> tuple[Body, ...]:
    """The things of a clip, the largest first."""
    frames = pieces(sight)
    tracks: list[_Track] = []
    for number, found in enumerate(frames):
        going = [t for t in tracks if number - max(t.pieces) <= PATIENT]
        taken: set[int] = set()
        for track, place in _matched(going, found, number):
            track.pieces[number] = found[place]
            taken.add(place)
        tracks += [_Track(pieces={number: p}) for i, p in enumerate(found) if i not in taken]
    known = [t for t in tracks if len(t.pieces) >= min(OFTEN, len(frames))]
    made = (_body(track, len(frames)) for track in known)
    return tuple(sorted(made, key=lambda body: -float(np.nansum(body.area))))


def _matched(going: list[_Track], found: list[Piece], number: int) -> list[tuple[_Track, int]]:
    """Which track goes on in which piece, the surest first."""
    pairs = []
    for i, track in enumerate(going):
        last = track.pieces[max(track.pieces)]
        toward = track.toward(number)
        for j, piece in enumerate(found):
            # What was struck stops where it was: both are near enough.
            away = min(
                float(np.hypot(*(piece.place - toward))),
                float(np.hypot(*(piece.place - last.place))),
            )
            away += OTHER * (piece.color != last.color)
            away += GROWN * abs(float(np.log2(piece.area / last.area)))
            if away < NEAR:
                pairs.append((away, i, j))
    pairs.sort()
    matched, used, taken = [], set(), set()
    for _, i, j in pairs:
        if i not in used and j not in taken:
            matched.append((going[i], j))
            used.add(i)
            taken.add(j)
    return matched


def _body(track: _Track, frames: int) -> Body:
    def filled(values: dict[int, np.ndarray], width: int) -> np.ndarray:
        made = np.full((frames, width), np.nan)
        for frame, value in values.items():
            made[frame] = value
        return made

    own = track.pieces
    colors = np.full(frames, -1)
    colors[list(own)] = [piece.color for piece in own.values()]
    seen = colors >= 0
    cut = np.zeros(frames, bool)
    cut[list(own)] = [piece.cut for piece in own.values()]
    return Body(
        color=COLORS[int(np.bincount(colors[seen]).argmax())],
        colors=colors,
        place=filled({f: p.place for f, p in own.items()}, 2),
        spread=filled({f: p.spread for f, p in own.items()}, 2),
        slender=filled({f: np.array(p.slender) for f, p in own.items()}, 1)[:, 0],
        box=filled({f: p.box for f, p in own.items()}, 4),
        area=filled({f: np.array(p.area) for f, p in own.items()}, 1)[:, 0],
        seen=seen,
        cut=cut,
        masks={frame: piece.mask for frame, piece in own.items()},
    )


def apart(one: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray) -> np.ndarray:
    """How far two boxes (left, top, right, bottom) are apart, across and down: 2; each at most 0
    where they overlap that way."""
    return np.array(
        [
            max(other[0] - one[2], one[0] - other[2]),
            max(other[1] - one[3], one[1] - other[3]),
        ]
    )


def pieces(sight: Sight) -> list[list[Piece]]:
    """The pieces of each frame."""
    sure = torch.sigmoid(sight.thing - SURE).numpy()
    best = sight.color.argmax(1).numpy()
    return [_in_frame(s, b) for s, b in zip(sure, best, strict=True)]


def _in_frame(sure: np.ndarray, best: np.ndarray) -> list[Piece]:  # h w each
    thing = sure > 0.5
    label = np.where(thing, 1, 0)
    color = np.where(thing, best, -1)
    for patch in _connected(label):
        votes = np.bincount(best[patch], minlength=len(COLORS))
        for part in _connected(np.where(patch, color + 1, 0)) if votes.max() < votes.sum() else []:
            # A speck of another colour on a thing, a glint or a shaded edge, is the thing's own.
            if part.sum() < SPECK * votes.sum() and not _whole(part):
                color[part] = votes.argmax()
    found = []
    for patch in _connected(color + 1):
        if patch.sum() >= LEAST:
            found.append(_measured(patch, sure, int(color[patch][0])))
    return found


def _whole(part: np.ndarray) -> bool:
    """Whether a part of a patch may be a thing that stands before another."""
    wide, high = part.any(0).sum(), part.any(1).sum()
    return bool(min(wide, high) >= SLIM and part.sum() >= FILLS * wide * high)


def _measured(patch: np.ndarray, sure: np.ndarray, color: int) -> Piece:
    h, w = patch.shape
    # The rim counts by how sure the eye is of it: places are finer than cells.
    rim = patch.copy()
    rim[1:] |= patch[:-1]
    rim[:-1] |= patch[1:]
    rim[:, 1:] |= patch[:, :-1]
    rim[:, :-1] |= patch[:, 1:]
    weight = np.where(patch | (rim & (sure < 0.5)), sure, 0.0)
    total = float(weight.sum())
    x, y = (np.arange(w) + 0.5 - w / 2) / SCALE, (np.arange(h) + 0.5 - h / 2) / SCALE
    along, down = weight.sum(0) / total, weight.sum(1) / total
    place = np.array([along @ x, down @ y])
    square = np.array([along @ x**2, down @ y**2]) - place**2
    cross = float(y @ weight @ x) / total - float(place.prod())
    own = np.linalg.eigvalsh([[square[0], cross], [cross, square[1]]])
    columns, rows = np.flatnonzero(patch.any(0)), np.flatnonzero(patch.any(1))
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)
    cut = bool(
        columns[0] < BORDER or rows[0] < BORDER or columns[-1] >= w - BORDER
        or rows[-1] >= h - BORDER
    )  # fmt: skip
    return Piece(
        color=color,
        area=total,
        place=place,
        spread=np.sqrt(np.maximum(square, 1e-5)),
        slender=float(np.log(max(own[1], 1e-5) / max(own[0], 1e-5)) / 2),
        box=(box - np.array([w, h, w, h]) / 2) / SCALE,
        cut=cut,
        mask=patch,
    )


def _connected(label: np.ndarray) -> list[np.ndarray]:
    """The connected patches (h w bool) of equal labels that are not 0, by runs in rows."""
    runs: list[tuple[int, int, int]] = []  # row, start, end
    parent: list[int] = []

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    above: list[int] = []
    for row in np.flatnonzero(label.any(1)):
        line = np.concatenate([[0], label[row], [0]])
        steps = np.flatnonzero(np.diff(line))
        here = []
        for start, end in zip(steps[:-1], steps[1:], strict=True):
            if not label[row, start]:
                continue
            number = len(runs)
            runs.append((int(row), int(start), int(end)))
            parent.append(number)
            here.append(number)
            for other in above:
                up, left, right = runs[other]
                same = label[up, left] == label[row, start]
                if up == row - 1 and same and left <= end and start <= right:
                    parent[root(number)] = root(other)
        above = here
    patches: dict[int, np.ndarray] = {}
    for number, (row, start, end) in enumerate(runs):
        patch = patches.setdefault(root(number), np.zeros(label.shape, bool))
        patch[row, start:end] = True
    return list(patches.values())
