import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.stats.nullaudit import empirical_null, within


@pytest.mark.parametrize(("centre", "sigma"), [(0.0, 1.0), (0.4, 1.5), (-0.2, 0.6)])
@pytest.mark.parametrize("size", [450, 5_000])
def test_recovers_a_normal_bulk(centre, sigma, size):
    null = empirical_null(np.random.default_rng(1).normal(centre, sigma, size))
    assert null.centre == pytest.approx(centre, abs=5.0 * sigma / math.sqrt(size))
    assert null.sigma == pytest.approx(sigma, abs=6.0 * sigma / math.sqrt(size))
    assert null.pi0 > 0.85


def test_is_right_on_average_for_a_nights_worth_of_groups():
    rng = np.random.default_rng(2)
    fits = np.array([empirical_null(rng.normal(size=450)) for _ in range(80)])
    np.testing.assert_allclose(fits.mean(axis=0)[:2], [0.0, 1.0], atol=0.04)


@pytest.mark.parametrize("share", [0.05, 0.15])
def test_discoveries_in_one_tail_do_not_look_like_over_confidence(share):
    rng = np.random.default_rng(3)
    found = int(4_000 * share)
    z = np.concatenate([rng.normal(size=4_000 - found), rng.normal(6.0, 1.5, found)])
    null = empirical_null(z)
    assert within(null.sigma)
    assert null.sigma == pytest.approx(1.0, abs=0.1)
    assert null.pi0 == pytest.approx(1.0 - share, abs=0.06)


def test_over_confident_scores_are_caught():
    rng = np.random.default_rng(4)
    assert not within(empirical_null(rng.normal(0.0, 1.5, 450)).sigma)
    assert not within(empirical_null(rng.normal(0.0, 0.6, 450)).sigma)
    assert within(empirical_null(rng.normal(0.0, 1.0, 450)).sigma)


@settings(deadline=None)
@given(st.lists(st.floats(-20.0, 20.0), min_size=3, max_size=80), st.randoms())
def test_any_scores_give_a_finite_answer_whatever_their_order(z, random):
    null = empirical_null(z)
    assert math.isfinite(null.centre)
    assert math.isfinite(null.sigma)
    assert null.sigma >= 0.0
    assert 0.0 < null.pi0 <= 1.0
    assert empirical_null(random.sample(z, len(z))) == null


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.floats(0.1, 10.0), st.floats(-5.0, 5.0))
def test_moves_and_stretches_with_the_scores(seed, factor, shift):
    z = np.random.default_rng(seed).normal(size=200)
    null, moved = empirical_null(z), empirical_null(z * factor + shift)
    assert moved.centre == pytest.approx(null.centre * factor + shift, abs=0.01 * factor)
    assert moved.sigma == pytest.approx(null.sigma * factor, rel=0.01)


def test_equal_scores_have_no_spread_and_fail_the_audit():
    null = empirical_null([1.0] * 100)
    assert null == (1.0, 0.0, 1.0)
    assert not within(null.sigma)


def test_bounds_belong_to_the_accepted_range():
    assert within(0.8)
    assert within(1.2)
    assert not within(0.79)
    assert not within(1.21)
    assert not within(math.nan)


@pytest.mark.parametrize("z", [[0.0, 1.0], [0.0, 1.0, math.nan], [0.0, 1.0, math.inf], [[0.0, 1.0, 2.0]]])
def test_refuses_too_few_or_no_numbers(z):
    with pytest.raises(ValueError, match="at least 3 finite"):
        empirical_null(z)
