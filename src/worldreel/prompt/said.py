"""What a prompt says: the facts that the parser and the text encoder read in it, as one list.

The encoder knows words in any order, and always reads something; the parser knows the grammar, and
reads nothing that is not there. So what the encoder reads counts where a phrase of the prompt can
say it, and then comes first, for it is what the model is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch

from worldreel.models.text import TextEncoder
from worldreel.prompt.draft import Draft
from worldreel.prompt.phrases import CAMERAS, Meant, doers, phrases
from worldreel.prompt.pieces import CLAUSES
from worldreel.world.facts import Fact
from worldreel.world.labels import LABELS, in_order, labels
from worldreel.world.parse import parse
from worldreel.world.parse.grammar import grammar
from worldreel.world.stories import STORIES
from worldreel.world.words import IDLE as RESTING
from worldreel.world.words.nouns import NOUNS

Slots = Mapping[str, str]  # of LABELS: what is said, by the name of its slot
Spans = list[tuple[int, int, str, set[Meant]]]  # from and to which token, a phrase, what it says

_MARKS = frozenset(",;.!?\n，、；。！？")
_LOOSE = ("style", "camera", "action", "event")  # what is said in many ways
_AS = {("dominoes", "falls"): "topples", ("blocks", "falls"): "topples"}
_RELATED = {"hits": "hits", "stacks": "onto"}  # actions, and what they are of two things
_PILED = frozenset({"叠在"})  # says how several stand, and of none that it falls


@dataclass(frozen=True)
class Said:
    """facts: what is said; slots: the same as an encoder should read it; read: what of that it
    does. unused: known phrases that say something else than the facts do, as the second colour of
    one thing, with the names of facts that they speak of."""

    facts: tuple[Fact, ...]
    slots: Slots
    read: Slots
    unused: Mapping[str, frozenset[str]]


def said(
    encoder: TextEncoder,
    text: str,
    language: str,
    *,
    heard: Slots | None = None,
    owners: Mapping[int, int] | None = None,
) -> Said:
    """The facts of a prompt. heard: what the encoder reads in it, if that is known already.

    owners: to which piece each token belongs; what only a part of a Chinese word says is not said.
    """
    owned = owners if language == "zh" else None
    spans = spans_of(text, language, owned)
    broken = {m for *_, meant in spans_of(text, language) for m in meant}
    broken -= {m for *_, meant in spans for m in meant}
    parsed = [
        fact
        for fact in parse(text, language)
        if fact.name in ("kind", "count") or (fact.name, fact.value) not in broken
    ]
    can = _stated(spans)
    # To the right of another is no way that one goes.
    parsed = [f for f in parsed if f.name != "direction" or (f.name, f.value) in can]
    ours = slots(parsed)
    hinted = _hinted(text, language, spans)
    heard = encoded(encoder, text) if heard is None else heard
    theirs = {
        slot: value
        for slot, value in heard.items()
        if ((_name(slot), value) in can and (value not in _RELATED or _between(parsed, slot)))
        or (_name(slot), value) in hinted
        or (slot == "action0" and value == "hits" and ours.get(slot) in ("rolls", "slides"))
    }
    kinds = [slot for slot in LABELS if _name(slot) == "kind"]
    if any(s in ours for s in kinds) and [ours.get(s) for s in kinds] != [
        theirs.get(s) for s in kinds
    ]:  # which thing is which is not agreed on
        theirs = {s: v for s, v in theirs.items() if s == _name(s) and s != "side"}
    theirs = {s: v for s, v in theirs.items() if not _anothers(ours, s, v)}
    number = max(1, sum(_name(slot) == "kind" for slot in ours | theirs))
    theirs = {s: v for s, v in theirs.items() if s == _name(s) or int(s[-1]) < number}
    given = {(_name(slot), value) for slot, value in ours.items()}
    draft = _changed(
        parsed,
        {
            slot: value
            for slot, value in theirs.items()
            # What one does is not said of another, too.
            if ours.get(slot) != value
            and (_name(slot), value) not in given
            and not (_name(slot) == "manner" and _by_another(ours, slot, value))
        },
    )
    _stand_in(draft, text, language)
    _wave(draft)
    _deal(draft, spans)
    _settle(draft, [meant for *_, phrase, meant in spans if phrase in _unused(spans, draft)])
    _fit(draft, spans, language)
    facts = draft.facts()
    wanted = slots(facts)
    unused = _unused(spans, draft)
    read = {slot: value for slot, value in wanted.items() if heard.get(slot) == value}
    return Said(facts, wanted, read, unused)


def _anothers(ours: Slots, slot: str, value: str) -> bool:
    """Whether another that is named can do this: of a dog by a ball that rolls, the ball."""
    kind = ours.get(f"kind{slot[-1]}", "")
    if _name(slot) != "action" or not kind or value in manners(kind):
        return False
    return any(value in manners(v) for s, v in ours.items() if _name(s) == "kind")


def _by_another(ours: Slots, slot: str, value: str) -> bool:
    """Whether the parser reads that another thing does what is to be how this one does."""
    return any(_name(s) == "action" and s[-1] != slot[-1] and v == value for s, v in ours.items())


def _between(parsed: Sequence[Fact], slot: str) -> bool:
    """Whether there are two for what the first does to the second, and it is not said of these."""
    return slot != "action0" or any(fact.name in _RELATED.values() for fact in parsed)


def _stand_in(draft: Draft, text: str, language: str) -> None:
    """Of a text that names nobody, she is a woman and he a man."""
    tokens = grammar(language).tokens(text)
    for row in NOUNS["pronoun"]:
        words = {form for forms in row.heard(language) for form in forms}
        if row.kinds and words & {*tokens} and not any("kind" in t for t in draft.things):
            draft.things = draft.things or [{}]
            draft.things[0]["kind"] = row.kinds[0]


def _deal(draft: Draft, spans: Spans) -> None:
    """Of several alike and as many colours each has its own: three balls, red, green and blue."""
    told = [v for *_, meant in spans if {n for n, _ in meant} == {"color"} for _, v in meant]
    kinds = {thing.get("kind") for thing in draft.things}
    colors = {thing["color"] for thing in draft.things if "color" in thing}
    if 1 < len(draft.things) == len(told) == len({*told}) > len(colors) and len(kinds) == 1:
        for thing, color in zip(draft.things, told, strict=True):
            thing["color"] = color
            if "action" not in thing:
                thing.pop("direction", None)  # from left to right is then how they stand


def _wave(draft: Draft) -> None:
    """Who waves to us, and does no more, goes nowhere."""
    for fact in draft.others:
        if fact.name == "event" and fact.value == "waves":
            thing = draft.things[fact.args[0]]
            if "action" not in thing:
                thing.pop("direction", None)


def _fit(draft: Draft, spans: Spans, language: str) -> None:
    """Without what is only said of other kinds: a ship that floats stays, a ball may well rise.

    And without what takes two, where there is no other: a ball that falls onto the floor.
    """
    related = {(f.name, f.args[0]) for f in draft.others if len(f.args) > 1}
    piled = any(p in _PILED for *_, p, _ in spans)
    for index, thing in enumerate(draft.things):
        kind, action = thing.get("kind"), thing.get("action", "")
        if action in _RELATED and (_RELATED[action], index) not in related:
            del thing["action"]
            if action == "stacks" and "falls" in manners(kind or "") and not piled:
                thing["action"] = "falls"
            continue
        by = [doers(language)[p, action] for *_, p, m in spans if ("action", action) in m]
        goes = action not in RESTING and action in manners(kind or "")  # a robot strolls, too
        if kind and by and not goes and not any(not kinds or kind in kinds for kinds in by):
            del thing["action"]


@cache
def manners(kind: str) -> frozenset[str]:
    """What a kind does in any story."""
    return frozenset(m for story in STORIES.values() for m in story.manners.get(kind, ()))


def _unused(spans: Spans, draft: Draft) -> dict[str, frozenset[str]]:
    values = stated_by(slots(draft.facts()))
    return {p: frozenset(name for name, _ in m) for *_, p, m in spans if not m & values}


def stated_by(wanted: Slots) -> set[Meant]:
    """What slots say, as phrases state it: names and values of facts."""
    values = {(_name(slot), value) for slot, value in wanted.items()}
    values |= {("action", value) for name, value in values if name in ("manner", "event")}
    values |= {("manner", value) for name, value in values if name == "action"}
    if ("action", "falls") in values:
        values.add(("action", "stacks"))  # onto the floor
    if {("action", "hits"), ("action", "topples")} <= values:
        values.add(("action", "overturns"))
    return values


def _settle(draft: Draft, unused: Sequence[set[Meant]]) -> None:
    """Take an action that stands alone for that of all there is.

    And what a kind cannot do for the nearest that it can: dominoes fall over.
    """
    kinds = {thing.get("kind", "") for thing in draft.things}
    meant = {value for meanings in unused for name, value in meanings if name == "action"}
    meant = {_AS.get((kind, value), value) for kind in kinds for value in meant}
    does = {m for kind in kinds for m in manners(kind)}
    settled = (
        len(kinds) == 1
        and len(meant & does) == 1
        and not any("action" in thing for thing in draft.things)
    )
    for thing in draft.things:
        if settled:
            (thing["action"],) = meant & does
        action = thing.get("action", "")
        if action:
            thing["action"] = _AS.get((thing.get("kind", ""), action), action)
        if "manner" in thing and thing.get("action") != "hits":
            thing.setdefault("action", thing["manner"])
            del thing["manner"]


def encoded(encoder: TextEncoder, text: str) -> dict[str, str]:
    """What an encoder reads in a text, slot by slot; slots and values of the world alone."""
    with torch.no_grad():
        ids, _ = encoder.tokens([text])
        read = encoder.facts(encoder.read(ids))
    return {slot: value for slot, value in read.items() if value in LABELS.get(slot, ())}


def stateable(text: str, language: str) -> set[tuple[str, str]]:
    """What the phrases of a text can say, each by itself: names and values of facts."""
    return _stated(spans_of(text, language))


def _stated(spans: Spans) -> set[Meant]:
    """What phrases can say; in a line of penguins, the heap alone, there are no dominoes."""
    kinds = [(phrase, m) for *_, phrase, meant in spans for m in meant if m[0] == "kind"]
    heaps = {form for row in NOUNS["heap"] for forms in row.heard("en") for form in forms}
    alone_so = {m for _, m in kinds} - {m for phrase, m in kinds if phrase not in heaps}
    return {meant for *_, meanings in spans for meant in meanings} - alone_so


def slots(facts: Sequence[Fact]) -> dict[str, str]:
    """Facts as an encoder is to read them: by the name of its slot, without what is unsaid."""
    return {slot: LABELS[slot][n] for slot, n in labels(facts).items() if n} if facts else {}


def _name(slot: str) -> str:
    return slot.rstrip("0123456789")


def _changed(parsed: Sequence[Fact], read: Slots) -> Draft:
    """The parsed facts, but for what was read otherwise."""
    draft = Draft.of(parsed)
    order = in_order(parsed) if draft.things else []
    for slot, value in read.items():
        name = _name(slot)
        if name == slot and name != "side":
            draft.scene[name] = value
        elif name == "side":
            draft.others = [f for f in draft.others if f.name != "side"]
            draft.others += [Fact("side", (order[0], order[1]), value)] if order[1:] else []
        else:
            while len(order) <= int(slot[-1]):
                order.append(len(draft.things))
                draft.things.append({})
            index = order[int(slot[-1])]
            if name == "event":
                draft.others.append(Fact(name, (index,), value))
                continue
            draft.things[index][name] = value
            if name == "action":
                _relate(draft, order, index, value)
    return draft


def _relate(draft: Draft, order: Sequence[int], index: int, action: str) -> None:
    """What an action is of two things, as it now is."""
    old = {*_RELATED.values()} - {_RELATED.get(action)}
    draft.others = [f for f in draft.others if f.name not in old or f.args[0] != index]
    have = {(f.name, f.args[0]) for f in draft.others}
    if action in _RELATED and order[1:] and (_RELATED[action], index) not in have:
        draft.others.append(Fact(_RELATED[action], (index, order[1]), True))


# Phrases of the world in a text, and what each can say.


def spans_of(text: str, language: str, owners: Mapping[int, int] | None = None) -> Spans:
    """The longest known phrases of a text in order, each with the facts that it can state.

    owners: to which piece each token belongs, if phrases are to be of whole pieces.
    """
    tokens = grammar(language).tokens(text)
    found: list[tuple[int, int, set[Meant]]] = []
    for at in range(len(tokens)):
        ends: dict[int, set[Meant]] = {}
        for phrase, name, value in phrases(language).get(tokens[at], ()):
            if tokens[at : at + len(phrase)] == phrase:
                ends.setdefault(at + len(phrase), set()).add((name, value))
        found += [(at, e, m) for e, m in ends.items() if owners is None or _whole(at, e, owners)]
    glue = " " if language == "en" else ""
    return [
        (a, b, glue.join(tokens[a:b]), meant)
        for a, b, meant in found
        if not any((c <= a and b <= d) and (c, d) != (a, b) for c, d, _ in found)
    ]


def _whole(first: int, end: int, owners: Mapping[int, int]) -> bool:
    """Whether tokens are of whole pieces, or within one: 大雪里 has no 雪里 in it."""
    numbers = [owners[at] for at in range(first, end) if at in owners]
    if not numbers or numbers[0] == numbers[-1]:
        return True
    cut_off = owners.get(first - 1) == numbers[0] or owners.get(end) == numbers[-1]
    return not cut_off and {*range(numbers[0], numbers[-1] + 1)} <= {*numbers}


def _hinted(text: str, language: str, spans: Spans) -> set[Meant]:
    """Of what happens and how it is filmed, the facts of which single words speak.

    A word within a phrase speaks of what that says; of the camera, only a clause that names it.
    """
    words = alone(language)
    held = {at for a, b, *_ in spans for at in range(a, b)}
    found: set[Meant] = set()
    for clause in _clauses(grammar(language).tokens(text), language):
        filmed = CAMERAS.search((" " if language == "en" else "").join(t for _, t in clause))
        meant = {m for at, t in clause if at not in held for m in words.get(t, ())}
        found |= {(name, value) for name, value in meant if name != "camera" or filmed}
    return found


def _clauses(tokens: Sequence[str], language: str) -> list[list[tuple[int, str]]]:
    """Tokens with their numbers, cut at marks and at words that begin a clause."""
    found: list[list[tuple[int, str]]] = [[]]
    for at, token in enumerate(tokens):
        if token in CLAUSES[language] or token in _MARKS:
            found.append([])
        found[-1].append((at, token))
    return found


@cache
def alone(language: str) -> dict[str, set[Meant]]:
    """Words that stand in the phrases of one fact alone, with what these say.

    What every style is called by ("style" itself) says none of them.
    """
    said: dict[str, set[Meant]] = {}
    for group in phrases(language).values():
        for tokens, name, value in group:
            for token in tokens:
                said.setdefault(token, set()).add((name, value))
    names = {token: {name for name, _ in meant} for token, meant in said.items()}
    return {
        t: said[t]
        for t, (n, *others) in names.items()
        if not others and n in _LOOSE and not (n == "style" and len(said[t]) > 1)
    }
