"""A caption of a language model is refused where it says something else than the prompt."""

import pytest

from worldreel.prompt.faithful import MORE, fault

GOOD = [
    ("a red ball", "A bright red ball rolls across a meadow at noon, seen from the side."),
    ("two dogs run to the left", "Two brown dogs run from right to left over a snowy field."),
    ("2 dogs", "Two brown dogs stand in a meadow at dusk."),
    ("Anna walks in Paris, no rain", "Anna walks through Paris on a dry evening without any rain."),
    ('a sign that says "OPEN"', 'A wooden sign that says "OPEN" hangs in a quiet street.'),
    ("一个红球在雪地上", "正午时分，一个红色的球在洁白的雪地上向左滚动。"),
    ("un ballon rouge", "Un ballon rouge roule lentement dans un pré, au soleil."),
    ("a dog", "A dog runs to the left, then to the right."),
]
BAD = [
    ("a red ball", "", "empty"),
    ("a red ball", "A ball rolls across a meadow at noon.", "colour 'red' is missing"),
    ("a red ball", "A blue ball rolls past a red barn.", "the ball has another colour"),
    ("two dogs run", "Dogs run across a field of snow.", "number 'two' is missing"),
    ("37 dogs run", "Many dogs run across a field.", "number '37' is missing"),
    ("a dog runs to the left", "A dog runs over the field.", "side 'left' is missing"),
    ("a dog runs left", "A dog runs left, then it turns to the right.", "it says 'right'"),
    ("where Anna walks in Paris", "A woman walks where Anna was.", "the name 'Paris' is missing"),
    (
        "a street, no rain",
        "A street in heavy rain at night.",
        "'rain', which the prompt says no to",
    ),
    ("a dog at night", "A dog on a sunny noon at night.", "it says 'noon'"),
    ("a red ball", "一个红色的球在雪地上滚动。", "another language"),
    ("一个红球", "A red ball rolls.", "another language"),
    ("一个球向左滚", "一个球向右滚，滚向左边。", "it says '右'"),
    ("a castle on a hill above the sea", "I am sorry, but this is not possible.", "something else"),
    ("a castle on a hill above the sea at dawn", "A castle.", "shorter"),
    ("a red ball", "A red ball " + "rolls and " * 200, "characters"),
    ("a red ball", "A red ball\x00 rolls.", "control"),
]


@pytest.mark.parametrize(("prompt", "caption"), GOOD)
def test_what_says_all_of_it_is_taken(prompt, caption):
    assert fault(prompt, caption) is None


@pytest.mark.parametrize(("prompt", "caption", "wrong"), BAD)
def test_what_says_something_else_is_refused(prompt, caption, wrong):
    assert wrong in (fault(prompt, caption) or "")


def test_a_long_prompt_may_have_a_long_caption():
    prompt = "a red ball rolls over the snow, " * 80
    assert fault(prompt, prompt) is None and len(prompt) > MORE
