"""Laws of parsing: a caption gives back the facts that it states, and people are understood."""

import os

import numpy as np
import pytest

from worldreel.errors import SceneError
from worldreel.world.describe import captions_of, lexicon, storyboard
from worldreel.world.facts import Fact
from worldreel.world.labels import labels
from worldreel.world.parse import language_of, parse, parse_shots, parse_words
from worldreel.world.scene import OTHER_SIDE
from worldreel.world.words import LANGUAGES, PHRASES

# PARSE_CAPTIONS=5000 pytest tests/world/test_parse.py -k every_caption -s: the figure at length.
COUNT = int(os.environ.get("PARSE_CAPTIONS", "150"))


def renumbered(facts):
    """Facts with things numbered in the order of their names, and a side seen from the first."""
    order = [fact.args[0] for fact in facts if fact.name == "kind"]
    found = set()
    for fact in facts:
        args = tuple(order.index(a) if isinstance(a, int) else a for a in fact.args)
        value = fact.value
        if fact.name == "side" and args[0] > args[1]:
            args, value = args[::-1], OTHER_SIDE[value]
        found.add(Fact(fact.name, args, value))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_caption_gives_back_its_facts(language, draw):
    wrong = []
    for seed in range(COUNT):
        rng = np.random.default_rng([17, seed])
        (caption,) = captions_of(draw(rng), rng, count=1, language=language)
        read = parse_words(caption.text)
        right = set(read.facts) == renumbered(caption.facts) and not (read.unknown or read.unread)
        wrong += [] if right else [caption.text]
    print(f"\n{language}: {COUNT - len(wrong)} of {COUNT} captions", *wrong[:5], sep="\n")
    assert len(wrong) <= 0.01 * COUNT, wrong[:5]


def test_a_caption_and_its_facts_have_the_same_labels(drawn):
    for number, known in enumerate(drawn[:40]):
        for language in LANGUAGES:
            rng = np.random.default_rng(number)
            (caption,) = captions_of(known, rng, count=1, language=language)
            assert labels(parse(caption.text)) == labels(caption.facts), caption.text


def test_the_shots_of_a_storyboard_are_read_apart(drawn):
    spoken = []
    for language in LANGUAGES:
        rng = np.random.default_rng(3)
        for start in range(0, 60, 3):
            spans = [(0.0, 1.5), (1.5, 4.0), (4.0, 5.25)]
            told = storyboard(drawn[start : start + 3], spans, rng, language)
            read = parse_shots(told.text)
            assert len(read) == 3, told.text
            for (shot, span), (caption, asked) in zip(read, told.parts, strict=True):
                assert set(shot.facts) == renumbered(caption.facts), told.text
                assert span in (None, asked)
                spoken.append(span is not None)
    assert any(spoken) and not all(spoken)


def test_a_text_of_one_shot_is_one():
    ((shot, span),) = parse_shots("a red ball rolls left. The camera pans right.")
    assert span is None and Fact("camera", (), "pan_right") in shot.facts


def facts_of(*stated):
    return {Fact(name, tuple(args), value) for name, *args, value in stated}


@pytest.mark.parametrize(
    "text, stated",
    [
        ("Red ball", [("kind", 0, "ball"), ("color", 0, "red"), ("count", "ball", "red", 1)]),
        ("一个红球", [("kind", 0, "ball"), ("color", 0, "red"), ("count", "ball", "red", 1)]),
        ("a dragon", [("kind", 0, "dragon")]),
        (
            "THREE dogs run to the left in the snow",
            [
                ("setting", "snowfield"), ("count", "dog", 3),
                *[("kind", i, "dog") for i in range(3)],
                *[("action", i, "runs") for i in range(3)],
                *[("direction", i, "left") for i in range(3)],
            ],
        ),
        ("2 fish swim", [
            ("kind", 0, "fish"), ("kind", 1, "fish"), ("count", "fish", 2),
            ("action", 0, "swims"), ("action", 1, "swims"),
        ]),
        ("a woman in red walks away from the camera , then waves , camera follows her", [
            ("kind", 0, "woman"), ("color", 0, "red"), ("count", "woman", "red", 1),
            ("action", 0, "walks"), ("direction", 0, "away"), ("event", 0, "waves"),
            ("camera", "follow"),
        ]),
        ("A car drives. It stops.", [
            ("kind", 0, "car"), ("action", 0, "drives"), ("event", 0, "stops"),
        ]),
        ("a ball hits a stack of blocks and then the stack topples", [
            ("kind", 0, "ball"), ("kind", 1, "blocks"), ("action", 0, "hits"), ("hits", 0, 1, True),
            ("action", 1, "topples"), ("topples", 1, True), ("before", "hits", "topples", True),
        ]),
        ("a cube lands on top of a ball", [
            ("kind", 0, "cube"), ("kind", 1, "ball"), ("action", 0, "stacks"), ("onto", 0, 1, True),
        ]),
        ("the ball is to the right of the cube", [
            ("kind", 0, "ball"), ("kind", 1, "cube"), ("side", 0, 1, "right"),
        ]),
        ("watercolour, night, ship on a rolling sea", [
            ("style", "watercolour"), ("light", "night"), ("setting", "sandy coast"),
            ("kind", 0, "ship"),
        ]),
        ("一条龙飞过沙漠，镜头跟随它", [
            ("kind", 0, "dragon"), ("action", 0, "flies"), ("setting", "desert"),
            ("camera", "follow"),
        ]),
        ("两只黑狗从右往左跑，其中一只球", None),
        ("一个红球撞倒了一排骨牌", [
            ("kind", 0, "ball"), ("color", 0, "red"), ("count", "ball", "red", 1),
            ("kind", 1, "dominoes"), ("action", 0, "hits"), ("hits", 0, 1, True),
            ("action", 1, "topples"), ("topples", 1, True),
        ]),
        ("夜晚的街道上，下着雨，一辆汽车向右开，然后停下来", [
            ("light", "night"), ("setting", "wet street"), ("weather", "rain"),
            ("kind", 0, "car"), ("action", 0, "drives"), ("direction", 0, "right"),
            ("event", 0, "stops"),
        ]),
    ],
)  # fmt: skip
def test_what_a_person_types_is_understood(text, stated):
    if stated is None:
        assert Fact("kind", (0,), "dog") in parse(text)
    else:
        assert set(parse(text)) == facts_of(*stated)


def test_words_that_the_world_does_not_have_are_told_and_passed_over():
    read = parse_words("a beautiful red ball quickly rolls left on a trampoline")
    assert set(read.unknown) == {"beautiful", "quickly", "trampoline"}
    known = parse("a red ball rolls left")
    assert set(read.facts) == set(known)
    read = parse_words("一只可爱的棕色的狗在雪地上奔跑")
    assert set("".join((*read.unknown, *read.unread))) == set("可爱")
    assert set(read.facts) == set(parse("一只棕色的狗在雪地上奔跑"))


def test_known_words_that_say_nothing_are_told():
    read = parse_words("over a red ball")
    assert "over" in read.unread and not read.unknown
    assert parse("") == ()
    assert parse_words("hello").facts == ()


@pytest.mark.parametrize("slot", ["setting", "when", "weather", "air", "style", "camera"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_is_understood_alone(slot, language):
    names = {"when": "light", "air": "weather"}
    for row in PHRASES[slot]:
        for forms in row.heard(language):
            text = forms[0].replace(" ", "") if language == "zh" else forms[0]
            assert parse(text) == (Fact(names.get(slot, slot), (), row.value),), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_any_words_in_any_order_are_read_and_can_be_told_again(language):
    words, told = lexicon()[language], 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        picked = [words[i] for i in rng.integers(len(words), size=int(rng.integers(1, 20)))]
        read = parse({"en": " ", "zh": ""}[language].join(picked))
        if 1 <= sum(fact.name == "kind" for fact in read) <= 4:
            (caption,) = captions_of(read, rng, count=1, language=language)
            assert set(caption.facts) <= set(read), (picked, caption.text)
            told += 1
    assert told > 10


def test_a_long_text_is_read_or_refused_in_one_line():
    assert len(parse("a red ball " + "and a blue cube " * 310)) == 624
    assert len(parse("a " + "red " * 40 + "ball")) == 3
    for language, text in (("en", "a " + "red " * 1250 + "ball"), ("zh", "红色的" * 1250 + "球")):
        with pytest.raises(SceneError, match="words has parts too deep within each other"):
            parse(text, language)


def test_the_language_is_told_from_the_characters():
    assert language_of("a red ball") == "en" and language_of("一个 red 球") == "zh"
    with pytest.raises(SceneError, match="language"):
        parse("une balle", "fr")
