"""Noise for making a video: a function of the seed, and of the place and level that it is for.

It is drawn on the CPU, so that a seed means the same on every device.
"""

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

Fresh = Callable[[Tensor], Tensor]  # a row of levels, () or (T,) -> new noise for it, B C T H W


def at(shape: Sequence[int], *place: object) -> Tensor:
    """Noise of a shape that belongs to a place: a seed, and what tells uses of it apart."""
    key = hashlib.sha256(" ".join(map(str, place)).encode()).digest()[:8]
    return torch.randn(*shape, generator=Generator().manual_seed(int.from_bytes(key, "little")))


def drawn(shape: Sequence[int], seeds: Sequence[int]) -> Tensor:
    """What clips are painted from, B C T H W: each has its own seed's, whatever is beside it."""
    each = [torch.randn(1, *shape[1:], generator=Generator().manual_seed(n)) for n in seeds]
    return torch.cat(each)


def fresh(like: Tensor, seeds: Sequence[int]) -> Fresh:
    """New noise for clips like these, B C T H W, where they are; as `drawn`, each its own."""

    def new(row: Tensor) -> Tensor:
        each = [at((1, *like.shape[1:]), seed, row.tolist()) for seed in seeds]
        return torch.cat(each).to(like.device)

    return new
