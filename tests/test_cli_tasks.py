"""The commands for clips, on a tiny random model: from files to a file, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from worldreel import engine
from worldreel.cli import main
from worldreel.media import Video
from worldreel.provenance import load_sidecar, read_mark, sidecar_path

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def studio(tiny_model, tmp_path, monkeypatch):
    """A folder with two clips of one second, a.mp4 and b.mp4."""
    monkeypatch.chdir(tmp_path)
    model = engine.load(tiny_model)
    monkeypatch.setattr(engine, "load", lambda folder, **_: model)
    for name, seed in (("a.mp4", 1), ("b.mp4", 2)):
        asked = dict(num_frames=12, size=(96, 64), num_inference_steps=1)
        model.generate("a red ball", seed=seed, **asked).save(name)
    return tiny_model


def told(capsys, studio: Path, args: str) -> dict:
    capsys.readouterr()
    command = [*args.split(), "--model", str(studio), "--steps", "1", "--json", "--quiet"]
    assert main(command) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def latents(name: str) -> torch.Tensor:
    return load_sidecar(name).latents


def test_a_file_that_is_not_there_is_no_sentence(studio, capsys):
    for name in ("c.mp4", "a.mp4x", "a.mpeg4"):
        assert main(["loop", name, "--model", str(studio), "-o", "x.mp4"]) in (1, 2)
        assert name in capsys.readouterr().err and not Path("x.mp4").exists()


def test_every_command_keeps_what_it_is_given(studio, capsys):
    a, b = latents("a.mp4"), latents("b.mp4")
    made = told(capsys, studio, "extend a.mp4 --seconds 8f -o after.mp4")
    assert torch.equal(latents("after.mp4")[:, :, :3], a) and made["num_frames"] == 20
    assert made["changed"] == [1, 20 / 12] and made["prompt"] == "a red ball"
    assert made["lineage"] == [
        {"clip_id": read_mark("a.mp4")["clip_id"], "done": "continued by 0.667 s"}
    ]
    told(capsys, studio, "extend a.mp4 blue --before --seconds 1 -o ahead.mp4")
    assert torch.equal(latents("ahead.mp4")[:, :, 3:], a)
    told(capsys, studio, "connect a.mp4 b.mp4 --seconds 1 -o both.mp4")
    assert torch.equal(latents("both.mp4")[:, :, :3], a)
    assert torch.equal(latents("both.mp4")[:, :, 6:], b)
    told(capsys, studio, "loop a.mp4 --seconds 1 -o loop.mp4")
    assert torch.equal(latents("loop.mp4")[:, :, :3], a) and read_mark("loop.mp4")["ring"]
    made = told(capsys, studio, "retake both.mp4 --time 1:2 -o again.mp4 --variations 2")
    assert [one["seed"] for one in made["variations"]] == [1, 2]
    assert torch.equal(latents("again-1.mp4")[:, :, :3], a)
    assert not torch.equal(latents("again-1.mp4"), latents("again-2.mp4"))
    told(capsys, studio, "fill a.mp4 --canvas 128x64+0+0 -o wide.mp4")
    assert torch.equal(latents("wide.mp4")[..., :6], a)
    mask = np.zeros((64, 96), np.uint8)
    mask[:20, :20] = 255
    Image.fromarray(mask).save("mask.png")
    told(capsys, studio, "fill a.mp4 --mask mask.png -o masked.mp4")
    told(capsys, studio, "fill a.mp4 --region 0,0,20,20 -o region.mp4")
    assert torch.equal(latents("masked.mp4"), latents("region.mp4"))
    assert torch.equal(latents("region.mp4")[..., 2:, :], a[..., 2:, :])
    told(capsys, studio, "edit a.mp4 blue --strength 0.3 -o blue.mp4")
    assert 0 < (latents("blue.mp4") - a).abs().mean() < a.abs().mean()


def test_a_loop_is_of_words_or_of_a_clip(studio, capsys):
    made = told(capsys, studio, "loop ball --seconds 1 --size 96x64 -o words.mp4")
    assert made["num_frames"] == 12 and made["lineage"] == []
    Path("ball").mkdir()  # a folder of that name changes nothing
    assert told(capsys, studio, "loop ball --seconds 1 --size 96x64 -o w.gif")["latents"] is None


def refused(capsys, *args: str) -> str:
    before = {p: p.stat().st_mtime_ns for p in Path.cwd().rglob("*")}
    capsys.readouterr()
    assert main([*args]) in (1, 2)
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1, err
    assert {p: p.stat().st_mtime_ns for p in Path.cwd().rglob("*")} == before
    return err


def test_bad_input_is_one_line_and_writes_nothing(studio, capsys, monkeypatch):
    """Before any weights are read, and --model is left to be marble."""
    monkeypatch.delattr(engine, "load")
    Path("text.mp4").write_text("no film")
    Path("film.reel").write_text("somebody's")
    Video(np.zeros((12, 64, 64, 3), np.uint8)).save("square.mp4")
    Image.new("L", (8, 8)).save("mask.png")
    sidecar_path("square.mp4").write_bytes(sidecar_path("b.mp4").read_bytes())
    for args, says in (
        ("extend no.mp4 red", "no.mp4 cannot be read"),
        ("extend text.mp4 red", "text.mp4 is no video"),
        ("extend a.mp4 --seconds 0", "above zero"),
        ("extend a.mp4 --seconds soon", "--seconds is a number"),
        ("extend a.mp4 --seconds 11", "is too long"),
        ("extend a.mp4 --seconds 10", "is too long: beside what is kept"),
        ("extend a.mp4 -o a.mp4", "same file as --output"),
        ("extend a.mp4 -o A/../a.mp4", "does not exist"),
        ("extend a.mp4 -o film.mp4", "holds no latents of worldreel's"),
        ("extend a.mp4 -o missing/x.mp4", "does not exist"),
        ("extend a.mp4 -o x.png", "holds one picture"),
        ("extend a.mp4 --size 64x64", "96x64 and stays so"),
        ("extend square.mp4 red", "belongs to another clip"),
        ("connect a.mp4 no.mp4", "no.mp4 cannot be read"),
        ("connect a.mp4 b.mp4 -o b.mp4", "same file as --output"),
        ("retake a.mp4", "say what to play again"),
        ("retake a.mp4 --time 0.5:9", "does not lie within a.mp4, which lasts 1 s"),
        ("retake a.mp4 --time 9", "a span is FROM:TO"),
        ("fill a.mp4", "say what to fill"),
        ("fill a.mp4 --mask mask.png", "the mask is 8x8"),
        ("fill a.mp4 --mask no.png", "no.png cannot be read"),
        ("fill a.mp4 --region 0,0,900,900", "does not lie within a.mp4, which is 96x64"),
        ("fill a.mp4 --canvas 96x64", "not larger"),
        ("edit a.mp4", "PROMPT"),
        ("edit a.mp4 red --strength 2", "above 0 and at most 1"),
        ("loop a.mp4 red --seconds nan", "finite"),
    ):
        assert says.lower() in refused(capsys, *args.split()).lower(), args
    sidecar_path("a.mp4").write_bytes(sidecar_path("a.mp4").read_bytes()[:-1])
    assert "a.reel is damaged: remove it" in refused(capsys, "extend", "a.mp4")
