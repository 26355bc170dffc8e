"""marble, small: every stage from nothing to the packaged weights, on two cores.

    python recipes/marble.py                 all of it: about eleven hours (`make marble`)
    python recipes/marble.py render text     some of it
    python recipes/marble.py few             four steps: runs/marble-few/model, an hour
    python recipes/marble.py --smoke         every stage, tiny, in runs/smoke: a minute or two

Each stage goes on where it was stopped, also by `kill -9`. Single ones by hand:

    worldreel train text marble --out runs/marble-text
    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 -m worldreel train dit marble:deeper \\
        --out runs/marble-deeper

The transformer is small first and then grown (docs/LOG.md). The packaged weights are of ten layers,
from a run without the phase in which streams are learned (docs/stream.md).

Training seeds start at 200,000; weights are chosen on seeds from 100,000; figures are reported on
seeds 0 to n-1. What was tried and lost is in docs/LOG.md.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from worldreel import checkpoint
from worldreel.data import synth
from worldreel.data.encode import encode
from worldreel.data.loader import Bucket
from worldreel.data.synth import synthesize
from worldreel.eval.known import CORE
from worldreel.models import presets
from worldreel.models.presets import DitPreset, Settings
from worldreel.train import compressor as compressor_stage
from worldreel.train import dit as dit_stage
from worldreel.train import few as few_stage
from worldreel.train import text as text_stage
from worldreel.train.course import Course
from worldreel.world.labels import LABELS

# Every stage, tiny. In the environment, so that the processes of a pair know it, too.
if __name__ == "__main__" and "--smoke" in sys.argv:
    os.environ["MARBLE_SMOKE"] = "1"
SMOKE = "MARBLE_SMOKE" in os.environ
RUNS = "runs/smoke" if SMOKE else "runs"
RAW, LATENTS = f"{RUNS}/data", f"{RUNS}/latents"


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
    if not SMOKE:
        return (*plain, *whole)
    return tuple(replace(f, count=2, size=(64, 32), seconds=f.seconds / 2) for f in plain + whole)


def text() -> text_stage.Config:
    preset = presets.marble_text(len(LABELS))
    c = text_stage.Config(preset=preset, first_seed=1_000_000, batch=20, steps=8000)
    tiny = replace(preset, dim=16, heads=2, layers=1, out_dim=presets.TINY_DIT.text_dim)
    return replace(c, preset=tiny, scenes=4, judged=2, batch=4, steps=4) if SMOKE else c


# What makes the four frames of a latent move (docs/decisions/0004-frames-of-a-latent-move.md).
MOTION: dict[str, Any] = {
    "focus": 0.8, "subject": 6.0, "swept": 12.0, "square": 4.0, "changes": 8.0, "borders": 3.0,
    "decay_share": 0.6,
}  # fmt: skip


def compressor() -> compressor_stage.Config:
    # a folder that stands n times is seen n times as often
    often = {"c24": 1, "r24": 2, "cb24": 2, "rb24": 4, "cp24": 1, "rp24": 2, "cq24": 1, "c1": 1}
    often |= {"r1": 1}
    c = compressor_stage.Config(
        preset=presets.MARBLE_COMPRESSOR,
        data=tuple(f"{RAW}/{name}" for name, times in often.items() for _ in range(times)),
        steps=12000,
        batch=12,
        crop=(4, 4),
        long=3,
        **MOTION,
    )
    if SMOKE:
        return replace(c, preset=presets.TINY_COMPRESSOR, steps=4, batch=2, crop=(2, 2))
    return c


def settled() -> compressor_stage.Config:
    """The decoder alone, on latents that are too large and a little wrong, as guidance makes them:
    what encodes stays, and with it all latents."""
    return replace(
        compressor(),
        start=f"{RUNS}/marble-compressor/final",
        settled=True,
        overshoot=0.6,
        noise=0.12,
        steps=4 if SMOKE else 1600,
        lr=1e-3,
        adam_lr=5e-4,
        decay_share=0.9,
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


EVERY = {
    "c24": (0.31, 32), "r24": (0.28, 32), "c1": (0.1, 160), "r1": (0.12, 160),
    "c48": (0.03, 16), "r48": (0.03, 16), "cb24": (0.02, 8), "rb24": (0.03, 8),
    "cp24": (0.02, 32), "rp24": (0.02, 32), "cq24": (0.02, 32), "rq24": (0.02, 32),
}  # fmt: skip


def _course(
    preset: DitPreset, phases: Sequence[dit_stage.Phase], **settings: Any
) -> dit_stage.Config:
    """What both legs of the transformer share."""
    return _sized(
        dit_stage.Config(
            preset=preset, phases=tuple(phases), text=f"{RUNS}/marble-text/final", tasks=TASKS,
            compile=False,  # on this CPU a compiled step is a tenth faster, and a graph takes 30 s
            **settings,
        )
    )  # fmt: skip


CourseT = TypeVar("CourseT", bound=Course)


def _sized(c: CourseT) -> CourseT:
    """A course as it is, or tiny."""
    if not SMOKE:
        return c
    layers = c.preset.layers // 3
    phases = tuple(
        replace(p, steps=2, buckets=tuple(replace(b, batch=4) for b in p.buckets)) for p in c.phases
    )
    preset = replace(presets.TINY_DIT, layers=layers, target=c.preset.target)
    return replace(c, preset=preset, phases=phases)


def dit() -> dit_stage.Config:
    """Six layers. Few tokens first: stills, then small clips, then every size and length."""
    stills = {"c1": (0.5, 128), "r1": (0.5, 128)}
    small = {"c24": (0.4, 32), "r24": (0.4, 32), "c1": (0.1, 64), "r1": (0.1, 64)}
    return _course(
        presets.MARBLE_FIRST_DIT,
        [
            dit_stage.Phase(steps=400, buckets=_buckets(stills)),
            dit_stage.Phase(steps=4600, buckets=_buckets(small)),
            dit_stage.Phase(steps=12000, buckets=_buckets(EVERY)),
        ],
        decay_share=0.6,
        shift=4.0,  # where things stand and whither they go is settled near noise
    )


def deeper() -> dit_stage.Config:
    """Ten layers, grown from the six: every size and length again, and streams last."""
    longer = {
        "c24": (0.20, 32), "r24": (0.20, 32), "c1": (0.05, 160), "r1": (0.05, 160),
        "c48": (0.15, 16), "r48": (0.20, 16), "s48": (0.10, 16), "rb24": (0.03, 8),
        "rp24": (0.01, 32), "rq24": (0.01, 32),
    }  # fmt: skip
    return _course(
        presets.MARBLE_DIT,
        [
            dit_stage.Phase(steps=5200, buckets=_buckets(EVERY)),
            dit_stage.Phase(steps=3000, buckets=_buckets(longer), settings=STREAMS),
        ],
        start=f"{RUNS}/marble-dit/final",
        decay_share=0.8,
        shift=3.0,
    )


# How long the ways are that the student learns, by the number of steps that they make of a walk.
ONE_ROW, TWO_OR_THREE = {24: 1.0}, {24: 0.2, 12: 0.6, 8: 0.2}
FOUR_STEPS = {4: 0.8, 8: 0.1, 24: 0.1}


def few() -> few_stage.Config:
    """Four steps without guidance, from the finished transformer: about an hour of two cores.

    A step is a walk through 32 clips (16 s, by 1 s for a training step of as many) and 24 updates
    on 16 of them (14 s). marble-few is such a run. What judges it is the card: `gap` does not tell.
    """
    every = {
        "c24": (0.26, 32), "r24": (0.36, 32), "c1": (0.06, 128), "r1": (0.08, 128),
        "c48": (0.04, 16), "r48": (0.04, 16), "cb24": (0.03, 8), "rb24": (0.05, 8),
        "cp24": (0.02, 32), "rp24": (0.02, 32), "cq24": (0.02, 32), "rq24": (0.02, 32),
    }  # fmt: skip
    legs = ((14, ONE_ROW), (14, TWO_OR_THREE), (82, FOUR_STEPS))
    return _sized(
        few_stage.Config(
            preset=replace(presets.MARBLE_DIT, target=True),
            phases=tuple(
                few_stage.Phase(steps=n, buckets=_buckets(every), settings={"counts": counts})
                for n, counts in legs
            ),
            text=f"{RUNS}/marble-text/final",
            teacher=f"{RUNS}/marble-deeper/final",
            guidance_scale=4.5,  # Euler's walks were best with more than ancestral ones
            shift=SETTINGS.flow_shift,
            tasks=TASKS,
            updates=24,
            parts=2,
            lr=5e-4,
            adam_lr=1e-3,
            warmup=2,
            decay_share=0.8,
            ema=0.995,
            compile=False,
        )
    )


SETTINGS = Settings(
    name="marble",
    steps=20,
    guidance_scale=3.0,
    context_interval=(0.8, 1.0),
    flow_shift=5.0,
    sampler="ancestral",
    trained_sizes=tuple(dict.fromkeys(f"{f.size[0]}x{f.size[1]}" for f in folders())),
    trained_seconds=max(f.seconds for f in folders()),
)


def render_all() -> None:
    for f in folders():
        settings = synth.Settings(
            size=f.size, seconds=f.seconds or 2.0, still=not f.seconds, samples=1 if SMOKE else 4,
            within=f.within, shots=f.shots,
        )  # fmt: skip
        jobs = 1 if SMOKE else 2
        synthesize(f"{RAW}/{f.name}", settings, first_seed=f.first_seed, count=f.count, jobs=jobs)


def encode_all() -> None:
    torch.set_num_threads(2)
    model = checkpoint.load_compressor(f"{RUNS}/marble-compressor/final", dtype=torch.bfloat16)
    for f in folders():
        encode(f"{RAW}/{f.name}", f"{LATENTS}/{f.name}", model)


def train_pair(stage: str, leg: str) -> None:
    # two processes of one thread are faster than one of two, and take the same steps
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["-m", "worldreel", "train", stage, f"{__file__}:{leg}"]
    command += ["--out", f"{RUNS}/marble-{leg}"]
    # what a step gives back the next one takes again: fresh pages are a tenth of its time
    kept = {"MMAP_THRESHOLD": 1 << 32, "TRIM_THRESHOLD": 1 << 35, "TOP_PAD": 1 << 28}
    held = {f"MALLOC_{name}_": str(size) for name, size in kept.items()}
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1", **held})


PACKAGED = Path(RUNS) / "model" if SMOKE else checkpoint.PACKAGED / "marble"
PARTS = {"text": "text", "compressor": "settled", "dit": "deeper"}  # of which run each part is


def export(
    folder: Path = PACKAGED, parts: Mapping[str, str] = PARTS, settings: Settings = SETTINGS
) -> None:
    """Write the trained parts as a model that `worldreel.load` reads, floats as 16 bits."""
    for kind, run in parts.items():
        held = checkpoint.load(f"{RUNS}/marble-{run}/final", kind=kind)
        shutil.rmtree(folder / kind, ignore_errors=True)
        checkpoint.save(
            folder / kind, kind=kind, config=held.config, tensors=held.tensors, storage="int8",
            provenance={**held.provenance, "recipe": "marble"},
        )  # fmt: skip
    text = json.dumps(asdict(settings), indent=1) + "\n"
    (folder / "model.json").write_text(text, encoding="utf-8")


def few_steps() -> None:
    """Train them, and write a model of them beside the run: a transformer, and whose parts it
    shares."""
    train_pair("few", "few")
    settings = replace(
        SETTINGS, name="marble-few", steps=few().judged, guidance_scale=1.0, sampler="euler"
    )
    if SMOKE:  # what is packaged is of other sizes
        export(Path(RUNS) / "marble-few/model", {**PARTS, "dit": "few"}, settings)
    else:
        shared = replace(settings, shares=PACKAGED.name)
        export(Path(RUNS) / "marble-few/model", {"dit": "few"}, shared)


STAGES = {
    "render": render_all,
    "text": lambda: text_stage.main(__file__, out=f"{RUNS}/marble-text"),
    "compressor": lambda: compressor_stage.main(__file__, out=f"{RUNS}/marble-compressor"),
    "encode": encode_all,
    "settled": lambda: compressor_stage.main(f"{__file__}:settled", out=f"{RUNS}/marble-settled"),
    "dit": lambda: train_pair("dit", "dit"),
    "deeper": lambda: train_pair("dit", "deeper"),
    "export": export,
}
TRIALS = {"few": few_steps}  # taken by name alone

if __name__ == "__main__":
    asked = [word for word in sys.argv[1:] if word != "--smoke"]
    for stage in asked or (STAGES | TRIALS if SMOKE else STAGES):
        if stage not in STAGES | TRIALS:
            sys.exit(f"unknown stage {stage!r}: one of {', '.join(STAGES | TRIALS)}")
        print(f"== {stage}", file=sys.stderr)
        (STAGES | TRIALS)[stage]()
