"""A short prompt becomes a caption like those that the text encoder was trained on.

    told = rewrite(encoder, "a red ball on snow", seed=3)
    told.text       "At sunset, a red ball rolls to the left over a snowy field."
    told.added      {"light": "sunset", "action0": "rolls", "direction0": "left"}

What was said stays: a caption counts only if encoder and parser read in it all that they read in
the prompt. Where none does, or there is nothing to write of, the prompt stays as it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from worldreel.models.text import TextEncoder
from worldreel.prompt.account import Account
from worldreel.prompt.draft import Draft, fill
from worldreel.prompt.nouns import called, renamed
from worldreel.prompt.particles import LEADS
from worldreel.prompt.pieces import IDLENESS, NEGATED, UNKNOWN
from worldreel.prompt.said import Said, encoded, slots, stateable
from worldreel.prompt.understanding import Understood, beyond, understand
from worldreel.world.actors import RIGS
from worldreel.world.describe.caption import write
from worldreel.world.describe.pen import Pen, Piece
from worldreel.world.facts import COLOURLESS, Fact
from worldreel.world.labels import COUNTS
from worldreel.world.parse import language_of, parse
from worldreel.world.parse.shots import cut
from worldreel.world.place import PLACES
from worldreel.world.stories import STORIES
from worldreel.world.words import IDLE

_FILLS, _CAPTIONS = 4, 24  # how many scenes are tried, and how many captions of each
_OWN = "worldreel"
_HARD = ("action", "direction", "side")  # what is not added where that could not be read
_BY_OTHERS = {"hits", "topples", "stacks"}  # what things do to each other


@dataclass(frozen=True, kw_only=True)
class Rewritten:
    """What became of a prompt. text: what the model is told, the prompt itself if `by` is "".

    by: who wrote it. added: what the prompt left open, by the encoder's slots; mapped: words that
    were taken for others; ignored: words that are not known. notes: what a person should know.
    """

    prompt: str
    text: str
    by: str = ""
    added: Mapping[str, str] = field(default_factory=dict)
    mapped: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    negated: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def told(self) -> tuple[str, ...]:
        """The notes, and what the prompt became."""
        became = (f"the prompt became {self.text!r}",) if self.by else ()
        return (*became, *self.notes)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "prompt": self.prompt,
            "text": self.text,
            "by": self.by,
            "added": dict(self.added),
            "mapped": dict(self.mapped),
            "ignored": list(self.ignored),
            "without_effect": list(self.idle),
            "left_out": list(self.negated),
            "notes": list(self.notes),
        }


class Rewriter(Protocol):
    """Makes a caption of a prompt: `rewrite`, or a `chat.Chat`. name: of the model, for notes."""

    def __call__(self, encoder: TextEncoder, prompt: str, *, seed: int, name: str) -> Rewritten: ...


def rewrite(encoder: TextEncoder, prompt: str, *, seed: int = 0, name: str = "marble") -> Rewritten:
    """The caption that a prompt becomes, the same for the same seed.

    name: what the model is called in notes.
    """
    language = language_of(prompt)
    found = understand(encoder, prompt, seed=seed)
    told = found.account
    long = beyond(encoder, told.text)
    notes = list(_impossible(Draft.of(found.said.facts), name))
    words: dict[str, Any] = {
        "mapped": told.mapped,
        "ignored": told.of(UNKNOWN),
        "idle": told.of(IDLENESS),
        "negated": told.of(NEGATED),
    }
    why = "it is long already" if long else None
    why = why or _why_not(told.text, language, found.said, words["ignored"], name)
    caption = None
    if why is None:
        rng = np.random.default_rng([seed, 31])
        no = {meant for piece in words["negated"] for meant in stateable(piece, language)}
        if ("event", "stops") in no:  # who never stops does not rest
            no |= {("action", action) for action in IDLE}
        no |= {(name, "") for names in found.said.unused.values() for name in names}
        no |= {(name, "") for name in _told_of(told)}
        caption = _caption(encoder, found, rng, no)
        why = None if caption else "no caption was found that says all of it"
    if caption is None:
        left = f"the prompt was left as it is: {why}"
        return Rewritten(prompt=prompt, text=prompt, notes=(*notes, left), **words)
    now = encoded(encoder, caption)
    return Rewritten(
        prompt=prompt,
        text=caption,
        by=_OWN,
        added={s: v for s, v in now.items() if s not in found.slots and "count" not in s},
        notes=tuple(notes),
        **words,
    )


def stated(encoder: TextEncoder, prompt: str, *, seed: int = 0) -> dict[str, str]:
    """What a prompt says, slot by slot: without what the encoder reads where nothing says it."""
    return dict(understand(encoder, prompt, seed=seed).slots)


def lost(encoder: TextEncoder, prompt: str, caption: str, name: str = "marble") -> str | None:
    """What of a prompt is no longer read in a caption, in a few words; None if all of it is."""
    if beyond(encoder, prompt):
        return None  # it was not read to its end either
    if beyond(encoder, caption):
        return f"{name} reads {encoder.preset.max_words} words, and it has more"
    before, after = (stated(encoder, text) for text in (prompt, caption))
    for slot, value in before.items():
        if not slot.startswith("count") and after.get(slot) != value:
            return f"{name} no longer reads {value!r} in it"
    return None


# What a person should know.


def _impossible(draft: Draft, name: str) -> Iterator[str]:
    """What is said and was never seen together."""
    setting = draft.scene.get("setting")
    place = PLACES[setting] if setting else None
    apart: list[tuple[str, str]] = []
    for thing in draft.things:
        kind, action = thing.get("kind", ""), thing.get("action")
        does = {m for story in STORIES.values() for m in story.manners.get(kind, ())}
        apart += [(kind, setting)] if kind and place and setting and kind not in place.kinds else []
        apart += [(kind, action)] if kind and action and action not in does | _BY_OTHERS else []
    for fact in draft.others:
        kind = draft.things[fact.args[0]].get("kind", "") if fact.name == "event" else ""
        if kind and (kind not in RIGS or str(fact.value) not in RIGS[kind].events):
            apart.append((kind, str(fact.value)))
    for slot in ("light", "weather"):
        value = draft.scene.get(slot)
        if place and value and value not in (place.lights if slot == "light" else place.weathers):
            apart.append((str(setting), value))
    kinds = list(dict.fromkeys(thing["kind"] for thing in draft.things if "kind" in thing))
    for pair in itertools.combinations(kinds, 2):
        apart += [] if any({*pair} <= {*p.kinds} for p in PLACES.values()) else [pair]
    for one, other in dict.fromkeys(apart):
        yield f"{name} has never seen these together: {one}, {other}"


def _why_not(
    prompt: str, language: str, found: Said, ignored: Sequence[str], name: str
) -> str | None:
    """Why there is nothing to rewrite, None if there is."""
    number = sum(fact.name == "kind" for fact in found.facts)
    if len(cut(prompt, language)) > 1:
        return "it tells of several shots"
    if number > len(COUNTS):
        return f"it names {number} things, and {name} draws up to {len(COUNTS)}"
    if not number and ignored:
        return f"it names nothing that {name} can draw"
    return None if found.facts else f"it says nothing that {name} knows"


# Writing.


def _told_of(told: Account) -> set[str]:
    """Of which facts a prompt says what is not drawn: nothing else is put in the place of that.

    No pink coat for a green hat, no meadow for a trampoline, and none who sleeps is made to run.
    """
    names: set[str] = set()
    for piece, after in zip(told.pieces, (*told.pieces[1:], None), strict=True):
        if piece.fate in (UNKNOWN, IDLENESS):
            spoken = piece.names | {name for name, _ in stateable(piece.typed, told.language)}
            names |= {"color"} if spoken & {"color", "wear"} else set()
        if piece.fate == UNKNOWN and not (after is not None and "kind" in after.names):
            places = [lead for lead in LEADS[told.language].get(piece.typed.lower(), ())]
            placed = any("setting" in lead.names for lead in places)
            names |= {"setting"} if placed else {"action", "direction"}
    return names


def _caption(
    encoder: TextEncoder,
    understood: Understood,
    rng: np.random.Generator,
    no: set[tuple[str, str]],
) -> str | None:
    """A caption in which the parser reads all that was said, and the encoder all that it read in
    the prompt; None if none is found. The encoder may read more of it: the more the better.

    It is read as prompts are, too, and calls things as they were called.
    """
    found, language = understood.said, understood.account.language
    nouns = called(understood.account.pieces, language)
    best, most = None, -1
    for number in range(_FILLS):
        left = {(name, "") for name in _HARD} if number > 1 else set()
        facts = fill(Draft.of(found.facts), rng, no | left).facts()
        wanted = slots(facts)
        for turn in range(_CAPTIONS):
            text, stated = _write(facts, rng, language, wanted)
            text = renamed(text, nouns, language)
            # All that was added, too, unless that is hard to say.
            if text is None or not _holds(wanted if turn < _CAPTIONS // 2 else found.slots, stated):
                continue
            words = encoder.lexicon.read(text)
            if words.ignored or words.mapped or beyond(encoder, text):
                continue
            theirs = encoded(encoder, text)
            right = sum(theirs.get(slot) == value for slot, value in found.slots.items())
            if right <= most or not _holds(found.read, theirs):
                continue
            ours = slots(parse(text, language))
            if not _holds(found.slots, ours) or not _kept(encoder, understood, text):
                continue
            best, most = text, right
            if theirs == ours == stated:
                return text
        if best:
            return best
    return None


def _kept(encoder: TextEncoder, understood: Understood, caption: str) -> bool:
    """Whether all that was understood of a prompt is understood of a caption."""
    said = {s: v for s, v in understood.slots.items() if not s.startswith("count")}
    number = understood.slots.get("count")
    again = understand(encoder, caption).slots
    return _holds(said, again) and number in (None, again.get("count"))


def _holds(slots: Mapping[str, str], read: Mapping[str, str]) -> bool:
    return all(read.get(slot) == value for slot, value in slots.items())


def _write(
    facts: Sequence[Fact], rng: np.random.Generator, language: str, wanted: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """A caption and the slots that it states; what it does not say of the scene is said after it.

    The writer names no colours in a style without them: such a style is said after it, too.
    """
    style = {f for f in facts if f.name == "style" and f.value in COLOURLESS}
    colored = any(fact.name == "color" for fact in facts)
    caption = write([f for f in facts if not (colored and f in style)], rng, language, ended=True)
    pen, stated = Pen(rng, language), list(caption.facts)
    text = caption.text
    for fact in facts:
        if not fact.args and fact.name in wanted and fact not in caption.facts:
            text += _sentence(pen, fact)
            stated.append(fact)
    return text, slots(stated)


def _sentence(pen: Pen, fact: Fact) -> str:
    """One more sentence, on a fact of the whole scene."""
    value = str(fact.value)
    if fact.name == "camera":
        said = pen.word("camera", value)
    elif fact.name == "weather":
        said = pen.word("air", value)
    elif fact.name == "style":
        said = pen.fill("picture", {"style": Piece(pen.word("style", value))}).text
    elif fact.name == "light":
        said = pen.fill("scene", {"light": Piece(pen.word("light", value))}).text
    else:
        where = "where" if pen.english else "spot"
        spot = Piece(pen.word("at" if pen.english else "spot", value))
        said = pen.fill("scene", {where: spot}, must=(where,)).text
    return f" {said[0].upper()}{said[1:]}." if pen.english else f"{said}。"
