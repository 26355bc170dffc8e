"""Networks in turns: the same output, and never more of them there than was said."""

import pytest
import torch

from worldreel.models.dit import DiT
from worldreel.models.presets import TINY_DIT
from worldreel.offload import Turns, stream_blocks
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
