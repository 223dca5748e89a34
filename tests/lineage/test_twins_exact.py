import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom

from stillwatch.lineage.twins_exact import LEVELS, checked, distinct, midranks, payoffs, sum_log_p

SMALL = st.integers(1, 5).flatmap(
    lambda items: st.integers(2, 3).flatmap(
        lambda size: st.tuples(
            arrays(np.int64, (items, size), elements=st.integers(-6, 6)),
            arrays(np.int64, items, elements=st.integers(0, size - 1)),
        )
    )
)


@given(SMALL)
def test_the_tail_is_that_of_all_choices_counted_one_by_one(case):
    levels, served = case
    reached = levels[np.arange(served.size), served].sum()
    sums = [sum(choice) for choice in itertools.product(*levels.tolist())]
    expected = np.mean(np.array(sums) >= reached)
    assert np.exp(sum_log_p(levels, served)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("items", "hits"), [(50, 45), (400, 260), (2000, 1400), (3000, 2990), (801, 400)])
def test_the_sign_test_is_binomial_far_into_the_tail(items, hits):
    levels = np.tile([0, 1], (items, 1))
    served = np.arange(items) < hits
    reaching = sum(math.comb(items, count) for count in range(hits, items + 1))
    assert sum_log_p(levels, served) == pytest.approx(math.log(reaching) - items * math.log(2.0), rel=1e-7)


def test_certain_sums_have_the_product_of_chances():
    assert sum_log_p(np.tile([0, 1, 2, 2], (300, 1)), np.full(300, 2)) == pytest.approx(-300 * np.log(2))
    assert sum_log_p(np.tile([0, 1], (9, 1)), np.zeros(9)) == pytest.approx(0.0)
    assert sum_log_p(np.zeros((0, 2)), []) == 0.0


ALIKE = st.tuples(st.sampled_from([0.0, 1e-310, 1.0, -1e6]), st.integers(0, 3)).map(
    lambda pair: pair[0] + pair[1] * np.spacing(pair[0])
)


@given(arrays(np.float64, (7, 4), elements=ALIKE))
@example(np.array([[5e-324, 0.0, 0.0, 0.0]]))
@example(np.array([[1e6 + 2**-33, 1e6, 1e6, 1e6]]))
def test_scores_that_hardly_differ_are_fair_too(scores):
    pay = payoffs(scores)
    assert np.all(np.abs(pay) <= 1.0 + 1e-12)
    assert np.allclose(pay.sum(axis=1), 0.0, atol=1e-9)


@given(arrays(np.float64, (7, 4), elements=st.floats(-1e6, 1e6)))
def test_payoffs_are_fair_and_bounded_and_keep_the_order(scores):
    pay = payoffs(scores)
    assert np.all(np.abs(pay) <= 1.0 + 1e-12)
    assert np.allclose(pay.sum(axis=1), 0.0, atol=1e-9)
    for row, paid in zip(scores, pay, strict=True):
        assert np.all(np.diff(paid[np.argsort(row, kind="stable")]) >= -1e-12)


@given(arrays(np.float64, (5, 3), elements=st.floats(-5, 5)), st.permutations(range(3)))
def test_nothing_depends_on_the_order_of_the_candidates(scores, order):
    assert np.allclose(payoffs(scores)[:, order], payoffs(scores[:, order]))
    assert np.array_equal(midranks(scores)[:, order], midranks(scores[:, order]))
    assert np.array_equal(distinct(scores), distinct(scores[:, order]))


def test_null_p_values_are_conservative_and_not_idle():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(400):
        scores = rng.standard_t(2, size=(30, 3))
        served = rng.integers(3, size=30)
        found.append(np.exp(sum_log_p(np.rint(payoffs(scores) * LEVELS), served)))
    for level in (0.05, 0.2, 0.5):
        share = np.mean(np.array(found) <= level)
        assert binom.cdf(400 * share, 400, level) > 1e-4
        assert binom.sf(400 * share - 1, 400, level) > 1e-4


@pytest.mark.parametrize(
    ("scores", "served"),
    [
        ([1.0, 2.0], [0]),
        ([[1.0], [2.0]], [0, 0]),
        ([[1.0, 2.0]], [2]),
        ([[1.0, np.nan]], [0]),
        ([[1.0, 2.0]], [0, 1]),
    ],
)
def test_what_cannot_be_scored_is_refused(scores, served):
    with pytest.raises(ValueError, match=r"scores|served"):
        checked(scores, served)
