"""Words that show nothing by themselves: a closed class, and those that do so only where they lead.

HOLDS words hold any sentence together: articles, copulas, pronouns, conjunctions. LEADS are
prepositions, particles and verbs of little meaning: each goes with a phrase that states one of some
facts, "in" with a place and "off" with none. Where no such phrase was understood, a lead is
reported like any other word, with what it leads: nothing of it is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from worldreel.prompt.phrases import CAMERAS
from worldreel.prompt.pieces import (
    IDLENESS,
    MAPPED,
    MEASURES,
    NEGATED,
    NUMBERS_ZH,
    READ,
    SILENCE,
    UNKNOWN,
    Piece,
    plain,
    tight,
)

HOLDS = {
    "en": frozenset(
        "a an the this that these those and or but while when as which who whose where is are "
        "was were be been being am it its it's they them their she he her his him we us i me my "
        "our you your there there's here here's do does did some any s d ll re ve let's lets "
        "also too".split()
    ),
    "zh": frozenset(
        "的 了 着 地 得 有 有着 有的 是 和 与 跟 及 或 而 且 并 也 都 就 还 又 这 那 它 它们 他 她 "
        "他们 她们 我 我们 你 你们 之 其 其中 以及 同时 正在 正 会 能 可以 "
        "可是 但是 但 因为 所以 如果 它的 他的 她的 我的 我们的 你的 一 可以看到 能看到 "
        "a an the is are".split()
    ),
}
# Chinese words that count, where a number or a pointing word stands before them.
COUNTED = frozenset("场 种 股 道 滴 把 双 对 根 支 家 部 段 栋 套".split()) | MEASURES
_COUNTS = NUMBERS_ZH | frozenset("这 那 每 另 另外".split())

_ONWARD, _BACK, _EITHER, _LATER = "onward", "back", "either", "later"
_STEPS = {_ONWARD: (1,), _BACK: (-1,), _EITHER: (1, -1), _LATER: (1,)}


@dataclass(frozen=True)
class Lead:
    """way: on which side it has its phrase, or anywhere in its clause; names: of which facts."""

    way: str
    names: frozenset[str]


def _leads(*rows: tuple[str, str, str]) -> dict[str, tuple[Lead, ...]]:
    """From rows of words, where their phrase stands, and of which facts it states one."""
    made: dict[str, tuple[Lead, ...]] = {}
    for words, way, names in rows:
        for word in words.split("; "):
            made[word] = (*made.get(word, ()), Lead(way, frozenset(names.split())))
    return made


_AROUND = "setting light weather style"
_LOOKS = "kind number color size material"
_PLACED = frozenset(_AROUND.split())  # what has its lead within, as in: near the corals
_DOES = "action event manner direction"
LEADS = {
    "en": _leads(
        ("in", _ONWARD, f"{_AROUND} wear color camera"),
        ("on", _ONWARD, f"{_AROUND} wear"),
        ("at", _ONWARD, "setting light weather"),
        ("with", _ONWARD, f"{_LOOKS} wear weather camera"),
        ("by", _ONWARD, "setting"),
        ("of", _ONWARD, f"{_AROUND} {_LOOKS} wear action"),
        ("from", _ONWARD, "direction"),
        ("to", _ONWARD, "direction setting camera side"),
        ("onto; across; along; through; over; down", _ONWARD, "setting"),
        ("next to; beside; near; nearby", _ONWARD, "setting"),  # where two stand is no fact
        ("wearing; dressed", _ONWARD, "wear color"),
        ("has; have; had; having", _ONWARD, f"{_DOES} {_LOOKS} wear"),
        ("during", _ONWARD, "light weather"),
        ("goes; go; going; comes; come; coming; came; moves; move; moving", _EITHER, "direction"),
        ("get; gets; got", _ONWARD, "action"),
        ("then", _ONWARD, "event"),  # of other deeds, which comes first is no fact
        ("more; another; other; one; both; each; all", _EITHER, _LOOKS),
        (
            "for; off; up; out; into; next; side; until; before; after; seen; appear; appears; "
            "located; midway; only; just; so; very; really; quite; rather",
            _ONWARD,
            "",
        ),
    ),
    "zh": _leads(
        ("在; 于", _ONWARD, f"{_AROUND} {_DOES} side"),
        ("在", _LATER, "side"),
        ("位于; 处于", _LATER, "setting side"),
        ("从; 向; 朝; 往", _ONWARD, "direction"),
        ("到", _EITHER, "direction setting side"),
        ("穿; 穿着; 身穿; 戴; 戴着; 带; 带着", _ONWARD, "wear color"),
        ("把; 将; 被; 让; 使; 用; 由", _LATER, f"{_DOES} material camera"),
        ("过", _EITHER, f"{_DOES} setting camera"),
        ("穿过", _ONWARD, "setting"),
        ("来; 去; 过来; 过去", _BACK, _DOES),
        ("然后; 随后; 接着; 之后", _ONWARD, "event"),
        ("上; 里; 中; 内; 间; 上面; 里面", _BACK, _AROUND),
        ("下; 下面", _BACK, "light weather"),
        ("边; 旁; 旁边; 附近", _EITHER, "setting"),
        ("为; 以; 所; 对; 给; 前; 后; 外; 面前; 出现; 看到; 看见; 一起; 只是; 再", _ONWARD, ""),
    ),
}  # fmt: skip
# What goes with a second thing, where a fact says what the first does to it, or how they stand.
_RELATING = frozenset("on onto into by in to then 在 上 上面 把 将 被 然后 随后 接着 之后".split())
# What goes with what the camera shows: zoom in on a ball.
_FILMING = frozenset("on to at from over up into of 从 到 向".split())
SILENT = {
    "en": HOLDS["en"] | {*LEADS["en"]},
    "zh": HOLDS["zh"] | {*LEADS["zh"]} | COUNTED,
}


def settled(
    pieces: Sequence[Piece],
    text: str,
    language: str,
    *,
    joints: frozenset[str],
    related: bool,
) -> tuple[Piece, ...]:
    """The pieces, but for silent ones that hold nothing and lead to nothing: these are told.

    joints: whole phrases of the world that join clauses. related: whether a fact is of two things.
    """
    clause = _Clause(pieces, text, language, related)
    out = list(pieces)
    for at, piece in enumerate(pieces):
        if piece.fate == SILENCE and plain(piece.typed, language) not in joints:
            words = _words(piece.typed, language)
            fates = [clause.fate(word, at) for word in words]
            fate = next((f for f in (UNKNOWN, NEGATED, IDLENESS) if f in fates), SILENCE)
            leads = fate != SILENCE and not LEADS[language].keys().isdisjoint(words)
            out[at] = replace(piece, fate=fate, leads=leads)
    return tuple(out)


def _words(typed: str, language: str) -> tuple[str, ...]:
    word = plain(typed, language)
    if word in SILENT[language]:
        return (word,)
    return tuple(word.split() if language == "en" else word)


@dataclass(frozen=True)
class _Clause:
    """Pieces that have their fates, but for the silent ones."""

    pieces: Sequence[Piece]
    text: str
    language: str
    related: bool

    def fate(self, word: str, at: int) -> str:
        """That of a silent word in a place."""
        if word in HOLDS[self.language] or (self.language == "zh" and self._counts(word, at)):
            return SILENCE
        leads = LEADS[self.language].get(word, ())
        sides = []
        for lead in leads:
            for step in _STEPS[lead.way]:
                sides.append(list(self._phrase(at, step)))
                if self._states(word, lead, sides[-1]):
                    return SILENCE
            if lead.way == _LATER and any(p.names & lead.names for p in self._later(at)):
                return SILENCE
        if leads and self._films(word, at):
            return SILENCE
        ahead = {found[0].fate for found in sides if found}
        return next((fate for fate in (UNKNOWN, NEGATED) if fate in ahead), IDLENESS)

    def _counts(self, word: str, at: int) -> bool:
        """Whether a measure word counts what follows it."""
        if word not in COUNTED:
            return False
        before = self.pieces[at - 1] if at else None
        if before is not None and (before.typed[-1] in _COUNTS or "number" in before.names):
            return True
        after = self.pieces[at + 1] if at + 1 < len(self.pieces) else None
        return after is not None and after.fate in _TOLD and bool(after.names & {*_LOOKS.split()})

    def _states(self, word: str, lead: Lead, phrase: Sequence[Piece]) -> bool:
        """Whether a phrase was understood to state what this lead goes with."""
        head = phrase[-1] if phrase else None
        if head is None or head.fate not in _TOLD:
            return False
        names = lead.names | ({*_LOOKS.split()} if self._relates(word) else set())
        if not head.names:  # within a longer phrase
            return bool(names)
        led = head.names <= _PLACED and plain(head.typed, "en").split()[0] in LEADS["en"]
        return bool(head.names & names) and not led

    def _relates(self, word: str) -> bool:
        return self.related and word in _RELATING

    def _films(self, word: str, at: int) -> bool:
        """Whether a lead stands between the camera and what it shows."""
        before, after = list(self._phrase(at, -1)), list(self._phrase(at, 1))
        if word not in _FILMING or not before or not after or after[-1].fate not in _TOLD:
            return False
        camera = "camera" in before[0].names or CAMERAS.fullmatch(before[0].typed.lower())
        return before[0].fate in _TOLD and bool(camera)

    def _later(self, at: int) -> Iterator[Piece]:
        """What was read later in the clause."""
        for i in range(at + 1, len(self.pieces)):
            if not tight(self.text, self.pieces[i - 1].end, self.pieces[i].start):
                return
            if self.pieces[i].fate in _TOLD:
                yield self.pieces[i]

    def _phrase(self, at: int, step: int) -> Iterator[Piece]:
        """What a lead leads, up to what was understood of it: a fluffy dog, no more than that."""
        now = at + step
        while 0 <= now < len(self.pieces):
            left, right = sorted((now, now - step))
            piece, last = self.pieces[now], self.pieces[now - step]
            if not tight(self.text, self.pieces[left].end, self.pieces[right].start):
                return
            if piece.fate == SILENCE and now - step != at and last.fate != SILENCE:
                return
            if piece.fate != SILENCE:
                within = now - step != at and last.fate in (UNKNOWN, IDLENESS)
                first = plain(piece.typed, self.language).split()[0]
                if within and (self.language == "zh" or first in LEADS["en"]):
                    return
                yield piece
                if piece.fate not in (UNKNOWN, IDLENESS):
                    return
            now += step


_TOLD = (READ, MAPPED)
