"""Networks, or blocks of one, that take turns on a device too small for all of them.

    turns = Turns([text, dit, vae], device)       one network at a time: turns.need(1)
    turns = stream_blocks(dit, device)            a block is there while it works, and the next one
    turns = turns_of(way, text, vae, dits, device, unread)            as a plan has chosen

Weights stay at home: in main memory, pinned where there is CUDA, or in their files (`Unread`).
Copies of them go to the device just before use, the next block's on a stream (and, from files, in a
thread) of their own while the one before still computes. Nothing is copied back: weights do not
change meanwhile, and come out as they went in. Merge LoRAs before, or while they are read.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from worldreel.models.dit import DiT
from worldreel.models.unread import Unread, give_back


@dataclass(frozen=True, kw_only=True)
class Way:
    """How to run in less memory.

    freed: the text encoder is there while it reads, and nothing else. in_turn: one network is there
    at a time. at_once: latents that are encoded or decoded together, None for as many as is good.
    by_layers: the text encoder's blocks are there one at a time; streamed: so are the
    transformer's, and `ahead` more. bits8: the transformer's blocks are in 8 bits. tile: pictures
    are decoded in squares of so many latents.
    """

    freed: bool = False
    in_turn: bool = False
    at_once: int | None = None
    by_layers: bool = False
    streamed: bool = False
    ahead: int = 1
    bits8: bool = False
    tile: int | None = None


RESIDENT = Way()

# What each network may do when they take turns, from the cheapest on: a latent at a time costs
# little, and the text encoder's layers are needed once; streaming costs a transfer of all weights a
# forward; 8 bits change the frames, and tiles the places where they meet.
_STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("decoded latent by latent", {"at_once": 1}),
    ("text encoder by layers", {"by_layers": True}),
    ("blocks streamed", {"streamed": True}),
    ("weights in 8 bits", {"bits8": True}),
    ("decoded in tiles", {"at_once": 1, "tile": 32}),
)


def ways(device: torch.device, *, bits8: bool = False) -> dict[str, Way]:
    """The ways there are on a device, in the order of preference. bits8: of those in 8 bits.

    On a CPU a block in 8 bits is as large, while it is read, as it is without; and to read the next
    one meanwhile would hold two, and be no faster.
    """
    slow = device.type == "cpu"
    base = Way(bits8=bits8, ahead=0 if slow else 1)
    made = {"all resident": base, "text encoder freed after use": replace(base, freed=True)}
    turns = replace(base, freed=True, in_turn=True)
    for chosen in range(1 << len(_STEPS)):  # as a binary number: what costs most counts most
        steps = [step for i, step in enumerate(_STEPS) if chosen >> i & 1]
        names, changes = [name for name, _ in steps], dict[str, Any]()
        for _, change in steps:
            changes |= change
        twice = "at_once" in changes and names[0] == _STEPS[0][0] and "tile" in changes
        if twice or changes.get("bits8") and (bits8 or slow or not changes.get("streamed")):
            continue
        made["; ".join(names) or "one network at a time"] = replace(turns, **changes)
    return made


class Turns:
    """Modules in the order of their use, of which at most 1 + `ahead` are on the device.

    A module that is called, or any part of it, is brought there by itself; what is used otherwise
    (a method that is not `forward`, a buffer) is asked for by `need`. unread: of weights that are
    in files. inner: turns of the parts of a module, by its place; the rest of it is there while it
    has its turn. copies: how many modules were brought so far; most: how many were there at a time.
    As a context, all go home at the end.
    """

    def __init__(
        self,
        modules: Sequence[nn.Module],
        device: torch.device,
        *,
        ahead: int = 0,
        unread: Sequence[Unread] = (),
        inner: Mapping[int, Sequence[Turns]] | None = None,
    ) -> None:
        assert modules and 0 <= ahead < len(modules)
        self.device, self.ahead = device, ahead
        self.copies = self.most = 0
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._inner = {} if inner is None else dict(inner)
        parted = {slot for turns in self._inner.values() for t in turns for slot in t.slots}
        pinned = self._stream is not None
        self._homes = [_home(module, parted, unread, pinned=pinned) for module in modules]
        self._filed = any(home.read is not None for homes in self._homes for home in homes)
        self._reader = ThreadPoolExecutor(1) if self._filed and ahead else None
        self._here: dict[int, Future[_Copies]] = {}
        self._hooks: list[RemovableHandle] = []
        for index, module in enumerate(modules):
            for part in module.modules():
                hook = part.register_forward_pre_hook(lambda *_, i=index: self.need(i))
                self._hooks.append(hook)
        self._last = -1

    @property
    def slots(self) -> list[Tensor]:
        """The tensors that come and go."""
        return [home.slot for homes in self._homes for home in homes]

    def need(self, index: int) -> None:
        """Have a module on the device now, and those after it on their way."""
        if index == self._last:
            return
        wanted = [(index + i) % len(self._homes) for i in range(1 + self.ahead)]
        self._drop([i for i in self._here if i not in wanted])
        for i in wanted:
            if i not in self._here:
                self._bring(i)
        self._use(index)
        self._last = index

    def _bring(self, index: int) -> None:
        """Begin to copy a module's weights."""
        homes = self._homes[index]
        if self._reader is None:
            self._here[index] = Future()
            self._here[index].set_result(self._copied(homes))
        else:
            self._here[index] = self._reader.submit(self._copied, homes)
        self.copies += 1
        self.most = max(self.most, len(self._here))

    def _copied(self, homes: Sequence[_Home]) -> _Copies:
        if self._stream is None:
            return [home.at(self.device) for home in homes], None
        with torch.cuda.stream(self._stream):
            copies = [home.at(self.device) for home in homes]
        event = torch.cuda.Event()
        event.record(self._stream)
        return copies, event

    def _use(self, index: int) -> None:
        """Put a module's weights in place; what is computed from now on waits for them."""
        copies, event = self._here[index].result()
        if event is not None:
            torch.cuda.current_stream(self.device).wait_event(event)
        for home, copy in zip(self._homes[index], copies, strict=True):
            home.slot.data = copy

    def _drop(self, indices: Sequence[int]) -> None:
        """Free modules' copies, when what is computed with them is done: else the next ones would
        be given memory of their own, and in the end all would be there at a time."""
        if indices and self._stream is not None:
            torch.cuda.current_stream(self.device).synchronize()
        for index in indices:
            for turns in self._inner.get(index, ()):
                turns.rest()
            self._here.pop(index).result()
            for home in self._homes[index]:
                home.slot.data = home.kept
        if indices and self._filed and self._stream is None:
            give_back()

    def rest(self) -> None:
        """All weights at home; they come again when they are needed."""
        self._drop(list(self._here))
        self._last = -1

    def close(self) -> None:
        """All weights at home again, and the modules as they were."""
        self.rest()
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        if self._reader is not None:
            self._reader.shutdown()
        for turns in itertools.chain(*self._inner.values()):
            turns.close()

    def __enter__(self) -> Turns:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def stream_blocks(model: DiT, device: torch.device) -> Turns:
    """Let a transformer run with two of its blocks on the device; all else of it goes there."""
    blocks = model.all_blocks
    turns = _blocks(blocks, device, 1, ())
    parted = set(turns.slots)
    for slot in itertools.chain(model.parameters(), model.buffers()):
        if slot not in parted:
            slot.data = slot.data.to(device)
    return turns


def turns_of(
    way: Way,
    text: nn.Module,
    vae: nn.Module,
    dits: Sequence[DiT],
    device: torch.device,
    unread: Sequence[Unread] = (),
) -> Turns | None:
    """What comes and goes in a way to run: place 0 is the text encoder, 1 the autoencoder or the
    place where all others are, 2 and 3 the transformers. None: all is there, which is the caller's
    to see to."""
    if not way.freed:
        return None
    inner: dict[int, list[Turns]] = {}
    layers = getattr(text, "layers", ())
    if way.by_layers and len(layers) > 1:
        inner[0] = [_blocks(list(layers), device, way.ahead, unread)]
    if way.streamed:
        for place, dit in enumerate(dits, 2):
            inner[place] = [_blocks(dit.all_blocks, device, way.ahead, unread)]
    rest = [vae, *dits] if way.in_turn else [nn.ModuleList([vae, *dits])]
    return Turns([text, *rest], device, unread=unread, inner=inner)


def _blocks(
    blocks: Sequence[nn.Module], device: torch.device, ahead: int, unread: Sequence[Unread]
) -> Turns:
    return Turns(blocks, device, ahead=min(ahead, len(blocks) - 1), unread=unread)


_Copies = tuple[list[Tensor], torch.cuda.Event | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Home:
    """A module's tensor, what stands in its place meanwhile, and how it is read where that is no
    tensor but a description of one."""

    slot: Tensor
    kept: Tensor
    read: Callable[[], Tensor] | None = None

    def at(self, device: torch.device) -> Tensor:
        """A copy on a device, begun on its current stream."""
        if self.read is None:
            return self.kept.to(device, non_blocking=True, copy=True)
        value = self.read()
        return value if device.type == "cpu" else value.pin_memory().to(device, non_blocking=True)


def weights_of(module: nn.Module, unread: Sequence[Unread]) -> Iterator[tuple[str, Tensor]]:
    """A module's tensors and their names, read one by one where they are in files."""
    for name, slot in itertools.chain(module.named_parameters(), module.named_buffers()):
        source = next((u for u in unread if u.name_of(slot) is not None), None)
        yield name, slot if source is None else source.read(name)


def _home(
    module: nn.Module, parted: set[Tensor], unread: Sequence[Unread], *, pinned: bool
) -> list[_Home]:
    """Where a module's tensors stay, but for those of its parts that have turns of their own."""
    homes = []
    for slot in itertools.chain(module.parameters(), module.buffers()):
        if slot in parted:
            continue
        found = next(((u, name) for u in unread if (name := u.name_of(slot)) is not None), None)
        if found is not None:
            source, name = found
            reads = _reading(source, name)
            homes.append(_Home(slot=slot, kept=slot.data, read=reads))
            continue
        kept = slot.data.cpu()
        slot.data = kept.pin_memory() if pinned else kept
        homes.append(_Home(slot=slot, kept=slot.data))
    return homes


def _reading(source: Unread, name: str) -> Callable[[], Tensor]:
    return lambda: source.read(name)
