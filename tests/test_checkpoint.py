"""Laws of checkpoints: they round-trip, are whole or refused, and kill -9 costs one at most."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest
import torch
from torch import nn

from worldreel import checkpoint
from worldreel.errors import CheckpointError


def tensors() -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    return {
        "blocks.0.weight": torch.randn(96, 64, generator=g),
        "conv.weight": torch.randn(32, 16, 1, 3, 3, generator=g) * 3,
        "bias": torch.randn(96, generator=g),
        "half": torch.randn(8, 8, generator=g).bfloat16(),
        "index": torch.arange(5),
    }


def write(folder, **more):
    return checkpoint.save(folder, kind="dit", config={"width": 64}, tensors=tensors(), **more)


def test_fp32_round_trips_bit_for_bit(tmp_path):
    loaded = checkpoint.load(write(tmp_path / "a", provenance={"hours": 1.5}), kind="dit")
    assert loaded.config == {"width": 64} and loaded.provenance == {"hours": 1.5}
    for name, value in tensors().items():
        assert torch.equal(loaded.tensors[name].to(value.dtype), value), name


@pytest.mark.parametrize(("storage", "error"), [("fp16", 1e-3), ("bf16", 8e-3), ("int8", 2e-2)])
def test_storage_is_close_and_saving_again_changes_nothing(tmp_path, storage, error):
    once = checkpoint.load(write(tmp_path / "a", storage=storage), kind="dit").tensors
    again = checkpoint.load(
        checkpoint.save(tmp_path / "b", kind="dit", config={}, tensors=once, storage=storage),
        kind="dit",
    ).tensors
    for name, value in tensors().items():
        assert torch.equal(once[name], again[name]), name
        gap = (once[name].float() - value.float()).abs().max()
        assert gap <= error * value.float().abs().max(), name
    assert once["index"].dtype == torch.int64


def test_int8_is_small(tmp_path):
    big = {"w": torch.randn(256, 256)}
    folder = checkpoint.save(tmp_path / "a", kind="x", config={}, tensors=big, storage="int8")
    assert (folder / "weights.safetensors").stat().st_size < 256 * 256 * 1.05


def test_extra_is_bit_exact(tmp_path):
    shared = torch.randn(3)
    extra = {
        "adamw": {"a.b": {"exp_avg": torch.randn(4).half(), "step": torch.tensor(3.0)}},
        "rng": torch.get_rng_state(),
        "tied": [shared, shared],
        "loader": {"step": 2**70, "rate": 0.1, "name": "red", "none": None, "flags": [True]},
    }
    back = checkpoint.load(write(tmp_path / "a", extra=extra), kind="dit").extra
    assert back["loader"] == extra["loader"]
    assert torch.equal(back["rng"], extra["rng"]) and torch.equal(back["tied"][1], shared)
    moment = back["adamw"]["a.b"]["exp_avg"]
    assert torch.equal(moment, extra["adamw"]["a.b"]["exp_avg"]) and moment.dtype == torch.float16
    with pytest.raises(ValueError, match="state at '/f' is a"):
        write(tmp_path / "b", extra={"f": print})


def test_apply_is_strict():
    model = nn.Linear(4, 3)
    good = {name: value + 1 for name, value in model.state_dict().items()}
    checkpoint.apply(model, good)
    assert torch.equal(model.weight, good["weight"])
    with pytest.raises(CheckpointError, match="unknown keys \\['odd'\\]"):
        checkpoint.apply(model, good | {"odd": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="missing keys \\['bias'\\]"):
        checkpoint.apply(model, {"weight": good["weight"]})
    with pytest.raises(CheckpointError, match="weight is \\(1, 3\\)"):
        checkpoint.apply(model, good | {"weight": torch.zeros(1, 3)})


def test_damage_is_refused_by_name(tmp_path):
    with pytest.raises(CheckpointError, match="no config.json"):
        checkpoint.load(tmp_path / "none", kind="dit")
    folder = write(tmp_path / "a")
    with pytest.raises(CheckpointError, match="of kind 'dit', not 'text'"):
        checkpoint.load(folder, kind="text")
    weights = folder / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-9])
    with pytest.raises(CheckpointError, match="weights.safetensors .* truncated"):
        checkpoint.load(folder, kind="dit")
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CheckpointError, match="weights.safetensors is damaged"):
        checkpoint.load(folder, kind="dit")
    weights.unlink()
    with pytest.raises(CheckpointError, match="weights.safetensors is missing"):
        checkpoint.load(folder, kind="dit")
    config = json.loads((folder / "config.json").read_text())
    for change, message in [
        ({"version": 9}, "version 9"),
        ({"format": "other"}, "not worldreel's"),
        ({"odd": 1}, "unknown or missing key 'odd'"),
    ]:
        (folder / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(CheckpointError, match=message):
            checkpoint.load(folder, kind="dit")
    (folder / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.load(folder, kind="dit")


def test_rolling_keeps_two_and_skips_damage(tmp_path):
    assert checkpoint.latest(tmp_path) is None
    for step in (1, 9, 10):
        folder = checkpoint.save_rolling(
            tmp_path, step, kind="dit", config={}, tensors=tensors(), extra={"step": step}
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-000000009", "step-000000010"]
    assert checkpoint.latest(tmp_path) == folder
    (folder / "weights.safetensors").write_bytes(b"")
    newest = checkpoint.latest(tmp_path)
    assert newest is not None and checkpoint.load(newest, kind="dit").extra == {"step": 9}


SAVER = """
import sys, torch
from worldreel import checkpoint
step = int(sys.argv[2])
while True:
    step += 1
    value = torch.full((300, 300), float(step))
    about = dict(kind="dit", config={}, tensors={"w": value}, extra={"step": step, "m": value})
    checkpoint.save_rolling(sys.argv[1], step, **about)
    checkpoint.save(sys.argv[1] + "/export", **about)
    print(step, flush=True)
"""


def test_kill_9_leaves_a_whole_checkpoint(tmp_path):
    run, step, rng = tmp_path / "run", 0, random.Random(0)
    for _ in range(3):
        saver = subprocess.Popen(
            [sys.executable, "-c", SAVER, str(run), str(step)], stdout=subprocess.PIPE, text=True
        )
        assert saver.stdout is not None
        saver.stdout.readline()
        time.sleep(rng.uniform(0.02, 0.3))
        saver.send_signal(signal.SIGKILL)
        said = [int(line) for line in saver.communicate()[0].split()]
        newest = checkpoint.latest(run)
        assert newest is not None
        for folder in (newest, run / "export"):
            loaded = checkpoint.load(folder, kind="dit")
            step = max(step, loaded.extra["step"])
            assert loaded.extra["step"] >= max(said, default=0)
            assert (loaded.tensors["w"] == loaded.extra["step"]).all()
        assert not list(run.glob("step-*.tmp-*")) and not list(run.glob("step-*.old-*"))
