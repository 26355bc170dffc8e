"""Pieces of a prompt, each with one fate, and what can be told of a piece by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from worldreel.prompt.phrases import meanings
from worldreel.world.parse.grammar import grammar

FATES = ("read", "mapped", "silent", "idle", "negated", "unknown")
READ, MAPPED, SILENCE, IDLENESS, NEGATED, UNKNOWN = FATES
_TIGHT = re.compile(r"[ \t'-]*")  # what may part the words of one phrase
ATTRS = frozenset({"color", "size", "material"})
DONE = frozenset({"action", "manner", "event"})  # by somebody
DEEDS = DONE | {"direction"}  # and whither
NUMBERS_EN = frozenset("one two three four 1 2 3 4".split())
COUNTS_ZH = frozenset("两 三 四 2 3 4".split())
NUMBERS_ZH = frozenset("一 两 二 三 四 五 六 七 八 九 十 几 半 2 3 4 5 6 7 8 9".split())
MEASURES = frozenset(
    "个 只 条 头 辆 列 艘 位 名 台 排 串 摞 叠 堆 颗 枚 张 座 架 匹 群 朵 片 块 件 套 棵 栋 "
    "幅".split()
)
# A no in two words; "nothing but a ball" is a ball.
EXCEPT = frozenset(
    {"everything but", "anything but", "all but", "apart from", "aside from", "other than"}
)
NO = {
    "en": frozenset(
        "no without not never zero 0 neither nor none nobody nothing cannot except "
        "excluding".split()
    )
    | EXCEPT,
    "zh": frozenset("没有 不要 不是 没 无 别 零 0 毫无 并非 不 不带 没有人 除了".split()),
}


# Words that begin another clause, of which others may be the subject, and "and" none of them.
CLAUSES = {
    "en": frozenset("while as but when".split()),
    "zh": frozenset("而 但 但是 同时".split()),
}


# Words between who does something and where that is: next to the train.
BESIDE = {
    "en": frozenset(
        "next beside near behind front with left right on under above by below beneath among "
        "inside atop opposite alongside underneath".split()
    ),
    "zh": frozenset({"在"}),
}
RELATIVES = frozenset("that which who whose where".split())


@dataclass(frozen=True)
class Piece:
    """A piece of a prompt: where it stands, its fate, and what is read for it ("" for nothing)."""

    start: int
    end: int
    typed: str
    fate: str
    meant: str
    names: frozenset[str] = frozenset()  # of the facts that it can state
    leads: bool = False  # whether it only leads to another, and is told with that


def merged(
    pieces: list[Piece], which: Sequence[int], text: str, fate: str, names: Sequence[str] | set = ()
) -> list[Piece]:
    """Some neighbours as one piece that is not read."""
    if not which:
        return pieces
    a, b = which[0], which[-1]
    start, end = pieces[a].start, pieces[b].end
    one = Piece(start, end, text[start:end], fate, "", frozenset(names))
    return [*pieces[:a], one, *pieces[b + 1 :]]


def tight(text: str, start: int, end: int) -> bool:
    """Whether nothing but spaces parts two pieces."""
    return bool(_TIGHT.fullmatch(text, start, end))


def unbroken(pieces: Sequence[Piece], which: range, text: str) -> bool:
    """Whether the pieces of a range belong together, with no mark between them."""
    return all(tight(text, pieces[i].end, pieces[i + 1].start) for i in which[:-1])


def clause(pieces: Sequence[Piece], at: int, text: str, language: str) -> range:
    """The pieces of the clause that one is in: up to a mark or a word that begins another."""
    first = last = at
    while first and _joined(pieces, first - 1, text, language):
        first -= 1
    while last + 1 < len(pieces) and _joined(pieces, last, text, language):
        last += 1
    return range(first, last + 1)


def _joined(pieces: Sequence[Piece], at: int, text: str, language: str) -> bool:
    """Whether a piece and the next are in one clause."""
    both = pieces[at : at + 2]
    if any(plain(piece.typed, language) in CLAUSES[language] for piece in both):
        return False
    return tight(text, both[0].end, both[1].start)


def straight(text: str) -> str:
    return text.lower().replace("’", "'") if len(text.lower()) == len(text) else text


def plain(text: str, language: str) -> str:
    return " ".join(straight(text).replace("-", " ").split())


@cache
def names_of(word: str, language: str) -> frozenset[str]:
    """Of which facts a word or its world's phrase can be the value."""
    found = {name for name, _ in meanings(word, language)}
    if word in NUMBERS_EN or word.startswith("四") or word in ("两", "三个"):
        return frozenset({"number"})
    if not found:
        tokens = grammar(language).tokens(word)
        found = {n for t in tokens for n, _ in meanings(t, language)} if len(tokens) > 1 else found
    return frozenset(found)
