"""Quality follows compute by a law: small runs predict a large one before it is started.

    python -m recipes.scaling --minutes 480 --jobs 2 --plan    what fits into eight hours
    python -m recipes.scaling --minutes 480 --jobs 2           points and prediction, and stop
    python -m recipes.scaling --jobs 2 --largest               the largest run, the check, the page
    python -m recipes.scaling --smoke                          all of it, tiny: it says nothing

Points are transformers of several widths at budgets that lie over three decades below the largest
run's, counted by formula. L(N, D) and L(C) are fitted to their loss on clips that training never
saw (`eval.scaling`). The prediction of the largest run is written to a file before that run can be
started, with a fingerprint of the points that it follows from; the run keeps the fingerprint of
the prediction, so that neither can be changed afterwards without being told. Each point is a
folder of its own: stopped at any time, the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from recipes import bench, chart, trial
from recipes.bench import Bench, Run
from recipes.prediction import Point, Size, fingerprint, measured, predict, results
from worldreel.errors import RequestError
from worldreel.eval import scaling
from worldreel.world.labels import LABELS

# Width, heads and layers: heads are 64 wide but in the ones of 32 and 96, the MLP is 4 times the
# width.
WIDTHS = (
    (32, 1, 3), (64, 1, 3), (96, 2, 4), (128, 2, 5), (192, 3, 6), (256, 4, 7), (320, 5, 8),
    (384, 6, 9),
)  # fmt: skip
TINY_WIDTHS = ((16, 1, 3), (32, 1, 3), (48, 1, 4), (64, 1, 5))
# Budgets as shares of the largest run's: three decades, and 1, 4 and 32 times one of them.
SHARES = (1 / 2048, 1 / 512, 1 / 128, 1 / 32, 1 / 8)
PICTURED = (1 / 32, 1 / 8, 1.0)  # the budgets of the picture: 1, 4 and 32 times the first
ABREAST = 3  # widths at each budget
RATIO = 1 / 40  # clips per parameter round which widths are tried; the fit says what is best
FEWEST = 60  # steps that a point takes at least, else it is no training
COLUMNS = 6  # prompts in the picture
SMOKE_BUDGET = 3e10


def sizes(b: Bench, smoke: bool) -> dict[int, Size]:
    """Every width, measured."""
    found = {}
    for width, heads, layers in TINY_WIDTHS if smoke else WIDTHS:
        print(f"measuring a step of width {width}", file=sys.stderr, flush=True)
        values = {"dim": width, "heads": heads, "layers": layers, "mlp": 4 * width}
        settings = {f"preset.{key}": str(value) for key, value in values.items()}
        found[width] = Size(
            settings=settings,
            parameters=bench.numbers(bench.shaped(b.preset, settings)),
            flops=bench.flops(b, settings, len(LABELS)),
            seconds=bench.pace(b, settings, steps=1 if smoke else 3),
        )
    return found


def points(sizes: Mapping[int, Size], largest: float, batch: int, fewest: int) -> list[Point]:
    """The study whose largest run takes `largest` operations, that one last.

    At each budget the widths are those whose clips per parameter are nearest to RATIO; those for
    which a budget is too short to train are left out.
    """
    made = []
    for share in (*SHARES, 1.0):
        rows = []
        for width, size in sizes.items():
            steps = max(1, round(share * largest / (size.flops * batch)))
            clips = steps * batch
            if steps >= fewest:
                off = abs(math.log(clips / size.parameters / RATIO))
                rows.append((off, width, steps, clips))
        for _, width, steps, clips in sorted(
            sorted(rows)[: 1 if share == 1 else ABREAST], key=_2nd
        ):
            size = sizes[width]
            made.append(
                Point(
                    width=width, share=share, steps=steps, flops=clips * size.flops,
                    parameters=size.parameters, clips=clips, seconds=steps * size.seconds,
                )
            )  # fmt: skip
    return made


def _2nd(row: tuple[float, int, int, int]) -> int:
    return row[1]


def minutes_of(made: Sequence[Point], jobs: int) -> float:
    """The wall time of the training on a machine with nothing else to do, `jobs` at a time and in
    the largest run."""
    return sum(point.seconds for point in made) / jobs / 60


def affordable(sizes: Mapping[int, Size], b: Bench, minutes: float, jobs: int) -> list[Point]:
    """The largest study that fits into the minutes."""
    low, high = 1e9, 1e22
    for _ in range(60):
        middle = math.sqrt(low * high)
        fits = minutes_of(points(sizes, middle, b.batch, FEWEST), jobs) <= minutes
        low, high = (middle, high) if fits else (low, middle)
    return points(sizes, low, b.batch, FEWEST)


def plan(b: Bench, chosen: argparse.Namespace) -> tuple[dict[int, Size], list[Point]]:
    """The widths and the points; written once, then kept."""
    file = chosen.out / "plan.json"
    if not file.exists():
        known = sizes(b, chosen.smoke)
        if chosen.smoke:
            made = points(known, SMOKE_BUDGET, b.batch, 1)
        elif chosen.budget:
            made = points(known, chosen.budget, b.batch, FEWEST)
        elif chosen.minutes:
            made = affordable(known, b, chosen.minutes, chosen.jobs)
        else:
            raise RequestError("nothing is planned yet: give --minutes or --budget")
        if len({point.share for point in made}) < 5 or made[-1].share != 1 or len(made) < 7:
            raise RequestError(
                "too little for a law: its small budgets are no training. Give more --minutes, a "
                "larger --budget or a smaller --batch"
            )
        written = {str(width): vars(size) for width, size in known.items()}
        bench.write(file, {"sizes": written, "points": [vars(point) for point in made]})
    held = bench.read(file)
    known = {int(width): Size(**size) for width, size in held["sizes"].items()}
    return known, [Point(**point) for point in held["points"]]


def said(made: Sequence[Point], jobs: int) -> str:
    """The plan for people."""
    rows = [
        f"{p.name:12} {p.steps:7} steps {p.clips:9} clips {p.parameters / 1e6:6.2f} M "
        f"{p.flops:9.3g} FLOP {p.seconds / 60:8.1f} min"
        for p in made
    ]
    span = math.log10(made[-1].flops / min(p.flops for p in made))
    rows.append(f"{span:.1f} decades; largest is predicted from the {len(made) - 1} others")
    if span < 3:
        rows.append("that is less than three decades: give more --minutes or a smaller --batch")
    rows.append(f"training: {minutes_of(made, jobs):.0f} minutes with {jobs} jobs")
    return "\n".join(rows)


def run_points(b: Bench, chosen: argparse.Namespace, made: Sequence[Point], known: Any) -> bool:
    """Go on with points; whether all are finished."""
    folders = []
    for point in made:
        settings = known[point.width].settings
        folders.append(
            trial.open_run(chosen.out, Run(name=point.name, settings=settings, steps=point.steps))
        )
    single = len(made) == 1 and not chosen.smoke
    return trial.work(
        folders,
        jobs=1 if single else chosen.jobs,
        processes=chosen.jobs if single else 1,
        minutes=chosen.minutes,
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m recipes.scaling", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    bench.options(parser, "runs/scaling")
    parser.add_argument("--budget", type=float, help="operations of the largest run")
    parser.add_argument("--largest", action="store_true", help="start the largest run as well")
    parser.add_argument("--docs", type=Path, default=bench.ROOT / "docs", help="for scaling.md")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        whole = study(chosen)
    except (RequestError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    print(json.dumps(whole))


def study(chosen: argparse.Namespace) -> dict[str, Any]:
    """As far as the options and the minutes allow: points, prediction, largest run, page."""
    b = bench.study(chosen)
    known, made = plan(b, chosen)
    print(said(made, chosen.jobs), file=sys.stderr, flush=True)
    if chosen.plan:
        return {"planned": len(made), "next": "the same without --plan"}
    if not run_points(b, chosen, made[:-1], known):
        return {"finished": False, "next": "the same command goes on"}
    draws = 10 if chosen.smoke else scaling.DRAWS
    prediction = predict(chosen.out, made, draws)
    value, low, high = prediction["loss"]
    said_ = f"the largest run's loss will be {value:.4f} ({low:.4f} to {high:.4f})"
    print(f"{said_}: {chosen.out / 'prediction.json'}", file=sys.stderr, flush=True)
    if not (chosen.largest or chosen.smoke):
        return {"predicted": value, "next": "commit prediction.json, then --largest"}
    begun = chosen.out / "begun.json"
    if not begun.exists():
        bench.write(begun, {"prediction": fingerprint(prediction)})
    if not run_points(b, chosen, made[-1:], known):
        return {"finished": False, "next": "the same command goes on"}
    about = results(chosen.out, known, made, draws)
    docs = chosen.out / "docs" if chosen.smoke else chosen.docs
    files = chart.write(docs, about)
    if b.cases:
        files.append(picture(b, chosen.out, made, docs / "scaling.png"))
    return {"finished": True, "check": about["check"], "files": [str(file) for file in files]}


def picture(b: Bench, out: Path, made: Sequence[Point], file: Path) -> Path:
    """The same prompts and seeds, a row for each of the budgets in PICTURED."""
    from worldreel.eval.card import clips as painted
    from worldreel.eval.cases import cases

    asked = cases(min(COLUMNS, b.cases), bench.CASES_SEED, lambda *_: None, bench.CASES_WORLD)
    rows = {row["name"]: row for row in measured(out, made)}
    strips = []
    for share in PICTURED:
        here = [point for point in made if point.share == share and point.name in rows]
        if not here:
            continue
        best = min(here, key=lambda point: rows[point.name]["loss"])
        engine = trial.engine_of(b, out / "runs" / best.name / "final")
        frames = list(painted(engine, asked, "en", lambda *_: None))
        strips.append((f"{share / PICTURED[0]:g} x", frames))
    return chart.picture(file, strips, [case.prompts["en"].text for case in asked])


if __name__ == "__main__":
    main()
