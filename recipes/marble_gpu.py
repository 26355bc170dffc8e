"""marble, full: what 25 minutes of one large GPU train, step by step (docs/gpu.md).

    python -m recipes.marble_gpu pack            takes that travel, made on any machine with MuJoCo
    python -m recipes.marble_gpu expect          rates and budget, by formula
    python -m recipes.marble_gpu check           is it right here, how fast is it: writes plan.json
    python -m recipes.marble_gpu start           a process of its own trains; returns at once
    python -m recipes.marble_gpu status          one line of JSON, also in status.json
    python -m recipes.marble_gpu collect OUT     the model so far, in pieces under 16 MiB
    python -m recipes.marble_gpu join OUT MODEL  pieces to a folder that `worldreel.load` reads
    python -m recipes.marble_gpu --smoke         every step of it, tiny, on a CPU

`raw` and `compressor` train the compressor anew on what the takes show; without them the packaged
one encodes. Everything lies in runs/marble-gpu and goes on where it was stopped, also by `kill -9`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from recipes.sheet import FULL, PACKAGED, SIZES, SMOKE, Pack, Part
from worldreel import checkpoint
from worldreel.data import clip, synth, takes
from worldreel.data.live import Fresh
from worldreel.errors import CheckpointError, RequestError, TrainingError
from worldreel.models.compressor import Compressor
from worldreel.models.dit import DiT
from worldreel.models.presets import Settings
from worldreel.parallel import Ranks
from worldreel.train import apart, log, pieces, rates
from worldreel.train import compressor as compressor_stage
from worldreel.train import dit as dit_stage
from worldreel.world.labels import LABELS

PEAK = 790e12  # dense bf16 products of an H200, measured on large matrices, FLOP/s
SHARE = 0.2  # of it, that a step of narrow layers is expected to reach; below half: see docs/gpu.md
STEPPING = 0.85  # of the minutes: compiling and the first clips take the rest
SHEET = SMOKE if "--smoke" in sys.argv else FULL
PLAN, STATUS = SHEET.root / "plan.json", SHEET.root / "status.json"
SETTINGS = Settings(
    name="marble",
    steps=20,
    guidance_scale=3.0,
    sampler="ancestral",
    flow_shift=5.0,
    trained_sizes=tuple(f"{w}x{h}" for w, h in SIZES),
    trained_seconds=max(pack.seconds for pack in SHEET.packs),
)


# --- what runs ----------------------------------------------------------------------------------


def planned() -> dict[str, Any]:
    """What `check` found: how steps and reuse are scaled, where is drawn, whether scenes are new.

    Before that: as planned, from packed takes, drawn where the trainer is.
    """
    plan = {"scale": 1.0, "reuse": 1, "device": _device(), "physics": False}
    return plan | (json.loads(PLAN.read_text("utf-8")) if PLAN.exists() else {})


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def fresh(part: Part, plan: dict[str, Any]) -> Fresh:
    """A part's clips: of packed takes, or of new scenes where there is MuJoCo."""
    pack = _pack(part)
    settings = synth.Settings(
        size=part.size, seconds=pack.seconds or 2.0, still=not pack.seconds,
        samples=SHEET.samples, within=pack.within, device=plan["device"],
    )  # fmt: skip
    where: dict[str, Any] = {"takes": str(_takes(pack))}
    if plan["physics"]:
        where = {"first_seed": pack.first_seed}
    return Fresh(
        settings=settings, weight=part.weight, batch=part.batch, group=part.group,
        reuse=part.reuse * plan["reuse"], **where,
    )  # fmt: skip


def _pack(part: Part) -> Pack:
    return next(pack for pack in SHEET.packs if pack.name == part.pack)


def _takes(pack: Pack) -> Path:
    return SHEET.root / "takes" / pack.name


def dit() -> dit_stage.Config:
    """The transformer's run, as `check` has scaled it."""
    plan, start = planned(), SHEET.root / "start"
    phases = [
        dit_stage.Phase(
            steps=max(1, round(steps * plan["scale"])),
            fresh=tuple(fresh(part, plan) for part in parts),
        )
        for steps, parts in SHEET.phases
    ]
    return dit_stage.Config(
        preset=SHEET.preset,
        phases=tuple(phases),
        text=str(PACKAGED / "text"),
        start=str(start) if start.exists() else "",
        compressor=str(_compressor()),
        jobs=SHEET.jobs,
        decay_share=0.5,
        warmup=100,
        shift=4.0,  # as the small one
        # Few shapes: each canvas that a step draws first is a graph to compile.
        tasks={
            "blank": 0.72, "first": 0.10, "extend": 0.04, "backward": 0.02, "first_and_last": 0.05,
            "keyframes": 0.02, "inpaint": 0.01, "outpaint": 0.01, "loosen": 0.03,
        },
        compile=SHEET.compile,
        save_every=SHEET.save_every,
    )  # fmt: skip


def compressor() -> compressor_stage.Config:
    """The compressor anew, on raw clips that `raw` drew."""
    folders = tuple(str(SHEET.root / "raw" / pack.name) for pack in SHEET.packs)
    return compressor_stage.Config(preset=SHEET.compressor, data=folders, **SHEET.extra)


def _compressor() -> Path:
    own = SHEET.root / "compressor/final"
    return own if own.exists() else PACKAGED / "compressor"


def pack(*_: str) -> dict[str, Any]:
    """Scenes acted out, without pixels. Needs MuJoCo; finished files are not made again."""
    made = {}
    for one in SHEET.packs:
        settings = synth.Settings(
            size=(256, 144), seconds=one.seconds or 2.0, still=not one.seconds, within=one.within
        )
        made[one.name] = takes.pack(
            _takes(one), settings, first_seed=one.first_seed, count=one.count,
            jobs=(os.cpu_count() or 1) if SHEET is FULL else 1,
            progress=lambda _, done, total: print(f"{done}/{total} takes", file=sys.stderr),
        )  # fmt: skip
    return made | {"bytes": sum(m["bytes"] for m in made.values())}


def raw(*_: str) -> dict[str, Any]:
    """Some clips of every pack drawn into shards, for the compressor."""
    plan = planned()
    for one in SHEET.packs:
        size = SHEET.phases[-1][1][0].size
        source = fresh(Part(pack=one.name, size=size, batch=1, weight=1, group=1, reuse=1), plan)
        for start in range(source.first_seed, source.first_seed + SHEET.raw, 64):
            path = SHEET.root / "raw" / one.name / f"shard-{start:010d}"
            stop = min(start + 64, source.first_seed + SHEET.raw)
            if not path.with_suffix(".json").exists():
                staged = map(source.staged, range(start, stop))
                clip.write(path, list(synth.draw(staged, source.settings)))
                print(f"{one.name}: drawn to {stop}", file=sys.stderr, flush=True)
    return {"clips": SHEET.raw * len(SHEET.packs)}


def train_compressor(minutes: str = "3", *_: str) -> dict[str, Any]:
    """The compressor, for some minutes; the transformer must begin after it."""
    if checkpoint.latest(SHEET.root / "dit"):
        raise RequestError("the transformer has begun on other latents: remove its folder first")
    return compressor_stage.main(__file__, out=SHEET.root / "compressor", minutes=float(minutes))


def train(*_: str) -> dict[str, Any]:
    """The transformer, in this process, to its end or the end of its minutes."""
    return dit_stage.main(__file__, out=SHEET.root / "dit", minutes=SHEET.minutes)


# --- what is expected, and what is found --------------------------------------------------------


def expect(*_: str) -> dict[str, Any]:
    """By formula: for each part of each phase FLOPs, steps and clips per second, and clips drawn.

    clips/s at SHARE of PEAK; drawn: new clips per second that keep the trainer busy.
    """
    with torch.device("meta"):
        model = DiT(SHEET.preset)
    rows, total = [], 0.0
    for number, (steps, parts) in enumerate(SHEET.phases):
        weight = sum(part.weight for part in parts)
        for part in parts:
            source = fresh(part, {**planned(), "reuse": 1, "device": "cpu"})
            count = source.shape[0] * source.shape[1] * source.shape[2]
            flops = 3 * part.batch * model.flops(count, len(LABELS))
            seconds = flops / (PEAK * SHARE)
            mine = steps * part.weight / weight
            total += mine * seconds
            row = {"phase": number, "pack": part.pack, "size": f"{part.size[0]}x{part.size[1]}"}
            row |= {"tokens": count, "batch": part.batch, "steps": round(mine)}
            row |= {"tflop_step": round(flops / 1e12, 4), "steps_s": round(1 / seconds, 2)}
            row["clips_s"] = round(part.batch / seconds)
            row["drawn_s"] = round(part.batch / seconds / (2 * part.reuse), 1)
            rows.append(row)
    size = sum(p.numel() for p in model.parameters())
    return {"parameters": size, "minutes": round(total / 60, 2), "rows": rows}


def check(*_: str) -> dict[str, Any]:
    """Draw, encode and step here: right or not, how fast, and the plan that follows from it.

    The steps are scaled so that they fit into the minutes, and clips are seen again as often as
    drawing is slower than training. A TrainingError, and the plan, where something is wrong.
    """
    ranks, plan = Ranks(device=torch.device(_device())), planned()
    plan |= {"scale": 1.0, "reuse": 1, "physics": SHEET is FULL and find_spec("mujoco") is not None}
    small = SHEET.phases[-1][1][0]
    each = 32 if SHEET is FULL else 1
    drawn = {}
    for device in dict.fromkeys((_device(), "cpu")):
        source = fresh(small, plan | {"device": device})
        drawn[device] = rates.drawing(source, jobs=SHEET.jobs, each=each)
    plan["device"] = max(drawn, key=lambda device: drawn[device])
    wrong = rates.unlike(fresh(small, plan), count=2)
    c = dit()
    errors = rates.gradients(c, fresh(small, plan), ranks)
    parts = list(dict.fromkeys(part for _, parts in SHEET.phases for part in parts))
    sources = [fresh(part, plan) for part in parts]
    spent = dict(zip(parts, rates.stepping(c, sources, ranks, steps=5), strict=True))
    seconds, busy, plan["steps_s"] = 0.0, 0.0, {}
    for number, (steps, chosen) in enumerate(SHEET.phases):
        weight = sum(part.weight for part in chosen)
        mean = sum(spent[part] * part.weight for part in chosen) / weight
        plan["steps_s"][str(number)] = 1 / mean
        seconds += steps * mean
        wanted = sum(part.weight * _work(part) for part in chosen) / weight
        busy = max(busy, wanted / mean / _work(dataclasses.replace(small, batch=2, reuse=1)))
    plan["scale"] = min(2.0, STEPPING * 60 * SHEET.minutes / seconds)
    plan["reuse"] = max(1, math.ceil(busy / drawn[plan["device"]]))
    planned_rows = expect()
    share = 60 * planned_rows["minutes"] / seconds * SHARE
    plan |= {
        "drawn": drawn, "wanted": busy, "unlike": wrong, "gradients": errors, "share": share,
        "encoded": rates.encoding(c, sources[parts.index(small)], ranks, count=2 * each),
        "seconds": {f"{p.pack} {p.size[0]}x{p.size[1]}": spent[p] for p in parts},
    }  # fmt: skip
    SHEET.root.mkdir(parents=True, exist_ok=True)
    PLAN.write_text(json.dumps(plan, indent=1) + "\n", "utf-8")
    if wrong > 0.02 or not max(errors.values()) < 0.15:
        raise TrainingError(
            f"{wrong:.3f} of the pixels are unlike the CPU's, and gradients {errors}: draw on the "
            "CPU, or train with compile=False, before anything else"
        )
    return plan


def _work(part: Part) -> float:
    """Pixels that a step of a part needs drawn."""
    frames = max(1, round(12 * _pack(part).seconds))
    return part.batch / (2 * part.reuse) * part.size[0] * part.size[1] * frames


# --- a process of its own -----------------------------------------------------------------------


def start(*_: str) -> dict[str, Any]:
    """Train in a session of its own, which outlives the shell that calls; once."""
    command = [sys.executable, "-m", "recipes.marble_gpu", "train"]
    return {"pid": apart.start(SHEET.root, [*command, *["--smoke"] * (SHEET is SMOKE)])}


def stop(*_: str) -> dict[str, Any]:
    """End the trainer; `start` goes on from its last save."""
    return {"stopped": apart.stop(SHEET.root)}


def status(*_: str) -> dict[str, Any]:
    """How far it is, at which rate, and what that means. In status.json, too.

    verdict: starting, ok, slow (under half of what `check` measured), worse (a loss well above its
    lowest: stop, and go back), ended (its log says why) or done.
    """
    c, lines = dit(), log.read(SHEET.root / "dit")
    total = sum(phase.steps for phase in c.phases)
    told: dict[str, Any] = {"running": bool(apart.alive(SHEET.root)), "step": 0, "of": total}
    told["verdict"] = "starting" if told["running"] else "ended"
    if lines:
        last = lines[-1]
        told |= {key: last[key] for key in ("step", "seconds", "loss", "dense", "phase")}
        recent = [line for line in lines if line["phase"] == last["phase"]][-30:]
        spent = last["seconds"] - recent[0]["seconds"]
        rate = (last["step"] - recent[0]["step"]) / spent if spent > 0 else 0.0
        told["steps_s"] = round(rate, 3)
        told["minutes_left"] = round((total - last["step"]) / rate / 60, 1) if rate else None
        if told["running"]:
            told["verdict"] = _verdict(lines, rate, last["phase"])
        elif last["step"] >= total:
            told["verdict"] = "done"
    if told["verdict"] == "ended" and (SHEET.root / "train.log").exists():
        told["log"] = (SHEET.root / "train.log").read_text("utf-8", "replace")[-400:]
    SHEET.root.mkdir(parents=True, exist_ok=True)
    STATUS.write_text(json.dumps(told) + "\n", "utf-8")
    return told


def _verdict(lines: Sequence[dict[str, Any]], rate: float, phase: float) -> str:
    same = [line["loss"] for line in lines if line["phase"] == phase and line["loss"] is not None]
    means = [sum(same[i : i + 20]) / 20 for i in range(0, len(same) - 19, 20)]
    if means and means[-1] > 1.15 * min(means):
        return "worse"
    wanted = planned().get("steps_s", {}).get(str(int(phase)), 0.0)
    return "slow" if rate and rate < 0.5 * wanted else "ok"


# --- what comes back ----------------------------------------------------------------------------


def collect(out: str = "out", storage: str = "int8", *_: str) -> dict[str, Any]:
    """The average so far with all that a model needs, as pieces of a tar, and the run's records.

    storage: int8 to use it; fp16 for weights that a later run begins from.
    """
    if not (SHEET.root / "dit").is_dir() or not list((SHEET.root / "dit").glob("final*")):
        raise CheckpointError("the trainer has saved nothing yet: `status` tells how far it is")
    held = checkpoint.load(SHEET.root / "dit/final", kind="dit")
    step, model = held.provenance["steps"], SHEET.root / "model"
    shutil.rmtree(model, ignore_errors=True)
    for kind, folder in (("text", PACKAGED / "text"), ("compressor", _compressor())):
        own = checkpoint.load(folder, kind=kind)
        checkpoint.save(
            model / kind, kind=kind, config=own.config, tensors=own.tensors, storage="int8",
            provenance=own.provenance,
        )  # fmt: skip
    checkpoint.save(
        model / "dit", kind="dit", config=held.config, tensors=held.tensors, storage=storage,
        provenance=held.provenance,
    )  # fmt: skip
    (model / "model.json").write_text(json.dumps(dataclasses.asdict(SETTINGS), indent=1) + "\n")
    out_dir = Path(out)
    about = pieces.write(model, out_dir, f"marble-{step:06d}-{storage}")
    (out_dir / "status.json").write_text(json.dumps(status()) + "\n", "utf-8")
    shutil.copy(SHEET.root / "dit/metrics.jsonl", out_dir / "metrics.jsonl")
    return about


def join(folder: str = "out", model: str = "model", *_: str) -> dict[str, Any]:
    """The newest model of a folder of pieces, whole or an error."""
    return pieces.join(Path(folder), Path(model))


def smoke(*_: str) -> dict[str, Any]:
    """Every step in turn, with a trainer that is killed and goes on."""
    shutil.rmtree(SHEET.root, ignore_errors=True)
    checkpoint.save(  # the closed form of a compressor takes longer than all the rest
        SHEET.root / "begin", kind="compressor", config=dataclasses.asdict(SHEET.compressor),
        tensors=Compressor(SHEET.compressor).state_dict(),
    )  # fmt: skip
    for step in (pack, expect, raw, train_compressor, check, start):
        print(f"== {step.__name__}\n{json.dumps(step())[:600]}", file=sys.stderr, flush=True)
    while apart.alive(SHEET.root) and not checkpoint.latest(SHEET.root / "dit"):
        time.sleep(0.1)
    print(f"== stop\n{stop()} {status()}", file=sys.stderr, flush=True)
    start()
    while apart.alive(SHEET.root):
        time.sleep(0.2)
    told = status()
    out = SHEET.root / "out"
    made = [collect(str(out)), join(str(out), str(SHEET.root / "joined"))]
    checkpoint.load_dit(SHEET.root / "joined/dit", dtype=torch.float32)
    checkpoint.load_compressor(SHEET.root / "joined/compressor", dtype=torch.float32)
    if told["verdict"] != "done":
        raise CheckpointError(f"the trainer did not come to its end: {told}")
    return {"status": told, "made": made}


COMMANDS = {
    "pack": pack, "expect": expect, "check": check, "raw": raw, "compressor": train_compressor,
    "train": train, "start": start, "stop": stop, "status": status, "collect": collect,
    "join": join, "smoke": smoke,
}  # fmt: skip


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--smoke"]
    name, *rest = words or (["smoke"] if SHEET is SMOKE else [""])
    if name not in COMMANDS:
        sys.exit(f"give one of {', '.join(COMMANDS)}")
    print(json.dumps(COMMANDS[name](*rest)), flush=True)


if __name__ == "__main__":
    main()
