"""The text encoder: words in two languages, padding, unknown and near words."""

import pytest
import torch

from worldreel.models.presets import TINY_TEXT, TextPreset
from worldreel.models.text import Lexicon, TextEncoder

ENGLISH = ("a", "ball", "rolls", "rolling", "red", "wooden table", "table", "wooden")
WORDS = (*ENGLISH, "红色", "球", "滚动")


@pytest.fixture(scope="module")
def lexicon():
    return Lexicon(WORDS)


@pytest.fixture(scope="module")
def encoder(lexicon):
    labels = {name: ("unsaid", "x", "y") for name in ("kind", "color", "setting", "side")}
    net = TextEncoder(TINY_TEXT, lexicon, labels)
    return net.init(torch.Generator().manual_seed(0)).requires_grad_(False)


def test_longest_match_first_in_both_languages(lexicon):
    assert lexicon.read("A red ball, wooden table!").read == ("a", "red", "ball", "wooden table")
    assert lexicon.read("红色球滚动").read == ("红色", "球", "滚动")
    assert lexicon.read("Red 球 rolls").read == ("red", "球", "rolls")


def test_near_words_are_mapped_and_said(lexicon):
    reading = lexicon.read("two balls rolled")
    assert reading.mapped == {"balls": "ball", "rolled": "rolls"}
    assert reading.ignored == ("two",)
    for slip in ("woodenn", "wodden", "woodne"):
        assert lexicon.read(slip).mapped == {slip: "wooden"}
    assert lexicon.read("rollin rollling").mapped == {"rollin": "rolling", "rollling": "rolling"}


def test_another_word_is_not_a_slip():
    known = Lexicon(("weather", "night", "three", "cone", "truck", "speed", "speckled"))
    foreign = "leather knight tree cane struck seed feather sprinkled"
    assert known.read(foreign).ignored == tuple(foreign.split())


def test_no_word_is_dropped_in_silence(lexicon):
    for text in ("a purple dragon on the table", "紫色的龙和红色球", "naïve ball", "x1 ball 42"):
        reading = lexicon.read(text)
        said = "".join((*reading.read, *reading.mapped, *reading.ignored)).replace(" ", "")
        for letter in text.replace(" ", ""):
            assert letter in said, (text, letter, reading)


def test_a_word_that_stands_twice_is_an_error():
    with pytest.raises(ValueError, match="twice"):
        Lexicon(("a", "a"))


def test_padding_changes_nothing(encoder):
    alone = encoder(encoder.tokens(["a red ball"])[0])
    padded = encoder(encoder.tokens(["a red ball", "a red ball rolling a wooden table"])[0])[:1]
    assert alone.shape == (1, 4, 16)
    assert torch.allclose(alone, padded, atol=1e-5)


def test_a_state_is_the_code_of_what_was_read(encoder):
    values = torch.tensor([[1, 0, 2, 1]])
    exact = encoder.stated(values)
    assert torch.allclose(exact.square().mean(-1), torch.ones(1, 4), atol=1e-4)
    sure = [60.0 * torch.nn.functional.one_hot(v, 3).float()[None] for v in values[0]]
    assert torch.allclose(encoder.states(sure), exact, atol=1e-5)
    assert encoder.facts(sure) == {"kind": "x", "setting": "y", "side": "x"}
    assert not torch.allclose(exact[0, 0], encoder.stated(torch.tensor([[2, 0, 2, 1]]))[0, 0])


def test_codes_follow_from_names_alone(lexicon):
    few = {"color0": ("unsaid", "red"), "color1": ("unsaid", "red")}
    more = {"kind": ("unsaid", "dog"), "color0": ("unsaid", "blue", "red"), "color1": ("red",)}
    one, other = (
        TextEncoder(TextPreset(slots=len(labels), dim=32, heads=2, layers=1, out_dim=64), lexicon,
                    labels).init(torch.Generator().manual_seed(i))
        for i, labels in enumerate((few, more))
    )  # fmt: skip
    assert torch.equal(one.codes[1], other.codes[4]) and torch.equal(one.codes[3], other.codes[5])
    shared = torch.nn.functional.cosine_similarity(one.codes[1], one.codes[3], dim=0)
    assert 0.2 < shared < 0.8  # the same value in another slot


def test_the_order_of_words_counts(encoder):
    a, b = (encoder(encoder.tokens([t])[0]) for t in ("red ball table", "table ball red"))
    assert not torch.allclose(a, b, atol=1e-3)


def test_an_empty_or_unknown_prompt_has_states(encoder):
    empty = encoder(encoder.tokens(["zzz"])[0])
    assert empty.isfinite().all()
    assert encoder.tokens([""])[0].shape == (1, 1)
