"""What is named and not seen is told, and what is called by a name keeps it."""

import pytest

from worldreel.prompt import read, rewrite
from worldreel.prompt.account import account
from worldreel.prompt.nouns import called, renamed

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("text", "kinds", "told"),
    [
        ("a red ball turning into a blue cube", ["ball"], "turning into a blue cube"),
        ("a cube becomes a big dragon at night", ["cube"], "becomes a big dragon"),
        ("a robot as tall as a train", ["robot"], "as a train"),
        ("a ship shaped like a fish", ["ship"], "shaped like a fish"),
        ("the shadow of a dragon and a cone", ["cone"], "shadow of a dragon"),
        ("一个圆锥变成了三条鱼", ["cone"], "变成了三条鱼"),
        ("像狗一样大的方块", ["cube"], "像狗"),
        ("a pyramid of cones", ["cone", "cone"], "pyramid"),
        ("金字塔前的狗", ["dog"], "金字塔"),
        ("a watercolor painting of a ship", ["ship"], ""),
        ("a ring like a coin on a table", ["ring"], "like a coin"),
    ],
)
def test_what_a_thing_turns_into_or_is_like_is_not_there(marble, text, kinds, told):
    words = read(marble, text).words()
    assert [v for s, v in words["understood"].items() if s.startswith("kind")] == kinds
    assert told in " ".join(words["ignored"])


@pytest.mark.parametrize(
    "text", ["a man looking to the left", "a dog faces left", "女人看向镜头", "a dog stares left"]
)
def test_where_one_looks_nobody_goes(marble, text):
    words = read(marble, text).words()
    assert "direction0" not in words["understood"] and words["ignored"]


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("a ship at anchor, gulls fly to the left", None),
        ("a dog stands and an owl flies away", "stands"),
        ("码头边有一艘船，海鸥向左飞", None),
        ("a dog on a trampoline jumps, then runs", "runs"),
        ("a horse gallops behind a brown dog", None),
    ],
)
def test_what_a_stranger_does_is_done_by_no_other(marble, text, does):
    facts = read(marble, text).facts
    assert facts.get("action0") in (does, "stands") and "direction0" not in facts
    assert facts["kind0"] in ("ship", "dog")


def test_who_is_with_another_does_the_same(marble):
    facts = read(marble, "一个男人傍晚牵着狗在街上走").facts
    assert {facts["kind0"], facts["kind1"]} == {"man", "dog"}
    assert facts["action0"] == facts["action1"] == "walks"
    assert read(marble, "女人带着狗跑").words()["mapped"] == {"带着": "和"}


@pytest.mark.parametrize(
    ("text", "setting", "light"),
    [
        ("一只狗在大雪里", None, None),
        ("white clouds drift over a meadow", "meadow", None),
        ("a meadow, clouds", "meadow", "overcast"),
    ],
)
def test_what_only_parts_of_words_would_say_is_not_said(marble, text, setting, light):
    facts = read(marble, text).facts
    assert (facts.get("setting"), facts.get("light")) == (setting, light)


@pytest.mark.parametrize(
    ("text", "colors"),
    [
        ("three cones: blue, red and white", ["blue", "red", "white"]),
        ("两只狗，一只黑色，一只白色", ["black", "white"]),
        ("two red cubes", ["red", "red"]),
    ],
)
def test_of_several_each_has_its_own_colour(marble, text, colors):
    facts = read(marble, text).facts
    assert [v for s, v in facts.items() if s.startswith("color")] == colors


@pytest.mark.parametrize(
    ("prompt", "caption", "made"),
    [
        ("a girl", "At noon, a lady walks.", "At noon, a girl walks."),
        ("two boys", "Two gentlemen run.", "Two boys run."),
        ("an automobile", "A big car, and a car.", "A big automobile, and an automobile."),
        ("a woman and a girl", "Two women wave.", None),
        ("小姑娘", "一个女人在走。", "一个姑娘在走。"),
    ],
)
def test_things_keep_their_names(prompt, caption, made):
    language = "zh" if prompt > "z" else "en"
    assert renamed(caption, called(account(prompt).pieces, language), language) == made


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("a woman in a green hat", "color"),
        ("a dog on a trampoline", "setting"),
        ("a robot kneels", "action"),
        ("戴绿帽子的男人", "color"),
    ],
)
def test_nothing_is_put_in_the_place_of_what_is_not_known(marble, text, never):
    for seed in range(3):
        told = rewrite(marble, text, seed=seed)
        assert told.by and told.ignored
        assert not any(slot.startswith(never) for slot in told.added)


@pytest.mark.parametrize(
    "text", ["Pixar style, a red ball", "in the style of Wes Anderson, a red ball", "anime style"]
)
def test_styles_of_others_are_no_style_of_marbles(marble, text):
    said = read(marble, text)
    assert "style" not in said.facts
    assert any("style" in word for word in said.words()["without_effect"])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a policeman next to a red car", "next to"),
        ("a red ball beside a blue cube", "beside"),
        ("a yellow cone near a green ball", "near"),
        ("一个红球在一个蓝色方块旁边", "旁边"),
    ],
)
def test_beside_whom_one_stands_is_told(marble, text, word):
    assert word in read(marble, text).words()["without_effect"]
