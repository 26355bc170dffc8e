"""A clip as the lines of tracking and flow look at it, what they answer, and what they are asked.

A line is a function of a `Look` that gives an `Answer`; `lines.LINES` holds them all. What is
costly (the eye, tracks, flow) is found once and shared by all lines of a clip.

Shapes: F frames, h w cells of the eye's maps (half its pixels).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from worldreel.eval.eye import Sight
from worldreel.eval.flow import Flow, background
from worldreel.eval.pieces import Body, bodies
from worldreel.eval.probes import Rulers
from worldreel.eval.shape import Shape
from worldreel.world.facts import Fact, facts
from worldreel.world.scene import FPS, Take


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """A clip and what the eye sees in it; all else is found when it is first asked for."""

    frames: np.ndarray  # F H W 3 uint8
    x: Tensor  #          F 3 H W at the eye's width, -1..1
    sight: Sight
    fps: float = FPS
    shape: Shape | None = None  # that names kinds; without it they are not looked at

    @functools.cached_property
    def flow(self) -> Flow:
        """How the background moves."""
        return background(self.x, self.sight)

    @functools.cached_property
    def bodies(self) -> tuple[Body, ...]:
        """Every single thing, followed through the clip."""
        return bodies(self.sight)


def look(rulers: Rulers, frames: np.ndarray, *, fps: float = FPS) -> Look:
    """A clip's frames (F H W 3 uint8) as the lines look at them."""
    x, sight = rulers.look(frames)
    return Look(frames=frames, x=x, sight=sight, fps=fps, shape=rulers.shape)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """value: the word that was read, None where the clip has nothing to say on the line; figures:
    what it was read from, by name."""

    value: str | None
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Said:
    """What is asked of a clip: the facts of its first shot, and the seconds of its cuts."""

    facts: tuple[Fact, ...]
    cuts: tuple[float, ...] = ()

    @classmethod
    def of(cls, takes: Sequence[Take]) -> Said:
        """All that is true of takes that are shown one after another."""
        ends = np.cumsum([take.num_frames / take.fps for take in takes])
        return cls(facts=facts(takes[0]), cuts=tuple(float(end) for end in ends[:-1]))

    def all(self, name: str) -> list[Fact]:
        """The facts of this name."""
        return [fact for fact in self.facts if fact.name == name]

    def value(self, name: str, *args: object) -> object:
        """The value of a fact, None where it is not said."""
        return next((f.value for f in self.facts if (f.name, f.args) == (name, args)), None)
