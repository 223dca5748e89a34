import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from stillwatch.stats.evalues import (
    DEFAULT_ALTERNATIVES,
    conformal_log_e,
    conformal_log_e_from_log,
    log_beta_binomial_pmf,
    log_mean_e,
    log_mixture_e,
    log_product_e,
)

trials = st.integers(0, 80)
rates = st.floats(1e-7, 0.97)
dispersions = st.one_of(st.just(math.inf), st.floats(0.02, 1e9))
alternatives = st.lists(st.floats(1e-4, 0.999), max_size=9)
scores = st.just(0.0) | st.floats(1e-150, 1e12)


def exact_log_pmf(hits: int, n: int, mean: Fraction, dispersion: Fraction) -> float:
    def rising(start: Fraction, steps: int) -> Fraction:
        return math.prod((start + i for i in range(steps)), start=Fraction(1))

    a, b = mean * dispersion, (1 - mean) * dispersion
    value = math.comb(n, hits) * rising(a, hits) * rising(b, n - hits) / rising(dispersion, n)
    return math.log(value.numerator) - math.log(value.denominator)


class TestBetaBinomial:
    @settings(deadline=None)
    @given(trials, rates, dispersions)
    def test_probabilities_add_up_to_one(self, n, mean, dispersion):
        log_pmf = log_beta_binomial_pmf(np.arange(n + 1), n, mean, dispersion)
        assert np.exp(log_pmf).sum() == pytest.approx(1.0, abs=1e-11)

    @pytest.mark.parametrize(
        "dispersion", [Fraction(1, 50), Fraction(3), Fraction(50), Fraction(10**4), Fraction(10**13)]
    )
    @pytest.mark.parametrize(("hits", "n"), [(0, 7), (1, 1), (3, 26), (26, 26), (40, 400), (400, 400)])
    def test_agrees_with_exact_arithmetic(self, hits, n, dispersion):
        mean = Fraction(1, 1024)
        value = float(log_beta_binomial_pmf(hits, n, float(mean), float(dispersion)))
        assert value == pytest.approx(exact_log_pmf(hits, n, mean, dispersion), rel=1e-11, abs=1e-11)

    @pytest.mark.parametrize("dispersion", [66, 70, 200])
    def test_the_series_for_large_dispersion_is_exact_to_rounding(self, dispersion):
        value = float(log_beta_binomial_pmf(7, 14, 0.5, dispersion))
        assert value == pytest.approx(exact_log_pmf(7, 14, Fraction(1, 2), Fraction(dispersion)), abs=1e-12)

    def test_agrees_with_scipy(self):
        hits = np.arange(41)
        over = log_beta_binomial_pmf(hits, 40, 0.2, 12.0)
        np.testing.assert_allclose(over, stats.betabinom.logpmf(hits, 40, 2.4, 9.6), rtol=1e-11)
        plain = log_beta_binomial_pmf(hits, 40, 0.2)
        np.testing.assert_allclose(plain, stats.binom.logpmf(hits, 40, 0.2), rtol=1e-11)

    def test_large_dispersion_approaches_the_binomial(self):
        hits = np.arange(31)
        np.testing.assert_allclose(
            log_beta_binomial_pmf(hits, 30, 0.01, 1e13), log_beta_binomial_pmf(hits, 30, 0.01), atol=1e-9
        )

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ((3, 2, 0.1, 1.0), "between 0 and trials"),
            ((-1, 2, 0.1, 1.0), "between 0 and trials"),
            ((math.nan, 2, 0.1, 1.0), "between 0 and trials"),
            ((1, math.inf, 0.1, 1.0), "between 0 and trials"),
            ((1, 2, 0.0, 1.0), "inside"),
            ((1, 2, 1.0, 1.0), "inside"),
            ((1, 2, 0.1, 0.0), "above 0"),
            ((1, 2, 0.1, math.nan), "above 0"),
        ],
    )
    def test_refuses_what_is_no_distribution(self, arguments, words):
        with pytest.raises(ValueError, match=words):
            log_beta_binomial_pmf(*arguments)


class TestMixture:
    @settings(deadline=None, max_examples=300)
    @given(trials, rates, dispersions, alternatives)
    def test_expectation_is_one_under_the_null_by_enumeration(self, n, mean, dispersion, against):
        hits = np.arange(n + 1)
        log_e = log_mixture_e(hits, n, mean, dispersion, against)
        expectation = np.exp(log_beta_binomial_pmf(hits, n, mean, dispersion) + log_e).sum()
        assert expectation == pytest.approx(1.0, abs=1e-10)

    @settings(deadline=None)
    @given(st.integers(1, 80), rates, dispersions, alternatives)
    def test_more_hits_are_never_less_evidence(self, n, mean, dispersion, against):
        log_e = log_mixture_e(np.arange(n + 1), n, mean, dispersion, against)
        assert np.all(np.diff(log_e) >= -1e-9 * (1.0 + np.abs(log_e[1:])))

    @settings(deadline=None)
    @given(trials, rates, dispersions, st.permutations(DEFAULT_ALTERNATIVES))
    def test_the_order_of_the_alternatives_does_not_matter(self, n, mean, dispersion, against):
        hits = np.arange(n + 1)
        np.testing.assert_allclose(
            log_mixture_e(hits, n, mean, dispersion, against),
            log_mixture_e(hits, n, mean, dispersion),
            atol=1e-9,
        )

    @settings(deadline=None)
    @given(st.integers(1, 200), rates, st.floats(0.1, 1e3))
    def test_over_dispersed_null_caps_full_hits_at_the_inverse_of_its_probability(self, n, mean, dispersion):
        log_e = log_mixture_e(n, n, mean, dispersion)
        assert log_e <= -log_beta_binomial_pmf(n, n, mean, dispersion) + 1e-9

    def test_is_the_mean_of_the_likelihood_ratios(self):
        ratio = [(r / 0.03) ** 4 * ((1 - r) / 0.97) ** 6 for r in (0.05, 0.3, 0.9)]
        assert float(log_mixture_e(4, 10, 0.03, alternatives=(0.01, 0.05, 0.3, 0.9))) == pytest.approx(
            math.log(np.mean(ratio))
        )

    def test_over_dispersion_takes_evidence_away(self):
        log_e = log_mixture_e(10, 26, 1e-3, np.array([np.inf, 1e3, 50.0, 5.0, 0.5]))
        assert np.all(np.diff(log_e) < 0.0)

    def test_broadcasts_null_means_and_knows_when_no_alternative_is_left(self):
        log_e = log_mixture_e([[5], [0]], 20, np.array([0.01, 0.95]), 30.0)
        assert log_e.shape == (2, 2)
        assert log_e[0, 0] > 0.0 > log_e[1, 0]
        np.testing.assert_array_equal(log_e[:, 1], 0.0)

    def test_nothing_seen_is_no_evidence(self):
        assert float(log_mixture_e(0, 0, 0.01, 10.0)) == pytest.approx(0.0, abs=1e-12)

    def test_survives_evidence_far_beyond_a_double(self):
        log_e = float(log_mixture_e(50_000, 100_000, 1e-6))
        assert 500_000 < log_e < 1_000_000

    @pytest.mark.parametrize("against", [(0.0, 0.5), (0.5, 1.0), (math.nan,), ((0.1, 0.2), (0.3, 0.4))])
    def test_refuses_alternatives_that_are_no_rates(self, against):
        with pytest.raises(ValueError, match="alternatives"):
            log_mixture_e(1, 2, 0.1, alternatives=against)


class TestMerging:
    @settings(deadline=None)
    @given(arrays(np.float64, (3, 5), elements=st.floats(-300.0, 300.0)), st.integers(0, 1))
    def test_agrees_with_plain_arithmetic(self, log_e, axis):
        np.testing.assert_allclose(
            log_mean_e(log_e, axis), np.log(np.mean(np.exp(log_e), axis=axis)), atol=1e-9
        )
        np.testing.assert_allclose(log_product_e(log_e, axis), log_e.sum(axis=axis))

    @settings(deadline=None)
    @given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6), st.randoms())
    def test_order_does_not_matter_and_the_mean_lies_between(self, log_e, random):
        shuffled = random.sample(log_e, len(log_e))
        assert float(log_mean_e(shuffled)) == pytest.approx(float(log_mean_e(log_e)), rel=1e-12, abs=1e-9)
        assert float(log_product_e(shuffled)) == pytest.approx(math.fsum(log_e), rel=1e-9, abs=1e-6)
        assert min(log_e) - 1e-9 <= float(log_mean_e(log_e)) <= max(log_e) + 1e-9

    def test_zeros_and_infinities(self):
        assert log_mean_e([-np.inf, -np.inf]) == -np.inf
        assert log_mean_e([-np.inf, 0.0]) == pytest.approx(-math.log(2))
        assert log_mean_e([np.inf, 0.0]) == np.inf
        assert log_product_e([np.inf, -np.inf]) == -np.inf
        assert log_product_e([np.inf, 3.0]) == np.inf
        assert log_product_e([]) == 0.0

    @pytest.mark.parametrize("nothing", [[], np.empty((3, 0)), 1.0])
    def test_the_mean_of_nothing_is_refused(self, nothing):
        with pytest.raises(ValueError, match="at least one"):
            log_mean_e(nothing)

    @pytest.mark.parametrize("merge", [log_mean_e, log_product_e])
    def test_refuses_what_is_no_number(self, merge):
        with pytest.raises(ValueError, match="numbers"):
            merge([0.0, math.nan])


class TestConformal:
    @settings(deadline=None)
    @given(st.lists(scores, min_size=2, max_size=12))
    def test_mean_is_one_whichever_of_the_exchangeable_scores_is_the_tested_one(self, values):
        log_e = [conformal_log_e(s, values[:i] + values[i + 1 :]) for i, s in enumerate(values)]
        assert np.mean(np.exp(log_e)) == pytest.approx(1.0, abs=1e-9)

    def test_mean_is_one_over_all_orders(self):
        values = [0.0, 0.3, 0.3, 2.0, 40.0]
        e = [np.exp(conformal_log_e(first, rest)) for first, *rest in itertools.permutations(values)]
        assert np.mean(e) == pytest.approx(1.0)

    @settings(deadline=None)
    @given(scores, st.lists(scores, min_size=1, max_size=9), st.floats(1e-3, 1e3), st.randoms())
    def test_bounds_scale_and_order(self, score, placebos, factor, random):
        log_e = float(conformal_log_e(score, placebos))
        assert log_e <= math.log(len(placebos) + 1) + 1e-12
        scaled = conformal_log_e(score * factor, [p * factor for p in placebos])
        assert np.exp(scaled) == pytest.approx(np.exp(log_e), rel=1e-9, abs=1e-300)
        assert float(conformal_log_e(score, random.sample(placebos, len(placebos)))) == pytest.approx(
            log_e, rel=1e-9
        )

    @settings(deadline=None)
    @given(arrays(np.float64, 6, elements=scores), arrays(np.float64, (6, 4), elements=scores))
    def test_is_the_formula_row_by_row_and_with_shared_placebos(self, score, placebos):
        whole = score + placebos.sum(axis=1)
        plain = np.where(whole > 0.0, 5.0 * score / np.where(whole > 0.0, whole, 1.0), 1.0)
        np.testing.assert_allclose(np.exp(conformal_log_e(score, placebos)), plain, rtol=1e-9, atol=1e-300)
        shared = np.broadcast_to(placebos[0], (6, 4))
        np.testing.assert_allclose(
            conformal_log_e(score, placebos[0]), conformal_log_e(score, shared), rtol=1e-12
        )

    def test_grows_with_the_score(self):
        assert np.all(np.diff(conformal_log_e(np.arange(9.0), [1.0, 2.0, 3.0])) > 0.0)

    def test_a_score_of_zero_is_no_evidence_unless_all_are_zero(self):
        np.testing.assert_array_equal(conformal_log_e([0.0, 0.0], [[0.0, 1.0], [0.0, 0.0]]), [-np.inf, 0.0])

    def test_logarithms_beyond_a_double(self):
        log_e = conformal_log_e_from_log(
            [5000.0, -5000.0, 5000.0], [[4999.0, 0.0], [-5000.0, -np.inf], [1.0, 1.0]]
        )
        expected = [math.log(3 / (1 + math.exp(-1))), math.log(1.5), math.log(3)]
        np.testing.assert_allclose(log_e, expected, rtol=1e-12)

    @pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
    def test_refuses_scores_that_are_no_amounts(self, bad):
        with pytest.raises(ValueError, match="at least 0"):
            conformal_log_e(1.0, [1.0, bad])
        with pytest.raises(ValueError, match="at least 0"):
            conformal_log_e(bad, [1.0])

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_refuses_log_scores_that_are_no_numbers(self, bad):
        with pytest.raises(ValueError, match="below infinity"):
            conformal_log_e_from_log([1.0, bad], [1.0])

    @pytest.mark.parametrize("shape", [(0,), (3, 2), (2, 0), (2, 2, 2), ()])
    def test_refuses_placebos_that_do_not_fit(self, shape):
        with pytest.raises(ValueError, match="placebo scores must have shape"):
            conformal_log_e(np.ones(2), np.ones(shape))
