import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln
from scipy.stats import binom

from stillwatch.stats.evalues import log_beta_binomial_pmf, log_mixture_e
from stillwatch.stats.overdispersion import fit_beta_binomial
from stillwatch.stats.sequential import NEVER, crossing_index, running_mixture_log_e

increments = st.lists(st.floats(-5.0, 5.0) | st.just(-math.inf), max_size=12)
THRESHOLD = math.log(100.0)


def first_crossing(steps, threshold):
    total = 0.0
    for place, step in enumerate(steps):
        total += step
        if total >= threshold:
            return place
    return NEVER


def increments_of(log_e):
    return np.diff(log_e, axis=1, prepend=0.0)


def histories(rng, units, steps, mean, dispersion):
    rates = rng.beta(mean * dispersion, (1.0 - mean) * dispersion, units)
    return (rng.random((units, steps)) < rates[:, None]).astype(np.int64)


@settings(deadline=None)
@given(st.lists(increments, max_size=8), st.floats(-1.0, 8.0))
def test_ragged_processes_cross_where_the_running_sum_does(processes, threshold):
    flat = np.array([step for process in processes for step in process])
    offsets = np.cumsum([0] + [len(process) for process in processes])
    expected = [first_crossing(process, threshold) for process in processes]
    assert crossing_index(flat, threshold, offsets).tolist() == expected


@settings(deadline=None)
@given(st.integers(0, 6), st.integers(0, 7), st.randoms(use_true_random=False))
def test_a_matrix_is_ragged_processes_of_one_length(rows, steps, random):
    matrix = np.array([random.uniform(-1, 2) for _ in range(rows * steps)]).reshape(rows, steps)
    ragged = crossing_index(matrix.ravel(), 1.5, np.arange(rows + 1) * steps)
    np.testing.assert_array_equal(crossing_index(matrix, 1.5), ragged)


def test_a_view_in_another_memory_order_is_read_right():
    matrix = np.arange(12.0).reshape(4, 3).T
    assert crossing_index(matrix, 9.0).tolist() == [2, 2, 2]


def test_a_process_that_was_zero_once_stays_zero():
    assert crossing_index([[-math.inf, math.inf, 9.0]], 1.0).tolist() == [NEVER]


@pytest.mark.parametrize(
    ("flat", "offsets"), [([1.0], [0]), ([1.0], [0, 2]), ([1.0, 1.0], [0, 3, 2]), ([1.0], [1, 1]), ([], [])]
)
def test_refuses_offsets_that_do_not_cover(flat, offsets):
    with pytest.raises(ValueError, match="offsets"):
        crossing_index(flat, 1.0, offsets)


def test_refuses_what_is_no_process():
    with pytest.raises(ValueError, match="numbers"):
        crossing_index([[math.nan]], 1.0)
    with pytest.raises(ValueError, match="shape"):
        crossing_index([1.0], 1.0)
    with pytest.raises(ValueError, match="each step"):
        running_mixture_log_e([[1, 0]], [[0, 5]], 0.1)


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.floats(1e-6, 0.9), st.floats(0.1, 1e4) | st.just(math.inf))
def test_each_step_keeps_the_expectation_given_the_past(hits, misses, mean, dispersion):
    """The martingale property, exactly: the next exchange hits with the predictive probability of the null."""
    trials = hits + misses
    now = float(log_mixture_e(hits, trials, mean, dispersion))
    chance = mean if math.isinf(dispersion) else (mean * dispersion + hits) / (dispersion + trials)
    after = log_mixture_e([hits, hits + 1], trials + 1, mean, dispersion)
    assert (1.0 - chance) * math.exp(after[0] - now) + chance * math.exp(after[1] - now) == pytest.approx(
        1.0, abs=1e-9
    )


@pytest.mark.parametrize(("mean", "dispersion"), [(1e-3, 50.0), (5e-3, 50.0), (5e-3, 5.0), (0.02, 10.0)])
def test_ville_holds_with_a_null_fitted_on_other_units(mean, dispersion):
    rng = np.random.default_rng(11)
    fit = fit_beta_binomial(histories(rng, 2_000, 300, mean, dispersion).sum(axis=1), np.full(2_000, 300))
    hits = histories(rng, 3_000, 300, mean, dispersion)
    running = running_mixture_log_e(hits, np.ones_like(hits), fit.mean, fit.dispersion)
    crossed = int(np.sum(crossing_index(increments_of(running), THRESHOLD) != NEVER))
    assert crossed <= binom.ppf(0.999, 3_000, 0.01)


@pytest.mark.parametrize("units", [30, 200])
def test_ville_holds_on_average_over_fits_on_few_units(units):
    rng = np.random.default_rng(12)
    crossed, nights, judged = 0, 40, 200
    for _ in range(nights):
        fit = fit_beta_binomial(histories(rng, units, 200, 5e-3, 20.0).sum(axis=1), np.full(units, 200))
        hits = histories(rng, judged, 200, 5e-3, 20.0)
        running = running_mixture_log_e(hits, np.ones_like(hits), fit.mean, fit.dispersion)
        crossed += int(np.sum(running.max(axis=1) >= THRESHOLD))
    assert crossed <= binom.ppf(0.999, nights * judged, 0.01)


def test_plain_bernoulli_evidence_breaks_the_bound_that_the_fitted_null_keeps():
    """The measured failure of detection.md 3.3: at a mean of 5e-3 and s = 50, far above 1 % ever exceed 100."""
    rng = np.random.default_rng(13)
    hits = histories(rng, 2_000, 400, 5e-3, 50.0)
    running = running_mixture_log_e(hits, np.ones_like(hits), 5e-3)
    crossed = int(np.sum(running.max(axis=1) >= THRESHOLD))
    assert crossed > binom.ppf(0.999, 2_000, 0.05)


def test_multiplying_slices_of_one_unit_breaks_the_expectation():
    """Why `running_mixture_log_e` cumulates: two slices of one unit share its rate. By enumeration."""
    first, second = np.meshgrid(np.arange(31), np.arange(31))
    ways = gammaln(31) - gammaln(np.arange(31) + 1) - gammaln(31 - np.arange(31))
    all_ways = gammaln(61) - gammaln(first + second + 1) - gammaln(61 - first - second)
    log_joint = ways[first] + ways[second] - all_ways + log_beta_binomial_pmf(first + second, 60, 0.02, 5.0)
    assert np.exp(log_joint).sum() == pytest.approx(1.0)
    separate = log_mixture_e(first, 30, 0.02, 5.0) + log_mixture_e(second, 30, 0.02, 5.0)
    assert np.exp(log_joint + separate).sum() > 2.0
    together = log_mixture_e(first + second, 60, 0.02, 5.0)
    assert np.exp(log_joint + together).sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("alpha", "background", "share", "exchanges"),
    [
        (1e-9, 1e-4, 0.5, 6),
        (1e-9, 1e-4, 0.2, 18),
        (1e-9, 1e-4, 0.1, 37),
        (1e-9, 1e-4, 0.05, 91),
        (1e-9, 1e-3, 0.2, 25),
        (1e-6, 1e-4, 0.1, 28),
    ],
)
def test_exchanges_to_alarm_are_those_of_the_reference(alpha, background, share, exchanges):
    """Table of detection.md 3.3, measured independently: median exchanges to alarm of an account."""
    rng = np.random.default_rng(15)
    hits = (rng.random((1_500, 400)) < share).astype(np.int64)
    running = running_mixture_log_e(hits, np.ones_like(hits), background)
    alarms = crossing_index(increments_of(running), -math.log(alpha))
    assert np.median(np.where(alarms == NEVER, 400, alarms) + 1) == pytest.approx(
        exchanges, rel=0.15, abs=1.0
    )


def test_running_value_ends_at_the_value_of_the_whole():
    hits, trials = np.array([[1, 0, 2], [0, 0, 0]]), np.array([[4, 3, 9], [1, 1, 1]])
    running = running_mixture_log_e(hits, trials, 0.01, 20.0)
    np.testing.assert_allclose(running[:, -1], log_mixture_e([3, 0], [16, 3], 0.01, 20.0))
    assert running.shape == (2, 3)
    assert log_beta_binomial_pmf(3, 16, 0.01, 20.0) < 0.0
