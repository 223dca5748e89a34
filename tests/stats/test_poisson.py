import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq

from stillwatch.stats import poisson
from stillwatch.stats.poisson import critical_counts, log_sf, validated

means = st.one_of(st.floats(1e-12, 1e-3), st.floats(1e-3, 50.0), st.floats(50.0, 6000.0))
levels = st.one_of(
    st.floats(1e-12, 0.5), st.floats(-300.0, -1.0).map(lambda power: 10.0**power), st.floats(0.5, 0.99)
)
many_means = st.lists(means, min_size=1, max_size=20).map(np.array)


def exact_log_sf(count: int, mean: float) -> float:
    """P(X >= count) by summing the tail itself in 60 digits."""
    with localcontext() as context:
        context.prec = 60
        rate = Decimal(mean)
        term = (-rate).exp() * rate**count / math.factorial(count)
        total, step = Decimal(0), count
        while term > total * Decimal("1e-40"):
            total += term
            step += 1
            term *= rate / step
        return float(total.ln())


@pytest.mark.parametrize(
    ("count", "mean"),
    [
        (1, 1e-9),
        (2, 1e-6),
        (3, 0.5),
        (5, 5.0),
        (6, 5.0),
        (10, 30.0),
        (48, 1e-4),
        (400, 3.0),
        (900, 700.0),
        (3000, 0.02),
    ],
)
def test_log_sf_agrees_with_sixty_digits(count, mean):
    assert float(log_sf(count, mean)) == pytest.approx(exact_log_sf(count, mean), rel=1e-12, abs=1e-13)


@settings(deadline=None)
@given(many_means, st.integers(0, 200))
def test_log_sf_agrees_with_scipy_where_scipy_can(mean, count):
    expected = stats.poisson.logsf(count - 1, mean)
    near = expected > -600.0
    np.testing.assert_allclose(log_sf(count, mean)[near], expected[near], rtol=1e-8, atol=1e-12)


@settings(deadline=None)
@given(means, st.integers(1, 500))
def test_log_sf_falls_with_the_count_and_grows_with_the_mean(mean, count):
    here = float(log_sf(count, mean))
    assert here <= 0.0
    assert float(log_sf(count + 1, mean)) <= here + 1e-12
    assert float(log_sf(count, mean * 1.01)) >= here - 1e-12


@pytest.mark.parametrize("size", [1, 3])
def test_kernels_get_arrays_that_may_be_asked_whether_they_are_writeable(size, monkeypatch):
    """Numba asks when it compiles, and numpy warns of views that broadcasting made."""
    asked = []

    def kernel(*arrays):
        asked.extend(array.flags.writeable for array in arrays[:2])
        return np.zeros(size)

    monkeypatch.setattr(poisson, "_log_sf_many", kernel)
    monkeypatch.setattr(poisson, "_compare", kernel)
    log_sf(2, np.full(size, 0.5))
    validated(np.full(size, 2), 0.5, 1e-6)
    assert asked == [True] * 4


def test_log_sf_at_the_edges():
    np.testing.assert_array_equal(log_sf([0, -3, 1], [0.0, 2.0, 0.0]), [0.0, 0.0, -np.inf])
    assert log_sf([[1], [2]], [0.5, 1.0, 2.0]).shape == (2, 3)
    assert float(log_sf(1_000_000, 1_000_000.0)) == pytest.approx(stats.poisson.logsf(999_999, 1e6), rel=1e-6)


@settings(deadline=None)
@given(many_means, levels, st.integers(0, 5))
def test_critical_counts_are_the_smallest_that_are_improbable_enough(mean, level, least):
    critical = critical_counts(mean, level, least)
    log_level, slack = math.log(level), 1e-9
    assert np.all(critical >= least)
    assert np.all(log_sf(critical, mean) <= log_level + slack * abs(log_level))
    refused = critical > max(least, 1)
    assert np.all(log_sf(critical - 1, mean)[refused] >= log_level - slack * abs(log_level))


@settings(deadline=None)
@given(many_means, levels, st.integers(0, 5), st.data())
def test_validated_is_reaching_the_critical_count(mean, level, least, data):
    critical = critical_counts(mean, level, least)
    counts = critical + np.array(
        data.draw(st.lists(st.integers(-3, 3), min_size=mean.size, max_size=mean.size))
    )
    np.testing.assert_array_equal(validated(counts, mean, level, least), counts >= critical)


@pytest.mark.parametrize("level", [1e-300, 1e-20, 1e-6, 0.05, 0.7])
@pytest.mark.parametrize("count", [2, 3, 17, 400, 4000])
def test_the_largest_mean_that_a_count_refutes_is_exact(count, level):
    def excess(log_mean):
        return float(log_sf(count, math.exp(log_mean))) - math.log(level)

    largest = math.exp(brentq(excess, -400.0, math.log(2.0 * count), xtol=1e-13, rtol=1e-14))
    assert validated(count, largest * (1.0 - 1e-9), level)
    assert not validated(count, largest * (1.0 + 1e-9), level)


@settings(deadline=None)
@given(many_means, st.integers(2, 60), levels, st.randoms())
def test_validated_ignores_order_and_company(mean, count, level, random):
    counts = np.full(mean.size, count)
    together = validated(counts, mean, level)
    order = np.array(random.sample(range(mean.size), mean.size))
    np.testing.assert_array_equal(validated(counts[order], mean[order], level), together[order])
    assert [bool(validated(count, m, level)) for m in mean] == together.tolist()


def test_counts_and_means_beyond_the_table():
    mean = np.array([5_000.0, 200_000.0])
    critical = critical_counts(mean, 1e-6)
    assert critical.tolist() == [int(c) + 1 for c in stats.poisson.isf(1e-6, mean)]
    assert validated(critical, mean, 1e-6).all()
    assert not validated(critical - 1, mean, 1e-6).any()
    assert not validated(5_000, 1.0, 1e-6, least=6_000)
    assert critical_counts(1.0, 1e-6, least=6_000) == 6_000


def test_least_count_holds_whatever_the_level():
    assert validated([1, 2], [1e-9, 1e-9], 1e-3).tolist() == [False, True]
    assert validated([0, 1], [0.0, 0.0], 1e-3, least=0).tolist() == [False, True]
    assert validated(np.empty(0, dtype=np.int64), np.empty(0), 1e-3).size == 0


def test_null_pairs_are_validated_no_more_often_than_the_level_says():
    rng = np.random.default_rng(3)
    mean = rng.lognormal(-1.0, 1.5, 400_000)
    kept = int(validated(rng.poisson(mean), mean, 1e-3).sum())
    assert kept <= stats.binom.ppf(0.999, mean.size, 1e-3)


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_refuses_means_that_are_none(bad):
    for call in (lambda: log_sf(1, bad), lambda: validated(1, bad, 0.1), lambda: critical_counts(bad, 0.1)):
        with pytest.raises(ValueError, match="means"):
            call()


@pytest.mark.parametrize("bad", [0.0, 1.0, math.nan])
def test_refuses_levels_that_are_none(bad):
    for method in (validated, critical_counts):
        with pytest.raises(ValueError, match="level"):
            method(*((1, 1.0) if method is validated else (1.0,)), bad)
