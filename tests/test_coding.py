"""Decoding in little memory: the same pictures, latent by latent, and nearly the same in tiles."""

import numpy as np
import pytest
import torch

from worldreel import coding
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
    whole = coding.decoded(vae, latents, at_once=5)
    assert whole.shape == (1, 20, 32, 48, 3) and whole.std() > 5
    assert np.array_equal(whole[:, 0], whole[:, 3])  # the first latent is one frame
    for at_once in (1, 2, 3):
        parts = list(coding.pictures(vae, latents, at_once=at_once))
        assert len(parts) == -(-5 // at_once) and parts[0].dtype == np.uint8
        off = np.abs(np.concatenate(parts, axis=1).astype(int) - whole)
        assert off.max() <= 1 and (off > 0).mean() < 1e-3, (off.max(), (off > 0).mean())
        again = coding.decoded(vae, latents, at_once=at_once)
        assert np.array_equal(np.concatenate(parts, axis=1), again)


def test_frames_are_handed_on_as_they_are_decoded(vae):
    heard = []
    told = lambda stage, done, total: heard.append((stage, done, total))  # noqa: E731
    chunks = coding.pictures(vae, drawn(1, 4, 4, 2, 2), at_once=1, told=told)
    assert next(chunks).shape == (1, 4, 16, 16, 3)
    assert heard == [("decode", 0, 4), ("decode", 1, 4)]


class Wide:
    """A decoder whose pixels are its latents' first channels, wide: tiles of it are exact."""

    first_frame, stride = True, 8

    def stream(self, latents, *, chunk, uint8):
        assert uint8
        for start in range(0, latents.shape[2], chunk):
            piece = latents[:, :3, start : start + chunk]
            frames = 4 * piece.shape[2] - (0 if start else 3)
            pixels = piece.repeat_interleave(4, 2)[:, :, -frames:]
            pixels = pixels.repeat_interleave(8, 3).repeat_interleave(8, 4)
            yield (pixels * 40 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 4, 1)


def test_tiles_come_to_their_places():
    latents = drawn(1, 4, 3, 19, 14)
    whole = coding.decoded(Wide(), latents, at_once=1)
    assert np.array_equal(coding.decoded(Wide(), latents, at_once=1, tile=8), whole)


def test_tiles_meet_without_a_seam(vae):
    latents = drawn(1, 4, 2, 9, 14)
    whole = coding.decoded(vae, latents, at_once=1).astype(float)
    tiled = coding.decoded(vae, latents, at_once=1, tile=8).astype(float)
    off = tiled - whole
    assert off.any()
    edges = np.abs(np.diff(off, axis=3)).mean(axis=(0, 1, 2, 4))  # between columns of pixels
    assert edges.max() < 6 * edges.mean()
    assert np.array_equal(coding.decoded(vae, latents, at_once=1, tile=14), whole)


def test_marbles_compressor_decodes_as_before():
    made = Compressor(TINY_COMPRESSOR).requires_grad_(False).eval()
    latents = drawn(2, 8, 4, 2, 3)
    frames = coding.decoded(made, latents, at_once=3, past=None, ring=False)
    pixels = (made.decode(latents).clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
    off = frames.astype(int) - pixels.permute(0, 2, 3, 4, 1).numpy()
    assert frames.shape == (2, 16, 32, 48, 3) and np.abs(off).max() <= 1
