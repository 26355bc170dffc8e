"""Several processes that paint one video: the first makes it, the others lend a hand.

    with Team(parallel.start()) as team:          in every process that torchrun started
        engine = load("wan2.1", team=team)        comes back in the first alone
        engine.generate("a fox in the snow")

The first runs as if it were alone: it reads, samples, guides, decodes, writes and speaks. Where it
calls a transformer, the others, which hold the same weights, take part: a batch's clips, which
guidance's two branches are, are divided over rows of ranks, and a clip's tokens over the columns of
a row, whose attention trades tokens for heads (`parallel.Exchange`). The model does not know.

Shapes: B batch, N tokens, H heads, C channels, d width of a head; n and h a rank's share.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from worldreel.errors import RequestError, WorldreelError
from worldreel.models.attention import SelfAttention
from worldreel.models.dit import DiT, Read
from worldreel.models.presets import DitPreset
from worldreel.parallel import Channel, Exchange, Ranks, mapped, shares
from worldreel.plan import said

Call = dict[str, Any]  # of a transformer: its arguments by name
Project = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]  # B N D -> B H N d, three times
Merge = Callable[[Tensor], Tensor]  # B H N d -> B N D
Load = Callable[..., list[DiT]]  # of a model, `dtype` and `loras`: `loading.transformers`

_BY_TOKEN = ("x", "which", "control")  # B N ...; all others of a call are whole in every column


@dataclass(frozen=True, kw_only=True)
class Split:
    """Ranks in rows and columns: clips over the rows, each one's tokens and heads over columns."""

    size: int
    rows: int
    columns: int

    @property
    def idle(self) -> int:
        """Ranks that have nothing to do."""
        return self.size - self.rows * self.columns


def split_of(size: int, *, batch: int, tokens: int, heads: int) -> Split:
    """How so many ranks divide a batch: by clips first, which say nothing to each other."""
    rows = math.gcd(size, batch)
    most = max(1, min(tokens, heads))
    columns = max(c for c in range(1, most + 1) if size // rows % c == 0)
    return Split(size=size, rows=rows, columns=columns)


def check(size: int, preset: DitPreset, name: str) -> None:
    """A RequestError where some of so many processes would have nothing to do."""

    def works(count: int) -> bool:
        return not split_of(count, batch=2, tokens=count, heads=preset.heads).idle

    if not works(size):
        able = ", ".join(str(n) for n in range(1, 2 * preset.heads + 1) if works(n))
        raise RequestError(
            f"{size} processes cannot share {name}: its attention has {preset.heads} heads, and"
            f" guidance two branches; start {able} of them"
        )


@dataclass(frozen=True, kw_only=True)
class Division:
    """Who does what in a step, and what it sends: `--plan` of several processes."""

    split: Split
    guided: bool
    tokens: int
    heads: int
    sent: int  # bytes, by the rank that sends most, in a step

    @staticmethod
    def of(
        size: int, preset: DitPreset, *, tokens: int, guided: bool, dtype: torch.dtype
    ) -> Division:
        batch = 2 if guided else 1
        split = split_of(size, batch=batch, tokens=tokens, heads=preset.heads)
        wide, most = preset.dim // preset.heads, 0
        own = shares(preset.heads, split.columns)
        for part, heads in zip(shares(tokens, split.columns), own, strict=True):
            n, h = part.stop - part.start, heads.stop - heads.start
            away = 3 * n * (preset.heads - h) + (tokens - n) * h  # q, k and v, and what they gave
            most = max(most, away * wide)
        layers = preset.layers + len(preset.control)
        return Division(
            split=split,
            guided=guided,
            tokens=tokens,
            heads=preset.heads,
            sent=most * layers * dtype.itemsize * (batch // split.rows),
        )

    def to_json(self) -> dict[str, Any]:
        s = self.split
        tokens, heads = shares(self.tokens, s.columns), shares(self.heads, s.columns)
        branches = ["with the prompt", "without it"] if self.guided else ["with the prompt"]
        ranks = []
        for rank in range(s.size):
            row, column = divmod(rank, s.columns)
            told: dict[str, Any] = {"rank": rank, "branches": [], "tokens": None, "heads": None}
            if row < s.rows:
                t, h = tokens[column], heads[column]
                told["branches"] = branches[shares(len(branches), s.rows)[row]]
                told |= {"tokens": [t.start, t.stop], "heads": [h.start, h.stop]}
            ranks.append(told)
        rest = {"rows": s.rows, "columns": s.columns, "sent": self.sent, "ranks": ranks}
        return {"processes": s.size, **rest}

    def table(self) -> str:
        lines = [f"{self.split.size} processes, each with all weights of the transformer:"]
        for told in self.to_json()["ranks"]:
            if told["tokens"] is None:
                lines.append(f"  {told['rank']}: nothing to do")
                continue
            (a, b), (c, d) = told["tokens"], told["heads"]
            lines.append(
                f"  {told['rank']}: {' and '.join(told['branches'])}; tokens {a:,} to {b:,};"
                f" in attention heads {c} to {d} of all"
            )
        lines[1] += "; and all else"
        lines.append(f"  each sends up to {said(self.sent)} a step in attention")
        return "\n".join(lines)


class Team:
    """The processes that paint together; as a context, in which they are one. Alone, it is none."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self.channel = Channel(ranks) if ranks.size > 1 else None
        self._dits: Sequence[DiT] = ()  # that are shared
        self._held: dict[int, list[Any]] = {}  # by transformer: the words and context of last time

    @property
    def pairs(self) -> bool:
        """Whether guidance's branches are to be one batch, for two halves of the team."""
        return self.ranks.size % 2 == 0

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        """The first lets the others go, unless one of them is gone already."""
        if self.ranks.first and self.channel is not None and self.channel.whole:
            with contextlib.suppress(WorldreelError):  # interrupted, they are gone
                self.channel.tell(None)
        self.ranks.close()

    # The first's side.

    def begin(self, load: Load, **what: Any) -> None:
        """Have the others load a model: what `load` is asked.

        In them it does not return: they lend a hand, and end with the team.
        """
        if not self.ranks.first:
            self.lend(load)
            raise SystemExit(0)
        for dit in self._dits:  # the others let go of these
            del dit.forward
        self._dits = ()
        self._held.clear()
        if self.channel is not None:
            self.channel.tell(what)

    def share(self, dits: Sequence[DiT], name: str) -> None:
        """From now on a call of these is the work of all; those of `begin`, in their order."""
        check(self.ranks.size, dits[0].preset, name)
        if self.channel is None:
            return
        self._dits = dits
        for index, dit in enumerate(dits):
            dit.forward = self._shared(index, dit)

    def _shared(self, index: int, dit: DiT) -> Callable[..., Tensor]:
        plain, names = dit.forward, inspect.signature(dit.forward)
        channel = self.channel
        assert channel is not None

        def forward(*args: Any, **kwargs: Any) -> Tensor:
            call = names.bind(*args, **kwargs).arguments
            assert call.get("through") is None and not torch.is_grad_enabled()
            told = dict(call)
            seen = [*call["words"], call.get("context")]
            last = self._held.get(index, [])
            if len(last) == len(seen) and all(a() is b for a, b in zip(last, seen, strict=True)):
                del told["words"]
                told.pop("context", None)
            self._held[index] = [_reference(one) for one in seen]
            channel.tell({"index": index, "call": told})
            try:
                return self._gathered(plain, dit, call)
            except BaseException:
                channel.whole = False  # the others are in the midst of it
                raise

        return forward

    def _gathered(self, plain: Callable[..., Tensor], dit: DiT, call: Call) -> Tensor:
        """The velocity B N C of a call, of what each rank made of its share."""
        assert self.channel is not None
        split, (b, n) = self._split(dit, call), call["x"].shape[:2]
        own = self._part(plain, dit, call, split)
        assert own is not None
        out = own.new_empty(b, n, own.shape[-1])
        clips, tokens = shares(b, split.rows), shares(n, split.columns)
        for rank in range(split.rows * split.columns):
            place = out[clips[rank // split.columns], tokens[rank % split.columns]]
            place.copy_(self.channel.take(rank, own, place.shape) if rank else own)
        return out

    # The others' side.

    @torch.inference_mode()
    def lend(self, load: Load) -> None:
        """Work for the first until it lets go."""
        assert self.channel is not None and not self.ranks.first
        dits: list[DiT] = []
        held: dict[int, Call] = {}
        while (order := self.channel.hear()) is not None:
            if "index" not in order:
                held.clear()
                dits = []  # the earlier ones go first
                dits = [dit.to(self.ranks.device) for dit in load(**order)]
                continue
            index: int = order["index"]
            call: Call = order["call"]
            if "words" in call:
                held[index] = {name: call.get(name) for name in ("words", "context")}
            call |= held[index]
            dit: DiT = dits[index]
            out = self._part(dit, dit, call, self._split(dit, call))
            if out is not None:
                self.channel.hand(out)

    # Everybody's.

    def _split(self, dit: DiT, call: Call) -> Split:
        batch, tokens = call["x"].shape[:2]
        return split_of(self.ranks.size, batch=batch, tokens=tokens, heads=dit.preset.heads)

    def _part(
        self, run: Callable[..., Tensor], dit: DiT, call: Call, split: Split
    ) -> Tensor | None:
        """Our share of a call, b n C; None where we have none."""
        assert self.channel is not None
        columns = split.columns
        group = self.channel.column(columns)
        row, column = divmod(self.ranks.rank, columns)
        if row >= split.rows:
            return None
        clips = shares(len(call["x"]), split.rows)[row]
        tokens = shares(call["x"].shape[1], columns)
        heads = shares(dit.preset.heads, columns)
        mine = mapped(call, Tensor, lambda x: x[clips])
        for name in _BY_TOKEN:
            if mine.get(name) is not None:
                mine[name] = mine[name][:, tokens[column]]
        mine["words"] = _read_by(mine["words"], tokens[column])
        if columns == 1:
            return run(**mine)
        if (context := mine.get("context")) is not None:
            keys, values = ([x[:, heads[column]] for x in held]
                            for held in (context.keys, context.values))  # fmt: skip
            mine["context"] = replace(context, keys=keys, values=values)
        exchange = Exchange(
            channel=self.channel, group=group, place=column, tokens=tokens, heads=heads
        )
        with exchanged(dit, exchange):
            return run(**mine)


@contextlib.contextmanager
def exchanged(dit: DiT, exchange: Exchange) -> Iterator[None]:
    """Let a transformer's self-attention see all tokens with some heads, for the time of a call.

    What lies between `project` and `merge` (rotation, what is kept, rings) is given all positions
    and need not know.
    """
    layers: list[Any] = [part for part in dit.modules() if isinstance(part, SelfAttention)]
    for layer in layers:
        layer.project, layer.merge = _around(layer.project, layer.merge, exchange)
    try:
        yield
    finally:
        for layer in layers:
            del layer.project, layer.merge


def _around(project: Project, merge: Merge, exchange: Exchange) -> tuple[Project, Merge]:
    def to_heads(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = exchange.to_heads(*project(x))
        return q, k, v

    return to_heads, lambda x: merge(exchange.to_tokens(x))


def _read_by(words: Sequence[Read], tokens: slice) -> list[Read]:
    """Words as a span of the painted tokens reads them."""
    out, start = [], 0
    for read in words:
        if read.tokens is None:
            out.append(read)
            continue
        stop = start + read.tokens
        inside = min(stop, tokens.stop) - max(start, tokens.start)
        if inside > 0:
            out.append(replace(read, tokens=inside))
        start = stop
    return out


def _reference(one: Any) -> Callable[[], Any]:
    """A way to what may be gone by then."""
    return (lambda: None) if one is None else weakref.ref(one)
