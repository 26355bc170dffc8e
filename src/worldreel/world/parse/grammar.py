"""The rules of a language: templates and phrases of `words` as a grammar over tokens.

Tokens are words in English, characters in Chinese. Commas are no tokens: it is kept before which
token one stands, and a rule knows where it has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import product

from worldreel.world.words import PHRASES, SLOTS
from worldreel.world.words.frames import ADJUNCTS, FRAMES
from worldreel.world.words.slots import literals, spelled_out
from worldreel.world.words.templates import CLAUSES, NAMES, TAILS

Tokens = tuple[str, ...]

_FORMS = {  # which of a phrase's forms a slot takes
    "": (0,), "one": (0,), "several": (1,), "finite": (0, 1), "participle": (2,), "clause": (0,),
    "tag": (1,), "subject": (0, 1), "object": (2, 3),
}  # fmt: skip
_SPLIT = {"en": r"[a-z]+|[0-9]+|[,:;]|[.!?\n]|[^\s\w]|[^\W\d_a-z]+", "zh": r"[a-z0-9]+|\S|\n"}
_COMMAS = ",:;，、：；"
_STOPS = ".!?\n。！？"
_ANYTHING = ("anything", "")  # what is no word of the grammar, in its characters
START = (*CLAUSES, *TAILS, "adjunct")  # what a sentence is made of


@dataclass(frozen=True)
class Word:
    """What a phrase of a table says: the value, of which kinds, and whether of several."""

    value: str
    kinds: tuple[str, ...]
    several: bool


@dataclass(frozen=True)
class Item:
    """A part of a rule: a slot, or literal words; comma: one stands before it."""

    slot: str = ""
    words: Tokens = ()
    comma: bool = False


END = Item()  # after the last part of a rule
Rules = dict[Item, "Rules"]  # those of a symbol, by their first part, and so on: a tree


@dataclass(frozen=True)
class Sentence:
    """Tokens that the grammar knows; comma[i]: one stands before token i."""

    tokens: Tokens
    comma: tuple[bool, ...]
    unknown: tuple[str, ...] = ()


@dataclass
class Grammar:
    """rules: symbol -> the tree of its rules. phrases: (table, form) -> first token -> phrases with
    what each can say. glue: first token -> what joins clauses. first: with what one begins.
    """

    language: str
    rules: dict[str, Rules] = field(default_factory=dict)
    phrases: dict[tuple[str, str], dict[str, list[tuple[Tokens, list[Word]]]]] = field(
        default_factory=dict
    )
    glue: dict[str, list[Tokens]] = field(default_factory=dict)
    first: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    known: frozenset[str] = frozenset()

    def tokens(self, text: str) -> Tokens:
        """Words or characters, commas and stops among them; an is a, a hyphen parts words."""
        text = text.lower()
        if self.language == "en":
            text = text.replace("-", " ")
        found = re.findall(_SPLIT[self.language], text)
        return tuple("a" if token == "an" and self.language == "en" else token for token in found)

    def sentences(self, text: str) -> Iterator[Sentence]:
        """The sentences of a text, without what the grammar does not know."""
        kept: list[str] = []
        comma: list[bool] = []
        unknown: list[str] = []
        pause = False
        for token in (*self.tokens(text), "."):
            if token in _STOPS:
                if kept or unknown:
                    yield Sentence(tuple(kept), tuple(comma), tuple(unknown))
                kept, comma, unknown, pause = [], [], [], False
            elif token in _COMMAS:
                pause = True
            elif token not in self.known:
                unknown.append(token)
            else:
                kept.append(token)
                comma.append(pause)
                pause = False


@cache
def grammar(language: str) -> Grammar:
    """The grammar of a language, made once."""
    made = Grammar(language)
    for symbol, templates in {**NAMES, **CLAUSES, **TAILS, **ADJUNCTS}.items():
        made.rules[symbol] = {}
        for rule in (bits for text in templates[language] for bits in spelled_out(text)):
            branch = made.rules[symbol]
            for item in (*_rule(made, rule), END):
                branch = branch.setdefault(item, {})
    for table, form in set(SLOTS.values()):
        if table not in made.rules:
            made.phrases[table, form] = _phrases(made, table, form)
    for templates in FRAMES.values():
        for text in templates[language]:
            for words in map(made.tokens, literals(text)):
                held = made.glue.setdefault(words[0], [])
                held += [words] if words not in held else []
    literal = (item.words for rules in made.rules.values() for item in _items(rules))
    spoken = (p for table in made.phrases.values() for ps in table.values() for p, _ in ps)
    joints = (words for held in made.glue.values() for words in held)
    made.known = frozenset(t for group in (literal, spoken, joints) for p in group for t in p)
    _first_tokens(made)
    return made


def _rule(made: Grammar, bits: Iterable[str]) -> list[Item]:
    items: list[Item] = []
    comma = False
    for bit in bits:
        if bit.startswith("{"):
            items.append(Item(slot=bit[1:-1], comma=comma))
            comma = False
            continue
        words: list[str] = []
        for token in made.tokens(bit):
            if token not in _COMMAS:
                words.append(token)
                continue
            if words:
                items.append(Item(words=tuple(words), comma=comma))
            words, comma = [], True
        if words:
            items.append(Item(words=tuple(words), comma=comma))
            comma = False
    return items


def _items(rules: Rules) -> Iterator[Item]:
    for item, rest in rules.items():
        yield item
        yield from _items(rest)


def _phrases(made: Grammar, table: str, form: str) -> dict[str, list[tuple[Tokens, list[Word]]]]:
    """The phrases of a table, by their first token, each with all that it can say."""
    held: dict[Tokens, list[Word]] = {}
    for row in PHRASES.get(table, ()):
        for forms in row.heard(made.language):
            for number in _FORMS[form]:
                text = forms[min(number, len(forms) - 1)].rstrip("!")
                word = Word(row.value, row.kinds, several=number % 2 == 1)
                for phrase in _articles(made.tokens(text)):
                    words = held.setdefault(phrase, [])
                    words += [word] if word not in words else []
        if table == "number":  # 3 red balls
            held.setdefault((row.value,), []).append(Word(row.value, (), several=False))
    found: dict[str, list[tuple[Tokens, list[Word]]]] = {}
    for phrase, words in held.items():
        found.setdefault(phrase[0], []).append((phrase, words))
    return found


def _articles(phrase: Tokens) -> list[Tokens]:
    """A phrase of several words with any article and with none: at a coral reef, at coral reef."""
    if len(phrase) < 2 or not {"a", "the"} & {*phrase}:
        return [phrase]
    choices = [("a", "the", "") if token in ("a", "the") else (token,) for token in phrase]
    return [tuple(token for token in tokens if token) for tokens in product(*choices)]


def _first_tokens(made: Grammar) -> None:
    """With which tokens each symbol can begin: what does not is not tried."""
    first: dict[tuple[str, str], set[str]] = {key: set(t) for key, t in made.phrases.items()}
    first |= {(symbol, ""): set() for symbol in made.rules}
    first[_ANYTHING] = set(made.known)
    grown = True
    while grown:
        grown = False
        for symbol, rules in made.rules.items():
            for item in rules:
                new = {item.words[0]} if item.words else first[SLOTS[item.slot]]
                if not new <= first[symbol, ""]:
                    first[symbol, ""] |= new
                    grown = True
    made.first = {key: frozenset(tokens) for key, tokens in first.items()}
