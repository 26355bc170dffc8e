"""A recipe is found by name or path; a wrong setting is one clear line."""

from pathlib import Path

import pytest

from worldreel.errors import RequestError
from worldreel.train import recipe


@pytest.fixture
def c(tiny):
    return recipe.load(str(tiny / "tiny.py"), "dit")


def test_a_recipe_is_found_by_name_and_by_path(tiny, tmp_path, monkeypatch):
    assert recipe.find(str(tiny / "tiny.py")) == tiny / "tiny.py"
    monkeypatch.chdir(tiny)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/mine.py").write_text((tiny / "tiny.py").read_text())
    monkeypatch.chdir(tmp_path)
    assert recipe.find("mine") == Path("recipes/mine.py")
    assert recipe.load("mine", "dit").phases[0].steps == 2
    assert recipe.find("marble").name == "marble.py"


def test_the_shipped_recipe_gives_every_stage():
    for stage in recipe.STAGES:
        assert recipe.load("marble", stage).preset


@pytest.mark.parametrize("name", ["no-such", "no/such.py", "", "../marble", "."])
def test_an_unknown_recipe_is_one_clear_error(name):
    with pytest.raises(RequestError, match="no recipe"):
        recipe.find(name)


def test_an_unknown_stage_is_one_clear_error(tiny, tmp_path):
    (tmp_path / "r.py").write_text("def dit():\n    return 1\n\ntext = 3\n")
    with pytest.raises(RequestError, match=r"no text\(\); it has dit"):
        recipe.load(str(tmp_path / "r.py"), "text")
    with pytest.raises(RequestError, match="no fewstep"):
        recipe.load(str(tiny / "tiny.py"), "fewstep")


def test_a_leg_is_a_function_of_the_recipe(tiny, tmp_path):
    text = (tiny / "tiny.py").read_text() + (
        "\n\ndef deeper():\n    return replace(dit(), lr=0.5)\n"
    )
    file = tmp_path / "mine.py"
    file.write_text(text)
    assert recipe.find(f"{file}:deeper") == file
    assert recipe.load(f"{file}:deeper", "dit", {"seed": "3"}).lr == 0.5
    assert recipe.load(f"{file}:dit", "dit") == recipe.load(str(file), "dit")
    assert recipe.title(f"{file}:deeper") == "mine-deeper" and recipe.title(str(file)) == "mine"
    assert recipe.parted(r"C:\runs\mine.py") == (r"C:\runs\mine.py", "")
    with pytest.raises(RequestError, match=r"no wider\(\)"):
        recipe.load(f"{file}:wider", "dit")
    with pytest.raises(RequestError, match=r"deeper\(\) of .* is not of the stage few"):
        recipe.load(f"{file}:deeper", "few")


def test_settings_are_literals_by_dotted_names(c):
    given = {
        "lr": "1", "adam_lr": "5e-4", "preset.layers": "3", "preset.chunk": "None", "seed": "7",
        "bf16": "false", "compile": "True", "start": "runs/a-run/final", "text": "2024",
        "tasks": '{"blank": 1}',
    }  # fmt: skip
    new = recipe.override(c, given)
    assert (new.lr, type(new.lr), new.adam_lr, new.seed) == (1.0, float, 5e-4, 7)
    assert (new.preset.layers, new.preset.chunk, c.preset.layers) == (3, None, 2)
    assert (new.bf16, new.compile) == (False, True)
    assert (new.start, new.text, new.tasks) == ("runs/a-run/final", "2024", {"blank": 1})
    assert new.phases == c.phases
    assert recipe.override(c, {}) == c
    assert recipe.override(c, {"start": "'quoted'"}).start == "quoted"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("speed", "1", "unknown setting 'speed': one of adam_lr"),
        ("preset.speed", "1", "unknown setting 'preset.speed': one of preset.channels"),
        ("preset", "1", "has settings inside: set them, as in preset.channels"),
        ("lr.inner", "1", "'lr' has no settings inside"),
        ("lr", "fast", "lr=fast: expected float, as in 0.002"),
        ("lr", "1e999", "expected float"),
        ("seed", "1.5", "expected int"),
        ("seed", "True", "expected int"),
        ("bf16", "1", "expected bool"),
        ("bf16", "yes", "expected bool"),
        ("preset.chunk", "one", "preset.chunk=one: expected int"),
        ("tasks", "['blank']", "expected .*Mapping"),
        ("tasks", "{'blank': 'much'}", "expected .*Mapping"),
        ("phases", "()", "expected tuple"),
        ("phases.steps", "3", "'phases' has no settings inside"),
        ("lr", "__import__('os')", "expected float"),
    ],
)
def test_a_wrong_setting_is_one_clear_error(c, key, value, says):
    with pytest.raises(RequestError, match=says) as caught:
        recipe.override(c, {key: value})
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_tuples_are_checked_to_their_elements(tiny):
    c = recipe.load(str(tiny / "tiny.py"), "compressor")
    assert recipe.override(c, {"crop": "3,4"}).crop == (3, 4)
    assert recipe.override(c, {"data": "('a', 'b')"}).data == ("a", "b")
    for wrong in ("(3,)", "('a', 'b')", "5"):
        with pytest.raises(RequestError, match="expected tuple"):
            recipe.override(c, {"crop": wrong})
