"""The text encoder of public weights, as far as its folder tells: no words are read here."""

import json

import pytest

from worldreel.errors import CheckpointError
from worldreel.models import wan_text

TOKENS = {"a": 0, "</s>": 1, "<unk>": 2}


@pytest.fixture
def folder(tmp_path):
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    config = transformers.UMT5Config(
        vocab_size=16, d_model=8, d_kv=4, d_ff=12, num_heads=2, num_layers=3,
        feed_forward_proj="gated-gelu",
    )  # fmt: skip
    transformers.UMT5EncoderModel(config).save_pretrained(tmp_path / "text_encoder")
    (tmp_path / "tokenizer").mkdir()
    words = Tokenizer(WordLevel(TOKENS, unk_token="<unk>"))
    words.save(str(tmp_path / "tokenizer" / "tokenizer.json"))
    return tmp_path


def test_its_size_is_that_of_its_files(folder):
    import torch

    at = folder / "text_encoder"
    size = wan_text.size_of(at)
    assert size is not None
    assert (size.layers, size.dim, size.mlp, size.heads, size.table) == (3, 8, 12, 2, 16 * 8)
    text, unread = wan_text.described_text(at, folder / "tokenizer", dtype=torch.float32)
    unread.fill(text)
    held = sum(p.numel() for p in text.parameters())
    assert size.params == held + size.table
    assert wan_text.size_of(at / "model.safetensors") is None


def test_an_encoder_of_another_kind_is_refused_by_name(folder):
    import torch

    file = folder / "text_encoder" / "config.json"
    said = json.loads(file.read_text())
    file.write_text(json.dumps(said | {"model_type": "clip"}))
    with pytest.raises(CheckpointError, match="'clip' encoder: Wan reads with umt5"):
        wan_text.described_text(file.parent, folder / "tokenizer", dtype=torch.float32)
