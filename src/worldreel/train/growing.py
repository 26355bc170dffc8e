"""Growing: a trained transformer of fewer layers begins one of more, as the same function.

A layer that is doubled stands before a copy of itself whose three products that lead back into the
stream (self-attention's, cross-attention's, the MLP's) are zero. So the copy adds nothing at first,
and the grown network says what the small one said, to the bit; and its gradients are no copies of
its twin's: the zero products learn at once, what lies before them as soon as they are not zero
(LLaMA Pro, 2401.02415, which doubles blocks so too). Small first and deep later costs less than
deep from the start (Stacking, 2405.15319; 2511.04981).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from worldreel import checkpoint
from worldreel.errors import RequestError
from worldreel.models import presets
from worldreel.models.dit import DiT
from worldreel.models.presets import DitPreset

BACK = ("self_attn.out.", "cross_attn.out.", "mlp_out.")  # a block's ways back into the stream
FREE = {"layers", "target", "eps", "chunk", "predicts"}  # what may differ from the start's


def begin(model: DiT, folder: str) -> dict[str, Any]:
    """Give a model the weights of a folder, grown if it has more layers; what is told of them."""
    held = checkpoint.load(folder, kind="dit")
    old = presets.build(DitPreset, held.config)
    # weights that take no target begin to take one: as if it did not matter
    own = model.state_dict()
    fresh = {name: own[name] for name in own if name.startswith("target_in.")}
    try:
        checkpoint.apply(model, fresh | grown(held.tensors, old, model.preset))
    except RequestError as error:
        raise RequestError(f"start={folder}: {error}") from None
    told: dict[str, Any] = {"start": held.provenance}
    if old.layers < model.preset.layers:
        told["grown"] = order(old.layers, model.preset.layers)
    return told


def order(old: int, new: int) -> list[int]:
    """For each of the new layers, from first to last, the old one that it comes from.

    The first and the last stay single, where there are others; what is added is spread evenly over
    those between: 6 to 10 is 0 1 1 2 2 3 3 4 4 5.
    """
    middle = range(1, old - 1) if old > 2 else range(old)
    every, rest = divmod(new - old, len(middle))
    more = {middle[(2 * k + 1) * len(middle) // (2 * rest)] for k in range(rest)}
    return [i for i in range(old) for _ in range(1 + (every if i in middle else 0) + (i in more))]


def grown(tensors: Mapping[str, Tensor], old: DitPreset, new: DitPreset) -> dict[str, Tensor]:
    """Weights of `old` as weights of `new`, which may have more layers; a RequestError says what
    else differs. Without new layers they are as they were."""
    odd = [
        f"{name} {getattr(old, name)}, not {getattr(new, name)}"
        for name in (field.name for field in dataclasses.fields(DitPreset))
        if name not in FREE and getattr(old, name) != getattr(new, name)
    ]
    if odd:
        raise RequestError(f"these weights have {odd[0]}: they can grow in layers alone")
    if old.layers > new.layers:
        raise RequestError(
            f"these weights have {old.layers} layers, and the preset {new.layers}: they can grow, "
            "and not shrink"
        )
    if old.layers == new.layers:
        return dict(tensors)
    if new.control:
        raise RequestError("hints (control) follow layers by number: such weights cannot grow")
    return _stacked(tensors, order(old.layers, new.layers))


def _stacked(tensors: Mapping[str, Tensor], sources: Sequence[int]) -> dict[str, Tensor]:
    out = {name: value for name, value in tensors.items() if not name.startswith("blocks.")}
    for place, source in enumerate(sources):
        copy = place > 0 and sources[place - 1] == source
        start = f"blocks.{source}."
        for name in (name for name in tensors if name.startswith(start)):
            inner = name.removeprefix(start)
            value = tensors[name]
            zero = copy and inner.startswith(BACK)
            out[f"blocks.{place}.{inner}"] = value.new_zeros(value.shape) if zero else value
    return out
