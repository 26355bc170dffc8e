"""Text back to facts: what a caption, or a person, says of a scene.

The grammar is that of `words`, read instead of written: every template is a rule, every phrase a
word. A text is cut into clauses and adjuncts in any order, and what they state is put together.
Words that the grammar does not have are passed over and reported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from worldreel.errors import SceneError
from worldreel.world.facts import Fact
from worldreel.world.parse.chart import cover
from worldreel.world.parse.grammar import grammar
from worldreel.world.parse.reading import Reading
from worldreel.world.parse.shots import Span, cut
from worldreel.world.words import LANGUAGES

__all__ = ["Parsed", "Span", "language_of", "parse", "parse_shots", "parse_words"]


@dataclass(frozen=True)
class Parsed:
    """What a text states, and what was not understood.

    facts: things are numbered in the order in which the text names them. unknown: words that the
    world does not have; unread: words that it has, in a place where they say nothing.
    """

    facts: tuple[Fact, ...]
    unknown: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def language_of(text: str) -> str:
    """The language of a text by its characters: zh if there is a Chinese one, else en."""
    return "zh" if re.search("[一-鿿]", text) else "en"


def parse(text: str, language: str | None = None) -> tuple[Fact, ...]:
    """The facts that a text states; language: that of its characters if None."""
    return parse_words(text, language).facts


def parse_words(text: str, language: str | None = None) -> Parsed:
    """The facts that a text states, and the words that were not understood.

    A SceneError says that a sentence is too deep to be read.
    """
    language = _spoken(text, language)
    rules = grammar(language)
    reading, unknown, unread = Reading(recalls=language == "zh"), [], []
    for sentence in rules.sentences(text):
        unknown += sentence.unknown
        try:
            nodes, left = cover(rules, sentence)
            for node in nodes:
                reading.take(node)
        except RecursionError:  # hundreds of adjectives in a row, each within the one before
            raise SceneError(
                f"a sentence of {len(sentence.tokens):,} words has parts too deep within each "
                "other to be read: say it in several sentences"
            ) from None
        unread += left
    return Parsed(reading.facts(), tuple(dict.fromkeys(unknown)), tuple(dict.fromkeys(unread)))


def parse_shots(text: str, language: str | None = None) -> list[tuple[Parsed, Span | None]]:
    """Each shot that a text tells of, in seconds where it says them; one shot if it says no cut.

    A shot is read on its own: what it names is new.
    """
    language = _spoken(text, language)
    return [(parse_words(shot, language), span) for shot, span in cut(text, language)]


def _spoken(text: str, language: str | None) -> str:
    language = language or language_of(text)
    if language not in LANGUAGES:
        raise SceneError(f"unknown language {language!r}: one of {', '.join(LANGUAGES)}")
    return language
