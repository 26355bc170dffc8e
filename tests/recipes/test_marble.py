"""marble's recipe: what its stages read was made by the stages before, and trials stay out."""

from pathlib import Path

import pytest

from recipes import marble


def test_what_is_trained_on_is_rendered_and_encoded():
    names = {f.name for f in marble.folders()}
    assert {Path(d).name for d in marble.compressor().data} <= names
    for stage in (marble.dit(), marble.few()):
        buckets = [bucket for phase in stage.phases for bucket in phase.buckets]
        assert {Path(bucket.path).name for bucket in buckets} <= names
        mixes = [stage.tasks, *(p.settings.get("tasks", stage.tasks) for p in stage.phases)]
        assert [sum(mix.values()) for mix in mixes] == pytest.approx([1] * len(mixes))
    seeds = sorted((f.first_seed, f.first_seed + f.count) for f in marble.folders())
    assert all(a[1] <= b[0] for a, b in zip(seeds, seeds[1:], strict=False))
    assert seeds[0][0] >= 200_000


def test_the_last_phase_goes_on_in_a_quarter_half_with_references_half_as_a_stream():
    c = marble.dit()
    assert c.at(c.total - 1).tasks == marble.LONG and c.at(c.total - 3001).tasks == marble.TASKS
    onward = {name: marble.LONG[name] for name in ("extend", "stream", "refer")}
    assert sum(onward.values()) == 0.25 and onward["refer"] == 0.125
    assert onward["stream"] + onward["refer"] / 2 == 0.125
    shots = {f.name for f in marble.folders() if f.shots}
    assert shots & {Path(bucket.path).name for bucket in c.phases[-1].buckets}


def test_few_steps_are_a_trial_that_nothing_else_reads():
    assert list(marble.STAGES) == ["render", "text", "compressor", "encode", "dit", "export"]
    assert not set(marble.STAGES) & set(marble.TRIALS)
    assert marble.few().preset.target and not marble.dit().preset.target
    assert marble.few().teacher == "runs/marble-dit/final"
