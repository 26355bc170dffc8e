"""Laws: no word of a prompt is dropped in silence, and no rewriting loses what was understood."""

import numpy as np
import pytest

from worldreel.prompt import read, rewrite
from worldreel.prompt.account import Account, joints
from worldreel.prompt.common import IDLE
from worldreel.prompt.near import near
from worldreel.prompt.particles import COUNTED, HOLDS, LEADS
from worldreel.prompt.phrases import STATES
from worldreel.prompt.pieces import MAPPED, READ, SILENCE, Piece
from worldreel.prompt.said import CAMERAS, alone, stated_by
from worldreel.prompt.understanding import Understood, understand
from worldreel.world.parse.grammar import grammar
from worldreel.world.words import LANGUAGES, PHRASES

pytestmark = pytest.mark.usefixtures("one_thread")

STRANGE = {
    "en": "blorgs vrelting mimsical quoxly zwitschern kaputt skarnfed uffish jubjub".split(),
    "zh": "鼹鼠 犇羴 囧囧 蟑螂 饕餮 魑魅 嗷嗷 貔貅 熠熠".split(),
}
REPORTS = ("ignored", "without_effect", "left_out", "mapped")
SCENES = 60


def known(language: str) -> list[str]:
    """Whole phrases of the world, of every table that states something."""
    tables = (row for names in STATES.values() for table in names for row in PHRASES[table])
    forms = {form for row in tables for forms in row.heard(language) for form in forms}
    return sorted(form.rstrip("!").replace(" ", "" if language == "zh" else " ") for form in forms)


def sentence(language: str, rng: np.random.Generator) -> tuple[str, list[str]]:
    """A prompt of known phrases, words that lead or hold, and strange ones; and these."""
    glue = " " if language == "en" else ""
    sorts = {
        "known": known(language),
        "kind": [f[0] for row in PHRASES["kind"] for f in row.heard(language)],
        "small": sorted({*HOLDS[language], *LEADS[language]}),
        "near": sorted(near(language)),
        "idle": sorted(IDLE[language]),
        "strange": STRANGE[language],
        "mark": [",", "."],
    }
    shares = np.array([0.26, 0.14, 0.34, 0.04, 0.04, 0.14, 0.04])
    picked = rng.choice(list(sorts), size=int(rng.integers(2, 13)), p=shares / shares.sum())
    words = [(sort, str(rng.choice(sorts[sort]))) for sort in picked]
    return glue.join(w for _, w in words), [w for sort, w in words if sort == "strange"]


def stated(found: Understood, piece: Piece) -> bool:
    """Whether a piece that is read is part of a phrase that states one of the facts."""
    language = found.account.language
    tokens = grammar(language).tokens(piece.meant)
    values = stated_by(found.slots)
    if "number" in piece.names:
        return any(slot.startswith("count") for slot in found.slots)
    if piece.names == {"wear"}:
        return any(slot.startswith("color") for slot in found.slots)
    if "camera" in found.slots and CAMERAS.fullmatch(piece.meant.lower()):
        return True
    told = grammar(language).tokens(found.account.text)
    for name, tables in STATES.items():
        for row in (row for table in tables for row in PHRASES[table]):
            if (name, row.value) not in values:
                continue
            for form in {form.rstrip("!") for forms in row.heard(language) for form in forms}:
                phrase = grammar(language).tokens(form)
                if within(tokens, phrase) and within(phrase, told):
                    return True
    hints = {m for token in tokens for m in alone(language).get(token, ())}
    return any(found.slots.get(n, found.slots.get(f"{n}0")) == v for n, v in hints)


def within(some: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    return any(whole[i : i + len(some)] == some for i in range(len(whole) - len(some) + 1))


def holds(told: Account, at: int) -> bool:
    """Whether a silent piece is of the closed class, or stands by something that was read."""
    piece, language = told.pieces[at], told.language
    word = " ".join(piece.typed.lower().replace("-", " ").split())
    words = [word] if language == "zh" or word in LEADS["en"] else word.split()
    if word in joints(language) or all(w in HOLDS[language] for w in words):
        return True
    if language == "zh" and all(c in HOLDS["zh"] or c in COUNTED or c in LEADS["zh"] for c in word):
        words = [word]
    around = [p for p in told.pieces[max(0, at - 6) : at + 7] if p.fate != SILENCE or p is piece]
    here = next(i for i, p in enumerate(around) if p is piece)
    by = around[max(0, here - 1) : here + 4]
    leads = all(w in HOLDS[language] | {*LEADS[language]} | COUNTED for w in words)
    return leads and any(p.fate in (READ, MAPPED) for p in by)


def escaped(found: Understood, words: dict) -> list[str]:
    """What of a prompt is neither read, nor of the closed class, nor reported."""
    told = found.account
    reported = [told.prompt.lower().find(w) for name in REPORTS for w in words[name]]
    assert -1 not in reported  # in the person's own words
    spans = [
        (at, at + len(w))
        for name in REPORTS
        for w in words[name]
        for at in range(len(told.prompt))
        if told.prompt.lower().startswith(w, at)
    ]
    return [
        piece.typed
        for at, piece in enumerate(told.pieces)
        if not any(a <= piece.start and piece.end <= b for a, b in spans)
        and not (piece.fate in (READ, MAPPED) and stated(found, piece))
        and not (piece.fate == SILENCE and holds(told, at))
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_escapes(marble, language):
    for seed in range(SCENES):
        text, strange = sentence(language, np.random.default_rng([17, seed]))
        words = read(marble, text).words()
        assert not (lost := escaped(understand(marble, text), words)), (text, lost)
        told = " ".join(w for name in REPORTS for w in words[name])
        assert all(word in told for word in strange), (text, told)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_was_understood_is_understood_of_the_caption(marble, language):
    written = 0
    for seed in range(12):
        text, _ = sentence(language, np.random.default_rng([18, seed]))
        told = rewrite(marble, text, seed=seed)
        before = understand(marble, text, seed=seed)
        words = read(marble, text, seed=seed).words()
        assert [*told.ignored] == words["ignored"] and dict(told.mapped) == words["mapped"]
        assert [*told.idle] == words["without_effect"] and [*told.negated] == words["left_out"]
        if not told.by:
            assert "was left as it is" in told.notes[-1]
            continue
        written += 1
        after = understand(marble, told.text).slots
        kept = {s: v for s, v in before.slots.items() if not s.startswith("count")}
        assert kept.items() <= after.items(), (text, told.text)
    assert written > 2
