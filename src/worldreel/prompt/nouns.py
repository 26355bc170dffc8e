"""What a prompt calls its things, kept in the caption: a girl is no lady, and a puppy no hound."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from worldreel.prompt.account import account
from worldreel.prompt.pieces import MAPPED, READ, Piece, plain
from worldreel.world.words import HEAPS, PHRASES, Forms

Called = Mapping[str, tuple[Forms, ...]]  # by its kind what things are called, in all forms


def called(pieces: Sequence[Piece], language: str) -> Called:
    """What is understood of the nouns of a prompt, near words as what they were taken for."""
    found: dict[str, tuple[Forms, ...]] = {}
    for piece in pieces:
        named = _named(piece, language)
        if named is not None:
            kind, forms = named
            found[kind] = tuple(dict.fromkeys((*found.get(kind, ()), forms)))
    return found


def renamed(caption: str, nouns: Called, language: str) -> str | None:
    """A caption that calls things as they were called; None where it misses one of their names."""
    out, at = "", 0
    kept: set[Forms] = set()
    for piece in account(caption, language=language).pieces:
        named = _named(piece, language)
        wanted = nouns.get(named[0], ()) if named else ()
        out += caption[at : piece.start]
        at = piece.end
        noun = caption[piece.start : piece.end]
        if named and wanted:
            forms = named[1] if named[1] in wanted else wanted[0]
            kept.add(forms)
            if forms != named[1]:
                several = language == "en" and plain(noun, language) == named[1][-1]
                noun = forms[-1] if several else forms[0]
                vowel = noun[0] in "aeiou"
                out = re.sub(r"\b([Aa])n? $", r"\1n " if vowel else r"\1 ", out)
                noun = noun.capitalize() if not out else noun
        out += noun
    missed = {forms for wanted in nouns.values() for forms in wanted} - kept
    return None if missed else out + caption[at:]


def _named(piece: Piece, language: str) -> tuple[str, Forms] | None:
    """The kind that a piece names, and the noun in all its forms."""
    if piece.fate not in (READ, MAPPED) or "kind" not in piece.names:
        return None
    return _nouns(language).get(plain(piece.meant, language))


@cache
def _nouns(language: str) -> dict[str, tuple[str, Forms]]:
    """By each form of a noun its kind and all forms; heaps have no other names."""
    return {
        form.replace(" ", "" if language == "zh" else " "): (row.value, forms)
        for row in PHRASES["kind"]
        if row.value not in HEAPS
        for forms in row.heard(language)
        for form in forms
    }
