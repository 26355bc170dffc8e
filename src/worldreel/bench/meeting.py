"""Some races, one after the other: what `worldreel bench` asks for."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import torch

from worldreel.bench import machine, twins
from worldreel.bench.programme import chosen, races
from worldreel.bench.race import run
from worldreel.errors import RequestError
from worldreel.progress import Progress, silent


def hold(
    kind: str,
    *,
    only: str | None = None,
    quick: bool = False,
    device: str | None = None,
    told: Progress = silent,
) -> dict[str, Any]:
    """Races of a kind, as plain JSON values. device: another than the kind's own.

    Of quick races no memory is measured: it would be that of the packages.
    """
    twins.diffusers()  # said before any work
    where = torch.device(device or {"cpu": "cpu", "gpu": "cuda"}.get(kind, "cpu"))
    programme = races(kind, device=where, quick=quick)
    keys = chosen(programme, only)
    if where.type == "cuda" and not torch.cuda.is_available():
        raise RequestError("this machine has no GPU for torch: ask for --races cpu")
    children = None if quick else [kind, str(where)]
    about = machine.about(where)
    found: list[dict[str, Any]] = []
    for done, key in enumerate(keys):
        told("races", done, len(keys))
        found.append(run(programme[key](), told, children=children))
        _let_go(where)
    told("races", len(keys), len(keys))
    return {"races": kind, "quick": quick, "about": about, "found": found}


def _let_go(device: torch.device) -> None:
    """Give back what a race held: the next one needs the memory."""
    torch.compiler.reset()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def void(answer: dict[str, Any]) -> Sequence[str]:
    """Keys of races whose sides did not do the same."""
    return [race["race"] for race in answer["found"] if race["state"] == "void"]
