"""What a request will take of memory, before anything is loaded."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worldreel.cli.options import MARBLE
from worldreel.errors import RequestError
from worldreel.request import Request, plan

if TYPE_CHECKING:
    from worldreel.plan import Plan

# What the engine can do, in the order of preference; on the CPU taking turns frees nothing.
_WAYS = ("all resident", "one network at a time")


def foretell(request: Request, *, told: bool) -> Plan | None:
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
    latents = asked.timeline.window[1] + len(asked.references)
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
        ways=_WAYS[:1] if where.type == "cpu" else _WAYS,
    )
    if made.chosen is None and not told:
        raise RequestError(f"{model.name}: {'; '.join(made.advice)} (--plan shows all of it)")
    return made


def in_turn(made: Any) -> bool:
    """Whether networks are to take turns on the device."""
    return made is not None and made.chosen is not None and made.chosen.name == _WAYS[1]
