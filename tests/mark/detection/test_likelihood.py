import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from stillwatch.mark.detection.gamma import log_gamma_tail
from stillwatch.mark.detection.likelihood import (
    PROFILES,
    _log_ratios,
    likelihood_log_e,
    running_likelihood_log_e,
)
from stillwatch.mark.detection.nulls import log_tail
from stillwatch.mark.schemes import Null


def test_each_profile_is_a_density():
    """The ratio of one score integrates to 1 against the standard exponential law: E[e] = 1 under H0."""
    for i in range(len(PROFILES)):
        value, _ = integrate.quad(
            lambda s, i=i: math.exp(_log_ratios(np.array([s]))[i, 0] - s), 0, 60, limit=200
        )
        assert value == pytest.approx(1.0, abs=1e-6)
        assert sum(PROFILES[i][1]) == pytest.approx(1.0)


def test_on_the_grid_of_words_the_mean_is_one_as_well():
    """Words have 24 bits; the mean over all of them is 1 to a few parts in ten million."""
    mantissa = np.arange(2**24, dtype=np.float64)[::16]
    scores = -np.log1p(-(mantissa + 1) / (2**24 + 1))
    ratios = np.exp(_log_ratios(scores))
    assert np.abs(ratios.mean(axis=-1) - 1.0).max() < 3e-5  # every sixteenth value of the grid


def test_looking_after_every_score_keeps_the_level():
    path = running_likelihood_log_e(np.random.default_rng(81).exponential(size=(4000, 100)))
    for alpha in (0.05, 0.01):
        assert np.mean(path.max(axis=1) >= -math.log(alpha)) <= alpha + 3 * math.sqrt(alpha / 4000)


@given(st.lists(st.floats(0.0, 17.0), min_size=1, max_size=50))
def test_total_is_the_end_of_the_path(scores):
    assert likelihood_log_e(scores) == pytest.approx(running_likelihood_log_e(scores)[-1])


def test_stronger_than_the_total_where_entropy_is_even():
    rng, offers = np.random.default_rng(82), np.random.default_rng(83).choice([2, 3], (500, 120))
    scores = -np.log1p(-(rng.random((500, 120)) ** (1.0 / offers)))
    by_total = log_gamma_tail(scores.sum(axis=1), 120)
    by_ratio = -likelihood_log_e(scores)
    assert np.mean(by_ratio < by_total) > 0.9
    assert by_ratio.mean() < by_total.mean() - 5.0


def test_many_keys_at_once():
    scores = np.random.default_rng(84).exponential(size=(3, 40))
    together = likelihood_log_e(scores)
    assert together == pytest.approx([float(likelihood_log_e(one)) for one in scores])


def dual(rng, shape, alpha, probability):
    """Scores under keys A and B of tokens that follow A, or with probability alpha B."""
    chosen, other = rng.random(shape) ** probability, rng.random(shape)
    by_b = rng.random(shape) < alpha
    return (-np.log1p(-np.where(by_b, one, two)) for one, two in ((other, chosen), (chosen, other)))


def test_dual_keys_are_fair_and_stronger_than_the_total():
    rng = np.random.default_rng(85)
    first, second = dual(rng, (200_000, 1), 0.1, 1.0)
    value = np.exp(likelihood_log_e(first, second, 0.1))
    assert value.mean() == pytest.approx(1.0, abs=4 * value.std() / math.sqrt(value.size))
    first, second = dual(rng, (300, 150), 0.1, 0.4)
    null = Null("hypoexponential", weights=(0.9, 0.1))
    by_total = log_tail(null, (0.9 * first + 0.1 * second).sum(axis=1), 150)
    by_ratio = -likelihood_log_e(first, second, 0.1)
    assert by_ratio.mean() < by_total.mean() - 5.0


def test_without_key_b_dual_keys_are_single_ones():
    first, second = np.random.default_rng(86).exponential(size=(2, 30))
    assert likelihood_log_e(first, second, 0.0) == pytest.approx(float(likelihood_log_e(first)))
