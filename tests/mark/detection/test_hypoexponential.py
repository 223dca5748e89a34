import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from stillwatch.mark.detection import hypoexponential
from stillwatch.mark.detection.hypoexponential import log_hypoexponential_tail

NODES, FACTORS = np.polynomial.legendre.leggauss(400)
WEIGHTS = st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True)


def by_partial_fractions(total: int, weights: list[int]) -> float:
    """Log tail for distinct weights: sum_j exp(-x/w_j) prod_i w_j / (w_j - w_i), in 400 digits since it cancels."""
    with localcontext(prec=400):
        value = Decimal(0)
        for one in weights:
            factor = (-Decimal(total) / one).exp()
            for other in weights:
                if other != one:
                    factor *= Decimal(one) / (one - other)
            value += factor
        return float(value.ln())


@given(WEIGHTS, st.integers(0, 20_000))
def test_distinct_weights_agree_with_partial_fractions(weights, total):
    found = log_hypoexponential_tail(float(total), weights, [1] * len(weights))
    assert found == pytest.approx(by_partial_fractions(total, weights), rel=1e-11, abs=1e-11)


def test_golden_row_of_vllm():
    """Row `dual-key...key0-cw4-alpha0.1` of vLLM's goldens (Apache-2.0): the exact tail of its score."""
    log_p = log_hypoexponential_tail(241.81126265648692, [0.9, 0.1], [64, 64])
    assert math.exp(log_p) == pytest.approx(4.33e-49, rel=2e-3)


@given(st.floats(0.01, 0.99), st.integers(1, 300), st.floats(0.2, 5.0))
def test_two_weights_agree_with_quadrature(alpha, count, stretch):
    """P(a A + b B >= x) = P(b B >= x) + integral of the density of b B times the tail of a A."""
    a, b = max(alpha, 1 - alpha), min(alpha, 1 - alpha)
    total = stretch * count
    high = min(total, b * special.gammainccinv(count, 1e-18))
    low = min(b * special.gammaincinv(count, 1e-18), high)
    y = (high - low) / 2 * NODES + (high + low) / 2
    density = np.exp((count - 1) * np.log(y / b) - y / b - special.gammaln(count)) / b
    inner = special.gammaincc(count, (total - y) / a)
    expected = special.gammaincc(count, high / b) + (high - low) / 2 * FACTORS @ (density * inner)
    if high > low and expected > 1e-9:
        found = math.exp(log_hypoexponential_tail(total, [a, b], [count, count]))
        assert found == pytest.approx(expected, rel=1e-6)


def test_order_and_grouping_do_not_matter():
    once = log_hypoexponential_tail(300.0, [0.9, 0.1, 0.4], [30, 40, 5])
    again = log_hypoexponential_tail(300.0, [0.4, 0.1, 0.9, 0.1], [5, 15, 30, 25])
    assert once == pytest.approx(again, rel=1e-13)


@given(st.floats(0.0, 400.0), st.floats(0.0, 100.0))
def test_falls_with_the_total_and_rises_with_a_weight(total, more):
    here = log_hypoexponential_tail(total, [0.8, 0.2], [30, 30])
    assert log_hypoexponential_tail(total + more, [0.8, 0.2], [30, 30]) <= here + 1e-12
    assert log_hypoexponential_tail(total, [0.8, 0.25], [30, 30]) >= here - 1e-12


def test_long_texts_and_extreme_scores():
    near = log_hypoexponential_tail(1.01e5, [0.9, 0.1], [100_000, 100_000])
    z = 0.01 * math.sqrt(1e5 / 0.82)
    assert near == pytest.approx(stats.norm.logsf(z), abs=0.05)
    assert log_hypoexponential_tail(4e5, [0.9, 0.1], [100_000, 100_000]) < -1e5
    assert log_hypoexponential_tail(1.0, [0.9, 0.1], [5000, 5000]) == pytest.approx(0.0, abs=1e-12)


def test_weights_too_far_apart_are_told(monkeypatch):
    monkeypatch.setattr(hypoexponential, "MOST_TERMS", 100)
    with pytest.raises(ValueError, match="too far apart"):
        log_hypoexponential_tail(1e5, [1.0, 1e-6], [10, 10])


@pytest.mark.parametrize(
    ("total", "weights", "counts"),
    [(1.0, [0.0], [1]), (1.0, [1.0], [0]), (1.0, [1.0], [1.5]), (1.0, [], []), (math.nan, [1.0], [1])],
)
def test_arguments_out_of_range_are_refused(total, weights, counts):
    with pytest.raises(ValueError, match="must be"):
        log_hypoexponential_tail(total, weights, counts)
