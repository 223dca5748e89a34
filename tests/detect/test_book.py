"""The book joins totals, records and enforcement without losing or doubling an account."""

from datetime import UTC, datetime, timedelta

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.book import (
    CODED,
    LINKING,
    account_totals,
    coded,
    identity_incidence,
    make_book,
    rounded_volume,
)
from stillwatch.detect.ledger import sampling_order
from stillwatch.model.columns import ACCOUNT_SCHEMA, ENFORCEMENT_SCHEMA
from stillwatch.model.views import KIND_MASK

START = datetime(2026, 1, 1, tzinfo=UTC)
FP = st.integers(-(2**63), 2**63 - 1)
OPTIONAL = st.none() | st.sampled_from(["x", "y", "z"])
RECORD = st.fixed_dictionaries(
    {
        **dict.fromkeys((*CODED, "programme", "reseller_of"), OPTIONAL),
        "payment_kind": st.none() | st.sampled_from(["card", "virtual_card", "prepaid", "invoice", "none"]),
        "created_at": st.none() | st.integers(-1000, 1000).map(lambda hours: START + timedelta(hours=hours)),
        "verified": st.none()
        | st.lists(st.sampled_from(["email", "phone", "organisation", "identity"]), max_size=3),
    }
)
EVENT = st.tuples(st.sampled_from(["ban", "limit", "reinstate"]), st.integers(0, 1000))


def table(schema, rows):
    columns = {f.name: pa.array([row.get(f.name) for row in rows], f.type) for f in schema}
    return pa.table(columns, schema=pa.schema([f.with_nullable(nullable=True) for f in schema]))


SLICES = ("discovery", "confirm_a", "confirm_b")


def totals_of(sent):
    columns = {
        name: pa.array([counts[n] for counts in sent.values()], pa.int64()) for n, name in enumerate(SLICES)
    }
    language = pa.nulls(len(sent), pa.string())
    return pa.table({"account_fp": pa.array(list(sent), pa.int64()), "language": language, **columns})


def records_of(records):
    return table(
        ACCOUNT_SCHEMA, [{"account_id": str(fp), "account_fp": fp, **row} for fp, row in records.items()]
    )


def events_of(events):
    rows = [
        {"account_id": str(fp), "account_fp": fp, "kind": kind, "ts": START + timedelta(hours=hour)}
        for fp, (kind, hour) in events
    ]
    return table(ENFORCEMENT_SCHEMA, rows)


@st.composite
def operators(draw):
    """Accounts that sent something, records of some of them and of others, and events of either."""
    everyone = draw(st.lists(FP, min_size=1, max_size=12, unique=True))
    sent = draw(st.lists(st.sampled_from(everyone), min_size=1, unique=True))
    recorded = draw(st.lists(st.sampled_from(everyone), unique=True))
    events = draw(st.lists(st.tuples(st.sampled_from(everyone), EVENT), max_size=8))
    counts = {fp: draw(st.tuples(*[st.integers(0, 50)] * 3)) for fp in sent}
    return counts, {fp: draw(RECORD) for fp in recorded}, events


@given(operators())
def test_every_account_that_sent_something_stands_once_with_what_is_known_of_it(given_):
    counts, records, events = given_
    book = make_book(totals_of(counts), records_of(records), events_of(events))
    assert sorted(book.fingerprint.tolist()) == sorted(counts)
    assert (np.diff(sampling_order(book.fingerprint)) >= 0).all()
    for at, fp in enumerate(book.fingerprint.tolist()):
        assert book.totals[at].tolist() == list(counts[fp])
        assert book.exchanges[at] == sum(counts[fp])
        record = records.get(fp, {})
        assert book.known[at] == (fp in records)
        assert book.programme[at] == (record.get("programme") is not None)
        assert book.reseller[at] == (record.get("reseller_of") is not None)
        kind, verified = record.get("payment_kind"), record.get("verified")
        assert book.throwaway[at] == (-1 if kind is None else kind in ("virtual_card", "prepaid"))
        assert book.verified[at] == (
            -1 if verified is None else bool({"organisation", "identity"} & set(verified))
        )
        created = record.get("created_at")
        days = np.nan if created is None else created.timestamp() / 86_400
        assert book.created[at] == pytest.approx(days, nan_ok=True, abs=1e-6)
        bans = [
            (START + timedelta(hours=hour)).timestamp()
            for who, (what, hour) in events
            if (who, what) == (fp, "ban")
        ]
        assert book.banned[at] == pytest.approx(min(bans, default=np.nan), nan_ok=True)


@given(operators())
def test_codes_are_equal_exactly_where_the_values_are(given_):
    counts, records, events = given_
    book = make_book(totals_of(counts), records_of(records), events_of(events))
    again = make_book(totals_of(counts), coded(records_of(records)), events_of(events))
    for name in CODED:
        assert again.codes[name].tolist() == book.codes[name].tolist()
        values = [records.get(fp, {}).get(name) for fp in book.fingerprint.tolist()]
        codes = book.codes[name].tolist()
        assert [code == -1 for code in codes] == [value is None for value in values]
        known = {(code, value) for code, value in zip(codes, values, strict=True) if value is not None}
        assert len({code for code, _ in known}) == len({value for _, value in known}) == len(known)


@given(operators(), st.integers(1, 4))
def test_identity_keys_join_the_accounts_of_one_value_and_of_one_kind(given_, least):
    counts, records, events = given_
    book = make_book(totals_of(counts), records_of(records), events_of(events))
    keys, accounts = identity_incidence(book, least)
    assert {int(key) & KIND_MASK for key in keys} <= {int(kind) for kind in LINKING.values()}
    groups = {frozenset(accounts[keys == key].tolist()) for key in np.unique(keys)}
    expected = set()
    for name in LINKING:
        codes = book.codes[name]
        members = [frozenset(np.flatnonzero(codes == code).tolist()) for code in np.unique(codes[codes >= 0])]
        expected |= {group for group in members if len(group) >= least}
    assert groups == expected


def test_without_records_and_events_everything_is_unknown():
    book = make_book(totals_of({3: (1, 2, 3), -5: (0, 0, 1)}), records_of({}), events_of([]))
    assert not book.known.any()
    assert np.isnan(book.banned).all()
    assert np.isnan(book.created).all()
    assert all((codes == -1).all() for codes in book.codes.values())
    assert [part.size for part in identity_incidence(book, 2)] == [0, 0]


def test_totals_are_counted_by_slice():
    rows = pa.table(
        {
            "account_fp": [7, 7, 7, -1],
            "language": pa.array(["en", "zh", "en", None]),
            "slice": pa.array([0, 2, 2, 1], pa.int8()),
        }
    )
    got = account_totals(ibis.memtable(rows)).to_pyarrow().to_pylist()
    assert {tuple(row.values()) for row in got} == {
        (-1, None, 0, 1, 0),
        (7, "en", 1, 0, 1),
        (7, "zh", 0, 0, 1),
    }


def test_an_account_has_the_language_that_it_writes_most():
    rows = [(5, "zh", 3), (5, "en", 4), (6, None, 9), (6, "zh", 1), (7, None, 2), (8, "zh", 2), (8, "en", 2)]
    totals = pa.table(
        {
            "account_fp": pa.array([fp for fp, _, _ in rows], pa.int64()),
            "language": pa.array([language for _, language, _ in rows], pa.string()),
            **{name: pa.array([n for _, _, n in rows], pa.int64()) for name in SLICES},
        }
    )
    book = make_book(totals, records_of({}), events_of([]))
    found = dict(zip(book.fingerprint.tolist(), book.language.tolist(), strict=True))
    assert found == {5: 0, 6: 1, 7: -1, 8: 0}, "en is 0, zh is 1; the first of equals counts"
    assert dict(zip(book.fingerprint.tolist(), book.exchanges.tolist(), strict=True)) == {
        5: 21,
        6: 30,
        7: 6,
        8: 12,
    }
    assert {code: volumes.accounts.sum() for code, volumes in book.volumes_by_language.items()} == {
        0: 2,
        1: 1,
    }


@given(st.lists(st.integers(0, 2**40)), st.integers(1, 8))
def test_volumes_are_rounded_down_to_their_first_bits(exchanges, significant):
    found = rounded_volume(np.array(exchanges, np.int64), significant).tolist()
    zeros = [max(number.bit_length() - significant, 0) for number in exchanges]
    assert found == [number >> zero << zero for number, zero in zip(exchanges, zeros, strict=True)]
