"""worldreel: an open world simulator. A sentence becomes a video.

    import worldreel

    video = worldreel.load("marble").generate("a red ball rolls to the left on a wooden table")
    video.save("ball.mp4")

Importing this costs nothing: torch comes with `load`, PyAV with `Video`.
"""

from typing import TYPE_CHECKING, Any

from worldreel.errors import (
    CheckpointError,
    MediaError,
    MissingExtraError,
    RequestError,
    SceneError,
    TrainingError,
    WorldreelError,
)

if TYPE_CHECKING:
    from worldreel.engine import load
    from worldreel.media import Video
    from worldreel.request import Request, RequestWarning

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "MediaError",
    "MissingExtraError",
    "Request",
    "RequestError",
    "RequestWarning",
    "SceneError",
    "TrainingError",
    "Video",
    "WorldreelError",
    "__version__",
    "load",
]

_HOMES = {"load": "engine", "Video": "media", "Request": "request", "RequestWarning": "request"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'worldreel' has no attribute {name!r}")
    import os
    from importlib import import_module

    # before torch is loaded: threads that spin while they wait starve a busy machine
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    value = getattr(import_module(f"worldreel.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
