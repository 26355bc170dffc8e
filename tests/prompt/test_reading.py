"""Prompts: every word is read, mapped or ignored, and a person is told which."""

import json

import pytest
import torch

from worldreel import prompt
from worldreel.models.presets import TINY_TEXT, TextPreset
from worldreel.models.text import Lexicon, TextEncoder

pytestmark = pytest.mark.usefixtures("one_thread")

WORDS = ("a", "red", "ball", "rolls", "snowfield", "红色", "球", "雪地", "滚")
LABELS = {name: ("unsaid", "x", "y") for name in ("kind", "color", "setting", "side")}


def encoder(preset: TextPreset = TINY_TEXT) -> TextEncoder:
    net = TextEncoder(preset, Lexicon(WORDS), LABELS)
    return net.init(torch.Generator().manual_seed(0)).requires_grad_(False)


@pytest.fixture(scope="module")
def tiny():
    return encoder()


def test_a_prompt_is_states_and_what_became_of_its_words(tiny):
    said = prompt.read(tiny, "A red ball rolled to Mars")
    assert said.states.shape == (1, 4, 16) and said.states.isfinite().all()
    words = said.words()
    assert words["read"] == ["a", "red", "ball", "rolls"]
    assert words["mapped"] == {"rolled": "rolls"}
    assert words["ignored"] == ["to", "mars"]
    assert set(words["understood"]) <= set(LABELS)
    assert not said.notes("marble")
    json.dumps(words)


def test_chinese_is_read(tiny):
    said = prompt.read(tiny, "红色的球在雪地上滚。")
    assert said.words()["read"] == ["红色", "球", "雪地", "滚"]
    assert said.words()["ignored"] == ["的", "在", "上"]
    assert not said.notes("marble")


@pytest.mark.parametrize("text", ["zzz qqq", "龙飞", "42 !", "🎈", "...", "\x00"])
def test_a_prompt_of_unknown_words_is_noted(tiny, text):
    said = prompt.read(tiny, text)
    assert said.states.isfinite().all() and said.states.shape == (1, 4, 16)
    assert said.words()["read"] == [] and said.words()["understood"] == {}
    (note,) = said.notes("marble")
    assert note == "marble knows no word of this prompt: the video shows whatever it likes"
    (note,) = said.notes("marble", negative=True)
    assert note == "marble knows no word of this negative prompt: it changes nothing"


def test_unknown_words_of_a_negative_prompt_are_noted(tiny):
    said = prompt.read(tiny, "ball dragon and tower")
    (note,) = said.notes("marble", negative=True)
    assert note == "of the negative prompt, marble does not know 'dragon', 'and', 'tower'"


def test_a_prompt_beyond_the_window_is_cut_and_noted():
    narrow = encoder(TextPreset(slots=4, dim=32, heads=2, layers=1, out_dim=16, max_words=3))
    said = prompt.read(narrow, "a red ball rolls, a red snowfields")
    assert said.reading.read == ("a", "red", "ball") and len(said.reading.ids) == 3
    assert said.reading.ignored == ("rolls", "snowfield") and said.reading.mapped == {}
    assert said.notes("marble") == ["the prompt is long: its last 4 words were not read"]
    short = prompt.read(narrow, "a red ball")
    assert torch.equal(short.states, said.states) and not short.notes("marble")


def test_the_same_prompt_gives_the_same_states(tiny):
    one, other = (prompt.read(tiny, text).states for text in ("a red ball", "A  RED, ball!"))
    assert torch.equal(one, other)
    assert not torch.equal(one, prompt.read(tiny, "a ball").states)


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("a red ball, no snow", "no snow"),
        ("雪地，没有球", "没有球"),
        ("zero balls on a table", "zero balls"),
        ("cubes, except a ball", "except a ball"),
        ("everything but a dog on the beach", "everything but a dog"),
        ("the ball never stops rolling", "never stops"),
        ("without anything but a ball", "without anything but"),
        ("除了球，草地", "除了球"),
        ("桌上一个球都没有", "一个球都没有"),
    ],
)
def test_what_is_said_with_a_no_is_left_out_and_told(marble, text, phrase):
    said = prompt.read(marble, text)
    assert said.words()["left_out"] == [phrase]
    (note,) = prompt.heard(said.words(), "marble")
    assert note.startswith(f"marble cannot be told what not to show: {phrase!r} was left out")
    assert not {"snow", "snowfield"} & {*said.facts.values()} or "雪" in text
    assert not prompt.read(marble, "a ball does not move, in the snowfield").negated


@pytest.mark.parametrize(
    "text", ["not only a ball but also a dog", "除了球还有一只狗", "一个球，此外没有猫，有一只狗"]
)
def test_what_is_said_besides_is_there(marble, text):
    facts = prompt.read(marble, text).facts
    assert {facts["kind0"], facts["kind1"]} == {"ball", "dog"}


def test_who_never_stops_does_not_rest(marble):
    for seed in range(4):
        told = prompt.rewrite(marble, "the dog never stops", seed=seed)
        assert told.added.get("action0") not in ("rests", "stands")


def test_signs_of_numbers_are_told(marble):
    assert "50%" in prompt.read(marble, "a ball, 50% off").words()["ignored"]
