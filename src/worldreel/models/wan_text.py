"""The words of public Wan models: UMT5's encoder, which reads any sentence in many languages.

What splits a sentence into tokens and what makes states of them are given to `WanText`, so that it
does not know where they come from; `described_text` takes them from a model's folder. The encoder
itself is transformers', an extra.

Shapes: B batch, L tokens, E width of a state.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from worldreel.errors import CheckpointError, MissingExtraError
from worldreel.extras import missing
from worldreel.models.footprint import Words
from worldreel.models.unread import Unread
from worldreel.models.wan_files import open_tensors
from worldreel.models.wan_names import Place

LENGTH = 512  # tokens: public models were trained with as many, whatever a prompt has
_REMEMBERED = 4  # prompts, so that variations need no second look at an encoder that has left

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
_TABLES = ("shared.weight", "encoder.embed_tokens.weight")  # two names of one
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
        self._said: dict[str, tuple[Tensor, int]] = {}

    @property
    def layers(self) -> Sequence[nn.Module]:
        """Parts of the encoder that work one after the other, if it has such."""
        return getattr(self.encoder, "layers", ())

    def states(self, text: str) -> tuple[Tensor, int]:
        """The states of a prompt, fp32, and how many of its tokens were beyond the window."""
        if text not in self._said:
            ids = self.split(plain(text))
            kept = ids if len(ids) <= self.length else [*ids[: self.length - 1], ids[-1]]
            self._said[text] = self(kept), len(ids) - len(kept)
            if len(self._said) > _REMEMBERED:
                del self._said[next(iter(self._said))]
        return self._said[text]

    @torch.no_grad()
    def forward(self, ids: list[int]) -> Tensor:
        row = torch.tensor([ids])
        made = self.encoder(row, torch.ones_like(row)).float()  #                  1 n E
        out = made.new_zeros(1, self.length, made.shape[-1])
        out[:, : made.shape[1]] = made
        return out


def plain(text: str) -> str:
    """A prompt as public models were trained to read it: no HTML escapes, single spaces."""
    return re.sub(r"\s+", " ", html.unescape(html.unescape(text))).strip()


class _Umt5(nn.Module):
    """transformers' encoder, but for its table of words: of that the rows that a prompt has are
    read from the file. rows: some ids to their rows n E."""

    def __init__(self, model: Any, rows: Callable[[list[int]], Tensor]) -> None:
        super().__init__()
        self.model, self.rows = model, rows

    @property
    def layers(self) -> Sequence[nn.Module]:
        return self.model.encoder.block

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        near = self.model.encoder.final_layer_norm.weight  # where it works, and in what numbers
        words = self.rows(ids[0].tolist())[None].to(near)
        made = self.model(inputs_embeds=words, attention_mask=mask.to(near.device))
        return made.last_hidden_state


def described_text(at: Path, tokenizer: Path, *, dtype: torch.dtype) -> tuple[WanText, Unread]:
    """UMT5 from a folder of transformers', or from the one original file, without its weights
    ("meta"), and they; and its tokenizer."""
    transformers = _transformers()
    split, source = _splitter(tokenizer), open_tensors(at)
    if at.is_dir():
        try:
            said, _ = transformers.PretrainedConfig.get_config_dict(at, local_files_only=True)
            if said.get("model_type") != "umt5":
                raise CheckpointError(
                    f"{at} is of a {said.get('model_type')!r} encoder: Wan reads with umt5"
                )
            config = transformers.UMT5Config.from_dict(said)
        except CheckpointError:
            raise
        except (OSError, TypeError, ValueError) as error:
            raise CheckpointError(f"{at} cannot be read ({error}): fetch it again") from None
        names = {key: key for key in source.entries}
    else:
        config = transformers.UMT5Config(**_XXL)
        names = {key: _renamed(key, at) for key in source.entries}
    table = next((key for key, name in names.items() if name in _TABLES), None)
    if table is None:
        raise CheckpointError(f"{at} has no table of words: fetch it again")
    with torch.device("meta"):
        model = transformers.UMT5EncoderModel(config)
    model.shared = model.encoder.embed_tokens = nn.Identity()
    text = WanText(split, _Umt5(model, lambda ids: source.rows(table, ids)))
    places = {
        key: Place(name=f"encoder.model.{name}")
        for key, name in names.items()
        if name not in _TABLES
    }
    return text.eval(), Unread(text, source, places, lambda name: dtype)


def size_of(at: Path) -> Words | None:
    """How large the encoder in a folder of transformers' is; None of the original file, whose size
    is known, and of what cannot be told: `described_text` says what is wrong with it."""
    if not at.is_dir():
        return None
    try:
        said = json.loads((at / "config.json").read_text("utf-8"))
        held = open_tensors(at)
        tables = [math.prod(held.entries[k].shape) for k in _TABLES if k in held.entries]
        return Words(
            params=held.count - sum(tables[1:]),
            table=tables[0],
            layers=int(said["num_layers"]),
            dim=int(said["d_model"]),
            mlp=int(said["d_ff"]),
            heads=int(said["num_heads"]),
            tokens=LENGTH,
        )
    except (CheckpointError, IndexError, KeyError, OSError, TypeError, ValueError):
        return None


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
