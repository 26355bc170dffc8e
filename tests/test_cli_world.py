"""`worldreel world`: scenes as pictures, videos, shards and words; bad scenes are one line."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError

from worldreel.cli import main
from worldreel.data import clip
from worldreel.media import Video
from worldreel.provenance import read_mark
from worldreel.world.act import stage_scene
from worldreel.world.scene import Scene

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = ("--size", "64x48", "--quiet")


def told(capsys, *args):
    assert main(["world", *args, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *args):
    """The one line that a bad request ends in."""
    assert main(["world", *args]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


@pytest.fixture
def scene(tmp_path):
    """A scene file, and what it says."""
    data = json.loads(stage_scene(3, seconds=1 / 3).scene.to_json())
    path = tmp_path / "scene.json"

    def write(**changes):
        path.write_text(json.dumps(data | changes))
        return str(path)

    return write


def test_a_sheet_of_random_scenes(tmp_path, capsys):
    out = str(tmp_path / "sheet.png")
    known = told(capsys, "preview", "--out", out, "--count", "2", *SMALL)
    assert [one["seed"] for one in known["scenes"]] == [0, 1]
    assert Video.open(out).frames.shape == (1, 96, 256, 3)
    assert (read_mark(out) or {})["digital_source_type"].endswith("/algorithmicMedia")


def test_a_video_of_named_scenes(tmp_path, capsys, scene):
    out = str(tmp_path / "scenes.mp4")
    known = told(capsys, "preview", "--out", out, "--scene", scene(), "--scene", scene(), *SMALL)
    assert len(known["scenes"]) == 2 and len(Video.open(out).frames) == 8


def test_scenes_keep_to_a_word(tmp_path, capsys):
    out = str(tmp_path / "sheet.png")
    args = ("--with", "mammoth", "--with", "snowfield", "--count", "2")
    known = told(capsys, "preview", "--out", out, *args, *SMALL)
    assert all("mammoth" in one["caption"].lower() for one in known["scenes"])
    line = refused(capsys, "preview", "--out", out, "--with", "unicorn", *SMALL)
    assert "no word 'unicorn'" in line and "dragon" in line and "meadow" in line
    line = refused(capsys, "preview", "--out", out, "--with", "meadows", *SMALL)
    assert "no word 'meadows': meadow, " in line


def test_shards_hold_all_that_is_known_and_grow(tmp_path, capsys):
    out = str(tmp_path / "clips")
    args = ("render", "--out", out, "--size", "32x32", "--seconds", "0.34", "--quiet")
    told(capsys, *args, "--count", "1", "--seed", "5")
    known = told(capsys, *args, "--count", "2", "--seed", "5")
    made = [one for path in known["shards"] for one in clip.read(path)]
    assert [one.seed for one in made] == [5, 6]
    assert made[0].truth is not None and made[0].truth["depth"].shape == (4, 32, 32)
    assert Scene.from_json(made[0].scenes[0]).things and made[0].captions and made[0].facts
    assert "another folder" in refused(capsys, *args, "--count", "2", "--seed", "6")


def test_a_full_disk_is_one_line_and_what_was_finished_stays(tmp_path, capsys, monkeypatch):
    out = str(tmp_path / "clips")
    real, calls = clip.save_file, []

    def full(arrays, path):
        calls.append(path)
        if len(calls) > 1:
            raise SafetensorError("I/O error: No space left on device (os error 28)")
        real(arrays, path)

    monkeypatch.setattr(clip, "save_file", full)
    args = ["--count", "65", "--size", "16x16", "--still", "--no-truth", "--samples", "1"]
    assert main(["world", "render", "--out", out, *args, "--quiet"]) == 1
    assert "no space left on the disk" in capsys.readouterr().err
    (shard,) = clip.shards(out)
    assert len(clip.read(shard)) == 64
    assert not [name for name in os.listdir(out) if "part" in name]


def test_a_scene_is_told_in_both_languages(tmp_path, capsys):
    known = told(capsys, "show", "4", "--out", str(tmp_path / "four.mp4"), *SMALL)
    assert known["scene"]["seed"] == Scene.from_json(json.dumps(known["scene"])).seed
    assert known["facts"] and len(known["captions"]["en"]) == len(known["captions"]["zh"]) == 4
    frames = Video.open(known["path"]).frames
    assert frames.shape == (24, 48, 64, 3) and np.ptp(frames) > 50


def test_bad_scene_files_are_one_line(capsys, scene, tmp_path):
    assert "unknown setting 'moon'" in refused(capsys, "show", scene(setting="moon"))
    assert "no subject" in refused(capsys, "show", scene(things=[]))
    assert "unknown key 'colour'" in refused(capsys, "show", scene(colour="red"))
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    assert "must be JSON" in refused(capsys, "show", str(broken))
    assert "is no scene" in refused(capsys, "show", str(tmp_path / "none.json"))


def test_a_disk_that_is_full_from_the_start_is_one_line(tmp_path, capsys, monkeypatch):
    def full(self, *args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    args = ["--count", "1", "--size", "16x16", "--still", "--quiet"]
    assert main(["world", "render", "--out", str(tmp_path / "clips"), *args]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "no space left on the disk" in line and "Traceback" not in line
    monkeypatch.undo()
    assert main(["world", "render", "--out", str(tmp_path / "clips"), *args]) == 0


def test_two_runs_and_more_processes_give_the_same_bytes(tmp_path, capsys):
    args = ("--count", "66", "--size", "16x16", "--still", "--samples", "1", "--quiet")
    for name, jobs in (("one", "1"), ("two", "2"), ("again", "1")):
        told(capsys, "render", "--out", str(tmp_path / name), "--jobs", jobs, *args)
    one, two, again = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()}
                       for name in ("one", "two", "again"))  # fmt: skip
    assert one == two == again and len(one) == 5
