"""Several shots in words: a caption for each with its span, and one text that joins them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from worldreel.errors import SceneError
from worldreel.world.describe.caption import Caption, write
from worldreel.world.describe.pen import Pen, Piece
from worldreel.world.facts import Fact
from worldreel.world.words import LANGUAGES

Span = tuple[float, float]  # seconds from the clip's beginning: start, end


@dataclass(frozen=True)
class Told:
    """A clip of several shots in words: one text, and each shot's caption with its span."""

    text: str
    parts: tuple[tuple[Caption, Span], ...]


def storyboard(
    shots_facts: Sequence[Sequence[Fact]],
    spans: Sequence[Span],
    rng: np.random.Generator,
    language: str = "en",
) -> Told:
    """The shots told one after the other; one shot's text is its caption."""
    if language not in LANGUAGES:
        raise SceneError(f"unknown language {language!r}: one of {', '.join(LANGUAGES)}")
    if not shots_facts or len(shots_facts) != len(spans):
        raise SceneError(f"{len(shots_facts)} shots with {len(spans)} spans: one span for each")
    pen = Pen(rng, language)
    shots = [write(known, rng, language, ended=True) for known in shots_facts]
    parts = tuple(zip(shots, spans, strict=True))
    if len(shots) == 1:
        return Told(shots[0].text, parts)
    timed = pen.often(0.3)
    texts = []
    for number, (shot, (start, end)) in enumerate(parts):
        text = shot.text
        slots = {"shot": Piece(text[0].lower() + text[1:])}
        if timed:
            slots |= {"start": Piece(f"{start:g}"), "end": Piece(f"{end:g}")}
        clause = "cut" if number else "shots"
        said = pen.fill(clause, slots, must=("start",)).text
        texts.append(said[0].upper() + said[1:])
    return Told((" " if pen.english else "").join(texts), parts)
