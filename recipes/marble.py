"""marble, small: every stage from nothing to the packaged weights, on two cores.

    python recipes/marble.py                 all of it: about four hours (`make marble`)
    python recipes/marble.py render text     some of it

Each stage goes on where it was stopped, also by `kill -9`. Single ones by hand:

    worldreel train text marble --out runs/marble-text
    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 -m worldreel train dit marble

Training seeds start at 200,000; weights are chosen on seeds from 100,000; figures are reported on
seeds 0 to n-1. What was tried and lost is in docs/LOG.md.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from worldreel import checkpoint
from worldreel.data import synth
from worldreel.data.encode import encode
from worldreel.data.loader import Bucket
from worldreel.data.synth import synthesize
from worldreel.models import presets
from worldreel.models.presets import Settings
from worldreel.train import compressor as compressor_stage
from worldreel.train import dit as dit_stage
from worldreel.train import text as text_stage
from worldreel.world.labels import LABELS

RAW, LATENTS = "runs/data", "runs/latents"


@dataclass(frozen=True, kw_only=True)
class Folder:
    """Raw clips to render: where, from which seed, how many, how large and how long (0: stills)."""

    name: str
    first_seed: int
    count: int
    size: tuple[int, int]
    seconds: float


def folders() -> tuple[Folder, ...]:
    return (
        Folder(name="s24", first_seed=200_000, count=5504, size=(144, 80), seconds=2),
        Folder(name="s1", first_seed=300_000, count=3072, size=(144, 80), seconds=0),
        Folder(name="b24", first_seed=400_000, count=96, size=(256, 144), seconds=2),
        Folder(name="b1", first_seed=500_000, count=448, size=(256, 144), seconds=0),
        Folder(name="p24", first_seed=600_000, count=128, size=(80, 144), seconds=2),
        Folder(name="q24", first_seed=700_000, count=128, size=(96, 96), seconds=2),
        Folder(name="s48", first_seed=800_000, count=192, size=(144, 80), seconds=4),
        Folder(name="b48", first_seed=900_000, count=96, size=(256, 144), seconds=4),
    )


def text() -> text_stage.Config:
    return text_stage.Config(preset=presets.marble_text(len(LABELS)), first_seed=1_000_000)


def compressor() -> compressor_stage.Config:
    # a folder that stands n times is seen n times as often
    often = {"s24": 1, "s48": 4, "b24": 3, "b1": 1, "p24": 2, "q24": 2, "s1": 1}
    return compressor_stage.Config(
        preset=presets.MARBLE_COMPRESSOR,
        data=tuple(f"{RAW}/{name}" for name, times in often.items() for _ in range(times)),
        steps=4800,
        batch=12,
        subject=8.0,
    )


def _bucket(name: str, weight: float, batch: int) -> Bucket:
    return Bucket(path=f"{LATENTS}/{name}", weight=weight, batch=batch)


def dit() -> dit_stage.Config:
    """Few tokens first: stills, then small clips, then every size and length."""
    stills = dit_stage.Phase(steps=400, buckets=(_bucket("s1", 1, 128),))
    small = dit_stage.Phase(steps=4500, buckets=(_bucket("s24", 0.8, 32), _bucket("s1", 0.2, 64)))
    every = dit_stage.Phase(
        steps=9600,
        buckets=(
            _bucket("s24", 0.64, 32),
            _bucket("s1", 0.06, 64),
            _bucket("b24", 0.06, 8),
            _bucket("b1", 0.05, 32),
            _bucket("s48", 0.08, 16),
            _bucket("b48", 0.03, 4),
            _bucket("p24", 0.04, 32),
            _bucket("q24", 0.04, 32),
        ),
    )
    return dit_stage.Config(
        preset=presets.MARBLE_DIT,
        phases=(stills, small, every),
        text="runs/marble-text/final",
        tasks={
            "blank": 0.70, "first": 0.10, "extend": 0.04, "backward": 0.02, "first_and_last": 0.05,
            "connect": 0.01, "keyframes": 0.02, "span": 0.01, "inpaint": 0.01, "outpaint": 0.01,
            "loosen": 0.03,
        },
        compile=False,  # on this CPU a compiled step is a tenth faster, and a graph takes 30 s
    )  # fmt: skip


SETTINGS = Settings(
    name="marble",
    steps=20,
    guidance_scale=5.0,
    flow_shift=2.0,
    trained_sizes=tuple(dict.fromkeys(f"{f.size[0]}x{f.size[1]}" for f in folders())),
    trained_seconds=max(f.seconds for f in folders()),
)


def render_all() -> None:
    for f in folders():
        settings = synth.Settings(
            size=f.size, seconds=f.seconds or 2.0, still=not f.seconds, samples=4
        )
        synthesize(f"{RAW}/{f.name}", settings, first_seed=f.first_seed, count=f.count, jobs=2)


def encode_all() -> None:
    torch.set_num_threads(2)
    model = checkpoint.load_compressor("runs/marble-compressor/final", dtype=torch.bfloat16)
    for f in folders():
        encode(f"{RAW}/{f.name}", f"{LATENTS}/{f.name}", model)


def train_dit() -> None:
    # two processes of one thread are faster than one of two, and take the same steps
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["-m", "worldreel", "train", "dit", __file__, "--out", "runs/marble-dit"]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def export(folder: Path = checkpoint.PACKAGED / "marble") -> None:
    """Write the trained parts as a model that `worldreel.load` reads, floats as 16 bits."""
    parts = {"text": "int8", "compressor": "int8", "dit": "int8"}
    for kind, storage in parts.items():
        held = checkpoint.load(f"runs/marble-{kind}/final", kind=kind)
        shutil.rmtree(folder / kind, ignore_errors=True)
        checkpoint.save(
            folder / kind, kind=kind, config=held.config, tensors=held.tensors, storage=storage,
            provenance={**held.provenance, "recipe": "marble"},
        )  # fmt: skip
    text = json.dumps(asdict(SETTINGS), indent=1) + "\n"
    (folder / "model.json").write_text(text, encoding="utf-8")


STAGES = {
    "render": render_all,
    "text": lambda: text_stage.main(__file__, out="runs/marble-text"),
    "compressor": lambda: compressor_stage.main(__file__, out="runs/marble-compressor"),
    "encode": encode_all,
    "dit": train_dit,
    "export": export,
}

if __name__ == "__main__":
    for stage in sys.argv[1:] or STAGES:
        if stage not in STAGES:
            sys.exit(f"unknown stage {stage!r}: one of {', '.join(STAGES)}")
        print(f"== {stage}", file=sys.stderr)
        STAGES[stage]()
