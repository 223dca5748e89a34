import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from stillwatch.stats.dispersion import covariance_ratio, covariance_ratios, deseasonalised

tables = arrays(
    np.int64, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8), elements=st.integers(0, 50)
)
DAY = 1.0 + 0.8 * np.sin(np.arange(96) * 2 * np.pi / 24)


def plain_ratio(counts, seasonality=None):
    rhythm = np.ones(counts.shape[1]) if seasonality is None else seasonality
    residuals = counts - np.outer(counts.sum(axis=1), rhythm / rhythm.sum())
    apart = (residuals**2).sum()
    return (residuals.sum(axis=0) ** 2).sum() / apart if apart > 1e-9 else 1.0


@settings(deadline=None)
@given(tables, st.randoms())
def test_is_the_formula_and_ignores_the_order_of_accounts_and_bins(counts, random):
    ratio = covariance_ratio(counts)
    assert ratio == pytest.approx(plain_ratio(counts), abs=1e-9)
    rows = random.sample(range(counts.shape[0]), counts.shape[0])
    bins = random.sample(range(counts.shape[1]), counts.shape[1])
    assert covariance_ratio(counts[rows][:, bins]) == pytest.approx(ratio, abs=1e-9)


@settings(deadline=None)
@given(tables, st.floats(0.01, 100.0), st.data())
def test_bounds_and_units_of_the_rhythm(counts, unit, data):
    rhythm = data.draw(arrays(np.float64, counts.shape[1], elements=st.floats(0.1, 10.0)))
    ratio = covariance_ratio(counts, rhythm)
    assert -1e-9 <= ratio <= counts.shape[0] + 1e-9
    assert covariance_ratio(counts, rhythm * unit) == pytest.approx(ratio, abs=1e-6)
    residuals = deseasonalised(counts, rhythm)
    np.testing.assert_allclose(residuals.sum(axis=1), 0.0, atol=1e-9)


@settings(deadline=None)
@given(tables, st.data())
def test_many_groups_are_each_the_single_ratio(counts, data):
    index = data.draw(arrays(np.int64, (5, 3), elements=st.integers(-1, counts.shape[0] - 1)))
    expected = [plain_ratio(counts[group[group >= 0]]) for group in index]
    np.testing.assert_allclose(covariance_ratios(counts, index), expected, atol=1e-9)


def test_two_that_work_alike_and_two_by_turns():
    alike, turns = np.array([[0, 4, 0, 4], [0, 4, 0, 4]]), np.array([[0, 4, 0, 4], [4, 0, 4, 0]])
    assert covariance_ratio(alike) == pytest.approx(2.0)
    assert covariance_ratio(turns) == pytest.approx(0.0)


def test_independent_accounts_give_one_once_the_rhythm_is_removed():
    rng = np.random.default_rng(7)
    counts = rng.poisson(0.4 * DAY, (600, 96))
    groups = np.array([rng.choice(600, 50, replace=False) for _ in range(400)])
    known = covariance_ratios(counts, groups, DAY)
    assert np.mean(known) == pytest.approx(1.0, abs=0.1)
    assert np.mean(covariance_ratios(counts, groups)) > 3.0


def test_shared_queue_is_far_above_and_round_robin_far_below_placebos():
    rng = np.random.default_rng(8)
    benign = rng.poisson(0.4 * DAY, (600, 96))
    groups = np.array([rng.choice(600, 50, replace=False) for _ in range(500)])
    placebos = covariance_ratios(benign, groups, DAY)
    jobs = np.repeat(rng.random(16) < 0.5, 6)
    assert covariance_ratio(rng.poisson(0.8 * jobs, (50, 96)), DAY) > placebos.max()
    turns = np.zeros((50, 96), dtype=np.int64)
    turns[np.arange(96) * 10 % 50, np.arange(96)] = 4
    assert covariance_ratio(turns) < placebos.min()


@pytest.mark.parametrize("rhythm", [None, [0.1] * 6, [0.1, 0.7, 0.3, 0.1, 0.1, 0.2]])
def test_accounts_that_follow_the_rhythm_exactly_are_no_fleet(rhythm):
    steady = np.tile(3.0 if rhythm is None else 30.0 * np.array(rhythm), (2, 6 if rhythm is None else 1))
    assert covariance_ratio(steady, rhythm) == 1.0


def test_silence_is_independent():
    assert covariance_ratio(np.zeros((3, 4))) == 1.0
    assert covariance_ratio(np.empty((0, 4))) == 1.0
    assert covariance_ratios(np.ones((3, 4)), [[-1, -1]]).tolist() == [1.0]
    assert covariance_ratios(np.ones((3, 4)), np.empty((0, 2))).size == 0


@pytest.mark.parametrize("counts", [[1.0, 2.0], [[-1.0]], [[math.nan]], [[math.inf]], np.empty((2, 0))])
def test_refuses_counts_that_are_none(counts):
    with pytest.raises(ValueError, match="counts must be non-negative"):
        covariance_ratio(counts)


@pytest.mark.parametrize("rhythm", [[1.0], [0.0, 0.0], [-1.0, 2.0], [math.nan, 1.0]])
def test_refuses_a_rhythm_that_is_none(rhythm):
    with pytest.raises(ValueError, match="seasonality"):
        covariance_ratio([[1, 2]], rhythm)


def test_refuses_groups_of_accounts_that_are_not_there():
    with pytest.raises(ValueError, match="no row"):
        covariance_ratios([[1, 2]], [[0, 1]])
    with pytest.raises(ValueError, match="shape"):
        covariance_ratios([[1, 2]], [0])
