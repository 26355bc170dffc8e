"""A race: sides that are made, checked against each other, and timed in turn."""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from worldreel.bench import machine
from worldreel.bench.gate import judge
from worldreel.bench.machine import Product
from worldreel.bench.timing import in_turn, ratio
from worldreel.progress import Progress

WARM = 1  # calls of every work after the one that is looked into, before any that is timed


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A side that can be timed. Its time is the sum of its parts', each so many times."""

    parts: Mapping[str, Callable[[], Any]]
    output: Callable[[], Tensor] | None = None  # what is compared; the first part's, if left out
    times: Mapping[str, float] = field(default_factory=dict)
    modules: Sequence[nn.Module] = ()

    def compared(self) -> Tensor:
        work = self.output or next(iter(self.parts.values()))
        return work().detach().float()


@dataclass(frozen=True, kw_only=True)
class Side:
    """One way to do the work. equal: its output is the reference's, and has to be."""

    name: str
    ours: bool
    dtype: torch.dtype
    prepare: Callable[[], Ready]
    equal: bool = True


@dataclass(frozen=True, kw_only=True)
class Race:
    """reference: the output in float32. flops: of one call, told when it is asked. products: of
    matrices, in the model's own shapes. graph: gradients are recorded.

    measure: of a race that is not one of equal calls; it replaces all other steps, and its answer
    has "verdicts", "sides", "ratios" and whatever else is told.
    """

    key: str
    title: str
    shape: str
    device: torch.device
    sides: tuple[Side, ...] = ()
    reference: Callable[[], Tensor] | None = None
    rounds: int = 7
    flops: Callable[[], float] | None = None
    products: tuple[Product, ...] = ()
    graph: bool = False
    measure: Callable[[Callable[[str], None]], dict[str, Any]] | None = None
    notes: tuple[str, ...] = ()


def run(race: Race, told: Progress, *, children: Sequence[str] | None = None) -> dict[str, Any]:
    """All that is known of a race after it was run, as plain JSON values.

    children: the arguments with which `worldreel.bench.child` finds this race again, to measure the
    memory of each side in a process of its own; None: it is not measured.
    """
    found: dict[str, Any] = {
        "race": race.key, "title": race.title, "shape": race.shape, "notes": list(race.notes),
    }  # fmt: skip
    with torch.inference_mode(not race.graph), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of diffusers, about its own number formats
        found |= _measured(race, told) if race.measure is not None else _raced(race, told)
    if found["state"] == "run" and children is not None and race.device.type == "cpu":
        for number, side in enumerate(race.sides):
            told(f"{race.key} memory", number, len(race.sides))
            found["sides"][side.name]["peak_mib"] = _alone(children, race.key, side.name)
        if race.sides:
            told(f"{race.key} memory", len(race.sides), len(race.sides))
    return found


def _measured(race: Race, told: Progress) -> dict[str, Any]:
    assert race.measure is not None
    steps = iter(range(1, 100))
    found = race.measure(lambda step: told(f"{race.key} {step}", 1, next(steps) and 1))
    return _state(found["verdicts"]) | found


def _raced(race: Race, told: Progress) -> dict[str, Any]:
    ready: dict[str, Ready] = {}
    outputs: dict[bool, dict[str, tuple[torch.dtype, Tensor]]] = {True: {}, False: {}}
    stages = len(race.sides)
    with machine.exact():
        told(f"{race.key} make", 0, stages)
        wanted = None if race.reference is None else race.reference().detach().float().cpu()
        for done, side in enumerate(race.sides):
            ready[side.name] = side.prepare()
            if side.equal:
                output = ready[side.name].compared().cpu()
                outputs[side.ours][side.name] = (side.dtype, output)
                if wanted is None and side.dtype == torch.float32 and not side.ours:
                    wanted = output
            told(f"{race.key} make", done + 1, stages)
    assert wanted is not None, "a race needs a reference, or a side of theirs in float32"
    verdicts = [dataclasses.asdict(v) for v in judge(wanted, outputs[True], outputs[False])]
    found = _state(verdicts) | {"verdicts": verdicts}
    del outputs, wanted
    if found["state"] == "void":
        return found
    sides: dict[str, dict[str, Any]] = {}
    for side in race.sides:
        sides[side.name] = {
            "ours": side.ours,
            "equal": side.equal,
            "dtype": str(side.dtype).removeprefix("torch."),
            "operators": _operators(race, ready[side.name]),
        }
    works = {f"{name}\0{part}": work for name, r in ready.items() for part, work in r.parts.items()}
    wait = machine.wait_for(race.device)
    in_turn(works, WARM, wait=wait)
    rates = [_rate(race)] if race.products else []
    took = in_turn(
        works, race.rounds, wait=wait,
        told=lambda done: told(f"{race.key} race", done, race.rounds),
    )  # fmt: skip
    rates += [_rate(race)] if race.products else []
    flops = race.flops() if race.flops is not None else None
    for name, r in ready.items():
        each = {part: took[f"{name}\0{part}"] for part in r.parts}
        weighed = [[r.times.get(part, 1.0) * t for t in times] for part, times in each.items()]
        seconds = [sum(row) for row in zip(*weighed, strict=True)]
        sides[name] |= {"seconds": seconds, "median": statistics.median(seconds)}
        if len(each) > 1:
            sides[name]["parts"] = {part: statistics.median(t) for part, t in each.items()}
        if flops and rates:
            sides[name]["rate"] = flops / sides[name]["median"]
            sides[name]["share"] = sides[name]["rate"] / max(rates)
        if race.device.type == "cuda":
            sides[name]["peak_mib"] = _allocated(race.device, r)
    return found | {
        "sides": sides,
        "ratios": _ratios(sides),
        "probe": max(rates) if rates else None,
        "probe_dtype": str(_fastest(race)).removeprefix("torch."),
    }


def _state(verdicts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the gate makes of a race."""
    bad = [v for v in verdicts if not v["passed"]]
    if not bad:
        return {"state": "run"}
    said = "; ".join(
        f"{v['side']} differs by {v['error']:.1e} of the largest value, allowed {v['allowed']:.1e},"
        f" cosine {v['cosine']:.6f}"
        for v in bad
    )
    return {"state": "void", "why": said}


def _ratios(sides: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each of theirs beside the fastest of ours, the fastest of theirs first; then beside the
    fastest of ours in its own number format, where that is another."""
    found = []
    for alike in (False, True):
        for theirs in sorted((n for n in sides if not sides[n]["ours"]), key=_median_in(sides)):
            kind = sides[theirs]["dtype"]
            ours = [
                n for n in sides if sides[n]["ours"] and (not alike or sides[n]["dtype"] == kind)
            ]
            if not ours:
                continue
            best = min(ours, key=_median_in(sides))
            pair = {"theirs": theirs, "ours": best}
            if any(pair.items() <= known.items() for known in found):
                continue
            measured = ratio(sides[theirs]["seconds"], sides[best]["seconds"])
            found.append(pair | dataclasses.asdict(measured))
    return found


def _median_in(sides: Mapping[str, Mapping[str, Any]]) -> Callable[[str], float]:
    return lambda name: sides[name]["median"]


def _fastest(race: Race) -> torch.dtype:
    """The number format of the probe: the smallest that a side of ours computes in."""
    return min((s.dtype for s in race.sides if s.ours), key=lambda d: d.itemsize)


def _rate(race: Race) -> float:
    return machine.matrix_rate(race.products, _fastest(race), race.device)


def _operators(race: Race, ready: Ready) -> list[dict[str, Any]]:
    return machine.operators(lambda: [work() for work in ready.parts.values()], race.device)


def _allocated(device: torch.device, ready: Ready) -> float:
    """MiB of a side alone: its weights, and what one call takes beside all that is held."""
    held = sum(p.nbytes for m in ready.modules for p in m.parameters())
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    for work in ready.parts.values():
        work()
    return (held + torch.cuda.max_memory_allocated(device) - before) / 2**20


def _alone(children: Sequence[str], key: str, side: str) -> float | None:
    command = [sys.executable, "-m", "worldreel.bench.child", key, side, *children]
    # what is freed goes back at once, or peaks would tell of the allocator's luck: up to a tenth
    kept = {"MALLOC_MMAP_THRESHOLD_": str(1 << 17), "MALLOC_TOP_PAD_": "0"}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | kept)
    if done.returncode:
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])["peak_mib"]
