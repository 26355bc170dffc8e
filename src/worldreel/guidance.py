"""Guidance: a velocity made of two, towards what the words say and away from what they do not.

Classifier-free guidance (Ho and Salimans 2207.12598): `v_u + scale * (v_c - v_u)`. These functions
wrap velocities and return one, so that a sampler does not know it is guided. They know no words.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from worldreel.errors import RequestError
from worldreel.flow import Velocity

Pair = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def cfg(
    conditional: Velocity,
    unconditional: Velocity,
    scale: float,
    *,
    interval: tuple[float, float] = (0.0, 1.0),
    rescale: float = 0.0,
    freedom: Tensor | None = None,
) -> Velocity:
    """Guide `conditional` away from `unconditional`, called one after the other.

    Where sigma lies outside the interval, both ends included, or everywhere if scale is 1, only
    `conditional` counts, and only it is called if no latent needs the other (2404.07724).
    `rescale` gives back that share of the conditional's spread, which guidance widens (2305.08891,
    section 3.4); with `freedom` (B 1 T H W) the spread is that of the painted latents alone.
    """

    def pair(x: Tensor, sigma: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return conditional(x, sigma, target), unconditional(x, sigma, target)

    return _guided(conditional, pair, scale, interval, rescale, freedom)


def joint(
    conditional: Velocity,
    both: Velocity,
    scale: float,
    *,
    interval: tuple[float, float] = (0.0, 1.0),
    rescale: float = 0.0,
    freedom: Tensor | None = None,
) -> Velocity:
    """`cfg` in one call: faster for small models and small batches, the same but for rounding.

    both(x, sigma, target) is given x twice along the batch, 2B C T H W; its first half is to be the
    conditional velocity, its second half the unconditional one.
    """

    def pair(x: Tensor, sigma: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        v_c, v_u = both(torch.cat([x, x]), sigma, target).chunk(2)  # B C T H W, twice
        return v_c, v_u

    return _guided(conditional, pair, scale, interval, rescale, freedom)


def _guided(
    conditional: Velocity,
    pair: Pair,
    scale: float,
    interval: tuple[float, float],
    rescale: float,
    freedom: Tensor | None,
) -> Velocity:
    low, high = interval
    if not 0 <= low <= high <= 1:
        raise RequestError(
            f"guidance was asked for from level {low} to {high}; give two levels between 0 and 1,"
            " the lower one first"
        )
    if not 0 <= rescale <= 1:
        raise RequestError(f"rescale is {rescale}; it must lie between 0 (off) and 1")
    if scale == 1:
        return conditional

    def velocity(x: Tensor, sigma: Tensor, target: Tensor) -> Tensor:
        inside = (sigma >= low) & (sigma <= high)  # () or T
        if not inside.any():
            return conditional(x, sigma, target)
        v_c, v_u = pair(x, sigma, target)
        v = v_u + scale * (v_c - v_u)  # B C T H W
        if rescale:
            v = v * (1 + rescale * (_spread(v_c, freedom) / _spread(v, freedom) - 1)).to(v.dtype)
        if inside.all():
            return v
        return torch.where(inside.to(v.device)[..., None, None], v, v_c)

    return velocity


def _spread(v: Tensor, freedom: Tensor | None) -> Tensor:
    """The standard deviation of each clip's painted latents, B 1 1 1 1, in fp32 or better."""
    v = v.to(torch.promote_types(v.dtype, torch.float32))
    painted = torch.ones_like(v, dtype=torch.bool) if freedom is None else freedom > 0
    painted = painted.expand_as(v)
    count = painted.sum(dim=(1, 2, 3, 4), keepdim=True).clamp(min=1)
    mean = torch.where(painted, v, 0).sum(dim=(1, 2, 3, 4), keepdim=True) / count
    square = torch.where(painted, v - mean, 0).square().sum(dim=(1, 2, 3, 4), keepdim=True)
    return (square / count).sqrt().clamp(min=torch.finfo(v.dtype).eps)
