"""Laws of training: a stop changes nothing, a step is its number, what is saved can be used."""

import dataclasses
import functools
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import worldreel
from worldreel import checkpoint, flow
from worldreel.cli import main as cli
from worldreel.data.loader import Bucket, turns
from worldreel.errors import RequestError, TrainingError
from worldreel.models.dit import DiT
from worldreel.models.presets import TINY_DIT
from worldreel.parallel import Ranks
from worldreel.train import compressor, course, dit, log, recipe, run, text

pytestmark = pytest.mark.usefixtures("one_thread")
NOW = 1e-9  # minutes: stop after one step


def files(folder):
    """The hashes of all that a state holds: equal hashes are equal bits."""
    state = checkpoint.latest(folder)
    assert state is not None
    return state.name, checkpoint._config(state)["files"]


@pytest.fixture(scope="module")
def name(tiny):
    return str(tiny / "tiny.py")


@pytest.fixture(scope="module")
def whole(name, tmp_path_factory):
    """A run that was never stopped, in bf16 and with everything else on."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    assert dit.main(name, out=out)["step"] == 8
    torch.set_num_threads(before)
    return out


def test_stopping_after_every_step_changes_no_bit(name, whole, tmp_path):
    """Inside a phase, at its end, and at the start of the next: weights, optimiser, average."""
    for step in range(1, 9):
        assert dit.main(name, out=tmp_path, minutes=NOW) == {
            "step": step, "of": 8, "out": str(tmp_path),
        }  # fmt: skip
    assert files(tmp_path) == files(whole)
    assert files(tmp_path)[0] == "step-000000008"
    finals = [checkpoint.load(out / "final", kind="dit").tensors for out in (tmp_path, whole)]
    assert checkpoint.fingerprint(finals[0]) == checkpoint.fingerprint(finals[1])
    last = [log.read(out)[-1] for out in (tmp_path, whole)]
    took = {"seconds": 0, "processor": 0}
    assert last[0] | took == last[1] | took


def test_a_run_that_is_killed_resumes_and_finishes(name, whole, tmp_path):
    code = "import sys, torch; torch.set_num_threads(1); from worldreel.train import dit\n"
    code += "torch.use_deterministic_algorithms(True); dit.main(sys.argv[1], out=sys.argv[2])"
    where = os.environ | {"PYTHONPATH": str(Path(worldreel.__file__).parents[1])}
    child = subprocess.Popen([sys.executable, "-c", code, name, str(tmp_path)], env=where)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("step-000000003")) and child.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    checkpoint.load(tmp_path / "final", kind="dit")
    dit.main(name, out=tmp_path)
    assert files(tmp_path) == files(whole)
    assert [line["step"] for line in log.read(tmp_path)] == [8]


@pytest.mark.parametrize("stage", [text, compressor, dit])
def test_a_folder_is_for_one_trainer(stage, name, tmp_path):
    """Also one whose parent was killed, and of which its owner knows nothing."""
    with (
        run.claimed(tmp_path, Ranks()),
        pytest.raises(TrainingError, match=f"process {os.getpid()} trains in"),
    ):
        stage.main(name, out=tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["lock"]
    with run.claimed(tmp_path, Ranks()):
        pass


def test_what_was_killed_before_its_final_is_repaired(name, whole, tmp_path, capsys):
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    wanted = checkpoint.load(whole / "final", kind="dit").tensors
    shutil.rmtree(tmp_path / "final")
    assert dit.main(name, out=tmp_path)["step"] == 8
    assert "has done all its 8 steps" in capsys.readouterr().err
    made = checkpoint.load(tmp_path / "final", kind="dit").tensors
    assert checkpoint.fingerprint(made) == checkpoint.fingerprint(wanted)
    assert files(tmp_path) == files(whole)


def test_a_fresh_run_takes_nothing_from_the_old_one(name, whole, tmp_path):
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    dit.main(name, out=tmp_path, resume=False, minutes=NOW)
    assert [p.name for p in tmp_path.glob("step-*")] == ["step-000000001"]
    assert dit.main(name, out=tmp_path, minutes=NOW)["step"] == 2


def test_final_says_what_it_cost(name, whole):
    told = checkpoint.load(whole / "final", kind="dit").provenance
    c = recipe.load(name, "dit")
    model, words = DiT(TINY_DIT), checkpoint.load_text(c.text).preset.slots
    short, long = turns(c.phases[1].buckets, 6)
    assert (short, long) == (4, 2)
    expected = 3 * 4 * sum(
        n * model.flops(count, words) for n, count in ((2, 4), (short, 18), (long, 16))
    )  # fmt: skip
    assert told["flops"] == pytest.approx(expected, rel=0.01)
    assert (told["steps"], told["clips"], told["processes"]) == (8, 32, 1)
    assert told["recipe"] == "tiny" and told["device"] and 0 <= told["hours"] < 0.1
    gone = dataclasses.replace(c.phases[0], buckets=(Bucket(path="gone", batch=4),))
    spent = course.cost(
        dataclasses.replace(c, phases=(gone,)), 1, words, functools.partial(dit.flops, c, model)
    )  # fmt: skip
    assert spent["clips"] == 4 and math.isnan(spent["flops"])
    assert (whole / "metrics.svg").read_text().startswith("<svg")


def test_a_loss_that_is_not_finite_stops_the_run(name, tmp_path, monkeypatch):
    dit.main(name, out=tmp_path, minutes=NOW)
    before, plain = files(tmp_path), flow.loss
    monkeypatch.setattr(flow, "loss", lambda *args: plain(*args) * float("nan"))
    with pytest.raises(TrainingError, match="go back to the last checkpoint"):
        dit.main(name, out=tmp_path)
    monkeypatch.undo()
    assert files(tmp_path) == before
    checkpoint.load_dit(tmp_path / "final", dtype=torch.float32)
    assert dit.main(name, out=tmp_path, minutes=NOW)["step"] == 2


def test_a_steps_luck_is_a_function_of_seed_and_step(name):
    c = dataclasses.replace(recipe.load(name, "dit"), dropout=0.5)
    shape, soft, kept, silent = (4, 8, 3, 2, 3), 0, 0, 0

    def values(step, seed=0, rank=0, size=1):
        mine = (shape[0] // size, *shape[1:])
        config = dataclasses.replace(c, seed=seed)
        return vars(dit.draw(mine, config, step, Ranks(rank=rank, size=size)))

    for step in range(20):
        torch.rand(3)  # no luck of the process gets in
        one, again = values(step), values(step)
        halves = [values(step, rank=rank, size=2) for rank in range(2)]
        for key, value in one.items():
            assert torch.equal(value, again[key])
            assert torch.equal(value, torch.cat([half[key] for half in halves]))
        assert not torch.equal(one["noise"], values(step, seed=1)["noise"])
        assert not torch.equal(one["sigma"], values(step + 1)["sigma"])
        fractional = (one["freedom"] > 0) & (one["freedom"] < 1)
        soft, kept = soft + bool(fractional.any()), kept + bool((one["freedom"] == 0).any())
        silent += int(one["silent"].sum())
        assert ((one["context"] >= 0) & (one["context"] <= 0.3)).all()
    assert soft > 3 and kept > 3 and 20 < silent < 60


def test_without_a_compiler_it_runs_eagerly_and_says_so(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    model = DiT(TINY_DIT)
    assert not course.compile_blocks(model)
    assert "forward" not in vars(model.blocks[0])
    dit.main(name, out=tmp_path, minutes=NOW, overrides={"compile": "true"})
    out, err = capsys.readouterr()
    assert "no C++ compiler found" in err and not out


def test_a_start_is_where_a_run_begins(name, whole, tmp_path):
    given = {"start": str(whole / "final"), "lr": "1e-12", "adam_lr": "1e-12", "ema": "0.0"}
    dit.main(name, out=tmp_path, minutes=NOW, overrides=given)
    old, new = (checkpoint.load(out / "final", kind="dit").tensors for out in (whole, tmp_path))
    assert all(torch.allclose(new[key], old[key], atol=1e-6) for key in old)


def test_the_command_line_trains(name, tmp_path, capsys):
    out = tmp_path / "run"
    args = ["train", "dit", name, "--out", str(out), "--minutes", "1e-9", "--json"]
    assert cli([*args, "--set", "bf16=False", "--set", "preset.layers=1"]) == 0
    assert '"step": 1, "of": 8' in capsys.readouterr().out
    assert checkpoint.load(out / "final", kind="dit").config["layers"] == 1
    assert cli([*args, "--set", "preset.layers=2"]) == 2
    assert "missing keys" in capsys.readouterr().err
    assert cli([*args, "--set", "preset.layer=2"]) == 2
    assert "unknown setting 'preset.layer'" in capsys.readouterr().err


def test_a_batch_must_divide_by_the_ranks():
    assert Ranks(rank=1, size=2).share_of(6) == slice(3, 6)
    with pytest.raises(ValueError, match="does not divide by 2 ranks"):
        Ranks(size=2).share_of(3)
    assert turns([Bucket(path="a", weight=3), Bucket(path="b", weight=1)], 8) == [6, 2]
    with pytest.raises(RequestError, match="has no settings inside"):
        recipe.override(Bucket(path="a"), {"path.b": "1"})
