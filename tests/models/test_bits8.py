"""Weights in 8 bits: what is kept, and how near it is."""

import torch
from torch import nn

from worldreel.models.attention import Linear
from worldreel.models.bits8 import Linear8, quantise, rounded


def test_a_row_is_within_half_a_step():
    weight = torch.randn(7, 33, generator=torch.Generator().manual_seed(0))
    weight[3] *= 1000
    weight[5] = 0
    whole, scale = rounded(weight)
    assert whole.dtype == torch.int8 and scale.shape == (7, 1) and whole.abs().max() == 127
    assert ((whole * scale - weight).abs() <= scale / 2 * 1.001).all()
    assert torch.equal(whole[5], torch.zeros(33, dtype=torch.int8))


def test_every_linear_layer_of_a_module_is_put_into_8_bits():
    torch.manual_seed(0)
    model = nn.Sequential(Linear(64, 96), nn.GELU(), nn.Sequential(Linear(96, 32, bias=False)))
    model.requires_grad_(False)
    x = torch.randn(50, 64)
    truth, before = model(x), sum(p.nbytes for p in model.parameters())
    quantise(model)
    assert isinstance(model[0], Linear8) and isinstance(model[2][0], Linear8)
    assert sum(p.nbytes for p in model.parameters()) < 0.3 * before
    assert torch.cosine_similarity(model(x).flatten(), truth.flatten(), 0) > 0.9995
    assert model(x.bfloat16()).dtype == torch.bfloat16
