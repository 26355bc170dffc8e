"""Weights in other people's files and the module they are for: held to each other, and read.

unread = Unread(module, source, places, kind)
unread.fill(module)                               all of them, now
unread.lay(module), unread.read(name)             each when it is asked for
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from worldreel.errors import CheckpointError
from worldreel.models.bits8 import Linear8, places8, rounded
from worldreel.models.wan_files import FETCH, Tensors
from worldreel.models.wan_names import Place
from worldreel.progress import Progress, silent


def check(module: nn.Module, source: Tensors, places: Mapping[str, Place]) -> None:
    """That files fill a module, name by name and shape by shape; nothing is read for it.

    places: for each name in the files, where it goes.
    """
    own = dict(module.named_parameters())
    filled: dict[str, set[int]] = {}
    for key, place in places.items():
        target, given = own.get(place.name), torch.empty(source.entries[key].shape, device="meta")
        if target is None:
            raise CheckpointError(f"{source.path} has {key!r}, for which the model has no place")
        try:
            turned = given if place.turn is None else place.turn(given)
        except (RuntimeError, ValueError):
            turned = given
        expected = (target.shape[0] // place.parts, *target.shape[1:])
        if turned.shape != expected:
            raise CheckpointError(
                f"{source.path} has {key!r} of {tuple(given.shape)}, which does not make the "
                f"{expected} that the model's config says: the two are of different models"
            )
        filled.setdefault(place.name, set()).add(place.part)
    parts = {place.name: place.parts for place in places.values()}
    lacking = [name for name in own if len(filled.get(name, ())) < parts.get(name, 1)]
    if lacking:
        raise CheckpointError(
            f"{source.path} lacks {len(lacking)} of the model's {len(own)} tensors, "
            f"{lacking[0]!r} first: {FETCH}"
        )


_MMAP_THRESHOLD = -3  # as malloc.h has it


class Unread:
    """A module's weights, in files, and where each goes; they are read when they are asked for.

    module: described alone ("meta"). kind: the type in which a tensor of ours is stored. A
    CheckpointError where the files do not fill it. change: what else becomes of a tensor, by its
    name. Layers that are put into 8 bits afterwards are said to `round`.
    """

    def __init__(
        self,
        module: nn.Module,
        source: Tensors,
        places: Mapping[str, Place],
        kind: Callable[[str], torch.dtype],
    ) -> None:
        check(module, source, places)
        self.source, self.kind = source, kind
        self.change: Callable[[str, Tensor], Tensor] | None = None
        self.eight: set[str] = set()
        self._own = dict(module.named_parameters())
        self._parts: dict[str, list[tuple[str, Place]]] = {name: [] for name in self._own}
        for key, place in places.items():
            self._parts[place.name].append((key, place))
        self._slots: dict[Tensor, str] = {}
        self._rounded: tuple[str, tuple[Tensor, Tensor]] | None = None

    def round(self, module: nn.Module) -> None:
        """Tell which of its layers are now in 8 bits."""
        layers = module.named_modules()
        self.eight = {name for name, layer in layers if isinstance(layer, Linear8)}

    def lay(self, module: nn.Module) -> None:
        """Give it parameters that have their sizes and take no room."""
        for name, own in list(module.named_parameters()):
            empty = torch.empty((), dtype=self._kind(name, own)).expand(own.shape)
            self._slots[_put(module, name, empty)] = name

    def fill(
        self, module: nn.Module, *, device: torch.device | str = "cpu", told: Progress = silent
    ) -> None:
        """Give it its weights, frozen.

        One tensor is read at a time and converted into its place, so that the peak is the model
        and that tensor.
        """
        names = [name for name, _ in module.named_parameters()]
        for n, name in enumerate(names):
            told("load", n, len(names))
            _put(module, name, self.read(name).to(device))
            if self.eight:  # what was read is twice what stays, and leaves gaps between it
                give_back()
        told("load", len(names), len(names))
        give_back()

    def name_of(self, slot: Tensor) -> str | None:
        """The name of a parameter that `lay` made, or None for any other tensor."""
        return self._slots.get(slot)

    @torch.no_grad()
    def read(self, name: str) -> Tensor:
        """One of our tensors, on the CPU; of a layer in 8 bits, its weight comes before its scale,
        for which nothing is then read."""
        layer, _, leaf = name.rpartition(".")
        if layer not in self.eight or leaf == "bias":
            return self._whole(name)
        if self._rounded is None or self._rounded[0] != layer:
            # what stays has its place before what is read for it, which then leaves no gap below
            rows, columns = self._own[f"{layer}.weight"].shape
            into = places8(rows, columns, "cpu")
            self._rounded = layer, rounded(self._whole(f"{layer}.weight"), into)
        whole, scale = self._rounded[1]
        if leaf == "scale":
            self._rounded = None
        return whole if leaf == "weight" else scale

    def _kind(self, name: str, own: Tensor) -> torch.dtype:
        layer, _, leaf = name.rpartition(".")
        return own.dtype if layer in self.eight and leaf != "bias" else self.kind(name)

    def _whole(self, name: str) -> Tensor:
        made = torch.empty_like(self._own[name], dtype=self.kind(name), device="cpu")
        for key, place in self._parts[name]:
            value = self.source.read(key)
            value = value if place.turn is None else place.turn(value)
            rows = len(value)
            made[rows * place.part : rows * (place.part + 1)].copy_(value)
        return made if self.change is None else self.change(name, made)


def give_back() -> None:
    """Give the system what was freed: glibc keeps it, as long as tensors are below 32 MiB."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def keep_nothing() -> None:
    """From now on, what this process frees goes back to the system at once.

    Tensors of more than 128 KiB get mappings of their own, whose pages are made anew each time:
    slower, and without the gaps that many sizes leave among each other.
    """
    option = _of_glibc("mallopt")
    if option is not None:
        option(_MMAP_THRESHOLD, 1 << 17)


@functools.cache
def _of_glibc(name: str) -> Callable[..., int] | None:
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):  # not glibc
        return None


def _put(module: nn.Module, name: str, value: Tensor) -> nn.Parameter:
    home, _, leaf = name.rpartition(".")
    parameter = nn.Parameter(value, requires_grad=False)
    setattr(module.get_submodule(home), leaf, parameter)
    return parameter
