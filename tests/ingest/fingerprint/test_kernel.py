"""The kernel gives what the plain-Python reference gives, however the rows are cut."""

# ruff: noqa: RUF001 - letters of other scripts are the point here

from __future__ import annotations

from unittest.mock import patch

import pyarrow as pa
import pytest
import reference
from fingerprint_cases import EDGE_PROMPTS, KEY_BYTES, rows_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stillwatch.ingest.fingerprint import FINGERPRINT_SCHEMA, FingerprintKey, fingerprint
from stillwatch.model.columns import TEXT_SCHEMA
from stillwatch.model.views import KIND_MASK, KeyKind

SECRET = reference.Secret(KEY_BYTES)
KEY = FingerprintKey.from_bytes(KEY_BYTES)
COLUMNS = TEXT_SCHEMA.names

pieces = st.one_of(
    st.text(max_size=12),
    st.text(alphabet=st.characters(codec="ascii"), max_size=30),
    st.sampled_from([p for p in EDGE_PROMPTS if p and len(p) < 100]),
    st.sampled_from(
        ["think step by step", "json", '{"a": 1}', "<think>", "</think>", "’", "\u200b", "é", "2026", "的"]
    ),
)
texts = st.lists(pieces, max_size=25).flatmap(
    lambda parts: st.sampled_from([" ", "", "\n"]).map(lambda joint: joint.join(parts))
)


def encode(row: dict[str, str | None]) -> dict[str, bytes | None]:
    return {name: None if row[name] is None else row[name].encode() for name in COLUMNS}


def batch_of_bytes(values: list[bytes | None], *, wide: bool) -> pa.RecordBatch:
    """A batch of prompts that need not be valid UTF-8."""
    kind = (pa.large_binary(), pa.large_string()) if wide else (pa.binary(), pa.string())
    binary = pa.array(values, kind[0])
    prompts = pa.Array.from_buffers(kind[1], len(values), binary.buffers())
    nothing = pa.nulls(len(values), pa.string())
    return pa.RecordBatch.from_arrays([nothing, nothing, prompts, nothing], names=COLUMNS)


def test_edge_cases_equal_the_reference():
    batch = rows_of(EDGE_PROMPTS * 6)
    result = fingerprint(batch, KEY)
    assert result.schema.equals(FINGERPRINT_SCHEMA)
    for row, got in zip(batch.to_pylist(), result.to_pylist(), strict=True):
        assert got == reference.fingerprint(SECRET, encode(row)), row


@settings(max_examples=150, deadline=None)
@given(st.lists(st.fixed_dictionaries({name: st.none() | texts for name in COLUMNS}), min_size=1, max_size=4))
def test_any_text_equals_the_reference(rows):
    got = fingerprint(pa.RecordBatch.from_pylist(rows, schema=TEXT_SCHEMA), KEY).to_pylist()
    assert got == [reference.fingerprint(SECRET, encode(row)) for row in rows]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.none() | st.binary(max_size=90) | texts.map(str.encode), min_size=1, max_size=4),
    st.booleans(),
)
@example(values=[b"ab\xe2\x82c \xff\xfe d\xed\xa0\x80e \xf4\x90\x80\x80 \xc0\xafz \xe2"], wide=False)
@example(values=[b"." * 58 + b"<think>" + b"." * 9, b"." * 80], wide=False)  # a closing sign on byte 64
def test_any_bytes_equal_the_reference(values, wide):
    got = fingerprint(batch_of_bytes(values, wide=wide), KEY).to_pylist()
    nothing = dict.fromkeys(COLUMNS)
    assert got == [reference.fingerprint(SECRET, nothing | {"prompt": value}) for value in values]


@given(st.lists(st.none() | texts, min_size=1, max_size=12), st.data())
def test_batching_slicing_width_and_threads_change_nothing(prompts, data):
    batch = rows_of(prompts * 40)
    expected = fingerprint(batch, KEY)
    start = data.draw(st.integers(0, batch.num_rows))
    threads = data.draw(st.integers(1, 5))
    with patch(
        "stillwatch.ingest.fingerprint.batch._SLICE_WEIGHT", data.draw(st.sampled_from([1, 999, 9999]))
    ):
        assert fingerprint(batch, KEY, threads=threads).equals(expected)
        assert fingerprint(batch.slice(start), KEY, threads=threads).equals(expected.slice(start))
    wide = pa.RecordBatch.from_arrays([c.cast(pa.large_string()) for c in batch.columns], names=COLUMNS)
    assert fingerprint(wide, KEY).equals(expected)


@pytest.mark.parametrize("kind", [pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
def test_other_layouts_of_text(kind):
    batch = rows_of(EDGE_PROMPTS)
    other = pa.RecordBatch.from_arrays([c.cast(kind) for c in batch.columns], names=COLUMNS)
    assert fingerprint(other, KEY).equals(fingerprint(batch, KEY))


def test_texts_of_other_layouts_outlive_what_they_were_converted_from():
    prompts = [f"word{i} " * 200 for i in range(3_000)]  # several slices of a column that is made on the way
    batch = rows_of(prompts)
    other = pa.RecordBatch.from_arrays([c.cast(pa.string_view()) for c in batch.columns], names=COLUMNS)
    assert fingerprint(other, KEY, threads=2).equals(fingerprint(batch, KEY))


def test_columns_without_type_and_empty_batches():
    nothing = pa.RecordBatch.from_arrays([pa.nulls(3)] * 4, names=COLUMNS)
    assert fingerprint(nothing, KEY).to_pylist() == [dict.fromkeys(FINGERPRINT_SCHEMA.names)] * 3
    assert fingerprint(rows_of([]), KEY).num_rows == 0


def test_a_megabyte_has_no_more_keys_than_the_bound():
    document = " ".join(
        f"word{chr(97 + i % 26)}{chr(97 + i % 23)}{chr(97 + i % 19)} item" for i in range(110_000)
    )
    keys = fingerprint(rows_of([document]), KEY)["keys"].to_pylist()[0]
    assert len(document) > 1_000_000
    assert len(keys) == len(set(keys)) == 3 + 12 + 1


def test_keys_carry_their_kind():
    row = fingerprint(rows_of(EDGE_PROMPTS), KEY).to_pylist()
    for got in row:
        kinds = [KeyKind(value & KIND_MASK) for value in got["keys"] or []]
        assert set(kinds) <= {*list(KeyKind)[:6]}
        assert kinds.count(KeyKind.PREFIX_SHORT) <= 1
        assert got["system_fp"] is None or KeyKind(got["system_fp"] & KIND_MASK) is KeyKind.SYSTEM
        assert got["tools_fp"] is None or KeyKind(got["tools_fp"] & KIND_MASK) is KeyKind.TOOLS


def test_only_the_cell_and_its_like_survive_another_key():
    other = FingerprintKey.from_bytes(bytes(31) + b"\x01")
    batch = rows_of([p for p in EDGE_PROMPTS if p])
    mine, theirs = fingerprint(batch, KEY), fingerprint(batch, other)
    for name in ("cell", "language", "elicitation"):
        assert mine[name].equals(theirs[name])
    for name in ("system_fp", "tools_fp", "item_fp", "prefix_fp"):
        values = {v for v in mine[name].to_pylist() if v is not None}
        assert not values & {v for v in theirs[name].to_pylist() if v is not None}
    flat = set(mine["keys"].flatten().to_pylist()), set(theirs["keys"].flatten().to_pylist())
    assert not flat[0] & flat[1]
