"""Whether colour, contrast and sharpness stay over a clip, or drift away.

The background of each frame is laid over the next by its own flow, so that what a camera comes to
see has no say, and what changes between is added up.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from worldreel.eval.flow import aligned
from worldreel.eval.look import Answer, Look

FRAMES = 6  # a clip has at least
COLOR = 0.07  # of the scale -1..1 in a second
CONTRAST = 0.32  # of its logarithm in a second
SHARPNESS = 0.15  # of its logarithm in a second
PATCH = 5  # cells
FLAT = 0.02  # of the scale -1..1: what spreads less has no contrast


def drift(look: Look) -> Answer:
    """ "steady", "drifts", or None where there is nothing to tell it by."""
    if len(look.frames) < FRAMES or float(look.x.std()) < FLAT:
        return Answer(value=None)
    before, after, weight = aligned(look.x, look.sight, look.flow)
    seconds = len(before) / look.fps
    total = weight.sum((2, 3)).clamp_min(1)  #                                P 1
    step = ((after - before) * weight).sum((2, 3)) / total  #                 P 3
    # What is laid over another is a little softer: coarse patches do not show it.
    share = functional.avg_pool2d(weight, PATCH)
    patches = [
        functional.avg_pool2d(x * weight, PATCH) / share.clamp_min(0.5) for x in (before, after)
    ]
    whole = (share > 0.5).float()
    spread = [_spread(x, whole, whole.sum((2, 3)).clamp_min(1)) for x in patches]
    rate = step.sum(0) / seconds
    contrast = (spread[1] / spread[0]).log().mean(1).sum() / seconds
    fine = sharpness(look.x).log().numpy()
    figures = {
        "colour": float(rate.abs().max()),
        "contrast": float(contrast),
        "sharpness": float(np.polyfit(np.arange(len(fine)) / look.fps, fine, 1)[0]),
    }
    good = (
        figures["colour"] <= COLOR
        and abs(figures["contrast"]) <= CONTRAST
        and abs(figures["sharpness"]) <= SHARPNESS
    )
    return Answer(value="steady" if good else "drifts", figures=figures)


def _spread(x: torch.Tensor, weight: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
    """The standard deviation of each channel where there is weight: P 3."""
    mean = (x * weight).sum((2, 3)) / total
    square = (x**2 * weight).sum((2, 3)) / total
    return (square - mean**2).clamp_min(FLAT**2).sqrt()


def sharpness(x: torch.Tensor) -> torch.Tensor:
    """How abrupt a picture's edges are: the bend of its brightness from pixel to pixel, as a share
    of its slope. F 3 H W -> F"""
    gray = x.mean(1)
    across, down = gray[:, :, 1:] - gray[:, :, :-1], gray[:, 1:] - gray[:, :-1]
    slope = (across**2).mean((1, 2)) + (down**2).mean((1, 2))
    bend = ((across[:, :, 1:] - across[:, :, :-1]) ** 2).mean((1, 2))
    bend = bend + ((down[:, 1:] - down[:, :-1]) ** 2).mean((1, 2))
    return (bend / slope.clamp_min(1e-8)).clamp_min(1e-4).sqrt()
