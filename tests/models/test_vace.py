"""Hints of VACE's: the same bits as if all were made first, and one of them at a time."""

import dataclasses
import weakref

import pytest
import torch

from worldreel.models.attention import rotary
from worldreel.models.dit import DiT, modulated
from worldreel.models.presets import TINY_DIT
from worldreel.offload import stream_blocks
from worldreel.tokens import positions

PRESET = dataclasses.replace(
    TINY_DIT, layers=5, null_word=False, chunk=None, control=(0, 2, 3), control_channels=6
)


def made(dtype) -> DiT:
    draw = torch.Generator().manual_seed(0)
    model = DiT(PRESET, dtype=dtype)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2, generator=draw)
    return model.requires_grad_(False)


def asked(model):
    draw = torch.Generator().manual_seed(1)
    x, text, control = (torch.randn(1, n, c, generator=draw) for n, c in ((8, 8), (3, 16), (8, 6)))
    level, which, pos = torch.full((1, 1), 0.7), torch.zeros(1, 8, dtype=torch.long), (2, 2, 2)
    words = model.read([(None, text, None)], 1)
    return x, level, level, which, positions(pos)[None], words, control


def all_first(model, x, level, target, which, pos, words, control):
    """VACE as its paper has it: its blocks go first, and all hints wait for their layers."""
    p, dtype, vace = model.preset, model.dtype, model.vace
    emb, mod = model._levels(level, target)
    rope = rotary(pos, p.dim // p.heads)

    def through(block, place, h):
        return block(h, mod[:, :1], rope, [w.layer(place) for w in words], dtype)[0]

    h = model.patch_in(x.to(dtype)).float()
    c = vace.hints[0].into(vace.patch_in(control.to(dtype))) + h
    hints = {}
    for place, layer in enumerate(p.control):
        c = through(vace.blocks[place], p.layers + place, c)
        hints[layer] = vace.hints[place].hint(c.to(dtype)).float()
    for i, block in enumerate(model.blocks):
        h = through(block, i, h)
        if i in hints:
            h = h + hints[i]
    last = model.table[:, None] + emb[:, :1, None]
    return model.head(modulated(h, last[:, :, 0], last[:, :, 1], p.eps, dtype)).float()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_hints_are_the_same_bits_one_at_a_time(dtype, monkeypatch):
    model = made(dtype)
    *rest, control = asked(model)
    truth = all_first(model, *rest, control)
    plain, alive = model.vace.hint, []

    def hint(*args):
        assert not any(one() is not None for one in alive)
        out = plain(*args)
        alive.append(weakref.ref(out))
        return out

    monkeypatch.setattr(model.vace, "hint", hint)
    assert torch.equal(model(*rest, control=control), truth) and len(alive) == 3
    assert not torch.equal(model(*rest), truth)  # without a clip to follow there are no hints


def test_streamed_blocks_come_in_the_order_of_their_use():
    model = made(torch.float32)
    *rest, control = asked(model)
    truth = model(*rest, control=control)
    with stream_blocks(model, torch.device("cpu")) as turns:
        *rest, control = asked(model)
        assert torch.equal(model(*rest, control=control), truth)
        # each once for the words and once for the pass, and the next round's first at the end
        assert turns.copies == 2 * 8 + 1 and turns.most == 2


@pytest.mark.parametrize("layers", [(1, 2), (0, 9), (0, 3, 2), (0, 0)])
def test_layers_that_make_no_sense_are_refused(layers):
    with pytest.raises(ValueError, match="0 must be among them"):
        DiT(dataclasses.replace(PRESET, control=layers))
