"""A take in words: captions from a few words to a paragraph, in English and Chinese.

A caption is put together from the phrases and templates of `words`, and carries the facts that
its text states, in the order in which the text names things. It says nothing that is not a fact
of the take's record. `facts`, `labels` and `lexicon` are offered from here, too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from worldreel.errors import SceneError
from worldreel.world.describe.caption import Caption, write
from worldreel.world.describe.story import Told, storyboard
from worldreel.world.facts import Fact, facts
from worldreel.world.labels import LABELS, labels
from worldreel.world.scene import Take
from worldreel.world.words import LANGUAGES, lexicon

__all__ = [
    "LABELS", "Caption", "Fact", "Told", "captions", "captions_of", "facts", "labels", "lexicon",
    "storyboard",
]  # fmt: skip


def captions(
    take: Take, rng: np.random.Generator, *, count: int = 4, language: str = "en"
) -> list[Caption]:
    """`count` captions of a take: a quarter tags, about half sentences, the rest paragraphs.

    Each names everything in the scene; nine in ten say colours, motion and setting, and a camera's
    move if there is one.
    """
    return captions_of(facts(take), rng, count=count, language=language)


def captions_of(
    known: Sequence[Fact], rng: np.random.Generator, *, count: int = 4, language: str = "en"
) -> list[Caption]:
    """`count` captions of a list of facts; what is not in the list is not said."""
    if language not in LANGUAGES:
        raise SceneError(f"unknown language {language!r}: one of {', '.join(LANGUAGES)}")
    number = sum(fact.name == "kind" for fact in known)
    if not 1 <= number <= 4:
        raise SceneError(f"the facts name {number} things: there are words for one to four")
    return [write(known, rng, language) for _ in range(count)]
