"""marble's recipe: what its stages read was made by the stages before, and trials stay out."""

import dataclasses
import importlib
from pathlib import Path

import pytest
import torch

from recipes import marble
from worldreel import checkpoint
from worldreel.models import presets
from worldreel.models.dit import DiT
from worldreel.train import few, growing, recipe


def test_what_is_trained_on_is_rendered_and_encoded():
    names = {f.name for f in marble.folders()}
    assert {Path(d).name for d in marble.compressor().data} <= names
    for stage in (marble.dit(), marble.deeper(), marble.few()):
        buckets = [bucket for phase in stage.phases for bucket in phase.buckets]
        assert {Path(bucket.path).name for bucket in buckets} <= names
        mixes = [stage.tasks, *(p.settings.get("tasks", stage.tasks) for p in stage.phases)]
        assert [sum(mix.values()) for mix in mixes] == pytest.approx([1] * len(mixes))
    seeds = sorted((f.first_seed, f.first_seed + f.count) for f in marble.folders())
    assert all(a[1] <= b[0] for a, b in zip(seeds, seeds[1:], strict=False))
    assert seeds[0][0] >= 200_000


def test_the_last_phase_goes_on_in_a_quarter_half_with_references_half_as_a_stream():
    c = marble.deeper()
    assert c.at(c.total - 1).tasks == marble.LONG and c.at(c.total - 3001).tasks == marble.TASKS
    onward = {name: marble.LONG[name] for name in ("extend", "stream", "refer")}
    assert sum(onward.values()) == 0.25 and onward["refer"] == 0.125
    assert onward["stream"] + onward["refer"] / 2 == 0.125
    shots = {f.name for f in marble.folders() if f.shots}
    assert shots & {Path(bucket.path).name for bucket in c.phases[-1].buckets}


def test_ten_layers_are_grown_from_six():
    first, then = marble.dit(), marble.deeper()
    assert (first.preset.layers, then.preset.layers) == (6, 10)
    assert then.preset == presets.MARBLE_DIT and then.start == "runs/marble-dit/final"
    assert dataclasses.replace(then.preset, layers=6) == first.preset
    with torch.device("meta"):
        small, deep = (DiT(c.preset).state_dict() for c in (first, then))
    grown = growing.grown(small, first.preset, then.preset)
    assert {k: v.shape for k, v in grown.items()} == {k: v.shape for k, v in deep.items()}


def test_the_settled_leg_moves_the_decoder_alone():
    """By the fingerprint that latents carry: no folder is encoded anew because of it."""
    first, then = marble.compressor(), marble.settled()
    assert then.settled and then.start == "runs/marble-compressor/final"
    assert (then.overshoot, then.noise, then.steps) == (0.6, 0.12, 1600)
    assert then.preset == first.preset and then.data == first.data
    assert marble.PARTS == {"text": "text", "compressor": "settled", "dit": "deeper"}


def test_every_leg_is_a_stage_that_can_be_trained_by_name():
    legs = {"text": "text", "compressor": "compressor", "settled": "compressor", "dit": "dit",
            "deeper": "dit", "few": "few"}  # fmt: skip
    for leg, stage in legs.items():
        assert recipe.load(f"marble:{leg}", stage) == getattr(marble, leg)()
        assert leg in marble.STAGES | marble.TRIALS


def test_few_steps_are_a_trial_that_nothing_else_reads():
    assert list(marble.STAGES) == [
        "render", "text", "compressor", "encode", "settled", "dit", "deeper", "export",
    ]  # fmt: skip
    assert not set(marble.STAGES) & set(marble.TRIALS)
    assert marble.few().preset.target and not marble.deeper().preset.target
    assert marble.few().teacher == "runs/marble-deeper/final"


def test_few_steps_go_from_one_row_to_four_steps():
    c = marble.few()
    few._check(c)
    told = [c.at(sum(p.steps for p in c.phases[:i])).counts for i in range(len(c.phases))]
    assert told == [marble.ONE_ROW, marble.TWO_OR_THREE, marble.FOUR_STEPS]
    assert max(told[-1], key=told[-1].__getitem__) == c.judged == 4
    assert c.guidance_scale > 1
    for phase in c.phases:  # every part of a walk is as large in both processes
        assert all(bucket.batch % (2 * c.parts) == 0 for bucket in phase.buckets)


def test_the_smoke_has_the_same_stages_tiny(monkeypatch):
    monkeypatch.setenv("MARBLE_SMOKE", "1")
    tiny = importlib.reload(marble)
    try:
        for name in ("text", "compressor", "settled", "dit", "deeper", "few"):
            c = getattr(tiny, name)()
            assert (c.steps if hasattr(c, "steps") else c.total) <= 8
        assert tiny.deeper().preset.layers > tiny.dit().preset.layers
        assert tiny.deeper().start == "runs/smoke/marble-dit/final"
        assert checkpoint.PACKAGED not in tiny.PACKAGED.parents
        assert {f.count for f in tiny.folders()} == {2}
    finally:
        monkeypatch.undo()
        importlib.reload(marble)
