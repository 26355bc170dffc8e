"""Slips of the finger in English words: which word of the world, or near word, was meant."""

from __future__ import annotations

import re
from functools import cache

from worldreel.models.text import Lexicon
from worldreel.prompt.common import REAL
from worldreel.prompt.near import near
from worldreel.prompt.pieces import names_of
from worldreel.world.words import lexicon

_VOWELS = re.compile("[aeiouy]")
_TOLD = 3  # letters from which on a slip is told from another word
_SURE = 7  # letters of a near word of which one more or one less is a slip


def slipped(word: str) -> str:
    """The word of the world that an English word is a form or a slip of; "" for none."""
    if word in REAL or not word.isalpha() or not word.isascii() or len(word) < _TOLD:
        return ""
    meant = _words().read(word).mapped.get(word, "")
    if not meant:
        meant = next((w for w in _stating(3, 8) if _swapped(word, w)), "")
    if not meant:
        meant = next((w for w in _stating(6, 6) if _one_less(word, w)), "")
    if not meant and not _VOWELS.search(word):
        meant = next((w for w in _stating(4, 6) if _one_less(word, w)), "")  # lft
    return meant if meant and names_of(meant, "en") - {"wear"} else ""


def near_slip(word: str) -> str:
    """The near word that an English one is a slip of: one letter more or less, or two swapped."""
    if len(word) < _SURE or word in REAL:
        return ""
    known = (w for w in near("en") if len(w) >= _SURE and w.isalpha() and w[0] == word[0])
    return next((w for w in known if _one_less(word, w) or _one_less(w, word)), "")


@cache
def _words() -> Lexicon:
    return Lexicon(sorted({w for entries in lexicon().values() for w in entries}))


@cache
def _stating(least: int, most: int) -> tuple[str, ...]:
    """English words of the world of some length that state something."""
    words = {w for w in lexicon()["en"] if w.isalpha() and w.isascii() and least <= len(w) <= most}
    return tuple(sorted(w for w in words if names_of(w, "en")))


def _one_less(less: str, more: str) -> bool:
    """Whether one letter within a word was left out."""
    return len(less) + 1 == len(more) and any(
        less == more[:i] + more[i + 1 :] for i in range(1, len(more))
    )


def _swapped(typed: str, word: str) -> bool:
    """Whether two letters changed places, or one of a pair was left out or put in."""
    if len(typed) == len(word):
        return len(word) <= 5 and any(
            typed == word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)
        )
    less, more = sorted((typed, word), key=len)
    return len(less) >= _TOLD and any(
        more[i] == more[i + 1] and less == more[:i] + more[i + 1 :] for i in range(len(more) - 1)
    )
