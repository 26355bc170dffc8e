"""Laws of sampling: the same seed the same scene, held-out pairs held out, a balanced mix."""

import math
from collections import Counter

import numpy as np
import pytest

from worldreel.errors import SceneError
from worldreel.world.sample import held_out, held_out_setting, sample
from worldreel.world.scene import COLORS, DIRECTIONS, KINDS, SETTINGS

PAIRS = [(color, kind) for color in COLORS for kind in KINDS if held_out(color, kind)]
PLACES = [(kind, place) for kind in KINDS for place in SETTINGS if held_out_setting(kind, place)]


@pytest.fixture(scope="module")
def mix():
    return [sample(seed) for seed in range(2500)]


def test_the_held_out_pairs_are_these_for_good():
    assert PAIRS == [
        ("orange", "ball"),
        ("yellow", "cylinder"),
        ("cyan", "cube"),
        ("blue", "cone"),
    ]
    assert PLACES == [("ball", "snowfield"), ("cone", "wet street")]


def test_training_never_shows_a_held_out_pair(mix):
    for scene in mix:
        for thing in scene.things:
            assert not held_out(thing.color, thing.kind)
            assert not held_out_setting(thing.kind, scene.setting)


def test_the_held_out_split_is_of_held_out_pairs():
    found = Counter()
    for seed in range(300):
        scene = sample(seed, split="held_out")
        subject, *others = scene.things
        pair, place = (subject.color, subject.kind), (subject.kind, scene.setting)
        assert (pair in PAIRS) != (place in PLACES)
        found[pair if pair in PAIRS else place] += 1
        for other in others:
            alike = (other.kind, other.color) == (subject.kind, subject.color)
            assert alike or not held_out(other.color, other.kind)
    assert set(found) == {*PAIRS, *PLACES}


def test_the_same_seed_is_the_same_scene(mix):
    for seed in range(40):
        assert sample(seed).to_json() == mix[seed].to_json()
    assert len({scene.to_json() for scene in mix}) == len(mix)
    assert sample(3, seconds=4.0) != sample(3)
    assert sample(3, split="held_out") != sample(3)


def test_the_mix_is_balanced(mix):
    count = len(mix)

    def shares(values):
        return {key: n / count for key, n in Counter(values).items()}

    for kind, share in shares(s.things[0].kind for s in mix).items():
        assert share == pytest.approx(0.25, abs=0.03), kind
    for color, share in shares(s.things[0].color for s in mix).items():
        assert share == pytest.approx(0.125, abs=0.03), color
    for setting, share in shares(s.setting for s in mix).items():
        assert share == pytest.approx(0.25, abs=0.06), setting  # two of them lack a kind
    for size, share in shares(s.things[0].size for s in mix).items():
        assert share == pytest.approx(1 / 3, abs=0.05), size
    cameras = shares(s.camera.move for s in mix)
    assert cameras.pop("static") == pytest.approx(0.5, abs=0.05)
    for move, share in cameras.items():
        assert share == pytest.approx(1 / 12, abs=0.03), move
    assert shares(len(s.things) for s in mix)[2] == pytest.approx(0.4, abs=0.04)
    ways = Counter(s.things[0].direction for s in mix)
    moving = sum(ways[way] for way in DIRECTIONS)
    assert ways["left"] / moving == pytest.approx(ways["right"] / moving, abs=0.05)
    assert min(ways[way] for way in DIRECTIONS) / moving > 0.17


def test_a_wet_street_is_at_night(mix):
    assert {scene.light for scene in mix if scene.setting == "wet street"} == {"night"}


def test_a_rolling_things_spin_matches_its_velocity(mix):
    for scene in mix:
        for thing in scene.things:
            if thing.action == "rolls":
                turning = math.hypot(*thing.spin[:2]) * thing.extent[0]
                assert turning == pytest.approx(math.hypot(*thing.velocity[:2]), rel=1e-3)
                # The point that touches the ground stands still.
                spin, down = np.array(thing.spin), np.array([0, 0, -thing.extent[0]])
                assert np.allclose(np.cross(spin, down) + thing.velocity, 0, atol=1e-3)


def test_a_still_rests():
    for seed in range(60):
        scene = sample(seed, seconds=0.0)
        assert {thing.action for thing in scene.things} == {"rests"}
        assert scene.camera.move == "static"


def test_an_unknown_split_is_an_error():
    with pytest.raises(SceneError, match="split"):
        sample(0, split="test")
