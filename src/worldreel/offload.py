"""Networks, or blocks of one, that take turns on a device too small for all of them.

    turns = stream_blocks(dit, device)            a block is there while it works, and the next one
    turns = Turns([text, dit, vae], device)       one network at a time: turns.need(1)

Weights stay in main memory, pinned where there is CUDA, and copies of them go to the device just
before use, on a stream of their own while the one before still computes. Nothing is copied back:
weights do not change meanwhile, and come out as they went in. Merge LoRAs before.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from worldreel.models.dit import DiT


class Turns:
    """Modules in the order of their use, of which at most 1 + `ahead` are on the device.

    A module that is called, or any part of it, is brought there by itself; what is used otherwise
    (a method that is not `forward`, a buffer) is asked for by `need`. copies: how many modules were
    brought so far; most: how many were there at a time. As a context, all go home at the end.
    """

    def __init__(
        self, modules: Sequence[nn.Module], device: torch.device, *, ahead: int = 0
    ) -> None:
        assert modules and 0 <= ahead < len(modules)
        self.device, self.ahead = device, ahead
        self.copies = self.most = 0
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._homes = [_home(module, pinned=self._stream is not None) for module in modules]
        self._here: dict[int, tuple[list[Tensor], torch.cuda.Event | None]] = {}
        self._hooks: list[RemovableHandle] = []
        for index, module in enumerate(modules):
            for part in module.modules():
                hook = part.register_forward_pre_hook(lambda *_, i=index: self.need(i))
                self._hooks.append(hook)
        self._last = -1

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
        homes, event = self._homes[index], None
        if self._stream is None:
            copies = [home.to(self.device, copy=True) for _, home in homes]
        else:
            with torch.cuda.stream(self._stream):
                copies = [home.to(self.device, non_blocking=True) for _, home in homes]
            event = torch.cuda.Event()
            event.record(self._stream)
        self._here[index] = (copies, event)
        self.copies += 1
        self.most = max(self.most, len(self._here))

    def _use(self, index: int) -> None:
        """Put a module's weights in place; what is computed from now on waits for them."""
        copies, event = self._here[index]
        if event is not None:
            torch.cuda.current_stream(self.device).wait_event(event)
        for (slot, _), copy in zip(self._homes[index], copies, strict=True):
            slot.data = copy

    def _drop(self, indices: Sequence[int]) -> None:
        """Free modules' copies, when what is computed with them is done: else the next ones would
        be given memory of their own, and in the end all would be there at a time."""
        if indices and self._stream is not None:
            torch.cuda.current_stream(self.device).synchronize()
        for index in indices:
            for slot, home in self._homes[index]:
                slot.data = home
            del self._here[index]

    def close(self) -> None:
        """All weights at home again, and the modules as they were."""
        self._drop(list(self._here))
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._last = [], -1

    def __enter__(self) -> Turns:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def stream_blocks(model: DiT, device: torch.device) -> Turns:
    """Let a transformer run with two of its blocks on the device; all else of it goes there."""
    for child in model.children():
        if child is not model.blocks:
            child.to(device)
    for slot in itertools.chain(model.parameters(recurse=False), model.buffers(recurse=False)):
        slot.data = slot.data.to(device)
    return Turns(list(model.blocks), device, ahead=min(1, len(model.blocks) - 1))


def _home(module: nn.Module, *, pinned: bool) -> list[tuple[Tensor, Tensor]]:
    """A module's tensors, and where their numbers stay: in main memory."""
    slots = []
    for slot in itertools.chain(module.parameters(), module.buffers()):
        home = slot.data.cpu()
        slot.data = home.pin_memory() if pinned else home
        slots.append((slot, slot.data))
    return slots
