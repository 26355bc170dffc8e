"""Laws 4 and 14 of marble's compressor, its closed form, and its budget."""

import dataclasses

import pytest
import torch

from worldreel.models.compressor import FRAMES, Compressor, joined, moved
from worldreel.models.presets import MARBLE_COMPRESSOR, TINY_COMPRESSOR


@pytest.fixture(scope="module", params=[False, True], ids=["still", "moves"])
def model(request):
    torch.manual_seed(0)
    net = Compressor(dataclasses.replace(TINY_COMPRESSOR, moves=request.param))
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.1)
    net.basis.normal_(std=0.05)
    return net.requires_grad_(False)


def video(frames=8, seed=1):
    return torch.rand(1, 3, frames, 32, 48, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_shapes(model):
    z = model.encode(video())
    assert z.shape == (1, 8, 2, 2, 3)
    assert model.decode(z).shape == (1, 3, 8, 32, 48)
    with pytest.raises(ValueError, match="multiple of 4"):
        model.encode(video(frames=6))


@pytest.mark.parametrize("ring", [False, True])
@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_streamed_decode_equals_whole_decode(model, chunk, ring):
    z = torch.randn(1, 8, 5, 2, 3, generator=torch.Generator().manual_seed(2))
    whole = model.decode(z, ring=ring)
    parts = torch.cat(list(model.stream(z, chunk=chunk, ring=ring)), dim=2)
    assert (parts - whole).abs().max() < 1e-5 * whole.abs().max()
    later = model.decode(z[:, :, 3:], past=z[:, :, 1:3])
    assert (later - whole[:, :, 12:]).abs().max() < 1e-5 * whole.abs().max()


def drawn(*levels: float, frames: int = 4) -> torch.Tensor:
    """Flat latents' frames, each of its level: B 3 4T H W."""
    x = torch.tensor(levels).repeat_interleave(frames)
    return x[None, None, :, None, None].expand(1, 3, -1, 2, 2).clone()


def steps(x: torch.Tensor) -> list[float]:
    return x[0, 0, :, 0, 0].diff().tolist()


def test_a_slight_jump_is_faded_out():
    jump = 0.08
    x = joined(drawn(0, jump), None)
    assert steps(x) == pytest.approx([0, 0, 0, 0.4 * jump] + [0.2 * jump] * 3, abs=1e-6)
    # a part that goes on knows the two frames before it
    assert torch.equal(joined(drawn(jump), drawn(0)[:, :, -2:]), x[:, :, 4:])
    assert torch.equal(joined(drawn(jump), None), drawn(jump)), "before the first is nothing"


@pytest.mark.parametrize("jump", [0.25, -1.0])
def test_an_edge_that_moves_is_no_jump(jump):
    assert torch.equal(joined(drawn(0, jump), None), drawn(0, jump))


def test_what_moves_evenly_is_no_jump():
    x = (0.05 * torch.arange(12.0))[None, None, :, None, None].expand(1, 3, -1, 2, 2)
    assert torch.allclose(joined(x, None), x, atol=1e-6)


def test_only_frames_in_a_latents_reach_change(model):
    z = torch.randn(1, 8, 5, 2, 3, generator=torch.Generator().manual_seed(2))
    plain = model.decode(z)
    for t in range(5):
        touched = z.clone()
        touched[:, :, t] += 1
        moved = (model.decode(touched) != plain).any(dim=(0, 1, 3, 4)).nonzero()[:, 0]
        low, high = FRAMES * t, FRAMES * (t + model.reach)
        assert moved.min() >= low and moved.max() < high
        assert set(range(low, min(low + FRAMES, 20))) <= set(moved.tolist())


def test_a_flow_says_where_pixels_come_from():
    x = video(1)[:, :, 0]  # 1 3 32 48
    flow = torch.zeros(1, 2, 8, 12)
    assert torch.allclose(moved(x, flow), x, atol=1e-5)
    flow[:, 0], flow[:, 1] = 1.0, -0.5  # a cell of four pixels from the right, two from above
    assert torch.allclose(moved(x, flow)[:, :, 2:, :-4], x[:, :, :-2, 4:], atol=1e-4)
    assert torch.allclose(moved(x, flow)[:, :, 0, :-4], x[:, :, 0, 4:], atol=1e-4), "the border"


def test_a_flow_starts_from_none():
    torch.manual_seed(0)
    still = Compressor(TINY_COMPRESSOR)
    moving = Compressor(dataclasses.replace(TINY_COMPRESSOR, moves=True))
    moving.load_state_dict(still.state_dict(), strict=False)
    z = torch.randn(1, 8, 2, 2, 3, generator=torch.Generator().manual_seed(2))
    for model in (still, moving):
        model.basis.normal_(std=0.05, generator=torch.Generator().manual_seed(3))
    assert torch.allclose(still.decode(z), moving.decode(z), atol=1e-5)


def test_encoding_stays_within_a_latents_frames(model):
    a = video(12)
    b = a.clone()
    b[:, :, 4:8] = 0
    changed = (model.encode(a) != model.encode(b)).any(dim=(0, 1, 3, 4))
    assert changed.tolist() == [False, True, False]


def test_a_ring_decodes_the_same_loop_when_rolled(model):
    z = torch.randn(1, 8, 4, 2, 3, generator=torch.Generator().manual_seed(2))
    plain, rolled = model.decode(z, ring=True), model.decode(z.roll(1, 2), ring=True)
    assert torch.allclose(rolled, plain.roll(FRAMES, 2), atol=1e-5)


def test_the_closed_form_reconstructs_what_it_was_fitted_on():
    """Patches that span no more directions than there are channels come back exactly."""
    generator = torch.Generator().manual_seed(3)
    base = torch.rand(6, 3, 4, 16, 16, generator=generator)
    mix = torch.rand(40, 6, generator=generator)
    clips = torch.einsum("nk,kcfhw->ncfhw", mix / mix.sum(1, keepdim=True), base) * 2 - 1
    net = Compressor(TINY_COMPRESSOR).fit(clips)
    with torch.no_grad():
        z = net.encode(clips)
        assert (net.decode(z) - clips).abs().max() < 1e-3
    assert torch.equal(Compressor(TINY_COMPRESSOR).fit(clips).basis, net.basis)


def test_what_counts_more_gets_the_directions():
    """Most patches stand and a few have bars that cross them: weighted, the basis knows motion."""
    generator = torch.Generator().manual_seed(3)
    clips = torch.rand(64, 3, 1, 16, 16, generator=generator).expand(-1, -1, 4, -1, -1).clone()
    weight = torch.ones(64, 1, 4, 16, 16)
    for i in range(8):
        clips[i], weight[i] = 0.5, 30.0
        for frame in range(4):
            x = (4 * frame + 2 * i) % 16
            clips[i, :, frame, :, x : x + 2] = 0.7
    moving = []
    for counts in (None, weight):
        net = Compressor(TINY_COMPRESSOR).fit(clips, counts)
        assert torch.allclose(net.basis @ net.basis.T, torch.eye(8), atol=1e-4)
        with torch.no_grad():
            z = net.encode(clips)
            moving.append((net.decode(z) - clips)[:8].square().mean())
        assert (z.std((0, 2, 3, 4)) < 1.3).all()
    assert moving[1] < 0.5 * moving[0]


def test_budget():
    net = Compressor(MARBLE_COMPRESSOR)
    learned = sum(p.numel() for p in net.parameters())
    assert learned <= 5.5e6, f"{learned:,} parameters"
    assert net.flops_per_pixel() <= 0.15e6, f"{net.flops_per_pixel():,.0f} FLOP per pixel"
