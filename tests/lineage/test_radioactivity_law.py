"""The tail of signed sums against exact laws and against simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from stillwatch.lineage.radioactivity_law import SignedSum
from stillwatch.mark.schemes import Null

EXPONENTIAL = Null("exponential")
DUAL = Null("hypoexponential", weights=(0.9, 0.1))
GREEN = Null("bernoulli", probability=0.25)


@pytest.mark.parametrize("z", [-2.0, 0.01, 1.0, 4.0, 12.0])
def test_equal_weights_give_the_gamma_law(z):
    law = SignedSum(EXPONENTIAL, np.full(40, 0.5))
    exact = math.log(special.gammaincc(40, 40 + z * math.sqrt(40)))
    assert law.log_tail(z * law.deviation) == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("z", [0.5, 3.0, 9.0])
def test_negative_weights_give_the_other_tail_of_the_gamma_law(z):
    law = SignedSum(EXPONENTIAL, np.full(400, -0.5))
    exact = stats.gamma(400).logcdf(400 - z * 20)
    assert law.log_tail(z * law.deviation) == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize("null", [EXPONENTIAL, DUAL, GREEN, Null("fair bits", bits=5)])
def test_signed_weights_agree_with_simulation(null):
    rng = np.random.default_rng(5)
    weights = rng.normal(size=60) + 0.3
    if null.kind in {"bernoulli", "fair bits"}:
        scores = rng.binomial(null.bits, null.probability, (200_000, 60)).astype(float)
    else:
        scores = sum(part * rng.exponential(size=(200_000, 60)) for part in null.weights or (1.0,))
    totals = (scores - null.mean) @ weights
    law = SignedSum(null, weights)
    assert law.deviation == pytest.approx(totals.std(), rel=0.02)
    for z in (-1.0, 0.0, 0.02, 1.0, 2.0, 3.0):
        seen = np.mean(totals >= z * law.deviation)
        assert math.exp(law.log_tail(z * law.deviation)) == pytest.approx(
            seen, rel=0.05 + 4 / math.sqrt(seen * 2e5)
        )


@given(
    st.lists(st.floats(-3, 3).filter(lambda x: abs(x) > 1e-3), min_size=1, max_size=30),
    st.floats(0.1, 30),
    st.sampled_from([EXPONENTIAL, DUAL, GREEN]),
)
def test_the_bound_is_above_the_approximation_and_both_fall(weights, z, null):
    law = SignedSum(null, np.array(weights))
    total = z * law.deviation
    assert law.log_tail(total) <= law.log_bound(total) + 1e-6
    assert law.log_tail(total * 1.5) <= law.log_tail(total) + 1e-6
    assert law.log_bound(total * 1.5) <= law.log_bound(total) + 1e-9


def test_no_weights_is_no_evidence():
    assert SignedSum(EXPONENTIAL, np.zeros(3)).log_tail(0.0) == 0.0
    assert SignedSum(EXPONENTIAL, np.zeros(0)).log_bound(0.0) == 0.0


def test_the_largest_value_and_what_lies_beyond():
    law = SignedSum(GREEN, np.array([1.0, -1.0, 2.0]))
    assert law.log_bound(law.most() * 2) == -math.inf
    assert law.log_tail(law.most()) == pytest.approx(2 * math.log(0.25) + math.log(0.75), abs=0.1)


@pytest.mark.parametrize("null", [EXPONENTIAL, DUAL, GREEN])
def test_many_tails_are_those_of_each(null):
    rng = np.random.default_rng(9)
    law = SignedSum(null, rng.normal(size=300))
    totals = law.deviation * np.linspace(-3, 4, 150)
    each = [law.log_tail(float(total)) for total in totals]
    np.testing.assert_allclose(law.log_tails(totals), each, atol=0.01)
    assert law.slope(0.1) == pytest.approx(law.cumulants(0.1)[1])
