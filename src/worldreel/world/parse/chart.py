"""The best way to cut a sentence into clauses and adjuncts.

Every rule is matched wherever it fits, once; of the ways to cover a sentence the cheapest is
taken: few pieces, no word left over, commas where the templates have them, verbs that agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from worldreel.world.parse.grammar import END, START, Grammar, Item, Rules, Sentence, Word
from worldreel.world.words import SLOTS

# What a way of reading costs.
_PIECE = 1.0  # each clause or adjunct
_RULE = 0.01  # each rule within it
_GLUE = 0.1  # each joint: while, and
_LEFT = 4.0  # each word left over
_NO_COMMA = 0.2  # a comma of a template that the text has not
_COMMA = 0.5  # a comma inside of a template that has none
_ANYTHING = 1.5  # each character of an adjective that the grammar does not have
_DISAGREE = 1.5  # a verb in the plural for one thing

_SUBJECTS = ("a", "b", "the", "it")  # slots of things


@dataclass(frozen=True)
class Node:
    """A match: of a symbol, with what its slots hold; or of a phrase, with what that can say.

    several: whether as a subject it takes a verb's plural.
    """

    symbol: str
    slots: tuple[tuple[str, Node], ...] = ()
    words: tuple[Word, ...] = ()
    several: bool = False


State = tuple[float, tuple[tuple[str, Node], ...], Node | None]  # cost, slots, last subject
States = dict[int, State]  # by the token after them
Ends = dict[int, tuple[float, Node]]  # where a match can end -> its cost, the match


class _Chart:
    def __init__(self, grammar: Grammar, sentence: Sentence):
        self.grammar = grammar
        self.sentence = sentence
        self._held: dict[tuple[str, str, int], Ends] = {}

    def match(self, symbol: str, form: str, at: int) -> Ends:
        """All matches of a symbol, or of a table's phrases, that begin at a token."""
        key = symbol, form, at
        if key not in self._held:
            tokens, ends = self.sentence.tokens, {}
            first = self.grammar.first[symbol, form]
            if at < len(tokens) and tokens[at] in first:
                if symbol == "anything":
                    for end in range(at + 1, min(at + 4, len(tokens))):
                        word = Word("".join(tokens[at:end]), (), False)
                        ends[end] = _ANYTHING * (end - at), Node(symbol, words=(word,))
                elif symbol in self.grammar.rules:
                    states: States = {at: (_RULE, (), None)}
                    self._follow(symbol, self.grammar.rules[symbol], states, True, ends)
                else:
                    self._look_up(symbol, form, at, ends)
            self._held[key] = ends
        return self._held[key]

    def _look_up(self, table: str, form: str, at: int, ends: Ends) -> None:
        tokens, comma = self.sentence.tokens, self.sentence.comma
        for phrase, words in self.grammar.phrases[table, form].get(tokens[at], ()):
            end = at + len(phrase)
            if tokens[at:end] == phrase and not any(comma[at + 1 : end]):
                several = all(word.several for word in words)
                ends[end] = 0.0, Node(table, words=tuple(words), several=several)

    def _follow(self, symbol: str, rules: Rules, states: States, first: bool, ends: Ends) -> None:
        """The matches of rules from some states on, added to what is there if they are cheaper."""
        for item, rest in rules.items():
            if item == END:
                for end, (cost, held, _) in states.items():
                    if end not in ends or cost < ends[end][0]:
                        ends[end] = cost, Node(symbol, held, several=_several(symbol, held))
                continue
            new: States = {}
            for place, state in states.items():
                if place < len(self.sentence.tokens):
                    self._step(item, place, state, first, new)
            if new:
                self._follow(symbol, rest, new, False, ends)

    def _step(self, item: Item, place: int, state: State, first: bool, new: States) -> None:
        """What a state becomes by one part of a rule."""
        tokens, comma = self.sentence.tokens, self.sentence.comma
        cost, held, subject = state
        if item.comma and not comma[place]:
            cost += _NO_COMMA
        elif comma[place] and not (first or item.comma):
            cost += _COMMA
        if item.words:
            end = place + len(item.words)
            if tokens[place:end] == item.words:
                cost += _COMMA * sum(comma[place + 1 : end])
                _keep(new, end, (cost, held, subject))
            return
        for end, (more, node) in self.match(*SLOTS[item.slot], place).items():
            agrees = not subject or _agree(subject, node, item.slot)
            after = node if item.slot in _SUBJECTS else subject
            whole = cost + more + (0.0 if agrees else _DISAGREE)
            _keep(new, end, (whole, (*held, (item.slot, node)), after))


def _keep(states: States, end: int, state: State) -> None:
    if end not in states or state[0] < states[end][0]:
        states[end] = state


def _agree(subject: Node, verb: Node, slot: str) -> bool:
    """Whether a finite verb is of its subject's number; what is none always agrees."""
    if SLOTS[slot][1] != "finite":
        return True
    return any(word.several == subject.several for word in verb.words)


def _several(symbol: str, held: tuple[tuple[str, Node], ...]) -> bool:
    slots = dict(held)
    if "number" in slots:
        return slots["number"].words[0].value != "1"
    return "thing2" in slots or symbol == "nameds" or any(n.several for n in slots.values())


def cover(grammar: Grammar, sentence: Sentence) -> tuple[list[Node], list[str]]:
    """The clauses and adjuncts of a sentence, in order, and the words that are in none."""
    chart, tokens = _Chart(grammar, sentence), sentence.tokens
    best: list[tuple[float, int, Node | None, bool]] = [(0.0, 0, None, False)]
    best += [(float("inf"), 0, None, False)] * len(tokens)
    for at in range(len(tokens)):
        cost = best[at][0]
        ways = [(at + 1, _LEFT, None, True)]
        for words in grammar.glue.get(tokens[at], ()):
            end = at + len(words)
            if tokens[at:end] == words:
                ways.append((end, _GLUE, None, False))
        for symbol in START:
            ways += [(e, _PIECE + c, n, False) for e, (c, n) in chart.match(symbol, "", at).items()]
        for end, more, node, left in ways:
            if cost + more < best[end][0]:
                best[end] = cost + more, at, node, left
    nodes, unread, at = [], [], len(tokens)
    while at:
        _, start, node, left = best[at]
        nodes += [node] if node else []
        unread += [tokens[start]] if left else _anything(node)
        at = start
    return nodes[::-1], unread[::-1]


def _anything(node: Node | None) -> list[str]:
    """The adjectives of a match that the grammar does not have."""
    return (
        [leaf.words[0].value for leaf in leaves(node) if leaf.symbol == "anything"] if node else []
    )


def leaves(node: Node) -> Iterator[Node]:
    """The phrases of a match, in order."""
    if node.words:
        yield node
    for _, child in node.slots:
        yield from leaves(child)
