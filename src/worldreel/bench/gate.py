"""Whether two sides did the same work: what their outputs may differ by.

In float32 the largest difference is 1e-4 of the largest value at most (law 11). In bfloat16 no two
orders of the same sums agree, so the measure is what the other side itself loses against float32,
as a share of the norm: ours may lose a quarter more at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

EXACT = 1e-4  # of float32, relative to the largest value
ALONE = 3e-2  # of bfloat16, where no side of theirs computes the same in bfloat16
MORE = 1.25  # times their own error
COSINE = 0.9999


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One side's output beside the reference. allowed: the largest error that is let through."""

    side: str
    error: float
    cosine: float
    allowed: float
    passed: bool


def error(given: Tensor, wanted: Tensor) -> float:
    """The largest difference, relative to the largest value wanted; infinite where not finite."""
    if given.shape != wanted.shape or not bool(torch.isfinite(given).all()):
        return float("inf")
    return ((given - wanted).abs().max() / wanted.abs().max().clamp_min(1e-30)).item()


def lost(given: Tensor, wanted: Tensor) -> float:
    """The norm of the difference, relative to the norm wanted; infinite where not finite."""
    if given.shape != wanted.shape or not bool(torch.isfinite(given).all()):
        return float("inf")
    return ((given - wanted).double().norm() / wanted.double().norm().clamp_min(1e-30)).item()


def cosine(given: Tensor, wanted: Tensor) -> float:
    if given.shape != wanted.shape:
        return 0.0
    return functional.cosine_similarity(
        given.double().flatten(), wanted.double().flatten(), dim=0
    ).item()


def judge(
    wanted: Tensor, ours: Mapping[str, tuple[torch.dtype, Tensor]],
    theirs: Mapping[str, tuple[torch.dtype, Tensor]],
) -> list[Verdict]:  # fmt: skip
    """Each of our outputs beside the reference, which is in float32.

    theirs: outputs of the other side that do the same work; those of our number format say how much
    a side may lose in it.
    """
    verdicts = []
    for name, (dtype, output) in ours.items():
        far = (error if dtype == torch.float32 else lost)(output, wanted)
        alike = cosine(output, wanted)
        least = COSINE
        peers = [out for kind, out in theirs.values() if kind == dtype]
        if dtype == torch.float32:
            allowed = EXACT
        elif peers:
            allowed = MORE * max(lost(out, wanted) for out in peers)
            turned = 1 - min(cosine(out, wanted) for out in peers)
            least = min(COSINE, 1 - MORE**2 * turned)  # an angle's cosine falls as its square
        else:
            allowed, least = ALONE, 1 - ALONE
        passed = far <= allowed and alike >= least
        verdicts.append(Verdict(side=name, error=far, cosine=alike, allowed=allowed, passed=passed))
    return verdicts
