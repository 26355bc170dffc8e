"""The names that Wan's tensors have in public files, and which of ours each one is.

Two layouts are read: the original one and diffusers'. Two things differ beside names. Wan rotates
neighbouring channels of a head and we rotate halves, so the rows of q and k (and their norms) are
permuted within each head, which changes no attention score. And Wan's head orders a patch's
outputs as (row, column, channel), ours as (channel, row, column).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from einops import rearrange
from torch import Tensor

from worldreel.models.presets import DitPreset

Turn = Callable[[Tensor, DitPreset], Tensor]
_Row = tuple[str, str, str, Turn | None, int, int]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a tensor of theirs goes: our name, which of equal parts of its rows, and how turned."""

    name: str
    turn: Callable[[Tensor], Tensor] | None = None
    part: int = 0
    parts: int = 1


def halves(rows: Tensor, p: DitPreset) -> Tensor:
    """Rows of q, k or their norm from neighbouring pairs to halves, within each head."""
    return rearrange(rows, "(h d two) ... -> (h two d) ...", h=p.heads, two=2)


def patch(x: Tensor, _: DitPreset) -> Tensor:
    """A patch's convolution as the linear layer that it is; its bias as it was."""
    return x.flatten(1) if x.ndim > 1 else x


def head(rows: Tensor, p: DitPreset) -> Tensor:
    return rearrange(rows, "(p q c) ... -> (c p q) ...", p=p.patch, q=p.patch)


def _row(table: Tensor, _: DitPreset) -> Tensor:
    """Modulation with its leading axis, which some files leave out."""
    return table if table.ndim == 3 else table[None]


# The original name, diffusers' name, ours, how it is turned, which part of how many.
ROWS: tuple[_Row, ...] = (
    ("patch_embedding", "patch_embedding", "patch_in", patch, 0, 1),
    ("text_embedding.0", "condition_embedder.text_embedder.linear_1", "text_in.0", None, 0, 1),
    ("text_embedding.2", "condition_embedder.text_embedder.linear_2", "text_in.2", None, 0, 1),
    ("time_embedding.0", "condition_embedder.time_embedder.linear_1", "level_in.0", None, 0, 1),
    ("time_embedding.2", "condition_embedder.time_embedder.linear_2", "level_in.2", None, 0, 1),
    ("time_projection.1", "condition_embedder.time_proj", "level_out", None, 0, 1),
    ("head.modulation", "scale_shift_table", "table", _row, 0, 1),
    ("head.head", "proj_out", "head", head, 0, 1),
    ("vace_patch_embedding", "vace_patch_embedding", "vace.patch_in", patch, 0, 1),
)
BLOCK_ROWS: tuple[_Row, ...] = (
    ("modulation", "scale_shift_table", "table", _row, 0, 1),
    ("self_attn.q", "attn1.to_q", "self_attn.qkv", halves, 0, 3),
    ("self_attn.k", "attn1.to_k", "self_attn.qkv", halves, 1, 3),
    ("self_attn.v", "attn1.to_v", "self_attn.qkv", None, 2, 3),
    ("self_attn.o", "attn1.to_out.0", "self_attn.out", None, 0, 1),
    ("self_attn.norm_q", "attn1.norm_q", "self_attn.norm_q", halves, 0, 1),
    ("self_attn.norm_k", "attn1.norm_k", "self_attn.norm_k", halves, 0, 1),
    ("cross_attn.q", "attn2.to_q", "cross_attn.q", None, 0, 1),
    ("cross_attn.k", "attn2.to_k", "cross_attn.kv", None, 0, 2),
    ("cross_attn.v", "attn2.to_v", "cross_attn.kv", None, 1, 2),
    ("cross_attn.o", "attn2.to_out.0", "cross_attn.out", None, 0, 1),
    ("cross_attn.norm_q", "attn2.norm_q", "cross_attn.norm_q", None, 0, 1),
    ("cross_attn.norm_k", "attn2.norm_k", "cross_attn.norm_k", None, 0, 1),
    ("norm3", "norm2", "norm", None, 0, 1),
    ("ffn.0", "ffn.net.0.proj", "mlp_in", None, 0, 1),
    ("ffn.2", "ffn.net.2", "mlp_out", None, 0, 1),
)
_VACE_ROWS: tuple[_Row, ...] = (
    ("before_proj", "proj_in", "into", None, 0, 1),
    ("after_proj", "proj_out", "hint", None, 0, 1),
)


def _table() -> dict[str, tuple[str, Turn | None, int, int]]:
    """{a name of either layout, # for a block's number: (ours, turn, part, parts)}."""
    table = {}
    for theirs, ours, rows in (
        ("", "", ROWS),
        ("blocks.#.", "blocks.#.", BLOCK_ROWS),
        ("vace_blocks.#.", "vace.blocks.#.", BLOCK_ROWS),
        ("vace_blocks.#.", "vace.hints.#.", _VACE_ROWS),
    ):
        for original, diffusers, name, turn, part, parts in rows:
            for key in (original, diffusers):
                table[theirs + key] = (ours + name, turn, part, parts)
    return table


_TRANSFORMER = _table()
_KEY = re.compile(r"(?P<module>.*?)(?:\.(?P<leaf>weight|bias))?")


def _row_of(key: str) -> tuple[str, Turn | None, int, int] | None:
    match = _KEY.fullmatch(key)
    assert match is not None
    number = re.match(r"(?:vace_)?blocks\.(\d+)\.", key)
    row = _TRANSFORMER.get(re.sub(r"(?<=blocks\.)\d+(?=\.)", "#", match["module"], count=1))
    if row is None:
        return None
    name = row[0] if number is None else row[0].replace("#", number[1])
    leaf = "" if match["leaf"] is None else "." + match["leaf"]
    return name + leaf, *row[1:]


def transformer_name(key: str) -> str | None:
    """Our name of what a transformer's tensor becomes, or becomes a part of."""
    row = _row_of(key)
    return None if row is None else row[0]


def transformer_place(key: str, preset: DitPreset) -> Place | None:
    """Where a transformer's tensor goes; None if it is no tensor of Wan's."""
    row = _row_of(key)
    if row is None:
        return None
    name, turn, part, parts = row
    turned = None if turn is None else lambda x: turn(x, preset)
    return Place(name=name, turn=turned, part=part, parts=parts)


# Of the autoencoder: parts outside of its stages, then what is inside a block and a resampling.
_ATTENTION = r"(encoder|decoder)\.(?:mid_block\.attentions\.0|middle\.1)\."
_VAE = (
    (r"(?:quant_conv|conv1)\.(weight|bias)", r"moments.\1"),
    (r"(?:post_quant_conv|conv2)\.(weight|bias)", r"latents.\1"),
    (r"(encoder|decoder)\.(?:conv_in|conv1)\.(weight|bias)", r"\1.into.\2"),
    (r"(encoder|decoder)\.(?:norm_out|head\.0)\.gamma", r"\1.out.norm"),
    (r"(encoder|decoder)\.(?:conv_out|head\.2)\.(weight|bias)", r"\1.out.conv.\2"),
    (_ATTENTION + r"norm\.gamma", r"\1.middle.1.norm"),
    (_ATTENTION + r"to_qkv\.(weight|bias)", r"\1.middle.1.qkv.\2"),
    (_ATTENTION + r"proj\.(weight|bias)", r"\1.middle.1.out.\2"),
    (r"(encoder|decoder)\.mid_block\.resnets\.0\.(.*)", r"\1.middle.0.\2"),
    (r"(encoder|decoder)\.mid_block\.resnets\.1\.(.*)", r"\1.middle.2.\2"),
    (r"(encoder|decoder)\.middle\.([02])\.(.*)", r"\1.middle.\2.\3"),
)
_STAGE = re.compile(
    r"(?P<half>encoder|decoder)\.(?:down_blocks|up_blocks|downsamples|upsamples)\.(?P<n>\d+)"
    r"(?:\.(?:(?:resnets|downsamples|upsamples)\.(?P<block>\d+)"
    r"|(?P<resample>downsampler|upsampler|upsamplers\.0)))?\.(?P<rest>.*)"
)
_INSIDE = (
    (r"(?:norm1|residual\.0)\.gamma", r"first.norm"),
    (r"(?:conv1|residual\.2)\.(weight|bias)", r"first.conv.\1"),
    (r"(?:norm2|residual\.3)\.gamma", r"second.norm"),
    (r"(?:conv2|residual\.6)\.(weight|bias)", r"second.conv.\1"),
    (r"(?:conv_shortcut|shortcut)\.(weight|bias)", r"across.\1"),
    (r"resample\.1\.(weight|bias)", r"space.\1"),
    (r"time_conv\.(weight|bias)", r"time.\1"),
)
_FLAT = re.compile(r"moments\..*|latents\..*|.*\.across\..*|.*\.middle\.1\..*")


def vae_place(key: str, blocks: int) -> Place | None:
    """Where an autoencoder's tensor goes; None if it is no tensor of Wan's.

    blocks: of the encoder's stages. Where a layout counts blocks and resamplings in one row, a
    stage has one more of them, and the decoder's has two more.
    """
    name = _renamed(key, _VAE) or key
    if (match := _STAGE.fullmatch(key)) is not None:
        stage, block = int(match["n"]), match["block"]
        size = blocks + (1 if match["half"] == "encoder" else 2)
        if match["resample"] is None:
            stage, within = divmod(stage, size) if block is None else (stage, int(block))
            where = "resample" if within == size - 1 else f"blocks.{within}"
        else:
            where = "resample"
        name = f"{match['half']}.stages.{stage}.{where}.{match['rest']}"
    if (
        inside := re.fullmatch(r"(.*?\.(?:middle\.[02]|blocks\.\d+|resample))\.(.*)", name)
    ) is not None:
        leaf = _renamed(inside[2], _INSIDE)
        if leaf is None:
            return None
        name = f"{inside[1]}.{leaf}"
    elif name == key:
        return None
    if name.endswith(".norm"):
        return Place(name=name, turn=Tensor.flatten)
    if _FLAT.fullmatch(name) and name.endswith(".weight"):
        return Place(name=name, turn=lambda x: x.flatten(1))
    return Place(name=name)


def _renamed(key: str, table: Iterable[tuple[str, str]]) -> str | None:
    for pattern, name in table:
        if re.fullmatch(pattern, key):
            return re.sub(pattern, name, key)
    return None
