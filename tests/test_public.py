"""The names that others may rely on, and what an import costs."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import worldreel
from worldreel import errors

WHERE = os.environ | {"PYTHONPATH": str(Path(worldreel.__file__).parents[1])}


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=WHERE, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_public_names():
    assert worldreel.__all__ == [
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
    assert dir(worldreel) == sorted(worldreel.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = worldreel.nonsense


def test_the_public_methods():
    """What a model can be asked, and each parameter's name."""
    from worldreel.engine import Engine
    from worldreel.tasks import Tasks

    how = "negative_prompt seed num_inference_steps guidance_scale guidance_interval"
    how += " flow_shift progress"
    length, size = "seconds num_frames", "size aspect"
    asked = {
        "generate": f"prompt {length} {size} image last_image keyframes references rewrite",
        "extend": f"clip prompt {length} before {size}",
        "connect": f"first second prompt {length} {size}",
        "loop": f"prompt clip {length} {size}",
        "fill": f"clip prompt time region mask canvas {size}",
        "retake": f"clip prompt time {size}",
        "edit": f"clip prompt strength time region mask {size}",
    }
    methods = {n for n in vars(Tasks) if not n.startswith("_")} - {"limits", "make"}
    assert methods == set(asked)
    for name, parameters in asked.items():
        shown = inspect.signature(getattr(Engine, name)).parameters
        assert " ".join(shown) == f"self {parameters} {how}", name


def test_lazy_names_are_the_real_ones():
    from worldreel.media import Video
    from worldreel.request import Request, RequestWarning

    assert worldreel.Video is Video and worldreel.Request is Request
    assert worldreel.RequestWarning is RequestWarning


def test_every_error_is_in_the_tree_that_its_docstring_draws():
    for name, value in vars(errors).items():
        if isinstance(value, type):
            assert issubclass(value, errors.WorldreelError)
            assert name in (errors.__doc__ or "") and name in worldreel.__all__


def test_an_import_brings_nothing_heavy():
    heavy = "{'torch', 'av', 'numpy', 'PIL', 'typer', 'rich', 'mujoco'}"
    assert run(f"import sys, worldreel; print({heavy} & set(sys.modules))") == "set()\n"
    assert run("import sys, worldreel.cli; print('torch' in sys.modules)") == "False\n"
    assert run("import sys; from worldreel import Video; print('torch' in sys.modules)") == (
        "False\n"
    )


def test_an_import_is_quick():
    # In the processor's seconds, which other programs that run meanwhile do not lengthen.
    code = "import time; t = time.process_time(); import worldreel; print(time.process_time() - t)"
    assert float(run(code)) < 0.3


def test_it_is_typed():
    assert (Path(worldreel.__file__).parent / "py.typed").exists()
