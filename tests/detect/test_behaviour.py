"""Exchanges as numbered columns."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import ibis
import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.behaviour import COLUMNS, Excerpts, Sample, mode_of, read_behaviour, strand_rows
from stillwatch.detect.carriers import Marks
from stillwatch.detect.keyindex import KeyIndex
from stillwatch.model.columns import EXCHANGE_SCHEMA

START = datetime(2026, 10, 5, tzinfo=UTC)
FINGERPRINT = np.array([70, -20, 50], np.int64)


def table(rows):
    """Rows of group, account fingerprint, hour and whatever else is given."""
    fields = [pa.field("group", pa.int64()), *(EXCHANGE_SCHEMA.field(n) for n in COLUMNS if n != "slice")]
    columns = {f.name: pa.array([row.get(f.name) for row in rows], f.type) for f in fields}
    columns["slice"] = pa.array([row.get("slice", 0) for row in rows], pa.int8())
    return pa.table(columns)


def row(group, account, hour, **known):
    return {
        "group": group,
        "account_fp": account,
        "ts": START + timedelta(hours=hour),
        "source_ref": f"r{hour}",
        **known,
    }


ROWS = [
    row(1, 50, 3, model="b", client_fp=8, item_fp=-5, cell=7, turn=2, ip="x", elicitation=3, tools_fp=1),
    row(0, -20, 2, model="a", sampling_fp=4, slice=2),
    row(1, 70, 1, sampling_fp=4, client_fp=9, ip="y"),
    row(0, -20, 1, sampling_fp=6, ip="x"),
]


def test_rows_are_numbered_in_an_order_of_their_own():
    got = read_behaviour(table(ROWS), FINGERPRINT)
    again = read_behaviour(table(ROWS[::-1]), FINGERPRINT)
    assert got.group.tolist() == [0, 0, 1, 1]
    assert got.account.tolist() == [1, 1, 0, 2]
    assert got.slice.tolist() == [0, 2, 0, 0]
    assert np.array_equal(got.sampling, again.sampling)
    assert got.models == ("a", "b")
    assert np.array_equal(got.client, again.client)
    assert np.array_equal(got.address, again.address)
    assert got.model.tolist() == [-1, 0, -1, 1]
    assert (
        got.second.tolist() == again.second.tolist() == [START.timestamp() + 3600 * n for n in (1, 2, 1, 3)]
    )


def test_missing_values_are_marked_and_equal_values_have_one_code():
    got = read_behaviour(table(ROWS), FINGERPRINT)
    assert got.item.tolist() == [0, 0, 0, -5]
    assert got.cell.tolist() == [-1, -1, -1, 7]
    assert got.turn.tolist() == [-1, -1, -1, 2]
    assert got.elicitation.tolist() == [-1, -1, -1, 3]
    assert got.tools.tolist() == [0, 0, 0, 1]
    assert got.sampling.tolist() == [0, 1, 1, -1]
    assert got.address.tolist() == [0, -1, 1, 0]
    assert got.client.tolist() == [-1, -1, 0, 1]


def test_groups_are_cut_out_whole():
    rows = pa.concat_tables([table(ROWS[:3]), table(ROWS[3:])])
    excerpts = Excerpts.of(rows, KeyIndex.of(FINGERPRINT))
    assert excerpts.of_group(0).second.tolist() == [START.timestamp() + 3600 * n for n in (1, 2)]
    assert excerpts.of_group(1).account.tolist() == [0, 2]
    assert [excerpts.of_group(1).models[at] for at in excerpts.of_group(1).model if at >= 0] == ["b"]
    assert [excerpts.of_group(n).sampling.tolist() for n in (0, 1)] == [[0, 1], [0, -1]], "own codes"
    nobody = excerpts.of_group(7)
    assert nobody.account.size == 0
    assert nobody.item.tolist() == []
    whole = read_behaviour(table(ROWS), FINGERPRINT)
    assert whole.rows(whole.cell == 7).second.tolist() == [START.timestamp() + 3 * 3600]


def test_no_rows_are_no_trouble():
    got = read_behaviour(table([]), FINGERPRINT)
    assert got.account.size == 0
    assert got.models == ()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 3)), max_size=40))
def test_the_mode_is_the_most_frequent_known_code_and_the_smallest_of_several(sent):
    account, code = (np.array([row[n] for row in sent], np.int64) for n in (0, 1))
    accounts, best = mode_of(account, code)
    assert accounts.tolist() == sorted(set(account.tolist()))
    for one, mode in zip(accounts.tolist(), best.tolist(), strict=True):
        counts = Counter(c for a, c in sent if a == one and c >= 0)
        assert mode == (min(counts, key=lambda c: (-counts[c], c)) if counts else -1)


def test_only_sampled_accounts_of_the_right_group_are_read():
    exchanges = pa.table(
        {
            "account_fp": [1, 1, 2, 3],
            "ts": pa.array([START + timedelta(hours=n) for n in range(4)], pa.timestamp("us", tz="UTC")),
            "keys": pa.array([[10, 11], [12], [10, 12], [10]], pa.list_(pa.int64())),
            "system_fp": pa.array([None, 10, None, None], pa.int64()),
            "tools_fp": pa.array([None] * 4, pa.int64()),
        }
    )
    marks = Marks.of(*np.array([[10, 11, 12], [0, 0, 1], [1, 2, 1]]), 2)
    sampled = Sample(*np.array([[1, 2, 9], [0, 1, 0]]))
    rows = strand_rows(ibis.memtable(exchanges), marks, sampled, ("account_fp", "ts")).to_pylist()
    got = sorted((row["group"], row["account_fp"], row["ts"].hour) for row in rows)
    assert got == [(0, 1, 0), (0, 1, 1), (1, 2, 2)]


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=30), st.randoms())
def test_rows_of_one_moment_stand_in_the_order_of_their_prompts(sent, random):
    sent = [
        row(group, int(FINGERPRINT[account]), 1, item_fp=item) for group, account, item in sent if account < 3
    ]
    got = read_behaviour(table(random.sample(sent, len(sent))), FINGERPRINT)
    order = list(zip(got.group.tolist(), got.account.tolist(), got.item.tolist(), strict=True))
    assert order == sorted(order)
