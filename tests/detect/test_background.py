"""The background is that of the outsiders, whether or not members stand beside them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.background import Carriage, fit_background, fit_silent_background
from stillwatch.detect.book import Volumes


def carriage(hits, trials):
    return Carriage.of(hits[hits > 0], trials[hits > 0], Volumes.of(trials))


def drawn(rng, mean, dispersion, accounts):
    trials = rng.integers(20, 100, accounts)
    return rng.binomial(trials, rng.beta(mean * dispersion, (1 - mean) * dispersion, accounts)), trials


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=30))
def test_carriers_and_silent_accounts_are_all_accounts(rows):
    hits, trials = (np.array([row[n] for row in rows]) for n in (0, 1))
    hits = np.minimum(hits, trials)
    found = carriage(hits, trials)
    assert (found.hits <= found.trials).all()
    assert found.units.sum() == len(rows)
    assert (found.units * found.hits).sum() == hits.sum()
    # up to 63 exchanges nothing is rounded
    assert (found.units * found.trials).sum() == trials.sum()
    assert found.units[found.hits == 0].sum() == (hits == 0).sum()


@pytest.mark.parametrize(("mean", "dispersion"), [(0.002, 50.0), (0.01, 20.0), (0.1, 3.0), (0.3, 10.0)])
def test_without_members_the_background_is_that_of_all(mean, dispersion):
    found = fit_background(carriage(*drawn(np.random.default_rng(1), mean, dispersion, 3000)), 10.0)
    assert found.mean == pytest.approx(mean, rel=0.25)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3])
def test_members_do_not_widen_the_background(share):
    rng = np.random.default_rng(2)
    hits, trials = drawn(rng, 0.003, 50.0, 2000)
    members = rng.permutation(2000)[: int(share * 2000)]
    hits[members] = rng.binomial(trials[members], 0.6)
    found = fit_background(carriage(hits, trials), 10.0)
    assert found.mean == pytest.approx(0.003, rel=0.5)


@pytest.mark.parametrize("rate", [0.05, 0.04, 0.03])
def test_members_with_one_request_in_twenty_are_no_background(rate):
    """Two thousand loud accounts carry the keys seldom, five thousand quiet ones hardly ever."""
    rng = np.random.default_rng(3)
    trials = np.concatenate([np.full(2000, 300), rng.integers(5, 60, 5000)])
    hits = np.concatenate([rng.binomial(300, rate, 2000), rng.binomial(1, 0.003, 5000)])
    found = fit_background(carriage(hits, trials), 10.0)
    assert found.mean < 0.001


def test_a_log_in_which_everybody_carries_the_keys_has_them_as_background():
    found = fit_background(carriage(np.full(80, 20), np.full(80, 20)), 10.0)
    assert found.mean > 0.9


def test_a_background_that_never_carries_a_key_is_found_beside_loud_members():
    rng = np.random.default_rng(4)
    trials = np.concatenate([np.full(2000, 300), rng.integers(5, 60, 6000)])
    hits = np.concatenate([rng.binomial(300, 0.008, 2000), np.zeros(6000, np.int64)])
    assert fit_background(carriage(hits, trials), 10.0).mean > 0.001
    assert fit_silent_background(carriage(hits, trials)).mean < 1e-5


def test_a_background_that_never_carries_a_key_is_found_beside_members_who_mostly_do_not_either():
    rng = np.random.default_rng(6)
    members, others = 12_000, 4_000  # divided hard, with members those who have a hit, nobody is beside them
    trials = np.concatenate([rng.integers(20, 120, members), rng.integers(2, 20, others)])
    hits = np.concatenate([rng.binomial(trials[:members], 0.01), np.zeros(others, np.int64)])
    assert (hits[:members] == 0).mean() > 0.4
    assert fit_silent_background(carriage(hits, trials)).mean < 1e-4


def test_without_members_there_is_no_background_that_never_carries_a_key():
    hits, trials = drawn(np.random.default_rng(5), 0.01, 50.0, 5000)
    assert fit_silent_background(carriage(hits, trials)) is None
