"""Sign-up cohorts: bursts are found whole, chance and growth are not bursts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.cohorts import burst_log_e, sign_up_cohorts

LEVEL, LEAST = 1e-6, 8


def strangers(rng, number=600, days=200.0):
    return rng.uniform(0.0, days, number)


@pytest.mark.parametrize(("hours", "size"), [(0.5, 20), (6.0, 30), (20.0, 60)])
def test_a_burst_is_found_whole(hours, size):
    rng = np.random.default_rng(3)
    created = np.concatenate([strangers(rng), 100.0 + rng.uniform(0.0, hours / 24.0, size)])
    (found,) = sign_up_cohorts(created, LEVEL, LEAST)
    burst = np.arange(600, 600 + size)
    assert np.isin(burst, found.members).mean() >= 0.9
    assert np.isin(found.members, burst).mean() >= 0.85
    assert found.log_e > 10.0
    assert found.start <= created[found.members].min()
    assert (created[found.members] < found.start + found.days).all()


def test_bursts_a_day_apart_are_not_compared_with_each_other():
    rng = np.random.default_rng(4)
    bursts = [day + rng.uniform(0.0, 0.25, 40) for day in (100.0, 101.0, 102.0, 103.0)]
    found = sign_up_cohorts(np.concatenate([strangers(rng), *bursts]), LEVEL, LEAST)
    assert np.isin(np.arange(600, 760), np.concatenate([one.members for one in found])).mean() > 0.95
    assert all(one.expected < 10.0 for one in found)


def test_independent_sign_ups_have_no_bursts():
    found = [sign_up_cohorts(strangers(np.random.default_rng(n), 500, 60.0), LEVEL, LEAST) for n in range(40)]
    assert not any(found)


def test_growth_is_not_a_burst():
    rng = np.random.default_rng(5)
    launch = 100.0 + rng.gamma(4.0, 1.0, 800)
    assert not sign_up_cohorts(np.concatenate([strangers(rng), launch]), LEVEL, LEAST)


def test_few_accounts_have_no_bursts():
    assert sign_up_cohorts(np.zeros(7), LEVEL, LEAST) == []
    assert sign_up_cohorts(np.empty(0), LEVEL, LEAST) == []


@pytest.mark.parametrize("expected", [0.3, 2.0, 15.0, 80.0])
def test_the_e_value_of_a_burst_averages_at_most_one(expected):
    counts, times = np.unique(np.random.default_rng(6).poisson(expected, 200_000), return_counts=True)
    e = np.minimum(np.exp([burst_log_e(float(count), expected) for count in counts]), 1e4)
    mean = np.average(e, weights=times)
    error = np.sqrt(np.average((e - mean) ** 2, weights=times) / times.sum())
    assert mean <= 1.0 + 4.0 * error


@given(st.integers(0, 10_000), st.integers(0, 3))
def test_cohorts_are_apart_and_do_not_depend_on_the_order(seed, bursts):
    rng = np.random.default_rng(seed)
    parts = [rng.uniform(20, 180) + rng.uniform(0, 0.2, 25) for _ in range(bursts)]
    created = np.concatenate([strangers(rng), *parts])
    found = sign_up_cohorts(created, LEVEL, LEAST)
    members = np.concatenate([one.members for one in found]) if found else np.empty(0, int)
    assert np.unique(members).size == members.size
    assert all(one.members.size >= LEAST for one in found)
    order = rng.permutation(created.size)
    again = sign_up_cohorts(created[order], LEVEL, LEAST)
    assert [one.start for one in again] == [one.start for one in found]
    assert [set(order[one.members]) for one in again] == [set(one.members) for one in found]
