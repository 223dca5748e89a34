import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stillwatch.mark.detection.gamma import log_binomial_tail, log_gamma_tail, log_upper_gamma


def log_of(fraction: Fraction) -> float:
    """The logarithm of a fraction of any size."""
    shift = fraction.numerator.bit_length() - fraction.denominator.bit_length()
    scaled = fraction / Fraction(2) ** shift
    return math.log(scaled) + shift * math.log(2.0)


def erlang_tail(shape: int, value: Fraction) -> float:
    """Log of P(Erlang >= value): minus the value plus the log of a finite sum of positive fractions."""
    term, total = Fraction(1), Fraction(0)
    for i in range(shape):
        total += term
        term *= value / (i + 1)
    return log_of(total) - float(value)


@given(st.integers(1, 60), st.fractions(0, 5000, max_denominator=16))
def test_gamma_tail_is_the_finite_sum(shape, value):
    expected = erlang_tail(shape, value)
    assert log_upper_gamma(shape, float(value)) == pytest.approx(expected, rel=1e-11, abs=1e-12)
    assert log_gamma_tail([float(value)], shape)[0] == pytest.approx(expected, rel=1e-11, abs=1e-12)


@given(st.integers(1, 80).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), st.integers(1, 99))
def test_binomial_tail_is_the_finite_sum(counts, per_cent):
    trials, hits = counts
    rate = Fraction(per_cent, 100)
    exact = sum(math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(hits, trials + 1))
    found = log_binomial_tail([hits], trials, float(rate))[0]
    assert found == pytest.approx(log_of(exact), rel=1e-10, abs=1e-11)


def test_binomial_tail_below_the_range_of_a_double():
    assert log_binomial_tail([4000], 4000, 0.25)[0] == pytest.approx(4000 * math.log(0.25))
    deep, beside = log_binomial_tail([2600, 2601], 4000, 0.25)
    assert beside < deep < -700
    exact = sum(Fraction(math.comb(4000, k) * 3 ** (4000 - k), 4**4000) for k in range(2600, 4001))
    assert deep == pytest.approx(log_of(exact), rel=1e-12)


def test_many_scores_at_the_mean():
    for count in (10, 10_000, 1_000_000):
        assert np.exp(log_gamma_tail([float(count)], count))[0] == pytest.approx(
            stats.gamma.sf(count, count), rel=1e-12
        )


def test_nothing_scored_says_nothing():
    assert log_gamma_tail([0.0], 0)[0] == 0.0


@pytest.mark.parametrize(("hits", "rate"), [(5, 0.5), (-1, 0.5), (1, 0.0), (1, 1.0)])
def test_impossible_counts_are_refused(hits, rate):
    with pytest.raises(ValueError, match="hits must lie"):
        log_binomial_tail([hits], 4, rate)
