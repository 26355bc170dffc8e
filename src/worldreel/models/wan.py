"""Public Wan weights in our classes: which of their tensors is which of ours.

Names are those of the diffusers layout. Two things differ beside names. Wan rotates neighbouring
channels of a head and we rotate halves, so the rows of q and k (and their norms) are permuted
within each head, which changes no attention score. And Wan's head orders a patch's outputs as
(row, column, channel), ours as (channel, row, column).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from worldreel.errors import CheckpointError
from worldreel.models.presets import DitPreset

_NAMES = (
    (r"condition_embedder\.text_embedder\.linear_1\.(.*)", r"text_in.0.\1"),
    (r"condition_embedder\.text_embedder\.linear_2\.(.*)", r"text_in.2.\1"),
    (r"condition_embedder\.time_embedder\.linear_1\.(.*)", r"level_in.0.\1"),
    (r"condition_embedder\.time_embedder\.linear_2\.(.*)", r"level_in.2.\1"),
    (r"condition_embedder\.time_proj\.(.*)", r"level_out.\1"),
    (r"scale_shift_table", r"table"),
    (r"proj_out\.(.*)", r"head.\1"),
    (r"blocks\.(\d+)\.scale_shift_table", r"blocks.\1.table"),
    (r"blocks\.(\d+)\.norm2\.(.*)", r"blocks.\1.norm.\2"),
    (r"blocks\.(\d+)\.attn1\.to_out\.0\.(.*)", r"blocks.\1.self_attn.out.\2"),
    (r"blocks\.(\d+)\.attn2\.to_out\.0\.(.*)", r"blocks.\1.cross_attn.out.\2"),
    (r"blocks\.(\d+)\.attn2\.to_q\.(.*)", r"blocks.\1.cross_attn.q.\2"),
    (r"blocks\.(\d+)\.attn2\.norm_([qk])\.weight", r"blocks.\1.cross_attn.norm_\2.weight"),
    (r"blocks\.(\d+)\.ffn\.net\.0\.proj\.(.*)", r"blocks.\1.mlp_in.\2"),
    (r"blocks\.(\d+)\.ffn\.net\.2\.(.*)", r"blocks.\1.mlp_out.\2"),
)
_FUSED = re.compile(r"blocks\.(\d+)\.(attn1\.to_[qkv]|attn2\.to_[kv])\.(weight|bias)")
_TURNED = re.compile(r"blocks\.(\d+)\.attn1\.norm_([qk])\.weight")


def preset_of(config: Mapping[str, Any]) -> DitPreset:
    """Our preset for a `WanTransformer3DModel` config; what is not supported is named."""
    odd = {
        "image_dim": None, "added_kv_proj_dim": None, "pos_embed_seq_len": None,
        "cross_attn_norm": True, "qk_norm": "rms_norm_across_heads",
    }  # fmt: skip
    for key, expected in odd.items():
        if config.get(key, expected) != expected:
            raise CheckpointError(f"Wan weights with {key}={config[key]!r} are not supported yet")
    patch = tuple(config["patch_size"])
    if patch[0] != 1 or patch[1] != patch[2]:
        raise CheckpointError(f"a patch of {patch} is not supported: expected (1, p, p)")
    return DitPreset(
        channels=config["in_channels"],
        out_channels=config["out_channels"],
        dim=config["num_attention_heads"] * config["attention_head_dim"],
        heads=config["num_attention_heads"],
        layers=config["num_layers"],
        mlp=config["ffn_dim"],
        text_dim=config["text_dim"],
        level_dim=config["freq_dim"],
        eps=config["eps"],
        patch=patch[1],
    )


def from_diffusers(tensors: Mapping[str, Tensor], preset: DitPreset) -> dict[str, Tensor]:
    """A diffusers state dict under our names; an unknown key is a CheckpointError."""
    ours: dict[str, Tensor] = {}
    fused: dict[tuple[str, str, str], dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if match := _FUSED.fullmatch(key):
            layer, part, leaf = match.groups()
            which, letter = part[:5], part[-1]
            if which == "attn1" and letter in "qk":
                value = _halves(value, preset.heads)
            fused.setdefault((layer, which, leaf), {})[letter] = value
        elif match := _TURNED.fullmatch(key):
            ours[f"blocks.{match[1]}.self_attn.norm_{match[2]}.weight"] = _halves(
                value, preset.heads
            )
        elif key == "patch_embedding.weight":
            ours["patch_in.weight"] = rearrange(value, "d c 1 p q -> d (c p q)")
        elif key == "patch_embedding.bias":
            ours["patch_in.bias"] = value
        else:
            ours[_renamed(key)] = value
    for (layer, which, leaf), parts in fused.items():
        letters = "qkv" if which == "attn1" else "kv"
        if set(parts) != set(letters):
            raise CheckpointError(f"block {layer}: {which} has {sorted(parts)} of {list(letters)}")
        home = "self_attn.qkv" if which == "attn1" else "cross_attn.kv"
        ours[f"blocks.{layer}.{home}.{leaf}"] = torch.cat([parts[x] for x in letters])
    ours = {k: v[:, None] if k.endswith("table") and v.ndim == 2 else v for k, v in ours.items()}
    for leaf in ("weight", "bias"):
        value = ours[f"head.{leaf}"]
        p = preset.patch
        ours[f"head.{leaf}"] = rearrange(value, "(p q c) ... -> (c p q) ...", p=p, q=p)
    return ours


def _renamed(key: str) -> str:
    for pattern, name in _NAMES:
        if re.fullmatch(pattern, key):
            return re.sub(pattern, name, key)
    raise CheckpointError(f"unknown tensor {key!r}: not a Wan text-to-video transformer")


def _halves(rows: Tensor, heads: int) -> Tensor:
    """Rows of q, k or their norm from neighbouring pairs to halves, within each head."""
    return rearrange(rows, "(h d two) ... -> (h two d) ...", h=heads, two=2)
