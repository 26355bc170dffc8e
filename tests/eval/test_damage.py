"""Damages: exact, the same for the same generator, and caught by the lines that are named."""

import functools

import numpy as np
import pytest

from worldreel.eval import caught, damage, probes
from worldreel.eval.damage import DAMAGES
from worldreel.eval.known import CORE
from worldreel.eval.lines import LINES
from worldreel.eval.look import Said, look
from worldreel.world.act import stage_scene
from worldreel.world.render import render

SIZE = (144, 80)
BY_NAME = {one.name: one for one in DAMAGES}


@functools.cache
def real(story, seed):
    take = stage_scene(seed, size=SIZE, within=CORE, story=story)
    return take, render(take, size=SIZE, samples=damage.SAMPLES).frames


def spoilt(name, story="hits", seed=7_900_000, key=0):
    take, frames = real(story, seed)
    return BY_NAME[name].spoil(take, frames, np.random.default_rng(key))


def missed(frames, story, seed, lines):
    """Of these lines those whose answer on frames is not what the take wants."""
    said = Said.of([real(story, seed)[0]])
    seen = look(probes.load(), frames)
    asked = [line for line in LINES if line.key in lines and line.wanted(said) is not None]
    return {line.key for line in asked if line.read(seen).value != line.wanted(said)}


def test_the_table_names_lines_that_there_are():
    keys = [line.key for line in LINES]
    assert len(set(keys)) == len(keys) and len(BY_NAME) == len(DAMAGES)
    assert all(one.caught and set(one.caught) <= set(keys) for one in DAMAGES)


@pytest.mark.parametrize("name", ["a jump cut", "a colour ramp", "blur", "noise"])
def test_the_same_generator_gives_the_same_clip(name):
    one, two, other = (spoilt(name, key=key) for key in (0, 0, 1))
    assert np.array_equal(one, two) and not np.array_equal(one, other)
    assert one.dtype == np.uint8


def test_what_is_not_spoilt_stays_as_it_was():
    _, frames = real("hits", 7_900_000)
    gone = spoilt("a thing removed")
    first = int(np.argmax((gone != frames).any((1, 2, 3))))
    assert 0.3 * len(frames) <= first <= 0.65 * len(frames) and len(gone) == len(frames)
    assert np.array_equal(spoilt("reversed time")[::-1], frames)
    assert len(spoilt("a jump cut")) < len(frames) == len(spoilt("a frozen stretch"))


def test_what_cannot_be_spoilt_is_left():
    assert spoilt("a fall slowed") is None
    assert spoilt("a push without contact", "falls", 7_900_001) is None


CASES = [
    ("a thing removed", "hits", 7_900_000),
    ("another colour", "falls", 7_900_001),
    ("a fall slowed", "falls", 7_900_001),
    ("a push without contact", "hits", 7_900_000),
    ("a jump cut", "hits", 7_900_000),
    ("reversed time", "hits", 7_900_000),
    ("a colour ramp", "falls", 7_900_001),
    ("blur", "falls", 7_900_001),
    ("a frozen clip", "falls", 7_900_001),
    ("black", "falls", 7_900_001),
]


@pytest.mark.parametrize("name, story, seed", CASES)
def test_damages_are_caught(name, story, seed):
    assert missed(spoilt(name, story, seed), story, seed, BY_NAME[name].caught)


@pytest.mark.parametrize("story, seed", [("hits", 7_900_000), ("falls", 7_900_001)])
def test_real_clips_break_no_line(story, seed):
    assert not missed(real(story, seed)[1], story, seed, {line.key for line in LINES})


def test_what_is_caught_is_counted(monkeypatch):
    two = tuple(one for one in DAMAGES if one.name in ("black", "a fall slowed"))
    monkeypatch.setattr(caught, "DAMAGES", two)
    told = []
    found = caught.caught(probes.load(), 1, lambda *how: told.append(how))
    assert {name: row["count"] for name, row in found.items()} == {"a fall slowed": 1, "black": 1}
    assert found["black"]["right"] == 1
    assert found["black"]["by"] == {"alive": {"caught": 1, "count": 1}}
    assert told[0] == ("damages", 0, 2) and told[-1] == ("damages", 2, 2)
