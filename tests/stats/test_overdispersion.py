import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from stillwatch.stats.evalues import log_beta_binomial_pmf, log_mixture_e
from stillwatch.stats.overdispersion import distinct, fit_beta_binomial

units = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=1, max_size=40).filter(
    lambda pairs: any(sum(pair) > 0 for pair in pairs)
)


def honest_units(rng, count, mean, dispersion):
    trials = rng.integers(5, 300, count)
    rates = (
        np.full(count, mean)
        if np.isinf(dispersion)
        else rng.beta(mean * dispersion, (1 - mean) * dispersion, count)
    )
    return rng.binomial(trials, rates), trials


@pytest.mark.parametrize("mean", [1e-3, 1e-2, 0.2])
@pytest.mark.parametrize("dispersion", [1.0, 10.0, 50.0])
def test_recovers_what_the_units_were_drawn_from(mean, dispersion):
    fit = fit_beta_binomial(*honest_units(np.random.default_rng(5), 40_000, mean, dispersion))
    assert fit.mean == pytest.approx(mean, rel=0.12)
    assert fit.dispersion == pytest.approx(dispersion, rel=0.35)


def test_equal_units_are_seen_as_equal():
    assert (
        fit_beta_binomial(*honest_units(np.random.default_rng(6), 20_000, 0.02, np.inf)).dispersion > 1000.0
    )


def test_agrees_with_full_maximum_likelihood():
    hits, trials = honest_units(np.random.default_rng(7), 3_000, 0.05, 20.0)

    def loss(parameters):
        mean, dispersion = 1.0 / (1.0 + np.exp(-parameters[0])), np.exp(parameters[1])
        return -log_beta_binomial_pmf(hits, trials, mean, dispersion).sum()

    best = minimize(loss, [-3.0, 3.0], method="Nelder-Mead").x
    fit = fit_beta_binomial(hits, trials)
    assert fit.mean == pytest.approx(1.0 / (1.0 + np.exp(-best[0])), rel=0.02)
    assert fit.dispersion == pytest.approx(np.exp(best[1]), rel=0.2)


@pytest.mark.parametrize(("count", "size"), [(1, 1), (20, 26), (100_000, 26)])
def test_without_hits_the_mean_is_half_a_hit_and_the_dispersion_is_cautious(count, size):
    fit = fit_beta_binomial(np.zeros(count, dtype=int), np.full(count, size))
    effective = count * size / (1.0 + (size - 1.0) / (fit.dispersion + 1.0))
    assert fit.mean == pytest.approx(0.5 / (effective + 1.0))
    assert fit.mean >= 0.5 / (count * size + 1.0)
    assert 5.0 <= fit.dispersion <= 20.0


@settings(deadline=None)
@given(units, st.randoms())
def test_any_counts_give_a_usable_null_whatever_their_order(pairs, random):
    hits, trials = np.array([(x, x + rest) for x, rest in pairs]).T
    fit = fit_beta_binomial(hits, trials)
    assert 0.0 < fit.mean < 1.0
    assert 0.01 < fit.dispersion < 1e6
    assert np.isfinite(log_mixture_e(hits, trials, fit.mean, fit.dispersion)).all()
    order = random.sample(range(hits.size), hits.size)
    assert fit_beta_binomial(hits[order], trials[order]) == pytest.approx(fit, rel=1e-9)
    silent = fit_beta_binomial(np.append(hits, 0), np.append(trials, 0))
    assert silent == fit


def test_more_silent_traffic_lowers_the_mean():
    fits = [fit_beta_binomial(np.zeros(n, dtype=int), np.full(n, 30)).mean for n in (1, 10, 100, 1000)]
    assert np.all(np.diff(fits) < 0.0)


def test_one_unit_that_hits_always_widens_the_null():
    hits, trials = np.zeros(500, dtype=int), np.full(500, 40)
    before = fit_beta_binomial(hits, trials)
    hits[0] = 40
    after = fit_beta_binomial(hits, trials)
    assert after.mean > before.mean
    assert after.dispersion < before.dispersion


def test_very_long_histories():
    fit = fit_beta_binomial([3, 0], [2**40, 2**33])
    assert 0.0 < fit.mean < 0.2


@pytest.mark.parametrize(("hits", "trials"), [([3], [2]), ([-1], [2]), ([1, 1], [2]), ([[1]], [[2]])])
def test_refuses_impossible_counts(hits, trials):
    with pytest.raises(ValueError, match="between 0 and trials"):
        fit_beta_binomial(hits, trials)


@pytest.mark.parametrize("nothing", [[], [0, 0]])
def test_refuses_to_fit_nothing(nothing):
    with pytest.raises(ValueError, match="without trials"):
        fit_beta_binomial(nothing, nothing)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**31), st.integers(0, 9)), max_size=40))
def test_units_of_the_same_hits_and_trials_are_put_together(rows):
    hits, trials, number = np.array(rows, np.int64).reshape(-1, 3).T.copy()
    found = distinct(hits, trials, number.astype(np.float64))
    carried, sent, together, place = found
    assert carried[place].tolist() == hits.tolist()
    assert sent[place].tolist() == trials.tolist()
    assert together.sum() == number.sum()
    pairs = list(zip(carried.tolist(), sent.tolist(), strict=True))
    if trials.max(initial=0) < 2**31 - 1:  # beyond it nothing is put together
        assert pairs == sorted(set(pairs))
