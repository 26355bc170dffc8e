"""What a request will take of memory, before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from worldreel.cli import several
from worldreel.errors import RequestError
from worldreel.request import Request, plan
from worldreel.shelf import ours

if TYPE_CHECKING:
    from worldreel.plan import Plan
    from worldreel.team import Division


def foretell(
    request: Request,
    *,
    told: bool,
    weights: str = "auto",
    written: bool = False,
    loras: Sequence[tuple[str, float]] = (),
) -> tuple[Plan | None, Division | None]:
    """The plan of a request's memory, and who does what where there are several processes.

    A RequestError where nothing fits, or some processes would have nothing to do. told: also of
    what is packaged, which fits everywhere and need not be counted, and where nothing fits: the
    plan then says so; the model's parts and loras, which a run checks itself, are then checked.
    """
    if ours(request.model) is not None and not told:
        return None, None
    memory, device = import_module("worldreel.plan"), import_module("worldreel.device")
    checked = {"loras": loras, "whole": True} if told else {}
    model, limits = import_module("worldreel.loading").described(request.model, **checked)
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
        device=where,
        bits8=weights == "int8",
        written=written,
    )
    if made.chosen is None and not told:
        raise RequestError(f"{model.name}: {'; '.join(made.advice)} (--plan shows all of it)")
    if several.count() == 1:
        return made, None
    team = import_module("worldreel.team")
    team.check(several.count(), model.dit, model.name)
    divided = team.Division.of(
        several.count(),
        model.dit,
        tokens=made.tokens,
        guided=asked.guidance_scale != 1,
        dtype=device.best_dtype(where)[0],
    )
    return made, divided


def way(made: Plan | None) -> str:
    """The name of the way to run that was chosen."""
    return "auto" if made is None or made.chosen is None else made.chosen.name


def noted(made: Plan | None) -> list[str]:
    """What a person should know of how it is run."""
    if made is None or made.chosen is None or not made.chosen.way.freed:
        return []
    return [f"to fit the memory: {made.chosen.name}; {made.estimate()}"]
