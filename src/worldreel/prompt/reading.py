"""Prompts on their way to the transformer: words to states, and what became of each word.

A prompt may be anything; marble knows one world. What it does not know is ignored and said, what
is near is mapped and said, and nothing is dropped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from worldreel.errors import RequestError
from worldreel.models.text import Reading, TextEncoder
from worldreel.models.wan_text import WanText

if TYPE_CHECKING:  # the world's words, which plain reading has no need of
    from worldreel.prompt.rewriting import Rewriter, Rewritten

_NO = re.compile(r"\bno|without|n't\b|never|[不没无别]", re.IGNORECASE)  # where there may be one
NAMED = 12  # ignored words in a note; `Video.metadata` has them all


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A prompt, its states 1 M E, and the facts that the encoder read in it.

    text: what was read, which is the prompt as it was typed unless it was `written` anew.
    """

    text: str
    states: Tensor
    reading: Reading
    facts: dict[str, str]
    unread: int = 0  # known words beyond the encoder's window
    world: bool = True  # the encoder knows one world's words alone
    written: Rewritten | None = None

    def words(self) -> dict[str, Any]:
        """For people and for JSON: the words that were read, mapped and ignored, and the facts."""
        words = {
            "read": list(self.reading.read),
            "mapped": dict(self.reading.mapped),
            "ignored": list(self.reading.ignored),
            "understood": self.facts,
        }
        if self.written is not None:
            told = self.written.to_json()
            ignored = dict.fromkeys([*told["ignored"], *self.reading.ignored])
            words |= {"mapped": told["mapped"] | words["mapped"], "ignored": list(ignored)}
            words["rewritten"] = told
        return words

    def notes(self, model: str, *, negative: bool = False) -> list[str]:
        """What a person should know before they judge the video."""
        which = "negative prompt" if negative else "prompt"
        notes = list(self.written.told()) if self.written is not None else []
        if not self.world:
            return notes + _too_long(which, self.unread)
        if not self.reading.ids:
            effect = "it changes nothing" if negative else "the video shows whatever it likes"
            return [*notes, f"{model} knows no word of this {which}: {effect}"]
        as_typed = self.written is None or not self.written.by
        if as_typed and not negative and _NO.search(self.text):
            notes += _unheard(self.text, model)
        notes += _too_long(which, self.unread)
        if negative and self.reading.ignored:
            unknown = ", ".join(map(repr, self.reading.ignored))
            notes.append(f"of the negative prompt, {model} does not know {unknown}")
        return notes


def _too_long(which: str, unread: int) -> list[str]:
    return [f"the {which} is long: its last {unread} words were not read"] if unread else []


def _unheard(text: str, model: str) -> list[str]:
    """A note of the first no in a prompt, if there is one."""
    from worldreel.prompt.near import negations
    from worldreel.world.parse import language_of

    return [
        f"{model} reads the words of {phrase!r} without the no: what is not to be shown belongs "
        "in the negative prompt"
        for phrase in negations(text, language_of(text))[:1]
    ]


def rewriter(asked: object) -> Rewriter | None:
    """Who is to rewrite: the world's own for True, none for False or None, or who is given."""
    if asked is None or asked is False:
        return None
    if asked is True:
        from worldreel.prompt.rewriting import rewrite

        return rewrite
    if not callable(asked):
        raise RequestError("rewrite is True, False or a worldreel.prompt.Chat")
    return cast("Rewriter", asked)


def hear(
    encoder: TextEncoder | WanText,
    prompt: str,
    rewriter: Rewriter | None = None,
    *,
    seed: int = 0,
    name: str = "marble",
) -> Prompt:
    """Encode a prompt, or what a rewriter makes of it."""
    if rewriter is None:
        return read(encoder, prompt)
    if isinstance(encoder, WanText):
        raise RequestError(
            f"a prompt is rewritten in marble's words, and {name} reads any: leave rewrite out"
        )
    written = rewriter(encoder, prompt, seed=seed, name=name)
    return replace(read(encoder, written.text), written=written)


@torch.no_grad()
def read(encoder: TextEncoder | WanText, text: str) -> Prompt:
    """Encode one prompt; it may be longer than the encoder's window, which is then said."""
    if isinstance(encoder, WanText):
        states, unread = encoder.states(text)
        words = tuple(text.split())
        known = Reading(ids=tuple(range(len(words))), read=words, mapped={}, ignored=())
        return Prompt(text=text, states=states, reading=known, facts={}, unread=unread, world=False)
    ids, (reading,) = encoder.tokens([text])
    logits = encoder.read(ids)
    window, found = encoder.preset.max_words, len(reading.ids)
    if found > window:
        kept, lost = reading.read[:window], reading.read[window:]
        mapped = {word: near for word, near in reading.mapped.items() if near in kept}
        ignored = (*reading.ignored, *(word for word in lost if word not in kept))
        reading = Reading(
            ids=reading.ids[:window],
            read=kept,
            mapped=mapped,
            ignored=tuple(dict.fromkeys(ignored)),
        )
    return Prompt(
        text=text,
        states=encoder.states(logits),
        reading=reading,
        facts=encoder.facts(logits) if reading.ids else {},
        unread=max(0, found - window),
    )


def heard(words: Mapping[str, Any], model: str) -> list[str]:
    """Notes of the words that were taken for others, and of those that were ignored."""
    notes = [f"read {word!r} as {meaning!r}" for word, meaning in words["mapped"].items()]
    named, more = words["ignored"][:NAMED], len(words["ignored"]) - NAMED
    if named and words["read"]:
        others = f" and {more} other words" if more > 0 else ""
        notes.append(f"{model} does not know {', '.join(map(repr, named))}{others}")
    return notes
