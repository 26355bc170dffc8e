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
    from importlib import import_module

    _wait_briefly()
    value = getattr(import_module(f"worldreel.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def _wait_briefly() -> None:
    """Say how OpenMP's threads wait for each other, before torch is loaded and reads it.

    Spinning, as by default, takes on a busy machine the time of those they wait for: 5 s became
    minutes. Sleeping at once makes a quiet one's many small steps half as slow again. GNU's spin
    for some 20 microseconds instead, others sleep; what the user has set stays.
    """
    import os

    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", "20000")


def __dir__() -> list[str]:
    return sorted(__all__)
