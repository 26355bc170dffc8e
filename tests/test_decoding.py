"""Decoding in little memory: the same pictures, latent by latent, and nearly the same in tiles."""

import numpy as np
import pytest
import torch

from worldreel import decoding
from worldreel.models.compressor import Compressor
from worldreel.models.presets import TINY_COMPRESSOR, WanVaePreset
from worldreel.models.wan_vae import WanVae

TINY = WanVaePreset(
    channels=4, encoder=4, decoder=4, mean=(0.0,) * 4, deviation=(1.0,) * 4, widths=(1, 1, 1, 1)
)


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(0)
    made = WanVae(TINY).requires_grad_(False).eval()
    for name, p in made.named_parameters():
        near = 1.0 if "norm" in name else 0.0
        p.copy_(near + torch.randn(p.shape) * (0.1 if p.ndim < 2 else p[0].numel() ** -0.5))
    return made


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_latent_by_latent_is_the_whole(vae):
    latents = drawn(1, 4, 5, 4, 6)
    whole = decoding.whole(vae, latents, at_once=5)
    assert whole.shape == (1, 20, 32, 48, 3) and whole.std() > 5
    assert np.array_equal(whole[:, 0], whole[:, 3])  # the first latent is one frame
    for at_once in (1, 2, 3):
        parts = list(decoding.pictures(vae, latents, at_once=at_once))
        assert len(parts) == -(-5 // at_once) and parts[0].dtype == np.uint8
        off = np.abs(np.concatenate(parts, axis=1).astype(int) - whole)
        assert off.max() <= 1 and (off > 0).mean() < 1e-3, (off.max(), (off > 0).mean())
        again = decoding.whole(vae, latents, at_once=at_once)
        assert np.array_equal(np.concatenate(parts, axis=1), again)


def test_frames_are_handed_on_as_they_are_decoded(vae):
    heard = []
    told = lambda stage, done, total: heard.append((stage, done, total))  # noqa: E731
    chunks = decoding.pictures(vae, drawn(1, 4, 4, 2, 2), at_once=1, told=told)
    assert next(chunks).shape == (1, 4, 16, 16, 3)
    assert heard == [("decode", 0, 4), ("decode", 1, 4)]


def test_tiles_are_near_the_whole_and_meet_without_a_seam(vae):
    latents = drawn(1, 4, 2, 9, 14) / 4
    whole = decoding.whole(vae, latents, at_once=1).astype(float)
    tiled = decoding.whole(vae, latents, at_once=1, tile=8).astype(float)
    off = np.abs(tiled - whole)
    assert 0 < off.mean() < 2 and off.max() < 40
    # a step between neighbours is not larger where tiles meet than elsewhere
    for axis in (2, 3):
        steps = np.abs(np.diff(tiled - whole, axis=axis)).mean(axis=(0, 1, 5 - axis, 4))
        assert steps.max() < 8 * steps.mean() + 1
    assert np.array_equal(decoding.whole(vae, latents, at_once=1, tile=14), whole)


def test_marbles_compressor_decodes_as_before():
    made = Compressor(TINY_COMPRESSOR).requires_grad_(False).eval()
    latents = drawn(2, 8, 4, 2, 3)
    frames = decoding.whole(made, latents, at_once=3, past=None, ring=False)
    pixels = (made.decode(latents).clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
    off = frames.astype(int) - pixels.permute(0, 2, 3, 4, 1).numpy()
    assert frames.shape == (2, 16, 32, 48, 3) and np.abs(off).max() <= 1
