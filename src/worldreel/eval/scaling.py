"""Power laws of training: how a loss follows size, data and compute, and how sure that is.

    L(N, D) = floor + a N^-alpha + b D^-beta        N parameters, D clips seen
    L(C)    = floor + a C^-alpha                    C floating-point operations

The first is the third method of Hoffmann et al. (2203.15556). Given the exponents, what is left is
linear: so a grid of exponents, made finer round its best, finds the least relative squares without
a start to guess. Intervals are of a bootstrap of residuals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

DRAWS = 200
TOLERANCE = 0.03
_EXPONENTS = (0.02, 2.0)  # the least and the largest that are looked for
_ROUNDS, _FINE = 7, 9


@dataclass(frozen=True, kw_only=True)
class Law:
    """floor plus a term `scale * x ** -exponent` for each of K quantities."""

    floor: float
    scales: tuple[float, ...]
    exponents: tuple[float, ...]

    def __call__(self, *x: np.ndarray | float) -> np.ndarray:
        terms = zip(self.scales, self.exponents, x, strict=True)
        parts = [
            scale * np.asarray(values, float) ** -exponent for scale, exponent, values in terms
        ]
        return np.asarray(sum(parts, self.floor))


def fit(y: Sequence[float], *x: Sequence[float]) -> Law:
    """The law of least relative squares for values y above 0 of one or two quantities x.

    A ValueError if there are fewer points than the law has numbers.
    """
    target, given = np.asarray(y, float), [np.asarray(values, float) for values in x]
    numbers = 1 + 2 * len(given)
    if len(target) < numbers or any(len(values) != len(target) for values in given):
        raise ValueError(f"a law of {numbers} numbers needs as many points: {len(target)} given")
    if not (target > 0).all() or not all((values > 0).all() for values in given):
        raise ValueError("a power law is of values above 0")
    middle = [float(np.exp(np.log(values).mean())) for values in given]
    scaled = [values / m for values, m in zip(given, middle, strict=True)]
    low, high = _EXPONENTS
    axes = [np.geomspace(low, high, 25)] * len(given)
    best, ratio = _best(target, scaled, axes), (high / low) ** (1 / 24)
    for _ in range(_ROUNDS):
        axes = [e * np.geomspace(1 / ratio, ratio, _FINE) for e in best[1]]
        best, ratio = _best(target, scaled, axes), ratio ** (2 / (_FINE - 1))
    (floor, *scales), exponents = best
    back = [s * m**e for s, m, e in zip(scales, middle, exponents, strict=True)]
    return Law(floor=float(floor), scales=tuple(map(float, back)), exponents=tuple(exponents))


def _best(
    y: np.ndarray, x: Sequence[np.ndarray], axes: Sequence[np.ndarray]
) -> tuple[np.ndarray, tuple[float, ...]]:
    """Floor and scales (1+K,), none below 0, and exponents (K,) of the best of a grid."""
    grid = np.array(list(product(*axes)))  # G K
    columns = np.stack(
        [np.ones((len(grid), len(y)))]
        + [values ** -grid[:, k : k + 1] for k, values in enumerate(x)],
        axis=2,
    )  # G P 1+K
    columns = columns / y[:, None]  # of relative errors: every point is to be 1
    square, sums = columns.mT @ columns, columns.sum(1)  #  G 1+K 1+K, G 1+K
    size = columns.shape[2]
    square += 1e-12 * np.trace(square, axis1=1, axis2=2)[:, None, None] * np.eye(size)
    found: tuple[float, np.ndarray, tuple[float, ...]] | None = None
    for count in range(1, size + 1):
        for chosen in map(list, combinations(range(size), count)):  # the others are 0
            right = sums[:, chosen]
            solved = np.linalg.solve(square[:, chosen][:, :, chosen], right[..., None])[..., 0]
            # at the least squares the sum of errors is what the ones have less what is explained
            cost = np.where((solved >= 0).all(1), len(y) - (solved * right).sum(1), np.inf)
            at = int(cost.argmin())
            if np.isfinite(cost[at]) and (found is None or cost[at] < found[0]):
                whole = np.zeros(size)
                whole[chosen] = solved[at]
                found = float(cost[at]), whole, tuple(map(float, grid[at]))
    assert found is not None, "a floor alone always fits values above 0"
    return found[1], found[2]


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A law, those of its bootstrap, and the relative residuals that they were drawn from."""

    law: Law
    draws: tuple[Law, ...]
    residuals: np.ndarray

    def interval(self, of: Callable[[Law], float]) -> tuple[float, float]:
        """The 95 % interval of any figure of the law."""
        low, high = np.quantile([of(law) for law in self.draws], (0.025, 0.975))
        return float(low), float(high)

    def predicted(self, *x: float) -> tuple[float, float, float]:
        """The law's value at a point that is not among its own, and the 95 % interval of what will
        be measured there: the law's, and a point's own spread."""
        rng = np.random.default_rng(len(self.draws))
        luck = rng.choice(self.residuals, len(self.draws))
        values = [float(law(*x)) * (1 + r) for law, r in zip(self.draws, luck, strict=True)]
        low, high = np.quantile(values, (0.025, 0.975))
        return float(self.law(*x)), float(low), float(high)


def bootstrap(y: Sequence[float], *x: Sequence[float], draws: int = DRAWS, seed: int = 0) -> Fitted:
    """Fit, and fit again to values that differ from the law as the measured ones do.

    Residuals are relative, centred, and made larger by what the law's own numbers took up.
    """
    law = fit(y, *x)
    here = law(*(np.asarray(values, float) for values in x))
    left = len(y) - 1 - 2 * len(x)
    residuals = (np.asarray(y, float) / here - 1) * np.sqrt(len(y) / max(1, left))
    residuals = residuals - residuals.mean()
    rng = np.random.default_rng(seed)
    made = [here * (1 + rng.choice(residuals, len(y))) for _ in range(draws)]
    laws = tuple(fit(np.maximum(values, 1e-9).tolist(), *x) for values in made)
    return Fitted(law=law, draws=laws, residuals=residuals)


def checked(
    predicted: tuple[float, float, float], measured: float, tolerance: float = TOLERANCE
) -> dict[str, float | bool]:
    """What became of a prediction: by how much it was wrong, and whether that is within bounds."""
    value, low, high = predicted
    error = measured / value - 1
    return {
        "predicted": value,
        "low": low,
        "high": high,
        "measured": measured,
        "error": error,
        "within": bool(abs(error) <= tolerance),
        "in interval": bool(low <= measured <= high),
    }
