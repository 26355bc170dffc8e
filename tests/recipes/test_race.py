"""Laws of the race: equal compute, the same clips, a stop changes nothing, losers are told."""

import json

import numpy as np
import pytest

from recipes import bench, race, trial
from worldreel.checkpoint import PACKAGED
from worldreel.errors import RequestError
from worldreel.train.dit import Config

pytestmark = pytest.mark.usefixtures("one_thread")


def test_every_variant_is_a_setting_that_training_has(shared):
    for name, variant in race.VARIANTS.items():
        settings = race.settings_of(name, smoke=False)
        c = bench.config(shared, bench.Run(name=name, settings=settings, steps=3))
        assert isinstance(c, Config)
        assert bool(settings) == (variant.look is None), name
        plain = bench.config(shared, bench.Run(name="plain", settings={}, steps=3))
        assert (c != plain) == (variant.look is None), name


def test_a_race_runs_stops_and_goes_on(shared, chosen, capsys):
    chosen.only = ["bypass", "x", "ema-long"]
    chosen.minutes = 0.0  # no time at all: nothing is begun
    found, whole = race.race(shared, chosen)
    assert not found and not whole
    chosen.minutes = None
    found, whole = race.race(shared, chosen)
    assert whole and {name: len(runs) for name, runs in found.items()} == {
        "base": 2, "bypass": 2, "x": 2,
    }  # fmt: skip
    plan = json.loads((chosen.out / "plan.json").read_text())["variants"]
    spent = {name: plan[name]["steps"] * plan[name]["step_flops"] for name in plan}
    for name in ("bypass", "x"):  # as near to the base's operations as whole steps come
        assert abs(spent[name] - spent["base"]) <= 0.51 * plan[name]["step_flops"]
    assert plan["bypass"]["steps"] > plan["base"]["steps"] == 4
    for name, runs in found.items():
        for run in runs.values():
            assert run["flops"] == pytest.approx(spent[name], rel=0.01)
            assert run["processor_seconds"] >= 0 and run["steps"] == plan[name]["steps"]
    times = {f: f.stat().st_mtime_ns for f in chosen.out.rglob("step-*/*")}
    again, _ = race.race(shared, chosen)
    assert again == found
    assert times == {f: f.stat().st_mtime_ns for f in chosen.out.rglob("step-*/*")}
    rows = race.table(found, chosen.only)
    assert list(rows) == ["base", "bypass", "x", "ema-long"]
    assert rows["base"]["loss seen"]["difference"] == 0
    assert rows["x"]["verdict"] == "not judged" and rows["ema-long"]["trains"] is False
    assert rows["ema-long"]["loss seen"]["difference"] != 0
    assert len(race.markdown(rows, "2026-01-01").splitlines()) == 6


def test_another_study_is_refused(shared, chosen):
    bench.open_study(chosen.out, shared)
    other = bench.Bench.from_json({**bench.read(chosen.out / "bench.json"), "batch": 4})
    with pytest.raises(RequestError, match="another batch: give another --out"):
        bench.open_study(chosen.out, other)
    run = bench.Run(name="a b", settings={}, steps=2)
    folder = trial.open_run(chosen.out, run)
    assert folder.name == "a-b" and trial.finished(folder) is None
    with pytest.raises(RequestError, match="another run of that name"):
        trial.open_run(chosen.out, bench.Run(name="a b", settings={}, steps=3))
    more = bench.Run(name="a b", settings={}, steps=2, looks={"late": bench.Look(average="0.9")})
    trial.open_run(chosen.out, more)  # a run may be looked at in more ways
    assert set(bench.read(folder / "run.json")["looks"]) == {"", "late"}


def finding(share, seed, cases=200):
    """A judged run whose clips are right as often as said."""
    luck = np.random.default_rng(seed).random((cases, 4))
    right = [dict(zip(bench.COMPARED, map(bool, row < share), strict=True)) for row in luck]
    loss = np.random.default_rng(seed).random((20, 5)).tolist()
    look = {"loss": {"seen": loss, "held out": loss}, "right": right}
    looks = {"": look, "guide-late": look}
    about = {"flops": 1e12, "processor_seconds": 10.0, "steps": 5, "parameters": 7}
    return {**about, "looks": looks}


def test_who_wins_who_loses_and_what_stays_open():
    found = {
        "base": {0: finding(0.6, 0), 1: finding(0.6, 1)},
        "bypass": {0: finding(0.7, 2), 1: finding(0.7, 3)},
        "no-dense": {1: finding(0.5, 4)},  # one seed so far
        "contrast": {0: finding(0.6, 5), 1: finding(0.6, 6)},
    }
    names = ["bypass", "no-dense", "contrast", "guide-late", "x"]
    rows = race.table(found, names)
    verdicts = {name: row["verdict"] for name, row in rows.items()}
    assert verdicts == {
        "base": "base", "bypass": "wins", "no-dense": "loses", "contrast": "open",
        "guide-late": "open",
    }  # fmt: skip
    assert rows["no-dense"]["seeds"] == 1 and rows["bypass"]["seeds"] == 2
    low, high = rows["bypass"]["all"]["interval"]
    assert low < 0.1 < high and high - low < 0.1
    low, high = rows["bypass"]["colour"]["wilson"]
    assert low < 0.7 < high
    order = [line.split("|")[2].split(":")[0].strip() for line in
             race.markdown(rows, "2026-01-01").splitlines()[2:]]  # fmt: skip
    assert order[:2] == ["base", "bypass"] and order[-1] == "no-dense"


def test_latents_that_are_given_are_those_of_the_compressor(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "SIZE", (48, 32))
    monkeypatch.setattr(bench, "SECONDS", 1 / 3)
    paths = {"text": str(tiny_model / "text"), "compressor": str(tiny_model / "compressor")}
    made, _ = bench.prepare(tmp_path / "a", latents=(), **paths, count=2, judged=1, jobs=1)
    given, _ = bench.prepare(tmp_path / "b", latents=made, **paths, count=2, judged=1, jobs=1)
    assert given == made
    packaged = paths | {"compressor": str(PACKAGED / "marble/compressor")}
    with pytest.raises(RequestError, match="not of .*give the compressor that encoded it"):
        bench.prepare(tmp_path / "c", latents=made, **packaged, count=2, judged=1, jobs=1)
