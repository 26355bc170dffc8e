"""The words of the world: for every value of every slot its phrases, in English and Chinese.

Tables of phrases (`nouns`, `verbs`, `sides`, `places`, `skies`, `filming`) and one of templates.
Captions are written from them, the text encoder's lexicon is read off them, and the parser turns
them round. A new value of the world is a new row.
"""

from __future__ import annotations

from worldreel.world.words.filming import FILMING
from worldreel.world.words.nouns import HEAPS, NOUNS, PEOPLE
from worldreel.world.words.places import OUTDOORS, PLACES
from worldreel.world.words.row import LANGUAGES, Forms, Row, Table
from worldreel.world.words.sides import SIDES
from worldreel.world.words.skies import SKIES
from worldreel.world.words.slots import SLOTS, literals, written
from worldreel.world.words.templates import TEMPLATES
from worldreel.world.words.verbs import IDLE, VERBS

__all__ = [
    "HEAPS", "IDLE", "LANGUAGES", "OUTDOORS", "PEOPLE", "PHRASES", "SLOTS", "TEMPLATES",
    "Forms", "Row", "Table", "lexicon", "phrases",
]  # fmt: skip


def _of(table: Table, *values: str, without: tuple[str, ...] = ()) -> Table:
    return tuple(r for r in table if r.value in values or (not values and r.value not in without))


_ACTIONS = VERBS["action"]

PHRASES: dict[str, Table] = {
    **NOUNS,
    **VERBS,
    **SIDES,
    **PLACES,
    **SKIES,
    **FILMING,
    # Parts of these tables that a template asks for by a name of their own.
    "action": _of(_ACTIONS, without=("topples",)),
    "toppling": _of(_ACTIONS, "topples"),
    "manner": _of(_ACTIONS, without=("topples", "falls", *IDLE)),
    "person": _of(NOUNS["kind"], *PEOPLE),
    "when": (*SKIES["light"], *SKIES["sky"]),
}


def phrases(slot: str, value: str, language: str, kind: str = "") -> tuple[Forms, ...]:
    """The phrases of a value, each in all its forms: those of a kind, where it has its own."""
    rows = [r for r in PHRASES[slot] if r.value == value]
    own = [r for r in rows if kind in r.kinds] or [r for r in rows if not r.kinds] or rows
    return tuple(phrase for r in own for phrase in r.phrases(language))


# Slots of which an English phrase of a few words is a word of the lexicon, too.
_WHOLE = (
    "kind", "color", "size", "direction", "side", "setting", "when", "weather", "style",
)  # fmt: skip


def lexicon() -> dict[str, list[str]]:
    """Every word that the grammar can write, per language, sorted.

    English: lower-case words, and short phrases whole; Chinese: what a longest match cuts a
    caption into. Punctuation is none of it.
    """
    english, chinese = set(), set()
    for slot, table in PHRASES.items():
        for row in table:
            whole = [form for phrase in row.phrases("en") for form in phrase]
            english |= {word for form in whole for word in form.split()}
            if slot in _WHOLE:
                english |= {form for form in whole if len(form.split()) < 4}
            chinese |= {
                word for p in row.phrases("zh") for form in p for word in form.rstrip("!").split()
            }
    for templates in TEMPLATES.values():
        english |= {w for t in written(templates["en"]) for bit in literals(t) for w in bit.split()}
        chinese |= {bit for t in written(templates["zh"]) for bit in literals(t)}
    english = {word.lower() for word in english} | {"an"}
    return {"en": sorted(english), "zh": sorted(chinese)}
