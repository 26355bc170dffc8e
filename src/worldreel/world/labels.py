"""Labels: the facts that a caption states as one class per slot, for a text encoder to learn."""

from __future__ import annotations

from collections.abc import Sequence

from worldreel.world import scene as words
from worldreel.world.facts import Fact, facts
from worldreel.world.scene import OTHER_SIDE, Take

# What a text encoder is trained to tell of a caption: for each slot its values, and 0 for unsaid.
_OF_A_THING = {
    "kind": words.KINDS,
    "color": tuple(words.COLORS),
    "size": words.SIZES,
    "material": words.MATERIALS,
    "action": words.ACTIONS,
    "direction": words.DIRECTIONS,
}
LABELS: dict[str, tuple[str, ...]] = {
    slot: ("unsaid", *values)
    for slot, values in {
        "setting": words.SETTINGS,
        "light": words.LIGHTS,
        "camera": words.CAMERAS,
        "count": ("1", "2"),
        **{f"{name}{i}": values for i in (0, 1) for name, values in _OF_A_THING.items()},
        "side": ("left", "right"),
    }.items()
}


def labels(said: Take | Sequence[Fact]) -> dict[str, int]:
    """The facts that are said as one class per slot of LABELS, 0 where nothing is said.

    Slot 0 of the things is the one that acts (rolls, slides, falls, hits), else the one that is
    named first; so the labels follow from a text alone, whatever the scene's own order. `side` is
    where thing 0 stands, seen from thing 1; count is that of all things.
    """
    said = facts(said) if isinstance(said, Take) else tuple(said)
    things = list(dict.fromkeys(i for fact in said for i in fact.args if isinstance(i, int)))
    acting = {f.args[0] for f in said if f.name == "action" and f.value != "rests"}
    things.sort(key=lambda index: index not in acting)  # stable: else as named
    found = dict.fromkeys(LABELS, 0)
    total = sum(int(fact.value) for fact in said if fact.name == "count")
    if total:
        found["count"] = LABELS["count"].index(str(total))
    for fact in said:
        if fact.name == "side":
            first = fact.value if fact.args[0] == things[0] else OTHER_SIDE[fact.value]
            found["side"] = LABELS["side"].index(first)
        elif fact.name in _OF_A_THING:
            slot = f"{fact.name}{things.index(fact.args[0])}"
            found[slot] = LABELS[slot].index(fact.value)
        elif not fact.args and fact.name in LABELS:
            found[fact.name] = LABELS[fact.name].index(fact.value)
    return found
