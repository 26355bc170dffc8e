"""What each slot of a template holds, and how a template is taken apart.

Who writes fills the slots of one template; who reads tries all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import product

# A template's slot -> (the table or the clause that fills it, which of a phrase's forms).
# Forms: one, several (nouns); finite, participle (verbs); subject, object (pronouns); clause, tag
# (cameras).
SLOTS: dict[str, tuple[str, str]] = {
    # Things: subject and object, new or named again.
    "a": ("things", ""),
    "b": ("thing", ""),
    "the": ("known", ""),
    "it": ("pronoun", "subject"),
    "them": ("pronoun", "object"),
    "idle": ("things", ""),
    **{f"thing{n}": ("thing", "") for n in (1, 2, 3, 4)},
    **{name: (name, "") for name in ("new", "more", "again", "bare")},
    "named": ("named", ""),
    "nameds": ("nameds", ""),
    "looks": ("looks", ""),
    "look": ("look", ""),
    "noun": ("kind", "one"),
    "nouns": ("kind", "several"),
    "person": ("person", "one"),
    "persons": ("person", "several"),
    "heap": ("heap", "one"),
    "heaps": ("heap", "several"),
    "pieces": ("pieces", ""),
    "garment": ("garment", "one"),
    "garments": ("garment", "several"),
    "color": ("color", ""),
    "size": ("size", ""),
    "material": ("material", ""),
    "measured": ("measured", ""),
    "made": ("made", ""),
    "number": ("number", ""),
    "measure": ("measure", ""),
    "attire": ("attire", ""),
    "doing so": ("doing so", ""),
    # What they do.
    "does": ("action", "finite"),
    "goes": ("action", "finite"),  # Chinese: of what can be said to go on, after 正在
    "crosses": ("action", "finite"),  # Chinese: of one character, 跑 in 跑过草地
    "doing": ("action", "participle"),
    "moves": ("manner", "finite"),
    "moving": ("manner", "participle"),
    "happens": ("event", "finite"),
    "happening": ("event", "participle"),
    "hits": ("collision", "finite"),
    "hitting": ("collision", "participle"),
    "hit": ("hit", ""),
    "stacks": ("landing", "finite"),
    "stacking": ("landing", "participle"),
    "atop": ("atop", ""),
    "overturns": ("overturning", "finite"),
    "overturning": ("overturning", "participle"),
    "topples": ("toppling", "finite"),
    "toppling": ("toppling", "participle"),
    "fells": ("fells", "finite"),
    "felling": ("fells", "participle"),
    "then": ("then", ""),
    "stays": ("stays", ""),
    "sits": ("sits", ""),  # Chinese: 桌上放着一个球
    "lands": ("lands", ""),  # Chinese: 球落在雪地上
    "way": ("direction", ""),
    "pull": ("pull", ""),
    "nearing": ("nearing", ""),
    "from": ("start", ""),
    "to": ("goal", ""),
    "side": ("side", ""),
    "flank": ("flank", ""),
    "other": ("flank", ""),  # the opposite one
    "is": ("is", "finite"),
    "all": ("all", ""),
    # Where, when, how.
    "setting": ("setting", ""),
    "where": ("where", ""),
    "at": ("at", ""),
    "along": ("along", ""),
    "onto": ("onto", ""),
    "spot": ("spot", ""),
    "within": ("within", ""),
    "anything": ("anything", ""),  # a word that is not known
    "light": ("when", ""),
    "hour": ("hour", ""),
    "foul": ("foul", ""),
    "time": ("time", ""),
    "weathered": ("weathered", ""),
    "weathered tag": ("weathered tag", ""),
    "keyword": ("keyword", ""),
    "weather": ("weather", ""),
    "forecast": ("forecast", ""),
    "air": ("air", ""),
    "style": ("style", ""),
    "medium": ("medium", ""),
    "camera": ("filming", ""),
    "cut": ("camera", "clause"),
    "move": ("camera", "tag"),
    "follows": ("follows", ""),
}


@cache
def _parts(template: str) -> tuple[tuple[bool, tuple[str, ...]], ...]:
    """(whether it may be left out, its bits): a bit is `{slot}` or literal text."""
    whole = re.split(r"\[([^\]]*)\]", template.removeprefix("?"))
    bits = [tuple(bit for bit in re.split(r"(\{[^}]*\})", part) if bit) for part in whole]
    return tuple((n % 2 == 1, part) for n, part in enumerate(bits) if part)


@cache
def slots(template: str) -> tuple[frozenset[str], frozenset[str]]:
    """The slots that a template needs, and all that it can hold."""
    needed, held = set(), set()
    for optional, bits in _parts(template):
        names = {bit[1:-1] for bit in bits if bit.startswith("{")}
        held |= names
        needed |= set() if optional else names
    return frozenset(needed), frozenset(held)


def filled(template: str, given: frozenset[str]) -> tuple[str, ...]:
    """The template's bits, without the optional parts for which a slot is not given."""
    return tuple(
        bit
        for optional, bits in _parts(template)
        if not optional or {b[1:-1] for b in bits if b.startswith("{")} <= given
        for bit in bits
    )


def spelled_out(template: str) -> list[tuple[str, ...]]:
    """All that a template can be: its bits with and without each optional part."""
    choices = [((), bits) if optional else (bits,) for optional, bits in _parts(template)]
    return [tuple(bit for part in parts for bit in part) for parts in product(*choices)]


def written(templates: Iterable[str]) -> list[str]:
    """Those that are not only understood, as one with a question mark is."""
    return [template for template in templates if not template.startswith("?")]


def literals(template: str) -> list[str]:
    """The words between the slots, without punctuation."""
    text = re.split(r"\{[^}]*\}|[\[\],:，：、]", template)
    return [bit.strip() for bit in text if bit.strip()]
