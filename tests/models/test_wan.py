"""Law 11: our transformer equals an independent implementation's on random weights."""

import pytest
import torch

from worldreel.errors import CheckpointError
from worldreel.models.dit import DiT
from worldreel.models.wan import from_diffusers, preset_of
from worldreel.tokens import patchify, positions, unpatchify


@pytest.fixture(scope="module")
def peer():
    from diffusers import WanTransformer3DModel

    torch.manual_seed(0)
    model = WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=24, in_channels=4, out_channels=4, text_dim=16,
        freq_dim=32, ffn_dim=64, num_layers=3, rope_max_seq_len=32,
    )  # fmt: skip
    for p in model.parameters():  # norms and tables too: nothing may be at its default
        torch.nn.init.normal_(p, std=0.2)
    return model.eval()


@pytest.mark.parametrize("shape", [(2, 4, 3, 4, 6), (1, 4, 1, 2, 2), (1, 4, 5, 6, 4)])
def test_forward_equals_diffusers(peer, shape):
    preset = preset_of(peer.config)
    ours = DiT(preset)
    missing = ours.load_state_dict(from_diffusers(peer.state_dict(), preset), strict=True)
    assert not missing.missing_keys and not missing.unexpected_keys
    generator = torch.Generator().manual_seed(1)
    b, _, t, h, w = shape
    x = torch.randn(shape, generator=generator)
    text = torch.randn(b, 7, 16, generator=generator)
    level = torch.rand(b, generator=generator)
    grid = (t, h // 2, w // 2)
    with torch.no_grad():
        theirs = peer(x, level * 1000, text, return_dict=False)[0]
        n = t * grid[1] * grid[2]
        out = ours(
            patchify(x, 2), level[:, None], level[:, None], torch.zeros(b, n, dtype=torch.long),
            positions(grid).expand(b, -1, -1), ours.read([(None, text, None)], b),
        )  # fmt: skip
    error = (unpatchify(out, grid, 2) - theirs).abs().max() / theirs.abs().max()
    assert error < 1e-4, f"differs from diffusers by {error:.1e} of its largest value"


def test_foreign_keys_are_refused(peer):
    preset = preset_of(peer.config)
    state = dict(peer.state_dict())
    state["vace_blocks.0.proj_in.weight"] = torch.zeros(1)
    with pytest.raises(CheckpointError, match="vace_blocks"):
        from_diffusers(state, preset)
    with pytest.raises(CheckpointError, match="image_dim"):
        preset_of({**peer.config, "image_dim": 1280})
