"""Several processes that train one model: the only home of torch.distributed.

A model does not know that it is one of several. Each rank computes the gradient of its share of a
batch; `average` makes them one. Started by torchrun; alone, everything here is the identity.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """Who we are: `rank` of `size`, and the device that is ours."""

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")
    joined: bool = False  # whether leaving the group is ours to do: who joined it leaves it

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def share_of(self, count: int) -> slice:
        """Which of a batch's clips are ours; a batch that does not divide is a ValueError."""
        if count % self.size:
            raise ValueError(f"a batch of {count} does not divide by {self.size} ranks")
        mine = count // self.size
        return slice(self.rank * mine, (self.rank + 1) * mine)

    @torch.no_grad()
    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by their mean over all ranks, in one message."""
        parts = list(tensors) if self.size > 1 else []
        if not parts:
            return
        flat = torch.cat([p.reshape(-1) for p in parts])
        dist.all_reduce(flat)
        flat /= self.size
        for part, mean in zip(parts, flat.split([p.numel() for p in parts]), strict=True):
            part.copy_(mean.view_as(part))

    @torch.no_grad()
    def share(self, tensors: Iterable[Tensor]) -> None:
        """Give every rank the first one's values."""
        if self.size == 1:
            return
        for tensor in tensors:
            value = tensor.detach().contiguous()
            dist.broadcast(value, src=0)
            tensor.copy_(value)

    def agree(self, flag: bool) -> bool:
        """True on every rank if it is on any: all stop at the same step."""
        if self.size == 1:
            return flag
        word = torch.tensor([int(flag)], device=self.device)
        dist.all_reduce(word, op=dist.ReduceOp.MAX)
        return bool(word.item())

    def told(self, number: int) -> int:
        """The first rank's number, on every rank; the others wait for it."""
        word = torch.tensor([number], device=self.device)
        self.share([word])
        return int(word.item())

    def close(self) -> None:
        """Leave the group, if it was joined by the `start` that made this."""
        if self.joined:
            dist.destroy_process_group()

    def __enter__(self) -> Ranks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def start() -> Ranks:
    """Join the processes that torchrun started, or be alone; one GPU per rank where there are."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    gpu = torch.cuda.is_available()
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
    if size == 1:
        return Ranks(device=device)
    joined = not dist.is_initialized()
    if joined and gpu:
        dist.init_process_group("nccl", device_id=device)
    elif joined:
        dist.init_process_group("gloo")
    return Ranks(rank=dist.get_rank(), size=size, device=device, joined=joined)
