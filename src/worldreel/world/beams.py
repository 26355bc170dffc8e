"""Beams: which bodies a bundle of neighbouring rays can meet at all.

Rays come in bundles of BUNDLE that lie side by side, bounded by a beam; bodies are bounded by
balls. Only where the two meet is each ray of the bundle traced to the body, all such meetings at
once. What is left out would have changed nothing, and what a ray meets is taken in the order of
the bodies: so the result is, to the last bit, that of every ray with every body.

R rows of P rays, P a multiple of BUNDLE; each row is of one frame. T = P / BUNDLE bundles; N
bodies per frame; Q meetings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from worldreel.world import solids
from worldreel.world.vector import Plane, Vec, add, along, dot, scale, sub

BUNDLE = 64
_SLACK = (1.01, 2e-3)  # what rounding may add to a ball's radius: a factor, metres


class Hit(NamedTuple):
    """The nearest solid on each ray, all (R, P)."""

    t: Tensor  # solids.FAR where nothing is hit
    normal: Vec  # not yet unit
    color: Vec
    gloss: Tensor
    index: Tensor  # float, the place of the body plus one, 0 where nothing is hit


class _Box(NamedTuple):
    """Bounds of the rays' planes of each bundle, Vecs of (R, T)."""

    middle: Vec
    half: Tensor  # of the diagonal; below 0 where no ray counts


class _Meetings(NamedTuple):
    """Bundles with the bodies that they may meet; Q in all.

    They come in rounds, in none of which a bundle appears twice; one bundle's bodies in order.
    """

    body: Tensor  # (Q,)
    row: Tensor  # (Q,)
    bundle: Tensor  # (Q,) counted through all rows
    rounds: list[int]  # how many meetings each has

    def rays(self, plane: Tensor) -> Tensor:
        """(R, P), or (R, 1) -> (Q, BUNDLE), or (Q, 1)."""
        if plane.shape[-1] == 1:
            return plane[self.row]
        return plane.reshape(-1, BUNDLE)[self.bundle]

    def taken(self, found: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """What was found at meetings (Q, BUNDLE), and at which bundles, round by round."""
        return zip(found.split(self.rounds), self.bundle.split(self.rounds), strict=True)


def _boxed(planes: Vec, counted: Tensor | None = None) -> _Box:
    lows, highs = [], []
    for plane in planes:
        rays = plane.unflatten(-1, (-1, BUNDLE))
        if counted is None:
            low, high = torch.aminmax(rays, dim=-1)
        else:
            of = counted.unflatten(-1, (-1, BUNDLE))
            low = torch.where(of, rays, torch.inf).amin(-1)
            high = torch.where(of, rays, -torch.inf).amax(-1)
        lows.append(low)
        highs.append(high)
    if counted is not None:
        empty = lows[0] > highs[0]
        lows = [torch.where(empty, 0.0, low) for low in lows]
        highs = [torch.where(empty, 0.0, high) for high in highs]
    half = scale(sub(tuple(highs), tuple(lows)), 0.5)
    reach = torch.sqrt(dot(half, half))
    if counted is not None:
        reach = torch.where(empty, -torch.inf, reach)
    return _Box(add(tuple(lows), half), reach)


def _meetings(start: Vec, reach: Plane, way: Vec, spread: Plane, balls: Tensor) -> _Meetings:
    """Where beams meet balls.

    start, reach: all rays of a bundle start in this ball; way, spread: their directions lie this
    far from a unit vector (a way of zeros: the starts alone count); all (R, T) or (R, 1). balls:
    (N, R, 4) centres and radii.
    """
    x, y, z, radius = balls[..., None].unbind(2)
    offset = sub((x, y, z), start)
    ahead = dot(offset, way).clamp(min=0)
    beside = along(offset, way, -ahead)
    near = radius * _SLACK[0] + _SLACK[1] + reach
    if not isinstance(spread, float):
        near = near + spread * (torch.sqrt(dot(offset, offset)) + near).clamp(min=0)
    meet = (dot(beside, beside) <= near * near) & (near > 0)
    bundles = meet.shape[-1]
    meet = meet.flatten(1)
    body, bundle = meet.nonzero(as_tuple=True)
    turn = meet.cumsum(0, dtype=torch.int32)[body, bundle] - 1
    order = turn.argsort(stable=True)
    body, bundle = body[order], bundle[order]
    row = torch.div(bundle, bundles, rounding_mode="floor")
    return _Meetings(body, row, bundle, torch.bincount(turn).tolist())


def _balls(bodies: Tensor) -> Tensor:
    """(N, R, solids.WIDTH) -> (N, R, 4)."""
    return bodies[..., [*solids.CENTRE, solids.AROUND]]


def first(origin: Vec, direction: Vec, bodies: Tensor) -> Hit:
    """What rays meet first. origin: (R, P) or (R, 1); direction: unit; bodies: (N, R, WIDTH)."""
    box = _boxed(direction)
    length = torch.sqrt(dot(box.middle, box.middle))
    way, spread = scale(box.middle, 1 / length), box.half + (1 - length).abs()
    at, reach = (origin, 0.0) if origin[0].shape[-1] == 1 else _boxed(origin)
    met = _meetings(at, reach, way, spread, _balls(bodies))

    eye, way = (tuple(met.rays(plane) for plane in vector) for vector in (origin, direction))
    found = solids.meet(eye, way, bodies[met.body, met.row])
    t = torch.full_like(direction[0], solids.FAR)
    index = torch.zeros_like(t)
    near, who = t.view(-1, BUNDLE), index.view(-1, BUNDLE)
    numbers = (met.body + 1).to(t.dtype)[:, None].split(met.rounds)
    for (mine, bundle), number in zip(met.taken(found), numbers, strict=True):
        best = near[bundle]
        nearer = mine < best
        near[bundle] = torch.where(nearer, mine, best)
        who[bundle] = torch.where(nearer, number, who[bundle])

    # What they see there is worked out for the rays that meet something only, as rows of one ray.
    ray = index.flatten().nonzero()[:, 0]
    row = torch.div(ray, t.shape[-1], rounding_mode="floor")
    own = bodies[(index.flatten()[ray] - 1).long(), row]
    eye, way = (tuple(_picked(plane, ray, row) for plane in v) for v in (origin, direction))
    paint = solids.paint(eye, way, own)
    planes = [_spread(plane, ray, t) for plane in (*paint.normal, *paint.color, paint.gloss)]
    return Hit(t, tuple(planes[0:3]), tuple(planes[3:6]), planes[6], index)


def _picked(plane: Tensor, ray: Tensor, row: Tensor) -> Tensor:
    return plane[row] if plane.shape[-1] == 1 else plane.reshape(-1, 1)[ray]


def _spread(values: Tensor, ray: Tensor, like: Tensor) -> Tensor:
    plane = torch.zeros_like(like)
    plane.view(-1)[ray] = values[:, 0]
    return plane


def sunlight(
    point: Vec, normal: Vec, counted: Tensor, sun: Vec, soft: Plane, bodies: Tensor
) -> Tensor:
    """The share of the sun that bodies let through to points, (R, P).

    counted: (R, P) bool, at which points it matters; at others it may be anything. sun, soft:
    (R, 1).
    """
    balls = _balls(bodies)
    counted = counted & _before(point, sun, *_crowd(balls))
    box = _boxed(point, counted)
    met = _meetings(box.middle, box.half, sun, 0.0, balls)
    at, facing, way = (tuple(met.rays(plane) for plane in v) for v in (point, normal, sun))
    own = bodies[met.body, met.row]
    x, y, z, radius = balls[met.body, met.row, :, None].unbind(1)

    # Few of these rays come near the ball: the others are in no shadow.
    hidden = torch.zeros_like(at[0])
    ray = _before(at, way, (x, y, z), radius).flatten().nonzero()[:, 0]
    one = torch.div(ray, BUNDLE, rounding_mode="floor")
    at, facing, way = (tuple(_picked(plane, ray, one) for plane in v) for v in (at, facing, way))
    shadow = solids.shadow(at, facing, way, _picked(met.rays(soft), ray, one), own[one])
    hidden.view(-1)[ray] = shadow[:, 0]
    return _product(1 - hidden, met, counted)


def _before(point: Vec, sun: Vec, middle: Vec, radius: Tensor) -> Tensor:
    """Whether a ball is somewhere between points and the sun."""
    offset = sub(middle, point)
    ahead = dot(offset, sun)
    beside = along(offset, sun, -ahead)
    near = radius * _SLACK[0] + _SLACK[1]
    return (dot(beside, beside) < near * near) & (ahead > -near)


def openness(point: Vec, normal: Vec, counted: Tensor, bodies: Tensor) -> Tensor:
    """The share of the sky that bodies leave open above points, (R, P); counted as above."""
    balls = _balls(bodies)
    reach = bodies[..., solids.RADIUS] * solids.COVER
    balls = torch.cat([balls[..., :3], torch.where(balls[..., 3] < 0, -1.0, reach)[..., None]], -1)
    middle, radius = _crowd(balls)
    beside = sub(middle, point)
    near = radius * _SLACK[0] + _SLACK[1]
    counted = counted & (dot(beside, beside) < near * near)
    box = _boxed(point, counted)
    met = _meetings(box.middle, box.half, (0.0, 0.0, 0.0), 0.0, balls)
    at, facing = (tuple(met.rays(plane) for plane in v) for v in (point, normal))
    return _product(1 - solids.cover(at, facing, bodies[met.body, met.row]), met, counted)


def _product(found: Tensor, met: _Meetings, like: Tensor) -> Tensor:
    whole = torch.ones(like.shape, device=like.device)
    rays = whole.view(-1, BUNDLE)
    for mine, bundle in met.taken(found):
        rays[bundle] = rays[bundle] * mine
    return whole


def _crowd(balls: Tensor) -> tuple[Vec, Tensor]:
    """A ball round all balls of a row: its centre and radius, (R, 1) each."""
    real = (balls[..., 3] > 0)[..., None]
    low = torch.where(real, balls[..., :3] - balls[..., 3:], torch.inf).amin(0)
    high = torch.where(real, balls[..., :3] + balls[..., 3:], -torch.inf).amax(0)
    half = (high - low) / 2
    return (low + half)[..., None].unbind(1), half.norm(dim=-1, keepdim=True)


def regrouped(counted: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """The rays that count, (R, P) bool, in rows of `width`: where each is and its row.

    -> (S, width) counted through all rows, and (S,). Side by side stays side by side; a last row
    that is not full repeats its last ray.
    """
    count = counted.sum(1)
    need = torch.div(count + width - 1, width, rounding_mode="floor")
    row = torch.arange(len(count), device=count.device).repeat_interleave(need)
    ahead = torch.arange(len(row), device=row.device) - (need.cumsum(0) - need)[row]
    place = ahead[:, None] * width + torch.arange(width, device=row.device)
    place = torch.minimum(place, count[row, None] - 1) + (count.cumsum(0) - count)[row, None]
    return counted.flatten().nonzero()[:, 0][place], row
