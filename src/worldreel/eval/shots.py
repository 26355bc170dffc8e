"""Where a clip is cut, and whether the same thing is seen before and after.

At a cut the whole picture is another; in any other frame, however fast the camera, most of it is
where it was.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch.nn import functional

from worldreel.eval.eye import Sight
from worldreel.eval.look import Answer, Look
from worldreel.eval.pieces import bodies

COARSE = 8  # pixels of a patch by which pictures are compared
OTHER = 0.2  # of how much a picture spreads: what a cut changes at least
MORE = 3.0  # how many times what the frames about it change
FLAT = 0.02  # of the scale -1..1: what spreads less has nothing to be cut
AROUND = 3  # frames before and after
GRID = 3  # parts of a second to which the time of a cut is told
NONE = "no cut"


def shots(look: Look) -> Answer:
    """The cuts by their seconds: "no cut", or "cut at 1.67, 3.33"."""
    found = cuts(look)
    value = told([frame / look.fps for frame in found])
    return Answer(value=value, figures={"shots": float(len(found) + 1)})


def told(seconds: Sequence[float]) -> str:
    """Cuts in words, to the nearest third of a second."""
    if not seconds:
        return NONE
    return "cut at " + ", ".join(f"{round(s * GRID) / GRID:.2f}" for s in seconds)


def cuts(look: Look) -> list[int]:
    """The frames that begin another shot."""
    coarse = functional.avg_pool2d(look.x, COARSE)
    spread = max(float(coarse.std((2, 3)).mean()), FLAT)
    step = ((coarse[1:] - coarse[:-1]).abs().mean((1, 2, 3)) / spread).numpy()
    found = []
    for i, here in enumerate(step):
        others = np.concatenate([step[max(0, i - AROUND) : i], step[i + 1 : i + 1 + AROUND]])
        if here > OTHER and here > MORE * others.max(initial=0.0):
            found.append(i + 1)
    return found


def actor(look: Look) -> Answer:
    """ "same", "other", or None where there is no cut, or a shot without anything."""
    edges = [0, *cuts(look), len(look.frames)]
    if len(edges) < 3:
        return Answer(value=None)
    colors = []
    for first, last in zip(edges, edges[1:], strict=False):
        found = bodies(Sight(*(part[first:last] for part in look.sight)))
        if not found:
            return Answer(value=None)
        colors.append(found[0].color)
    return Answer(value="same" if len(set(colors)) == 1 else "other")
