"""A fixed benchmark of the transformer's training: the same clips and judges for every run.

What the runs of a study share (`Bench`), how their clips are made, and what a run costs. The
studies are `recipes.race` and `recipes.scaling`; a single run is a `recipes.trial`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from worldreel import checkpoint, parallel
from worldreel.checkpoint import PACKAGED
from worldreel.data import clip as clips
from worldreel.data import synth
from worldreel.data.encode import encode, encoding
from worldreel.data.loader import Bucket, Loader
from worldreel.data.synth import synthesize
from worldreel.errors import RequestError
from worldreel.eval.cases import SECONDS, SIZE
from worldreel.eval.known import CORE
from worldreel.models import presets
from worldreel.models.dit import DiT
from worldreel.models.presets import DitPreset
from worldreel.output import whole_file
from worldreel.train import dit as stage
from worldreel.train import recipe

ROOT = Path(__file__).parents[1]
FIRST_SEED = 2_600_000  # of clips that are rendered to train on
JUDGED_SEED = 110_000  # of those whose flow loss is taken
CASES_SEED = 100_000  # of the scenes that the rulers look at
CASES_WORLD = "small"  # whose words the clips keep to
COMPARED = ("colour", "kind", "side", "setting")
PARTS = ("seen", "held out")  # pairs of colour and kind that training sees, and that it never sees
_SPLITS = {"seen": None, "held out": "held_out"}
TASKS = {"blank": 0.75, "first": 0.1, "extend": 0.05, "first_and_last": 0.05, "loosen": 0.05}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the runs of a study share.

    latents: folders to train on; judged: folders whose loss is taken, by part; cases: clips that
    the rulers look at, none to leave them out; steps and guidance: of sampling.
    """

    latents: tuple[str, ...]
    judged: Mapping[str, str]
    text: str
    compressor: str
    preset: DitPreset
    batch: int = 16
    cases: int = 100
    steps: int = 20
    guidance: float = 4.5
    shift: float = 5.0
    bf16: bool = True

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Bench:
        preset = presets.build(DitPreset, dict(data["preset"]))
        return cls(**{**data, "preset": preset, "latents": tuple(data["latents"])})


@dataclass(frozen=True, kw_only=True)
class Look:
    """A way to use a run's weights: which average ("" is the config's), and how it is sampled."""

    average: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Run:
    """settings: of `train.dit.Config`, as `--set` takes them, and "batch", where a step has other
    clips than the bench's; looks: how it is judged, by name."""

    name: str
    settings: Mapping[str, str]
    steps: int
    seed: int = 0
    looks: Mapping[str, Look] = field(default_factory=lambda: {"": Look()})


def config(bench: Bench, run: Run) -> stage.Config:
    """The config of a run: marble's, on the benchmark's clips, with the run's settings."""
    counts = {path: _count(path) for path in bench.latents}
    most, size = max(counts.values()), batch_of(bench, run.settings)
    buckets = tuple(
        Bucket(path=path, weight=count / most, batch=size) for path, count in counts.items()
    )
    base = stage.Config(
        preset=bench.preset,
        phases=(stage.Phase(steps=run.steps, buckets=buckets),),
        text=bench.text,
        seed=run.seed,
        warmup=max(1, min(100, run.steps // 10)),
        decay_share=0.6,
        shift=4.0,
        tasks=TASKS,
        compile=False,
        bf16=bench.bf16,
    )
    return recipe.override(base, {k: v for k, v in run.settings.items() if k != "batch"})


def batch_of(bench: Bench, settings: Mapping[str, str]) -> int:
    """The clips of a step: the settings', or else the bench's."""
    return int(settings.get("batch", bench.batch))


def _count(folder: str) -> int:
    found = clips.shards(folder)
    if not found:
        raise RequestError(f"{folder} holds no latents: give a folder that `encode` wrote")
    return sum(len(clips.get(path)[1]["clips"]) for path in found)


# What the clips are.


def prepare(
    out: Path,
    *,
    latents: Sequence[str],
    text: str,
    compressor: str,
    count: int,
    judged: int,
    jobs: int,
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Render and encode what is not given: folders to train on, and those that are judged.

    A RequestError where latents are of several shapes, or of another compressor than is given.
    """
    encoder = checkpoint.load_compressor(compressor, dtype=torch.bfloat16)
    checkpoint.load_text(text)
    mark = checkpoint.fingerprint(encoding(encoder))
    shapes = set()
    for folder in latents:
        _count(folder)
        arrays, about = clips.get(clips.shards(folder)[0])
        shapes.add(arrays["latents"].shape[1:])
        if about.get("compressor") != mark:
            raise RequestError(
                f"{folder} is not of {compressor}: give the compressor that encoded it"
            )
    if len(shapes) > 1:
        raise RequestError(f"latents of several shapes {sorted(shapes)}: give folders of one")
    wanted = {part: (JUDGED_SEED, judged, split) for part, split in _SPLITS.items()}
    if not latents:
        wanted = {"train": (FIRST_SEED, count, None), **wanted}
    made = {}
    for part, (first, number, split) in wanted.items():
        name = part.replace(" ", "_")
        settings = synth.Settings(
            size=SIZE, seconds=SECONDS, samples=4, split=split, within=tuple(sorted(CORE))
        )
        raw, target = out / "renders" / name, out / "latents" / name
        synthesize(raw, settings, first_seed=first, count=number, jobs=jobs)
        encode(raw, target, encoder, mirror=part == "train")
        made[part] = str(target)
    train = tuple(latents) or (made["train"],)
    return train, {part: made[part] for part in PARTS}


# What a run costs.


def shaped(preset: DitPreset, settings: Mapping[str, str]) -> DitPreset:
    """A preset with the settings that begin with "preset."."""
    inner = {k.removeprefix("preset."): v for k, v in settings.items() if k.startswith("preset.")}
    return recipe.override(preset, inner)


def numbers(preset: DitPreset) -> int:
    """How many parameters the transformer has."""
    with torch.device("meta"):
        return sum(p.numel() for p in DiT(preset).parameters())


def flops(bench: Bench, settings: Mapping[str, str], slots: int) -> float:
    """Floating-point operations of one clip in training, by formula; slots: words that it reads."""
    with torch.device("meta"):
        model = DiT(shaped(bench.preset, settings))
    frames, rows, columns = clips.get(clips.shards(bench.latents[0])[0])[0]["latents"].shape[2:]
    count = frames * rows * columns // bench.preset.patch**2
    c = config(bench, Run(name="cost", settings=settings, steps=1))
    return stage.flops(c, model, count, slots)


def pace(bench: Bench, settings: Mapping[str, str], steps: int = 3) -> float:
    """Processor seconds of a training step, measured: the best of some."""
    c = config(bench, Run(name="pace", settings=settings, steps=steps + 1))
    loader = Loader(c.phases[0].buckets, seed=0, twins=c.twins)
    took = []
    with parallel.start() as ranks:
        learner = stage.learner(c, ranks)
        for step in range(steps + 1):  # the first one warms up
            batch = next(loader)
            began = time.process_time()
            stage.learn(learner, batch, c, step, 0.0)
            took.append(time.process_time() - began)
    return min(took[1:])


# The folder of a study.


def open_study(out: Path, bench: Bench) -> None:
    """Write down what the runs share; a RequestError if the folder holds another study."""
    file, about = out / "bench.json", json.loads(json.dumps(asdict(bench)))
    if file.exists() and read(file) != about:
        odd = [key for key in about if read(file).get(key) != about[key]]
        raise RequestError(f"{out} holds a study with another {odd[0]}: give another --out")
    write(file, about)


def read(file: Path) -> dict[str, Any]:
    """JSON of a study's own files."""
    try:
        return dict(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise RequestError(f"{file} cannot be read ({error}): give another --out") from None


def write(file: Path, data: Mapping[str, Any]) -> None:
    """JSON, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as part:
        part.write_text(json.dumps(data, indent=1) + "\n", "utf-8")


def options(parser: argparse.ArgumentParser, out: str) -> None:
    """The options that every study has."""
    parser.add_argument("--out", type=Path, default=Path(out))
    parser.add_argument("--latents", nargs="*", default=[], help="folders to train on, or renders")
    parser.add_argument("--text", default=str(PACKAGED / "marble/text"))
    parser.add_argument("--compressor", default=str(PACKAGED / "marble/compressor"))
    parser.add_argument("--clips", type=int, default=2048, help="to render, without --latents")
    parser.add_argument("--judged", type=int, default=64, help="clips of each part, for the loss")
    parser.add_argument("--cases", type=int, default=100, help="clips that the rulers look at")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, of one thread each")
    parser.add_argument("--minutes", type=float, help="stop after these; the same command goes on")
    parser.add_argument("--smoke", action="store_true", help="all of it, tiny: it says nothing")
    parser.add_argument("--plan", action="store_true", help="say what it costs, and stop")


SMOKE = {"clips": 4, "judged": 2, "cases": 2, "batch": 2}
TINY = replace(presets.MARBLE_FIRST_DIT, dim=32, heads=1, layers=3, mlp=64)


def study(chosen: argparse.Namespace) -> Bench:
    """The bench that the options ask for, its clips made."""
    given = SMOKE if chosen.smoke else {key: getattr(chosen, key) for key in SMOKE}
    latents, judged = prepare(
        chosen.out, latents=chosen.latents, text=chosen.text, compressor=chosen.compressor,
        count=given["clips"], judged=given["judged"], jobs=1 if chosen.smoke else chosen.jobs,
    )  # fmt: skip
    bench = Bench(
        latents=latents, judged=judged, text=chosen.text, compressor=chosen.compressor,
        preset=TINY if chosen.smoke else presets.MARBLE_FIRST_DIT, batch=given["batch"],
        cases=given["cases"], steps=2 if chosen.smoke else 20,
    )  # fmt: skip
    open_study(chosen.out, bench)
    return bench
