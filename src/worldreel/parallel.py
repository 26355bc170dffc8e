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

    @property
    def first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by their mean over all ranks, in one message."""
        if self.size == 1:
            return
        parts = list(tensors)
        flat = torch.cat([p.reshape(-1) for p in parts])
        dist.all_reduce(flat)
        flat /= self.size
        for part, mean in zip(parts, flat.split([p.numel() for p in parts]), strict=True):
            part.copy_(mean.view_as(part))

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Give every rank the first one's values."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def agree(self, flag: bool) -> bool:
        """True on every rank if it is on any: all stop at the same step."""
        if self.size == 1:
            return flag
        word = torch.tensor([int(flag)], device=self.device)
        dist.all_reduce(word, op=dist.ReduceOp.MAX)
        return bool(word.item())

    def close(self) -> None:
        if self.size > 1:
            dist.destroy_process_group()


def start() -> Ranks:
    """Join the processes that torchrun started, or be alone; one GPU per rank where there are."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    gpu = torch.cuda.is_available()
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if gpu else torch.device("cpu")
    if size == 1:
        return Ranks(device=device)
    if gpu:
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if gpu else "gloo")
    return Ranks(rank=dist.get_rank(), size=size, device=device)
