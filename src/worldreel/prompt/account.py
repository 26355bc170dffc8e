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

from worldreel.models.text import Lexicon
from worldreel.prompt.common import (
    COMPOUNDS,
    IDLE,
    OTHERS_ZH,
    REAL,
    SILENT,
    THINGS_EN_ING,
    THINGS_ZH,
)
from worldreel.prompt.near import near
from worldreel.prompt.phrases import meanings
from worldreel.world.parse import language_of
from worldreel.world.parse.grammar import grammar
from worldreel.world.words import PHRASES, lexicon

FATES = ("read", "mapped", "silent", "idle", "negated", "unknown")
READ, MAPPED, SILENCE, IDLENESS, NEGATED, UNKNOWN = FATES

_WORDS = {
    "en": re.compile(r"[0-9]+(?:[.:][0-9]+)*[a-z]*|[^\W\d_]+(?:'[^\W\d_]+)*|[^\w\s!-/:-@\[-`{-~]"),
    "zh": re.compile(r"[一-鿿]|[0-9]+(?:[.:][0-9]+)*[a-z]*|[^\W\d_一-鿿]+|[^\w\s!-/:-@\[-`{-~]"),
}
_MARK = re.compile(r"[‐-⁞、-〿！-／：-＠［-｀｛-･￠-￦]")  # marks, which are no words
_QUOTED = re.compile(r"[\"“”「『《][^\"“”」』》]{1,80}[\"”“」』》]")
_NO = {
    "en": frozenset("no without not never zero 0 neither nor none nobody nothing cannot".split()),
    "zh": frozenset("没有 不要 不是 没 无 别 零 0 毫无 并非 不 不带 没有人".split()),
}
_ALONE = frozenset("none nobody nothing 没有人".split())  # a no that is a thing, too
_ENDS_NO = {
    "en": frozenset("and but while on in at with or then".split()),
    "zh": frozenset("但 而 在 但是 可是 只 只有".split()),
}
_DET = frozenset("a an the this that these those my your his its our their some any every".split())
_HOLDS = frozenset(
    "with wearing in of by from has have having in of 戴 戴着 带 带着 穿 穿着".split()
)
_TIGHT = re.compile(r"[ \t'-]*")  # what may part the words of one phrase
_ATTRS = frozenset({"color", "size", "material"})
_DEEDS = frozenset({"action", "manner", "event", "direction"})
_INSIDE = frozenset("spaceship spacecraft 飞船 宇宙飞船".split())  # a place only for who is in it
_WITHIN = frozenset("of in inside aboard on through 里 内 中 上 舱".split())
_MOST_NEGATED = {"en": 5, "zh": 8}
_MEASURES = frozenset(
    "个 只 条 头 辆 列 艘 位 名 台 排 串 摞 叠 堆 颗 枚 张 座 架 匹 群 朵 片 块 件 套 棵 栋 幅".split()
)
_NUMBERS_EN = frozenset("one two three four 1 2 3 4".split())
_COUNTS_ZH = frozenset("两 三 四 2 3 4".split())
_NUMBERS_ZH = frozenset("一 两 二 三 四 五 六 七 八 九 十 几 半 2 3 4 5 6 7 8 9".split())


@dataclass(frozen=True)
class Piece:
    """A piece of a prompt: where it stands, its fate, and what is read for it ("" for nothing)."""

    start: int
    end: int
    typed: str
    fate: str
    meant: str
    names: frozenset[str] = frozenset()  # of the facts that it can state


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

    def of(self, fate: str) -> tuple[str, ...]:
        """The pieces of one fate in lower case, each once."""
        return tuple(dict.fromkeys(p.typed.lower() for p in self.pieces if p.fate == fate))

    @property
    def mapped(self) -> dict[str, str]:
        return {p.typed.lower(): p.meant for p in self.pieces if p.fate == MAPPED}


@dataclass(frozen=True)
class _Vocabulary:
    """Phrases by their first token, the longest first, each with what it is."""

    phrases: dict[str, list[tuple[tuple[str, ...], str]]]
    near: dict[str, str]
    words: Lexicon
    glue: frozenset[str]


def account(prompt: str, *, pick: int = 0, language: str | None = None) -> Account:
    """What becomes of a prompt's words. pick: a number, of which words follow that may mean two."""
    language = language or language_of(prompt)
    pieces = _cut(prompt, language)
    rules = (_possessive, _quoted, _negated, _nouns, _modifiers, _places, _heads, _settings)
    for rule in rules:
        pieces = rule(pieces, prompt, language)
    vocabulary = _vocabulary(language)
    done = []
    for piece in pieces:
        if piece.fate == MAPPED and not piece.meant:
            key = _plain(piece.typed, language)
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
    found = list(_WORDS[language].finditer(_straight(text)))
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
            and (k == 0 or _tight(text, found[at + k - 1].end(), found[at + k].start()))
            for k in range(1, n)
        ):
            return n, what
    return 1, ""


def _piece(
    text: str, start: int, end: int, what: str, language: str, vocabulary: _Vocabulary
) -> Piece:
    """A piece and its first fate: what is known of it without its neighbours."""
    typed = text[start:end]
    word = _plain(typed, language)
    if what in ("world", "silent"):
        names = frozenset(name for name, _ in meanings(word, language))
        if word in (_NUMBERS_EN if language == "en" else _COUNTS_ZH):
            names, what = frozenset({"number"}), "world"
        meant = "个" if word in _MEASURES and word not in _world_measures() else typed
        return Piece(start, end, typed, SILENCE if what == "silent" else READ, meant, names)
    if what == "near":
        meant = vocabulary.near[word].split("|")[0]
        return Piece(start, end, typed, MAPPED, "", _names(meant, language))
    if what == "idle":
        return Piece(start, end, typed, IDLENESS, "")
    if not what and re.fullmatch(r"[0-9]+", word) and int(word) > 4:
        return Piece(start, end, typed, MAPPED, "", frozenset({"number"}))
    if not what and language == "en":
        slip = _slipped(word, vocabulary)
        if slip:
            return Piece(start, end, typed, MAPPED, slip, _names(slip, language))
    return Piece(start, end, typed, UNKNOWN, "", frozenset({what} if what else ()))


@cache
def _world_measures() -> frozenset[str]:
    """What the world counts with; other measures stand for 个."""
    rows = PHRASES["measure"]
    return frozenset(form for row in rows for forms in row.heard("zh") for form in forms)


def _joined(pieces: list[Piece], text: str) -> list[Piece]:
    """Chinese: characters that are in no word stay together, with the single ones among them."""
    out: list[Piece] = []
    for piece in pieces:
        last = out[-1] if out else None
        if (
            last is not None
            and last.end == piece.start
            and (
                (_stray(last) and (_stray(piece) or _single(piece)))
                or (_stray(piece) and _single(last))
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


def _single(piece: Piece) -> bool:
    """One character that says something by itself, as it may within a word that is not known."""
    return piece.fate == READ and len(piece.typed) == 1 and bool(piece.names)


def _slipped(word: str, vocabulary: _Vocabulary) -> str:
    """The word of the world that an English word is a form or a slip of; "" for none."""
    if word in REAL or not word.isalpha() or not word.isascii():
        return ""
    known = vocabulary.words
    meant = known.read(word).mapped.get(word, "") if len(word) > 2 else ""
    if not meant and len(word) > 2:
        meant = next((w for w in _short() if _swapped(word, w)), "")
    return meant if meant and _names(meant, "en") - {"wear"} else ""


@cache
def _short() -> tuple[str, ...]:
    """Words of the world of three to five letters that state something."""
    words = {w for w in lexicon()["en"] if w.isalpha() and w.isascii() and 3 <= len(w) <= 5}
    return tuple(sorted(w for w in words if _names(w, "en")))


def _swapped(typed: str, word: str) -> bool:
    """Whether two letters changed places, or one of a pair was left out or put in."""
    if len(typed) == len(word):
        return any(
            typed == word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)
        )
    less, more = sorted((typed, word), key=len)
    return len(less) > 3 and any(
        more[i] == more[i + 1] and less == more[:i] + more[i + 1 :] for i in range(len(more) - 1)
    )


# What neighbours change.


def _possessive(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """A woman's face: of the woman there is a word."""
    out = []
    for piece in pieces:
        stem = _plain(piece.typed, language).removesuffix("'s")
        if piece.fate == UNKNOWN and language == "en" and piece.typed[-2:] in ("'s", "’s"):
            if "kind" in _names(stem, language):
                piece = replace(piece, fate=MAPPED, meant=stem, names=frozenset({"kind"}))
        out.append(piece)
    return out


def _quoted(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """What stands in quotation marks is a text to be seen, and says nothing of the scene."""
    for found in _QUOTED.finditer(text):
        if found.end() - found.start() < len(text.strip()):
            inner = [i for i, p in enumerate(pieces) if found.start() < p.start < found.end()]
            pieces = _merged(pieces, inner, text, UNKNOWN)
    return pieces


def _negated(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """What is said with a no, as one piece with its no."""
    at = 0
    while at < len(pieces):
        word = _plain(pieces[at].typed, language)
        no = (word in _NO[language] or word.endswith(("n't", "n’t"))) and pieces[at].fate != MAPPED
        if not no:
            at += 1
            continue
        first, last, size = at, at, 0
        while last + 1 < len(pieces) and word not in _ALONE:
            after = pieces[last + 1]
            next_word = _plain(after.typed, language)
            size += len(after.typed) if language == "zh" else len(next_word.split())
            starts_anew = last > at and next_word in _ENDS_NO[language]
            if size > _MOST_NEGATED[language] or starts_anew:
                break
            if last > at and language == "en" and {"at", "setting"} & after.names:
                break  # no trees on the beach: there is a beach
            if not _tight(text, pieces[last].end, after.start):
                break
            last += 1
            if next_word == "的":
                break
        if last == first and language == "zh":
            first = _before_no(pieces, at, text)
        pieces = _merged(pieces, range(first, last + 1), text, NEGATED)
        at = first + 1
    return pieces


def _before_no(pieces: Sequence[Piece], at: int, text: str) -> int:
    """一个球都没有: where that begins of which there is none."""
    first = at
    while first and _tight(text, pieces[first - 1].end, pieces[first].start):
        first -= 1
        if pieces[first].typed[0] in _NUMBERS_ZH:
            return first
    return at


def _nouns(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """English verbs that are nouns, and the other way round: can you, a fly, she left the house."""
    if language != "en":
        return pieces
    out = list(pieces)
    for i, piece in enumerate(pieces):
        word = _plain(piece.typed, language)
        before = pieces[i - 1] if i and _tight(text, pieces[i - 1].end, piece.start) else None
        after = next((p for p in pieces[i + 1 : i + 2] if _tight(text, piece.end, p.start)), None)
        article = before is not None and (
            _plain(before.typed, language) in _DET or bool(before.names & (_ATTRS | {"number"}))
        )
        described = before is not None and bool(before.names & _ATTRS)
        if word == "can" and not article and len(pieces) > 1 and not described:
            out[i] = replace(piece, fate=SILENCE, meant="", names=frozenset())
        elif word == "left" and after and _plain(after.typed, language) in _DET:
            out[i] = replace(piece, fate=UNKNOWN, meant="", names=frozenset())
        elif (
            piece.fate == READ
            and piece.names
            and piece.names <= {"action", "event", "manner"}
            and not word.endswith(("ing", "ed"))
            and (article if word in _base() else described)
        ):
            out[i] = replace(piece, fate=UNKNOWN, meant="", names=frozenset())
    return out


@cache
def _base() -> frozenset[str]:
    """Verbs as they stand in a dictionary: run, fly."""
    rows = (r for table in ("action", "event", "collision") for r in PHRASES[table])
    return frozenset(f[1] for row in rows for f in row.heard("en") if len(f) > 2)


def _modifiers(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """A near word before a thing or a place says of what it is: a marble table is no ball.

    Nor is a pyramid of cans a cone.
    """
    out = list(pieces)
    for i, (piece, after) in enumerate(zip(pieces, pieces[1:], strict=False)):
        first = _plain(after.typed, language).split()[0]
        if (
            piece.fate == MAPPED
            and "kind" in piece.names
            and (after.names & {"kind", "setting"} or first == "of")
            and first not in _DET | _WITHIN | {"at", "by"}
            and _tight(text, piece.end, after.start)
        ):
            out[i] = replace(piece, fate=UNKNOWN, meant="", names=frozenset({"other"}))
    return out


def _places(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """A spaceship is a place for who is in it, else a thing that the world does not have."""
    out = list(pieces)
    for i, piece in enumerate(pieces):
        if piece.fate == READ and _plain(piece.typed, language) in _INSIDE:
            near_by = pieces[max(0, i - 2) : i] + (
                pieces[i + 1 : i + 2] if language == "zh" else []
            )
            if len(pieces) > 1 and not any(_plain(p.typed, language) in _WITHIN for p in near_by):
                out[i] = replace(piece, fate=UNKNOWN, meant="", names=frozenset({"thing"}))
    return out


def _heads(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """Colours, sizes and numbers of things that are not known go with these."""
    i = 0
    while i < len(pieces):
        if pieces[i].fate == UNKNOWN and _is_thing(pieces, i, text, language):
            first = i
            while first and _tight(text, pieces[first - 1].end, pieces[first].start):
                before = pieces[first - 1]
                word = _plain(before.typed, language)
                counts = word in _MEASURES or word == "的" or word in _NUMBERS_ZH
                does = len(word) == 1 and before.names and before.names <= _DEEDS  # 开茶话会
                if (
                    before.names & _ATTRS
                    or "number" in before.names
                    or (language == "zh" and (counts or does))
                    or (before.fate == UNKNOWN and before.typed and not _adverb(word))
                ):
                    first -= 1
                else:
                    break
            # A thing before it, as in 狗的尾巴, keeps its 的; "a" is no number that needs telling.
            while first < i and (
                pieces[first].typed == "的" or _plain(pieces[first].typed, language) in _DET
            ):
                first += 1
            if first < i:
                pieces = _merged(pieces, range(first, i + 1), text, UNKNOWN, {"thing"})
                i = first
            pieces = _unheld(pieces, i, language)
        i += 1
    return pieces


def _unheld(pieces: list[Piece], at: int, language: str) -> list[Piece]:
    """The words that lead up to a thing that is not known are not read either: with a."""
    out, i = list(pieces), at - 1
    after = pieces[at + 1] if at + 1 < len(pieces) else None
    if after is not None and (after.names & (_ATTRS | {"wear"}) or after.typed in ("and", "和")):
        return out  # 穿白球鞋紫外套: the coat is worn, too
    while i >= 0 and pieces[i].fate == SILENCE:
        word = _plain(pieces[i].typed, language)
        if word not in (_DET if i == at - 1 else frozenset()) and word not in _HOLDS:
            break
        out[i] = replace(pieces[i], meant="")
        if word in _HOLDS:
            break
        i -= 1
    return out


def _is_thing(pieces: Sequence[Piece], at: int, text: str, language: str) -> bool:
    """Whether a piece that is not known names a thing, and not how a known one is."""
    piece = pieces[at]
    word = _plain(piece.typed, language)
    if language == "zh":
        if "other" in piece.names:
            return False
        after = pieces[at + 1] if at + 1 < len(pieces) else None
        if after is not None and _tight(text, piece.end, after.start):
            if "kind" in after.names:
                return False
            if after.typed == "的" and "thing" not in piece.names:
                return False
        return True
    if _adverb(word):
        return False
    for previous, after in zip(pieces[at:], pieces[at + 1 :], strict=False):
        if not _tight(text, previous.end, after.start):
            return True
        first = _plain(after.typed, language).split()[0]
        if after.names & {"kind", "wear", "setting"} and first not in _DET | _WITHIN | {"at", "by"}:
            return False
        if not (after.fate in (UNKNOWN, IDLENESS) or after.names & _ATTRS):
            return True
    return True


def _adverb(word: str) -> bool:
    return word.endswith("ly") or (word.endswith("ing") and word not in THINGS_EN_ING)


def _settings(pieces: list[Piece], text: str, language: str) -> list[Piece]:
    """Colours of a place are none of a thing: in an emerald meadow."""
    out = list(pieces)
    for i in range(len(out) - 2, -1, -1):
        after = i + 1
        if language == "zh" and out[after].typed == "的" and after + 1 < len(out):
            after += 1
        here, there = out[i], out[after]
        place = there.names & {"setting", "at", "along"} and not there.names & {"kind"}
        passed = there.fate == IDLENESS and "place" in there.names
        if (
            here.names
            and here.names <= _ATTRS
            and (place or passed)
            and _tight(text, here.end, there.start)
        ):
            out[i] = replace(here, fate=IDLENESS, meant="", names=frozenset({"place"}))
            if after > i + 1:
                out[i + 1] = replace(out[i + 1], meant="")
    return out


# Words.


def _merged(
    pieces: list[Piece], which: Sequence[int], text: str, fate: str, names: Sequence[str] | set = ()
) -> list[Piece]:
    """Some neighbours as one piece that is not read."""
    if not which:
        return pieces
    a, b = which[0], which[-1]
    start, end = pieces[a].start, pieces[b].end
    one = Piece(start, end, text[start:end], fate, "", frozenset(names))
    return [*pieces[:a], one, *pieces[b + 1 :]]


def _tight(text: str, start: int, end: int) -> bool:
    """Whether nothing but spaces parts two pieces."""
    return bool(_TIGHT.fullmatch(text, start, end))


def _straight(text: str) -> str:
    return text.lower().replace("’", "'") if len(text.lower()) == len(text) else text


def _plain(text: str, language: str) -> str:
    return " ".join(_straight(text).replace("-", " ").split())


@cache
def _names(word: str, language: str) -> frozenset[str]:
    """Of which facts a word or its world's phrase can be the value."""
    found = {name for name, _ in meanings(word, language)}
    if word in _NUMBERS_EN or word.startswith("四") or word in ("两", "三个"):
        return frozenset({"number"})
    if not found:
        tokens = grammar(language).tokens(word)
        found = {n for t in tokens for n, _ in meanings(t, language)} if len(tokens) > 1 else found
    return frozenset(found)


@cache
def _vocabulary(language: str) -> _Vocabulary:
    """Every phrase that is known, the world's before near words, these before the others."""
    made = near(language)
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
        for w in glue | SILENT[language] | _NO[language]
        if w not in stated and w not in made
    }
    kinds |= {w: "near" for w in made if w not in stated}
    held: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for text, what in kinds.items():
        tokens = tuple(_WORDS[language].findall(_straight(text.replace("-", " "))))
        if tokens:
            held.setdefault(tokens[0], []).append((tokens, what))
    for phrases in held.values():
        phrases.sort(key=lambda pair: -len(pair[0]))
    words = Lexicon(sorted({w for entries in lexicon().values() for w in entries}))
    return _Vocabulary(held, made, words, frozenset(glue))
