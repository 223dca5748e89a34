"""Strands against plain loops."""

from collections import defaultdict

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.detect.strands import carrying, split_strands, strand_counts

DAY = 86_400_000_000
NUMBERS = ("discovery", "confirm_a", "confirm_b", "first", "last", "input_tokens", "output_tokens", "bits")
ROW = st.tuples(*[st.integers(0, 5)] * 3, *[st.integers(0, 10**6)] * 4, st.integers(1, 2**61))


@st.composite
def counted(draw):
    """Rows of `strand_counts`, one for each group, account and day, in any order."""
    places = draw(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 4)), max_size=40))
    return [(*place, *draw(ROW)) for place in draw(st.permutations(sorted(places)))]


def table_of(rows, fingerprint):
    names = ("group", "account_fp", "day", *NUMBERS)
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {name: [] for name in names}
    columns["account_fp"] = [int(fingerprint[a]) for a in columns["account_fp"]]
    return pa.table({name: pa.array(column, pa.int64()) for name, column in columns.items()})


@settings(deadline=None, max_examples=30)
@given(counted(), st.permutations(range(6)))
def test_strands_are_sums_over_the_days_of_an_account(rows, order):
    fingerprint = np.array(order, np.int64) * 1000 - 2500
    split = split_strands(table_of(rows, fingerprint), fingerprint, 5)
    assert len(split) == 5
    for group, strands in enumerate(split):
        mine = defaultdict(list)
        for row in rows:
            if row[0] == group:
                mine[row[1]].append(dict(zip(("day", *NUMBERS), row[2:], strict=True)))
        assert strands.account.tolist() == sorted(mine)
        for at, account in enumerate(strands.account.tolist()):
            days = mine[account]
            assert strands.hits[at].tolist() == [sum(day[name] for day in days) for name in NUMBERS[:3]]
            assert strands.first[at] == min(day["first"] for day in days)
            assert strands.last[at] == max(day["last"] for day in days)
            assert strands.tokens[at].tolist() == [sum(day[name] for day in days) for name in NUMBERS[5:7]]
            bits = 0
            for day in days:
                bits |= day["bits"]
            assert strands.variety[at] == bits.bit_count()
        assert strands.days[:, 2].sum() == strands.hits.sum()
        assert len({(a, d) for a, d, _ in strands.days.tolist()}) == len(strands.days)


@settings(deadline=None, max_examples=30)
@given(counted(), st.sets(st.integers(0, 5)))
def test_only_keeps_everything_of_the_accounts_that_stay(rows, kept):
    fingerprint = np.arange(6, dtype=np.int64)
    strands = split_strands(table_of(rows, fingerprint), fingerprint, 4)[0]
    chosen = strands.only(np.isin(strands.account, list(kept)))
    assert set(chosen.account.tolist()) == set(strands.account.tolist()) & kept
    assert set(chosen.days[:, 0].tolist()) == set(chosen.account.tolist())
    assert chosen.days[:, 2].sum() == chosen.hits.sum()


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
    member, group, bit = zip(*marks, strict=True)
    marked = pa.table({"member": member, "group": group, "bit": bit})
    return ibis.memtable(exchanges), ibis.memtable(marked)


@pytest.mark.parametrize("seed", range(3))
def test_strand_counts_are_those_of_a_loop_over_exchanges(seed):
    rows, marks = world(seed)
    expected = {}
    for row in rows:
        carried = {*(row["keys"] or []), row["system_fp"], row["tools_fp"]}
        for group in (0, 1):
            bits = 0
            for member, owner, bit in marks:
                if owner == group and member in carried:
                    bits |= bit
            if bits:
                place = (group, row["account_fp"], row["us"] // DAY)
                expected.setdefault(place, []).append((row, bits))
    exchanges, marked = engine_tables(rows, marks)
    got = {
        (row["group"], row["account_fp"], row["day"]): row
        for row in strand_counts(exchanges, marked).to_pyarrow().to_pylist()
    }
    assert got.keys() == expected.keys()
    for place, hits in expected.items():
        sent, bits = zip(*hits, strict=True)
        assert [got[place][name] for name in NUMBERS[:3]] == [
            sum(row["slice"] == n for row in sent) for n in range(3)
        ]
        assert got[place]["first"] == min(row["us"] for row in sent)
        assert got[place]["last"] == max(row["us"] for row in sent)
        assert (got[place]["output_tokens"] or 0) == sum(row["output_tokens"] or 0 for row in sent)
        assert got[place]["bits"] == np.bitwise_or.reduce(bits)


def test_an_exchange_counts_once_in_a_group_however_many_keys_it_carries():
    rows, marks = world(5)
    exchanges, marked = engine_tables(rows, marks)
    found = carrying(exchanges, marked, ("account_fp", "ts", "slice")).to_pyarrow().to_pylist()
    assert len({(row["group"], row["account_fp"], row["ts"]) for row in found}) == len(found)


def test_a_group_that_nobody_carries_is_empty():
    empty = split_strands(table_of([], np.arange(3)), np.arange(3, dtype=np.int64), 2)
    assert [strands.account.size for strands in empty] == [0, 0]
    assert empty[0].hits.shape == (0, 3)
    assert empty[0].tokens.shape == (0, 2)
    assert empty[0].days.shape == (0, 3)
