"""Values with their source: vLLM's goldens (Apache-2.0), detection rows; the rest is computed another way."""

import math

import numpy as np
import pytest
from scipy import stats

from stillwatch.mark.detection.nulls import log_tail, matched_moments_log_tail, z_scores
from stillwatch.mark.schemes import Null

GUMBEL = Null("exponential")
DUAL = Null("hypoexponential", weights=(0.9, 0.1))


@pytest.mark.parametrize(
    ("score", "count", "p"),
    [
        (296.27295787856264, 64, 7.128196280874065e-61),
        (63.25096716585621, 64, 0.5208447936891313),
        (236.2768211235414, 54, 4.532248480235615e-47),
        (263.04926919645095, 64, 1.1027575381260964e-49),
        (220.2767573421712, 64, 6.166345567165398e-36),
        (34.40948699058768, 15, 6.975e-05),
    ],
)
def test_gumbel_rows_of_vllm(score, count, p):
    assert math.exp(log_tail(GUMBEL, [score], count)[0]) == pytest.approx(
        p, rel=1e-4 if p == 6.975e-05 else 1e-9
    )


def test_dual_key_row_of_vllm_and_what_it_reports():
    score = 241.81126265648692
    assert math.exp(matched_moments_log_tail(DUAL, [score], 64)[0]) == pytest.approx(1.234e-51, rel=1e-3)
    assert math.exp(log_tail(DUAL, [score], 64)[0]) == pytest.approx(4.33e-49, rel=2e-3)


@pytest.mark.parametrize(
    ("count", "alpha", "p", "ratio"),
    [
        (64, 0.1, 1e-3, 1.08),
        (64, 0.1, 1e-6, 1.31),
        (64, 0.1, 1e-12, 2.2),
        (32, 0.2, 1e-3, 1.15),
        (32, 0.2, 1e-6, 1.64),
        (32, 0.2, 1e-12, 4.4),
    ],
)
def test_matched_moments_are_too_small_in_the_tail(count, alpha, p, ratio):
    null = Null("hypoexponential", weights=(1 - alpha, alpha))
    scale = null.variance / null.mean
    score = stats.gamma.isf(p, count * null.mean / scale, scale=scale)
    assert math.exp(log_tail(null, [score], count)[0]) / p == pytest.approx(ratio, rel=0.02)


def test_normal_tails_are_wrong_in_the_dangerous_direction():
    green, gumbel = Null("bernoulli", probability=0.25), GUMBEL
    exact = math.exp(log_tail(green, [25], 40)[0])
    assert exact == pytest.approx(5.9e-7, rel=0.01)
    assert stats.norm.sf(z_scores(green, [25], 40)[0]) == pytest.approx(2.2e-8, rel=0.02)
    exact = math.exp(log_tail(gumbel, [66.0], 30)[0])
    assert exact == pytest.approx(2.5e-7, rel=0.02)
    assert stats.norm.sf(z_scores(gumbel, [66.0], 30)[0]) == pytest.approx(2.5e-11, rel=0.02)


def test_fair_bits_are_a_binomial():
    null = Null("fair bits", bits=30)
    assert np.exp(log_tail(null, [160.0], 10))[0] == pytest.approx(stats.binom.sf(159, 300, 0.5))


def test_many_dual_key_totals_agree_with_single_ones():
    totals = np.linspace(50.0, 200.0, 200)
    many = log_tail(DUAL, totals, 64)
    single = np.array([log_tail(DUAL, [one], 64)[0] for one in totals])
    deep = single < math.log(5e-3)
    assert many[deep] == pytest.approx(single[deep], rel=1e-12)
    assert np.exp(many) == pytest.approx(np.exp(single), rel=1e-2)


@pytest.mark.parametrize(
    "null", [GUMBEL, DUAL, Null("bernoulli", probability=0.25), Null("fair bits", bits=30)]
)
def test_nothing_scored_is_no_evidence(null):
    assert log_tail(null, [0.0, 0.0], 0).tolist() == [0.0, 0.0]
    assert z_scores(null, [0.0], 0).tolist() == [0.0]
