"""Everything that worldreel raises on purpose.

    WorldreelError
    ├── RequestError        (ValueError)    what a person asked for cannot be made
    ├── MediaError          (ValueError)    a picture or a video that cannot be read or written
    ├── CheckpointError     (ValueError)    weights that are damaged, foreign or of another version
    ├── SceneError          (ValueError)    a scene that does not make sense
    ├── TrainingError       (RuntimeError)  a run that cannot go on
    └── MissingExtraError   (ImportError)   an optional package that is not installed

A message says what was given, what was expected and what to do. Mistakes of a programmer are
`assert`s, not these.
"""


class WorldreelError(Exception):
    """The root of the tree: catch it to catch everything that worldreel raises on purpose."""


class RequestError(WorldreelError, ValueError):
    """What a person asked for cannot be made: an empty prompt, a size off the grid."""


class MediaError(WorldreelError, ValueError):
    """A picture or a video cannot be read or written."""


class CheckpointError(WorldreelError, ValueError):
    """Weights are damaged, foreign or of another version."""


class SceneError(WorldreelError, ValueError):
    """A scene does not make sense: an unknown word, no subject."""


class TrainingError(WorldreelError, RuntimeError):
    """A training run cannot go on: a gradient that is not finite, another recipe's folder."""


class MissingExtraError(WorldreelError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""
