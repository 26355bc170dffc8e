"""Laws of honest reading: each word of a prompt has one fate, and nothing unsaid is understood."""

import json
from pathlib import Path

import numpy as np
import pytest

from worldreel.models.text import Lexicon
from worldreel.prompt import read
from worldreel.prompt.account import account
from worldreel.prompt.common import IDLE, OTHERS_ZH, THINGS_ZH
from worldreel.prompt.draft import Draft, fill
from worldreel.prompt.near import near
from worldreel.prompt.pieces import FATES
from worldreel.prompt.understanding import understand
from worldreel.world.describe import captions_of, lexicon
from worldreel.world.scene import KINDS
from worldreel.world.words import LANGUAGES

pytestmark = pytest.mark.usefixtures("one_thread")

REAL = json.loads((Path(__file__).parent / "real.json").read_text("utf-8"))
PROMPTS = json.loads((Path(__file__).parents[1] / "world/prompts.json").read_text("utf-8"))
STRANGE = ["blorg", "zwitschern", "кошка", "été", "🎈", "x7", "tree's", "鼹鼠", "囧", "犇羴"]


def composed(language: str, seed: int) -> str:
    """Words of all sorts in any order, with marks among them."""
    rng = np.random.default_rng([5, seed])
    sorts = [lexicon()[language], sorted(near(language)), sorted(IDLE[language]), STRANGE]
    sorts += [sorted(THINGS_ZH), sorted(OTHERS_ZH)] if language == "zh" else [["no", "not", "zero"]]
    sorts += [[",", ".", "!", "“", '"', "，", "。"]]
    picked = [sorts[i] for i in rng.integers(len(sorts), size=int(rng.integers(1, 25)))]
    glue = " " if language == "en" else ""
    return glue.join(words[int(rng.integers(len(words)))] for words in picked)


def parted(text: str) -> None:
    """The pieces are in order, do not overlap, and nothing is left out but marks."""
    told, at = account(text), 0
    for piece in told.pieces:
        assert piece.start >= at and piece.typed == text[piece.start : piece.end] != ""
        assert piece.fate in FATES
        assert not any(c.isalnum() for c in text[at : piece.start]), text[at : piece.start]
        at = piece.end
    assert not any(c.isalnum() for c in text[at:]), text[at:]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_has_one_fate(language):
    for text in [p["text"] for p in (*PROMPTS, *REAL)]:
        parted(text)
    for seed in range(150):
        parted(composed(language, seed))


def test_no_fate_is_lost_when_the_facts_are_known(marble):
    for text in [*(p["text"] for p in REAL), *(composed("en", seed) for seed in range(20))]:
        before, after = account(text).pieces, understand(marble, text).account.pieces
        assert [p.start for p in before] == [p.start for p in after]
        assert {p.fate for p in after} <= {*FATES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_captions_are_read_as_they_are_written(language):
    """The encoder is given the words that it was trained on, and none of them is reported."""
    words = Lexicon(sorted({word for entries in lexicon().values() for word in entries}))
    odd = []
    for number in range(60):
        rng = np.random.default_rng([9, number])
        scene = Draft(things=[{"kind": KINDS[int(rng.integers(len(KINDS)))]} for _ in range(2)])
        (caption,) = captions_of(fill(scene, rng, ()).facts(), rng, count=1, language=language)
        told = account(caption.text)
        if words.read(told.text) != words.read(caption.text) or told.of("unknown"):
            odd.append((caption.text, told.text, told.of("unknown")))
    assert not odd, odd[:3]


@pytest.mark.parametrize("prompt", REAL, ids=[p["text"] for p in REAL])
def test_what_people_type_is_read_and_no_more(marble, prompt):
    said = read(marble, prompt["text"])
    facts = {slot: v for slot, v in said.facts.items() if not slot.startswith("count")}
    assert facts == prompt["facts"]
    assert list(said.reading.ignored) == prompt["unknown"]
