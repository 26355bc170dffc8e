"""Near words are known words of the world, and what is said with a no is left out."""

import pytest

from worldreel.prompt.account import account, negations
from worldreel.prompt.near import near
from worldreel.prompt.pieces import NEGATED
from worldreel.prompt.said import stateable
from worldreel.world.parse import parse_words
from worldreel.world.words import LANGUAGES, lexicon


@pytest.mark.parametrize("language", LANGUAGES)
def test_near_words_are_new_and_stand_for_words_that_are_read(language):
    known = set(lexicon()[language])
    for word, meant in near(language).items():
        if word != "golden":  # of golden hour, which says no colour
            assert word not in known, word
        for one in meant.split("|"):
            read = parse_words(one)
            assert not read.unknown, (word, one)


@pytest.mark.parametrize(
    ("typed", "text", "mapped"),
    [
        (
            "two trucks on a highway",
            "two cars on a street",
            {"trucks": "cars", "highway": "street"},
        ),
        (
            "An Elephant at dawn",
            "An mammoth at sunset",
            {"elephant": "mammoth", "at dawn": "at sunset"},
        ),
        ("a golden ball", "a yellow ball", {"golden": "yellow"}),
        ("a ball at golden hour", "a ball at golden hour", {}),
        ("24 dogs and 3 cars", "four dogs and 3 cars", {"24": "four"}),
        ("a lot of wolves", "four dogs", {"a lot of": "four", "wolves": "dogs"}),
        ("5只狼", "四只狗", {"5": "四", "狼": "狗"}),
        ("一个机器人和一个女人", "一个机器人和一个女人", {}),
        ("很多足球", "四个球", {"很多": "四个", "足球": "球"}),
    ],
)
def test_near_words_are_taken_for_known_ones(typed, text, mapped):
    found = account(typed)
    assert (found.text, found.mapped, found.of(NEGATED)) == (text, mapped, ())


def test_who_may_be_either_is_chosen_by_a_number():
    assert account("a person walks", pick=0).text == "a woman walks"
    assert account("a person walks", pick=3).text == "a man walks"
    assert account("两个人", pick=1).text == "两个男人"


@pytest.mark.parametrize(
    ("typed", "said", "no"),
    [
        ("a dog, no rain", ("no rain",), {("weather", "rain")}),
        (
            "no rain and no snow, a dog",
            ("no rain", "no snow"),
            {("weather", "rain"), ("weather", "snow")},
        ),
        ("a ball that is not red but blue", ("not red",), {("color", "red")}),
        ("a woman without a dog in the street", ("without a dog",), {("kind", "dog")}),
        ("没有雨的夜晚，一只狗", ("没有雨的",), {("weather", "rain")}),
        ("a ball does not move", (), set()),
        ("the camera does not move", (), set()),
        ("无光泽的球静止不动，镜头不动", (), set()),
        ("a northern nomad", (), set()),
    ],
)
def test_what_is_negated_is_cut_and_known(typed, said, no):
    language = "zh" if any("一" <= c <= "鿿" for c in typed) else "en"
    found = account(typed)
    assert found.of(NEGATED) == negations(typed, language) == said
    assert {meant for piece in said for meant in stateable(piece, language)} == no
    assert not any(piece in found.text for piece in said)


@pytest.mark.parametrize(
    ("typed", "text", "mapped"),
    [
        ("a yelow bal", "a yellow ball", {"yelow": "yellow", "bal": "ball"}),
        ("the medow", "the meadow", {"medow": "meadow"}),
        ("it rols lft", "it rolls left", {"rols": "rolls", "lft": "left"}),
        ("the savannah", "the meadow", {"savannah": "meadow"}),
        ("一个red ball", "一个红色 球", {"red": "红色", "ball": "球"}),
        ("a 红色的 ball rolls to the left", "a 红色的 球 滚动 向左", None),
        ("two dogs在the beach上", "两 狗在the 海滩上", None),
    ],
)
def test_slips_and_english_among_chinese_are_read(typed, text, mapped):
    found = account(typed)
    assert found.text == text
    assert mapped is None or found.mapped == mapped


def test_words_like_slips_are_none():
    assert not account("mate, the sides of a ref, mourning, sands and a track").mapped


@pytest.mark.parametrize(
    ("text", "kept"), [("一个红球弹了三下", "红球"), ("红球🔴向右滚🚗", "红球滚"), ("红球鞋", "")]
)
def test_strange_characters_take_no_known_word_with_them(text, kept):
    read = [piece.typed for piece in account(text).pieces if piece.fate == "read"]
    assert "".join(word for word in read if word in "红球滚") == kept
