import itertools
import math

import numpy as np
import pytest
from crepes.base import p_values_batch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stillwatch.stats.conformal import conformal_p

scores = st.floats(-1e6, 1e6)
tied = st.integers(0, 4).map(float)


@settings(deadline=None)
@given(
    arrays(np.float64, st.integers(1, 20), elements=scores | tied),
    arrays(np.float64, 5, elements=scores | tied),
)
def test_agrees_with_crepes(placebos, tested):
    np.testing.assert_allclose(
        conformal_p(tested, placebos), p_values_batch(placebos, tested, smoothing=False)
    )


@settings(deadline=None)
@given(arrays(np.float64, 6, elements=tied), arrays(np.float64, (6, 4), elements=tied))
def test_own_placebos_are_compared_row_by_row(tested, placebos):
    rows = [float(conformal_p(s, row)) for s, row in zip(tested, placebos, strict=True)]
    np.testing.assert_array_equal(conformal_p(tested, placebos), rows)


@settings(deadline=None)
@given(st.lists(tied, min_size=2, max_size=6))
def test_is_super_uniform_over_all_orders_with_and_without_ties(values):
    p = np.array([float(conformal_p(values[i], values[:i] + values[i + 1 :])) for i in range(len(values))])
    for level in np.arange(1, len(values) + 1) / len(values):
        assert np.mean(p <= level) <= level + 1e-12


def test_is_uniform_without_ties():
    values = [0.1, 0.7, 1.3, 8.0]
    p = sorted(float(conformal_p(first, rest)) for first, *rest in itertools.permutations(values))
    np.testing.assert_allclose(p, np.repeat([0.25, 0.5, 0.75, 1.0], 6))


@settings(deadline=None)
@given(st.lists(scores, min_size=1, max_size=9), scores, st.floats(0.0, 1e3), st.randoms())
def test_falls_with_the_score_stays_in_range_and_ignores_order(placebos, score, more, random):
    p = float(conformal_p(score, placebos))
    assert 1.0 / (len(placebos) + 1) <= p <= 1.0
    assert float(conformal_p(score + more, placebos)) <= p
    assert float(conformal_p(score, random.sample(placebos, len(placebos)))) == p


def test_a_tie_counts_against_the_discovery():
    assert float(conformal_p(2.0, [1.0, 2.0, 3.0])) == 0.75


@pytest.mark.parametrize("shape", [(0,), (3, 2), (2, 0), ()])
def test_refuses_placebos_that_do_not_fit(shape):
    with pytest.raises(ValueError, match="placebo scores must have shape"):
        conformal_p(np.ones(2), np.ones(shape))


def test_refuses_what_is_no_number():
    with pytest.raises(ValueError, match="numbers"):
        conformal_p(math.nan, [1.0])
    with pytest.raises(ValueError, match="numbers"):
        conformal_p(1.0, [math.nan])
