"""The full preset's run as data: takes, phases and sizes (`recipes.marble_gpu`, docs/gpu.md)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recipes.marble import MOTION
from worldreel import checkpoint
from worldreel.eval.known import CORE
from worldreel.models import presets
from worldreel.models.presets import CompressorPreset, DitPreset

PACKAGED = checkpoint.PACKAGED / "marble"


@dataclass(frozen=True, kw_only=True)
class Pack:
    """Takes of one length: seconds 0 are stills. within: words that they keep to."""

    name: str
    first_seed: int
    count: int
    seconds: float
    within: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Part:
    """A source of a phase: whose takes, how large they are drawn, its share, clips per step.

    reuse: how often a clip and its twin are seen before the next ones are drawn.
    """

    pack: str
    size: tuple[int, int]
    batch: int
    weight: float
    group: int
    reuse: int


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A run: what is packed, what is trained, and how long it may take."""

    root: Path
    packs: tuple[Pack, ...]
    phases: tuple[tuple[int, tuple[Part, ...]], ...]  # steps, as planned; `check` scales them
    preset: DitPreset
    compressor: CompressorPreset
    minutes: float  # of training
    jobs: int
    samples: int  # rays per edge pixel
    compile: bool
    save_every: float  # seconds
    raw: int  # clips of each pack for the compressor
    extra: dict[str, Any] = field(default_factory=dict)  # settings of the compressor's training


SMALL, BASE, TALL, SQUARE = (144, 80), (256, 144), (80, 144), (96, 96)
SIZES = (SMALL, BASE, TALL, SQUARE)
PLAIN = tuple(sorted(CORE))
FULL = Sheet(
    root=Path("runs/marble-gpu"),
    packs=(
        Pack(name="c24", first_seed=5_000_000, count=16_384, seconds=2, within=PLAIN),
        Pack(name="r24", first_seed=5_100_000, count=32_768, seconds=2),
        Pack(name="r48", first_seed=5_200_000, count=8_192, seconds=4),
        Pack(name="c1", first_seed=5_300_000, count=8_192, seconds=0, within=PLAIN),
        Pack(name="r1", first_seed=5_400_000, count=16_384, seconds=0),
    ),
    phases=(
        (
            400,
            (
                Part(pack="c1", size=SMALL, batch=2048, weight=0.5, group=4096, reuse=16),
                Part(pack="r1", size=SMALL, batch=2048, weight=0.5, group=4096, reuse=16),
            ),
        ),
        (
            3200,
            (
                Part(pack="c24", size=SMALL, batch=512, weight=0.40, group=1024, reuse=16),
                Part(pack="r24", size=SMALL, batch=512, weight=0.50, group=1024, reuse=16),
                Part(pack="r1", size=BASE, batch=512, weight=0.10, group=2048, reuse=16),
            ),
        ),
        (
            5200,
            (
                Part(pack="c24", size=SMALL, batch=512, weight=0.22, group=1024, reuse=16),
                Part(pack="r24", size=SMALL, batch=512, weight=0.28, group=1024, reuse=16),
                Part(pack="r24", size=BASE, batch=128, weight=0.20, group=512, reuse=16),
                Part(pack="r48", size=SMALL, batch=192, weight=0.06, group=512, reuse=16),
                Part(pack="r48", size=BASE, batch=64, weight=0.08, group=256, reuse=16),
                Part(pack="r24", size=TALL, batch=512, weight=0.04, group=512, reuse=16),
                Part(pack="r24", size=SQUARE, batch=512, weight=0.04, group=512, reuse=16),
                Part(pack="r1", size=BASE, batch=512, weight=0.08, group=2048, reuse=16),
            ),
        ),
    ),
    preset=presets.MARBLE_FULL_DIT,
    compressor=presets.MARBLE_COMPRESSOR,
    minutes=18.0,
    jobs=14,
    samples=4,
    compile=True,
    save_every=60.0,
    raw=1024,
    extra={"steps": 4000, "batch": 96, "crop": (4, 4), "long": 3, **MOTION},
)
_TINY = (32, 32)
SMOKE = Sheet(
    root=Path("runs/marble-gpu-smoke"),
    packs=(
        Pack(name="r8", first_seed=5_500_000, count=4, seconds=2 / 3),
        Pack(name="r1", first_seed=5_600_000, count=4, seconds=0),
    ),
    phases=(
        (2, (Part(pack="r1", size=_TINY, batch=4, weight=1.0, group=4, reuse=2),)),
        (
            6,
            (
                Part(pack="r8", size=_TINY, batch=2, weight=0.7, group=4, reuse=2),
                Part(pack="r1", size=_TINY, batch=4, weight=0.3, group=4, reuse=2),
            ),
        ),
    ),
    preset=dataclasses.replace(presets.TINY_DIT, text_dim=192),
    compressor=presets.TINY_COMPRESSOR,
    minutes=30.0,
    jobs=1,
    samples=1,
    compile=False,
    save_every=0.0,
    raw=2,
    extra={"steps": 3, "batch": 2, "crop": (2, 2), "start": "runs/marble-gpu-smoke/begin"},
)
