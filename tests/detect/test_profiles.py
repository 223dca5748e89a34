"""Statistics of many groups at once against loops over pairs."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.profiles import (
    COVARIANCE,
    MATCHES,
    STATISTICS,
    Frame,
    Profiles,
    _match_fractions,
    make_profiles,
    newest_model,
    statistics_of,
)
from stillwatch.stats.dispersion import deseasonalised

DAY = 86_400.0


@given(st.lists(st.integers(-1, 4), min_size=2, max_size=20), st.data())
def test_a_match_is_the_fraction_of_pairs_with_the_same_known_code(codes, data):
    size = data.draw(st.integers(2, len(codes)))
    groups = data.draw(st.lists(st.permutations(range(len(codes))), min_size=1, max_size=4))
    table = np.array([group[:size] for group in groups], np.int64)
    got = _match_fractions(np.array(codes, np.int64), table)
    for group, fraction in zip(table.tolist(), got.tolist(), strict=True):
        pairs = list(combinations(group, 2))
        same = sum(codes[a] == codes[b] >= 0 for a, b in pairs)
        assert fraction == pytest.approx(same / len(pairs))


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_statistics_do_not_depend_on_who_stands_first(seed, size):
    rng = np.random.default_rng(seed)
    codes = {name: rng.integers(-1, 3, 12) for name in MATCHES}
    profiles = Profiles(np.arange(12), codes, rng.poisson(2.0, (12, 9)).astype(float))
    group = rng.permutation(12)[:size]
    both = np.stack([group, rng.permutation(group)])
    values = statistics_of(
        profiles, both, deseasonalised(profiles.counts, profiles.counts.sum(axis=0) + 1e-9)
    )
    assert values.shape == (2, len(STATISTICS))
    assert values[0] == pytest.approx(values[1])


def test_the_columns_are_in_the_order_of_the_names():
    names = list(STATISTICS)
    for at, name in enumerate(MATCHES, 1):
        codes = {other: np.full(4, -1) for other in MATCHES} | {name: np.zeros(4, np.int64)}
        values = statistics_of(
            Profiles(np.arange(4), codes, np.ones((4, 5))), np.arange(4)[None, :], np.zeros((4, 5))
        )[0]
        assert values[at] == 1.0
        assert names[at] == name
        assert np.delete(values, at) == pytest.approx(0.0)
    assert names[0] == COVARIANCE


def test_a_shared_queue_varies_together_and_a_load_balancer_takes_turns():
    rng = np.random.default_rng(2)
    shift = rng.integers(0, 2, 40) * 6.0
    queue = rng.poisson(shift, (10, 40))
    turns = np.zeros((10, 40))
    turns[np.arange(40) % 10, np.arange(40)] = 6
    alone = rng.poisson(3.0, (10, 40))
    nothing = {name: np.full(30, -1) for name in MATCHES}
    profiles = Profiles(np.arange(30), nothing, np.concatenate([queue, turns, alone]).astype(float))
    values = statistics_of(profiles, np.arange(30).reshape(3, 10), deseasonalised(profiles.counts))[:, 0]
    assert values[0] > 1.0
    assert values[1] < -1.0
    assert abs(values[2]) < 0.7


def frame(blocks, newest=None):
    return Frame(np.asarray(blocks), 3600, newest)


def test_profiles_hold_each_account_once_with_its_usual_settings(made):
    rows = made.behaviour(
        [3, 3, 3, 5, 5],
        sampling=[1, 2, 2, -1, -1],
        client=[0, 0, 1, 4, -1],
        address=[-1, 7, 7, 7, 8],
        second=[0.0, 7200.0, 7300.0, 3600.0, 7200.0],
        slice=[0, 1, 2, 1, 0],
    )
    known = {"payment_fp": np.arange(6), "device_fp": np.full(6, -1), "email_domain": np.zeros(6)}
    created = np.array([np.nan, 1, 2, 100.7, 5, np.nan])
    got = make_profiles(rows, made.book(np.ones((6, 3)), created=created, **known), frame([1, 2]))
    assert got.account.tolist() == [3, 5]
    assert {name: codes.tolist() for name, codes in got.codes.items()} == {
        "sampling_uniformity": [2, -1],
        "client_uniformity": [0, 4],
        "address_sharing": [7, 7],
        "payment_sharing": [3, 5],
        "device_sharing": [-1, -1],
        "email_domain_sharing": [0, 0],
        "births": [100, -1],
        "pivot": [-1, -1],
    }
    assert got.counts.tolist() == [[0.0, 2.0], [1.0, 0.0]], "the discovery slice is not counted"


def test_the_pivot_is_the_day_of_the_first_exchange_with_the_newest_model(made):
    rows = made.behaviour(
        [0, 0, 1, 1, 2],
        model=[0, 1, 1, 1, 0],
        models=("old", "new"),
        second=[0.0, 3.5 * DAY, 3.1 * DAY, 9 * DAY, 5 * DAY],
    )
    assert newest_model(rows) == "new"
    got = make_profiles(rows, made.book(np.ones((3, 3))), frame([1], "new"))
    assert got.codes["pivot"].tolist() == [3, 3, -1]
    assert (
        make_profiles(rows, made.book(np.ones((3, 3))), frame([1], "never sent")).codes["pivot"].tolist()
        == [-1] * 3
    )


def test_a_model_that_was_there_from_the_start_is_not_new(made):
    rows = made.behaviour([0, 0], model=[0, 1], models=("a", "b"), second=[0.0, DAY - 1])
    assert newest_model(rows) is None
    assert newest_model(made.behaviour([0])) is None
    assert newest_model(made.behaviour([])) is None
