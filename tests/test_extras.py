"""The command that a message names for a missing package works where it is read."""

import json
import os
import shlex
import subprocess
import sys
import types
from pathlib import Path

import pytest

import worldreel
from worldreel import extras

WHERE = os.environ | {"PYTHONPATH": str(Path(worldreel.__file__).parents[1])}

GIT = {"url": "https://example.org/worldreel.git", "vcs_info": {"vcs": "git"}}


def test_in_a_clone_the_command_installs_the_clone():
    program, verb, flag, wanted = shlex.split(extras.command("world"))
    assert (program, verb, flag) == ("pip", "install", "-e")
    assert wanted == f"{extras.SOURCES}[world]" and (extras.SOURCES / "pyproject.toml").exists()


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        (None, "worldreel[world]"),
        ({"url": "file://{here}", "dir_info": {}}, "{here}[world]"),
        ({"url": "file:///no/longer/there", "dir_info": {}}, "worldreel[world]"),
        (GIT, "worldreel[world] @ git+https://example.org/worldreel.git"),
    ],
)
def test_elsewhere_it_installs_from_where_pip_got_it(monkeypatch, tmp_path, told, wanted):
    here = tmp_path / "a clone"
    here.mkdir()
    (here / "pyproject.toml").touch()
    text = told and json.dumps(told).replace("{here}", str(here).replace(" ", "%20"))
    found = types.SimpleNamespace(read_text=lambda name: text)
    monkeypatch.setattr(extras.importlib.metadata, "distribution", lambda name: found)
    monkeypatch.setattr(extras, "SOURCES", tmp_path)
    words = shlex.split(extras.command("world"))
    assert words == ["pip", "install", wanted.replace("{here}", str(here))]


def test_a_package_is_traced_to_its_extra():
    assert "extra 'world'" in str(extras.missing("mujoco"))
    assert isinstance(extras.missing("mujoco"), ImportError)


WITHOUT_MUJOCO = """
import sys
sys.modules["mujoco"] = None  # an import of it fails as where it is not installed
from worldreel.cli import main
print([main(["eval", name]) for name in ("words", "canary", "calibrate")])
assert "torch" not in sys.modules
from worldreel import cli
cli._explain(ModuleNotFoundError("", name="mujoco"), as_json=False)  # from anywhere else
"""


def test_a_missing_extra_is_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MUJOCO],
        env=WHERE, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "[1, 1, 1]\n" and os.listdir(tmp_path) == []
    for line in done.stderr.splitlines():
        assert line.startswith("error: this needs mujoco, which worldreel's extra 'world' brings")
    assert len(done.stderr.splitlines()) == 4
