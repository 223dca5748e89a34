"""Evidence: at most one on average where nothing is going on, nearly all there is where something is."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.evidence import NOTHING, combine, halved, weigh
from stillwatch.detect.placebo import Null, Placebos
from stillwatch.detect.profiles import MATCHES, STATISTICS, Profiles
from stillwatch.model.views import View
from stillwatch.stats.conformal import conformal_p
from stillwatch.stats.evalues import conformal_log_e

COUNT = len(STATISTICS)


def nulls(rng, placebos, draw):
    return tuple(Null.of(draw(rng, placebos)) for _ in range(2))


def normal(rng, rows):
    return rng.normal(size=(rows, COUNT))


def discrete(rng, rows):
    """Match fractions: mostly zero, with ties."""
    return rng.binomial(3, 0.1, (rows, COUNT)) / 3.0


def dependent(rng, rows):
    """All statistics say the same."""
    return np.repeat(rng.normal(size=(rows, 1)), COUNT, axis=1)


@pytest.mark.parametrize("draw", [normal, discrete, dependent])
def test_e_values_of_groups_like_the_placebos_average_at_most_one(draw):
    """Heavy tails hide in one run, so the group is exchanged with every placebo: the average is then exact."""
    rng = np.random.default_rng(6)
    means, views = [], {view: [] for view in View}
    for _ in range(600):
        halves = [draw(rng, 41) for _ in range(2)]
        found = combine(
            np.stack([half[0] for half in halves]), tuple(Null.of(half[1:]) for half in halves), 8
        )
        means.append(np.exp(found.log_e))
        for view, log_e in found.view_log_e.items():
            views[view].append(np.exp(log_e))
    for values in [means, *(v for v in views.values() if v)]:
        capped = np.minimum(values, 400.0)
        assert capped.mean() <= 1 + 4 * capped.std() / np.sqrt(len(values))


@given(st.integers(0, 10_000), st.sampled_from([normal, discrete, dependent]))
def test_over_all_choices_of_the_group_the_e_value_of_a_half_averages_exactly_one(seed, draw):
    rows = draw(np.random.default_rng(seed), 21)
    e = []
    for at in range(21):
        null = Null.of(np.delete(rows, at, axis=0))
        found = combine(np.stack([rows[at], rows[at]]), (null, null), 8)
        # both halves are the same, so the square root is the e-value of one
        e.append([np.exp(measured.log_e / 2) for measured in found.measured])
    assert np.mean(e, axis=0) == pytest.approx(1.0)


@given(st.integers(0, 10_000), st.sampled_from([normal, discrete]))
def test_the_compiled_scores_are_the_conformal_ones_of_the_library(seed, draw):
    rng = np.random.default_rng(seed)
    null, values = Null.of(draw(rng, 40)), draw(rng, 1)[0]
    found = combine(np.stack([values, values]), (null, null), 8)
    for at, measured in enumerate(found.measured):
        centre = np.clip(values[at], null.low_middle[at], null.high_middle[at])
        away = np.append(values[at], null.values[:, at]) - centre
        score = (np.abs(away) if measured.name == "activity_covariance" else np.maximum(away, 0.0)) ** 4
        assert measured.log_e / 2 == pytest.approx(float(conformal_log_e(score[0], score[1:])))
        assert measured.p_value == pytest.approx(float(conformal_p(score[0], score[1:])))


def test_a_group_far_outside_gets_nearly_all_there_is():
    rng = np.random.default_rng(1)
    found = combine(np.full((2, COUNT), 1e4), nulls(rng, 200, normal), 24)
    assert found.log_e == pytest.approx(2 * np.log(201), rel=1e-3)
    assert all(log_e == pytest.approx(2 * np.log(201), rel=1e-3) for log_e in found.view_log_e.values())
    assert all(measured.p_value == pytest.approx(1 / 201) for measured in found.measured)
    assert set(found.view_log_e) == set(STATISTICS.values())


def test_one_strong_statistic_is_divided_by_their_number_and_speaks_in_its_view_alone():
    rng = np.random.default_rng(2)
    drawn = nulls(rng, 300, normal)
    names = list(STATISTICS)
    values = np.zeros((2, COUNT))
    values[:, names.index("sampling_uniformity")] = 1e4
    found = combine(values, drawn, 24)
    assert found.log_e == pytest.approx(2 * np.log(301 / COUNT), abs=0.2)
    assert found.view_log_e[View.SAMPLING] == pytest.approx(2 * np.log(301), rel=1e-3)
    assert all(log_e < np.log(20) for view, log_e in found.view_log_e.items() if view is not View.SAMPLING)


def test_both_halves_must_agree():
    values = np.zeros((2, COUNT))
    values[0] = 1e4
    found = combine(values, nulls(np.random.default_rng(3), 300, normal), 24)
    assert found.log_e < np.log(20)
    assert all(measured.p_value > 0.3 for measured in found.measured)


def test_only_the_covariance_counts_on_both_sides():
    drawn = nulls(np.random.default_rng(4), 300, normal)
    below = combine(np.full((2, COUNT), -50.0), drawn, 24)
    strong = [measured.name for measured in below.measured if measured.log_e > np.log(100)]
    assert strong == ["activity_covariance"]


def test_a_statistic_without_any_spread_says_nothing():
    flat = Null.of(np.zeros((100, COUNT)))
    found = combine(np.zeros((2, COUNT)), (flat, flat), 24)
    assert found.log_e == pytest.approx(0.0, abs=1e-12)
    assert all(measured.p_value == 1.0 for measured in found.measured)


def pool(rng, accounts, codes=400):
    table = {name: rng.integers(0, codes, accounts) for name in MATCHES}
    return Profiles(np.arange(accounts), table, rng.poisson(2.0, (accounts, 30)).astype(float))


def weighed(profiles, placebos, rng):
    """Weigh accounts of sixty exchanges each."""
    halves = halved(profiles, np.full(profiles.account.size, 60), placebos.rhythm, rng)
    if halves:
        with ThreadPoolExecutor(2) as cores:
            placebos.prepare(halves.placebos, cores)
    return weigh(halves, placebos)


def test_a_fleet_stands_out_from_the_pool_and_a_random_group_does_not():
    rng = np.random.default_rng(5)
    profiles = pool(rng, 600)
    placebos = Placebos(profiles, np.full(600, 60), profiles.counts.sum(axis=0), 400, 1)
    fleet = pool(rng, 24, codes=1)
    found = weighed(fleet, placebos, np.random.default_rng(1))
    assert found.accounts == 24
    assert found.log_e > np.log(1000)
    usual = weighed(pool(rng, 24), placebos, np.random.default_rng(1))
    assert usual.log_e < np.log(20)


def test_groups_that_are_too_small_for_two_halves_have_no_evidence():
    rng = np.random.default_rng(6)
    profiles = pool(rng, 200)
    placebos = Placebos(profiles, np.full(200, 60), profiles.counts.sum(axis=0), 50, 1)
    assert weighed(pool(rng, 7), placebos, rng) is NOTHING
    assert weighed(pool(rng, 8), placebos, rng).accounts == 8
