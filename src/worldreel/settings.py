"""What a model in our own layout says of itself, in `model.json`, and what it can then be asked.

Nothing is loaded for it, so that a request is refused before torch is.
"""

from __future__ import annotations

import json
from pathlib import Path

from worldreel import shelf
from worldreel.errors import CheckpointError
from worldreel.models.presets import Settings, build
from worldreel.request import Limits
from worldreel.values import parse_size


def settings_of(folder: Path) -> Settings:
    """What a model's `model.json` says; a CheckpointError where it makes no sense."""
    file = folder / "model.json"
    try:
        s = build(Settings, dict(json.loads(file.read_text(encoding="utf-8"))))
        if not (isinstance(s.name, str) and isinstance(s.sampler, str)):
            raise ValueError("name and sampler are words")
        if not (isinstance(s.steps, int) and s.steps >= 1 and s.guidance_scale >= 0):
            raise ValueError("steps or guidance_scale makes no sense")
        if not (s.flow_shift > 0 and 0 <= s.context_level < 1):
            raise ValueError("flow_shift or context_level makes no sense")
        for low, high in (s.guidance_interval, s.context_interval):
            if not 0 <= low <= high <= 1:
                raise ValueError("guidance_interval or context_interval makes no sense")
        if s.shares and not (shelf.PACKAGED / Path(s.shares).name / "model.json").is_file():
            raise ValueError(f"it shares the parts of {s.shares!r}, which is not packaged")
        if not (s.trained_seconds is None or s.trained_seconds > 0):
            raise ValueError("trained_seconds makes no sense")
        for size in s.trained_sizes:
            parse_size(size)
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{file} cannot be used ({error}): fetch the model again") from None
    return s


def limits_of(s: Settings) -> Limits:
    """What a request of a model may ask for."""
    return Limits(
        name=s.name,
        default_steps=s.steps,
        default_guidance=s.guidance_scale,
        default_interval=s.guidance_interval,
        context_interval=s.context_interval,
        default_shift=s.flow_shift,
        trained_sizes=tuple(map(parse_size, s.trained_sizes)),
        trained_seconds=s.trained_seconds,
    )


def packaged(model: str) -> Limits | None:
    """Those of a packaged model; None for any other."""
    known = (
        model and model == Path(model).name and (shelf.PACKAGED / model / "model.json").is_file()
    )
    return limits_of(settings_of(shelf.PACKAGED / model)) if known else None
