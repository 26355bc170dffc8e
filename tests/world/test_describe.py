"""Laws of description: captions say only what is true, in the lexicon's words; twins swap sides."""

import json
import re

import numpy as np
import pytest

from worldreel.errors import SceneError
from worldreel.models.text import Lexicon
from worldreel.world.act import reflect, stage_scene
from worldreel.world.describe import Fact, captions, captions_of, facts, lexicon, storyboard
from worldreel.world.scene import (
    ACTIONS,
    ACTORS,
    CAMERAS,
    COLORS,
    EVENTS,
    KINDS,
    LIGHTS,
    MATERIALS,
    OTHER_SIDE,
    SETTINGS,
    SIZES,
    STYLES,
    WEATHERS,
)
from worldreel.world.words import LANGUAGES, PHRASES, phrases


@pytest.fixture(scope="module")
def told(drawn):
    """Every list of facts with some captions in both languages."""
    return [
        (known, caption)
        for number, known in enumerate(drawn)
        for language in LANGUAGES
        for caption in captions_of(known, np.random.default_rng(number), count=4, language=language)
    ]


@pytest.fixture(scope="module")
def takes():
    return [stage_scene(seed) for seed in range(200, 212)]


def _written(slots: str, value: str, language: str) -> list[str]:
    """All phrases for a value in some tables, as they are written."""
    forms = [
        form
        for slot in slots.split("|")
        for row in PHRASES[slot]
        if row.value == value
        for phrase in row.phrases(language)
        for form in phrase
    ]
    return [form.rstrip("!").replace(" ", "") if language == "zh" else form for form in forms]


def _value(known, name, *args):
    return next((fact.value for fact in known if fact.name == name and fact.args == args), None)


@pytest.mark.parametrize(
    "slot, values",
    {
        "color": tuple(COLORS), "size": SIZES, "measured": SIZES, "material": MATERIALS,
        "made": MATERIALS, "setting": SETTINGS, "light": LIGHTS, "hour": LIGHTS,
        "weather": WEATHERS, "air": WEATHERS, "forecast": WEATHERS, "style": STYLES,
        "medium": STYLES, "camera": CAMERAS, "event": EVENTS, "number": ("1", "2", "3", "4"),
        "action": tuple(a for a in ACTIONS if a not in ("hits", "topples", "stacks")),
        "direction": ("left", "right", "toward", "away"), "side": ("left", "right"),
    }.items(),
)  # fmt: skip
def test_every_value_of_the_world_has_words(slot, values):
    assert {row.value for row in PHRASES[slot]} - {""} == set(values)
    for value in values:
        for language in LANGUAGES:
            assert phrases(slot, value, language), (slot, value, language)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_counted(kind):
    assert phrases("measure", kind, "zh")
    assert phrases("kind", kind, "zh")
    one, several = zip(*phrases("kind", kind, "en") or phrases("heap", kind, "en"), strict=True)
    assert all(o != s or kind == "fish" for o, s in zip(one, several, strict=True))


def test_facts_round_trip_as_json(takes):
    for take in takes:
        for fact in facts(take):
            assert Fact.from_list(json.loads(json.dumps(fact.to_list()))) == fact
    assert str(Fact("count", ("ball", "red"), 2)) == "count(ball, red) == 2"


def test_captions_of_a_take_are_those_of_its_facts(takes):
    for take in takes:
        for language in LANGUAGES:
            one = captions(take, np.random.default_rng(3), count=3, language=language)
            rng = np.random.default_rng(3)
            assert one == captions_of(facts(take), rng, count=3, language=language)


def test_captions_state_only_facts(told):
    for known, caption in told:
        assert set(caption.facts) <= set(known), caption.text
        assert len(set(caption.facts)) == len(caption.facts)


def test_what_a_caption_states_is_in_its_text(told):
    tables = {
        "kind": "kind|pieces", "color": "color", "size": "size|measured",
        "material": "material|made", "setting": "setting|at|along|spot", "light": "when|hour",
        "weather": "weather|air|forecast", "style": "style|medium", "event": "event",
        "direction": "direction|nearing|goal",
        "action": "action|stays|sits|lands|collision|hit|landing|toppling|fells",
        "side": "side|flank",
    }  # fmt: skip
    for _, caption in told:
        text = caption.text.lower()
        for fact in caption.facts:
            if fact.name in tables:
                words = _written(tables[fact.name], fact.value, caption.language)
                words = [word.lower() for word in words]
                if fact.name == "action" and fact.value in ("hits", "topples"):
                    words += _written("overturning", "overturns", caption.language)
                if fact.name == "side":  # seen from the other
                    words += _written("side|flank", OTHER_SIDE[fact.value], caption.language)
                assert any(word in text for word in words), (fact, caption.text)


def test_what_is_in_a_text_is_stated(told):
    # The word for an event or a colour in the text belongs to a stated fact.
    for _, caption in told:
        text = caption.text.lower()
        for slot in ("event", "color"):
            stated = {fact.value for fact in caption.facts if fact.name == slot}
            said = {word for value in stated for word in _written(slot, value, caption.language)}
            for row in PHRASES[slot]:
                for word in _written(slot, row.value, caption.language):
                    alone = rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word)
                    if len(word) > 1 and not any(word in other for other in said):
                        where = re.search(alone, _without_styles(text))
                        assert not where or row.value in stated, (word, caption.text)


def _without_styles(text: str) -> str:
    """Black and white is a style, and orange a colour only."""
    return re.sub(r"black[ -](and|&)[ -]white|黑白", "", text)


def test_every_caption_names_every_thing_and_most_their_colours(told):
    shown = []
    for known, caption in told:
        for fact in known:
            if fact.name == "kind":
                assert fact in caption.facts, caption.text
            if fact.name == "color":
                shown.append(fact in caption.facts)
    assert 0.9 < np.mean(shown) < 1.0


def test_no_colour_is_said_where_none_is_seen(told):
    colourless = [c for known, c in told if _value(known, "style") == "black and white"]
    assert colourless
    for caption in colourless:
        assert not any(fact.name == "color" for fact in caption.facts)


def test_most_captions_say_what_happens_where_and_how_it_is_filmed(told):
    def share(name, among=lambda known: True):
        asked = [caption for known, caption in told if among(known)]
        return np.mean([any(fact.name == name for fact in c.facts) for c in asked])

    assert share("setting") > 0.85
    assert share("action", lambda known: _value(known, "action", 0) in ("rolls", "walks")) > 0.8
    assert share("event", lambda known: _value(known, "event", 0)) > 0.5
    assert share("style", lambda known: _value(known, "style") != "render") > 0.7
    assert share("style", lambda known: _value(known, "style") == "render") < 0.3
    assert share("weather", lambda known: _value(known, "weather") != "clear") > 0.7
    assert share("weather", lambda known: _value(known, "weather") == "clear") < 0.2
    assert share("camera", lambda known: _value(known, "camera") != "static") > 0.75
    assert 0.3 < share("size") < 0.95


def test_captions_are_of_all_lengths(told):
    for language in LANGUAGES:
        texts = [caption.text for _, caption in told if caption.language == language]
        stop = {"en": ".", "zh": "。"}[language]
        sentences = [text.count(stop) for text in texts]
        assert min(map(len, texts)) < 30 and max(map(len, texts)) > {"en": 120, "zh": 90}[language]
        for number in (0, 1, 3):  # tags and half sentences, sentences, paragraphs
            assert sentences.count(number) > 0.05 * len(texts)
        assert len(set(texts)) > 0.95 * len(texts)


def test_english_articles_and_verbs_agree(told):
    for _, caption in told:
        if caption.language == "en":
            text = caption.text.lower()
            assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", text), caption.text
            assert not re.search(r"\b(two|three|four) (\S+ ){0,4}?is\b", text.split(",")[0]), text
            assert "  " not in text and " ," not in text and " ." not in text


@pytest.mark.parametrize(
    "kind, color, n, text",
    [
        ("woman", "red", 1, r"一[个位名].*红.*[女姑]"),
        ("mammoth", "brown", 1, r"一头.*(长毛)?猛犸象?"), ("dragon", "green", 2, r"两条.*龙"),
        ("train", "black", 1, r"一列.*[火列]车"), ("ship", "white", 3, r"三艘.*船"),
        ("fish", "yellow", 4, r"四条.*鱼儿?"), ("ball", "red", 3, r"三个.*球体?"),
        ("blocks", "blue", 1, r"一[摞叠堆].*积木"), ("dominoes", "pink", 2, r"两[排列串].*[牌诺]"),
    ],
)  # fmt: skip
def test_chinese_counts_with_the_right_measure_word(kind, color, n, text):
    known = [Fact("count", (kind, color), n)]
    for index in range(n):
        known += [Fact("kind", (index,), kind), Fact("color", (index,), color)]
        known.append(Fact("size", (index,), "large"))
    rng = np.random.default_rng(0)
    told = captions_of(known, rng, count=60, language="zh")
    said = [caption.text for caption in told if Fact("color", (0,), color) in caption.facts]
    counted = [line for line in said if re.match(r".*[一两三四][位名头条列艘个摞叠堆排串]", line)]
    assert len(counted) > 10
    assert all(re.search(text, line) for line in counted), counted


def test_a_coloured_person_wears_the_colour():
    for kind, garment in (("woman", "dress|gown"), ("man", "coat|jacket")):
        known = [Fact("kind", (0,), kind), Fact("color", (0,), "orange")]
        for caption in captions_of(known, np.random.default_rng(1), count=40):
            if known[1] in caption.facts:
                worn = rf"(in|wearing|with|,) (an? )?(orange|tangerine)( (over)?({garment})s?)?\b"
                assert re.search(worn, caption.text), caption.text


def test_every_word_is_in_the_lexicon(told):
    words = {language: set(entries) for language, entries in lexicon().items()}
    longest = max(map(len, words["zh"]))
    for _, caption in told:
        if caption.language == "en":
            said = re.findall(r"[^\s,.:]+", caption.text.lower())
            assert set(said) <= words["en"], caption.text
            continue
        rest = re.sub("[，。、：]", " ", caption.text)
        while rest := rest.lstrip():
            match = next((n for n in range(longest, 0, -1) if rest[:n] in words["zh"]), 0)
            assert match, (rest, caption.text)
            rest = rest[match:]


def test_the_text_encoder_reads_every_word(told):
    words = Lexicon(sorted({word for entries in lexicon().values() for word in entries}))
    for _, caption in told:
        reading = words.read(caption.text)
        assert not reading.ignored and not reading.mapped, caption.text


def test_the_lexicon_is_sorted_and_lower_case():
    for entries in lexicon().values():
        assert entries == sorted(set(entries))
        assert all(entry == entry.lower().strip("?! ") and entry for entry in entries)


def test_the_same_chance_writes_the_same_captions(drawn):
    for language in LANGUAGES:
        one, other = (
            captions_of(drawn[0], np.random.default_rng(7), count=5, language=language)
            for _ in range(2)
        )
        assert one == other
        assert len({caption.text for caption in one}) > 1


def test_what_cannot_be_told_is_an_error(drawn):
    rng = np.random.default_rng(0)
    with pytest.raises(SceneError, match="language"):
        captions_of(drawn[0], rng, language="fr")
    for number in (0, 5):
        with pytest.raises(SceneError, match=f"{number} things"):
            captions_of([Fact("kind", (index,), "ball") for index in range(number)], rng)
    with pytest.raises(SceneError, match="spans"):
        storyboard([drawn[0]], [], rng)


def test_a_twin_is_told_in_the_same_words_with_the_sides_swapped(drawn, swapped):
    swap = {"left": "right", "right": "left", "左": "右", "右": "左"}
    for number, known in enumerate(drawn):
        for language in LANGUAGES:
            one, twin = (
                captions_of(f, np.random.default_rng(number), count=2, language=language)
                for f in (known, swapped(known))
            )
            for here, there in zip(one, twin, strict=True):
                sides = re.sub("left|right(?!ly)|[左右]", lambda m: swap[m[0]], here.text)
                bright = sides.replace("bleft", "bright")  # bright daylight has no side
                assert bright == there.text
                assert set(there.facts) == set(swapped(here.facts))


def test_a_twins_facts_are_the_facts_with_left_and_right_swapped(takes, swapped):
    for take in takes:
        assert set(facts(reflect(take))) == set(swapped(facts(take)))


def test_a_storyboard_tells_shot_after_shot(drawn):
    for language in LANGUAGES:
        rng = np.random.default_rng(2)
        for number in range(20):
            shots = drawn[3 * number : 3 * number + 1 + number % 3]
            spans = [(1.5 * n, 1.5 * n + 1.5) for n in range(len(shots))]
            told = storyboard(shots, spans, rng, language)
            assert [span for _, span in told.parts] == spans
            at = 0
            for (caption, _), known in zip(told.parts, shots, strict=True):
                assert set(caption.facts) <= set(known) and caption.language == language
                assert caption.text[-1] in ".。"
                at = told.text.index(caption.text[1:], at)  # its first letter may be small
            if len(shots) == 1:
                assert told.text == told.parts[0][0].text


def test_all_actors_are_known_to_the_tests(drawn):
    kinds = {fact.value for known in drawn for fact in known if fact.name == "kind"}
    assert kinds == set(KINDS) and set(ACTORS) < kinds
