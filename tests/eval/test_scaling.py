"""Laws of laws: what made the points is found again, and a wrong prediction is called wrong."""

from itertools import product

import numpy as np
import pytest

from worldreel.eval import scaling
from worldreel.eval.scaling import Law

TRUE = Law(floor=0.2, scales=(40.0, 30.0), exponents=(0.45, 0.38))


def points(noise=0.0, seed=0):
    """Sizes and data of a study over three decades of compute: N, D, L."""
    sizes, seen = [2e5, 6e5, 1.6e6, 4e6], [2e3, 6e3, 2e4, 6e4]
    n, d = np.array(list(product(sizes, seen))).T
    luck = 1 + noise * np.random.default_rng(seed).standard_normal(len(n))
    return n, d, TRUE(n, d) * luck


def test_a_law_is_found_again():
    n, d, loss = points()
    law = scaling.fit(loss, n, d)
    assert law.exponents == pytest.approx(TRUE.exponents, rel=1e-3)
    assert law.scales == pytest.approx(TRUE.scales, rel=1e-2)
    assert law.floor == pytest.approx(TRUE.floor, rel=1e-2)
    far = (1.6e7, 4e5)
    assert law(*far) == pytest.approx(TRUE(*far), rel=1e-3)


def test_intervals_hold_what_made_the_points():
    n, d, loss = points(noise=0.004, seed=3)
    found = scaling.bootstrap(loss, n, d, draws=60)
    for k in range(2):
        low, high = found.interval(lambda law, k=k: law.exponents[k])
        assert low < TRUE.exponents[k] < high
        assert high - low < 0.5
    low, high = found.interval(lambda law: law.floor)
    assert low <= TRUE.floor <= high
    again = scaling.bootstrap(loss, n, d, draws=60)
    assert again.draws == found.draws


def test_a_prediction_is_checked_against_what_came():
    n, d, loss = points(noise=0.004, seed=7)
    found = scaling.bootstrap(loss, n, d, draws=60)
    far = (1.2e7, 3e5)
    predicted = found.predicted(*far)
    right = scaling.checked(predicted, float(TRUE(*far)))
    assert right["within"] and right["in interval"]
    wrong = scaling.checked(predicted, 1.05 * predicted[0])
    assert not wrong["within"] and not wrong["in interval"]
    assert wrong["error"] == pytest.approx(0.05)
    assert not scaling.checked(predicted, 0.96 * predicted[0])["within"]


def test_a_law_that_does_not_hold_predicts_what_does_not_come():
    """Data stop helping: the law of the small runs must be said to be wrong about the large one."""
    n, d, _ = points()
    found = scaling.bootstrap(TRUE(n, np.minimum(d, 6e4)), n, d, draws=60)
    stuck = float(TRUE(1.2e7, 6e4))
    assert not scaling.checked(found.predicted(1.2e7, 3e6), stuck)["within"]


def test_one_quantity():
    c = np.geomspace(1e12, 1e15, 7)
    found = scaling.bootstrap(Law(floor=0.1, scales=(2e3,), exponents=(0.3,))(c), c, draws=5)
    assert found.law.exponents[0] == pytest.approx(0.3, rel=1e-3)
    assert found.law.floor == pytest.approx(0.1, rel=1e-2)
    falling = scaling.fit(3e4 * c**-0.4, c)
    assert falling.floor == pytest.approx(0, abs=1e-4)


def test_too_little_to_go_by_is_refused():
    with pytest.raises(ValueError, match="needs as many points: 4 given"):
        scaling.fit([1, 2, 3, 4], [1, 2, 3, 4], [4, 3, 2, 1])
    with pytest.raises(ValueError, match="above 0"):
        scaling.fit([1, -2, 3], [1, 2, 3])
