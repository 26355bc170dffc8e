"""Where Wan's layers are in our transformer, by every name that files give them.

`models.wan_names` has the names and how whole tensors are turned. This is the same map layer by
layer, both ways, for files that change some layers: which rows of a fused layer are whose, and in
which order.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from worldreel.models.dit import DiT
from worldreel.models.presets import DitPreset
from worldreel.models.wan_names import BLOCK_ROWS, ROWS, Turn, halves, head, patch

_TURNED, _HEAD, PATCHES = "turned", "head", "patch"
_ORDERS: dict[Turn | None, str] = {
    halves: _TURNED,
    head: _HEAD,
    patch: PATCHES,
}  # of our rows; of patches: of columns
_OWN = ("target_in.0", "target_in.2")  # layers that Wan has not


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer of Wan's in our transformer: `rows` of `module`, whose weight there is `shape`."""

    name: str  # diffusers' name of the layer
    module: str
    start: int
    shape: tuple[int, ...]  # (rows, columns), or (rows,) of a norm
    biased: bool
    order: str | None
    heads: int
    patch: int

    @property
    def rows(self) -> slice:
        return slice(self.start, self.start + self.shape[0])

    def ours(self, x: Tensor) -> Tensor:
        """Rows in the file's order to ours."""
        if self.order == _TURNED:
            return rearrange(x, "(h d two) ... -> (h two d) ...", h=self.heads, two=2)
        if self.order == _HEAD:
            return rearrange(x, "(p q c) ... -> (c p q) ...", p=self.patch, q=self.patch)
        return x

    def theirs(self, x: Tensor) -> Tensor:
        """Rows in our order to the file's."""
        if self.order == _TURNED:
            return rearrange(x, "(h two d) ... -> (h d two) ...", h=self.heads, two=2)
        if self.order == _HEAD:
            return rearrange(x, "(c p q) ... -> (p q c) ...", p=self.patch, q=self.patch)
        return x


def places(preset: DitPreset) -> tuple[dict[str, Layer], dict[str, list[Layer]]]:
    """Every layer of a transformer: by each name that Wan's has, and the parts of each of ours."""
    with torch.device("meta"):
        shapes = {k: tuple(v.shape) for k, v in DiT(preset).state_dict().items()}
    homes = [("", ROWS), *((f"blocks.{i}.", BLOCK_ROWS) for i in range(preset.layers))]
    listed = [
        (home + theirs, home + first, home + module, (part, count), _ORDERS.get(turn))
        for home, rows in [*homes[1:], homes[0]]
        for first, theirs, module, turn, part, count in rows
        if f"{home}{module}.weight" in shapes and not module.startswith("vace.")
    ]
    listed += [(own, own, own, (0, 1), None) for own in _OWN if f"{own}.weight" in shapes]
    known: dict[str, Layer] = {}
    parts: dict[str, list[Layer]] = {}
    for theirs, first, module, (index, count), order in listed:
        rows, *columns = shapes[f"{module}.weight"]
        rows //= count
        place = Layer(
            name=theirs, module=module, start=index * rows, shape=(rows, *columns),
            biased=f"{module}.bias" in shapes, order=order, heads=preset.heads, patch=preset.patch,
        )  # fmt: skip
        for name in (theirs, first):
            known[name] = known[name.replace(".", "_")] = place
        parts.setdefault(module, []).append(place)
    return known, parts
