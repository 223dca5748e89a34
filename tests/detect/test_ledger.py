"""The ledger and the search for shared keys against loops over exchanges."""

from collections import Counter, defaultdict

import ibis
import numpy as np
import pyarrow as pa
import pytest

from stillwatch.detect import ledger
from stillwatch.detect.discovery import Classes, ledger_rounds
from stillwatch.detect.keyindex import KeyIndex
from stillwatch.detect.rarekeys import sampled, screen_fraction, shared_keys
from stillwatch.detect.tables import Span

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
            "language": pa.array([(None, "en", "de")[n % 3] for n in range(rows)]),
        }
    )


def index_of_accounts(table):
    """Account fingerprints in the order by which bottom-B sampling chooses."""
    fingerprint = np.unique(table["account_fp"].to_numpy())
    return KeyIndex.of(fingerprint[np.argsort(ledger.sampling_order(fingerprint))])


def test_shared_keys_are_those_of_two_accounts_or_more():
    table = exchanges()
    users = defaultdict(set)
    for row in table.to_pylist():
        for key in row["keys"] or []:
            users[key].add(row["account_fp"])
    got, _ = shared_keys(ibis.memtable(table), index_of_accounts(table), 1.0)
    assert got.tolist() == sorted(key for key in users if len(users[key]) >= 2)


def test_nothing_shares_no_keys():
    nothing = exchanges().slice(0, 0)
    got, sample = shared_keys(ibis.memtable(nothing), index_of_accounts(exchanges()), 1.0)
    assert got.tolist() == []
    assert (sample.num_rows, sample.column_names) == (0, ["keys", "language"])


@pytest.mark.parametrize("share", [1e-9, 0.2, 1.0])
def test_with_the_shared_keys_comes_a_sample_of_their_exchanges(share):
    table = exchanges()
    _, sample = shared_keys(ibis.memtable(table), index_of_accounts(table), share)
    wanted = sampled(ibis.memtable(table), share).select("keys", "language").to_pyarrow()

    def rows(of):
        return sorted(str((row["keys"] or [], row["language"])) for row in of.to_pylist())

    assert rows(sample) == rows(wanted)


def used(table, classes):
    """Uses of each key by each account, with class keys in place of their members."""
    counts = Counter()
    for row in table.to_pylist():
        keys = [classes[key] for key in row["keys"] or [] if key in classes]
        for key in [*keys, *(row[name] for name in COLUMNS if row[name] is not None)]:
            counts[key, row["account_fp"]] += 1
    return counts


def counted(table, classes, least, bottom_b, rounds):
    members = np.array(sorted(classes), np.int64)
    wanted = ledger.Wanted(
        index_of_accounts(table),
        KeyIndex.of(members),
        np.array([classes[key] for key in members.tolist()], np.int64),
        COLUMNS,
    )
    return ledger.read_ledger(ibis.memtable(table), wanted, least, bottom_b, rounds)


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("bottom_b", [3, 500])
def test_the_ledger_is_what_a_loop_counts(bottom_b, rounds):
    table = exchanges()
    classes = {key: 7 if key in (7, 8) else key for key in range(0, 60, 2)} | {8: 7}
    by_key = defaultdict(dict)
    for (key, account), uses in used(table, classes).items():
        by_key[key][account] = uses
    number = {a: n for n, a in enumerate(index_of_accounts(table).keys.tolist())}
    found = counted(table, classes, 3, bottom_b, rounds)
    keys, incidence = ledger.joined([found], [np.ones(found.keys.key.size, np.bool_)], len(number))
    assert keys.key.tolist() == sorted(key for key, users in by_key.items() if len(users) >= 3)
    for at, key in enumerate(keys.key.tolist()):
        mine = by_key[key]
        assert keys.accounts[at] == len(mine)
        assert keys.repeaters[at] == sum(uses >= 2 for uses in mine.values())
        assert keys.uses[at] == sum(mine.values())
        kept = incidence.account[incidence.bounds[at] : incidence.bounds[at + 1]]
        assert kept.tolist() == sorted(number[account] for account in mine)[:bottom_b]


def test_a_log_without_exchanges_has_an_empty_ledger():
    table = exchanges()
    found = ledger.read_ledger(
        ibis.memtable(table.slice(0, 0)),
        ledger.Wanted(index_of_accounts(table), KeyIndex.of(np.arange(3)), np.arange(3), COLUMNS),
        3,
        48,
    )
    keys, incidence = ledger.joined([found], [np.ones(found.keys.key.size, np.bool_)], 30)
    assert keys.key.size == incidence.key.size == 0


def test_ledgers_are_joined_in_the_order_of_their_keys():
    one, nothing = np.ones(2, np.int64), np.zeros(1, np.int64)
    first = ledger.Ledger(
        ledger.Keys(np.array([8, -5]), 2 * one, one, 3 * one), one + 1, np.array([1, 2, 0, 1])
    )
    second = ledger.Ledger(
        ledger.Keys(np.array([3]), nothing + 1, nothing, nothing), nothing + 1, np.array([2])
    )
    yes = np.ones(2, np.bool_)
    keys, incidence = ledger.joined([first, second], [yes, yes[:1]], 3)
    assert keys.key.tolist() == [-5, 3, 8]
    assert keys.uses.tolist() == [3, 0, 3]
    assert incidence.key.tolist() == [0, 0, 1, 2, 2]
    assert incidence.account.tolist() == [0, 1, 2, 1, 2]
    assert incidence.bounds.tolist() == [0, 2, 3, 5]
    keys, incidence = ledger.joined([first, second], [np.array([False, True]), yes[:1]], 3)
    assert (keys.key.tolist(), incidence.account.tolist()) == ([-5, 3], [0, 1, 2])


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
    assert [ledger_rounds(span, most) for most in (10**9, 2424, 2423, 500)] == [1, 1, 2, 5]
    assert screen_fraction(span, 4000) == screen_fraction(span, 10**9) == 1.0


def test_classes_expand_to_their_members():
    classes = Classes(np.array([1, 2, 3, 9, 12]), np.array([1, 1, 3, 1, 12]), np.full(5, -1))
    raw, owner = classes.members_of(np.array([12, 1, 777]))
    got = sorted(zip(raw.tolist(), owner.tolist(), strict=True))
    assert got == [(1, 1), (2, 1), (9, 1), (12, 0), (777, 2)]
    nothing = Classes(*(np.empty(0, np.int64) for _ in range(3))).members_of(np.array([5]))
    assert [part.tolist() for part in nothing] == [[5], [0]]
