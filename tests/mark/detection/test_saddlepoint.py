import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stillwatch.mark.detection.gamma import log_binomial_tail, log_gamma_tail
from stillwatch.mark.detection.hypoexponential import log_hypoexponential_tail
from stillwatch.mark.detection.saddlepoint import (
    WeightedSum,
    cumulants,
    log_chernoff_bound,
    log_saddle_tail,
    saddle,
)
from stillwatch.mark.schemes import Null

NULLS = [
    Null("exponential"),
    Null("hypoexponential", weights=(0.9, 0.1)),
    Null("bernoulli", probability=0.25),
    Null("fair bits", bits=30),
]
EXPONENTIAL, GREEN = NULLS[0], NULLS[2]


def equal(null: Null, count: int) -> WeightedSum:
    return WeightedSum(null, np.ones(1), np.array([float(count)]))


@pytest.mark.parametrize("count", [4, 64, 4096])
def test_equal_weights_agree_with_the_gamma_law(count):
    totals = count + math.sqrt(count) * np.array([-1.5, -0.5, -1e-4, 0.0, 1e-4, 0.5, 2.0, 5.0, 20.0])
    error = log_saddle_tail(equal(EXPONENTIAL, count), totals) - log_gamma_tail(totals, count)
    assert np.abs(np.expm1(error)).max() < 0.02 / math.sqrt(count)


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5])
def test_equal_weights_agree_with_the_binomial_law(rate):
    hits = np.arange(1, 400)
    law = equal(Null("bernoulli", probability=rate), 400)
    exact = log_binomial_tail(hits, 400, rate)
    # In the lower tail the approximation of 1 - p is what matters, so compare the probabilities there.
    assert np.exp(log_saddle_tail(law, hits)) == pytest.approx(np.exp(exact), abs=2e-3)
    high = exact < math.log(0.4)
    assert log_saddle_tail(law, hits[high]) == pytest.approx(exact[high], abs=0.09)


@given(st.lists(st.integers(1, 9), min_size=5, max_size=40), st.floats(-1.0, 8.0))
def test_unequal_weights_agree_with_the_exact_tail(weights, z):
    law = WeightedSum.of(EXPONENTIAL, weights)
    total = law.mean + z * math.sqrt(law.variance)
    if total > 0.0:
        exact = log_hypoexponential_tail(total, law.weights, law.counts)
        assert log_saddle_tail(law, total)[0] == pytest.approx(exact, abs=0.08)


@pytest.mark.parametrize("null", NULLS, ids=lambda null: null.kind)
@given(weights=st.lists(st.floats(0.05, 3.0), min_size=1, max_size=30), z=st.floats(-3.0, 10.0))
def test_chernoff_bounds_the_saddle_point(null, weights, z):
    law = WeightedSum.of(null, weights)
    total = law.mean + z * math.sqrt(law.variance)
    assert log_chernoff_bound(law, total)[0] >= log_saddle_tail(law, total)[0] - 1e-6


@given(st.integers(1, 400), st.floats(1.0, 30.0))
def test_chernoff_bounds_the_truth(count, stretch):
    total = count * stretch
    assert log_chernoff_bound(equal(EXPONENTIAL, count), total)[0] >= log_gamma_tail([total], count)[0] - 1e-9


@pytest.mark.parametrize("null", NULLS, ids=lambda null: null.kind)
def test_cumulants_are_those_of_the_law(null):
    law = WeightedSum.of(null, [0.5, 1.0, 1.0, 2.0])
    k0, k1, k2 = cumulants(law, [0.0])
    assert (k0[0], k1[0], k2[0]) == pytest.approx((0.0, law.mean, law.variance))
    step = 1e-5
    around, slope, _ = cumulants(law, [0.1 - step, 0.1, 0.1 + step])
    assert (around[2] - around[0]) / (2 * step) == pytest.approx(slope[1], rel=1e-6)
    assert (slope[2] - slope[0]) / (2 * step) == pytest.approx(cumulants(law, [0.1])[2][0], rel=1e-6)


@pytest.mark.parametrize("null", NULLS, ids=lambda null: null.kind)
@given(z=st.floats(-1.2, 30.0))
def test_saddle_solves_its_equation(null, z):
    law = WeightedSum.of(null, np.linspace(0.5, 1.5, 20))
    total = law.mean + z * math.sqrt(law.variance)
    if 0.01 * law.mean < total < 0.99 * law.most:
        t = saddle(law, np.array([total]))
        assert cumulants(law, t)[1][0] == pytest.approx(total, rel=1e-9)


def test_unequal_green_weights_are_not_understated():
    """On a grid of sums the tail is a staircase; the correction must not fall below it."""
    weights = np.array([1.0] * 60 + [0.5] * 40)
    law = WeightedSum.of(GREEN, weights)
    exact = np.zeros(321)
    exact[0] = 1.0
    for weight in (2 * weights).astype(int):
        moved = np.concatenate([np.zeros(weight), exact[:-weight]])
        exact = 0.75 * exact + 0.25 * moved
    tail = np.cumsum(exact[::-1])[::-1]
    steps = np.arange(41, 140)
    assert np.all(log_saddle_tail(law, steps / 2) >= np.log(tail[steps]) - 0.02)


def test_largest_total_and_beyond():
    law = equal(GREEN, 40)
    assert log_saddle_tail(law, [40.0])[0] == pytest.approx(40 * math.log(0.25))
    assert log_saddle_tail(law, [41.0])[0] == -math.inf
    assert log_chernoff_bound(law, [40.0])[0] == pytest.approx(40 * math.log(0.25))


def test_normal_limit():
    law = equal(EXPONENTIAL, 10**8)
    assert log_saddle_tail(law, [1e8 + 3e4])[0] == pytest.approx(stats.norm.logsf(3.0), abs=1e-3)


@pytest.mark.parametrize("weights", [[-1.0], [math.nan], [math.inf]])
def test_bad_weights_are_refused(weights):
    with pytest.raises(ValueError, match="weights must be"):
        WeightedSum.of(EXPONENTIAL, weights)
