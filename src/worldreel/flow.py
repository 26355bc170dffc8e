"""The rectified flow: how latents are noised, moved and scored, and the levels they pass through.

On the straight path from clean latents (level 0) to noise (level 1) the velocity is
`noise - clean`; a model that has learned its mean, given the noised latents, paints by walking
from 1 down to 0 (Lipman et al. 2210.02747, Liu et al. 2209.03003). This file knows no network, no
text and no task: only tensors, and one level for every latent.
"""

from collections.abc import Callable

import torch
from einops import rearrange
from torch import Generator, Tensor

from worldreel.errors import RequestError

# velocity(x, sigma, target) -> v: x and v are B C T H W, sigma and target rows of a schedule, () or
# (T,). target == sigma asks for the velocity at sigma, target < sigma for its mean down to target.
Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]


def level(sigma: float | Tensor, freedom: Tensor) -> Tensor:
    """The level of every latent, `sigma * freedom`, in fp32 or better.

    sigma is a number or (), or (T,) for a level per latent frame; one per clip is (B, 1), both
    is (B, T). One dimension always means T.
    """
    freedom = freedom.to(torch.promote_types(freedom.dtype, torch.float32))
    if not isinstance(sigma, Tensor) or sigma.ndim == 0:
        return freedom * (sigma.to(freedom) if isinstance(sigma, Tensor) else sigma)
    num_clips, num_latents = freedom.shape[0], freedom.shape[2]
    rows = sigma[None] if sigma.ndim == 1 else sigma  # (T,) or (B, T) -> B T
    fits = rows.ndim == 2 and rows.shape[0] in (1, num_clips) and rows.shape[1] in (1, num_latents)
    if not fits or (sigma.ndim == 1 and len(sigma) != num_latents):
        raise ValueError(
            f"sigma has shape {tuple(sigma.shape)}; {num_clips} clips of {num_latents} latents take"
            f" (), ({num_latents},), ({num_clips}, 1) or ({num_clips}, {num_latents}):"
            " write sigma[:, None] for one level per clip"
        )
    return freedom * rearrange(rows.to(freedom.device), "b t -> b 1 t 1 1")  # B 1 T H W


def noised(known: Tensor, freedom: Tensor, sigma: float | Tensor, noise: Tensor) -> Tensor:
    """Latents on the straight path at level `s = sigma * freedom`; at level 0 `known`, bit for bit.

    It starts every sampler, and makes every training example (known is then the true latents).
    """
    s = level(sigma, freedom)  # B 1 T H W
    x = (1 - s) * known + s * noise  # B C T H W
    return torch.where(s > 0, x.to(known.dtype), known)


def step(x: Tensor, v: Tensor, s: Tensor, s_next: Tensor) -> Tensor:
    """One straight move from level s to s_next; where the two are equal x is left, bit for bit."""
    moved = x + (s_next - s) * v  # B C T H W
    return torch.where(s != s_next, moved.to(x.dtype), x)


def loss(
    v: Tensor, clean: Tensor, noise: Tensor, level: Tensor, weight: Tensor | None = None
) -> Tensor:
    """The mean over latents with level > 0 of `(v - (noise - clean))^2`; see `distance`."""
    v = v.to(torch.promote_types(v.dtype, torch.float32))
    return distance(v, noise.to(v) - clean.to(v), level, weight)


def distance(v: Tensor, wanted: Tensor, level: Tensor, weight: Tensor | None = None) -> Tensor:
    """The mean over latents with level > 0 of `(v - wanted)^2`, in fp32 or better.

    weight (B,), or B 1 T H W, multiplies the errors and is not normalised, so that a batch that is
    computed in parts sums to the whole. A batch without a painted latent has distance 0.
    """
    v = v.to(torch.promote_types(v.dtype, torch.float32))
    painted = (level > 0).expand_as(v)  # B C T H W
    error = torch.where(painted, v - wanted.to(v), 0).square()
    if weight is not None:
        error = error * (weight if weight.ndim > 1 else weight[:, None, None, None, None]).to(v)
    return error.sum() / painted.sum().clamp(min=1)


def instant(velocity: Velocity) -> Velocity:
    """A velocity that is always the one at sigma, also for who asks for its mean down to target."""
    return lambda x, sigma, target: velocity(x, sigma, sigma)


def shifted(sigma: Tensor, shift: float) -> Tensor:
    """Levels moved towards noise by `shift` > 1, for larger clips (2403.03206, section 5.3.2)."""
    if not shift > 0:
        raise RequestError(f"shift is {shift}; it must be above 0: 1 changes nothing")
    return shift * sigma / (1 + (shift - 1) * sigma)


def schedule(num_steps: int, *, shift: float = 1.0, least: float = 0.0) -> Tensor:
    """Levels (S+1,) from exactly 1 to exactly 0, evenly spaced before the shift.

    least: the level down to which they are spaced, before the last is made 0. Public Wan weights
    were trained at thousandths of a level and are sampled with 1/1000.
    """
    if num_steps < 1:
        raise RequestError(f"{num_steps} steps were asked for; ask for 1 or more")
    sigmas = shifted(torch.linspace(1, least, num_steps + 1, dtype=torch.float64), shift).float()
    sigmas[0], sigmas[-1] = 1.0, 0.0  # rounding may miss the ends
    return sigmas  # S+1


def staggered(num_steps: int, T: int, *, chunk: int, lag: int, shift: float = 1.0) -> Tensor:
    """Levels (S'+1, T) in which each chunk of latents sets out `lag` steps after the one before.

    Diffusion forcing (2407.01392): what is near is nearly clean while what is far is still noise.
    With lag 0 all move together; with lag == num_steps each chunk waits for the one before.
    """
    if T < 1 or chunk < 1 or lag < 0:
        raise RequestError(
            f"a staggered schedule of {T} latents, chunks of {chunk}, lag {lag}; there"
            " must be at least one latent, one latent in a chunk, and the lag cannot be negative"
        )
    sigmas = schedule(num_steps, shift=shift)  # S+1
    delay = lag * (torch.arange(T) // chunk)  # T
    rows = torch.arange(num_steps + int(delay[-1]) + 1)  # S'+1
    return sigmas[(rows[:, None] - delay).clamp(0, num_steps)]  # S'+1 T


def draw_levels(
    n: int, *, generator: Generator, mean: float = 0.0, std: float = 1.0, shift: float = 1.0
) -> Tensor:
    """Training levels (n,) in (0, 1], logit-normal (2403.03206, section 3.1), then shifted.

    For a level per clip write `draw_levels(B, ...)[:, None]`; for diffusion forcing, one per latent
    frame, `draw_levels(B * T, ...).view(B, T)`.
    """
    normal = torch.randn(n, generator=generator, device=generator.device)
    sigma = torch.sigmoid(mean + std * normal)  # n
    return shifted(sigma, shift).clamp(torch.finfo(sigma.dtype).eps, 1)
