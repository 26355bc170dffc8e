"""From a canvas to the bag of tokens that the transformer sees, and back.

A token is a patch of latents with a level and a position. Kept tokens come first, chunk by chunk,
then painted tokens in order of time: who attends to whom is then a matter of slices, not of masks.
This file knows nothing of networks; `velocity` takes one as a function.

Shapes: B batch, N tokens, K distinct levels, C latent channels, T H W latent frames, height, width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from einops import rearrange, repeat
from torch import Tensor
from torch.nn import functional

from worldreel import flow
from worldreel.canvas import Canvas

# References sit at fixed negative times, far enough from the window to be told apart from it.
REFERENCE_TIME = -8.0
REFERENCE_STEP = 4.0

Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]


class Network(Protocol):
    """What `velocity` needs of a transformer: see `models.dit.DiT`."""

    def __call__(
        self,
        x: Tensor,
        level: Tensor,
        target: Tensor,
        which: Tensor,
        pos: Tensor,
        words: Any,
        *,
        context: Any = None,
        ring: int | None = None,
    ) -> Tensor: ...

    def remember(
        self, x: Tensor, level: Tensor, which: Tensor, pos: Tensor, *, chunks: tuple[int, ...]
    ) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some of a bag's tokens: where they come from, where they are, which level each has.

    index (N,): place in the flattened token grid. pos (B, N, 3): time, row, column. which (B, N):
    its level among K. freedom (B, K) and time (K,): a level is `sigma[time] * freedom`.
    """

    index: Tensor
    pos: Tensor
    which: Tensor
    freedom: Tensor
    time: Tensor

    def level(self, sigma: Tensor) -> Tensor:
        """The K levels at a schedule's row, () or (T,), (B, 1) or (B, T): B K."""
        if sigma.ndim and sigma.shape[-1] > 1:
            sigma = sigma[..., self.time]
        return sigma * self.freedom


@dataclass(frozen=True, kw_only=True)
class Bag:
    """A canvas as tokens. `chunks` has the number of kept tokens of each chunk, in order."""

    grid: tuple[int, int, int]
    patch: int
    painted: Part
    kept: Part | None
    chunks: tuple[int, ...]


def patchify(x: Tensor, patch: int) -> Tensor:
    return rearrange(x, "b c t (h p) (w q) -> b (t h w) (c p q)", p=patch, q=patch)


def unpatchify(tokens: Tensor, grid: tuple[int, int, int], patch: int) -> Tensor:
    t, h, w = grid
    return rearrange(
        tokens, "b (t h w) (c p q) -> b c t (h p) (w q)", t=t, h=h, w=w, p=patch, q=patch
    )


def positions(grid: tuple[int, int, int], device: torch.device | str = "cpu") -> Tensor:
    """Time, row and column of every token of a grid, relative to its first latent: N 3."""
    axes = [torch.arange(n, dtype=torch.float32, device=device) for n in grid]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, 2)


def bag(canvas: Canvas, *, patch: int = 1, chunk: int | None = 1, per_frame: bool = False) -> Bag:
    """Sort a canvas's tokens into kept and painted.

    chunk: latents per chunk of the attention rule; None is the rule of public weights, in which
    kept tokens are painted ones at level 0. per_frame: the schedule has a time axis. Who is kept
    must be the same for all clips of the batch (ValueError).
    """
    b, _, frames, height, width = canvas.known.shape
    if height % patch or width % patch:
        raise ValueError(f"latents of {height}x{width} do not divide into patches of {patch}")
    grid = (frames, height // patch, width // patch)
    free = functional.max_pool2d(canvas.freedom.flatten(0, 2), patch)  # (B T) H W
    free = free.reshape(b, -1).float()  #                                B N
    held = free == 0
    if chunk is None:
        held = torch.zeros_like(held)
    elif not bool((held == held[:1]).all()):
        raise ValueError("the clips of a batch must keep the same latents: split the batch")
    pos = positions(grid, canvas.known.device)
    painted_at = (~held[0]).nonzero()[:, 0]
    kept_at = held[0].nonzero()[:, 0]
    chunks: tuple[int, ...] = ()
    kept = None
    if len(kept_at) or canvas.references:
        sizes: list[int] = []
        if len(kept_at) and chunk is not None:
            owner = pos[kept_at, 0].long() // chunk
            sizes = torch.unique_consecutive(owner, return_counts=True)[1].tolist()
        count = grid[1] * grid[2]
        for i, _ in enumerate(canvas.references):
            place = positions((1, grid[1], grid[2]), pos.device)
            place[:, 0] = REFERENCE_TIME - REFERENCE_STEP * i
            start = frames * count + i * count
            kept_at = torch.cat([kept_at, torch.arange(start, start + count, device=pos.device)])
            pos = torch.cat([pos, place])
            sizes.append(count)
        chunks = tuple(sizes)
        zero = torch.zeros(b, len(kept_at), device=free.device)
        # a reference's level is 0, a kept latent's is the context level: two slots, told by time
        is_reference = (kept_at >= frames * count).long()
        kept = _part(kept_at, pos, zero, is_reference)
    time = pos[painted_at, 0].long() if per_frame else torch.zeros_like(painted_at)
    painted = _part(painted_at, pos, free[:, painted_at], time)
    return Bag(grid=grid, patch=patch, painted=painted, kept=kept, chunks=chunks)


def _part(index: Tensor, pos: Tensor, freedom: Tensor, time: Tensor) -> Part:
    keys = torch.cat([time[None].float(), freedom])  #                   1+B N
    slots, which = torch.unique(keys, dim=1, return_inverse=True)  #     1+B K, N
    b = freedom.shape[0]
    return Part(
        index=index,
        pos=repeat(pos[index], "n d -> b n d", b=b),
        which=repeat(which, "n -> b n", b=b),
        freedom=slots[1:],
        time=slots[0].long(),
    )


def take(x: Tensor, part: Part, patch: int, references: Sequence[Tensor] = ()) -> Tensor:
    """The tokens of one part of a bag, from latents B C T H W: B N C."""
    tokens = patchify(x, patch)
    if references:
        tokens = torch.cat([tokens, *(patchify(r.to(x.dtype), patch) for r in references)], dim=1)
    return tokens[:, part.index]


def put(tokens: Tensor, box: Bag) -> Tensor:
    """Inverse of `take` for painted tokens; zero where nothing is painted: B C T H W."""
    t, h, w = box.grid
    full = tokens.new_zeros(tokens.shape[0], t * h * w, tokens.shape[2])
    full[:, box.painted.index] = tokens
    return unpatchify(full, box.grid, box.patch)


def shown(x: Tensor, canvas: Canvas, sigma: Tensor, patch: int, noise: Tensor | None) -> Tensor:
    """What the network sees of x: kept latents inside a painted token are noised to its level."""
    if patch == 1:
        return x
    assert noise is not None, "patches larger than one latent need the clip's noise"
    coarse = functional.max_pool2d(canvas.freedom.flatten(0, 2), patch)
    coarse = repeat(coarse, "bt h w -> bt (h p) (w q)", p=patch, q=patch)
    token_level = flow.level(sigma, coarse.reshape(canvas.freedom.shape))
    latent_level = flow.level(sigma, canvas.freedom)
    hidden = (1 - token_level) * canvas.known + token_level * noise
    return torch.where(token_level > latent_level, hidden.to(x.dtype), x)


@dataclass(frozen=True, kw_only=True)
class Words:
    """Encoded words, bound to a half-open span of latents [start, stop); stop None is the end.

    states (B, L, E); mask (B, L), True where there is a word, or None where all are.
    """

    states: Tensor
    mask: Tensor | None = None
    start: int = 0
    stop: int | None = None


def groups(words: Sequence[Words], box: Bag) -> list[tuple[int, tuple[int, ...]]]:
    """Runs of painted tokens that share their words: (number of tokens, indices into words)."""
    times = box.painted.pos[0, :, 0].tolist()
    runs: list[tuple[int, tuple[int, ...]]] = []
    for t in times:
        heard = tuple(
            i for i, w in enumerate(words) if w.start <= t and (w.stop is None or t < w.stop)
        )
        if runs and runs[-1][1] == heard:
            runs[-1] = (runs[-1][0] + 1, heard)
        else:
            runs.append((1, heard))
    return runs


def remember(
    network: Network,
    canvas: Canvas,
    box: Bag,
    *,
    context_level: float | Tensor = 0.0,
    noise: Tensor | None = None,
) -> Any:
    """Show what is kept once; its keys and values then serve every step. None if nothing is kept.

    context_level: a number or (B, 1); above 0 it needs noise B C T H W. References are shown clean.
    """
    if box.kept is None:
        return None
    b = canvas.known.shape[0]
    level = torch.as_tensor(context_level, dtype=torch.float32, device=canvas.known.device)
    level = level.expand(b, 1) if level.ndim == 0 else level
    view = canvas.known
    if bool((level > 0).any()):
        assert noise is not None, "a context level needs noise"
        s = level[:, :, None, None, None]
        view = torch.where(s > 0, (1 - s) * view + s * noise, view)
    x = take(view, box.kept, box.patch, canvas.references)
    slots = torch.where(box.kept.time[None] == 1, torch.zeros_like(level), level)  # B K
    return network.remember(x, slots, box.kept.which, box.kept.pos, chunks=box.chunks)


def velocity(
    network: Network,
    canvas: Canvas,
    box: Bag,
    words: Any,
    *,
    context: Any = None,
    noise: Tensor | None = None,
) -> Velocity:
    """The velocity of a canvas's latents as a function of (x, sigma, target), for samplers."""
    part = box.painted
    ring = box.grid[0] if canvas.ring else None

    def field(x: Tensor, sigma: Tensor, target: Tensor) -> Tensor:
        seen = take(shown(x, canvas, sigma, box.patch, noise), part, box.patch)
        v = network(
            seen,
            part.level(sigma),
            part.level(target),
            part.which,
            part.pos,
            words,
            context=context,
            ring=ring,
        )
        return put(v.to(x.dtype), box)

    return field
