"""What a request will take of memory, before anything is loaded."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from worldreel.cli.options import MARBLE
from worldreel.errors import RequestError
from worldreel.request import Request, plan

if TYPE_CHECKING:
    from worldreel.plan import Plan


def foretell(request: Request, *, told: bool, weights: str = "auto") -> Plan | None:
    """The plan of a request's memory; a RequestError where nothing fits.

    told: also of what is packaged, which fits everywhere and need not be counted, and where nothing
    fits: the plan then says so.
    """
    own = request.model == MARBLE.name or (Path(request.model) / "model.json").is_file()
    if own and not told:
        return None
    memory, device = import_module("worldreel.plan"), import_module("worldreel.device")
    model, limits = import_module("worldreel.loading").described(request.model)
    limits = limits or dataclasses.replace(MARBLE, name=model.name)
    ready = import_module("worldreel.clips").ready(request, limits)
    where = device.find_device("auto")
    asked = plan(ready, limits)
    latents = asked.timeline.window[1]
    group, lone = limits.frames_per_latent, limits.frames_per_latent - 1
    made = memory.plan(
        model,
        frames=group * latents - (lone if limits.first_frame else 0),
        height=asked.height,
        width=asked.width,
        dtype=device.best_dtype(where)[0],
        free=memory.free_bytes(where),
        guided=asked.guidance_scale != 1,
        levels=2 if asked.clips or asked.timeline.keyframes else 1,
        device=where,
        bits8=weights == "int8",
    )
    if made.chosen is None and not told:
        raise RequestError(f"{model.name}: {'; '.join(made.advice)} (--plan shows all of it)")
    return made


def way(made: Plan | None) -> str:
    """The name of the way to run that was chosen."""
    return "auto" if made is None or made.chosen is None else made.chosen.name


def noted(made: Plan | None) -> list[str]:
    """What a person should know of how it is run."""
    if made is None or made.chosen is None or not made.chosen.way.freed:
        return []
    return [f"to fit the memory: {made.chosen.name}; {made.estimate()}"]
