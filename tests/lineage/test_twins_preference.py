import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom

from stillwatch.lineage.twins_preference import BETS, by_account, log_wealth, preference_test
from stillwatch.stats.fdr import holm_log_levels


def trial(rng, items, twins, shift):
    scores = rng.normal(size=(items, twins + 1))
    served = rng.integers(twins + 1, size=items)
    scores[np.arange(items), served] += shift
    return scores, served


def test_wealth_has_expectation_one_under_the_null_at_every_step():
    gains = np.array(np.meshgrid(*[[-1.0, 1.0]] * 6)).reshape(6, -1).T
    wealth = np.exp(np.array([log_wealth(row) for row in gains]))
    assert np.allclose(wealth.mean(axis=0), 1.0)


@given(arrays(np.float64, 9, elements=st.floats(-1, 1)))
def test_wealth_never_falls_to_nothing_and_a_win_never_costs(gains):
    path = log_wealth(gains)
    assert np.all(np.isfinite(path))
    assert np.all(log_wealth(np.append(gains, 1.0))[-1] >= path[-1])


def test_ville_holds_over_many_null_trials():
    rng = np.random.default_rng(2)
    stopped = sum(preference_test(*trial(rng, 150, 1, 0.0), alpha=0.05).stopped_at >= 0 for _ in range(300))
    assert binom.sf(stopped - 1, 300, 0.05) > 1e-3


def test_a_preference_is_found_and_stops_the_process():
    result = preference_test(*trial(np.random.default_rng(3), 600, 1, 0.6))
    assert result.p_rank < 1e-6
    assert result.p_sum < result.p_rank
    assert result.stopped_at >= 0
    assert result.wins_low > 0.5


@pytest.mark.parametrize("twins", [1, 3])
def test_a_dislike_is_not_evidence(twins):
    result = preference_test(*trial(np.random.default_rng(4), 200, twins, -1.0))
    assert result.p_sum > 0.99
    assert result.log_e < 0.0


def test_equal_candidates_are_dropped_and_nothing_left_says_nothing():
    scores = np.vstack([np.zeros((5, 2)), [[1.0, 0.0]]])
    result = preference_test(scores, [0, 1, 0, 1, 0, 0])
    assert (result.items, result.dropped, result.p_rank) == (1, 5, 0.5)
    nothing = preference_test(np.zeros((4, 2)), [0] * 4)
    assert (nothing.items, nothing.dropped, nothing.p_sum, nothing.log_e) == (0, 4, 1.0, 0.0)


def test_accounts_are_tested_apart_and_the_guilty_one_comes_first():
    rng = np.random.default_rng(5)
    honest, guilty = trial(rng, 200, 1, 0.0), trial(rng, 200, 1, 0.8)
    scores, served = np.vstack([honest[0], guilty[0]]), np.concatenate([honest[1], guilty[1]])
    found = by_account(scores, served, ["honest"] * 200 + ["guilty"] * 200)
    assert list(found) == ["guilty", "honest"]
    adjusted = np.exp(holm_log_levels([each.log_p_sum for each in found.values()]))
    assert adjusted[0] < 1e-4 < adjusted[1]


def test_stakes_and_payoffs_outside_their_range_are_refused():
    for gains, bets in (([1.5], BETS), ([0.5], (1.0,)), ([0.5], (0.0,))):
        with pytest.raises(ValueError, match="payoffs"):
            log_wealth(gains, bets)
