import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom, false_discovery_control

from stillwatch.stats.fdr import (
    benjamini_hochberg,
    benjamini_hochberg_levels,
    e_bh,
    e_bh_levels,
    holm_log_levels,
    null_share,
)

sizes = st.integers(1, 30)
p_values = arrays(np.float64, sizes, elements=st.floats(0.0, 1.0))
log_e_values = arrays(np.float64, sizes, elements=st.floats(-50.0, 2000.0) | st.floats(0.0, 8.0))
positive_p_values = arrays(np.float64, sizes, elements=st.floats(1e-300, 1.0))
levels = st.floats(0.001, 0.9)


def e_bh_by_definition(log_e, level):
    count = len(log_e)
    ranked = sorted(log_e, reverse=True)
    largest = max(
        (k for k in range(1, count + 1) if ranked[k - 1] >= math.log(count / (level * k))), default=0
    )
    return np.array([largest > 0 and value >= ranked[largest - 1] for value in log_e])


@settings(deadline=None)
@given(p_values)
def test_benjamini_hochberg_levels_agree_with_scipy(p):
    np.testing.assert_allclose(
        benjamini_hochberg_levels(p), false_discovery_control(p, method="bh"), rtol=1e-9, atol=1e-300
    )


def test_p_values_weighed_by_the_share_of_nulls_hold_the_level_and_find_more():
    """Storey, Taylor and Siegmund 2004: 3,000 runs of 40 hypotheses of which 30 are false."""
    rng = np.random.default_rng(4)
    false, plain, adaptive, wrong = 30, 0, 0, []
    for _ in range(3_000):
        p = np.concatenate([rng.beta(0.2, 4.0, false), rng.random(10)])
        plain += benjamini_hochberg(p, 0.1)[:false].sum()
        found = benjamini_hochberg(p * null_share(p), 0.1)
        adaptive += found[:false].sum()
        wrong.append(found[false:].sum() / max(found.sum(), 1))
    assert np.mean(wrong) <= 0.1 + 3 * np.std(wrong) / np.sqrt(len(wrong))
    assert adaptive > 1.05 * plain


@given(p_values)
def test_the_share_of_nulls_is_a_share_and_one_where_nothing_is_small(p):
    assert 0.0 < null_share(p) <= 1.0
    assert null_share(np.maximum(p, 0.6)) == 1.0


@pytest.mark.parametrize(("p", "beyond"), [([1.5], 0.5), ([[0.1]], 0.5), ([0.1], 0.0), ([0.1], 1.0)])
def test_the_share_of_nulls_refuses_what_is_no_p_value_or_bound(p, beyond):
    with pytest.raises(ValueError, match="inside"):
        null_share(p, beyond)


@settings(deadline=None)
@given(log_e_values, levels)
def test_e_bh_is_its_definition(log_e, level):
    np.testing.assert_array_equal(e_bh(log_e, level), e_bh_by_definition(log_e, level))


@settings(deadline=None)
@given(log_e_values, levels)
def test_e_bh_never_rejects_more_than_benjamini_hochberg_on_inverted_e_values(log_e, level):
    p = np.exp(-np.maximum(log_e, 0.0))
    assert np.all(benjamini_hochberg(p, level * (1.0 + 1e-9)) | ~e_bh(log_e, level))


@settings(deadline=None)
@given(log_e_values, levels)
def test_a_level_is_the_smallest_that_rejects(log_e, level):
    smallest = e_bh_levels(log_e)
    np.testing.assert_array_equal(e_bh(log_e, level), smallest <= level * (1.0 + 1e-12))
    for value in smallest[(smallest > 1e-300) & (smallest < 0.999)]:
        assert np.all(e_bh_by_definition(log_e, value * (1 + 1e-9))[smallest <= value])
        assert not np.any(e_bh_by_definition(log_e, value * (1 - 1e-9))[smallest >= value])


@settings(deadline=None)
@given(log_e_values, p_values, levels, st.randoms())
def test_order_does_not_matter_and_levels_are_nested(log_e, p, level, random):
    for method, values in ((e_bh, log_e), (benjamini_hochberg, p)):
        order = np.array(random.sample(range(values.size), values.size))
        np.testing.assert_array_equal(method(values[order], level), method(values, level)[order])
        assert np.all(method(values, 0.95) | ~method(values, level))


@settings(deadline=None)
@given(log_e_values, st.floats(0.0, 20.0), levels)
def test_more_evidence_for_one_never_loses_it(log_e, more, level):
    raised = log_e.copy()
    raised[0] += more
    assert np.all(e_bh(raised, level) | ~e_bh(log_e, level))


def test_one_discovery_among_450_needs_9000():
    log_e = np.zeros(450)
    log_e[7] = math.log(9000.0) + 1e-9
    assert np.flatnonzero(e_bh(log_e, 0.05)).tolist() == [7]
    log_e[7] = math.log(8990.0)
    assert not e_bh(log_e, 0.05).any()


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 100), st.integers(1, 19))
def test_values_exactly_at_their_threshold_are_rejected(size, rank, percent):
    rank, level = min(rank, size), percent / 100
    p, log_e = np.ones(size), np.zeros(size)
    p[:rank] = rank * percent / (100 * size)
    log_e[:rank] = math.log(100 * size / (rank * percent))
    assert benjamini_hochberg(p, level).sum() == rank
    assert e_bh(log_e, level).sum() == rank


def test_no_hypotheses_no_rejections_and_extremes():
    assert e_bh([], 0.1).size == benjamini_hochberg([], 0.1).size == 0
    assert e_bh([np.inf, -np.inf], 0.1).tolist() == [True, False]
    assert benjamini_hochberg([0.0, 1.0], 0.1).tolist() == [True, False]
    np.testing.assert_array_equal(e_bh_levels([1e4, 0.0]), [0.0, 1.0])


def test_holds_the_rate_under_strong_dependence():
    rng = np.random.default_rng(20)
    nights, level, shared = 4000, 0.1, 0.0
    for _ in range(nights):
        shift = rng.normal() * np.sqrt(0.9) + rng.normal(size=40) * np.sqrt(0.1)
        z = shift + np.where(np.arange(40) < 4, 4.0, 0.0)
        rejected = e_bh(3.0 * z - 4.5, level)
        shared += rejected[4:].sum() / max(rejected.sum(), 1)
    assert shared <= binom.ppf(0.999, nights, level)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, math.nan])
def test_refuses_a_level_that_is_none(level):
    for method in (e_bh, benjamini_hochberg):
        with pytest.raises(ValueError, match="level"):
            method([0.5], level)


@pytest.mark.parametrize("p", [[1.1], [-0.1], [math.nan], [[0.1]]])
def test_refuses_what_is_no_p_value(p):
    with pytest.raises(ValueError, match="p-values"):
        benjamini_hochberg(p, 0.1)


@pytest.mark.parametrize("log_e", [[math.nan], [[0.1]]])
def test_refuses_what_is_no_e_value(log_e):
    with pytest.raises(ValueError, match="log e-values"):
        e_bh(log_e, 0.1)


def holm_rejects(p, level):
    """The step-down procedure as it is described: stop at the first that is too large."""
    order, rejected = np.argsort(p, kind="stable"), np.zeros(len(p), dtype=bool)
    for step, i in enumerate(order):
        if p[i] * (len(p) - step) > level:
            break
        rejected[i] = True
    return rejected


@given(positive_p_values, st.floats(1e-6, 0.9))
def test_holm_levels_give_the_step_down_decisions(p, level):
    levels = np.exp(holm_log_levels(np.log(p)))
    clear = np.abs(levels / level - 1.0) > 1e-9
    assert np.array_equal((levels <= level)[clear], holm_rejects(p, level)[clear])


@given(positive_p_values)
def test_holm_adjusts_up_and_keeps_the_order(p):
    adjusted = np.exp(holm_log_levels(np.log(p)))
    assert np.all((adjusted >= p * (1 - 1e-9)) & (adjusted <= 1.0))
    assert np.all(np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0.0)


def test_holm_below_the_range_of_a_double():
    levels = holm_log_levels([-5000.0, -4000.0, -1.0])
    assert levels == pytest.approx([-5000.0 + math.log(3), -4000.0 + math.log(2), -1.0])


def test_more_hypotheses_were_tried_than_are_shown():
    assert np.exp(holm_log_levels(np.log([1e-6]), tried=24_000))[0] == pytest.approx(0.024)
    with pytest.raises(ValueError, match="number of hypotheses tried"):
        holm_log_levels([-1.0, -2.0], tried=1)


@pytest.mark.parametrize("bad", [[0.1], [math.nan], [[-1.0]]])
def test_holm_refuses_what_is_no_p_value(bad):
    with pytest.raises(ValueError, match="logarithms of p-values"):
        holm_log_levels(bad)
