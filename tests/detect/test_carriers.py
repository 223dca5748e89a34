"""Exchanges that carry keys, against a loop over them."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.carriers import Marks, carriers, list_bounds

KEY = st.integers(1, 12)
ROW = st.tuples(st.none() | st.lists(KEY, max_size=4, unique=True), st.none() | KEY, st.none() | KEY)
ENTRIES = st.dictionaries(st.tuples(KEY, st.integers(0, 3)), st.integers(0, 61), max_size=20)


def batch_of(rows):
    keys, system, tools = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.record_batch(
        {
            "keys": pa.array(keys, pa.list_(pa.int64())),
            "system_fp": pa.array(system, pa.int64()),
            "tools_fp": pa.array(tools, pa.int64()),
        }
    )


def marks_of(entries):
    member, group, bit = (
        ([], [], []) if not entries else zip(*((*k, 1 << v) for k, v in entries.items()), strict=True)
    )
    return Marks.of(*(np.array(column, np.int64) for column in (member, group, bit)), 4)


@given(st.lists(ROW, max_size=20), ENTRIES, st.integers(0, 5))
def test_every_exchange_is_found_once_for_each_group_with_all_its_classes(rows, entries, skipped):
    expected = {}
    for at, (keys, system, tools) in enumerate(rows[skipped:]):
        for (key, group), bit in entries.items():
            if key in {*(keys or []), system, tools}:
                expected[at, group] = expected.get((at, group), 0) | 1 << bit
    found = carriers(batch_of(rows).slice(skipped), marks_of(entries))
    got = list(zip(found.row.tolist(), found.group.tolist(), strict=True))
    assert dict(zip(got, found.bits.tolist(), strict=True)) == expected
    assert len(got) == len(expected)
    assert found.row.tolist() == sorted(found.row.tolist())


def test_more_hits_than_exchanges_are_all_kept():
    groups = 3000
    everybody = np.arange(groups)
    marks = Marks.of(np.full(groups, 7), everybody, np.ones(groups, np.int64), groups)
    found = carriers(batch_of([([7], None, None)] * 5), marks)
    assert found.group.tolist() == everybody.tolist() * 5


def test_a_null_list_is_empty_whatever_lies_under_it():
    lists = pa.ListArray.from_arrays(
        pa.array([0, 2, 4], pa.int32()), pa.array([1, 2, 3, 4]), mask=pa.array([True, False])
    )
    starts, ends, values = list_bounds(lists)
    assert [values[a:b].tolist() for a, b in zip(starts, ends, strict=True)] == [[], [3, 4]]
