from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.worlds.conversations import GAPS, RHYTHM, human, machine, traffic_table, turns
from stillwatch.worlds.sources import Client
from stillwatch.worlds.stage import DAY, HOUR

START = 1_791_158_400_000_000


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=20), st.integers(0, 2**32))
def test_turns_follow_their_opener_in_time(lengths, seed):
    account = np.arange(len(lengths))
    rows = turns(account, START + account * HOUR, np.array(lengths), GAPS, rng(seed))
    assert len(rows) == sum(lengths)
    assert (rows.opener + rows.turn == np.arange(len(rows))).all()
    later = rows.turn > 0
    assert (rows.account[later] == rows.account[rows.opener[later]]).all()
    assert (rows.ts[later] >= rows.ts[rows.opener[later]]).all()


@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(-8, 9))
def test_people_ask_while_their_account_exists(seed, days, zone):
    active = np.array([START]), np.array([START + days * DAY])
    at = human(active, np.array([zone]), np.zeros(40, dtype=np.int64), rng(seed))
    assert (at >= active[0]).all()
    assert (at < active[1]).all()


def test_people_sleep_by_their_own_clock():
    active = np.array([START]), np.array([START + 12 * DAY])
    at = human(active, np.array([-8]), np.zeros(20_000, dtype=np.int64), rng())
    hour = (at // HOUR - 8) % 24
    counts = np.bincount(hour, minlength=24)
    assert counts[RHYTHM.index(max(RHYTHM))] > 4 * counts[RHYTHM.index(min(RHYTHM))]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(0, 2**32))
def test_programs_ask_while_their_account_exists(counts, seed):
    number = len(counts)
    active = np.full(number, START), np.full(number, START + 5 * DAY)
    account, at = machine(active, np.array(counts), rng(seed))
    assert np.bincount(account, minlength=number).tolist() == counts
    assert (at >= START).all()
    assert (at < START + 5 * DAY).all()


def test_real_clients_lend_their_windows():
    client = Client("p", "1", np.array([0.0, 6000.0]), np.array([0.0, 5.0]), np.array([1.0, 1.0]))
    active = np.array([START]), np.array([START + DAY])
    _, at = machine(active, np.array([50]), rng(), (client,))
    assert (at >= START + (DAY - 1000) * 10 // 11 - 2).all()


def test_the_shipped_table_rises():
    for name, table in traffic_table().items():
        assert len(table) == 11, name
        assert table == sorted(table), name


@pytest.mark.parametrize("name", ["burstiness", "active_share", "night_share", "input_tokens"])
def test_the_shipped_table_has_what_is_used(name):
    assert name in traffic_table()
