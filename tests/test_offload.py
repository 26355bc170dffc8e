"""Networks in turns: the same output, and never more of them there than was said."""

import pytest
import torch

from worldreel.models.bits8 import quantise
from worldreel.models.dit import DiT
from worldreel.models.presets import TINY_DIT
from worldreel.models.wan import described_transformer, find_transformer, load_transformer
from worldreel.offload import Turns, Way, stream_blocks, turns_of, weights_of
from worldreel.tokens import positions

CPU = torch.device("cpu")
LAYERS = 4


@pytest.fixture
def model():
    preset = TINY_DIT.__class__(**{**vars(TINY_DIT), "layers": LAYERS})
    made = DiT(preset).init(torch.Generator().manual_seed(0)).requires_grad_(False)
    for name, p in made.named_parameters():  # the head too: nothing may be at zero
        p += torch.randn(p.shape, generator=torch.Generator().manual_seed(len(name))) / 10
    return made


def output(model, calls=1):
    draw = torch.Generator().manual_seed(1)
    x, text = torch.randn(1, 8, 8, generator=draw), torch.randn(1, 3, 16, generator=draw)
    level, which = torch.full((1, 1), 0.7), torch.zeros(1, 8, dtype=torch.long)
    words = model.read([(None, text, None)], 1)
    for _ in range(calls):
        out = model(x, level, level, which, positions((2, 2, 2))[None], words)
    return out


def test_streamed_blocks_give_the_same_output_two_at_a_time(model):
    truth, homes = output(model), [p.data_ptr() for p in model.parameters()]
    with stream_blocks(model, CPU) as turns:
        away = []  # whether a block at work has copies, and the others their own
        for block in model.blocks:
            block.register_forward_hook(
                lambda block, *_: away.append(
                    [b is block for b in model.blocks]
                    == [b.mlp_in.weight.data_ptr() not in homes for b in model.blocks]
                )
            )
        assert torch.equal(output(model, calls=2), truth)
        assert away == [True] * (2 * LAYERS)
        assert turns.most == 2
        # words are read of every block, then two forwards: each block comes once a round, and the
        # next round's first is there when a round ends
        assert turns.copies == 3 * LAYERS + 1
    assert [p.data_ptr() for p in model.parameters()] == homes
    assert torch.equal(output(model), truth)


def test_weights_at_home_stay_as_they_are(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with stream_blocks(model, CPU):
        output(model)
        assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_one_network_at_a_time(model):
    other = torch.nn.Linear(4, 4).requires_grad_(False)
    other.register_buffer("scale", torch.ones(4))
    homes = [other.weight.data_ptr(), model.head.weight.data_ptr(), other.scale.data_ptr()]
    with Turns([other, model], CPU) as turns:
        other(torch.ones(1, 4))
        assert other.weight.data_ptr() != homes[0] and other.scale.data_ptr() != homes[2]
        turns.need(1)
        assert other.weight.data_ptr() == homes[0] and model.head.weight.data_ptr() != homes[1]
        turns.need(1)
        assert (turns.copies, turns.most) == (2, 1)
    assert model.head.weight.data_ptr() == homes[1]


@pytest.fixture
def filed(tmp_path):
    """A transformer with its weights, and one that leaves them in its file."""
    from diffusers import WanTransformer3DModel

    torch.manual_seed(0)
    WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=12, in_channels=8, out_channels=8, text_dim=16,
        ffn_dim=32, freq_dim=16, num_layers=LAYERS, patch_size=(1, 1, 1),
    ).save_pretrained(tmp_path)  # fmt: skip
    stored = find_transformer(tmp_path)
    whole = load_transformer(stored, dtype=torch.float32)
    model, unread = described_transformer(stored, dtype=torch.float32)
    unread.lay(model)
    return whole, model, unread


@pytest.mark.parametrize("ahead", [0, 1])
def test_blocks_come_from_files(filed, ahead):
    whole, model, unread = filed
    way = Way(freed=True, in_turn=True, streamed=True, ahead=ahead)
    text, vae = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    made = turns_of(way, text, vae, [model], CPU, [unread])
    assert made is not None
    with made as turns, torch.inference_mode():
        here = []
        for block in model.blocks:
            block.register_forward_hook(
                lambda *_: here.append(
                    sum(b.mlp_in.weight.untyped_storage().nbytes() > 4 for b in model.blocks)
                )
            )
        assert torch.equal(output(model, calls=2), output(whole))
        assert max(here) <= 1 + ahead and len(here) == 2 * LAYERS
        turns.need(0)  # another network's turn: no block stays
        assert all(p.untyped_storage().nbytes() <= 4 for p in model.parameters())
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_blocks_in_8_bits_come_from_files(filed):
    _, model, unread = filed
    with torch.device("meta"):
        shell = DiT(model.preset)
    for block in shell.blocks:
        quantise(block)
    unread.round(shell)
    unread.fill(shell)
    truth, _, _ = filed
    got, want = output(shell), output(truth)
    assert shell.blocks[1].mlp_in.weight.dtype == torch.int8
    assert torch.cosine_similarity(got.flatten(), want.flatten(), 0) > 0.999
    bias = shell.blocks[1].mlp_in.bias
    assert torch.equal(bias, truth.blocks[1].mlp_in.bias)


def test_weights_are_named_wherever_they_are(filed):
    whole, model, unread = filed
    named = dict(weights_of(model, [unread]))
    assert all(torch.equal(named[name], value) for name, value in whole.state_dict().items())
