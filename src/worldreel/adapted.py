"""A transformer with LoRAs: written into its weights, or kept beside them.

    with merge(dit, [(style, 0.8), (fast, 1.0)]):   no cost per step
        ...
    beside = attach(dit, [(style, 0.8)])            no copy of a weight; a little work per layer
    beside.undo()

The model does not know. What was computed before with other weights (words that were read, what is
kept) does not change by itself: read the words anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from worldreel.errors import CheckpointError, RequestError
from worldreel.lora import Delta, Lora
from worldreel.models.dit import DiT

Weighted = Sequence[tuple[Lora, float]]  # LoRAs and their strengths; 1 is as it was trained
Changes = dict[str, list[tuple[Delta, float]]]  # by the name of our tensor


@dataclass(kw_only=True, eq=False)
class Adapted:
    """What was changed in a model, and the way back. As a context it goes back at the end."""

    model: DiT
    changes: Changes
    originals: dict[str, Tensor] | None  # None: not kept
    hooks: list[RemovableHandle] = field(default_factory=list)

    @torch.no_grad()
    def undo(self) -> None:
        """Take the LoRAs out again: every weight is what it was, bit for bit.

        A RequestError where the originals were not kept, or the weights were changed since.
        """
        if self.originals is None:
            raise RequestError(
                "this LoRA was merged for good, without the weights of before: load the model "
                "again to be rid of it"
            )
        own = self.model.state_dict()
        for name, original in self.originals.items():
            made = _changed(original.to(own[name].device), self.changes[name])
            if not torch.equal(made, own[name]):
                raise RequestError(
                    f"{name} was changed after this LoRA was merged: undo what came later first"
                )
        for name, original in self.originals.items():
            own[name].copy_(original)
        for hook in self.hooks:
            hook.remove()
        self.originals, self.hooks = {}, []

    def __enter__(self) -> Adapted:
        return self

    def __exit__(self, *_: object) -> None:
        self.undo()


@torch.no_grad()
def merge(model: DiT, loras: Weighted, *, keep: bool = True) -> Adapted:
    """Write LoRAs into a transformer's weights.

    All are added up in fp32 and rounded once. keep: copies of what was there stay in main memory,
    for `undo`. A CheckpointError, before anything is changed, where one does not fit.
    """
    changes = _changes(model, loras)
    own = model.state_dict()
    originals = {name: own[name].to("cpu", copy=True) for name in changes} if keep else None
    for name, parts in changes.items():
        own[name].copy_(_changed(own[name], parts))
    return Adapted(model=model, changes=changes, originals=originals)


def changing(model: DiT, loras: Weighted) -> Callable[[str, Tensor], Tensor]:
    """What LoRAs make of a tensor of a transformer that is described alone, by the tensor's name:
    as `merge`, for weights that are yet to be read."""
    changes = _changes(model, loras)
    return lambda name, read: _changed(read, changes[name]) if name in changes else read


def attach(model: DiT, loras: Weighted) -> Adapted:
    """Let LoRAs run beside a transformer's layers: its matrices stay as they are.

    Vectors (norms, biases) and changes of full rank are merged, since nothing in them is smaller.
    """
    changes = _changes(model, loras)
    low: Changes = {}
    for name, parts in changes.items():
        thin = [(delta, strength) for delta, strength in parts if delta.down is not None]
        if thin and name.endswith(".weight"):
            low[name.removesuffix(".weight")] = thin
    rest = [
        (replace(lora, deltas=tuple(replace(d, down=None, up=None) for d in lora.deltas)), strength)
        for lora, strength in loras
    ]
    adapted = merge(model, rest)
    layers = dict(model.named_modules())
    for module, parts in low.items():
        layer = layers[module]
        assert isinstance(layer, nn.Linear)
        adapted.hooks.append(layer.register_forward_hook(_Path(layer, parts)))
    return adapted


def _changes(model: DiT, loras: Weighted) -> Changes:
    """Which tensors change, and by what; LoRAs for another preset are refused."""
    own = model.state_dict()
    changes: Changes = {}
    for lora, strength in loras:
        if not math.isfinite(strength):
            raise RequestError(
                f"{lora.name} at a strength of {strength}: give a number such as 0.8"
            )
        for delta in lora.deltas:
            place = delta.place
            weight = own.get(f"{place.module}.weight")
            rows = () if weight is None else weight[place.rows].shape
            if weight is None or tuple(rows) != place.shape:
                raise CheckpointError(
                    f"{lora.name} was loaded for another transformer: it changes {place.module} as"
                    f" {place.shape} where this one has {tuple(rows)}"
                )
            if not weight.is_floating_point() or weight.itemsize < 2:
                raise CheckpointError(
                    f"{place.module} is stored as {weight.dtype}, to which nothing can be added:"
                    " apply the LoRA before the weights are quantised"
                )
            if delta.down is not None or delta.diff is not None:
                changes.setdefault(f"{place.module}.weight", []).append((delta, strength))
            if delta.bias is not None:
                only = replace(delta, down=None, up=None, diff=delta.bias, bias=None)
                changes.setdefault(f"{place.module}.bias", []).append((only, strength))
    return changes


def _changed(tensor: Tensor, parts: Sequence[tuple[Delta, float]]) -> Tensor:
    """A tensor with its changes added, in fp32 or better, rounded once."""
    wide = torch.promote_types(tensor.dtype, torch.float32)
    total = tensor.to(wide, copy=True)
    for delta, strength in parts:
        rows = total[delta.place.rows]
        if delta.down is not None and delta.up is not None:
            up, down = delta.up.to(rows), delta.down.to(rows)
            rows += (strength * delta.scale) * (up @ down)
        if delta.diff is not None:
            rows += strength * delta.diff.to(rows)
    return total.to(tensor.dtype)


class _Path:
    """A hook that adds the low-rank path of a layer: all its LoRAs as one pair of matrices."""

    def __init__(self, layer: nn.Linear, parts: Sequence[tuple[Delta, float]]) -> None:
        self.down = torch.cat([d.down.float() for d, _ in parts if d.down is not None])  # R columns
        self.up = torch.zeros(layer.out_features, len(self.down))  #                       rows R
        at = 0
        for delta, strength in parts:
            assert delta.up is not None
            scaled = strength * delta.scale * delta.up.float()
            self.up[delta.place.rows, at : at + delta.rank] = scaled
            at += delta.rank
        self.near = (self.down, self.up)  # where, and in what numbers, the layer computes

    def __call__(self, _: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        x = inputs[0]
        if self.near[0].device != x.device or self.near[0].dtype != x.dtype:
            self.near = (self.down.to(x), self.up.to(x))
        return output + functional.linear(functional.linear(x, self.near[0]), self.near[1])
