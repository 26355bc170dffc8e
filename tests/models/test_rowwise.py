"""By rows or all at once: the same formulas, forward and back."""

import pytest
import torch

from worldreel.models import attention, rowwise, streaming, wan_vae
from worldreel.models.attention import Linear, attend
from worldreel.models.streaming import CausalConv, Past, normed
from worldreel.models.wan_vae import DoubledConv


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def both_ways(work, *given, dtype, monkeypatch):
    """Results and gradients by rows, of a few numbers at a time, and by plain operations."""
    found = []
    for by_rows in (True, False):
        monkeypatch.setattr(rowwise, "used", lambda x, on=by_rows: on)
        monkeypatch.setattr(rowwise, "_AT_ONCE", 100)
        monkeypatch.setattr(rowwise, "_SHARED", 100)
        leaves = [x.detach().clone().requires_grad_() for x in given]
        out = work(*leaves)
        assert out.dtype == dtype
        out.backward(draw(*out.shape, seed=9).to(dtype))
        found.append([out, *(x.grad for x in leaves)])
    for ours, plain in zip(*found, strict=True):
        assert ours.dtype == plain.dtype and ours.shape == plain.shape
        # sums of a bfloat16 gradient may round another way, once
        bound = 1e-5 if dtype == torch.float32 else 2e-3
        assert (ours.float() - plain.float()).norm() <= bound * plain.float().norm()


KINDS = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])


@KINDS
def test_rms_norm(dtype, monkeypatch):
    x = draw(2, 7, 3 * 12).to(dtype)
    work = lambda x, w: rowwise.rms_norm(x.chunk(3, dim=-1)[1], w, 1e-6)  # noqa: E731
    both_ways(work, x, draw(12, seed=1), dtype=dtype, monkeypatch=monkeypatch)


@KINDS
@pytest.mark.parametrize("rows", [1, 3])
def test_layer_norm(rows, dtype, monkeypatch):
    given = draw(3, 17, 12), draw(rows, 1, 12, seed=1), draw(rows, 1, 12, seed=2)
    work = lambda *x: rowwise.layer_norm(*x, 1e-6, dtype)  # noqa: E731
    both_ways(work, *given, dtype=dtype, monkeypatch=monkeypatch)


@KINDS
@pytest.mark.parametrize("rows", [1, 3])
def test_gate(rows, dtype, monkeypatch):
    given = draw(3, 17, 12), draw(rows, 1, 12, seed=1), draw(3, 17, 12, seed=2).to(dtype)
    both_ways(rowwise.gated, *given, dtype=torch.float32, monkeypatch=monkeypatch)


@KINDS
@pytest.mark.parametrize("clips", [1, 2])
def test_rotation(clips, dtype, monkeypatch):
    angle = draw(clips, 5, 4)
    work = lambda x: rowwise.rotate(x, (angle.cos(), angle.sin()))  # noqa: E731
    both_ways(work, draw(2, 3, 5, 8).to(dtype), dtype=dtype, monkeypatch=monkeypatch)


@pytest.mark.parametrize("gelu", [False, True])
def test_a_product_with_its_bias_and_gelu_is_that_of_float32(gelu, monkeypatch):
    plain = Linear(40, 24)
    x = draw(2, 5, 40).bfloat16()
    with torch.no_grad():
        wanted = plain(x.float(), gelu=gelu)
        for fuses in {attention._FUSES, False}:
            monkeypatch.setattr(attention, "_FUSES", fuses)
            got = plain(x, gelu=gelu)
            assert got.dtype == torch.bfloat16
            assert (got.float() - wanted).norm() < 0.006 * wanted.norm()


@pytest.mark.parametrize("tiles", [False, True])
def test_attention_of_bfloat16_is_that_of_float32_whatever_the_processor(tiles, monkeypatch):
    monkeypatch.setattr(attention, "_TILES", tiles)
    given = [draw(2, 3, n, 16, seed=n).bfloat16() for n in (30, 20, 20)]
    mask = draw(2, 20) > -0.5
    for seen in (None, mask):
        wanted = torch.nn.functional.scaled_dot_product_attention(
            *(x.float() for x in given), attn_mask=None if seen is None else seen[:, None, None]
        )
        leaves = [x.clone().requires_grad_() for x in given]
        for work in (given, leaves):
            got = attend(*work, seen).float()
            assert (got - wanted).norm() < 0.01 * wanted.norm()


def test_a_decoder_with_fewer_products_or_fewer_passes_gives_the_same(monkeypatch):
    torch.manual_seed(0)
    conv, doubled = CausalConv(8, 8, (3, 3, 3)), DoubledConv(8, 4)
    x = draw(1, 8, 24, 24, 8)
    found = []
    for tiles in (False, True):
        for place in (streaming, wan_vae):
            monkeypatch.setattr(place, "in_tiles", lambda x, on=tiles: on)
        with torch.no_grad():
            found.append((conv(x, Past()), doubled(x)))
    for few_products, few_passes in zip(*found, strict=True):
        assert torch.allclose(few_products, few_passes, atol=1e-5)
        assert not torch.equal(few_products, few_passes)  # two ways, indeed


def test_a_norm_and_its_silu_in_one_pass():
    x, weight = draw(1, 2, 5, 5, 8).bfloat16(), 1 + 0.1 * draw(8)
    once = normed(x, weight, silu=True).float()
    wanted = torch.nn.functional.silu(normed(x.float(), weight))
    assert (once - wanted).norm() < 0.004 * wanted.norm()
