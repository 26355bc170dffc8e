"""English words in a Chinese prompt, taken for the Chinese words that say the same: 一个red球.

Each phrase of the world stands for what the same row of its table is called in Chinese, so that
what is told is what is read. A prompt with one Chinese character is a Chinese prompt.
"""

from __future__ import annotations

from functools import cache

from worldreel.prompt.phrases import STATES
from worldreel.prompt.pieces import plain
from worldreel.world.words import PHRASES

_SPOT = {"at": "spot", "along": "spot", "onto": "spot"}  # tables of English alone
# Where an English number stands before a thing, and what joins two.
_SMALL = {"one": "一个", "two": "两", "three": "三个", "four": "四个", "and": "和"}


@cache
def foreign() -> dict[str, str]:
    """By an English phrase the Chinese one; of those that may say several things, the first."""
    made = dict(_SMALL)
    for tables in STATES.values():
        for table in tables:
            chinese = _chinese(_SPOT[table] if table in _SPOT else table)
            for row in PHRASES[table]:
                meant = chinese.get(row.value)
                for form in {form for forms in row.heard("en") for form in forms}:
                    if meant and row.value:
                        made.setdefault(plain(form.rstrip("!"), "en"), meant)
    return made


def _chinese(table: str) -> dict[str, str]:
    """By a value the first of its Chinese phrases in a table."""
    made: dict[str, str] = {}
    for row in PHRASES[table]:
        for forms in row.phrases("zh"):
            made.setdefault(row.value, forms[0].rstrip("!").replace(" ", ""))
    return made
