"""The lines of the card that tracking and flow answer: a table.

    seen = look(probes.load(), frames)
    answer = line.read(seen)                  # Answer(value=..., figures=...)
    right = answer.value == line.wanted(said)

`wanted` is None where a line has nothing to ask of such a clip. A figure of a line is how often the
answer is the wanted one; that the clip shows nothing is never the wanted answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from worldreel.eval.alive import alive
from worldreel.eval.camera import camera
from worldreel.eval.contact import contact, order
from worldreel.eval.drift import drift
from worldreel.eval.falls import gravity
from worldreel.eval.look import Answer, Look, Said
from worldreel.eval.permanence import permanence
from worldreel.eval.rigid import rigidity
from worldreel.eval.seams import seams
from worldreel.eval.shots import actor, shots, told
from worldreel.world.scene import ACTORS

RIGID = frozenset(("ball", "cube", "cylinder", "cone"))


@dataclass(frozen=True, kw_only=True)
class Line:
    """read: the answer of a clip; wanted: the answer that is right, None if there is none;
    accuracy: the least share of undamaged renders that it has to be right on."""

    key: str
    question: str
    read: Callable[[Look], Answer]
    wanted: Callable[[Said], str | None]
    accuracy: float = 0.95


def _move(said: Said) -> str | None:
    """The camera's move, where a clip of one shot has one that is said."""
    move = said.value("camera")
    return None if said.cuts or move is None else str(move)


def _moves(said: Said) -> str | None:
    """Whether something is to move: a camera, or a thing that does more than rest."""
    still = all(fact.value in ("rests", "stands") for fact in said.all("action"))
    return None if still and said.value("camera") == "static" else "moves"


def _falls(said: Said) -> str | None:
    """Wanted where a thing falls or is thrown; what has wings flies as it likes."""
    free = (f for f in said.all("action") if f.value in ("falls", "flies"))
    return "holds" if any(said.value("kind", *f.args) not in ACTORS for f in free) else None


def _hits(said: Said) -> str | None:
    return "holds" if said.all("hits") else None


def _in_turn(said: Said) -> str | None:
    """Who strikes whom, by their colours; None where both are of one."""
    for hit in said.all("hits"):
        names = [said.value("color", index) for index in hit.args]
        if None not in names and names[0] != names[1]:
            return ", then ".join(map(str, names))
    return None


def _rigid(said: Said) -> str | None:
    """Wanted where all things are rigid ones; limbs swing, dominoes topple, and a ring that turns
    is seen from its edge."""
    kinds = {fact.value for fact in said.all("kind")}
    return "holds" if kinds and kinds <= RIGID and not said.cuts else None


def _unbroken(value: str) -> Callable[[Said], str | None]:
    """Wanted of every clip of one shot."""
    return lambda said: None if said.cuts else value


LINES = (
    Line(
        key="camera",
        question="the move that was asked for?",
        read=camera,
        wanted=_move,
        accuracy=0.97,
    ),
    Line(
        key="permanence",
        question="does everything stay, and keep its colour?",
        read=permanence,
        wanted=_unbroken("holds"),
    ),
    Line(key="gravity", question="does it fall as it must?", read=gravity, wanted=_falls),
    Line(
        key="contact",
        question="does it move when it is touched, and not before?",
        read=contact,
        wanted=_hits,
    ),
    Line(
        key="rigidity",
        question="does it keep its shape and size?",
        read=rigidity,
        wanted=_rigid,
    ),
    Line(key="time", question="does it happen in the order said?", read=order, wanted=_in_turn),
    Line(
        key="shots",
        question="is it cut where it was said?",
        read=shots,
        wanted=lambda said: told(said.cuts),
    ),
    Line(
        key="actor",
        question="is it the same before and after a cut?",
        read=actor,
        wanted=lambda said: "same" if said.cuts else None,
    ),
    Line(
        key="seams",
        question="does it go on without a jump?",
        read=seams,
        wanted=_unbroken("smooth"),
    ),
    Line(
        key="drift",
        question="do colour, contrast and sharpness stay?",
        read=drift,
        wanted=_unbroken("steady"),
    ),
    Line(key="alive", question="does it move, and show something?", read=alive, wanted=_moves),
)
