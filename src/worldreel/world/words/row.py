"""A row of the tables of words: one value of the world and its phrases in both languages.

Phrases are written in one string, apart by semicolons; `(on|atop) (a|the) table` is four of them.
Slashes part the forms of one phrase: a noun's singular and plural, a verb's `rolls/roll/rolling`.
In Chinese a space parts words and is not written: 镜头 向左 摇. A phrase that stands twice is
taken twice as often. One with a question mark is understood but never written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product

LANGUAGES = ("en", "zh")

Forms = tuple[str, ...]  # of one phrase


@dataclass(frozen=True)
class Row:
    """Phrases of a value; kinds: of which things they are said, () for all that have no own row."""

    value: str
    en: tuple[Forms, ...]
    zh: tuple[Forms, ...]
    kinds: tuple[str, ...] = ()

    def phrases(self, language: str) -> tuple[Forms, ...]:
        """What is written."""
        held = self.en if language == "en" else self.zh
        return tuple(forms for forms in held if not forms[0].startswith("?"))

    def heard(self, language: str) -> tuple[Forms, ...]:
        """What is understood: all that is written, and more; the camera also without its "the"."""
        held = self.en if language == "en" else self.zh
        known = tuple((forms[0].removeprefix("?"), *forms[1:]) for forms in held)
        bare = (forms[0].removeprefix("the ") for forms in known)
        return known + tuple((form,) for form in bare if form.startswith("camera "))


Table = tuple[Row, ...]


def row(value: str, en: str, zh: str, kinds: tuple[str, ...] = ()) -> Row:
    """A row from its phrases as text."""
    return Row(value, _phrases(en), _phrases(zh), kinds)


def _phrases(text: str) -> tuple[Forms, ...]:
    whole = [phrase.strip() for phrase in text.split(";") if phrase.strip()]
    spelled = [one for phrase in whole for one in _spelled_out(phrase)]
    return tuple(tuple(phrase.split("/")) for phrase in spelled)


def _spelled_out(phrase: str) -> list[str]:
    """`(a|the) sea` as `a sea` and `the sea`."""
    parts = re.split(r"\(([^()]*)\)", phrase)
    choices = [part.split("|") if n % 2 else [part] for n, part in enumerate(parts)]
    return [" ".join("".join(bits).split()) for bits in product(*choices)]
