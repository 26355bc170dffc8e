"""A prompt becomes a caption that says all of it, and more; or stays as it was, with the reason."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from worldreel.errors import RequestError
from worldreel.models.presets import TINY_TEXT
from worldreel.models.text import Lexicon, TextEncoder
from worldreel.prompt import Chat, hear, rewrite, rewriter
from worldreel.prompt.draft import Draft, fill
from worldreel.prompt.rewriting import lost
from worldreel.prompt.said import encoded, said, slots
from worldreel.world.describe import captions_of
from worldreel.world.facts import Fact
from worldreel.world.parse import language_of, parse
from worldreel.world.place import PLACES
from worldreel.world.scene import KINDS
from worldreel.world.stories import STORIES

pytestmark = pytest.mark.usefixtures("one_thread")

PROMPTS = json.loads((Path(__file__).parents[1] / "world/prompts.json").read_text("utf-8"))


def holds(before: dict, after: dict) -> bool:
    return all(after.get(slot) == value for slot, value in before.items())


def kept(encoder, prompt: str, text: str) -> bool:
    """Whether both readers still read what they read, where they did not differ on it."""
    language = language_of(prompt)
    read = {slot: v for slot, v in encoded(encoder, prompt).items() if "count" not in slot}
    parsed = slots(parse(prompt, language))
    agreed = {slot: v for slot, v in read.items() if parsed.get(slot) == v}
    return holds(agreed, encoded(encoder, text)) and holds(agreed, slots(parse(text, language)))


# Laws.


def test_what_people_type_is_still_read_in_what_it_becomes(marble):
    """Every tenth prompt."""
    left = []
    for prompt in PROMPTS[::10]:
        told = rewrite(marble, prompt["text"], seed=5)
        assert language_of(told.text) == prompt["language"]
        assert kept(marble, prompt["text"], told.text), (prompt["text"], told.text)
        left += [] if told.by else [prompt["text"]]
    assert len(left) <= 1, left


@pytest.mark.parametrize("language", ["en", "zh"])
def test_captions_cut_to_a_few_facts_are_still_read_in_what_they_become(marble, language):
    for seed in range(8):
        rng = np.random.default_rng([3, seed])
        number = int(rng.integers(1, 3))
        scene = Draft(things=[{"kind": KINDS[i]} for i in rng.choice(len(KINDS), number)])
        whole = fill(scene, rng, ()).facts()
        some = [f for f in whole if f.name == "kind" or rng.random() < 0.4]
        (caption,) = captions_of(some, rng, count=1, language=language)
        told = rewrite(marble, caption.text, seed=seed)
        assert told.by and kept(marble, caption.text, told.text), (caption.text, told.text)
        assert holds(slots(caption.facts), slots(parse(told.text))), (caption.text, told.text)


def test_what_is_added_goes_together():
    for seed in range(300):
        rng = np.random.default_rng(seed)
        made = fill(Draft(things=[{} for _ in range(1 + seed % 3)]), rng, ())
        place = PLACES[made.scene["setting"]]
        assert made.scene["light"] in place.lights
        for thing in made.things:
            assert thing["kind"] in place.kinds and "color" in thing
            does = {m for story in STORIES.values() for m in story.manners.get(thing["kind"], ())}
            assert thing["action"] in does


def test_what_is_said_is_never_changed_and_what_is_denied_never_added():
    for seed in range(100):
        rng = np.random.default_rng(seed)
        given = Draft(scene={"setting": "desert"}, things=[{"kind": "fish", "color": "brown"}])
        made = fill(given, rng, {("light", "night"), ("action", ""), ("direction", "")})
        assert made.scene["setting"] == "desert" and made.scene["light"] != "night"
        (fish,) = made.things
        assert fish == {"kind": "fish", "color": "brown"}
        assert given.things == [{"kind": "fish", "color": "brown"}]


def test_facts_come_back_from_a_draft():
    for prompt in PROMPTS:
        facts = tuple(Fact.from_list(fact) for fact in prompt["facts"])
        if sum(f.name == "kind" for f in facts) <= 4:
            assert slots(Draft.of(facts).facts()) == slots(facts), prompt["text"]


# What people type.


@pytest.mark.parametrize(
    ("prompt", "facts", "notes"),
    [
        ("a red ball on snow", {"kind0": "ball", "color0": "red", "setting": "snowfield"}, ()),
        ("一个红球", {"kind0": "ball", "color0": "red", "count": "1"}, ()),
        ("dog", {"kind0": "dog", "count": "1"}, ()),
        ("three dogs", {"kind0": "dog", "kind2": "dog", "count": "3"}, ()),
        ("two women in red", {"kind0": "woman", "kind1": "woman", "count": "2"}, ()),
        ("a ball hits a cube", {"kind0": "ball", "action0": "hits", "kind1": "cube"}, ()),
        ("static camera, a ball in clear weather", {"camera": "static", "weather": "clear"}, ()),
        ("black and white film of a red ball", {"style": "black and white", "color0": "red"}, ()),
        ("a red blue ball", {"kind0": "ball", "color0": "red"}, ()),
        ("红蓝球", {"kind0": "ball"}, ()),
        ("a dog, no rain", {"kind0": "dog", "weather": "clear"}, ()),
        ("dominoes fall", {"kind0": "dominoes", "action0": "topples"}, ()),
        ("a fish in the desert", {"setting": "desert"}, ("together: fish, desert",)),
        ("a fish and a man", {"kind0": "fish", "kind1": "man"}, ("together: fish, man",)),
        ("a man waves", {"kind0": "man", "event0": "waves"}, ()),
        ("a mammoth runns to the left", {"action0": "runs", "direction0": "left"}, ()),
        ("she waves", {"kind0": "woman", "event0": "waves"}, ()),
        ("他向左跑", {"kind0": "man", "action0": "runs", "direction0": "left"}, ()),
        ("a meadow at sunset", {"setting": "meadow", "light": "sunset"}, ()),
    ],
)  # fmt: skip
def test_what_is_typed_is_in_the_caption(marble, prompt, facts, notes):
    for seed in (1,):
        told = rewrite(marble, prompt, seed=seed)
        assert told.by == "worldreel" and told.text != prompt
        assert holds(facts, encoded(marble, told.text)), told.text
        assert holds(facts, slots(parse(told.text))), told.text
        assert told.added and not set(told.added) & set(facts) - {"weather"}
        assert len(told.notes) == len(notes)
        for note, wanted in zip(told.notes, notes, strict=True):
            assert wanted in note


@pytest.mark.parametrize(
    ("prompt", "ignored", "why"),
    [
        ("two cats", ("two cats",), "it names nothing that marble can draw"),
        ("一座城堡", ("一座城堡",), "it names nothing that marble can draw"),
        ("hello", (), "it says nothing that marble knows"),
        ("two red balls and three blue cubes", (), "it names 5 things, and marble draws up to 4"),
        ("A ball rolls. Cut to: a dog runs.", None, "it tells of several shots"),
        ("...", (), "it says nothing that marble knows"),
        ("red " * 1200, (), "it is long already"),
        ("没有" * 2500, None, "it says nothing that marble knows"),
        ("🎈", ("🎈",), "it names nothing that marble can draw"),
    ],
)
def test_what_cannot_be_written_of_stays_as_it_was(marble, prompt, ignored, why):
    told = rewrite(marble, prompt)
    assert told.text == prompt and not told.by and not told.added
    assert ignored is None or told.ignored == ignored
    assert told.notes[-1] == f"the prompt was left as it is: {why}"


def test_unknown_words_stay_reported_beside_known_ones(marble):
    told = rewrite(marble, "a dog and a cat on a trampoline")
    assert told.by and told.ignored == ("cat", "on a trampoline")
    assert rewrite(marble, "a truck").mapped == {"truck": "car"}


def test_the_same_seed_gives_the_same_caption_and_another_another(marble):
    one, same, other = (rewrite(marble, "a ball", seed=s) for s in (4, 4, 2**64 - 1))
    assert one == same and one.text != other.text
    json.dumps(one.to_json())


def test_an_encoder_of_other_words_is_told_none_that_it_does_not_know():
    words = Lexicon(["a", "red", "ball"])
    labels = {"kind0": ("unsaid", "cube", "ball"), "color0": ("unsaid", "blue", "red")}
    net = TextEncoder(replace(TINY_TEXT, slots=2), words, labels)
    net.init(torch.Generator().manual_seed(0))
    told = rewrite(net, "a red ball")
    assert told.text == "a red ball" and "no caption was found" in told.notes[-1]


def test_a_prompt_that_stays_is_read_as_it_is_without_a_rewriter(marble):
    told = rewrite(marble, "two trucks and three buses, no rain")
    alone = hear(marble, told.prompt).words()
    assert not told.by and told.mapped == alone["mapped"] == {"trucks": "cars", "buses": "cars"}
    assert list(told.negated) == alone["left_out"] == ["no rain"]


# How it reaches the transformer.


def test_a_prompt_that_was_rewritten_says_so(marble):
    heard = hear(marble, "a truck and a cat", rewrite, seed=1)
    assert heard.written is not None and heard.text == heard.written.text
    words = heard.words()
    assert words["mapped"] == {"truck": "car"} and words["ignored"] == ["cat"]
    assert words["rewritten"]["prompt"] == "a truck and a cat"
    assert heard.notes("marble")[0] == f"the prompt became {heard.text!r}"
    plain = hear(marble, "a truck and a cat")
    assert plain.text == "a truck and a cat" and "rewritten" not in plain.words()


def test_who_rewrites():
    chat = Chat(url="http://localhost:1/v1", model="m")
    assert rewriter(True) is rewrite and rewriter(False) is rewriter(None) is None
    assert rewriter(chat) is chat
    with pytest.raises(RequestError, match="rewrite is True, False or a"):
        rewriter("yes")


def test_what_a_caption_lost_is_named(marble):
    assert lost(marble, "a red ball on snow", "A red ball rolls over the snow at noon.") is None
    assert lost(marble, "a red ball", "A blue ball rolls.") == "marble no longer reads 'red' in it"


def test_the_best_of_two_readers(marble):
    """Together they read more of what people typed than either alone."""
    right = {"both": 0, "parser": 0, "encoder": 0}
    for prompt in PROMPTS[1::6]:
        gold = slots(tuple(Fact.from_list(fact) for fact in prompt["facts"]))
        text, language = prompt["text"], prompt["language"]
        found = {
            "both": said(marble, text, language).slots,
            "parser": slots(parse(text)),
            "encoder": encoded(marble, text),
        }
        for name, read in found.items():
            right[name] += sum(read.get(slot) == value for slot, value in gold.items())
    assert right["both"] >= max(right["parser"], right["encoder"])
