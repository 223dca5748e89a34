"""The ledger and the search for shared keys against loops over exchanges."""

from collections import Counter, defaultdict
from datetime import UTC, datetime

import ibis
import numpy as np
import pyarrow as pa
import pytest
from small_world import write_store

from stillwatch.detect import ledger
from stillwatch.detect.discovery import Classes
from stillwatch.detect.rarekeys import sampled, screen_fraction, shared_keys
from stillwatch.detect.tables import Span
from stillwatch.store import open_store

COLUMNS = ("system_fp", "client_fp")


def exchanges(seed=1, rows=400, accounts=30):
    rng = np.random.default_rng(seed)
    fingerprints = rng.integers(-(2**62), 2**62, accounts)
    keys = [rng.choice(60, rng.integers(0, 4), replace=False).tolist() or None for _ in range(rows)]
    return pa.table(
        {
            "account_fp": fingerprints[rng.integers(0, accounts, rows)],
            "keys": pa.array(keys, pa.list_(pa.int64())),
            "item_fp": pa.array(
                [None if n % 9 == 0 else int(v) for n, v in enumerate(rng.integers(1, 2**62, rows))]
            ),
            **{
                name: pa.array(
                    [int(v) if v < 110 else None for v in rng.integers(100, 115, rows)], pa.int64()
                )
                for name in COLUMNS
            },
        }
    )


def test_shared_keys_are_those_of_two_accounts_or_more():
    table = exchanges()
    users, uses = defaultdict(set), Counter()
    for row in table.to_pylist():
        for key in row["keys"] or []:
            users[key].add(row["account_fp"])
            uses[key] += 1
    got = {row["key"]: row["uses"] for row in shared_keys(ibis.memtable(table)).to_pyarrow().to_pylist()}
    assert got == {key: uses[key] for key in users if len(users[key]) >= 2}


def used(table, classes):
    """Uses of each key by each account, with class keys in place of their members."""
    counts = Counter()
    for row in table.to_pylist():
        keys = [classes[key] for key in row["keys"] or [] if key in classes]
        for key in [*keys, *(row[name] for name in COLUMNS if row[name] is not None)]:
            counts[key, row["account_fp"]] += 1
    return counts


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The exchanges in a store, since only the store's own backend can cache."""
    table = exchanges()
    count = table.num_rows
    known = {
        "exchange_id": pa.array([f"x{n}" for n in range(count)]),
        "account_id": table["account_fp"].cast(pa.string()),
        "ts": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * count, pa.timestamp("us", tz="UTC")),
        "source": pa.repeat("s", count),
        "source_ref": pa.array([f"s:{n}" for n in range(count)]),
        "schema_version": pa.repeat(pa.scalar(1, pa.int16()), count),
    }
    whole = pa.table(known | {name: table[name] for name in table.column_names})
    with open_store(
        write_store(tmp_path_factory.mktemp("ledger") / "store", whole), memory_limit=1 << 30
    ) as reader:
        yield table, reader.exchanges()


@pytest.mark.parametrize("bottom_b", [3, 500])
def test_the_ledger_is_what_a_loop_counts(stored, bottom_b):
    table, rows = stored
    classes = {key: 7 if key in (7, 8) else key for key in range(0, 60, 2)} | {8: 7}
    marks = ibis.memtable(pa.table({"member": list(classes), "key": list(classes.values())}))
    keys, sample = ledger.read_ledger(ledger.all_uses(rows, marks, COLUMNS), 3, bottom_b)
    by_key = defaultdict(dict)
    for (key, account), uses in used(table, classes).items():
        # both columns hold the same numbers here, and each counts apart
        by_key[key][account] = uses
    system = Counter((row["system_fp"], row["account_fp"]) for row in table.to_pylist())
    client = Counter((row["client_fp"], row["account_fp"]) for row in table.to_pylist())
    for at, key in enumerate(keys.key.tolist()):
        if key < 100:
            mine = by_key[key]
            assert keys.accounts[at] == len(mine) >= 3
            assert keys.repeaters[at] == sum(uses >= 2 for uses in mine.values())
            assert keys.uses[at] == sum(mine.values())
        else:
            assert keys.uses[at] == sum(
                n for c in (system, client) for (value, _), n in c.items() if value == key
            )
    assert {key for key in by_key if key < 100 and len(by_key[key]) >= 3} == {
        k for k in keys.key.tolist() if k < 100
    }
    kept = defaultdict(set)
    for row in sample.to_pylist():
        kept[row["key"]].add(row["account_fp"])
    for key in (key for key in kept if key < 100):
        assert kept[key] <= set(by_key[key])
        if len(by_key[key]) <= 2 * bottom_b:
            assert kept[key] == set(by_key[key])
        order = {a: int(ledger.sampling_order(np.array([a]))[0]) for a in by_key[key]}
        dropped = set(by_key[key]) - kept[key]
        assert max((order[a] for a in kept[key]), default=0) <= min(
            (order[a] for a in dropped), default=2**33
        )


def test_the_incidence_is_sorted_and_numbered_by_the_sampling_order():
    accounts = np.array([50, -7, 900], np.int64)
    keys = ledger.Keys(np.array([-5, 3, 8]), np.ones(3, int), np.ones(3, int), np.ones(3, int))
    found = ledger.incidence(
        keys, accounts, pa.table({"key": [8, -5, 8, -5], "account_fp": [900, -7, 50, 50]})
    )
    assert found.key.tolist() == [0, 0, 2, 2]
    assert found.account.tolist() == [0, 1, 0, 2]
    assert (found.keys, found.accounts) == (3, 3)
    assert found.bounds.tolist() == [0, 2, 2, 4]


@pytest.mark.parametrize("fraction", [0.05, 0.3, 0.9])
def test_a_sample_is_about_the_share_and_grows_with_it(fraction):
    table = exchanges(rows=6000, accounts=600)
    kept = sampled(ibis.memtable(table), fraction).to_pyarrow()
    assert kept.num_rows / 6000 == pytest.approx(fraction, abs=0.05)
    more = sampled(ibis.memtable(table), min(1.0, fraction + 0.1)).to_pyarrow()
    assert set(map(str, kept.to_pylist())) <= set(map(str, more.to_pylist()))


def test_a_sample_is_never_empty_by_rounding_and_whole_without_a_bound():
    table = ibis.memtable(pa.table({"account_fp": [0, 0, 0], "item_fp": [255, 256, 65_535 << 8]}))
    assert sampled(table, 1e-9).to_pyarrow()["item_fp"].to_pylist() == [255]
    assert sampled(table, 1.0) is table
    span = Span(10, None, None, 4000, 300)
    assert screen_fraction(span, 1000) == 0.25
    assert screen_fraction(span, 4000) == screen_fraction(span, 10**9) == 1.0


def test_classes_expand_to_their_members():
    classes = Classes(np.array([1, 2, 3, 9, 12]), np.array([1, 1, 3, 1, 12]))
    raw, owner = classes.members_of(np.array([12, 1, 777]))
    got = sorted(zip(raw.tolist(), owner.tolist(), strict=True))
    assert got == [(1, 1), (2, 1), (9, 1), (12, 0), (777, 2)]
    nothing = Classes(np.empty(0, np.int64), np.empty(0, np.int64)).members_of(np.array([5]))
    assert [part.tolist() for part in nothing] == [[5], [0]]
