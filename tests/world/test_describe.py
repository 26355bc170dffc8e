"""Laws of description: captions say only what is true, in the lexicon's words; twins swap sides."""

import json
import re

import numpy as np
import pytest

from worldreel.errors import SceneError
from worldreel.world.act import reflect, stage_scene
from worldreel.world.describe import LABELS, Fact, captions, facts, labels, lexicon
from worldreel.world.scene import OTHER_SIDE
from worldreel.world.words import LANGUAGES, PHRASES


@pytest.fixture(scope="module")
def takes():
    return [stage_scene(seed) for seed in range(200, 260)]


@pytest.fixture(scope="module")
def told(takes):
    """Every take with some captions in both languages."""
    rng = np.random.default_rng(0)
    return [
        (take, caption)
        for take in takes
        for language in LANGUAGES
        for caption in captions(take, rng, count=6, language=language)
    ]


def _phrases(slot: str, value: str, language: str) -> list[str]:
    found = PHRASES[slot][value][language]
    return [p for phrase in found for p in ((phrase,) if isinstance(phrase, str) else phrase)]


def test_facts_round_trip_as_json(takes):
    for take in takes:
        for fact in facts(take):
            assert Fact.from_list(json.loads(json.dumps(fact.to_list()))) == fact
    assert str(Fact("count", ("ball", "red"), 2)) == "count(ball, red) == 2"


def test_captions_state_only_facts(told):
    for take, caption in told:
        assert set(caption.facts) <= set(facts(take))
        assert len(set(caption.facts)) == len(caption.facts)


def test_what_a_caption_states_is_in_its_text(told):
    for _, caption in told:
        text = caption.text.lower()
        for fact in caption.facts:
            if fact.name in ("kind", "color", "size", "material", "setting", "light", "camera"):
                phrases = _phrases(fact.name, fact.value, caption.language)
                assert any(phrase in text for phrase in phrases), (fact, caption.text)


def test_what_is_in_a_text_is_stated(told):
    # A motion's word in the text, and no other motion's, belongs to a stated fact.
    for _, caption in told:
        stated = {fact.value for fact in caption.facts if fact.name in ("action", "manner")}
        text = caption.text.lower()
        for action in PHRASES["action"]:
            words = [w for w in _phrases("action", action, caption.language) if len(w) > 1]
            if any(re.search(rf"\b{w}\b" if w.isascii() else w, text) for w in words):
                assert action in stated, (action, caption.text)


def test_every_caption_names_kind_and_colour_of_everything(told):
    for take, caption in told:
        for index, thing in enumerate(take.scene.things):
            assert Fact("kind", (index,), thing.kind) in caption.facts
            assert Fact("color", (index,), thing.color) in caption.facts


def test_most_captions_name_motion_setting_and_a_moving_camera(told):
    def share(name, among=lambda take: True):
        asked = [c for take, c in told if among(take)]
        return sum(any(f.name == name for f in c.facts) for c in asked) / len(asked)

    assert share("setting") > 0.85
    moving = share("action", lambda take: take.scene.things[0].action != "rests")
    assert moving > 0.85
    assert share("camera", lambda take: take.scene.camera.move != "static") > 0.75
    assert 0.3 < share("size") < 0.9 and 0.3 < share("material") < 0.9


def test_every_word_is_in_the_lexicon(told):
    words = {language: set(entries) for language, entries in lexicon().items()}
    longest = max(map(len, words["zh"]))
    for _, caption in told:
        if caption.language == "en":
            said = re.findall(r"[^\s,.]+", caption.text.lower())
            assert set(said) <= words["en"], caption.text
            continue
        rest = re.sub("[，。]", " ", caption.text)
        while rest := rest.lstrip():
            match = next((n for n in range(longest, 0, -1) if rest[:n] in words["zh"]), 0)
            assert match, (rest, caption.text)
            rest = rest[match:]


def test_the_lexicon_is_sorted_and_lower_case():
    for entries in lexicon().values():
        assert entries == sorted(set(entries))
        assert all(entry == entry.lower().strip() and entry for entry in entries)


def test_the_same_chance_writes_the_same_captions(takes):
    for language in LANGUAGES:
        one, other = (
            captions(takes[0], np.random.default_rng(7), count=5, language=language)
            for _ in range(2)
        )
        assert one == other
        assert len({caption.text for caption in one}) > 1


def test_a_language_that_is_not_spoken_is_an_error(takes):
    with pytest.raises(SceneError, match="language"):
        captions(takes[0], np.random.default_rng(0), language="fr")


def test_a_twins_facts_are_the_facts_with_left_and_right_swapped(takes):
    for take in takes:
        swapped = {
            Fact(fact.name, fact.args, OTHER_SIDE.get(fact.value, fact.value))
            for fact in facts(take)
        }
        assert set(facts(reflect(take))) == swapped


def test_labels_are_the_stated_facts(told):
    for take, caption in told:
        found = labels(caption.facts)
        assert set(found) == set(LABELS)
        assert all(0 <= found[slot] < len(LABELS[slot]) for slot in LABELS)
        scene = take.scene
        value = {slot: LABELS[slot][found[slot]] for slot in LABELS}
        assert value["setting"] in ("unsaid", scene.setting)
        assert value["light"] in ("unsaid", scene.light)
        assert value["camera"] in ("unsaid", scene.camera.move)
        assert value["count"] == str(len(scene.things))
        named = {(value[f"kind{i}"], value[f"color{i}"]) for i in range(len(scene.things))}
        assert named == {(thing.kind, thing.color) for thing in scene.things}
        if value["action0"] not in ("unsaid", "rests"):
            assert value["kind0"] == scene.things[0].kind
            assert value["direction0"] in ("unsaid", scene.things[0].direction)


def test_labels_of_all_facts(takes):
    for take in takes:
        assert labels(take) == labels(facts(take))


def test_a_side_is_seen_from_the_thing_named_first():
    kinds = (Fact("kind", (0,), "ball"), Fact("kind", (1,), "cube"))
    side = Fact("side", (0, 1), "left")
    assert LABELS["side"][labels((*kinds, side))["side"]] == "left"
    turned = labels((*kinds[::-1], side))
    assert LABELS["side"][turned["side"]] == "right"
    assert LABELS["kind0"][turned["kind0"]] == "cube"
