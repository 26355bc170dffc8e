"""The words of public Wan models: UMT5's encoder, which reads any sentence in many languages.

What splits a sentence into tokens and what makes states of them are given to `WanText`, so that it
does not know where they come from; `load_text` takes them from a model's folder. The encoder itself
is transformers', an extra.

Shapes: B batch, L tokens, E width of a state.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from worldreel.errors import CheckpointError, MissingExtraError
from worldreel.extras import missing
from worldreel.models.wan_files import open_tensors

LENGTH = 512  # tokens: public models were trained with as many, whatever a prompt has

# The original names of a block's layers, and transformers'.
_BLOCK = {
    "norm1": "layer.0.layer_norm",
    "norm2": "layer.1.layer_norm",
    "attn.q": "layer.0.SelfAttention.q",
    "attn.k": "layer.0.SelfAttention.k",
    "attn.v": "layer.0.SelfAttention.v",
    "attn.o": "layer.0.SelfAttention.o",
    "pos_embedding.embedding": "layer.0.SelfAttention.relative_attention_bias",
    "ffn.gate.0": "layer.1.DenseReluDense.wi_0",
    "ffn.fc1": "layer.1.DenseReluDense.wi_1",
    "ffn.fc2": "layer.1.DenseReluDense.wo",
}
_XXL = {
    "vocab_size": 256_384, "d_model": 4096, "d_kv": 64, "d_ff": 10_240, "num_heads": 64,
    "num_layers": 24, "feed_forward_proj": "gated-gelu", "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128, "layer_norm_epsilon": 1e-6,
}  # fmt: skip


class WanText(nn.Module):
    """A sentence as `length` states, zeros behind its own: 1 L E, which all are attended to.

    split: a sentence to the ids of its tokens, its end included. encoder: ids 1 n and a mask 1 n
    to states 1 n E.
    """

    def __init__(
        self, split: Callable[[str], list[int]], encoder: nn.Module, *, length: int = LENGTH
    ) -> None:
        super().__init__()
        self.split, self.encoder, self.length = split, encoder, length

    @torch.no_grad()
    def states(self, text: str) -> tuple[Tensor, int]:
        """The states of a prompt, fp32, and how many of its tokens were beyond the window."""
        ids = self.split(plain(text))
        kept = ids if len(ids) <= self.length else [*ids[: self.length - 1], ids[-1]]
        device = next(self.parameters()).device
        row = torch.tensor([kept], device=device)
        made = self.encoder(row, torch.ones_like(row)).float()  #                  1 n E
        out = made.new_zeros(1, self.length, made.shape[-1])
        out[:, : made.shape[1]] = made
        return out, len(ids) - len(kept)


def plain(text: str) -> str:
    """A prompt as public models were trained to read it: no HTML escapes, single spaces."""
    return re.sub(r"\s+", " ", html.unescape(html.unescape(text))).strip()


class _Umt5(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.model(input_ids=ids, attention_mask=mask).last_hidden_state


def load_text(at: Path, tokenizer: Path, *, dtype: torch.dtype) -> WanText:
    """UMT5 from a folder of transformers', or from the one original file; and its tokenizer."""
    transformers = _transformers()
    split = _splitter(tokenizer)
    if at.is_dir():
        model = transformers.UMT5EncoderModel.from_pretrained(
            at, dtype=dtype, local_files_only=True
        )
    else:
        with torch.device("meta"):
            model = transformers.UMT5EncoderModel(transformers.UMT5Config(**_XXL))
        source, held = open_tensors(at), {}
        with source.reading() as read:
            for key in source.entries:
                held[_renamed(key, at)] = read(key).to(dtype)
        held["encoder.embed_tokens.weight"] = held["shared.weight"]
        model.load_state_dict(held, strict=True, assign=True)
    return WanText(split, _Umt5(model.eval().requires_grad_(False)))


def needs() -> MissingExtraError | None:
    """What to install before a text encoder can be loaded; None where all is there."""
    try:
        _transformers()
    except MissingExtraError as error:
        return error
    return None


def _transformers() -> Any:
    try:
        return import_module("transformers")
    except ModuleNotFoundError:
        raise missing("transformers") from None


def _splitter(folder: Path) -> Callable[[str], list[int]]:
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json" if folder.is_dir() else folder
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the package raises plain exceptions
        raise CheckpointError(f"{file} is no tokenizer ({error}): fetch it again") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return lambda text: tokenizer.encode(text).ids


def _renamed(key: str, file: Path) -> str:
    """transformers' name of a tensor that has the original one."""
    outside = {
        "token_embedding.weight": "shared.weight",
        "norm.weight": "encoder.final_layer_norm.weight",
    }
    if key in outside:
        return outside[key]
    match = re.fullmatch(r"blocks\.(\d+)\.(.+)\.weight", key)
    if match is None or match[2] not in _BLOCK:
        raise CheckpointError(f"{file} has {key!r}, which is not of Wan's text encoder")
    return f"encoder.block.{match[1]}.{_BLOCK[match[2]]}.weight"
