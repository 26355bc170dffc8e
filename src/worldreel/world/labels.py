"""Labels: the facts that a caption states as one class per slot, for a text encoder to learn."""

from __future__ import annotations

from collections.abc import Sequence

from worldreel.world import scene as words
from worldreel.world.facts import Fact, facts
from worldreel.world.scene import OTHER_SIDE, Take

COUNTS = ("1", "2", "3", "4")

# What a text encoder is trained to tell of a caption: for each slot its values, and 0 for unsaid.
_OF_A_THING = {
    "kind": words.KINDS,
    "color": tuple(words.COLORS),
    "size": words.SIZES,
    "material": words.MATERIALS,
    "action": words.ACTIONS,
    "manner": ("rolls", "slides"),
    "direction": words.DIRECTIONS,
    "event": words.EVENTS,
}
_OF_MORE = {"kind": words.KINDS, "color": tuple(words.COLORS)}  # of a third and a fourth thing
LABELS: dict[str, tuple[str, ...]] = {
    slot: ("unsaid", *values)
    for slot, values in {
        "setting": words.SETTINGS,
        "light": words.LIGHTS,
        "weather": words.WEATHERS,
        "style": words.STYLES,
        "camera": words.CAMERAS,
        "shots": ("1", "2", "3"),
        "count": COUNTS,
        **{f"{name}{i}": values for i in (0, 1) for name, values in _OF_A_THING.items()},
        **{f"{name}{i}": values for i in (2, 3) for name, values in _OF_MORE.items()},
        **{f"count{i}": COUNTS for i in range(4)},
        "side": ("left", "right"),
    }.items()
}


def labels(said: Take | Sequence[Fact], *, shots: int = 0) -> dict[str, int]:
    """The facts that are said as one class per slot of LABELS, 0 where nothing is said.

    Slot 0 of the things is the one that acts (whatever it does but rest, stand or be toppled), else
    the one that is named first; slot 1 is what thing 0 hits or lands on, else the next that acts or
    is named. So the labels follow from a text alone, whatever the scene's own order. `side` is
    where thing 0 stands, seen from thing 1; `count` is how many things there are, `count0` how many
    of thing 0's kind and colour as they are said. Of an actor's events the first counts. shots: of
    how many a text of several shots tells.
    """
    said = facts(said) if isinstance(said, Take) else tuple(said)
    things = in_order(said)
    found = dict.fromkeys(LABELS, 0)
    looks = {
        i: [f.value for f in said if f.name in ("kind", "color") and f.args == (i,)] for i in things
    }
    stated = [
        (f"count{n}", str(list(looks.values()).count(looks[i]))) for n, i in enumerate(things)
    ]
    stated += [("count", str(len(things))), ("shots", str(shots))]
    stated += [_slot(fact, things) for fact in said]
    for slot, value in stated:
        if not found.get(slot, 1) and value in LABELS[slot]:
            found[slot] = LABELS[slot].index(value)
    return found


def in_order(said: Sequence[Fact]) -> list[int]:
    """The things by the number of their slot."""
    named = list(dict.fromkeys(i for fact in said for i in fact.args if isinstance(i, int)))
    still = ("rests", "stands", "topples")
    acting = {f.args[0] for f in said if f.name == "action" and f.value not in still}
    named.sort(key=lambda index: index not in acting)  # stable: else as named
    met = [f.args[1] for f in said if f.name in ("hits", "onto") and f.args[0] == named[0]]
    return [*named[:1], *met[:1], *(i for i in named[1:] if i not in met[:1])]


def _slot(fact: Fact, things: Sequence[int]) -> tuple[str, str]:
    """The slot that holds a fact, and the value there; ("", "") for one that no slot holds."""
    value = str(fact.value)
    if not fact.args:
        return fact.name, value
    if fact.name == "side" and {*fact.args} == {*things[:2]}:
        return "side", value if fact.args[0] == things[0] else OTHER_SIDE[value]
    if fact.name == "topples":
        return f"action{things.index(fact.args[0])}", "topples"
    if len(fact.args) == 1 and fact.args[0] in things:
        return f"{fact.name}{things.index(fact.args[0])}", value
    return "", ""
