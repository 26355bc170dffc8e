"""Laws of paired differences: pairs count, and an interval is as wide as the data are few."""

import math

import numpy as np
import pytest

from worldreel.eval.paired import difference


def test_what_pairs_share_is_not_counted_as_luck():
    rng = np.random.default_rng(0)
    base = rng.normal(0, 10, (2, 200))  # cases are far apart, the two models are not
    other = base + 1 + rng.normal(0, 0.1, base.shape)
    gap, low, high = difference(base, other)
    assert gap == pytest.approx(1, abs=0.02) and low < gap < high
    assert high - low < 0.1
    assert difference(base, base) == (0, 0, 0)
    back = difference(other, base)
    assert back == pytest.approx((-gap, -high, -low), abs=0.01)


def test_an_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = 0
    for trial in range(100):
        base, other = rng.random((2, 1, 80)) < np.array([0.5, 0.6])[:, None, None]
        _, low, high = difference(base.astype(float), other.astype(float), draws=200, seed=trial)
        held += low <= 0.1 <= high
    assert 88 <= held <= 99


def test_cases_that_say_nothing_are_left_out():
    base = np.array([[1.0, np.nan, 0.0], [1.0, np.nan, 0.0]])
    other = np.array([[1.0, np.nan, 1.0], [1.0, 1.0, 1.0]])
    assert difference(base, other)[0] == 0.5
    assert all(map(math.isnan, difference(base * np.nan, other)))
    with pytest.raises(ValueError, match="no pairs"):
        difference(base, other[:1])
