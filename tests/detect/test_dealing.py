"""Pairs in buckets: nothing is lost, and a key is never in two of them."""

from collections import Counter

import ibis
import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.dealing import Dealt, bucket_of, deal, numbered

INT64 = st.integers(-(2**63), 2**63 - 1)
PAIRS = st.lists(st.tuples(INT64, st.integers(0, 2**31 - 1)), max_size=60)


def columns(pairs):
    return np.array([p[0] for p in pairs], np.int64), np.array([p[1] for p in pairs], np.int32)


@given(PAIRS)
def test_dealing_moves_pairs_and_changes_none(pairs):
    dealt = deal(*columns(pairs))
    assert Counter(zip(*(column.to_pylist() for column in dealt.columns), strict=True)) == Counter(pairs)
    assert (np.diff([bucket_of(key) for key in dealt["key"].to_numpy()]) >= 0).all()


@given(st.lists(PAIRS, max_size=4))
def test_every_bucket_holds_all_pairs_of_its_keys(batches):
    chunks = [deal(*columns(pairs)) for pairs in batches]
    table = ibis.memtable(
        pa.Table.from_batches(chunks, pa.schema({"key": pa.int64(), "account": pa.int32()}))
    )
    buckets = Dealt.read(table, lambda batch: deal(batch["key"].to_numpy(), batch["account"].to_numpy())).map(
        lambda keys, accounts: list(zip(keys.tolist(), accounts.tolist(), strict=True))
    )
    assert Counter(pair for bucket in buckets for pair in bucket) == Counter(
        p for pairs in batches for p in pairs
    )
    assert sum(len({key for key, _ in bucket}) for bucket in buckets) == len(
        {key for pairs in batches for key, _ in pairs}
    )


@given(st.lists(INT64, max_size=60))
def test_numbers_stand_for_distinct_keys(keys):
    number, distinct = numbered(np.array(keys, np.int64))
    assert distinct[number].tolist() == keys
    assert distinct.tolist() == list(dict.fromkeys(keys))


@given(PAIRS, PAIRS)
def test_batches_that_an_engine_has_joined_are_dealt_again(one, two):
    joined = pa.Table.from_batches([deal(*columns(one)), deal(*columns(two))]).combine_chunks()
    buckets = Dealt.read(ibis.memtable(joined), lambda batch: batch).map(
        lambda keys, accounts: list(zip(keys.tolist(), accounts.tolist(), strict=True))
    )
    assert Counter(pair for bucket in buckets for pair in bucket) == Counter(one + two)
    assert sum(len({key for key, _ in bucket}) for bucket in buckets) == len({key for key, _ in one + two})
