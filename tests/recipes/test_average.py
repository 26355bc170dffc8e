"""The average of weights: its arithmetic, what it keeps, and what it refuses."""

import dataclasses
import json

import pytest
import torch

from recipes import average
from worldreel import checkpoint
from worldreel.errors import RequestError
from worldreel.models.dit import DiT
from worldreel.models.presets import TINY_DIT


def saved(folder, preset=TINY_DIT, **about):
    model = DiT(preset)
    generator = torch.Generator().manual_seed(about.get("steps", 0))
    tensors = {k: torch.randn(v.shape, generator=generator) for k, v in model.state_dict().items()}
    config = dataclasses.asdict(preset)
    checkpoint.save(folder, kind="dit", config=config, tensors=tensors, provenance=about)
    return tensors


def test_the_mean_by_shares_with_the_last_ones_provenance(tmp_path, capsys):
    a = saved(tmp_path / "a", recipe="first", steps=10)
    b = saved(tmp_path / "b", recipe="second", steps=30, flops=7.0)
    average.main([str(tmp_path / "out"), f"{tmp_path / 'a'}:1", f"{tmp_path / 'b'}:3"])
    told = json.loads(capsys.readouterr().out)
    made = checkpoint.load(tmp_path / "out", kind="dit")
    assert set(made.tensors) == set(a)
    for name, tensor in made.tensors.items():
        torch.testing.assert_close(tensor, 0.25 * a[name] + 0.75 * b[name])
    assert made.provenance["flops"] == 7.0 and made.provenance["steps"] == 30
    assert made.provenance["averaged"] == told["averaged"] == [
        {"recipe": "first", "steps": 10, "share": 0.25},
        {"recipe": "second", "steps": 30, "share": 0.75},
    ]  # fmt: skip
    assert checkpoint.load_dit(tmp_path / "out", dtype=torch.float32).preset == TINY_DIT


def test_what_cannot_be_averaged_is_refused_and_nothing_is_written(tmp_path, capsys):
    saved(tmp_path / "a")
    saved(tmp_path / "other", dataclasses.replace(TINY_DIT, layers=3))
    one, out = tmp_path / "a", tmp_path / "out"
    for parts, said in (
        ([(one, 1.0)], "two folders at least"),
        ([(one, 1.0), (one, 0.0)], "above 0"),
        ([(one, 1.0), (one, float("inf"))], "above 0"),
        ([(one, 1.0), (tmp_path / "other", 1.0)], "another shape"),
    ):
        with pytest.raises(RequestError, match=said):
            average.average(out, parts)
    for given, said in ((f"{one}:much", "FOLDER:SHARE"), (f"{one}", "FOLDER:SHARE")):
        with pytest.raises(SystemExit):
            average.main([str(out), given, f"{one}:1"])
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        average.main([str(out), f"{tmp_path / 'nowhere'}:1", f"{one}:1"])
    assert "nowhere" in capsys.readouterr().err
    assert not out.exists()
