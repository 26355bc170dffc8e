"""What a prompt is understood to say, and what became of each of its words: one reading for all.

Whatever takes a prompt reads it here: `generate` and its neighbours, `prompt`, the rewriter, and
those who judge. What nothing in the prompt says is not understood, though the encoder may read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from worldreel.errors import SceneError
from worldreel.models.text import Reading, TextEncoder
from worldreel.prompt.account import Account, account
from worldreel.prompt.draft import Draft
from worldreel.prompt.fates import fates, told_by
from worldreel.prompt.phrases import Meant
from worldreel.prompt.pieces import DEEDS, READ, UNKNOWN
from worldreel.prompt.said import Said, manners, said, stateable
from worldreel.prompt.said import slots as slots_of
from worldreel.prompt.sharing import shared
from worldreel.prompt.subjects import by_the_first
from worldreel.prompt.unshown import COMPANY
from worldreel.world.labels import LABELS
from worldreel.world.parse.shots import cut

_LONG = 20  # characters per word of an encoder's window
_NOTHING = Said((), {}, {}, {})


@dataclass(frozen=True, kw_only=True)
class Understood:
    """account: each word's fate; said: the facts; slots: the same as the transformer is told them.

    logits: the encoder's, one tensor 1 v for each of M slots; reading: the words that it was given.
    """

    account: Account
    said: Said
    slots: Mapping[str, str]
    logits: list[Tensor]
    reading: Reading

    def states(self, encoder: TextEncoder) -> Tensor:
        """1 M E: the encoder's own where it reads what is said, else the code of what is said."""
        told = []
        for (name, values), x in zip(encoder.labels.items(), self.logits, strict=True):
            value = values.index(self.slots[name]) if self.slots.get(name) in values else 0
            agrees = int(x[0].argmax()) == value or name not in LABELS
            sure = functional.one_hot(torch.tensor([value], device=x.device), len(values))
            told.append(x if agrees else sure.to(x.dtype).log())
        return encoder.states(told)


@torch.no_grad()
def understand(encoder: TextEncoder, prompt: str, *, seed: int = 0) -> Understood:
    """Read a prompt. seed: of which words follow that may mean either of two, as a person may."""
    told = account(prompt, pick=seed)
    ids, (reading,) = encoder.tokens([told.text])
    logits = encoder.read(ids)
    heard = encoder.facts(logits) if reading.ids else {}
    heard = {slot: value for slot, value in heard.items() if value in LABELS.get(slot, ())}
    by, found = told_by(told), _NOTHING
    if not beyond(encoder, told.text) and len(cut(told.text, told.language)) == 1:
        try:
            found = said(encoder, told.text, told.language, heard=heard, owners=told.owners)
            found = by_the_first(_in_company(found, told), told)
            found = _without_whom(shared(found, told, by), told, by)
        except SceneError:  # parts too deep within each other
            pass
        slots = dict(found.slots)
    if not found.facts:
        can = stateable(told.text, told.language)
        slots = {
            slot: value
            for slot, value in heard.items()
            if (slot.rstrip("0123456789"), value) in can or slot == "shots"
        }
        if any(slot.startswith("kind") for slot in slots):
            slots |= {s: v for s, v in heard.items() if s.startswith("count")}
        slots = _nobody(slots) if told.of(UNKNOWN) else slots
    told = replace(told, pieces=fates(told, slots, encoder, by))
    return Understood(account=told, said=found, slots=slots, logits=logits, reading=reading)


def beyond(encoder: TextEncoder, text: str) -> bool:
    """Whether a text is longer than the encoder's window, or one that no one could parse."""
    most = encoder.preset.max_words
    return len(encoder.lexicon.read(text).ids) > most or len(text) > _LONG * most


def _without_whom(found: Said, told: Account, by: Mapping[int, set[Meant]]) -> Said:
    """Without what is done by one that is not known: of a bird that flies nothing is left."""
    if any(slot.startswith("kind") for slot in found.slots):
        return found
    if not told.of(UNKNOWN):
        if not any(
            p.fate == READ and p.meant and not p.names and n not in by
            for n, p in enumerate(told.pieces)
        ):
            return found  # water that falls does so unseen
    facts = tuple(fact for fact in found.facts if fact.name not in DEEDS)
    return Said(facts, _nobody(found.slots), _nobody(found.read), found.unused)


def _in_company(found: Said, told: Account) -> Said:
    """With what one does together with another: 女人带着狗跑, and both run; a ball does not."""
    draft = Draft.of(found.facts)
    doing = [dict(thing) for thing in draft.things if "action" in thing]
    if COMPANY not in told.mapped.values() or len(draft.things) != 2 or not doing:
        return found
    for thing in draft.things:
        able = doing[0]["action"] in manners(thing.get("kind", ""))
        for name in ("action", "direction"):
            if able and len(doing) == 1 and name in doing[0]:
                thing[name] = doing[0][name]
            elif not able and len(doing) > 1:
                thing.pop(name, None)
    facts = draft.facts()
    return replace(found, facts=facts, slots=slots_of(facts))


def _nobody(slots: Mapping[str, str]) -> dict[str, str]:
    if any(slot.startswith("kind") for slot in slots):
        return dict(slots)
    return {s: v for s, v in slots.items() if s.rstrip("0123456789") not in DEEDS | {"count"}}
