"""Crowds: who is named stands in the crowd's hours and goes about his work as it does; nobody else is."""

import numpy as np
import pytest

from stillwatch.detect.cohorts import sign_up_cohorts
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.crowd import (
    Crowds,
    Ways,
    find_crowds,
    linked,
    named,
    thinned,
    unrelated,
    with_unknown,
)
from stillwatch.detect.crowd_exits import Exits

STRANGERS, CREW = 1500, 90
SPREAD = 0.2


def scene(rng, *, alike=0.0, kinds=1):
    """Strangers born over a year, and a crew born in three bursts; `alike` strangers have the crew's habits."""
    born = np.concatenate(
        [rng.uniform(0, 365, STRANGERS), *(day + rng.uniform(0, 0.25, CREW // 3) for day in (200, 204, 209))]
    )
    shown = rng.normal(0.0, 2.0, (born.size, 3))
    crew = np.arange(STRANGERS, born.size)
    mimics = np.flatnonzero(rng.random(STRANGERS) < alike)
    like_crew = np.concatenate([crew, mimics])
    shown[like_crew] = rng.normal(4.0, SPREAD, (like_crew.size, 3))
    shown[crew[::2], 0] += 6.0 * (kinds - 1)
    order = rng.permutation(born.size)
    place = np.argsort(order)
    born, shown = born[order], shown[order]
    crowds = Crowds(np.arange(born.size), born, sign_up_cohorts(born, 1e-6, 8))
    table = rng.poisson(1.0, (born.size, 48)).astype(float)
    same = np.zeros(born.size, int)
    return crowds, Ways(shown, table, (same, same)), place[crew]


NOWHERE = Exits(np.empty(0, int), np.empty(0, int), np.empty(0))


def all_named(crowds, ways, exits=NOWHERE):
    sure = np.ones(len(crowds.cohorts), bool)
    found = [named(crowds, numbers, ways, exits, DetectConfig()) for numbers in linked(crowds, sure, ways)]
    return found, np.unique(np.concatenate([one.rows for one in found]))


def test_a_crew_is_one_crowd_and_named_almost_whole():
    crowds, ways, crew = scene(np.random.default_rng(1))
    found, rows = all_named(crowds, ways)
    assert len(found) == 1
    assert found[0].batches == 3
    assert np.isin(crew, rows).mean() > 0.9
    assert np.isin(rows, crew).all()
    assert found[0].strangers <= 0.03
    assert (found[0].p_value <= 0.03 / crowds.account.size).all()


def test_a_crew_of_two_kinds_is_named_as_well():
    crowds, ways, crew = scene(np.random.default_rng(2), kinds=2)
    rows = all_named(crowds, ways)[1]
    assert np.isin(crew, rows).mean() > 0.85
    assert np.isin(rows, crew).all()


def test_no_crowd_is_named_whose_habits_are_common():
    crowds, ways, _ = scene(np.random.default_rng(3), alike=0.3)
    assert all_named(crowds, ways)[1].size < 8


def test_over_many_worlds_hardly_a_stranger_is_named():
    """The level is 0.03 a crowd; strangers with the crew's habits are many enough to be tempting."""
    wrong = 0
    for seed in range(40):
        crowds, ways, crew = scene(np.random.default_rng([7, seed]), alike=0.004)
        wrong += (~np.isin(all_named(crowds, ways)[1], crew)).sum()
    assert wrong <= 5


def test_cohorts_with_other_habits_are_not_joined():
    crowds, ways, crew = scene(np.random.default_rng(4))
    late = crew[crowds.born[crew] > 208.0]
    ways.shown[late] += 9.0
    groups = linked(crowds, np.ones(3, bool), ways)
    assert sorted(map(len, groups)) == [1, 2]
    assert [one.tolist() for one in linked(crowds, np.array([True, False, False]), ways)] == [[0, 1]]


def test_thinning_keeps_the_cohorts_and_weighs_the_others():
    crowds = scene(np.random.default_rng(5))[0]
    few = thinned(crowds, 300)
    members = [crowds.account[one.members] for one in crowds.cohorts]
    assert [few.account[one.members].tolist() for one in few.cohorts] == [one.tolist() for one in members]
    others = crowds.account.size - sum(one.size for one in members)
    assert few.weight == pytest.approx(others / 300)
    assert few.account.size == 300 + crowds.account.size - others
    assert thinned(crowds, 10**6).weight == 1.0


def test_with_fewer_strangers_read_no_more_is_claimed():
    wrong = 0
    for seed in range(20):
        crowds, ways, crew = scene(np.random.default_rng([8, seed]), alike=0.004)
        few = thinned(crowds, 700)
        kept = np.isin(crowds.account, few.account)
        same = np.zeros(few.account.size, int)
        less = Ways(ways.shown[kept], np.ones((few.account.size, 24)), (same, same))
        wrong += (~np.isin(few.account[all_named(few, less)[1]], crew)).sum()
    assert wrong <= 4


def test_declared_relations_explain_a_common_sign_up(made):
    book = made.book(
        [[30, 5, 5]] * 6,
        org_id=[-1, 0, 0, 1, -1, -1],
        programme=[False, False, False, False, True, False],
        reseller=[False, False, False, False, False, True],
    )
    assert unrelated(book).tolist() == [True, False, False, True, False, False]


def test_only_accounts_with_habits_and_a_birth_are_searched(made):
    created = np.full(40, 100.0) + np.linspace(0.0, 0.2, 40)
    created[0] = np.nan
    totals = np.full((40, 3), 20)
    totals[1] = 1
    crowds = find_crowds(made.book(totals, created=created), DetectConfig())
    assert crowds.account.tolist() == list(range(2, 40))
    assert [one.tolist() for one in crowds.members()] in ([], [list(range(2, 40))])


def exits_of(crowds, crew, rng, *, visitors=0):
    """The crew in tens behind exits, others in threes behind one address; some honest people visit exits."""
    address = np.empty(crowds.account.size, int)
    others = rng.permutation(np.setdiff1d(np.arange(address.size), crew))
    address[others] = 1_000 + np.arange(others.size) // 3
    address[crew] = rng.permutation(crew.size) // 10
    address[others[:visitors]] = rng.integers(0, crew.size // 10, visitors)
    return Exits(crowds.account, address, crowds.born)


def test_a_crew_with_exits_is_named_though_its_habits_are_common():
    rng = np.random.default_rng(9)
    crowds, ways, crew = scene(rng, alike=0.3)
    found, rows = all_named(crowds, ways, exits_of(crowds, crew, rng))
    assert np.isin(crew, rows).mean() > 0.9
    assert np.isin(rows, crew).all()
    assert found[0].at_exits > 0.9
    assert found[0].strangers <= 0.03
    assert (found[0].p_value <= 0.03 / crowds.account.size).all()


def test_beside_exits_too_hardly_a_stranger_is_named():
    """Honest people visit the exits, and some of them work as the crew does: the level is 0.03 a crowd."""
    wrong = 0
    for seed in range(40):
        rng = np.random.default_rng([10, seed])
        crowds, ways, crew = scene(rng, alike=0.004)
        exits = exits_of(crowds, crew, rng, visitors=10)
        wrong += (~np.isin(all_named(crowds, ways, exits)[1], crew)).sum()
    assert wrong <= 5


def test_addresses_of_strangers_name_nobody():
    rng = np.random.default_rng(11)
    crowds, ways, crew = scene(rng, alike=0.3)
    exits = exits_of(crowds, crew, rng)
    exits = Exits(exits.account, rng.permutation(exits.address), exits.born)
    found, rows = all_named(crowds, ways, exits)
    assert rows.size < 8
    assert all(one.at_exits == 0.0 for one in found)


def test_accounts_of_unknown_birth_are_named_at_exits_only():
    rng = np.random.default_rng(12)
    crowds, ways, crew = scene(rng)
    exits = exits_of(crowds, crew, rng)
    lost = np.sort(crew[:6])
    born = crowds.born.copy()
    born[lost] = np.nan
    known = np.isfinite(born)
    fewer = Crowds(crowds.account[known], born[known], sign_up_cohorts(born[known], 1e-6, 8))
    again = with_unknown(fewer, crowds.account[lost])
    assert again.account.tolist() == crowds.account.tolist()
    assert np.isnan(again.born[lost]).all()
    assert [again.account[one.members].tolist() for one in again.cohorts] == [
        one.tolist() for one in fewer.members()
    ]
    assert not np.isin(lost, all_named(again, ways)[1]).any()
    rows = all_named(again, ways, Exits(exits.account, exits.address, born))[1]
    assert np.isin(lost, rows).mean() > 0.6
    assert np.isin(rows, crew).all()
