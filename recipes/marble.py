"""marble, small: every stage from nothing to the packaged weights, on two cores.

    python recipes/marble.py                 all of it: about nine hours (`make marble`)
    python recipes/marble.py render text     some of it
    python recipes/marble.py few             four steps, which have not worked yet (docs/LOG.md)

Each stage goes on where it was stopped, also by `kill -9`. Single ones by hand:

    worldreel train text marble --out runs/marble-text
    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 -m worldreel train dit marble

The packaged weights are of a run without the last of the transformer's phases, in which it would
learn what streams serve (docs/stream.md): its 3,000 steps were spent on the phase before.

Training seeds start at 200,000; weights are chosen on seeds from 100,000; figures are reported on
seeds 0 to n-1. What was tried and lost is in docs/LOG.md.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from worldreel import checkpoint
from worldreel.data import synth
from worldreel.data.encode import encode
from worldreel.data.loader import Bucket
from worldreel.data.synth import synthesize
from worldreel.eval.known import CORE
from worldreel.models import presets
from worldreel.models.presets import Settings
from worldreel.train import compressor as compressor_stage
from worldreel.train import dit as dit_stage
from worldreel.train import few as few_stage
from worldreel.train import text as text_stage
from worldreel.world.labels import LABELS

RAW, LATENTS = "runs/data", "runs/latents"


@dataclass(frozen=True, kw_only=True)
class Folder:
    """Raw clips to render: where, from which seed, how many, how large and how long (0: stills).

    within: words that its scenes keep to; none for the whole world. shots: one to three of them.
    """

    name: str
    first_seed: int
    count: int
    size: tuple[int, int]
    seconds: float
    within: tuple[str, ...] = ()
    shots: bool = False


SMALL, BASE, TALL, SQUARE = (144, 80), (256, 144), (80, 144), (96, 96)
PLAIN = tuple(sorted(CORE))  # balls, cubes, cylinders and cones on four grounds: half of the mix


def folders() -> tuple[Folder, ...]:
    """c: of the core; r: of the whole world; s: in shots. 24 and 48 frames, and stills."""
    plain = (
        Folder(name="c24", first_seed=2_000_000, count=6144, size=SMALL, seconds=2, within=PLAIN),
        Folder(name="c1", first_seed=2_100_000, count=8192, size=SMALL, seconds=0, within=PLAIN),
        Folder(name="cb24", first_seed=2_200_000, count=64, size=BASE, seconds=2, within=PLAIN),
        Folder(name="cp24", first_seed=2_210_000, count=64, size=TALL, seconds=2, within=PLAIN),
        Folder(name="cq24", first_seed=2_220_000, count=64, size=SQUARE, seconds=2, within=PLAIN),
        Folder(name="c48", first_seed=2_230_000, count=192, size=SMALL, seconds=4, within=PLAIN),
    )
    whole = (
        Folder(name="r24", first_seed=3_000_000, count=6144, size=SMALL, seconds=2),
        Folder(name="r1", first_seed=3_100_000, count=8192, size=SMALL, seconds=0),
        Folder(name="rb24", first_seed=3_200_000, count=96, size=BASE, seconds=2),
        Folder(name="rp24", first_seed=3_210_000, count=64, size=TALL, seconds=2),
        Folder(name="rq24", first_seed=3_220_000, count=64, size=SQUARE, seconds=2),
        Folder(name="r48", first_seed=3_230_000, count=192, size=SMALL, seconds=4),
        Folder(name="s48", first_seed=3_240_000, count=192, size=SMALL, seconds=4, shots=True),
    )
    return (*plain, *whole)


def text() -> text_stage.Config:
    preset = presets.marble_text(len(LABELS))
    return text_stage.Config(preset=preset, first_seed=1_000_000, batch=20, steps=8000)


# What makes the four frames of a latent move (docs/decisions/0004-frames-of-a-latent-move.md).
MOTION: dict[str, Any] = {
    "focus": 0.8, "subject": 6.0, "swept": 12.0, "square": 4.0, "changes": 8.0, "borders": 3.0,
    "decay_share": 0.6,
}  # fmt: skip


def compressor() -> compressor_stage.Config:
    # a folder that stands n times is seen n times as often
    often = {"c24": 1, "r24": 2, "cb24": 2, "rb24": 4, "cp24": 1, "rp24": 2, "cq24": 1, "c1": 1}
    often |= {"r1": 1}
    return compressor_stage.Config(
        preset=presets.MARBLE_COMPRESSOR,
        data=tuple(f"{RAW}/{name}" for name, times in often.items() for _ in range(times)),
        steps=12000,
        batch=12,
        crop=(4, 4),
        long=3,
        **MOTION,
    )


def _buckets(shares: dict[str, tuple[float, int]]) -> tuple[Bucket, ...]:
    """Folders of latents by their share of the steps and the clips of a step."""
    return tuple(
        Bucket(path=f"{LATENTS}/{name}", weight=weight, batch=batch)
        for name, (weight, batch) in shares.items()
    )


TASKS = {
    "blank": 0.70, "first": 0.10, "extend": 0.04, "backward": 0.02, "first_and_last": 0.05,
    "connect": 0.01, "keyframes": 0.02, "span": 0.01, "inpaint": 0.01, "outpaint": 0.01,
    "loosen": 0.03,
}  # fmt: skip


# For streams: clips go on in a quarter of the steps, in half of those with references in sight and
# in half of them at a stream's own split.
LONG = {
    "blank": 0.50, "first": 0.09, "extend": 0.0625, "stream": 0.0625, "refer": 0.125,
    "backward": 0.02, "first_and_last": 0.04, "connect": 0.01, "keyframes": 0.02, "span": 0.01,
    "inpaint": 0.01, "outpaint": 0.01, "loosen": 0.04,
}  # fmt: skip
STREAMS = {
    "tasks": LONG, "context_level": 0.5, "context_exact": 0.3, "own": 0.1, "staggered": 0.1,
    "spans": 0.7,
}  # fmt: skip


def dit() -> dit_stage.Config:
    """Few tokens first: stills, then small clips, then every size and length; streams last."""
    stills = dit_stage.Phase(steps=400, buckets=_buckets({"c1": (0.5, 128), "r1": (0.5, 128)}))
    small = {"c24": (0.4, 32), "r24": (0.4, 32), "c1": (0.1, 64), "r1": (0.1, 64)}
    every = {
        "c24": (0.31, 32), "r24": (0.28, 32), "c1": (0.1, 160), "r1": (0.12, 160),
        "c48": (0.03, 16), "r48": (0.03, 16), "cb24": (0.02, 8), "rb24": (0.03, 8),
        "cp24": (0.02, 32), "rp24": (0.02, 32), "cq24": (0.02, 32), "rq24": (0.02, 32),
    }  # fmt: skip
    longer = {
        "c24": (0.20, 32), "r24": (0.20, 32), "c1": (0.05, 160), "r1": (0.05, 160),
        "c48": (0.15, 16), "r48": (0.20, 16), "s48": (0.10, 16), "rb24": (0.03, 8),
        "rp24": (0.01, 32), "rq24": (0.01, 32),
    }  # fmt: skip
    return dit_stage.Config(
        preset=presets.MARBLE_DIT,
        phases=(
            stills,
            dit_stage.Phase(steps=4600, buckets=_buckets(small)),
            dit_stage.Phase(steps=12000, buckets=_buckets(every)),
            dit_stage.Phase(steps=3000, buckets=_buckets(longer), settings=STREAMS),
        ),
        text="runs/marble-text/final",
        decay_share=0.6,
        shift=4.0,  # where things stand and whither they go is settled near noise
        tasks=TASKS,
        compile=False,  # on this CPU a compiled step is a tenth faster, and a graph takes 30 s
    )


def few() -> few_stage.Config:
    """Four steps without guidance, from the finished transformer: every size. Its one trial, with
    smaller batches and larger rates, failed: none of this is exported."""
    every = {
        "c24": (0.28, 32), "r24": (0.36, 32), "c1": (0.08, 128), "r1": (0.10, 128),
        "c48": (0.03, 16), "r48": (0.03, 16), "cb24": (0.02, 8), "rb24": (0.03, 8),
        "cp24": (0.015, 32), "rp24": (0.02, 32), "cq24": (0.015, 32), "rq24": (0.02, 32),
    }  # fmt: skip
    return few_stage.Config(
        preset=replace(presets.MARBLE_DIT, target=True),
        phases=(few_stage.Phase(steps=300, buckets=_buckets(every)),),
        text="runs/marble-text/final",
        teacher="runs/marble-dit/final",
        guidance_scale=SETTINGS.guidance_scale,
        shift=SETTINGS.flow_shift,
        tasks=TASKS,
        updates=24,
        lr=5e-4,
        adam_lr=1e-3,
        warmup=4,
        decay_share=0.8,
        ema=0.995,
        compile=False,
    )


SETTINGS = Settings(
    name="marble",
    steps=20,
    guidance_scale=4.5,
    flow_shift=5.0,
    trained_sizes=tuple(dict.fromkeys(f"{f.size[0]}x{f.size[1]}" for f in folders())),
    trained_seconds=max(f.seconds for f in folders()),
)


def render_all() -> None:
    for f in folders():
        settings = synth.Settings(
            size=f.size, seconds=f.seconds or 2.0, still=not f.seconds, samples=4, within=f.within,
            shots=f.shots,
        )  # fmt: skip
        synthesize(f"{RAW}/{f.name}", settings, first_seed=f.first_seed, count=f.count, jobs=2)


def encode_all() -> None:
    torch.set_num_threads(2)
    model = checkpoint.load_compressor("runs/marble-compressor/final", dtype=torch.bfloat16)
    for f in folders():
        encode(f"{RAW}/{f.name}", f"{LATENTS}/{f.name}", model)


def train_pair(stage: str) -> None:
    # two processes of one thread are faster than one of two, and take the same steps
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["-m", "worldreel", "train", stage, __file__, "--out", f"runs/marble-{stage}"]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def export(folder: Path = checkpoint.PACKAGED / "marble") -> None:
    """Write the trained parts as a model that `worldreel.load` reads, floats as 16 bits."""
    for kind in ("text", "compressor", "dit"):
        held = checkpoint.load(f"runs/marble-{kind}/final", kind=kind)
        shutil.rmtree(folder / kind, ignore_errors=True)
        checkpoint.save(
            folder / kind, kind=kind, config=held.config, tensors=held.tensors, storage="int8",
            provenance={**held.provenance, "recipe": "marble"},
        )  # fmt: skip
    text = json.dumps(asdict(SETTINGS), indent=1) + "\n"
    (folder / "model.json").write_text(text, encoding="utf-8")


STAGES = {
    "render": render_all,
    "text": lambda: text_stage.main(__file__, out="runs/marble-text"),
    "compressor": lambda: compressor_stage.main(__file__, out="runs/marble-compressor"),
    "encode": encode_all,
    "dit": lambda: train_pair("dit"),
    "export": export,
}
TRIALS = {"few": lambda: train_pair("few")}  # taken by name alone

if __name__ == "__main__":
    for stage in sys.argv[1:] or STAGES:
        if stage not in STAGES | TRIALS:
            sys.exit(f"unknown stage {stage!r}: one of {', '.join(STAGES | TRIALS)}")
        print(f"== {stage}", file=sys.stderr)
        (STAGES | TRIALS)[stage]()
