"""Noise for making a video: a function of the seed and of the place where it is used.

It is drawn on the CPU, so that a seed means the same on every device.
"""

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

Fresh = Callable[[int], Tensor]  # a step's number -> its new noise, of the latents' shape


def at(shape: Sequence[int], *place: int) -> Tensor:
    """Noise of a shape that belongs to a place: a seed, and numbers that tell uses of it apart."""
    key = hashlib.sha256(" ".join(map(str, place)).encode()).digest()[:8]
    return torch.randn(*shape, generator=Generator().manual_seed(int.from_bytes(key, "little")))


def span(shape: Sequence[int], seed: int, start: int, stop: int, *use: int) -> Tensor:
    """Noise of a span of latents, from B C h w of each to B C t h w: one's own, by its place."""
    return torch.stack([at(shape, seed, latent, *use) for latent in range(start, stop)], dim=2)


def drawn(shape: Sequence[int], seeds: Sequence[int]) -> Tensor:
    """What clips are painted from, B C T H W: each has its own seed's, whatever is beside it."""
    each = [torch.randn(1, *shape[1:], generator=Generator().manual_seed(n)) for n in seeds]
    return torch.cat(each)


def fresh(like: Tensor, seeds: Sequence[int]) -> Fresh:
    """New noise for each step of clips like these, B C T H W, where they are."""

    def step(number: int) -> Tensor:
        each = [at((1, *like.shape[1:]), seed, number) for seed in seeds]
        return torch.cat(each).to(like.device)

    return step
