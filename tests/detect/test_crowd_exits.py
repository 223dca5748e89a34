"""Exits of a crowd: its addresses are told by when their accounts were opened, and strangers are counted."""

import numpy as np

from stillwatch.detect.config import DetectConfig
from stillwatch.detect.crowd_exits import Exits, at_rings, candidates, rings_of
from stillwatch.detect.hours import within

CONFIG = DetectConfig()
HOURS = [(200.0, 200.25), (204.0, 204.25), (209.0, 209.25)]


def rings(exits, hours=HOURS, seed=1):
    return rings_of(exits, hours, CONFIG, np.random.default_rng(seed))


def log(rng, *groups):
    """Strangers, two behind one address, and groups of (births, number of addresses they are dealt to)."""
    born, address, number = [rng.uniform(180, 240, 3_000)], [np.arange(3_000) // 2], 1_500
    for births, places in groups:
        born.append(np.asarray(births, float))
        address.append(number + rng.permutation(born[-1].size) % places)
        number += places
    born = np.concatenate(born)
    return Exits(np.arange(born.size), np.concatenate(address), born), np.arange(3_000, born.size)


def crew(rng, size=120, hours=HOURS):
    low, high = np.array(hours)[rng.integers(0, len(hours), size)].T
    return rng.uniform(low, high)


def test_accounts_that_share_an_exit_and_not_an_hour_are_found():
    rng = np.random.default_rng(1)
    exits, mine = log(rng, (crew(rng), 12))
    found = rings(exits)
    assert found.inside.tolist() == mine.tolist()
    assert found.unknown.size == 0
    assert found.strangers < 0.2
    assert found.hours == HOURS


def test_a_class_a_carrier_and_a_household_are_none():
    rng = np.random.default_rng(2)
    class_, carrier = rng.uniform(204.0, 204.1, 60), rng.uniform(150, 240, 400)
    exits, mine = log(rng, (class_, 1), (carrier, 1), ([200.1, 209.1], 1))
    assert not np.isin(rings(exits).inside, mine).any()


def test_a_burst_that_only_the_exits_show_is_found_along_them():
    rng = np.random.default_rng(3)
    exits, mine = log(rng, (crew(rng), 12))
    found = rings(exits, HOURS[:2])
    assert len(found.hours) == 3
    assert np.isin(mine, found.inside).mean() > 0.95
    assert np.isin(found.inside, mine).all()


def test_windows_grow_to_where_the_bursts_of_the_exits_end():
    rng = np.random.default_rng(4)
    exits, mine = log(rng, (crew(rng), 12))
    short = [(low + 0.02, high - 0.02) for low, high in HOURS]
    assert rings(exits, short).inside.tolist() == mine.tolist()


def test_accounts_of_unknown_birth_at_exits_are_told_apart():
    rng = np.random.default_rng(5)
    exits, mine = log(rng, (crew(rng), 12))
    born = exits.born.copy()
    born[mine[:5]] = np.nan
    exits = Exits(exits.account, exits.address, born)
    found = rings(exits)
    assert found.unknown.tolist() == mine[:5].tolist() == candidates(exits, HOURS).tolist()
    assert found.inside.tolist() == mine[5:].tolist()


def test_the_same_seed_says_the_same():
    rng = np.random.default_rng(6)
    exits, _ = log(rng, (crew(rng), 12))
    assert rings(exits).strangers == rings(exits).strangers


def test_no_more_strangers_stand_at_exits_than_are_expected():
    """Visitors of the exits, of any age and some of unknown age, and offices that fill over days."""
    met, expected = 0, 0.0
    for seed in range(60):
        rng = np.random.default_rng([7, seed])
        start = rng.uniform(190, 225, 40)[:, None]
        offices = (start + rng.uniform(0, 2.0, (40, 4))).ravel()
        exits, new = log(rng, (crew(rng), 12), (rng.uniform(180, 240, 60), 12), (offices, 40))
        address, born = exits.address.copy(), exits.born.copy()
        mine, visitors, office = np.split(new, [120, 180])
        address[visitors] -= 12  # they come from the exits of the crew
        address[office] = address[office[0]] + 1 + np.arange(office.size) // 4
        born[rng.random(born.size) < 0.03] = np.nan
        found = rings(Exits(exits.account, address, born), seed=seed)
        met += (~np.isin(np.concatenate([found.inside, found.unknown]), mine)).sum()
        expected += found.strangers
    assert met > 0
    assert met <= 1.15 * expected


def test_nothing_is_found_where_no_address_is_known():
    nobody = Exits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    assert rings(nobody).inside.size == 0
    assert at_rings(nobody, HOURS).size == 0
    assert not within(np.array([np.nan]), HOURS).any()
