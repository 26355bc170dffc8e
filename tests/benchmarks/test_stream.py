"""Drift of streams, on a tiny random model: what is there is not made again, and what it says."""

import argparse
import json

import numpy as np
import pytest

from benchmarks import stream as bench
from worldreel import engine
from worldreel.course import Pace
from worldreel.eval import cases, probes

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_stream_is_measured_at_both_ends(tiny_model):
    given = argparse.Namespace(seconds=3.0, size="64x64", steps=1)
    one = bench._stream(engine.load(tiny_model), "a red ball", given, Pace())
    found = bench.drifted(one, probes.load())
    frames = np.concatenate([chunk.frames for chunk in one])
    for name, part in (("first", frames[:7]), ("last", frames[-7:])):
        told = [*found[name]["colour"], found[name]["contrast"], found[name]["sharpness"]]
        assert told == pytest.approx(bench._measured(part).tolist())


def test_what_is_there_is_told_and_not_made_again(tiny_model, tmp_path, monkeypatch):
    model = engine.load(tiny_model)
    about = {"model": "tiny", "weights": model.space, "size": "64x64", "seconds": 3.0}
    about |= {"steps": 1, "world": "small"}
    first = {"colour": [0.0, 0.0, 0.1], "contrast": 0.2, "sharpness": 0.1, "things": 1.0}
    last = {"colour": [0.0, 0.3, 0.1], "contrast": 0.1, "sharpness": 0.1, "things": 2.0}
    for seed, end in ((5, first), (6, last)):
        made = {"about": about, "asked": 1, "first": first, "last": end}
        (tmp_path / f"{seed}.json").write_text(json.dumps(made))
    monkeypatch.delattr(cases, "case")
    given = argparse.Namespace(
        model=str(tiny_model), out=tmp_path, size="64x64", seconds=3.0, steps=1, world="small",
        count=2, first_seed=5,
    )  # fmt: skip
    *_, row = bench.drifts(given)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["0.15 (0.30)", "0.75 (0.50)", "1.00 (1.00)", "1.0, 1.0, 1.5", "1 of 2"]
    given.steps = 2
    with pytest.raises(SystemExit, match="another --out"):
        list(bench.drifts(given))
