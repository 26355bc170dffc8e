"""A text of several shots cut into its shots, at the words that join them."""

from __future__ import annotations

import re
from functools import cache

from worldreel.world.words.frames import SHOTS
from worldreel.world.words.slots import spelled_out

Span = tuple[float, float]  # seconds from the clip's beginning: start, end

_SECONDS = {"{start}": r"(?P<start>\d+(?:\.\d+)?)", "{end}": r"(?P<end>\d+(?:\.\d+)?)"}


@cache
def _joints(language: str) -> tuple[re.Pattern[str], ...]:
    """What stands before a shot, at the beginning of a sentence."""
    templates = {t for group in SHOTS.values() for t in group[language]}
    starts = [bits for text in sorted(templates) for bits in spelled_out(text)]
    return tuple(
        re.compile("".join(map(_pattern, bits[: bits.index("{shot}")])), re.IGNORECASE)
        for bits in starts
    )


def _pattern(bit: str) -> str:
    """A bit of a template as a pattern: commas and colons may be left out."""
    if bit in _SECONDS:
        return rf"\s*{_SECONDS[bit]}\s*"
    return re.sub(r"\\?[,:，：]", "[,:，：]?", re.sub(r"(\\ )+", r"\\s*", re.escape(bit)))


def cut(text: str, language: str) -> list[tuple[str, Span | None]]:
    """The text of each shot, with its span where it is said; a text of one shot is that one."""
    found: list[tuple[int, int, Span | None]] = []
    for begin in [0, *(stop.end() for stop in re.finditer(r"[!?。！？]\s*|[.\n]\s+", text))]:
        matches = [joint.match(text, begin) for joint in _joints(language)]
        match = max((m for m in matches if m), key=lambda m: m.end(), default=None)
        if match:
            seconds = match.groupdict()
            span = (float(seconds["start"]), float(seconds["end"])) if seconds else None
            found.append((begin, match.end(), span))
    if not found:
        return [(text, None)]
    ends = [begin for begin, _, _ in found[1:]] + [len(text)]
    shots = [(text[start:end], span) for (_, start, span), end in zip(found, ends, strict=True)]
    before = text[: found[0][0]]
    return ([(before, None)] if before.strip() else []) + shots
