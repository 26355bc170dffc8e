"""Where Wan's layers are in our transformer, by every name that files give them.

`models.wan` carries whole state dicts over. This is the same map layer by layer, both ways, for
files that change some layers: which rows of a fused layer are whose, and in which order.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from worldreel.models.dit import DiT
from worldreel.models.presets import DitPreset

_TURNED, _HEAD, PATCHES = "turned", "head", "patch"

# A layer as diffusers, Wan's own code and we name it; which part of our fused layer it is; how the
# order of our rows (of the patches: columns) differs.
_IN_BLOCK = (
    ("attn1.to_q", "self_attn.q", "self_attn.qkv", (0, 3), _TURNED),
    ("attn1.to_k", "self_attn.k", "self_attn.qkv", (1, 3), _TURNED),
    ("attn1.to_v", "self_attn.v", "self_attn.qkv", (2, 3), None),
    ("attn1.to_out.0", "self_attn.o", "self_attn.out", (0, 1), None),
    ("attn1.norm_q", "self_attn.norm_q", "self_attn.norm_q", (0, 1), _TURNED),
    ("attn1.norm_k", "self_attn.norm_k", "self_attn.norm_k", (0, 1), _TURNED),
    ("attn2.to_q", "cross_attn.q", "cross_attn.q", (0, 1), None),
    ("attn2.to_k", "cross_attn.k", "cross_attn.kv", (0, 2), None),
    ("attn2.to_v", "cross_attn.v", "cross_attn.kv", (1, 2), None),
    ("attn2.to_out.0", "cross_attn.o", "cross_attn.out", (0, 1), None),
    ("attn2.norm_q", "cross_attn.norm_q", "cross_attn.norm_q", (0, 1), None),
    ("attn2.norm_k", "cross_attn.norm_k", "cross_attn.norm_k", (0, 1), None),
    ("norm2", "norm3", "norm", (0, 1), None),
    ("ffn.net.0.proj", "ffn.0", "mlp_in", (0, 1), None),
    ("ffn.net.2", "ffn.2", "mlp_out", (0, 1), None),
)
_OUTSIDE = (
    ("condition_embedder.text_embedder.linear_1", "text_embedding.0", "text_in.0", None),
    ("condition_embedder.text_embedder.linear_2", "text_embedding.2", "text_in.2", None),
    ("condition_embedder.time_embedder.linear_1", "time_embedding.0", "level_in.0", None),
    ("condition_embedder.time_embedder.linear_2", "time_embedding.2", "level_in.2", None),
    ("condition_embedder.time_proj", "time_projection.1", "level_out", None),
    ("patch_embedding", "patch_embedding", "patch_in", PATCHES),
    ("proj_out", "head.head", "head", _HEAD),
)
_OWN = ("target_in.0", "target_in.2")  # layers that Wan has not


@dataclass(frozen=True, kw_only=True)
class Place:
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


def places(preset: DitPreset) -> tuple[dict[str, Place], dict[str, list[Place]]]:
    """Every layer of a transformer: by each name that Wan's has, and the parts of each of ours."""
    with torch.device("meta"):
        shapes = {k: tuple(v.shape) for k, v in DiT(preset).state_dict().items()}
    listed = [
        (f"blocks.{i}.{theirs}", f"blocks.{i}.{first}", f"blocks.{i}.{module}", part, order)
        for i in range(preset.layers)
        for theirs, first, module, part, order in _IN_BLOCK
    ]
    listed += [(theirs, first, module, (0, 1), order) for theirs, first, module, order in _OUTSIDE]
    listed += [(own, own, own, (0, 1), None) for own in _OWN if f"{own}.weight" in shapes]
    known: dict[str, Place] = {}
    parts: dict[str, list[Place]] = {}
    for theirs, first, module, (index, count), order in listed:
        rows, *columns = shapes[f"{module}.weight"]
        rows //= count
        place = Place(
            name=theirs, module=module, start=index * rows, shape=(rows, *columns),
            biased=f"{module}.bias" in shapes, order=order, heads=preset.heads, patch=preset.patch,
        )  # fmt: skip
        for name in (theirs, first):
            known[name] = known[name.replace(".", "_")] = place
        parts.setdefault(module, []).append(place)
    return known, parts
