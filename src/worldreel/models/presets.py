"""Sizes of networks, as data. A preset is all that is needed to build the class that it names.

An unknown key is an error: a checkpoint of a later version is refused, not half understood.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeVar

from worldreel.errors import CheckpointError


@dataclass(frozen=True, kw_only=True)
class DitPreset:
    """The transformer. The block is Wan's; what marble adds is named in the second paragraph.

    null_word: a learned word that covers all time. target: the network takes the level that the
    velocity is averaged down to. chunk: latents per chunk of the attention rule, None for public
    weights, whose kept tokens are seen and see like painted ones. predicts: "v", the velocity, or
    "x", the clean latents, of which the velocity is made. control: the layers after which VACE's
    hints are added, which are made of `control_channels` channels beside the latents.
    """

    channels: int
    dim: int
    heads: int
    layers: int
    mlp: int
    text_dim: int
    patch: int = 1
    out_channels: int | None = None
    level_dim: int = 256
    eps: float = 1e-6
    null_word: bool = False
    target: bool = False
    chunk: int | None = None
    predicts: str = "v"
    control: tuple[int, ...] = ()
    control_channels: int = 0


@dataclass(frozen=True, kw_only=True)
class CompressorPreset:
    """marble's compressor: 16x16 in space and 4 in time. Widths at a 16th and a 4th of the size.

    moves: the decoder says of each frame, too, where its pixels come from.
    """

    channels: int
    coarse: int
    fine: int
    encoder_blocks: tuple[int, int]  # at a 4th, at a 16th
    decoder_blocks: tuple[int, int]  # at a 16th, at a 4th
    moves: bool = False


@dataclass(frozen=True, kw_only=True)
class WanVaePreset:
    """Wan's autoencoder. The space is halved after every width but the last.

    encoder, decoder: their base widths, which `widths` multiply. blocks: per stage of the encoder;
    the decoder has one more. temporal: where time is halved too. residual, patch: of 2.2. mean,
    deviation: of each latent channel before it is normalised.
    """

    channels: int
    encoder: int
    decoder: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    widths: tuple[int, ...] = (1, 2, 4, 4)
    blocks: int = 2
    temporal: tuple[bool, ...] = (False, True, True)
    residual: bool = False
    patch: int = 1

    @property
    def stride(self) -> int:
        """Pixels of a latent's side."""
        return self.patch * 2 ** (len(self.widths) - 1)

    @property
    def frames(self) -> int:
        """Frames of a latent; the first has one."""
        return 2 ** sum(self.temporal)


@dataclass(frozen=True, kw_only=True)
class TextPreset:
    """The text encoder: `slots` states of width `out_dim` for any number of words."""

    slots: int
    dim: int
    heads: int
    layers: int
    out_dim: int
    max_words: int = 160


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a model likes to be sampled; `model.json` in its folder.

    guidance_interval: the levels at which guidance counts, both ends included; context_interval:
    those where a clip goes on in time, which itself says what is to be seen.
    guidance_scale is 1 where guidance is folded into the weights, which then take few steps.
    trained_sizes ("144x80", most of it first) and trained_seconds (its longest clip): what it was
    trained on, where that is known. Other requests are made, with a note. shares: the packaged
    model whose parts it uses where its folder has none of its own.
    """

    name: str
    steps: int = 20
    guidance_scale: float = 4.0
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    context_interval: tuple[float, float] = (0.0, 1.0)
    flow_shift: float = 2.0
    sampler: str = "euler"
    context_level: float = 0.0
    trained_sizes: tuple[str, ...] = ()
    trained_seconds: float | None = None
    shares: str = ""


Preset = TypeVar("Preset", DitPreset, CompressorPreset, WanVaePreset, TextPreset, Settings)


def build(kind: type[Preset], data: dict[str, Any]) -> Preset:
    """A preset from a checkpoint's JSON; an unknown or missing key is a CheckpointError."""
    fields = {f.name: f for f in dataclasses.fields(kind)}
    unknown = sorted(set(data) - set(fields))
    if unknown:
        raise CheckpointError(
            f"unknown key {unknown[0]!r} for a {kind.__name__}: made by another "
            "version of worldreel? Known are " + ", ".join(fields)
        )
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise CheckpointError(f"{kind.__name__}: {error}") from None


TINY_DIT = DitPreset(
    channels=8, dim=32, heads=2, layers=2, mlp=64, text_dim=16, null_word=True, chunk=1
)
TINY_COMPRESSOR = CompressorPreset(
    channels=8, coarse=16, fine=16, encoder_blocks=(1, 1), decoder_blocks=(1, 1)
)
TINY_TEXT = TextPreset(slots=4, dim=32, heads=2, layers=1, out_dim=16)

# marble, small: what two cores can train (docs/decisions/0001-compressor.md, docs/LOG.md). It is
# trained with few layers first, and grown from those (`train.growing`).
MARBLE_DIT = DitPreset(
    channels=48, dim=192, heads=3, layers=10, mlp=768, text_dim=192, null_word=True, chunk=1
)
MARBLE_FIRST_DIT = dataclasses.replace(MARBLE_DIT, layers=6)
MARBLE_COMPRESSOR = CompressorPreset(
    channels=48, coarse=192, fine=96, encoder_blocks=(3, 2), decoder_blocks=(2, 7), moves=True
)

# marble, full: what one large GPU trains in half an hour (docs/gpu.md). As int8 it fits into the
# package's 32 MiB beside everything else.
MARBLE_FULL_DIT = DitPreset(
    channels=48, dim=384, heads=6, layers=10, mlp=1216, text_dim=192, null_word=True, chunk=1
)


def marble_text(slots: int) -> TextPreset:
    """marble's text encoder; the number of slots is the world's (`world.describe.LABELS`)."""
    return TextPreset(slots=slots, dim=192, heads=3, layers=3, out_dim=192)
