"""The full preset's run: what travels and comes back fits, and the plan is of what was packed."""

import dataclasses
import importlib
import json
import sys
from pathlib import Path

import pytest
import torch

from worldreel import checkpoint
from worldreel.data.live import LANES
from worldreel.data.loader import turns
from worldreel.models import presets
from worldreel.models.dit import DiT
from worldreel.world.labels import LABELS


@pytest.fixture
def sheet(tmp_path, monkeypatch):
    """The recipe in an empty folder, as it is told to run."""

    def told(*words):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["marble_gpu.py", *words])
        monkeypatch.delitem(sys.modules, "recipes.marble_gpu", raising=False)
        return importlib.import_module("recipes.marble_gpu")

    return told


def test_the_full_model_fits_into_the_package(tmp_path):
    model = DiT(presets.MARBLE_FULL_DIT).init(torch.Generator().manual_seed(0))
    assert 20e6 < sum(p.numel() for p in model.parameters()) < 27e6
    config = dataclasses.asdict(presets.MARBLE_FULL_DIT)
    checkpoint.save(
        tmp_path / "dit", kind="dit", config=config, tensors=model.state_dict(), storage="int8"
    )
    weights = checkpoint.PACKAGED
    packaged = [f for f in weights.rglob("*") if f.is_file()]
    # it takes the place of both small ones: its four steps are learned into the same weights
    small = ("marble", "marble-few")
    others = [f for f in packaged if not any(weights / n / "dit" in f.parents for n in small)]
    for files in (packaged, [*others, *(tmp_path / "dit").iterdir()]):
        assert sum(file.stat().st_size for file in files) <= 32 * 2**20


def test_every_part_is_of_a_pack_and_makes_whole_batches(sheet):
    gpu = sheet()
    config = gpu.dit()
    assert config.compile and config.bf16 and config.preset == presets.MARBLE_FULL_DIT
    for phase in config.phases:
        for source in phase.fresh:
            assert Path(source.takes).name in {pack.name for pack in gpu.FULL.packs}
            assert source.batch % LANES == 0 and source.group % LANES == 0
            assert source.group // LANES >= 32  # what a GPU draws and encodes at once
    longest = max(pack.seconds for pack in gpu.FULL.packs)
    assert gpu.SETTINGS.trained_seconds == longest
    seeds = [range(p.first_seed, p.first_seed + p.count) for p in gpu.FULL.packs]
    assert all(a.stop <= b.start for a, b in zip(seeds, seeds[1:], strict=False))
    assert seeds[0].start >= 200_000


def test_what_is_expected_follows_from_the_formula(sheet):
    gpu = sheet()
    told = gpu.expect()
    model, total = DiT(gpu.FULL.preset), 0.0
    for (steps, parts), phase in zip(gpu.FULL.phases, gpu.dit().phases, strict=True):
        for part, count in zip(parts, turns(phase.fresh, steps), strict=True):
            frames, (width, height) = max(1, round(3 * gpu._pack(part).seconds)), part.size
            tokens = frames * width * height // 256
            total += count * 3 * part.batch * model.flops(tokens, len(LABELS))
    seconds = total / (gpu.PEAK * gpu.SHARE)
    assert told["minutes"] == pytest.approx(seconds / 60, rel=0.01)
    assert told["minutes"] < gpu.FULL.minutes


def test_a_plan_scales_steps_and_reuse(sheet):
    gpu = sheet()
    before = gpu.dit()
    gpu.PLAN.parent.mkdir(parents=True)
    gpu.PLAN.write_text(json.dumps({"scale": 0.5, "reuse": 3, "device": "cpu"}))
    after = gpu.dit()
    for a, b in zip(before.phases, after.phases, strict=True):
        assert b.steps == a.steps / 2
        assert [s.reuse for s in b.fresh] == [3 * s.reuse for s in a.fresh]
        assert {s.settings.device for s in b.fresh} == {"cpu"}


def test_verdicts_of_a_run(sheet):
    gpu = sheet()
    gpu.PLAN.parent.mkdir(parents=True)
    gpu.PLAN.write_text(json.dumps({"steps_s": {"0": 4.0}}))
    falling = [{"loss": 1 - i / 100, "phase": 0} for i in range(60)]
    assert gpu._verdict(falling, 3.0, 0.0) == "ok"
    assert gpu._verdict(falling, 1.9, 0.0) == "slow"
    assert gpu._verdict(falling + falling[:20], 3.0, 0.0) == "worse"
    assert gpu.status()["verdict"] == "ended"
    assert json.loads(gpu.STATUS.read_text())["of"] == sum(p.steps for p in gpu.dit().phases)


def test_the_smoke_differs_in_size_alone(sheet):
    gpu = sheet("--smoke")
    assert gpu.SHEET is gpu.SMOKE and gpu.dit().phases[0].steps <= 10
    made = gpu.pack()
    assert made["r1"]["takes"] == 4 and gpu.dit().phases[1].fresh[0].staged(0).takes
    assert gpu.raw()["clips"] == 4
