"""Weights in other people's files and the module they are for: held to each other, and read.

unread = Unread(module, source, places, kind)
unread.fill(module)                               all of them, now
unread.lay(module), unread.read(name)             each when it is asked for
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from worldreel.errors import CheckpointError
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


class Unread:
    """A module's weights, in files, and where each goes; they are read when they are asked for.

    module: described alone ("meta"). kind: the type in which a tensor of ours is stored. change:
    what else becomes of a tensor, by its name. A CheckpointError where the files do not fill it.
    """

    def __init__(
        self,
        module: nn.Module,
        source: Tensors,
        places: Mapping[str, Place],
        kind: Callable[[str], torch.dtype],
        change: Callable[[str, Tensor], Tensor] | None = None,
    ) -> None:
        check(module, source, places)
        self.source, self.kind, self.change = source, kind, change
        self._own = dict(module.named_parameters())
        self._parts: dict[str, list[tuple[str, Place]]] = {name: [] for name in self._own}
        for key, place in places.items():
            self._parts[place.name].append((key, place))
        self._slots: dict[Tensor, str] = {}

    def lay(self, module: nn.Module) -> nn.Module:
        """Give it parameters that have their sizes and take no room."""
        for name, own in self._own.items():
            empty = torch.empty((), dtype=self.kind(name)).expand(own.shape)
            self._slots[_put(module, name, empty)] = name
        return module

    def name_of(self, slot: Tensor) -> str | None:
        """The name of a parameter that `lay` made, or None for any other tensor."""
        return self._slots.get(slot)

    @torch.no_grad()
    def read(self, name: str) -> Tensor:
        """One of our tensors, on the CPU."""
        made = torch.empty_like(self._own[name], dtype=self.kind(name), device="cpu")
        for key, place in self._parts[name]:
            value = self.source.read(key)
            value = value if place.turn is None else place.turn(value)
            rows = len(value)
            made[rows * place.part : rows * (place.part + 1)].copy_(value)
        return made if self.change is None else self.change(name, made)

    def fill(
        self, module: nn.Module, *, device: torch.device | str = "cpu", told: Progress = silent
    ) -> None:
        """Give a module all of its weights, frozen.

        One tensor is read at a time and converted into its place, so that the peak is the model
        and that tensor.
        """
        for n, name in enumerate(self._own):
            told("load", n, len(self._own))
            _put(module, name, self.read(name).to(device))
        told("load", len(self._own), len(self._own))


def _put(module: nn.Module, name: str, value: Tensor) -> nn.Parameter:
    home, _, leaf = name.rpartition(".")
    parameter = nn.Parameter(value, requires_grad=False)
    setattr(module.get_submodule(home), leaf, parameter)
    return parameter
