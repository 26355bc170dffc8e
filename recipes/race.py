"""Which tricks of training win, at equal compute: every variant against the base, by one command.

    python -m recipes.race --plan                      what it will cost
    python -m recipes.race --jobs 2                    all variants, two seeds each
    python -m recipes.race --only base bypass contrast   some of them
    python -m recipes.race --smoke                     all of it, tiny: it says nothing

Each variant is marble's recipe with one change. It takes as many steps as the base's floating-point
operations allow (--equal flops), or as its processor seconds do (--equal seconds: a step of each is
measured first). What a variant is worth is the rulers' figure, not the loss: a trick wins if the
95 % interval of its difference to the base, over pairs of seeds and scenes, lies above zero.
Stopped at any time, the same command goes on. It prints one row per variant for docs/LOG.md, losers
too, and writes all of it to race.json.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recipes import bench, trial
from recipes.bench import COMPARED, PARTS, Bench, Look, Run
from worldreel.errors import RequestError
from worldreel.eval.metrics import wilson
from worldreel.eval.paired import difference
from worldreel.world.labels import LABELS


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One change. settings: of training (`train.dit.Config`); look: of the base's weights alone."""

    what: str
    settings: Mapping[str, str] = field(default_factory=dict)
    look: Look | None = None


AVERAGES = "(4.0, 20.0, 60.0)"  # beside the config's own, of the base: chosen when it is over

VARIANTS = {
    "base": Variant(what="marble's recipe"),
    "no-dense": Variant(what="no truth of the renderer", settings={"dense": "0.0"}),
    "dense-0.3": Variant(what="thrice its weight", settings={"dense": "0.3"}),
    "lr-up": Variant(what="twice the rate", settings={"lr": "4e-3", "adam_lr": "4e-3"}),
    "lr-down": Variant(what="half the rate", settings={"lr": "1e-3", "adam_lr": "1e-3"}),
    "batch-8": Variant(what="half the clips in a step", settings={"batch": "8"}),
    "batch-32": Variant(what="twice the clips in a step", settings={"batch": "32"}),
    "adamw-1e-3": Variant(what="AdamW", settings={"muon": "false", "adam_lr": "1e-3"}),
    "adamw-3e-3": Variant(what="AdamW, faster", settings={"muon": "false", "adam_lr": "3e-3"}),
    "no-twins": Variant(what="no mirrored clips", settings={"twins": "false"}),
    "bypass": Variant(what="half of the tokens pass by the middle", settings={"bypass": "0.5"}),
    "levels-up": Variant(what="levels towards noise", settings={"mean": "0.5"}),
    "levels-down": Variant(what="levels towards the clip", settings={"mean": "-0.5"}),
    "levels-narrow": Variant(what="levels nearer the middle", settings={"std": "0.7"}),
    "levels-wide": Variant(what="levels wider", settings={"std": "1.4"}),
    "shift-1": Variant(what="no shift of levels", settings={"shift": "1.0"}),
    "shift-2": Variant(what="half the shift", settings={"shift": "2.0"}),
    "shift-8": Variant(what="twice the shift", settings={"shift": "8.0"}),
    "no-soft": Variant(what="no fractional freedom", settings={"soft": "0.0"}),
    "soft-0.5": Variant(what="twice as much of it", settings={"soft": "0.5"}),
    "subjects": Variant(what="errors count more where things are", settings={"subjects": "6.0"}),
    "contrast": Variant(what="pushed from the neighbour", settings={"contrast": "0.05"}),
    "x": Variant(what="the network predicts clean latents", settings={"preset.predicts": "x"}),
    "narrow": Variant(
        what="narrower, more samples",
        settings={"preset.dim": "128", "preset.heads": "2", "preset.mlp": "512"},
    ),
    "wide": Variant(
        what="wider, fewer samples",
        settings={"preset.dim": "256", "preset.heads": "4", "preset.mlp": "1024"},
    ),
    "ema-long": Variant(what="an average of twice the length", look=Look(average="4.0")),
    "ema-short": Variant(what="of half the length", look=Look(average="20.0")),
    "ema-shorter": Variant(what="of a seventh of the length", look=Look(average="60.0")),
    "guide-middle": Variant(
        what="guidance at levels 0.2 to 0.9 alone",
        look=Look(sampling={"guidance_interval": [0.2, 0.9]}),
    ),
    "guide-late": Variant(
        what="no guidance above level 0.8",
        look=Look(sampling={"guidance_interval": [0.0, 0.8]}),
    ),
}


def settings_of(name: str, smoke: bool) -> dict[str, str]:
    """What a variant's training changes; the base keeps the averages that are looked at, too."""
    settings = dict(VARIANTS[name].settings)
    if smoke:  # a tiny transformer is made wider and narrower by as much
        scale = {k: v for k, v in settings.items() if k in ("preset.dim", "preset.mlp")}
        settings |= {k: str(int(v) // 8) for k, v in scale.items()}
        settings |= {"preset.heads": "1"} if scale else {}
        settings |= {"batch": "4"} if "batch" in settings else {}
    return settings | ({"averages": AVERAGES} if name == "base" else {})


def plan(b: Bench, names: Sequence[str], chosen: argparse.Namespace) -> dict[str, Any]:
    """For each trained variant its steps, operations and seconds; written once, then kept."""
    file = chosen.out / "plan.json"
    asked = {"steps": chosen.steps, "equal": chosen.equal, "smoke": chosen.smoke}
    held = bench.read(file) if file.exists() else {"asked": asked, "variants": {}}
    if held["asked"] != asked:
        raise RequestError(f"{chosen.out} was planned with {held['asked']}: give another --out")
    for name in dict.fromkeys(("base", *names)):
        if VARIANTS[name].look is not None or name in held["variants"]:
            continue
        print(f"measuring a step of {name}", file=sys.stderr, flush=True)
        settings = settings_of(name, chosen.smoke)
        cost = bench.batch_of(b, settings) * bench.flops(b, settings, len(LABELS))
        seconds = bench.pace(b, settings, steps=1 if chosen.smoke else 3)
        first = held["variants"].get("base", {"step_flops": cost, "step_seconds": seconds})
        share = first[f"step_{chosen.equal}"] / {"flops": cost, "seconds": seconds}[chosen.equal]
        held["variants"][name] = {
            "settings": settings,
            "steps": max(1, round(chosen.steps * share)),
            "step_flops": cost,
            "step_seconds": round(seconds, 4),
        }
        bench.write(file, held)
    return held["variants"]


def looks_of(names: Sequence[str]) -> dict[str, Look]:
    """How the base is judged: as it is, and by each variant that trains nothing."""
    looks = {name: VARIANTS[name].look for name in names}
    return {"": Look()} | {name: look for name, look in looks.items() if look is not None}


def said(plan: Mapping[str, Any], names: Sequence[str], chosen: argparse.Namespace) -> str:
    """The plan for people."""
    rows, total = [], 0.0
    for name in dict.fromkeys(("base", *names)):
        if name in plan:
            row = plan[name]
            flops, seconds = (row["steps"] * row[key] for key in ("step_flops", "step_seconds"))
            total += seconds
            rows.append(f"{name:14} {row['steps']:6} steps {flops:9.3g} FLOP {seconds:8.0f} s")
    whole = total * chosen.seeds / 60
    end = f"{chosen.seeds} seeds: {whole:.0f} minutes of processor time for training alone"
    return "\n".join([*rows, end])


Found = Mapping[str, Mapping[int, dict[str, Any]]]  # by variant and seed: see `trial.judge`


def race(b: Bench, chosen: argparse.Namespace) -> tuple[Found, bool]:
    """What was found of every finished run, by variant and seed; whether all are finished."""
    planned = plan(b, chosen.only, chosen)
    print(said(planned, chosen.only, chosen), file=sys.stderr, flush=True)
    if chosen.plan:
        return {}, False
    trained = [name for name in dict.fromkeys(("base", *chosen.only)) if name in planned]
    folders: dict[tuple[str, int], Path] = {}
    for seed in range(chosen.seeds):  # a whole race of the first seed, then the next
        for name in trained:
            run = Run(
                name=f"{name}-{seed}",
                settings=planned[name]["settings"],
                steps=planned[name]["steps"],
                seed=seed,
                looks=looks_of(chosen.only) if name == "base" else {"": Look()},
            )
            folders[name, seed] = trial.open_run(chosen.out, run)
    whole = trial.work(list(folders.values()), jobs=chosen.jobs, minutes=chosen.minutes)
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for (name, seed), folder in folders.items():
        one = trial.finished(folder)
        if one is not None:
            found.setdefault(name, {})[seed] = one
    return found, whole


def table(found: Found, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Each variant beside the base: shares with Wilson's intervals, differences with those of the
    paired bootstrap, over the seeds that both have finished."""
    base = found.get("base", {})
    rows = {}
    for name in dict.fromkeys(("base", *names)):
        look = name if VARIANTS[name].look is not None else ""
        own = base if look else found.get(name, {})
        pairs = [(base[seed], own[seed]) for seed in sorted(set(base) & set(own))]
        if not pairs:
            continue
        row: dict[str, Any] = {"what": VARIANTS[name].what, "seeds": len(pairs)}
        for key in ("flops", "processor_seconds", "steps", "parameters"):
            row[key] = float(np.mean([one[key] for _, one in pairs]))
        if look:
            row |= {"trains": False}
        for part in PARTS:
            values = [(trial.losses_of(a, part), trial.losses_of(b, part, look)) for a, b in pairs]
            row[f"loss {part}"] = _figure(values)
        for line in (*COMPARED, "all"):
            values = [(trial.right_of(a, line), trial.right_of(b, line, look)) for a, b in pairs]
            if values[0][0].size and not np.isnan(values[0][0]).all():
                row[line] = _figure(values)
                if line != "all":
                    right = np.concatenate([b[~np.isnan(b)] for _, b in values])
                    row[line]["wilson"] = wilson(int(right.sum()), right.size)
        row["verdict"] = _verdict(row) if name != "base" else "base"
        rows[name] = row
    return rows


def _figure(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    base, own = (np.stack([pair[i] for pair in pairs]) for i in (0, 1))
    gap, low, high = difference(base, own)
    return {"value": float(np.nanmean(own)), "difference": gap, "interval": [low, high]}


def _verdict(row: Mapping[str, Any]) -> str:
    """By the rulers; where nothing was painted, nothing is said."""
    if "all" not in row:
        return "not judged"
    low, high = row["all"]["interval"]
    return "wins" if low > 0 else "loses" if high < 0 else "open"


HEAD = (
    "| date | variant | colour | kind | side | setting | all four: gain | loss, seen: change "
    "| held-out pairs | TFLOP | processor s | seeds | verdict |"
)


def markdown(rows: Mapping[str, Mapping[str, Any]], day: str) -> str:
    """One row per variant for docs/LOG.md, shares and gains in points, the best first."""
    order = sorted(rows, key=lambda name: (name != "base", -_gain(rows[name])))
    text = [HEAD, "|" + "---|" * (HEAD.count("|") - 1)]
    for name in order:
        row = rows[name]
        cells = [day, f"{name}: {row['what']}"]
        cells += [_share(row.get(line)) for line in COMPARED]
        cells.append(_change(row.get("all"), 100, 1, name))
        cells += [_change(row[f"loss {part}"], 1, 4, name) for part in PARTS]
        if row.get("trains", True):
            cells += [f"{row['flops'] / 1e12:.4g}", f"{row['processor_seconds']:.0f}"]
        else:
            cells += ["0", "0"]
        cells += [str(row["seeds"]), row["verdict"]]
        text.append("| " + " | ".join(cells) + " |")
    return "\n".join(text) + "\n"


def _gain(row: Mapping[str, Any]) -> float:
    gain = row["all"]["difference"] if "all" in row else -row["loss seen"]["difference"]
    return -math.inf if math.isnan(gain) else gain


def _share(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return "-"
    low, high = figure["wilson"]
    return f"{100 * figure['value']:.0f} ({100 * low:.0f} to {100 * high:.0f})"


def _change(figure: Mapping[str, Any] | None, scale: float, digits: int, name: str) -> str:
    if figure is None:
        return "-"
    if name == "base":
        return f"{scale * figure['value']:.{digits}f}"
    low, high = (scale * end for end in figure["interval"])
    gap = scale * figure["difference"]
    return f"{gap:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m recipes.race", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    bench.options(parser, "runs/race")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--steps", type=int, default=1500, help="of the base")
    parser.add_argument("--seeds", type=int, default=2, help="of training, for each variant")
    parser.add_argument("--equal", choices=("flops", "seconds"), default="flops")
    chosen = parser.parse_args(arguments)
    if chosen.smoke:
        chosen.steps, chosen.seeds = 2, 1
    torch.set_num_threads(1)
    try:
        found, whole = race(bench.study(chosen), chosen)
    except RequestError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    if chosen.plan:
        return
    rows = table(found, chosen.only)
    bench.write(chosen.out / "race.json", {"finished": whole, "variants": rows})
    if rows:
        print(markdown(rows, date.today().isoformat()), end="")
    print(json.dumps({"finished": whole, "json": str(chosen.out / "race.json")}), file=sys.stderr)


if __name__ == "__main__":
    main()
