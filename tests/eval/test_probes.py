"""The rulers on fresh renders: they read what is there, and nothing where there is nothing."""

import functools

import numpy as np
import pytest

from worldreel.errors import CheckpointError
from worldreel.eval import calibration, judging, metrics, probes
from worldreel.eval.cases import renders
from worldreel.eval.known import CORE, PLAIN
from worldreel.world.act import stage_scene
from worldreel.world.facts import facts
from worldreel.world.render import render

FIRST_SEED = 6_000_000  # neither trained on nor calibrated on
COUNT = 8


@functools.cache
def real(within=PLAIN):
    """Frames and what is true of them, of both splits."""
    takes = [
        stage_scene(FIRST_SEED + i, split=(None, "held_out")[i % 2], size=(144, 80), within=within)
        for i in range(COUNT)
    ]
    drawn = renders(takes, lambda stage, done, total: None)
    return [(f, metrics.asked(facts(t))) for f, t in zip(drawn, takes, strict=True)]


@functools.cache
def readings():
    return tuple(probes.load().read(frames) for frames, _ in real())


def test_real_renders_are_read_right():
    judged = [metrics.judge(what, r) for (_, what), r in zip(real(), readings(), strict=True)]
    right = sum(sum(one.values()) for one in judged)
    facts_ = sum(len(one) for one in judged)
    assert right >= 0.9 * facts_, judged
    assert all(one["setting"] and one["light"] for one in judged)


def test_other_prompts_fail():
    others = metrics.shifted([what for _, what in real()])
    judged = [metrics.judge(what, r) for what, r in zip(others, readings(), strict=True)]
    right = sum(sum(one.values()) for one in judged)
    assert right <= 0.6 * sum(len(one) for one in judged)


@pytest.mark.parametrize("size", [(80, 144), (96, 96), (256, 144)])
def test_every_size_is_read(size):
    take = stage_scene(FIRST_SEED + 1, split="held_out", seconds=1 / 3, size=size, within=PLAIN)
    frames = render(take, size=size).frames
    read, what = probes.load().read(frames), metrics.asked(facts(take))
    judged = metrics.judge(what, read)
    assert judged["colour"] and judged["setting"] and judged["light"]


def test_a_frozen_clip_does_not_move():
    for frames, what in real():
        motion = metrics.wanted(what).get("motion", "rests")
        if motion == "rests":
            continue
        stopped = np.repeat(frames[:1], len(frames), 0)
        assert not metrics.judge(what, probes.load().read(stopped))["motion"]


def test_the_mirrored_clip_is_the_mirrored_reading():
    other = {"left": "right", "right": "left"}
    things = 0
    for frames, _ in real(tuple(sorted(CORE))):
        here = probes.load().read(frames)
        there = probes.load().read(np.ascontiguousarray(frames[:, :, ::-1]))
        assert there.setting == here.setting
        # as a set: whether the left or the right of two that are alike comes first is no matter
        mine = sorted(here.things, key=lambda t: (t.color, t.x))
        for a, b in zip(mine, sorted(there.things, key=lambda t: (t.color, -t.x)), strict=True):
            things += 1
            assert (a.color, a.kind, a.count) == (b.color, b.kind, b.count)
            assert abs(a.x + b.x) < 0.01
            assert b.motion == other.get(a.motion, a.motion)
    assert things > 8


def test_nothing_has_no_things():
    read = [len(probes.load().read(clip).things) for clip in calibration.nothing()]
    assert sum(read[:8]) == 0, "plain colours"
    assert sum(read[8:]) == 0, "noise"


def test_what_shows_nothing_is_right_on_no_line():
    lines = tuple(judging.questions())
    for clip in calibration.nothing():
        seen = judging.read(probes.load(), clip, lines)
        assert not seen.reading.known and {*seen.others.values()} == {metrics.NOTHING}


def test_a_reading_depends_on_its_clip_alone():
    clips = [frames for frames, _ in real()[:3]]
    backwards = list(probes.load().read_all(reversed(clips)))
    assert backwards[::-1] == list(readings()[:3])


@pytest.mark.parametrize(
    "frames",
    [
        None,
        np.zeros((4, 80, 144, 3), np.float32),
        np.zeros((80, 144, 3), np.uint8),
        np.zeros((0, 80, 144, 3), np.uint8),
        np.zeros((4, 80, 144, 4), np.uint8),
        np.zeros((4, 8, 144, 3), np.uint8),
    ],
)
def test_bad_frames_are_one_line(frames):
    with pytest.raises(ValueError, match="the rulers read") as error:
        probes.load().read(frames)
    assert "\n" not in str(error.value)


def test_rulers_of_another_world_are_refused(tmp_path, monkeypatch):
    rulers = probes.load()
    monkeypatch.setitem(probes.NAMES, "kinds", ("ball", "teapot"))
    probes.save(tmp_path / "other", rulers, provenance={})
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="train the rulers again"):
        probes.load(tmp_path / "other")


def test_packaged_rulers_are_good_enough():
    core, whole = (calibration.packaged(world)["lines"] for world in ("small", "plain"))
    for line in ("colour", "kind", "side", "setting", "light", "count", "camera"):
        assert core[line]["used"] and core[line]["share"] >= 0.97, line
    assert all(whole[line]["used"] for line in ("setting", "light", "weather"))
    for row in (*core.values(), *whole.values()):
        alarms = row["false alarms"]
        good = row["count"] >= calibration.FEWEST and row["share"] >= row["required"]
        assert row["used"] == bool(good and not (alarms["count"] and alarms["share"] > 0.05))
