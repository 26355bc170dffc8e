"""Laws of scenes: JSON round-trips, what does not fit is an error, a twin's twin is the scene."""

import dataclasses
import json

import pytest

from worldreel.errors import SceneError
from worldreel.world.sample import sample, shots
from worldreel.world.scene import Camera, Scene, Thing, mirror


def _scene(**changes) -> Scene:
    thing = Thing(
        kind="ball",
        color="red",
        size="small",
        material="matte",
        extent=(0.3, 0.3, 0.3),
        position=(0.0, 0.0, 0.3),
    )
    camera = Camera(move="static", eye=(0.0, -4.0, 1.2), look_at=(0.0, 0.0, 0.4))
    values = dict(seed=1, setting="meadow", light="noon", things=(thing,), camera=camera)
    return Scene(**{**values, **changes})


@pytest.fixture(scope="module")
def scenes():
    driven = [sample(seed, story="driven") for seed in range(5)]
    return [sample(seed) for seed in range(60)] + driven + [*shots(3), *shots(4)]


def test_json_round_trip(scenes):
    for scene in scenes:
        assert Scene.from_json(scene.to_json()) == scene
        assert Scene.from_json(scene.to_json()).to_json() == scene.to_json()


@pytest.mark.parametrize("where", [(), ("camera",), ("things", 0)])
def test_an_unknown_key_is_an_error(where):
    data = json.loads(_scene().to_json())
    part = data
    for key in where:
        part = part[key]
    part["flavour"] = "sweet"
    with pytest.raises(SceneError, match="flavour"):
        Scene.from_json(json.dumps(data))


@pytest.mark.parametrize("text", ["", "[]", "3", '{"seed": 1}'])
def test_what_is_no_scene_is_an_error(text):
    with pytest.raises(SceneError):
        Scene.from_json(text)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("setting", 5, "'setting' of Scene is 5: it must be a word"),
        ("seconds", "two", "'seconds' of Scene is \"two\": it must be a number"),
        ("seconds", -1, "from 0 to 60"),
        ("gravity", 0, "from 0.01 to 100"),
        ("seed", True, "a whole number"),
        ("camera", None, "Camera is a JSON object, not null"),
        ("things", ["ball"], "Thing is a JSON object"),
        ("things", [{"kind": "ball"}], "Thing has no 'color'"),
        ("position", [1, 2], "it must be 3 numbers"),
        ("position", [float("nan"), 0, 1], "it must be 3 numbers"),
        ("extent", [0.3, 0.0, 0.3], "from 0.001 to 50"),
        ("rotation", [0, 0, 0, 0], "no unit quaternion"),
        ("target", "a", "a whole number or null"),
        ("eye", [0.0, 0.0, 0.4], "looks at the place where it is"),
    ],
)
def test_a_value_that_cannot_be_is_named(key, value, said):
    data = json.loads(_scene().to_json())
    part = next(p for p in (data, data["camera"], data["things"][0]) if key in p)
    part[key] = value
    with pytest.raises(SceneError) as error:
        Scene.from_json(json.dumps(data))
    assert said in str(error.value) and len(str(error.value).splitlines()) == 1


def test_an_unknown_word_is_an_error():
    with pytest.raises(SceneError, match="setting"):
        _scene(setting="moon base")
    with pytest.raises(SceneError, match="weather"):
        _scene(weather="hail")
    with pytest.raises(SceneError, match="key"):
        _scene(keys=("up",))
    with pytest.raises(SceneError, match="kind"):
        _scene(things=(dataclasses.replace(_scene().things[0], kind="teapot"),))
    with pytest.raises(SceneError, match="event"):
        _scene(things=(dataclasses.replace(_scene().things[0], event="sneezes"),))
    with pytest.raises(SceneError, match="subject"):
        _scene(things=())
    with pytest.raises(SceneError, match="target"):
        _scene(things=(dataclasses.replace(_scene().things[0], target=1),))


def test_a_twins_twin_is_the_scene(scenes):
    for scene in scenes:
        assert mirror(scene) != scene
        assert mirror(mirror(scene)).to_json() == scene.to_json()


def test_a_twin_is_driven_to_the_other_side():
    keys = ("left", "left", "forward", "right", "jump", "none")
    assert mirror(_scene(keys=keys)).keys == ("right", "right", "forward", "left", "jump", "none")
