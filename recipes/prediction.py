"""What a scaling study found: its laws, and what they say of a run that is not made yet.

The prediction of the largest run is a file, written once: with a fingerprint of the points that it
follows from, and before that run can begin.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from recipes import bench, trial
from recipes.bench import PARTS
from worldreel.errors import RequestError
from worldreel.eval import scaling
from worldreel.eval.metrics import wilson
from worldreel.eval.scaling import Fitted


@dataclass(frozen=True, kw_only=True)
class Point:
    """A run of a width at a budget. seconds: of a processor, as planned."""

    width: int
    share: float
    steps: int
    flops: float
    parameters: int
    clips: int
    seconds: float

    @property
    def name(self) -> str:
        return f"{self.width}-{'largest' if self.share == 1 else round(1 / self.share)}"


@dataclass(frozen=True, kw_only=True)
class Size:
    """What a width costs: floating-point operations of a clip, processor seconds of a step."""

    settings: Mapping[str, str]
    parameters: int
    flops: float
    seconds: float


def measured(out: Path, made: Sequence[Point]) -> list[dict[str, Any]]:
    """What each finished point gave, beside its plan."""
    rows = []
    for point in made:
        folder = out / "runs" / point.name
        found = trial.finished(folder) if (folder / "run.json").exists() else None
        if found is None:
            continue
        right = trial.right_of(found, "all")
        known = right[~np.isnan(right)]
        row = {
            "name": point.name, "width": point.width, "share": point.share,
            "parameters": point.parameters, "clips": found["clips"], "flops": point.flops,
            "told_flops": found["flops"], "processor_seconds": found["processor_seconds"],
        }  # fmt: skip
        for part in PARTS:
            row[f"loss {part}"] = float(trial.losses_of(found, part).mean())
        row["loss"] = float(np.mean([row[f"loss {part}"] for part in PARTS]))
        if known.size:
            hits = round(float(known.sum()))
            row |= {"right": float(known.mean()), "wilson": wilson(hits, known.size)}
        rows.append(row)
    return rows


@dataclass(frozen=True, kw_only=True)
class Fits:
    """loss: of size and data; frontier: of compute, through the best point of each budget; card:
    the share of wrong answers of compute, None where the rulers did not look or all is right."""

    loss: Fitted
    frontier: Fitted
    card: Fitted | None


def fits(rows: Sequence[Mapping[str, Any]], draws: int = scaling.DRAWS) -> Fits:
    """The laws of these points."""
    best = [
        min((row for row in rows if row["share"] == share), key=lambda row: row["loss"])
        for share in sorted({row["share"] for row in rows})
    ]
    wrong = [(row["flops"], 1 - row["right"]) for row in best if row.get("right", 1) < 1]
    return Fits(
        loss=scaling.bootstrap(
            [row["loss"] for row in rows],
            [row["parameters"] for row in rows],
            [row["clips"] for row in rows],
            draws=draws,
        ),
        frontier=scaling.bootstrap(
            [row["loss"] for row in best], [row["flops"] for row in best], draws=draws
        ),
        card=scaling.bootstrap([w for _, w in wrong], [c for c, _ in wrong], draws=draws)
        if len(wrong) >= 4
        else None,
    )


def advice(fitted: Fitted, known: Mapping[int, Size], budget: float) -> dict[str, Any]:
    """The best width of those in the plan for a budget, the clips it then sees, and how often the
    bootstrap's laws choose each width."""

    def best(law: scaling.Law) -> int:
        losses = {
            width: float(law(size.parameters, budget / size.flops)) for width, size in known.items()
        }
        return min(losses, key=lambda width: losses[width])

    width = best(fitted.law)
    votes = [best(law) for law in fitted.draws]
    return {
        "flops": budget,
        "width": width,
        "parameters": known[width].parameters,
        "clips": round(budget / known[width].flops),
        "loss": float(fitted.law(known[width].parameters, budget / known[width].flops)),
        "chosen by": {str(w): votes.count(w) / len(votes) for w in known if w in votes},
    }


def told(found: Fitted) -> dict[str, Any]:
    """A law with its intervals."""
    law = found.law
    return {
        "floor": law.floor,
        "floor interval": found.interval(lambda one: one.floor),
        "scales": law.scales,
        "exponents": law.exponents,
        "exponent intervals": [
            found.interval(lambda one, k=k: one.exponents[k]) for k in range(len(law.exponents))
        ],
    }


def fingerprint(data: Any) -> str:
    """Of JSON, the same for the same values."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def predict(out: Path, made: Sequence[Point], draws: int = scaling.DRAWS) -> dict[str, Any]:
    """The prediction of the largest run, from all others; written once, before that run."""
    file, largest = out / "prediction.json", made[-1]
    rows = measured(out, made[:-1])
    mark = fingerprint(rows)
    if file.exists():
        held = bench.read(file)
        if held["points"] != mark:
            raise RequestError(
                f"{file} follows from other points than those in {out}: it holds no longer. Give "
                "another --out"
            )
        return held
    if (out / "runs" / largest.name / "run.json").exists():
        raise RequestError("the largest run has begun without a prediction: give another --out")
    found = fits(rows, draws)
    value, low, high = found.loss.predicted(largest.parameters, largest.clips)
    through, *_ = found.frontier.predicted(largest.flops)
    card = found.card.predicted(largest.flops) if found.card else None
    prediction = {
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "points": mark,
        "run": vars(largest),
        "loss": [value, low, high],
        "loss by compute alone": through,
        "wrong": card,
        "tolerance": scaling.TOLERANCE,
    }
    bench.write(file, prediction)
    return bench.read(file)


def check(out: Path, made: Sequence[Point]) -> dict[str, Any] | None:
    """What became of the prediction; None while the largest run is not finished."""
    rows = measured(out, made[-1:])
    if not rows:
        return None
    prediction = bench.read(out / "prediction.json")
    kept = bench.read(out / "begun.json")["prediction"]
    if kept != fingerprint(prediction):
        raise RequestError(
            f"{out / 'prediction.json'} was changed after the largest run began: it is none"
        )
    value, low, high = prediction["loss"]
    found = scaling.checked((value, low, high), rows[0]["loss"], prediction["tolerance"])
    return {**found, "by compute alone": rows[0]["loss"] / prediction["loss by compute alone"] - 1}


def results(
    out: Path, known: Mapping[int, Size], made: Sequence[Point], draws: int = scaling.DRAWS
) -> dict[str, Any]:
    """All that was found, also written to scaling.json. The fits leave the largest run out."""
    rows = measured(out, made)
    found = fits([row for row in rows if row["share"] != 1], draws)
    alpha, beta = found.loss.law.exponents
    about = {
        "points": rows,
        "laws": {
            "loss": told(found.loss),
            "frontier": told(found.frontier),
            "card": told(found.card) if found.card else None,
        },
        # with C about N D, the best N grows as C to this power
        "size exponent": beta / (alpha + beta),
        "size exponent interval": found.loss.interval(
            lambda law: law.exponents[1] / max(sum(law.exponents), 1e-9)
        ),
        "advice": [advice(found.loss, known, times * made[-1].flops) for times in (0.1, 1, 10)],
        "prediction": bench.read(out / "prediction.json"),
        "check": check(out, made),
    }
    bench.write(out / "scaling.json", about)
    return about
