"""Arithmetic of the beta-binomial that is prepared for one distribution and used for many units."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.stats.betabinomial import log_mean_ratios, log_pmfs, log_ratios
from stillwatch.stats.evalues import log_beta_binomial_pmf

UNITS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 4000)), min_size=1, max_size=30)
RATE = st.floats(1e-6, 0.95)
DISPERSION = st.floats(0.05, 1e6) | st.just(float("inf"))


def columns(units):
    hits, misses = np.array(units, float).T
    return hits, hits + misses


@settings(deadline=None)
@given(UNITS, RATE, DISPERSION)
def test_many_units_have_the_probabilities_of_each(units, mean, dispersion):
    hits, trials = columns(units)
    alone = [log_pmfs(hits[at : at + 1], trials[at : at + 1], mean, dispersion)[0] for at in range(hits.size)]
    assert log_pmfs(hits, trials, mean, dispersion).tolist() == alone
    assert log_beta_binomial_pmf(hits, trials, mean, dispersion).tolist() == alone


@settings(deadline=None)
@given(UNITS, RATE, RATE, DISPERSION)
def test_a_ratio_is_the_difference_of_two_probabilities(units, mean, null, dispersion):
    given_units = columns(units)
    difference = log_pmfs(*given_units, mean, dispersion) - log_pmfs(*given_units, null, dispersion)
    assert log_ratios(*given_units, mean, null, dispersion) == pytest.approx(difference, rel=1e-8, abs=1e-7)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 4000), RATE, DISPERSION), min_size=1, max_size=9)
)
def test_units_with_nulls_of_their_own_are_judged_as_each_alone(units):
    hits, misses, mean, dispersion = np.array(units, float).T
    rates = np.array([0.01, 0.2, 0.7])
    together = log_mean_ratios(hits, hits + misses, mean, dispersion, rates)
    alone = [
        log_mean_ratios(*(column[at : at + 1] for column in (hits, hits + misses, mean, dispersion)), rates)[
            0
        ]
        for at in range(hits.size)
    ]
    assert together.tolist() == alone
