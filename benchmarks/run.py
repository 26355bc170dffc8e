"""Where the time of `worldreel generate` goes: from a cold start to the mp4, and its parts alone.

    python benchmarks/run.py [--runs 3] [--model FOLDER] [--json] [--write]

A clip of 4 seconds at 256x144, each time in a process of its own: once as this machine does it by
itself, once with AVX2 and float32 only. Then decoding and one step of the transformer alone, in
both number formats, beside the matrix product that this CPU reaches in the same run. --write puts
the table into docs/bench.md.

Where the packaged marble is missing, a model of its shape with random weights stands for it: as
fast, but it paints noise, which takes longer to save.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Generator

import worldreel
from worldreel import canvas, checkpoint, prompt, tokens
from worldreel.cli.doctor import cpu, matrix_rate
from worldreel.device import DTYPES, best_dtype
from worldreel.engine import Engine, load
from worldreel.models import presets
from worldreel.models.compressor import FRAMES, STRIDE, Compressor
from worldreel.models.dit import DiT
from worldreel.models.presets import Settings
from worldreel.models.text import TextEncoder
from worldreel.train.text import lexicon
from worldreel.world.labels import LABELS

ROOT = Path(__file__).parents[1]
PROMPT = "a red ball rolls to the left across a snowfield at sunset"
WIDTH, HEIGHT, SECONDS, FPS = 256, 144, 4, 12
STAGES = ("python", "import", "load", "prompt", "paint", "decode", "save", "wall")
TARGETS = {"wall": 15.0, "decode": 4.0, "memory": 2.0}  # seconds, seconds, GiB
# All that torch multiplies with: oneDNN (convolutions, bf16), ATen (the rest), MKL (fp32).
AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}

CHILD = """
import os, sys, time
import worldreel
worldreel._wait_briefly()  # as the command line does, before torch
began = time.perf_counter()
import worldreel.engine
took = time.perf_counter() - began
from worldreel.cli import main
code = main(sys.argv[1:])
print(took)
sys.exit(code)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="of each measurement, at least 3")
    parser.add_argument("--model", type=Path, help="a folder; the packaged marble, if there is one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help="write docs/bench.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as held:
        folder, name = given.model, f"the model in {given.model}"
        if folder is None:
            folder, name = checkpoint.PACKAGED / "marble", "the packaged marble"
        if not (folder / "model.json").is_file():
            folder = random_marble(Path(held) / "marble")
            name = "random weights in the shape of marble"
        found = measure(folder, max(3, given.runs), Path(held)) | {"model": name}
    text = table(found)
    print(json.dumps(found) if given.json else text)
    if given.write:
        (ROOT / "docs/bench.md").write_text(HEAD + text + "\n")


# Measuring.


def measure(folder: Path, runs: int, out: Path) -> dict[str, Any]:
    """Everything, as plain JSON values: of each figure its median and its minimum."""
    load_average = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    colds: dict[str, list[dict[str, float]]] = {"own": [], "avx2": []}
    for number in range(runs):  # in turn, so that both see the same machine
        for way, env in (("own", {}), ("avx2", AVX2)):
            say(f"cold start {number + 1}/{runs}, {way}")
            colds[way].append(cold(folder, out / f"{way}-{number}.mp4", env))
    own, why = best_dtype(torch.device("cpu"))
    return {
        "worldreel": worldreel.__version__,
        "torch": torch.__version__,
        "cpu": cpu()["model"],
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": round(load_average, 1),
        "runs": runs,
        "clip": {"width": WIDTH, "height": HEIGHT, "seconds": SECONDS},
        "dtype": {"use": str(own).removeprefix("torch."), "why": why},
        "cold": {way: spreads(rows) for way, rows in colds.items()},
        "alone": {name: alone(folder, name, runs) for name in DTYPES},
        "targets": TARGETS,
    }


def cold(folder: Path, out: Path, env: dict[str, str]) -> dict[str, float]:
    """One clip in a process of its own: seconds of each stage, and GiB at the peak."""
    source = str(Path(worldreel.__file__).parents[1])
    path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    asked = ["generate", PROMPT, "--model", str(folder), "-o", str(out), "--json", "--quiet"]
    asked += ["--seconds", str(SECONDS), "--size", f"{WIDTH}x{HEIGHT}"]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *asked],
        env=os.environ | env | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    wall = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"`worldreel generate` failed with {done.returncode}: {done.stdout.strip()}")
    answer, imported = done.stdout.strip().splitlines()
    told = json.loads(answer)
    took = {"import": float(imported)} | {n: told["seconds"][n] for n in STAGES[2:-1]}
    return {
        "python": wall - sum(took.values()),
        **took,
        "wall": wall,
        "memory": (told["peak_memory"] or 0) / 2**30,
    }


@torch.inference_mode()
def alone(folder: Path, name: str, runs: int) -> dict[str, Any]:
    """Decoding, and one step of the transformer (both branches of guidance), warm."""
    say(f"alone, {name}")
    engine = load(folder, device="cpu", dtype=name)
    t, h, w = SECONDS * FPS // FRAMES, HEIGHT // STRIDE, WIDTH // STRIDE
    latents = torch.randn(1, engine.compressor.preset.channels, t, h, w)
    pixels = SECONDS * FPS * HEIGHT * WIDTH
    step, words = one_step(engine, (2, engine.dit.preset.channels, t, h, w))
    works: dict[str, tuple[Callable[[], Any], float]] = {
        "transformer": (step, 2 * engine.dit.flops(t * h * w, words)),
        "decode": (lambda: engine.decode(latents), pixels * engine.compressor.flops_per_pixel()),
    }
    rate = max(matrix_rate(DTYPES[name]) for _ in range(3))
    found: dict[str, Any] = {"matrix_gflops": rate}
    for what, (work, flops) in works.items():
        took = spread(timed(work, runs))
        speed = flops / took["median"] / 1e9
        found[what] = took | {"gflop": flops / 1e9, "gflops": speed, "share": speed / rate}
    return found


def one_step(engine: Engine, shape: canvas.Shape) -> tuple[Callable[[], Any], int]:
    """The velocity of a blank canvas at one level, to call; and how many words it reads."""
    states = prompt.read(engine.text, PROMPT).states.expand(shape[0], -1, -1)
    preset = engine.dit.preset
    board = canvas.blank(shape)
    box = tokens.bag(board, patch=preset.patch, chunk=preset.chunk)
    field = tokens.velocity(
        engine.dit, board, box, engine.dit.read([(None, states, None)], shape[0])
    )
    x, level = torch.randn(shape), torch.tensor(0.7)
    return (lambda: field(x, level, level)), states.shape[1]


def timed(work: Callable[[], Any], runs: int) -> list[float]:
    """Seconds of each of some calls, after one that warms up."""
    work()
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return took


def spreads(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    return {name: spread([row[name] for row in rows]) for name in rows[0]}


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values)}


def random_marble(folder: Path) -> Path:
    """A model in marble's shape whose weights mean nothing."""
    words, generator = lexicon(), Generator().manual_seed(0)
    labels = {slot: tuple(values) for slot, values in LABELS.items()}
    preset = presets.marble_text(len(labels))
    compressor = Compressor(presets.MARBLE_COMPRESSOR)
    compressor.basis.normal_(std=0.03, generator=generator)
    config = {"preset": dataclasses.asdict(preset), "lexicon": list(words.words), "labels": LABELS}
    parts = (
        ("text", TextEncoder(preset, words, labels).init(generator), config),
        ("dit", DiT(presets.MARBLE_DIT).init(generator), dataclasses.asdict(presets.MARBLE_DIT)),
        ("compressor", compressor, dataclasses.asdict(presets.MARBLE_COMPRESSOR)),
    )
    for kind, net, held in parts:
        with torch.no_grad():
            for p in net.parameters():  # no zeros: they could be faster
                p.add_(torch.randn(p.shape, generator=generator), alpha=0.01)
        weights = net.state_dict()
        checkpoint.save(folder / kind, kind=kind, config=held, tensors=weights, storage="fp16")
    (folder / "model.json").write_text(json.dumps(dataclasses.asdict(Settings(name="marble"))))
    return folder


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# Telling.

HEAD = """<!-- Written by `python benchmarks/run.py --write`. -->

# Where the time goes

"""

NAMES = {
    "python": "Python's start and end",
    "import": "import of torch and worldreel",
    "load": "weights",
    "prompt": "prompt",
    "paint": "paint",
    "decode": "decode",
    "save": "save the mp4",
    "wall": "**all**",
}


def table(found: dict[str, Any]) -> str:
    """The measurements as Markdown."""
    own, capped = found["cold"]["own"], found["cold"]["avx2"]
    lines = [
        f"{found['cpu']}, {found['cores']} cores, {found['threads']} threads, {found['system']},"
        f" torch {found['torch']}, worldreel {found['worldreel']}; {found['model']}. Seconds:"
        f" medians of {found['runs']} runs, minimums in brackets."
    ]
    if found["load_average"] > 0.5 * (found["cores"] or 1):
        lines[0] += (
            f" The machine was busy with other work (a load of {found['load_average']:g} on"
            f" {found['cores']} cores): the times are too long, and the minimums are hints."
        )
    lines += [
        "",
        f"A clip of {SECONDS} s at {WIDTH}x{HEIGHT}, each in a process of its own:",
        "",
        f"| stage | as chosen here: {found['dtype']['use']} | AVX2 and float32 only |",
        "|---|---|---|",
    ]
    lines += [f"| {NAMES[n]} | {_figure(own[n])} | {_figure(capped[n])} |" for n in STAGES]
    lines += [
        "| peak memory, GiB | "
        + " | ".join(_figure(way["memory"]) for way in (own, capped))
        + " |",
        "",
        f"The choice: {found['dtype']['why']}.",
        "",
        "| target | | as chosen here | AVX2 and float32 only |",
        "|---|---|---|---|",
    ]
    for name, most in found["targets"].items():
        unit = "GiB" if name == "memory" else "s"
        met = ("met" if way[name]["median"] <= most else "missed" for way in (own, capped))
        lines.append(f"| {name} | at most {most:g} {unit} | " + " | ".join(met) + " |")
    lines += [
        "",
        "Alone, in a warm process. The transformer's step is both branches of guidance for the"
        " whole clip; a share is of what a product of two matrices reaches in the same run:",
        "",
        "| | format | seconds | GFLOP | GFLOP/s | share |",
        "|---|---|---|---|---|---|",
    ]
    for name, parts in found["alone"].items():
        for what in ("transformer", "decode"):
            p = parts[what]
            lines.append(
                f"| {what} | {name} | {_figure(p)} | {p['gflop']:.1f} | {p['gflops']:.0f} "
                f"| {p['share']:.0%} of {parts['matrix_gflops']:.0f} |"
            )
    return "\n".join(lines)


def _figure(figure: dict[str, float]) -> str:
    return f"{figure['median']:.2f} ({figure['min']:.2f})"


if __name__ == "__main__":
    main()
