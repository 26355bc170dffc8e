"""The public Wan models, as data: their sizes, and how their makers like them to be sampled.

Sources: Wan 2503.20314; the configs of the public repositories Wan2.1, Wan2.2 and VACE.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from worldreel.models.presets import DitPreset, WanVaePreset

WAN21_VAE = WanVaePreset(
    channels=16,
    encoder=96,
    decoder=96,
    mean=(
        -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
        0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
    ),
    deviation=(
        2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
        3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160,
    ),
)  # fmt: skip
WAN22_VAE = WanVaePreset(
    channels=48,
    encoder=160,
    decoder=256,
    residual=True,
    patch=2,
    mean=(
        -0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174, 0.1838, 0.1557,
        -0.1382, 0.0542, 0.2813, 0.0891, 0.1570, -0.0098, 0.0375, -0.1825,
        -0.2246, -0.1207, -0.0698, 0.5109, 0.2665, -0.2108, -0.2158, 0.2502,
        -0.2055, -0.0322, 0.1109, 0.1567, -0.0729, 0.0899, -0.2799, -0.1230,
        -0.0313, -0.1649, 0.0117, 0.0723, -0.2839, -0.2083, -0.0520, 0.3748,
        0.0152, 0.1957, 0.1433, -0.2944, 0.3573, -0.0548, -0.1681, -0.0667,
    ),
    deviation=(
        0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013,
        0.8158, 1.0344, 0.5894, 1.0901, 0.6885, 0.6165, 0.8454, 0.4978,
        0.5759, 0.3523, 0.7135, 0.6804, 0.5833, 1.4146, 0.8986, 0.5659,
        0.7069, 0.5338, 0.4889, 0.4917, 0.4069, 0.4999, 0.6866, 0.4093,
        0.5709, 0.6065, 0.6415, 0.4944, 0.5726, 1.2042, 0.5458, 1.6887,
        0.3971, 1.0600, 0.3943, 0.5537, 0.5444, 0.4089, 0.7468, 0.7744,
    ),
)  # fmt: skip
VAES = {16: WAN21_VAE, 48: WAN22_VAE}  # by latent channels


def _wan(dim: int, heads: int, layers: int, mlp: int, channels: int = 16) -> DitPreset:
    return DitPreset(
        channels=channels, out_channels=channels, dim=dim, heads=heads, layers=layers, mlp=mlp,
        text_dim=4096, patch=2,
    )  # fmt: skip


_SMALL, _LARGE = _wan(1536, 12, 30, 8960), _wan(5120, 40, 40, 13824)


@dataclass(frozen=True, kw_only=True)
class WanModel:
    """A public model. Two experts share the levels: the first paints above `boundary`.

    pictures: what it was trained on beside words: "" (words alone), "first" (a first picture, in
    channels beside the latents), "level" (latents with a level each), "control" (VACE).
    guidance: of each expert. frames, fps, size: what it was trained to make.
    """

    name: str
    dit: DitPreset
    vae: WanVaePreset = WAN21_VAE
    experts: int = 1
    boundary: float | None = None
    pictures: str = ""
    fps: int = 16
    frames: int = 81
    size: str = "832x480"
    steps: int = 50
    flow_shift: float = 5.0
    guidance: tuple[float, ...] = (5.0,)


MODELS = (
    WanModel(name="wan2.1-t2v-1.3b", dit=_SMALL),
    WanModel(name="wan2.1-t2v-14b", dit=_LARGE, size="1280x720"),
    WanModel(
        name="wan2.2-t2v-a14b", dit=_LARGE, experts=2, boundary=0.875, size="1280x720", steps=40,
        flow_shift=12.0, guidance=(4.0, 3.0),
    ),
    WanModel(
        name="wan2.2-i2v-a14b", dit=dataclasses.replace(_LARGE, channels=36), experts=2,
        boundary=0.9, pictures="first", size="1280x720", steps=40, guidance=(3.5, 3.5),
    ),
    WanModel(
        name="wan2.2-ti2v-5b", dit=_wan(3072, 24, 30, 14336, 48), vae=WAN22_VAE, pictures="level",
        fps=24, frames=121, size="1280x704",
    ),
    WanModel(
        name="wan2.1-vace-1.3b", pictures="control", flow_shift=16.0,
        dit=dataclasses.replace(_SMALL, control=tuple(range(0, 30, 2)), control_channels=96),
    ),
    WanModel(
        name="wan2.1-vace-14b", pictures="control", flow_shift=16.0, size="1280x720",
        dit=dataclasses.replace(_LARGE, control=tuple(range(0, 40, 5)), control_channels=96),
    ),
)  # fmt: skip


def recognised(dit: DitPreset, experts: int) -> WanModel | None:
    """The public model of this size, or None. One expert alone of two is the model that has it,
    unless a model of one expert is of the same size."""
    alike = [m for m in MODELS if m.dit == dit]
    return next((m for m in alike if m.experts == experts), alike[0] if alike else None)
