"""Casting: the words that a scene is made of, drawn before anything has a place."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import replace
from typing import TypeAlias, TypeVar

import numpy as np

from worldreel.errors import SceneError
from worldreel.world import scene as words
from worldreel.world.actors import RIGS
from worldreel.world.place import PLACES, tells
from worldreel.world.scene import ACTORS, THINGS, Scene
from worldreel.world.split import held_out, held_out_setting
from worldreel.world.stories import STORIES, Look, Plan, Story

Known: TypeAlias = dict[str, tuple[str, ...]]  # for each slot the words that a scene may use

# The words that a scene is made of. Of a slot that has a plain value a world that names none of it
# keeps to that; of the others it has all.
_SLOTS: Known = {
    "kind": tuple(kind for kind in words.KINDS if kind in THINGS or kind in RIGS),
    "color": tuple(words.COLORS),
    "size": words.SIZES,
    "material": words.MATERIALS,
    "setting": words.SETTINGS,
    "light": words.LIGHTS,
    "weather": words.WEATHERS,
    "style": words.STYLES,
    "camera": words.CAMERAS,
    "action": words.ACTIONS,
    "event": words.EVENTS,
    "direction": words.DIRECTIONS,
    "count": ("1", "2", "3", "4"),
}
_PLAIN = {"weather": ("clear",), "style": ("render",), "camera": ("static",), "event": ()}

NATURAL = {  # how much likelier than others a colour of a kind is
    "mammoth": {"brown": 10.0},
    "dog": {"brown": 6.0, "black": 4.0, "white": 4.0, "grey": 3.0},
}
_LUMA = (0.299, 0.587, 0.114)
_DARK = tuple(  # what without its colour is lost in a night
    color for color, rgb in words.COLORS.items() if np.dot(_LUMA, rgb) < 0.45
)
_WEATHER = {"clear": 0.64, "snow": 0.12, "rain": 0.12, "fog": 0.12}
_STYLE = dict.fromkeys(words.STYLES, 0.05) | {"render": 0.8}
_STATIC = 0.45  # of the cameras
_FOLLOWED = 3  # how much likelier than other moves a camera follows what it can
_EVENT = 0.7  # of the actors that could do something in the midst of it


def known_words(within: Set[str] | None) -> Known:
    """For each slot the words that a scene may use."""
    if within is None:
        return _SLOTS
    unknown = sorted(set(within) - {word for values in _SLOTS.values() for word in values})
    if unknown:
        every = list(dict.fromkeys(word for values in _SLOTS.values() for word in values))
        near = difflib.get_close_matches(unknown[0], every, n=5, cutoff=0.4)
        others = [word for word in every if word not in near]
        raise SceneError(f"the world has no word {unknown[0]!r}: {', '.join([*near, *others])}")
    named = {slot: tuple(v for v in values if v in within) for slot, values in _SLOTS.items()}
    return {slot: v or _PLAIN.get(slot, _SLOTS[slot]) for slot, v in named.items()}


def draw(
    rng: np.random.Generator,
    *,
    split: str | None,
    seconds: float,
    known: Known,
    only: str | None = None,
    before: Sequence[Scene] | None = None,
) -> Plan | None:
    """A plan of what is to happen, of these words; None where they do not go together.

    only: the story. before: for one of several shots those before it, none yet for the first: a
    single subject, the same in all, from another side or in another setting.
    """
    still = seconds < 0.5
    told = {
        name: story
        for name, story in STORIES.items()
        if only in (None, name)
        and story.seconds <= (0.0 if still else seconds)
        and set(story.says) <= set(known["action"])
        and (before is None or not (story.cast or story.together))
    }
    wanted = (False, False)
    if split == "held_out":
        wanted = (True, False) if rng.random() < 0.5 else (False, True)
    kinds = [
        kind
        for kind in known["kind"]
        if any(_manners(story, kind, known) for story in told.values())
        and (not before or kind == before[0].things[0].kind)
    ]
    kind = _pick(rng, kinds) if kinds else ""
    choices = _choices(kind, known, *wanted, before)
    if not choices:
        return None
    setting, color = _weighted(rng, {pair: _natural(kind, pair[1]) for pair in choices})
    shares = {n: s.share for n, s in told.items() if _manners(s, kind, known)}
    name = _weighted(rng, shares)
    story = told[name]
    air = _air(color, setting, known)
    style = {s: w for s, w in _STYLE.items() if s in known["style"]}
    if wanted[0] and len(style) > 1:
        style.pop("black and white", None)  # or the pair could not be seen
    light, weather = _weighted(rng, air)
    if light == "night" and color in _DARK and len(style) > 1:
        style.pop("black and white", None)
    if before and before[0].setting == setting:
        light, weather = before[0].light, before[0].weather
    one = before[0].things[0] if before else None
    look = Look(kind=kind, color=color, size=one.size, material=one.material) if one else None
    look = look or _look(rng, kind, color, known)
    looks = _others(rng, look, story, known, setting, (light, weather), alone=before is not None)
    ways = [way for way in story.ways if way in known["direction"]]
    if looks is None or (story.moves and not ways):
        return None
    direction = _pick(rng, ways) if ways else ""
    deep = story.moves and direction in ("toward", "away")
    used = {scene.camera.move for scene in before or () if scene.setting == setting}
    move = _move(rng, story, known, still=still, deep=deep, used=used)
    if move is None:
        return None
    return Plan(
        story=name,
        setting=setting,
        light=light,
        weather=weather,
        style=before[0].style if before else _weighted(rng, style),
        move=move,
        direction=direction,
        manner=_pick(rng, _manners(story, kind, known)),
        event=None if still or look in looks[1:] else _event(rng, kind, story, known),
        looks=looks,
        seconds=seconds,
        middle=float(rng.uniform(2.6, 3.4)) if kind == "ship" else 0.0,
    )


def recast(rng: np.random.Generator, scene: Scene, known: Known) -> Scene:
    """The same scene in other colours, another light and weather, which change no motion.

    By the rules of `draw`: no pair that is held out, no colour that could not be told there, things
    alike stay alike and things unlike do not become so. Without colours (black and white) and where
    nothing else fits, what was there stays.
    """
    if scene.style == "black and white":
        return scene
    looks = list(dict.fromkeys((thing.kind, thing.color) for thing in scene.things))
    fits = [
        {
            air: share
            for color in known["color"]
            if not held_out(color, kind)
            for air, share in _air(color, scene.setting, known).items()
        }
        for kind, _ in looks
    ]
    airs = {air: share for air, share in fits[0].items() if all(air in fit for fit in fits)}
    if not airs:
        return scene
    light, weather = _weighted(rng, airs)
    colors: dict[tuple[str, str], str] = {}
    for kind, color in looks:
        free = {
            c: _natural(kind, c)
            for c in known["color"]
            if not held_out(c, kind)
            and tells(c, scene.setting, light, weather)
            and c not in colors.values()
        }
        if not free:
            return scene
        colors[kind, color] = _weighted(rng, free)
    things = tuple(replace(t, color=colors[t.kind, t.color]) for t in scene.things)
    return replace(scene, things=things, light=light, weather=weather)


T = TypeVar("T")


def _pick(rng: np.random.Generator, values: Sequence[T]) -> T:
    return values[int(rng.integers(len(values)))]


def _weighted(rng: np.random.Generator, weights: Mapping[T, float]) -> T:
    p = np.array(list(weights.values()))
    return list(weights)[int(rng.choice(len(p), p=p / p.sum()))]


def _natural(kind: str, color: str) -> float:
    return NATURAL.get(kind, {}).get(color, 1.0)


def _manners(story: Story, kind: str, known: Known) -> list[str]:
    return [manner for manner in story.manners.get(kind, ()) if manner in known["action"]]


def _air(color: str, setting: str, known: Known) -> dict[tuple[str, str], float]:
    """The lights and weathers of a setting in which this colour can be told, with their shares."""
    place = PLACES[setting]
    weathers = {w: s for w, s in _WEATHER.items() if w in place.weathers and w in known["weather"]}
    return {
        (light, weather): share
        for light in place.lights
        if light in known["light"]
        for weather, share in weathers.items()
        if tells(color, setting, light, weather)
    }


def _choices(
    kind: str, known: Known, by_color: bool, by_setting: bool, before: Sequence[Scene] | None
) -> list[tuple[str, str]]:
    """The settings and colours of a kind whose pairs with it are held out as asked for."""
    if before:
        # All that was asked for is in the first shot; a new setting is one that training knows.
        first, color = before[0], before[0].things[0].color
        settings = [s for s in known["setting"] if not held_out_setting(kind, s)]
        settings = [s for s in settings if kind in PLACES[s].kinds and _air(color, s, known)]
        return [(s, color) for s in dict.fromkeys([first.setting, *settings])]
    return [
        (setting, color)
        for setting in known["setting"]
        if kind in PLACES[setting].kinds and held_out_setting(kind, setting) is by_setting
        for color in known["color"]
        if held_out(color, kind) is by_color and _air(color, setting, known)
    ]


def _look(rng: np.random.Generator, kind: str, color: str, known: Known) -> Look:
    material = "matte" if kind in ACTORS else _pick(rng, known["material"])
    return Look(kind=kind, color=color, size=_pick(rng, known["size"]), material=material)


def _others(
    rng: np.random.Generator,
    subject: Look,
    story: Story,
    known: Known,
    setting: str,
    air: tuple[str, str],
    *,
    alone: bool,
) -> tuple[Look, ...] | None:
    """The subject and all that is with it: those who play a part first."""
    company = [
        kind
        for kind in known["kind"]
        if kind in PLACES[setting].kinds
        and not held_out_setting(kind, setting)
        and (kind == "ship") == (subject.kind == "ship")
    ]
    least = 1 + len(story.cast)
    more = {
        n: share
        for n, share in enumerate(story.more)
        if share and str(least + n) in known["count"] and not (alone and n)
    }
    if not more:
        return None
    count = _weighted(rng, more)
    if count and rng.random() < story.alike:
        return (subject,) * (1 + count)
    by = company if story.together else _standing(company, known)
    by = [kind for kind in by if not story.together or _manners(story, kind, known)]
    parts = [[kind for kind in part if kind in company] for part in story.cast]
    looks = [subject]
    for kinds in (*parts, *[by] * count):
        if not kinds:
            return None
        kind = _pick(rng, kinds)
        used = [look.color for look in looks]
        free = {
            color: _natural(kind, color)
            for color in known["color"]
            if not held_out(color, kind) and tells(color, setting, *air)
        }
        other = {color: share for color, share in free.items() if color not in used}
        same = {look.color for look in looks if look.kind == kind}
        free = other or {color: share for color, share in free.items() if color not in same}
        if not free:
            return None
        looks.append(_look(rng, kind, _weighted(rng, free), known))
    if story.larger:
        own, others = (words.SIZES.index(look.size) for look in looks[:2])
        if story.larger * (own - others) < 0:
            return None
    return tuple(looks)


def _standing(kinds: Collection[str], known: Known) -> list[str]:
    """Those that may stand by: there is a word for it."""
    return [
        kind
        for kind in kinds
        if ("rests" if kind in THINGS else RIGS[kind].stands) in known["action"]
    ]


def _event(rng: np.random.Generator, kind: str, story: Story, known: Known) -> str | None:
    if kind not in RIGS or rng.random() > _EVENT:
        return None
    events = [e for e in story.events if e in RIGS[kind].events and e in known["event"]]
    return _pick(rng, events) if events else None


def _move(
    rng: np.random.Generator, story: Story, known: Known, *, still: bool, deep: bool, used: Set[str]
) -> str | None:
    moves = [
        move
        for move in known["camera"]
        if move not in used
        # Its size in the picture would say nothing of its motion.
        and not (deep and (move == "follow" or move.startswith("dolly")))
        and not (move == "follow" and not story.follow)
    ]
    if still:
        return "static"
    others = [move for move in moves if move != "static"]
    if "static" in moves and (not others or rng.random() < _STATIC):
        return "static"
    shares = {move: _FOLLOWED if move == "follow" else 1 for move in others}
    return _weighted(rng, shares) if others else None
