"""Strands against plain loops."""

import functools
import operator
from collections import Counter, defaultdict
from itertools import pairwise

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.carriers import Marks
from stillwatch.detect.keyindex import KeyIndex
from stillwatch.detect.strands import HITS, HitReader, marked_exchanges, split_strands

DAY = 86_400_000_000
ROW = st.tuples(
    *[st.integers(0, 3), st.integers(0, 5), st.integers(-2 * DAY, 3 * DAY), st.integers(0, 2)],
    *[st.integers(0, 10**6)] * 2,
    st.integers(1, 2**61),
)
CARRIED = st.lists(ROW, max_size=40)


def table_of(rows, cuts=()):
    """Hits in chunks that end at `cuts`, each in any order: an engine may join batches."""
    edges = [0, *sorted(cuts), len(rows)]
    chunks = [rows[low:high] for low, high in pairwise(edges)]
    batches = [
        pa.record_batch(dict(zip(HITS.names, zip(*chunk, strict=True), strict=True)), schema=HITS)
        for chunk in chunks
        if chunk
    ]
    return pa.Table.from_batches(batches, HITS)


@given(CARRIED, st.sets(st.integers(1, 39), max_size=3))
def test_strands_are_sums_over_the_exchanges_of_an_account(rows, cuts):
    split = split_strands(table_of(rows, cuts), 5)
    assert len(split) == 5
    for group, strands in enumerate(split):
        mine = defaultdict(list)
        for row in rows:
            if row[0] == group:
                mine[row[1]].append(row)
        assert strands.account.tolist() == sorted(mine)
        daily = Counter((account, row[2] // DAY) for account, sent in mine.items() for row in sent)
        assert [tuple(day) for day in strands.days.tolist()] == [(*k, n) for k, n in sorted(daily.items())]
        for at, account in enumerate(strands.account.tolist()):
            _, _, us, slices, sent, taken, bits = zip(*mine[account], strict=True)
            assert strands.hits[at].tolist() == [slices.count(number) for number in range(3)]
            assert (strands.first[at], strands.last[at]) == (min(us), max(us))
            assert strands.tokens[at].tolist() == [sum(sent), sum(taken)]
            assert strands.bits[at] == functools.reduce(operator.or_, bits)
            lone = [mask for mask in bits if mask.bit_count() == 1]
            assert strands.alone[at] == functools.reduce(operator.or_, lone, 0)
            assert strands.variety[at] == int(strands.bits[at]).bit_count()


@given(CARRIED, st.sets(st.integers(0, 5)))
def test_only_keeps_everything_of_the_accounts_that_stay(rows, kept):
    strands = split_strands(table_of(rows), 4)[0]
    chosen = strands.only(np.isin(strands.account, list(kept)))
    assert set(chosen.account.tolist()) == set(strands.account.tolist()) & kept
    assert set(chosen.days[:, 0].tolist()) == set(chosen.account.tolist())
    assert chosen.days[:, 2].sum() == chosen.hits.sum()
    assert chosen.alone.tolist() == strands.alone[np.isin(strands.account, list(kept))].tolist()


def world(seed):
    """Exchanges with keys, system prompts and tools of forty values, and two groups of marks."""
    rng = np.random.default_rng(seed)
    rows = []
    for at in range(300):
        keys = rng.choice(20, rng.integers(0, 5), replace=False).tolist()
        system, tools = (int(rng.integers(low, low + 10)) if rng.random() < 0.5 else None for low in (20, 30))
        second = int(rng.integers(0, 3 * 86_400))
        row = {
            "account_fp": int(rng.integers(0, 6)),
            "us": second * 1_000_000 + at,
            "slice": int(rng.integers(0, 3)),
            "input_tokens": int(rng.integers(0, 99)),
            "output_tokens": None if at % 7 == 0 else int(rng.integers(0, 99)),
            "keys": keys or None,
            "system_fp": system,
            "tools_fp": tools,
        }
        rows.append(row)
    marks = [(key, 0, 1 << (key % 3)) for key in (1, 2, 3, 22)] + [(key, 1, 1 << 61) for key in (3, 31, 99)]
    return rows, marks


def engine_tables(rows, marks):
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    exchanges = pa.table(
        {
            "account_fp": pa.array(columns["account_fp"], pa.int64()),
            "ts": pa.array(columns["us"], pa.int64()).cast(pa.timestamp("us", tz="UTC")),
            "slice": pa.array(columns["slice"], pa.int8()),
            "keys": pa.array(columns["keys"], pa.list_(pa.int64())),
            **{
                name: pa.array(columns[name], pa.int64())
                for name in ("input_tokens", "output_tokens", "system_fp", "tools_fp")
            },
        }
    )
    return ibis.memtable(exchanges), Marks.of(*np.array(marks, np.int64).T, 2)


@pytest.mark.parametrize("seed", range(3))
def test_strand_hits_are_those_of_a_loop_over_exchanges(seed):
    rows, marks = world(seed)
    expected = []
    for row in rows:
        carried = {*(row["keys"] or []), row["system_fp"], row["tools_fp"]}
        for group in (0, 1):
            bits = 0
            for member, owner, bit in marks:
                if owner == group and member in carried:
                    bits |= bit
            if bits:
                sent = [
                    row["account_fp"],
                    row["us"],
                    row["slice"],
                    row["input_tokens"],
                    row["output_tokens"] or 0,
                ]
                expected.append((group, *sent, bits))
    exchanges, looked_for = engine_tables(rows, marks)
    got = HitReader(exchanges, KeyIndex.of(np.arange(6))).hits(looked_for)
    assert got.schema == HITS
    assert sorted(zip(*(column.to_pylist() for column in got.columns), strict=True)) == sorted(expected)


def as_rows(table):
    return sorted(zip(*(column.to_pylist() for column in table.columns), strict=True))


def test_keys_that_were_asked_for_before_are_not_read_again():
    rows, marks = world(7)
    exchanges, first = engine_tables(rows, marks)
    fewer = engine_tables(rows, [marks[0], *marks[4:6]])[1]
    other = engine_tables(rows, [marks[0], (5, 1, 1)])[1]
    accounts = KeyIndex.of(np.arange(6))
    again = [as_rows(HitReader(exchanges, accounts).hits(one)) for one in (fewer, other)]
    reader = HitReader(exchanges, accounts)
    reader.hits(first)
    assert as_rows(reader.hits(other)) == again[1], "a key that is new is looked for in the store"
    reader._exchanges = None
    assert as_rows(reader.hits(fewer)) == again[0]
    assert as_rows(reader.hits(fewer)) == again[0]


def test_what_is_kept_of_exchanges_is_the_keys_that_were_asked_for():
    rows, marks = world(8)
    exchanges, looked_for = engine_tables(rows, marks)
    kept = marked_exchanges(exchanges, looked_for, KeyIndex.of(np.arange(6)))
    asked = {member for member, _, _ in marks}
    expected = [
        [key for key in row["keys"] or [] if key in asked]
        for row in rows
        if asked & {*(row["keys"] or []), row["system_fp"], row["tools_fp"]}
    ]
    assert sorted(kept["keys"].to_pylist()) == sorted(expected)


def test_a_group_that_nobody_carries_is_empty():
    empty = split_strands(table_of([]), 2)
    assert [strands.account.size for strands in empty] == [0, 0]
    assert empty[0].hits.shape == (0, 3)
    assert empty[0].tokens.shape == (0, 2)
    assert empty[0].days.shape == (0, 3)
