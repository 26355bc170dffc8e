"""What can happen. A new story is a function and its row here."""

from __future__ import annotations

from worldreel.world.actors import RIGS
from worldreel.world.scene import DIRECTIONS, THINGS
from worldreel.world.stories.actors import driven, goes, standing, stands, together
from worldreel.world.stories.plan import FOV, HEADING, Look, Placed, Plan, Story
from worldreel.world.stories.things import (
    SOLIDS,
    TRAVELS,
    falls,
    flies,
    hits,
    resting,
    rests,
    stacks,
    tips,
    topples,
    travels,
)

__all__ = ["FOV", "HEADING", "STORIES", "Look", "Placed", "Plan", "Story", "resting", "standing"]

_GOES = {kind: tuple(dict.fromkeys(rig.goes)) for kind, rig in RIGS.items()}
_SLOW = {kind: rig.goes[:1] for kind, rig in RIGS.items()}
_STANDS = {kind: (rig.stands,) for kind, rig in RIGS.items()}


def _subset(*kinds: str) -> dict[str, tuple[str, ...]]:
    return {kind: TRAVELS[kind] for kind in kinds}


STORIES: dict[str, Story] = {
    "rests": Story(
        tell=rests, manners=dict.fromkeys(THINGS, ("rests",)), share=0.14,
        more=(0.25, 0.35, 0.22, 0.18), alike=0.25, seconds=0.0,
    ),
    "travels": Story(
        tell=travels, manners=TRAVELS, share=0.24, more=(0.6, 0.25, 0.15), moves=True,
        ways=DIRECTIONS, follow=True,
    ),
    "falls": Story(
        tell=falls, manners=dict.fromkeys(SOLIDS, ("falls",)), share=0.12, more=(0.6, 0.25, 0.15),
        seconds=1.0,
    ),
    "flies": Story(
        tell=flies, manners=dict.fromkeys(SOLIDS, ("flies",)), share=0.12, more=(0.7, 0.3),
        seconds=1.0, moves=True,
    ),
    "hits": Story(
        tell=hits, manners=TRAVELS, cast=(SOLIDS,), says=("hits",), share=0.20, more=(0.8, 0.2),
        seconds=1.3, moves=True,
    ),
    "topples": Story(
        tell=topples, manners=_subset("ball", "cylinder", "ring"), cast=(("dominoes",),),
        says=("hits", "topples"), share=0.15, more=(0.85, 0.15), seconds=1.6, moves=True, larger=1,
    ),
    "scatters": Story(
        tell=topples, manners=_subset("ball", "cube", "cylinder"), cast=(("blocks",),),
        says=("hits", "topples"), share=0.15, more=(0.85, 0.15), seconds=1.6, moves=True, larger=1,
        room=1.15,
    ),
    "tips": Story(
        tell=tips, manners={"dominoes": ("topples",)}, share=0.35, more=(0.75, 0.25), seconds=1.6,
        moves=True,
    ),
    "stacks": Story(
        tell=stacks, manners=dict.fromkeys(("cube", "cylinder", "cone", "ring"), ("stacks",)),
        cast=(("cube", "cylinder"),), says=("rests",), share=0.12, more=(0.75, 0.25), seconds=1.5,
        larger=-1,
    ),
    "nests": Story(
        tell=stacks, manners={"ball": ("stacks",)}, cast=(("ring",),), says=("rests",), share=0.10,
        more=(0.75, 0.25), seconds=1.5, larger=-1,
    ),
    "stands": Story(
        tell=stands, manners=_STANDS, share=0.20, more=(0.45, 0.3, 0.15, 0.1), seconds=0.0,
        alike=0.25, events=("turns", "jumps", "waves"), room=0.85,
    ),
    "goes": Story(
        tell=goes, manners=_GOES, share=0.50, more=(0.6, 0.25, 0.15), moves=True, ways=DIRECTIONS,
        follow=True, events=("stops", "turns", "jumps", "waves"),
    ),
    "together": Story(
        tell=together, manners=_GOES, share=0.18, more=(0.0, 0.75, 0.25), together=True,
        alike=0.3, moves=True, ways=DIRECTIONS, follow=True,
    ),
    "driven": Story(
        tell=driven, manners=_SLOW, share=0.10, more=(0.8, 0.2), seconds=1.6, follow=True,
    ),
}  # fmt: skip
