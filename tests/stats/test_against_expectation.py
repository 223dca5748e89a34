"""The same figures from `expectation`, an independent implementation of the book of Ramdas & Wang (2025).

It is under the GPL, so it is no dependency, not even of the development group: this runs where somebody installed it.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.stats.evalues import log_mean_e, log_mixture_e, log_product_e
from stillwatch.stats.fdr import e_bh

merging = pytest.importorskip(
    "expectation.modules.merging", reason="expectation 0.6 is not installed", exc_type=ImportError
)
testing = pytest.importorskip(
    "expectation.modules.hypothesistesting", reason="expectation 0.6 is not installed", exc_type=ImportError
)
parallel = pytest.importorskip(
    "expectation.par_seqtest", reason="expectation 0.6 is not installed", exc_type=ImportError
)

log_e_values = st.lists(st.floats(-20.0, 20.0), min_size=2, max_size=10)


@settings(deadline=None)
@given(log_e_values)
def test_mean_and_product(log_e):
    e = np.exp(log_e)
    mean = merging.ArithmeticMeanMerger(K=len(log_e)).merge(e).merged_e_value
    assert math.exp(log_mean_e(log_e)) == pytest.approx(mean)
    product = merging.ProductMerger().merge(e).merged_e_value
    assert math.exp(log_product_e(log_e)) == pytest.approx(product)


@settings(deadline=None)
@given(st.lists(st.integers(0, 1), min_size=1, max_size=40), st.floats(0.001, 0.4), st.floats(0.45, 0.95))
def test_likelihood_ratio_of_a_sequence_of_hits(hits, null, alternative):
    hypothesis = testing.Hypothesis(name="background", type=testing.HypothesisType.SIMPLE)
    other = testing.LikelihoodRatioEValue(
        hypothesis,
        lambda x: np.where(x == 1, null, 1.0 - null),
        lambda x: np.where(x == 1, alternative, 1.0 - alternative),
    )
    ours = float(log_mixture_e(sum(hits), len(hits), null, alternatives=(alternative,)))
    assert ours == pytest.approx(math.log(other.compute(np.array(hits))), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
def test_e_bh_on_running_e_processes(level):
    rng = np.random.default_rng(4)
    processes = parallel.ParallelSequentialTest(
        parallel.ParallelTestConfig(n_tests=200), null_values=0.0, variance=1.0
    )
    for _ in range(30):
        processes.step(rng.normal(np.where(np.arange(200) < 25, 1.2, 0.0)))
        log_e = processes.log_e_processes()
        np.testing.assert_array_equal(e_bh(log_e, level), processes.e_bh(alpha=level).rejected)
    assert e_bh(log_e, level).any()
