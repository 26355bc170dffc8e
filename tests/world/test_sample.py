"""Laws of sampling: the same seed the same scene, held-out pairs held out, a balanced mix, and
nothing where it cannot be, or cannot be told."""

import math
from collections import Counter

import numpy as np
import pytest

from worldreel.errors import SceneError
from worldreel.world.actors import RIGS
from worldreel.world.place import PLACES, SHORE, tells
from worldreel.world.sample import held_out, held_out_setting, sample, shots
from worldreel.world.scene import ACTORS, CAMERAS, COLORS, DIRECTIONS, FPS, KINDS, THINGS
from worldreel.world.settings import SETTINGS
from worldreel.world.stories import STORIES

PAIRS = [(color, kind) for color in COLORS for kind in KINDS if held_out(color, kind)]
PLACED = [(kind, place) for place, row in PLACES.items() for kind in KINDS if kind in row.kinds]
AWAY = [pair for pair in PLACED if held_out_setting(*pair)]
FIRST_KINDS, FIRST_COLORS = KINDS[:4], list(COLORS)[:8]

LONG = ("dog", "mammoth", "fish", "dragon", "car", "train", "ship")

# All that the first model knows.
FIRST_WORLD = {
    *FIRST_KINDS, *FIRST_COLORS, "small", "medium", "large", "matte", "glossy", "metal",
    "wooden table", "meadow", "snowfield", "wet street", "noon", "sunset", "night",
    "rests", "rolls", "slides", "falls", "hits", "left", "right", "toward", "away", "1", "2",
    "static", "pan_left", "pan_right", "dolly_in", "dolly_out", "orbit_left", "orbit_right",
}  # fmt: skip


@pytest.fixture(scope="module")
def mix():
    return [sample(seed) for seed in range(1000)]


def test_the_held_out_pairs_are_these_for_good():
    assert [(c, k) for c, k in PAIRS if c in FIRST_COLORS and k in FIRST_KINDS] == [
        ("orange", "ball"),
        ("yellow", "cylinder"),
        ("cyan", "cube"),
        ("blue", "cone"),
    ]
    assert [(k, s) for k, s in AWAY if k in FIRST_KINDS and s in list(PLACES)[:4]] == [
        ("ball", "snowfield"),
        ("cone", "wet street"),
    ]
    assert not held_out("red", "ball")
    # A tenth, by and large.
    assert 0.06 < len(PAIRS) / (len(COLORS) * len(KINDS)) < 0.14
    assert 0.05 < len(AWAY) / len(PLACED) < 0.15


@pytest.mark.parametrize("kind", KINDS)
def test_training_sees_most_colours_and_settings_of_every_kind(kind):
    assert sum(not held_out(color, kind) for color in COLORS) >= 9
    places = [place for place, row in PLACES.items() if kind in row.kinds]
    seen = [place for place in places if not held_out_setting(kind, place)]
    assert len(seen) > len(places) / 2


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
        assert (pair in PAIRS) != (place in AWAY)
        found[pair if pair in PAIRS else place] += 1
        for other in others:
            alike = (other.kind, other.color) == (subject.kind, subject.color)
            assert alike or not held_out(other.color, other.kind)
    possible = {pair for pair in (*PAIRS, *AWAY) if set(pair) & {*THINGS, *RIGS}}
    assert set(found) <= possible
    assert len(found) > 0.8 * len(possible)


def test_the_same_seed_is_the_same_scene(mix):
    for seed in range(40):
        assert sample(seed).to_json() == mix[seed].to_json()
    assert len({scene.to_json() for scene in mix}) == len(mix)
    assert sample(3, seconds=4.0) != sample(3)
    assert sample(3, split="held_out") != sample(3)
    assert sample(3, within=FIRST_WORLD) == sample(3, within=FIRST_WORLD)
    assert shots(3) == shots(3)


def test_the_mix_is_balanced(mix):
    count = len(mix)

    def shares(values):
        return {key: n / count for key, n in Counter(values).items()}

    kinds = shares(s.things[0].kind for s in mix)
    assert set(kinds) == {*THINGS, *RIGS}
    for kind, share in kinds.items():
        assert share == pytest.approx(1 / len(kinds), abs=0.035), kind
    for color, share in shares(s.things[0].color for s in mix).items():
        assert share == pytest.approx(1 / 12, abs=0.04), color
    for setting, share in shares(s.setting for s in mix).items():
        assert share == pytest.approx(1 / 8, abs=0.05), setting
    for size, share in shares(s.things[0].size for s in mix).items():
        assert share == pytest.approx(1 / 3, abs=0.05), size
    cameras = shares(s.camera.move for s in mix)
    assert set(cameras) == set(CAMERAS)
    assert cameras["static"] == pytest.approx(0.45, abs=0.06)
    assert min(cameras.values()) > 0.02
    numbers = shares(len(s.things) for s in mix)
    assert set(numbers) == {1, 2, 3, 4} and numbers[1] < 0.6 and numbers[4] > 0.01
    ways = Counter(s.things[0].direction for s in mix)
    moving = sum(ways[way] for way in DIRECTIONS)
    assert ways["left"] / moving == pytest.approx(ways["right"] / moving, abs=0.06)
    assert min(ways[way] for way in DIRECTIONS) / moving > 0.08
    styles = shares(s.style for s in mix)
    assert len(styles) == 5 and styles["render"] > 0.7 and min(styles.values()) > 0.02


def test_every_story_is_told_with_what_it_says():
    for name in STORIES:
        for seed in range(8):
            scene = sample(seed, story=name)
            subject = scene.things[0]
            assert subject.kind in STORIES[name].manners
            moves = subject.direction is not None
            assert moves == STORIES[name].moves
            assert bool(scene.keys) == (name == "driven")
    with pytest.raises(SceneError, match="story"):
        sample(0, story="sleeps")


def test_the_lights_of_a_place_are_those_that_it_can_be_drawn_in():
    for place, row in PLACES.items():
        assert set(row.lights) <= set(SETTINGS[place].lights)


def test_nothing_is_where_it_cannot_be(mix):
    for scene in mix:
        place = PLACES[scene.setting]
        assert scene.light in place.lights and scene.weather in place.weathers
        for thing in scene.things:
            assert thing.kind in place.kinds
            assert tells(thing.color, scene.setting, scene.light, scene.weather)
            if scene.setting == "sandy coast":
                assert (thing.kind == "ship") == (thing.position[1] > SHORE)
        assert scene.gravity == (3.0 if scene.setting == "coral reef" else 9.81)
    by = {scene.setting: {s.weather for s in mix if s.setting == scene.setting} for scene in mix}
    for indoors in ("wooden table", "coral reef", "space station"):
        assert by[indoors] == {"clear"}
    assert "rain" not in by["snowfield"] and not by["desert"] & {"snow"}
    assert {scene.light for scene in mix if scene.setting == "wet street"} == {"night"}
    fish = [s for s in mix if any(t.kind == "fish" for t in s.things)]
    assert {scene.setting for scene in fish} == {"coral reef"}


def test_a_colour_that_does_not_stand_out_is_not_told():
    assert not tells("white", "snowfield", "noon")
    assert not tells("black", "meadow", "night")
    assert not tells("brown", "wooden table", "sunset")
    assert not tells("grey", "wet street", "night")
    assert not tells("white", "meadow", "noon", "fog")
    assert tells("white", "meadow", "noon") and tells("red", "snowfield", "night")


def test_animals_have_their_own_colours_more_often_and_all_of_them_sometimes():
    animals = [sample(seed, within={"mammoth", "dog", "meadow"}) for seed in range(250)]
    mammoths = Counter(s.things[0].color for s in animals if s.things[0].kind == "mammoth")
    dogs = Counter(s.things[0].color for s in animals if s.things[0].kind == "dog")
    assert mammoths.most_common(1)[0][0] == "brown" and len(mammoths) >= 8
    natural = sum(dogs[color] for color in ("brown", "black", "white", "grey"))
    assert natural / dogs.total() > 0.5 and len(dogs) >= 7


def test_a_smaller_world_has_its_words_only():
    found = Counter()
    for seed in range(250):
        scene = sample(seed, within=FIRST_WORLD)
        assert len(scene.things) <= 2
        assert (scene.weather, scene.style, scene.keys) == ("clear", "render", ())
        used = {scene.setting, scene.light, scene.camera.move}
        for thing in scene.things:
            used |= {thing.kind, thing.color, thing.size, thing.material, thing.action}
            used |= {thing.direction} - {None}
            assert thing.event is None
        assert used <= FIRST_WORLD
        found.update(used)
    assert FIRST_WORLD - set(found) == {"1", "2"}
    still = sample(1, within={"man", "red", "meadow"}).camera.move
    assert still == "static"
    with pytest.raises(SceneError, match="teapot"):
        sample(0, within={"teapot"})


def test_one_alone_goes_together_with_nobody():
    walks = {"mammoth", "walks", "left", "1"}
    assert all(len(sample(seed, within=walks).things) == 1 for seed in range(20))
    with pytest.raises(SceneError, match="no story fits"):
        sample(0, within=walks, story="together")


def test_what_is_long_shows_its_side(mix):
    """From the very front a fish is a disc, and a train a wheel."""
    seen = Counter()
    for scene in mix:
        for thing in scene.things:
            still = thing.action == "stands" and thing.event is None
            if thing.kind in LONG and not scene.keys and (still or thing.direction):
                w, x, y, z = thing.rotation
                facing = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
                assert abs(math.cos(facing)) > 0.3, (scene.seed, thing.kind)
                seen[thing.direction] += 1
    assert seen["toward"] > 10 and seen["away"] > 10 and seen[None] > 50


def test_a_night_without_colours_is_of_bright_subjects(mix):
    for scene in mix:
        if (scene.style, scene.light) == ("black and white", "night"):
            assert np.dot((0.299, 0.587, 0.114), COLORS[scene.things[0].color]) > 0.4


def test_shots_show_the_same_subject_from_another_side_or_in_another_place():
    counts = Counter()
    for seed in range(60):
        scenes = shots(seed, seconds=6.0)
        counts[len(scenes)] += 1
        assert sum(scene.seconds for scene in scenes) == pytest.approx(6.0)
        assert all(round(scene.seconds * FPS) % 4 == 0 for scene in scenes)
        subjects = [scene.things[0] for scene in scenes]
        assert len({(t.kind, t.color, t.size, t.material) for t in subjects}) == 1
        assert len({(s.setting, s.camera.move) for s in scenes}) == len(scenes)
        assert len({scene.style for scene in scenes}) == 1
    assert set(counts) == {1, 2, 3}
    assert len(shots(0, seconds=2.0)) == 1
    for seed in range(20):
        for scene in shots(seed, split="held_out"):
            one = scene.things[0]
            assert held_out(one.color, one.kind) or held_out_setting(
                one.kind, shots(seed, split="held_out")[0].setting
            )


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
        for thing in scene.things:
            still = RIGS[thing.kind].stands if thing.kind in ACTORS else "rests"
            assert (thing.action, thing.event, thing.direction) == (still, None, None)
        assert scene.camera.move == "static" and not scene.keys


def test_an_unknown_split_is_an_error():
    with pytest.raises(SceneError, match="split"):
        sample(0, split="test")
