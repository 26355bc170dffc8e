"""Law 11 for Wan's autoencoders: equal to an independent implementation; laws 4 and 14 too."""

import dataclasses

import pytest
import torch
from torch.nn import functional

from worldreel.models import streaming
from worldreel.models.presets import WanVaePreset
from worldreel.models.streaming import CausalConv, Past
from worldreel.models.wan_names import vae_place
from worldreel.models.wan_vae import DoubledConv, WanVae

STATS = {"mean": (0.1, 0.2, 0.3, -0.4), "deviation": (1.0, 2.0, 0.5, 1.5)}
TINY = {
    "2.1": WanVaePreset(channels=4, encoder=8, decoder=8, **STATS),
    "2.2": WanVaePreset(channels=4, encoder=8, decoder=12, residual=True, patch=2, **STATS),
}


def peer_of(p: WanVaePreset):
    """diffusers' autoencoder of a preset's shape, with nothing at its default."""
    from diffusers import AutoencoderKLWan

    pixels = 3 * p.patch**2
    with torch.device("meta"):
        peer = AutoencoderKLWan(
            base_dim=p.encoder, decoder_base_dim=p.decoder, z_dim=p.channels,
            latents_mean=list(p.mean), latents_std=list(p.deviation), is_residual=p.residual,
            in_channels=pixels, out_channels=pixels, patch_size=p.patch if p.patch > 1 else None,
        )  # fmt: skip
    peer = peer.to_empty(device="cpu").eval()
    tape = torch.randn(1_000_003, generator=torch.Generator().manual_seed(0))
    for i, (name, w) in enumerate(peer.named_parameters()):
        noise = tape.roll(1000 * i).repeat(1 + w.numel() // len(tape))[: w.numel()].view(w.shape)
        fan = w[0].numel() if w.ndim > 2 else 1
        w.data = noise * (0.1 if fan == 1 else fan**-0.5)
        if "gamma" in name:
            w.data += 1
    peer.decoder.conv_out.weight.data *= 0.4  # so that few pixels are clamped
    return peer


def ours_of(p: WanVaePreset, peer, dtype: torch.dtype = torch.float32) -> WanVae:
    with torch.device("meta"):
        ours = WanVae(p, dtype=dtype)
    state = {}
    for key, value in peer.state_dict().items():
        place = vae_place(key, p.blocks)
        assert place is not None, key
        state[place.name] = value if place.turn is None else place.turn(value)
    buffers = dict(ours.named_buffers())
    ours.load_state_dict(state | buffers, strict=True, assign=True)
    return ours.requires_grad_(False)


@pytest.fixture(scope="module", params=TINY)
def pair(request):
    peer = peer_of(TINY[request.param])
    return peer, ours_of(TINY[request.param], peer)


def clip(ours: WanVae, frames: int, h: int = 2, w: int = 3, batch: int = 1):
    g = torch.Generator().manual_seed(1)
    return torch.rand(batch, 3, frames, h * ours.stride, w * ours.stride, generator=g) * 2 - 1


def theirs(peer, ours, video):
    """Normalised latents and their pixels, as diffusers' pipelines make them."""
    with torch.no_grad():
        z = peer.encode(video).latent_dist.mode()
        mean, deviation = (s[:, None, None, None] for s in ours.stats)
        return (z - mean) / deviation, peer.decode(z).sample


@pytest.mark.parametrize("frames, chunk", [(13, 1), (13, 2), (13, 9), (1, 2), (5, 2)])
def test_equal_diffusers(pair, frames, chunk):
    peer, ours = pair
    video = clip(ours, frames, batch=2)
    latents, pixels = theirs(peer, ours, video)
    assert (pixels.abs() < 1).float().mean() > 0.9, "clamping hides what is compared"
    assert (ours.encode(video, chunk=chunk) - latents).abs().max() < 1e-4
    out = ours.decode(latents, chunk=chunk)
    assert out.shape == pixels.shape == (2, 3, frames, *video.shape[3:])
    assert (out - pixels).abs().max() < 1e-4


def test_the_smallest_picture(pair):
    peer, ours = pair
    video = clip(ours, 5, 1, 1)
    latents, pixels = theirs(peer, ours, video)
    assert (ours.encode(video) - latents).abs().max() < 1e-4
    assert (ours.decode(latents) - pixels).abs().max() < 1e-4


@pytest.mark.parametrize("name", TINY)
def test_half_precision(name):
    preset = dataclasses.replace(TINY[name], encoder=16, decoder=16)
    peer = peer_of(preset)
    video = clip(ours := ours_of(preset, peer), 5)
    latents, pixels = theirs(peer, ours, video)
    half = ours_of(preset, peer, torch.bfloat16)
    for mine, true in ((half.encode(video), latents), (half.decode(latents), pixels)):
        assert mine.dtype == torch.float32
        assert functional.cosine_similarity(mine.flatten(), true.flatten(), dim=0) > 0.9999


def test_streamed_equals_whole(pair):
    _, ours = pair
    latents = ours.encode(clip(ours, 17))
    whole = ours.decode(latents, chunk=5)
    past, parts = Past(), []
    for part in latents.split(2, dim=2):  # one stream in several calls
        parts += ours.stream(part, chunk=1, past=past)
    assert (torch.cat(parts, dim=2) - whole).abs().max() < 1e-5
    past = Past()
    again = [ours.encode(p, past=past) for p in clip(ours, 17).split([5, 4, 8], dim=2)]
    assert (torch.cat(again, dim=2) - latents).abs().max() < 1e-5


def test_bytes_are_the_pixels(pair):
    _, ours = pair
    latents = ours.encode(clip(ours, 5))
    pixels = ours.decode(latents)
    (pictures,) = ours.stream(latents, uint8=True)
    assert pictures.dtype == torch.uint8 and pictures.shape[-1] == 3
    expected = (pixels * 127.5 + 127.5).round().permute(0, 2, 3, 4, 1)
    assert torch.equal(pictures, expected.to(torch.uint8))


def test_a_latent_touches_its_reach_alone(pair):
    _, ours = pair
    latents = torch.randn(1, 4, ours.reach + 3, 1, 1, generator=torch.Generator().manual_seed(2))
    other = latents.clone()
    other[:, :, 1] += 1
    a, b = (ours.decode(z, chunk=latents.shape[2]) for z in (latents, other))
    moved = (a != b).any(dim=1).flatten(2).any(dim=2)[0]
    frames = 1 + ours.frames * (ours.reach)
    assert not moved[0] and moved[1] and not moved[frames:].any()


def test_what_is_held_does_not_grow(pair):
    _, ours = pair
    past = Past()
    list(ours.stream(torch.zeros(1, 4, 4, 2, 2), chunk=2, past=past))
    before = {layer: held.shape[1] for layer, held in past._held.items()}
    list(ours.stream(torch.zeros(1, 4, 8, 2, 2), chunk=2, past=past))
    assert {layer: held.shape[1] for layer, held in past._held.items()} == before
    assert set(before.values()) == {2}


def test_off_the_grid_is_refused(pair):
    _, ours = pair
    for frames, h in ((4, 32), (0, 32), (5, 30)):
        with pytest.raises(ValueError, match="frames must be 1 more than a multiple of 4"):
            ours.encode(torch.zeros(1, 3, frames, h, 32))


def test_real_widths_equal_diffusers():
    preset = WanVaePreset(
        channels=16, encoder=96, decoder=96, mean=(0.0,) * 16, deviation=(1.0,) * 16
    )
    peer = peer_of(preset)
    ours = ours_of(preset, peer)
    assert sum(w.numel() for w in peer.parameters()) == 126_892_531
    video = clip(ours, 5, 1, 1)
    latents, pixels = theirs(peer, ours, video)
    assert (ours.encode(video) - latents).abs().max() < 1e-4
    assert (ours.decode(latents) - pixels).abs().max() < 1e-4
    half = ours_of(preset, peer, torch.bfloat16).decode(latents)
    assert functional.cosine_similarity(half.flatten(), pixels.flatten(), dim=0) > 0.9999


def drawn(layer, seed: int):
    generator = torch.Generator().manual_seed(seed)
    for p in layer.parameters():
        torch.nn.init.normal_(p, std=0.2, generator=generator)
    return layer.requires_grad_(False)


@pytest.mark.parametrize("pieces", [(7,), (4, 3), (1, 5, 4), (5, 2)])
def test_frames_in_pairs_equal_the_plain_convolution(pieces, monkeypatch):
    """The first frame of a clip with nothing before it, odd and even pieces, pairs in parts."""
    layer = drawn(CausalConv(3, 5, (3, 3, 3)), 1)
    x = torch.randn(2, sum(pieces), 6, 7, 3, generator=torch.Generator().manual_seed(2))
    plain = layer.through(functional.pad(x, (0, 0, 0, 0, 0, 0, 2, 0)))
    monkeypatch.setattr(streaming, "_PAIRED", 1)
    went: list[int] = []
    whole = CausalConv._in_pairs
    monkeypatch.setattr(CausalConv, "_in_pairs", lambda *a: went.append(1) or whole(*a))
    for size in (1, 1 << 14):
        monkeypatch.setattr(streaming, "CACHED", size)
        past = Past()
        parts = [layer(part, past) for part in x.split(pieces, dim=1)]
        assert (torch.cat(parts, dim=1) - plain).abs().max() < 1e-5
    assert went


def test_a_doubled_frame_is_never_made():
    layer = drawn(DoubledConv(4, 3), 3)
    x = torch.randn(2, 3, 5, 6, 4, generator=torch.Generator().manual_seed(4))
    wide = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    planes = wide.flatten(0, 1).permute(0, 3, 1, 2)
    plain = functional.conv2d(planes, layer.weight, layer.bias, padding=1)
    plain = plain.permute(0, 2, 3, 1).unflatten(0, (2, 3))
    assert (layer(x) - plain).abs().max() < 1e-5
