"""Several processes that work on one thing: the only home of torch.distributed.

A model does not know that it is one of several. In training each rank computes the gradient of its
share of a batch, and `average` makes them one. In painting the first tells the others what to work
on (`Channel`), and ranks that divide a clip's tokens trade them for heads (`Exchange`); `team` is
what is made of these. Started by torchrun; alone, `Ranks` is the identity.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from worldreel.errors import RequestError, WorldreelError

_PATIENCE = timedelta(days=7)  # of the others with the first, which may read, decode or save


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
    if gpu and local >= (count := torch.cuda.device_count()):
        raise RequestError(f"process {local} of this machine has no GPU: start {count}, one each")
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


def backends() -> dict[str, bool]:
    """What processes can speak through, and whether it is here."""
    return {"nccl": dist.is_nccl_available(), "gloo": dist.is_gloo_available()}


def shares(count: int, ways: int) -> list[slice]:
    """A count in so many parts, as even as can be."""
    ends = [count * i // ways for i in range(ways + 1)]
    return [slice(start, stop) for start, stop in zip(ends, ends[1:], strict=False)]


def mapped(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """A value in which all of a kind, in lists, dicts and dataclasses too, is changed."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, dict):
        return {name: mapped(held, kind, change) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [mapped(held, kind, change) for held in value]
    if is_dataclass(value) and not isinstance(value, type):
        held = {f.name: mapped(getattr(value, f.name), kind, change) for f in fields(value)}
        return replace(value, **held)
    return value


@dataclass(frozen=True)
class _Blank:
    """A tensor that comes in a message of its own."""

    shape: tuple[int, ...]
    dtype: torch.dtype


class Channel:
    """What the first process tells all others, and what each hands back to it.

    Where another one is gone, or does not answer, a WorldreelError says so.
    """

    def __init__(self, ranks: Ranks) -> None:
        self.ranks, self.whole = ranks, True
        self._orders: Any = dist.new_group(backend="gloo", timeout=_PATIENCE)
        self._columns: dict[int, Any] = {}

    @contextlib.contextmanager
    def answered(self) -> Iterator[None]:
        """What goes wrong inside is between processes; after it the channel is not whole."""
        try:
            yield
        except torch.OutOfMemoryError:
            self.whole = False
            raise
        except RuntimeError as error:
            self.whole = False
            raise WorldreelError(
                "another process ended, or did not answer in time: what it wrote before, or"
                " torchrun's report, says why"
            ) from error

    def speaks(self) -> bool:
        """Whether an error is ours to tell: it is that of the process which failed first."""
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        try:
            store = dist.TCPStore(host, port, is_master=False, timeout=timedelta(seconds=5))
            return store.add(f"worldreel/failed/{self._orders.group_name}", 1) == 1
        except RuntimeError:  # it went with the first process, which has told
            return False

    def tell(self, order: Any) -> None:
        """The first's part of `hear`: an order, which may hold tensors."""
        tensors: list[Tensor] = []

        def blank(tensor: Tensor) -> _Blank:
            tensors.append(tensor.to(self.ranks.device).contiguous())
            return _Blank(tuple(tensor.shape), tensor.dtype)

        hollow = mapped(order, Tensor, blank)
        with self.answered():
            dist.broadcast_object_list([hollow], src=0, group=self._orders)
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def hear(self) -> Any:
        """What the first told."""
        told: list[Any] = [None]

        def filled(blank: _Blank) -> Tensor:
            tensor = torch.empty(blank.shape, dtype=blank.dtype, device=self.ranks.device)
            dist.broadcast(tensor, src=0)
            return tensor

        with self.answered():
            dist.broadcast_object_list(told, src=0, group=self._orders)
            return mapped(told[0], _Blank, filled)

    def hand(self, tensor: Tensor) -> None:
        """Give a tensor to the first, which takes it."""
        with self.answered():
            dist.send(tensor.contiguous(), dst=0)

    def take(self, rank: int, like: Tensor, shape: Sequence[int]) -> Tensor:
        """The tensor that a rank hands."""
        out = like.new_empty(tuple(shape))
        with self.answered():
            dist.recv(out, src=rank)
        return out

    def column(self, length: int) -> Any:
        """The group of ours among groups of so many neighbours; all ranks ask at the same time."""
        if length not in self._columns:
            with self.answered():
                for start in range(0, self.ranks.size, length):
                    group = dist.new_group(range(start, start + length))
                    if start <= self.ranks.rank < start + length:
                        self._columns[length] = group
        return self._columns[length]


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """Ranks that divide the tokens of the same clips, and attention among all of these.

    Each has all heads of its tokens; for attention it gets all tokens of its heads, and gives them
    back (DeepSpeed Ulysses, 2309.14509). Shares may be uneven. G is any number of sequences.
    """

    channel: Channel
    group: Any
    place: int
    tokens: Sequence[slice]
    heads: Sequence[slice]

    def to_heads(self, *xs: Tensor) -> list[Tensor]:
        """Some tokens, all heads to all tokens, some heads: each B H n d -> B h N d, in one go."""
        b, _, n, d = xs[0].shape
        rows = [x.permute(2, 0, 1, 3) for x in xs]  #                        n B H d
        wide = len(xs) * b * d  # values of a token and a head
        counts = [n * (h.stop - h.start) * wide for h in self.heads]
        parts = [torch.cat([x[:, :, h] for x in rows], dim=1).view(-1) for h in self.heads]
        own = self.heads[self.place].stop - self.heads[self.place].start
        sizes = [(t.stop - t.start) * own * wide for t in self.tokens]
        out = self._all_to_all(torch.cat(parts), counts, sizes)
        out = out.view(self.tokens[-1].stop, len(xs) * b, own, d).permute(1, 2, 0, 3)
        return list(out.split(b))

    def to_tokens(self, x: Tensor) -> Tensor:
        """All tokens, some heads to some tokens, all heads: B h N d -> B H n d."""
        b, own, _, d = x.shape
        counts = [(t.stop - t.start) * b * own * d for t in self.tokens]
        mine = self.tokens[self.place]
        n = mine.stop - mine.start
        sizes = [n * b * (h.stop - h.start) * d for h in self.heads]
        out = self._all_to_all(x.permute(2, 0, 1, 3).reshape(-1), counts, sizes)
        parts = out.split(sizes)
        whole = torch.cat([part.view(n, b, -1, d) for part in parts], dim=2)  # n B H d
        return whole.permute(1, 2, 0, 3)

    def _all_to_all(self, sent: Tensor, counts: list[int], sizes: list[int]) -> Tensor:
        out = sent.new_empty(sum(sizes))
        with self.channel.answered():
            dist.all_to_all_single(out, sent, sizes, counts, group=self.group)
        return out
