"""Lists of facts drawn at random, in the form that `facts` gives them: to tell needs no take."""

import numpy as np
import pytest

from worldreel.world.facts import Fact
from worldreel.world.scene import (
    ACTORS,
    CAMERAS,
    COLORS,
    DIRECTIONS,
    LIGHTS,
    MATERIALS,
    OTHER_SIDE,
    SETTINGS,
    SIZES,
    STYLES,
    THINGS,
    WEATHERS,
)

HEAPS = ("dominoes", "blocks")
SINGLE = tuple(kind for kind in THINGS if kind not in HEAPS)
GOES = {
    "woman": ("walks", "runs"), "man": ("walks", "runs"), "robot": ("walks", "runs"),
    "dog": ("walks", "runs"), "mammoth": ("walks", "runs"), "fish": ("swims",),
    "dragon": ("flies",), "car": ("drives",), "train": ("drives",), "ship": ("sails",),
}  # fmt: skip
EVENTS = {
    "woman": 4,
    "man": 4,
    "robot": 4,
    "dog": 3,
    "mammoth": 2,
    "fish": 2,
    "dragon": 2,
    "car": 2,
}


def pick(rng: np.random.Generator, values):
    return values[int(rng.integers(len(values)))]


def draw_facts(rng: np.random.Generator) -> tuple[Fact, ...]:
    """One to four things and actors that are told of together."""
    style = "render" if rng.random() < 0.6 else pick(rng, STYLES[1:])
    weather = "clear" if rng.random() < 0.55 else pick(rng, WEATHERS[1:])
    said = [
        Fact("setting", (), pick(rng, SETTINGS)),
        Fact("light", (), pick(rng, LIGHTS)),
        Fact("weather", (), weather),
        Fact("style", (), style),
        Fact("camera", (), "static" if rng.random() < 0.3 else pick(rng, CAMERAS)),
    ]
    colored = style != "black and white"
    looks, told = _things(rng)
    keys = [(kind, color) if colored else (kind,) for kind, color in looks]
    said += [Fact("count", key, keys.count(key)) for key in dict.fromkeys(keys)]
    for index, (kind, color) in enumerate(looks):
        said.append(Fact("kind", (index,), kind))
        if colored:
            said.append(Fact("color", (index,), color))
        said.append(Fact("size", (index,), pick(rng, SIZES)))
        if kind in THINGS:
            said.append(Fact("material", (index,), pick(rng, MATERIALS)))
        said += [fact for fact in told if fact.args == (index,)]
    said += [fact for fact in told if len(fact.args) == 2 and fact.name != "before"]
    still = [f.args[0] for f in told if f.name == "action" and f.value in ("rests", "stands")]
    for n, one in enumerate(still):
        for other in still[n + 1 :]:
            if keys[one] != keys[other] and rng.random() < 0.7:
                said.append(Fact("side", (one, other), pick(rng, ("left", "right"))))
    return (*said, *(fact for fact in told if fact.name == "before"))


def _things(rng: np.random.Generator) -> tuple[list[tuple[str, str]], list[Fact]]:
    """Kind and colour of each, and what each does."""
    number = pick(rng, (1, 1, 1, 2, 2, 2, 3, 4))
    looks, told = [], []
    if number > 1 and rng.random() < 0.35:
        looks, told = _meeting(rng)
    while len(looks) < number:
        index = len(looks)
        again = looks and rng.random() < 0.35
        kind, color = looks[-1] if again else (pick(rng, THINGS + ACTORS), pick(rng, list(COLORS)))
        if again and rng.random() < 0.3:
            color = pick(rng, list(COLORS))
        looks.append((kind, color))
        told += _acting(rng, index, kind) if kind in ACTORS else _moving(rng, index, kind)
    return looks, told


def _meeting(rng: np.random.Generator) -> tuple[list[tuple[str, str]], list[Fact]]:
    """One thing hits another, or comes to rest on it."""
    kinds = [pick(rng, SINGLE), pick(rng, THINGS)]
    colors = [pick(rng, list(COLORS)) for _ in range(2)]
    if rng.random() < 0.15:
        kinds[1], colors[1] = kinds[0], colors[0]
    looks = list(zip(kinds, colors, strict=True))
    if rng.random() < 0.3:
        return looks, [Fact("action", (0,), "stacks"), Fact("onto", (0, 1), True)]
    told = [Fact("action", (0,), "hits"), Fact("hits", (0, 1), True)]
    told.append(Fact("manner", (0,), pick(rng, ("rolls", "slides"))))
    if rng.random() < 0.9:
        told.append(Fact("direction", (0,), pick(rng, DIRECTIONS)))
    if kinds[1] in HEAPS:
        told += [Fact("action", (1,), "topples"), Fact("topples", (1,), True)]
        if rng.random() < 0.8:
            told.append(Fact("before", ("hits", "topples"), True))
    return looks, told


def _moving(rng: np.random.Generator, index: int, kind: str) -> list[Fact]:
    """What a thing does by itself; at times nothing that is clear."""
    if rng.random() < 0.05:
        return []
    heap = ("rests", "rests", "topples")
    action = pick(rng, heap if kind in HEAPS else ("rests", "rolls", "slides", "falls", "flies"))
    told = [Fact("action", (index,), action)]
    if action == "topples":
        told.append(Fact("topples", (index,), True))
    if action not in ("rests", "falls") and rng.random() < 0.9:
        told.append(Fact("direction", (index,), pick(rng, DIRECTIONS)))
    return told


def _acting(rng: np.random.Generator, index: int, kind: str) -> list[Fact]:
    """What an actor does, and in the midst of it."""
    told = []
    goes = rng.random() < 0.7
    if rng.random() < 0.95:
        told.append(Fact("action", (index,), pick(rng, GOES[kind]) if goes else "stands"))
    if goes and rng.random() < 0.9:
        told.append(Fact("direction", (index,), pick(rng, DIRECTIONS)))
    events = ("stops", "turns", "jumps", "waves")[: EVENTS.get(kind, 0)]
    events = events if goes else events[1:]
    while events and rng.random() < 0.4:
        event = pick(rng, events)
        told.append(Fact("event", (index,), event))
        events = tuple(e for e in events if e != event) if rng.random() < 0.3 else ()
    return told


@pytest.fixture(scope="session")
def draw():
    """Draws a list of facts."""
    return draw_facts


@pytest.fixture(scope="session")
def drawn() -> list[tuple[Fact, ...]]:
    """A hundred lists of facts."""
    return [draw_facts(np.random.default_rng([5, seed])) for seed in range(100)]


@pytest.fixture(scope="session")
def swapped():
    """Facts to what is true of the mirrored twin."""
    return lambda facts: tuple(
        Fact(f.name, f.args, OTHER_SIDE.get(f.value, f.value)) for f in facts
    )
