"""Prompts on their way to the transformer: words to states, and what became of each word.

A prompt may be anything; marble knows one world. What it does not know is ignored and said, what
is near is mapped and said, and nothing is dropped in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from worldreel.models.text import Reading, TextEncoder


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A prompt, its states 1 M E, and the facts that the encoder read in it."""

    text: str
    states: Tensor
    reading: Reading
    facts: dict[str, str]

    def words(self) -> dict[str, Any]:
        """For people and for JSON: the words that were read, mapped and ignored, and the facts."""
        return {
            "read": list(self.reading.read),
            "mapped": dict(self.reading.mapped),
            "ignored": list(self.reading.ignored),
            "understood": self.facts,
        }

    def notes(self, model: str) -> list[str]:
        """What a person should know before they judge the video."""
        if not self.reading.ids:
            return [f"{model} knows no word of this prompt, so it shows whatever it likes"]
        return []


@torch.no_grad()
def read(encoder: TextEncoder, text: str) -> Prompt:
    """Encode one prompt; it may be longer than the encoder's window, which is then said."""
    ids, (reading,) = encoder.tokens([text])
    states = encoder(ids)
    limit = encoder.preset.max_words
    if len(reading.ids) > limit:
        dropped = tuple(dict.fromkeys(reading.read[limit:]))
        reading = Reading(
            ids=reading.ids[:limit],
            read=reading.read[:limit],
            mapped=reading.mapped,
            ignored=reading.ignored + dropped,
        )
    return Prompt(text=text, states=states, reading=reading, facts=encoder.facts(states))
