"""Schedules: a lag changes nothing, a routine says nothing, one plan stands out and many plans do not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.placebo import Placebos
from stillwatch.detect.profiles import MATCHES, Profiles
from stillwatch.detect.schedules import Schedules, hourly_table, likeness, spectra, unit

DAYS = 12
HOURS = DAYS * 24


def plan(rng):
    """Blocks of six hours at work or at rest."""
    return np.repeat(np.where(rng.random(HOURS // 6) < 0.3, 0.03, rng.uniform(0.5, 1.5, HOURS // 6)), 6)


def lagged(rng, plan_of_account, number, volume=250):
    """Counts of accounts that follow the plan they are given, each with a lag of its own."""
    rate = np.stack([np.roll(plan_of_account(), rng.integers(-72, 73)) for _ in range(number)])
    return rng.poisson(rate / rate.sum(axis=1, keepdims=True) * volume).astype(float)


@given(st.integers(0, 10_000), st.integers(0, HOURS))
def test_a_lag_does_not_change_the_spectrum(seed, lag):
    table = np.random.default_rng(seed).poisson(2.0, (3, HOURS)).astype(float)
    assert spectra(np.roll(table, lag, axis=1)) == pytest.approx(spectra(table), abs=1e-9)


def test_a_spectrum_adds_up_to_one_and_is_empty_without_activity():
    rng = np.random.default_rng(1)
    table = np.vstack([rng.poisson(1.0, HOURS), np.zeros(HOURS)]).astype(float)
    assert spectra(table).sum(axis=1) == pytest.approx([1.0, 0.0])


def test_what_is_the_same_every_day_says_nothing():
    routine = np.tile(np.arange(24.0), (1, DAYS))
    assert not spectra(routine).any()


def test_exchanges_are_counted_by_account_and_hour(made):
    rows = made.behaviour([3, 3, 5, 5], second=[3600.0 * 10, 3600.0 * 10 + 5, 3600.0 * 11, 3600.0 * 99])
    table = hourly_table(rows, np.array([3, 5]), 10, 1)
    assert table.shape == (2, 24)
    assert (table[0, 0], table[1, 1], table.sum()) == (2, 1, 3)


def pool_of(rng, number=400):
    """A pool of people with plans of their own."""
    table = lagged(rng, lambda: plan(rng), number)
    account, hour = (np.repeat(index, table[table > 0].astype(int)) for index in np.nonzero(table))
    profiles = Profiles(np.arange(number), {name: np.zeros(number, int) for name in MATCHES}, table)
    placebos = Placebos(profiles, np.full(number, 250), table.sum(axis=0) + 1.0, 300, 7)
    return account, hour, placebos


def seen(rng, made, plan_of_account):
    """How many spreads of the placebos a group of accounts lies above their median."""
    account, hour, placebos = pool_of(rng)
    pool = made.behaviour(account, second=hour * 3600.0)
    schedules = Schedules.of(pool, placebos, 0, DAYS)
    table = lagged(rng, plan_of_account, 48)
    members, hours = (np.repeat(index, table[table > 0].astype(int)) for index in np.nonzero(table))
    rows = made.behaviour(members, second=hours * 3600.0)
    value = schedules.ratios(rows, np.arange(48), np.arange(48)[None, :])[0]
    null = schedules.null(placebos.draw(48, 250.0, 0, 300, rng))
    low, middle, high = np.quantile(null, [0.25, 0.5, 0.75])
    return (value - middle) / ((high - low) / 1.349)


def test_one_plan_stands_out_whatever_the_lags(made):
    rng = np.random.default_rng(8)
    shared = plan(rng)
    assert seen(rng, made, lambda: shared) > 6.0


def test_plans_of_their_own_do_not_stand_out(made):
    found = [seen(rng, made, lambda rng=rng: plan(rng)) for rng in map(np.random.default_rng, range(4))]
    assert np.mean(found) < 2.0
    assert max(found) < 4.5


def test_likeness_is_a_correlation_with_the_others():
    rows = np.array([[2.0, 0.0], [-1.0, 0.0], [0.0, 5.0], [0.0, 0.0], [1.0, 1.0]])
    with_first = likeness(rows, unit(rows), np.array([0]))
    assert with_first == pytest.approx([0.0, -1.0, 0.0, 0.0, np.sqrt(0.5)])
    with_two = likeness(rows, unit(rows), np.array([0, 2]))
    assert with_two == pytest.approx([0.0, -np.sqrt(0.5), 0.0, 0.0, 1.0])


@given(st.integers(0, 10_000))
def test_members_are_no_more_alike_than_strangers_where_nothing_is_shared(seed):
    rows = np.random.default_rng(seed).normal(size=(600, 40))
    found = likeness(rows, unit(rows), np.arange(20))
    assert abs(found[:20].mean()) < 0.2
    assert unit(rows)[0] == pytest.approx(rows[0] / np.linalg.norm(rows[0]))
