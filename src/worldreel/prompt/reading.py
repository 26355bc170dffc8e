"""Prompts on their way to the transformer: words to states, and what became of each word.

A prompt may be anything; marble knows one world. What it does not know is ignored and said, what
is near is mapped and said, and nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from worldreel.errors import RequestError
from worldreel.models.text import Reading, TextEncoder
from worldreel.models.wan_text import WanText

if TYPE_CHECKING:  # the world's words, which plain reading has no need of
    from worldreel.prompt.rewriting import Rewriter, Rewritten

MOST = 4  # things in one scene
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
    idle: tuple[str, ...] = ()  # known words that change nothing
    negated: tuple[str, ...] = ()  # what is said with a no, which was left out
    things: int = 0  # how many are named
    unread: int = 0  # known words beyond the encoder's window
    world: bool = True  # the encoder knows one world's words alone
    written: Rewritten | None = None

    def words(self) -> dict[str, Any]:
        """For people and for JSON: what became of the words, and the facts.

        read, mapped to near ones, ignored as not known, known without_effect, and left_out with a
        no.
        """
        words = {
            "read": list(self.reading.read),
            "mapped": dict(self.reading.mapped),
            "ignored": list(self.reading.ignored),
            "without_effect": list(self.idle),
            "left_out": list(self.negated),
            "understood": self.facts,
        }
        if self.written is not None:
            told = self.written.to_json()
            for name, mine in (("ignored", self.reading.ignored), ("without_effect", self.idle)):
                words[name] = list(dict.fromkeys([*told[name], *mine]))
            words["mapped"] = told["mapped"] | words["mapped"]
            words["left_out"] = list(dict.fromkeys([*told["left_out"], *self.negated]))
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
        if self.things > MOST:
            notes.append(f"the {which} names {self.things} things; {model} draws up to {MOST}")
        notes += _too_long(which, self.unread)
        if negative and self.reading.ignored:
            unknown = ", ".join(map(repr, self.reading.ignored))
            notes.append(f"of the negative prompt, {model} does not know {unknown}")
        return notes


def _too_long(which: str, unread: int) -> list[str]:
    return [f"the {which} is long: its last {unread} words were not read"] if unread else []


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
        return read(encoder, prompt, seed=seed)
    if isinstance(encoder, WanText):
        raise RequestError(
            f"a prompt is rewritten in marble's words, and {name} reads any: leave rewrite out"
        )
    written = rewriter(encoder, prompt, seed=seed, name=name)
    return replace(read(encoder, written.text, seed=seed), written=written)


@torch.no_grad()
def read(encoder: TextEncoder | WanText, text: str, *, seed: int = 0) -> Prompt:
    """Encode one prompt; it may be longer than the encoder's window, which is then said.

    seed: of which words follow that may mean either of two, as a person is a woman or a man.
    """
    if isinstance(encoder, WanText):
        states, unread = encoder.states(text)
        words = tuple(text.split())
        known = Reading(ids=tuple(range(len(words))), read=words, mapped={}, ignored=())
        return Prompt(text=text, states=states, reading=known, facts={}, unread=unread, world=False)
    from worldreel.world.labels import LABELS

    if not {*encoder.labels} <= {*LABELS}:  # an encoder of another world, with words of its own
        ids, (reading,) = encoder.tokens([text])
        logits = encoder.read(ids)
        reading, unread = _seen(reading, encoder.preset.max_words)
        facts = encoder.facts(logits) if reading.ids else {}
        states = encoder.states(logits)
        return Prompt(text=text, states=states, reading=reading, facts=facts, unread=unread)
    from worldreel.prompt.pieces import IDLENESS, NEGATED, UNKNOWN
    from worldreel.prompt.understanding import understand

    found = understand(encoder, text, seed=seed)
    told = found.account
    reading = replace(
        found.reading,
        mapped=told.mapped | found.reading.mapped,
        ignored=told.of(UNKNOWN),
    )
    reading, unread = _seen(reading, encoder.preset.max_words)
    return Prompt(
        text=text,
        states=found.states(encoder),
        reading=reading,
        facts=dict(found.slots),
        idle=told.of(IDLENESS),
        negated=told.of(NEGATED),
        things=sum(fact.name == "kind" for fact in found.said.facts),
        unread=unread,
    )


def _seen(reading: Reading, window: int) -> tuple[Reading, int]:
    """What of a reading is in the encoder's window, and how many words are not."""
    found = len(reading.ids)
    if found <= window:
        return reading, 0
    kept, lost = reading.read[:window], reading.read[window:]
    ignored = (*reading.ignored, *(word for word in lost if word not in kept))
    shown = Reading(
        ids=reading.ids[:window],
        read=kept,
        mapped={word: near for word, near in reading.mapped.items() if near in kept},
        ignored=tuple(dict.fromkeys(ignored)),
    )
    return shown, found - window


def heard(words: Mapping[str, Any], model: str) -> list[str]:
    """Notes of the words that were taken for others, and of those that change nothing."""
    notes = [f"read {word!r} as {meaning!r}" for word, meaning in words["mapped"].items()]
    if words["ignored"] and words["read"]:
        notes.append(f"{model} does not know {_named(words['ignored'])}")
    if words.get("without_effect"):
        notes.append(f"known, but without effect here: {_named(words['without_effect'])}")
    notes += [
        f"{model} cannot be told what not to show: {phrase!r} was left out, and belongs in the "
        "negative prompt"
        for phrase in words.get("left_out", ())
    ]
    return notes


def _named(words: Sequence[str]) -> str:
    """Some words in quotation marks, the first of many."""
    more = len(words) - NAMED
    return ", ".join(map(repr, words[:NAMED])) + (f" and {more} other words" if more > 0 else "")
