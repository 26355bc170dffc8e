"""How large the text encoder of public weights is, as far as its folder tells."""

import json

import pytest
import torch
from safetensors.torch import save_file

from worldreel.models import wan_text

SAID = {"num_layers": 3, "d_model": 8, "d_ff": 12, "num_heads": 2, "model_type": "umt5"}
TABLE = 16 * 8


def folder(where, *tables: str, **changed: object):
    tensors = {name: torch.zeros(16, 8) for name in tables}
    tensors["encoder.block.0.layer.0.SelfAttention.q.weight"] = torch.zeros(8, 8)
    tensors["encoder.final_layer_norm.weight"] = torch.zeros(8)
    save_file(tensors, where / "model.safetensors")
    said = {key: value for key, value in (SAID | changed).items() if value is not None}
    (where / "config.json").write_text(json.dumps(said))
    return where


@pytest.mark.parametrize("names", [wan_text._TABLES[:1], wan_text._TABLES[1:], wan_text._TABLES])
def test_a_table_of_two_names_counts_once(names, tmp_path):
    size = wan_text.size_of(folder(tmp_path, *names))
    assert size is not None
    assert (size.layers, size.dim, size.mlp, size.heads) == (3, 8, 12, 2)
    assert (size.table, size.params) == (TABLE, TABLE + 8 * 8 + 8)
    assert size.tokens == wan_text.LENGTH


def test_what_cannot_be_told_is_not_guessed(tmp_path):
    assert wan_text.size_of(tmp_path) is None  # nothing is there
    assert wan_text.size_of(folder(tmp_path)) is None  # no table of words
    assert wan_text.size_of(folder(tmp_path, wan_text._TABLES[0], d_ff=None)) is None
    assert wan_text.size_of(folder(tmp_path, wan_text._TABLES[0], num_layers="many")) is None
    assert wan_text.size_of(tmp_path / "model.safetensors") is None  # the original file is known
    folder(tmp_path, wan_text._TABLES[0])
    (tmp_path / "config.json").write_text("{")
    assert wan_text.size_of(tmp_path) is None
