"""What becomes of each word of a prompt: nothing of it is dropped in silence.

A prompt is cut into pieces, by the longest match over the words of the world, near words, and
common words that are none (`common`). Each piece has one fate:

    READ      it states a fact of the scene            MAPPED    it was taken for a near word
    SILENT    it holds the sentence together           IDLE      it is known and changes nothing
    NEGATED   it is said with a no, and left out       UNKNOWN   the world has nothing like it

What is left, in words of the world alone, is what parser and encoder are given. A word of which
the meaning hangs on its neighbours is read with them: a green hat makes nobody green.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from worldreel.prompt.common import (
    COMPOUNDS,
    IDLE,
    OTHERS_ZH,
    THINGS_ZH,
)
from worldreel.prompt.foreign import foreign
from worldreel.prompt.near import near
from worldreel.prompt.neighbours import RULES
from worldreel.prompt.particles import SILENT
from worldreel.prompt.phrases import meanings
from worldreel.prompt.pieces import (
    COUNTS_ZH,
    DONE,
    IDLENESS,
    MAPPED,
    MEASURES,
    NEGATED,
    NO,
    NUMBERS_EN,
    READ,
    SILENCE,
    UNKNOWN,
    Piece,
    names_of,
    plain,
    straight,
    tight,
)
from worldreel.prompt.slips import near_slip, slipped
from worldreel.world.parse import language_of
from worldreel.world.parse.grammar import grammar
from worldreel.world.words import PHRASES, lexicon

_WORDS = {
    "en": re.compile(
        r"[0-9]+(?:[.:][0-9]+)*%?[a-z]*|[^\W\d_]+(?:'[^\W\d_]+)*|[^\w\s!-/:-@\[-`{-~]"
    ),
    "zh": re.compile(r"[一-鿿]|[0-9]+(?:[.:][0-9]+)*%?[a-z]*|[^\W\d_一-鿿]+|[^\w\s!-/:-@\[-`{-~]"),
}
_MARK = re.compile(r"[‐-⁞、-〿！-／：-＠［-｀｛-･￠-￦]")  # marks, which are no words


@dataclass(frozen=True)
class Account:
    """A prompt's pieces in order; text: what is read of it."""

    prompt: str
    language: str
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """What is read: near words in place of what was typed, marks as they are."""
        out, at = "", 0
        for piece in self.pieces:
            between = self.prompt[at : piece.start]
            out += between
            out += piece.meant if piece.meant else " "
            at = piece.end
        return " ".join((out + self.prompt[at:]).split())

    @property
    def owners(self) -> dict[int, int]:
        """By the number of a token of the text, as the grammar cuts it, that of its piece."""
        rules = grammar(self.language)
        numbers = [
            number
            for number, piece in enumerate(self.pieces)
            for token in rules.tokens(piece.meant)
            if token[0].isalnum()
        ]
        tokens = rules.tokens(self.text)
        places = [at for at, token in enumerate(tokens) if token[0].isalnum()]
        return dict(zip(places, numbers, strict=False))

    def of(self, fate: str) -> tuple[str, ...]:
        """What has one fate, in lower case, each once; what only leads is told with the rest."""
        spans: list[tuple[int, int]] = []
        last: Piece | None = None  # the piece of this fate that may go on
        at = 0
        for piece in self.pieces:
            near = tight(self.prompt, at, piece.start)
            at = piece.end
            if piece.fate == fate:
                joins = last is not None and (last.leads or (piece.leads and self.language == "zh"))
                start = spans.pop()[0] if near and joins else piece.start
                spans.append((start, piece.end))
                last = piece
            elif not (near and piece.fate == SILENCE and last is not None and last.leads):
                last = None
        return tuple(dict.fromkeys(self.prompt[a:b].lower() for a, b in spans))

    @property
    def mapped(self) -> dict[str, str]:
        return {p.typed.lower(): p.meant for p in self.pieces if p.fate == MAPPED}


@dataclass(frozen=True)
class _Vocabulary:
    """Phrases by their first token, the longest first, each with what it is."""

    phrases: dict[str, list[tuple[tuple[str, ...], str]]]
    near: dict[str, str]
    joints: frozenset[str]  # phrases of the world that join its clauses


def account(prompt: str, *, pick: int = 0, language: str | None = None) -> Account:
    """What becomes of a prompt's words. pick: a number, of which words follow that may mean two."""
    language = language or language_of(prompt)
    pieces = _cut(prompt, language)
    for rule in RULES:
        pieces = rule(pieces, prompt, language)
    vocabulary = _vocabulary(language)
    done = []
    for piece in pieces:
        if piece.fate == MAPPED and not piece.meant:
            key = plain(piece.typed, language)
            options = vocabulary.near.get(key, vocabulary.near[_MANY[language]]).split("|")
            piece = replace(piece, meant=options[pick % len(options)])
        done.append(piece)
    return Account(prompt, language, tuple(done))


_MANY = {"en": "five", "zh": "五"}  # of which larger numbers are read alike


def negations(text: str, language: str | None = None) -> tuple[str, ...]:
    """What a text says no to, each with its no, as it is written."""
    pieces = account(text, language=language).pieces
    return tuple(dict.fromkeys(p.typed for p in pieces if p.fate == NEGATED))


# Cutting.


def _cut(text: str, language: str) -> list[Piece]:
    """Pieces by the longest match."""
    vocabulary = _vocabulary(language)
    found = list(_WORDS[language].finditer(straight(text)))
    found = [m for m in found if not _MARK.fullmatch(m[0])]
    pieces: list[Piece] = []
    at = 0
    while at < len(found):
        length, what = _longest(found, at, text, vocabulary, language)
        start, end = found[at].start(), found[at + length - 1].end()
        pieces.append(_piece(text, start, end, what, language, vocabulary))
        at += length
    return _joined(pieces, text) if language == "zh" else pieces


def _longest(
    found: Sequence[re.Match], at: int, text: str, vocabulary: _Vocabulary, language: str
) -> tuple[int, str]:
    for phrase, what in vocabulary.phrases.get(found[at][0], ()):
        n = len(phrase)
        if n <= len(found) - at and all(
            found[at + k][0] == phrase[k]
            and (k == 0 or tight(text, found[at + k - 1].end(), found[at + k].start()))
            for k in range(1, n)
        ):
            return n, what
    return 1, ""


def _piece(
    text: str, start: int, end: int, what: str, language: str, vocabulary: _Vocabulary
) -> Piece:
    """A piece and its first fate: what is known of it without its neighbours."""
    typed = text[start:end]
    word = plain(typed, language)
    if what in ("world", "silent"):
        names = frozenset(name for name, _ in meanings(word, language))
        first = names_of(word[0], language) if language == "zh" and not names else names
        names = first if first <= DONE else names  # 飞过 holds 飞
        if word in (NUMBERS_EN if language == "en" else COUNTS_ZH):
            names, what = frozenset({"number"}), "world"
        meant = "个" if word in MEASURES and word not in _world_measures() else typed
        return Piece(start, end, typed, SILENCE if what == "silent" else READ, meant, names)
    if what == "near":
        meant = vocabulary.near[word].split("|")[0]
        return Piece(start, end, typed, MAPPED, "", names_of(meant, language))
    if what == "idle":
        return Piece(start, end, typed, IDLENESS, "")
    if not what and re.fullmatch(r"[0-9]+", word) and int(word) > 4:
        return Piece(start, end, typed, MAPPED, "", frozenset({"number"}))
    if not what and language == "en":
        slip = slipped(word) or vocabulary.near.get(near_slip(word), "").split("|")[0]
        if slip:
            return Piece(start, end, typed, MAPPED, slip, names_of(slip, language))
    return Piece(start, end, typed, UNKNOWN, "", frozenset({what} if what else ()))


@cache
def _world_measures() -> frozenset[str]:
    """What the world counts with; other measures stand for 个."""
    rows = PHRASES["measure"]
    return frozenset(form for row in rows for forms in row.heard("zh") for form in forms)


def _joined(pieces: list[Piece], text: str) -> list[Piece]:
    """Chinese: characters that are in no word stay together, with the single ones among them."""
    out: list[Piece] = []
    for at, piece in enumerate(pieces):
        last = out[-1] if out else None
        if (
            last is not None
            and last.end == piece.start
            and (
                (_stray(last) and (_stray(piece) or _single(piece)))
                or (_stray(piece) and _single(last) and not _verb(pieces, at))
                or (
                    _single(last)
                    and _single(piece)
                    and last.names <= _AROUND
                    and piece.names & _WHOS
                )
            )
        ):
            merged = text[last.start : piece.end]
            out[-1] = Piece(last.start, piece.end, merged, UNKNOWN, "", frozenset())
        else:
            out.append(piece)
    return out


_AROUND = frozenset({"setting", "light", "weather"})  # 雨衣 is no rain, 海龟 no sea
_WHOS = frozenset({"kind", "wear"})


def _stray(piece: Piece) -> bool:
    return piece.fate == UNKNOWN and not piece.names and "一" <= piece.typed[0] <= "鿿"


def _verb(pieces: list[Piece], at: int) -> bool:
    """Whether strange characters are what somebody did: 球弹了三下 has a 球 in it."""
    while at < len(pieces) and _stray(pieces[at]):
        at += 1
    return at < len(pieces) and pieces[at].typed in ("了", "着", "过")


def _single(piece: Piece) -> bool:
    """One character that says something by itself, as it may within a word that is not known."""
    return piece.fate == READ and len(piece.typed) == 1 and bool(piece.names)


@cache
def _vocabulary(language: str) -> _Vocabulary:
    """Every phrase that is known, the world's before near words, these before the others."""
    made = near(language) if language == "en" else foreign() | near(language)
    glue = {
        " ".join(tokens) if language == "en" else "".join(tokens)
        for held in grammar(language).glue.values()
        for tokens in held
    }
    world = {w for row in PHRASES.values() for r in row for f in r.heard(language) for w in f}
    world |= {*lexicon()[language]}
    if language == "zh":
        world = {word.rstrip("!").replace(" ", "") for word in world}
        others = {w: "thing" for w in THINGS_ZH} | {w: "other" for w in OTHERS_ZH}
    else:
        others = dict.fromkeys(COMPOUNDS, "thing")
    kinds = {word: "idle" for word in IDLE[language]} | others
    kinds |= dict.fromkeys(made, "near")
    kinds |= {w: "world" for w in world if w and (w not in made or w in lexicon()[language])}
    stated = {w for w in world if meanings(w, language)}
    kinds |= {w: "idle" for w in IDLE[language] if w not in stated and w not in glue}
    kinds |= {
        w: "silent"
        for w in glue | SILENT[language] | NO[language]
        if w not in stated and w not in made
    }
    kinds |= {w: "near" for w in made if w not in stated or w not in lexicon()[language]}
    held: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for text, what in kinds.items():
        tokens = tuple(_WORDS[language].findall(straight(text.replace("-", " "))))
        if tokens:
            held.setdefault(tokens[0], []).append((tokens, what))
    for phrases in held.values():
        phrases.sort(key=lambda pair: -len(pair[0]))
    return _Vocabulary(held, made, frozenset(glue - SILENT[language] - {"next to"}))


def joints(language: str) -> frozenset[str]:
    """Whole phrases of the world's frames that join clauses and show nothing."""
    return _vocabulary(language).joints
