import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.mark.detection.manykeys import (
    _Rank,
    benjamini_hochberg_of_logs,
    weak_signals,
)
from stillwatch.stats.fdr import benjamini_hochberg_levels, holm_log_levels

P_VALUES = st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=30)


@given(P_VALUES)
def test_benjamini_hochberg_agrees_with_the_one_on_p(p):
    assert benjamini_hochberg_of_logs(np.log(p)) == pytest.approx(benjamini_hochberg_levels(p), rel=1e-9)


@pytest.mark.parametrize("bad", [[0.1], [math.nan], [[-1.0]]])
def test_what_is_no_p_value_is_refused(bad):
    with pytest.raises(ValueError, match="logarithms of p-values"):
        benjamini_hochberg_of_logs(bad)


def test_family_wise_error_is_held():
    rng = np.random.default_rng(11)
    wrong = sum(np.any(holm_log_levels(np.log(rng.random(200))) <= math.log(0.05)) for _ in range(2000))
    assert wrong <= 100 + 4 * math.sqrt(95)


def test_weak_signals_are_seen_together_and_not_in_noise():
    rng = np.random.default_rng(12)
    alarms = np.array([_alarms(weak_signals(np.log(rng.random(100)), rng, draws=999)) for _ in range(300)])
    assert np.all(alarms.mean(axis=0) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300))
    sparse = np.concatenate([rng.random(400), 10.0 ** rng.uniform(-4, -2, 40)])
    assert weak_signals(np.log(sparse), rng).p <= 0.01
    assert np.exp(holm_log_levels(np.log(np.maximum(sparse, 3e-4)))).min() > 0.1


def test_simulation_goes_on_where_the_signal_is_strong():
    rng = np.random.default_rng(13)
    strong = np.concatenate([rng.random(50), np.full(50, 1e-3)])
    assert weak_signals(np.log(strong), rng, draws=9999).p == pytest.approx(1e-4)


def test_p_values_by_stopping_are_valid():
    """Besag & Clifford: uniform ranks give p-values that are at most as small as uniform ones."""
    rng = np.random.default_rng(14)
    found = []
    for _ in range(2000):
        rank, chance = _Rank(), rng.random()
        for _ in range(4):
            rank.add(rng.random(250) < chance)
        found.append(rank.p)
    for level in (0.02, 0.05, 0.2):
        assert np.mean(np.array(found) <= level) <= level + 3 * math.sqrt(level / 2000)


def _alarms(result):
    return result.p <= 0.05, result.sum_p <= 0.05


def test_a_cohort_of_one_has_no_weak_signals():
    with pytest.raises(ValueError, match="at least two"):
        weak_signals([-1.0], np.random.default_rng(1))
