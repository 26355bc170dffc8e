"""`worldreel stream`: what it writes, what it refuses, and that no kill breaks it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

import worldreel
from worldreel.cli import main
from worldreel.media import Video
from worldreel.provenance import packets_digest

pytestmark = pytest.mark.usefixtures("one_thread")

WHERE = os.environ | {"PYTHONPATH": str(Path(worldreel.__file__).parents[1])}


@pytest.fixture
def asked(tiny_model, monkeypatch, tmp_path):
    """The options that all runs here share; they end with a file's name."""
    monkeypatch.chdir(tmp_path)
    return f"--model {tiny_model} --size 64x64 --steps 2 --window 1.333 --advance 0.667 -o".split()


def test_what_it_answers(asked, tmp_path, capsys):
    args = ["stream", "a red ball", "--seconds", "3", "--then", "2:a blue zebra", "--json"]
    assert main([*args, "--contact-sheet", "a.png", *asked, "a.mp4"]) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert answer["num_frames"] == len(Video.open("a.mp4")) == 36
    assert answer["then"] == [[2.0, "a blue zebra"]] and answer["resumed_at"] == 0
    assert answer["words"][1]["ignored"] == ["zebra"] and any("zebra" in n for n in answer["notes"])
    assert answer["parts"] is None and answer["peak_memory"] > 2**20
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "a.png"]
    assert "stream 4/4" in err


def test_a_longer_video_goes_on_from_parts_that_were_kept(asked, capsys):
    assert main(["stream", "a red ball", "--seconds", "2", "--keep", *asked, "a.mp4"]) == 0
    assert "a.mp4: 64x64, 24 frames, 2 s" in capsys.readouterr().out
    assert main(["stream", "a red ball", "--seconds", "4", "--keep", "-q", *asked, "a.mp4"]) == 0
    assert capsys.readouterr() == ("", "")
    assert len(Video.open("a.mp4")) == 48 and len(list(Path("a.parts").glob("*.mp4"))) == 5


def test_times_may_be_frames_and_the_sheet_is_announced(asked, capsys):
    args = ["stream", "a red ball", "--seconds", "18f", "--then", "8f:a blue cube", *asked, "a.mp4"]
    assert main([*args, "--contact-sheet", "a.png", "--window", "16f", "--advance", "8f"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("a.mp4: 64x64, 20 frames") and second == "a.png: its contact sheet"
    assert Video.open("a.mp4").metadata["request"]["then"] == [[0.667, "a blue cube"]]


def test_prompts_are_rewritten_first(asked, capsys, monkeypatch):
    from worldreel.prompt import rewriting

    def twice(encoder, prompt, *, seed, name):
        return rewriting.Rewritten(prompt=prompt, text=f"{prompt} rolls", by="a test")

    monkeypatch.setattr(rewriting, "rewrite", twice)
    args = ["stream", "a red ball", "--then", "1:a blue cube", "--seconds", "2", *asked, "a.mp4"]
    assert main([*args, "--rewrite", "--keep"]) == 0
    assert "note: the prompt became 'a blue cube rolls'" in capsys.readouterr().err
    made = Video.open("a.mp4").metadata["request"]
    assert made["prompt"] == "a red ball rolls" and made["then"] == [[1.0, "a blue cube rolls"]]
    assert main([*args, "--rewrite"]) == 0  # goes on with what is there
    assert "went on after 2 s" in capsys.readouterr().err


def test_a_name_of_our_choice_replaces_nothing(asked, capsys):
    for name in ("stream.mp4", "stream-2.mp4"):
        assert main(["stream", "a red ball", "--seconds", "1", *asked[:-1]]) == 0
        assert capsys.readouterr().out.startswith(f"{name}: ")


def test_killed_amid_its_work_it_goes_on_to_the_same_video(asked, tmp_path, capsys):
    args = ["stream", "a red ball", "--seconds", "12", "--keep", *asked]
    with subprocess.Popen(
        [sys.executable, "-m", "worldreel", *args, "a.mp4"],
        env=WHERE | {"OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    ) as process:
        while not (tmp_path / "a.parts/00002.mp4").exists():
            assert process.poll() is None
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert not Path("a.mp4").exists()
    done = len(list(Path("a.parts").glob("*.mp4")))
    assert 3 <= done < 17
    assert main([*args, "a.mp4", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["resumed_at"] >= 8 / 3 and "went on after" in answer["notes"][-1]
    assert main([*args, "b.mp4"]) == 0
    assert packets_digest("a.mp4") == packets_digest("b.mp4")
    assert not list(tmp_path.rglob(".worldreel-*"))


def test_interrupted_it_says_how_to_go_on(asked, monkeypatch, capsys):
    from worldreel.parts import Parts

    add = Parts.add

    def until(self, chunk):
        if chunk.index == 1:
            raise KeyboardInterrupt
        add(self, chunk)

    monkeypatch.setattr(Parts, "add", until)
    assert main(["stream", "a red ball", "--seconds", "3", *asked, "a.mp4"]) == 130
    assert "a.parts has what is done: the same command goes on" in capsys.readouterr().err
    assert Path("a.parts/00000.mp4").exists() and not Path("a.mp4").exists()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["", "--seconds", "3"], "empty"),
        (["x", "--seconds", "0"], "above zero"),
        (["x", "--seconds", "-3"], "above zero"),
        (["x", "--seconds", "nan"], "finite"),
        (["x", "--seconds", "soon"], "or frames, such as 18f"),
        (["x", "--seconds", "1.5f"], "a whole number, such as 18f"),
        (["x", "--rewrite-model", "m"], "go together"),
        (["x", "--seconds", "1e9"], "too long"),
        (["x", "--then", "60:y"], "after the end"),
        (["x", "--then", "20:y", "--then", "10:z"], "in order"),
        (["x", "--then", "0:y"], "after 0 s"),
        (["x", "--then", "20"], "TIME:PROMPT"),
        (["x", "--then", "20: "], "TIME:PROMPT"),
        (["x", "--then", "soon:y"], "TIME:PROMPT"),
        (["x", "--lag", "7"], "divisor"),
        (["x", "--window", "1"], "give 4 latents (1.33 s) or more"),
        (["x", "--context-level", "1"], "below 1"),
        (["x", "--anchor", "-1"], "--anchor is seconds"),
        (["x", "--advance", "inf"], "--advance is seconds"),
        (["x", "-o", "a.gif"], "an .mp4, and not a.gif"),
        (["x", "-o", "folder"], "an .mp4, and not folder"),
        (["x", "-o", "nowhere/a.mp4"], "create it first"),
        (["x", "-o", "/proc/a.mp4"], "/proc/a.mp4 cannot be written"),
        (["x", "--contact-sheet", "a.mp4"], "contact sheet is a picture"),
        (["x", "--size", "250x140"], "256x144"),
        (["x", "--model", "no/such/folder"], "no/such/folder"),
        (["x", "y"], "put quotes around"),
    ],
)
def test_bad_input_is_one_line(args, says, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["stream", *args, "--json"]) == 2
    out, err = capsys.readouterr()
    (line,) = [line for line in err.splitlines() if not line.startswith("load")]
    assert line.startswith("error: ") and says in line
    assert says in json.loads(out)["error"]["message"]
    assert list(tmp_path.iterdir()) == []


def test_another_prompt_or_seed_does_not_touch_what_is_there(asked, capsys):
    assert main(["stream", "a red ball", "--seconds", "2", "--keep", "-q", *asked, "a.mp4"]) == 0
    digest = packets_digest("a.mp4")
    for other, says in ((["a blue ball"], "a blue ball"), (["a red ball", "--seed", "1"], "seed")):
        assert main(["stream", *other, "--seconds", "2", "-q", *asked, "a.mp4"]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and "a.parts holds another stream" in err and says in err
    assert packets_digest("a.mp4") == digest


def test_a_picture_begins_it(asked, capsys):
    Image.new("RGB", (64, 64), (200, 30, 30)).save("first.png")
    args = ["stream", "a red ball", "--seconds", "3", "-q", "--keep"]
    assert main([*args, "--image", "first.png", "--contact-sheet", "s.png", *asked, "a.mp4"]) == 0
    assert len(Video.open("a.mp4")) == 36
    assert main([*args, *asked, "a.mp4"]) == 2
    assert "a.parts holds another stream" in capsys.readouterr().err
    assert main([*args, "--image", "missing.png", *asked, "b.mp4"]) == 2
    assert "missing.png cannot be read" in capsys.readouterr().err
