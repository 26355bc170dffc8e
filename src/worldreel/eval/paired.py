"""How sure a difference is when two models were asked the same: a bootstrap of pairs."""

from __future__ import annotations

import numpy as np

DRAWS = 2000


def difference(
    base: np.ndarray, other: np.ndarray, *, draws: int = DRAWS, seed: int = 0
) -> tuple[float, float, float]:
    """The mean of `other` less `base`, and its 95 % interval: (difference, low, high).

    Both are (seeds of training, cases), a seed and a case in the same place in both; NaN where a
    case has nothing to say. Seeds and cases are drawn anew, with their pairs (Efron and Tibshirani,
    1993): with few seeds the interval is of cases more than of training's luck. NaN thrice where
    nothing is left to compare.
    """
    if base.shape != other.shape or base.ndim != 2:
        raise ValueError(f"{base.shape} and {other.shape} are no pairs of (seeds, cases)")
    gap = np.asarray(other, float) - np.asarray(base, float)  # S N
    known = ~np.isnan(gap)
    if not known.any():
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    seeds, cases = gap.shape
    often_s = rng.multinomial(seeds, np.full(seeds, 1 / seeds), draws)  # D S
    often_n = rng.multinomial(cases, np.full(cases, 1 / cases), draws)  # D N
    total = np.einsum("ds,sn,dn->d", often_s, np.where(known, gap, 0), often_n, optimize=True)
    count = np.einsum("ds,sn,dn->d", often_s, known.astype(float), often_n, optimize=True)
    means = total[count > 0] / count[count > 0]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(gap[known].mean()), float(low), float(high)
