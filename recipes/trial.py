"""One run of a study: trained, then judged by what no training sees.

    python -m recipes.trial FOLDER --minutes 30

goes on with the run of a folder, which says what it is (run.json) and lies beside the others in a
study's folder, which says what they share (bench.json). It is judged by the flow loss at fixed
levels and noise (`eval.loss`), of pairs of colour and kind that training sees and of others, and by
the rulers, on clips that it paints.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recipes.bench import (
    CASES_SEED,
    CASES_WORLD,
    COMPARED,
    ROOT,
    Bench,
    Look,
    Run,
    config,
    read,
    write,
)
from worldreel import checkpoint
from worldreel.device import find_device
from worldreel.errors import RequestError
from worldreel.eval import metrics, probes
from worldreel.eval.cases import Case, cases
from worldreel.eval.loss import held_out
from worldreel.models import presets
from worldreel.progress import Progress
from worldreel.train import dit as stage


def open_run(out: Path, run: Run) -> Path:
    """The folder of a run, which says what it is; a RequestError if it says something else.

    A run may be looked at in more ways later.
    """
    folder = out / "runs" / "".join(c if c.isalnum() or c in ".-" else "-" for c in run.name)
    file, about = folder / "run.json", json.loads(json.dumps(asdict(run)))
    if file.exists():
        held = read(file)
        about["looks"] = {**held["looks"], **about["looks"]}
        if {**held, "looks": 0} != {**about, "looks": 0}:
            raise RequestError(f"{folder} holds another run of that name: give another --out")
    write(file, about)
    return folder


def finished(folder: Path) -> dict[str, Any] | None:
    """What a run was found to be; None while a look at it is missing."""
    file = folder / "judged.json"
    found = read(file) if file.exists() else {"looks": {}}
    return found if set(read(folder / "run.json")["looks"]) <= set(found["looks"]) else None


def go(folder: Path, minutes: float | None = None) -> bool:
    """Train and judge the run of a folder, or go on with it; whether it is finished.

    Under torchrun all ranks train, and the first one judges.
    """
    if finished(folder) is not None:
        return True
    about = read(folder / "run.json")
    looks = {name: Look(**look) for name, look in about["looks"].items()}
    run, bench = (
        Run(**{**about, "looks": looks}),
        Bench.from_json(read(folder.parents[1] / "bench.json")),
    )
    c = config(bench, run)
    done = stage.train(str(ROOT / "recipes/trial.py"), c, out=folder, minutes=minutes)
    if done["step"] < done["of"]:
        return False
    if int(os.environ.get("RANK", "0")) == 0:
        write(folder / "judged.json", judge(bench, folder, run))
    return True


def judge(bench: Bench, folder: Path, run: Run) -> dict[str, Any]:
    """What a run cost, and what each of its looks gives: losses (clips, levels) by part, and for
    each case which lines are right."""
    asked = cases(bench.cases, CASES_SEED, _told(run.name), CASES_WORLD) if bench.cases else []
    file = folder / "judged.json"
    found = read(file)["looks"] if file.exists() else {}
    for name, look in run.looks.items():
        if name not in found:
            found[name] = _look(bench, folder, look, asked, run.name)
    about = checkpoint.load(folder / "final", kind="dit")
    told = about.provenance
    return {
        "parameters": sum(value.numel() for value in about.tensors.values()),
        "flops": told["flops"],
        "processor_seconds": round(3600 * told["processor_hours"], 1),
        "steps": told["steps"],
        "clips": told["clips"],
        "splits": [case.split for case in asked],
        "looks": found,
    }


def _look(
    bench: Bench, folder: Path, look: Look, asked: Sequence[Case], name: str
) -> dict[str, Any]:
    weights = folder / (f"final-{look.average}" if look.average else "final")
    kind = torch.bfloat16 if bench.bf16 else torch.float32
    model = checkpoint.load_dit(weights, dtype=kind).to(find_device("auto"))
    text = checkpoint.load_text(bench.text)
    loss = {
        part: np.round(held_out(model, text, where).astype(float), 6).tolist()
        for part, where in bench.judged.items()
    }
    right = [
        metrics.judge(metrics.asked(case.prompts["en"].facts), reading)
        for case, reading in zip(asked, _readings(bench, weights, look, asked, name), strict=True)
    ]
    return {"loss": loss, "right": right}


def _readings(
    bench: Bench, weights: Path, look: Look, asked: Sequence[Case], name: str
) -> list[probes.Reading]:
    if not asked:
        return []
    from worldreel.eval.card import clips as painted

    rulers = probes.load()
    engine = engine_of(bench, weights, look.sampling)
    return [rulers.read(frames) for frames in painted(engine, asked, "en", _told(name))]


def engine_of(bench: Bench, weights: Path, sampling: Mapping[str, Any] | None = None) -> Any:
    """The model of a run, ready to be asked."""
    from worldreel.engine import Engine

    kind = torch.bfloat16 if bench.bf16 else torch.float32
    settings = presets.Settings(
        name=weights.parent.name, steps=bench.steps, guidance_scale=bench.guidance,
        flow_shift=bench.shift,
    )  # fmt: skip
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in (sampling or {}).items()}
    return Engine(
        settings=replace(settings, **given),
        text=checkpoint.load_text(bench.text),
        dit=checkpoint.load_dit(weights, dtype=kind),
        compressor=checkpoint.load_compressor(bench.compressor, dtype=kind),
        device=find_device("auto"),
    )


def _told(name: str) -> Progress:
    """Progress of judging, at its beginning and its end."""

    def told(stage: str, done: int, total: int) -> None:
        if done in (0, total):
            print(f"{name}: {stage} {done}/{total}", file=sys.stderr, flush=True)

    return told


def work(
    folders: Sequence[Path], *, jobs: int = 1, processes: int = 1, minutes: float | None = None
) -> bool:
    """Go on with runs, in order, `jobs` at a time, each in `processes`; whether all are finished.

    One job of one process is done here; others are commands of their own, of one thread each.
    """
    began = time.monotonic()

    def left() -> float | None:
        return None if minutes is None else minutes - (time.monotonic() - began) / 60

    todo = [folder for folder in folders if finished(folder) is None]
    total, running = len(todo), []
    while todo or running:
        rest = left()
        if todo and rest is not None and rest <= 0:
            todo = []
        elif todo and len(running) < jobs:
            folder = todo.pop(0)
            said = f"{folder.name} ({total - len(todo)} of {total})"
            print(f"== {said}", file=sys.stderr, flush=True)
            if jobs == 1 and processes == 1:
                go(folder, rest)
            else:
                running.append((folder, _start(folder, processes, rest)))
            continue
        for folder, child in list(running):
            if child.poll() is None:
                continue
            running.remove((folder, child))
            if child.returncode:
                for _, other in running:
                    other.terminate()
                raise RequestError(
                    f"the run in {folder} stopped with exit code {child.returncode}: see above; "
                    "the same command again goes on with it"
                )
        time.sleep(0.2 if running else 0)
    return all(finished(folder) is not None for folder in folders)


def _start(folder: Path, processes: int, minutes: float | None) -> subprocess.Popen[bytes]:
    command = [sys.executable]
    if processes > 1:
        command += [
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            str(processes),
        ]
    command += ["-m", "recipes.trial", str(folder.resolve())]
    command += [] if minutes is None else ["--minutes", str(minutes)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})


# Figures of a run that was judged.


def losses_of(found: Mapping[str, Any], part: str, look: str = "") -> np.ndarray:
    """Each judged clip's loss, a mean over levels."""
    return np.asarray(found["looks"][look]["loss"][part], float).mean(axis=1)


def right_of(found: Mapping[str, Any], line: str, look: str = "") -> np.ndarray:
    """Whether each case is right on a line, or on the mean of COMPARED ("all"); NaN: not asked."""
    lines = COMPARED if line == "all" else (line,)
    rows = [[one[k] for k in lines if k in one] for one in found["looks"][look]["right"]]
    return np.array([np.mean(row) if row else np.nan for row in rows], float)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m recipes.trial", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    go(chosen.folder, chosen.minutes)


if __name__ == "__main__":
    main()
