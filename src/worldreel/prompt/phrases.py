"""The world's phrases, and the facts that each can state."""

from __future__ import annotations

import re
from functools import cache

from worldreel.world.parse.grammar import Tokens, grammar
from worldreel.world.words import PHRASES

# Of which fact each table of phrases is the value.
STATES = {
    "setting": ("setting", "at", "along", "onto", "spot"),
    "light": ("light", "sky", "hour", "time"),
    "weather": ("weather", "air", "foul", "forecast"),
    "style": ("style", "medium"),
    "camera": ("camera", "follows"),
    "kind": ("kind", "heap", "pieces", "person"),
    "color": ("color",),
    "size": ("size", "measured"),
    "material": ("material", "made"),
    "action": (
        "action", "toppling", "stays", "sits", "lands", "collision", "hit", "landing",
        "overturning", "fells",
    ),
    "manner": ("manner",),
    "event": ("event",),
    "direction": ("direction", "nearing", "goal", "start", "pull"),
    "side": ("side", "flank"),
    "wear": ("garment",),  # no fact, but 大衣 is not large
}  # fmt: skip

CAMERAS = re.compile(r"\b(?:camera|shot|cam|lens|zoom\w*|pan\w*|orbit\w*)\b|镜头|摄像机|机位")
Meant = tuple[str, str]  # the name of a fact, and its value


@cache
def phrases(language: str) -> dict[str, list[tuple[Tokens, str, str]]]:
    """By its first token each phrase of the world, with the fact that it states."""
    held: dict[str, list[tuple[Tokens, str, str]]] = {}
    for name, tables in STATES.items():
        for row in (row for table in tables for row in PHRASES[table]):
            for phrase in {form.rstrip("!") for forms in row.heard(language) for form in forms}:
                text = phrase if language == "en" else phrase.replace(" ", "")
                tokens = grammar(language).tokens(text)
                if tokens and row.value:
                    held.setdefault(tokens[0], []).append((tokens, name, row.value))
    return held


@cache
def doers(language: str) -> dict[tuple[str, str], frozenset[str]]:
    """By a phrase and the action that it states the kinds of which it says so; none for all."""
    held: dict[tuple[str, str], list[frozenset[str]]] = {}
    glue = " " if language == "en" else ""
    for row in (row for table in STATES["action"] for row in PHRASES[table]):
        for phrase in {form.rstrip("!") for forms in row.heard(language) for form in forms}:
            text = glue.join(grammar(language).tokens(phrase))
            held.setdefault((text, row.value), []).append(frozenset(row.kinds))
    return {
        key: frozenset() if frozenset() in kinds else frozenset().union(*kinds)
        for key, kinds in held.items()
    }


def meanings(text: str, language: str) -> frozenset[Meant]:
    """What a phrase can state as a whole: names and values of facts."""
    tokens = grammar(language).tokens(text)
    return _meanings(language).get(tokens, frozenset())


@cache
def _meanings(language: str) -> dict[Tokens, frozenset[Meant]]:
    held: dict[Tokens, set[Meant]] = {}
    for group in phrases(language).values():
        for tokens, name, value in group:
            held.setdefault(tokens, set()).add((name, value))
    return {tokens: frozenset(found) for tokens, found in held.items()}
