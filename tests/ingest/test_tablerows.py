"""Parquet files whose text is no UTF-8, whose times are none, or whose columns have one name."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.ingest.side_tables import read_accounts
from stillwatch.ingest.tablerows import legible, records_of
from stillwatch.model.errors import InputError

MARK = "kumquat"


def text(*values: bytes | None) -> pa.Array:
    """Return a string column of bytes that nobody has checked."""
    return pa.Array.from_buffers(pa.string(), len(values), pa.array(values, pa.binary()).buffers())


def written(**columns: object) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


def log(**columns: object) -> bytes:
    """Return a log of two exchanges."""
    return written(
        **{"exchange_id": ["a", "b"], "ts": [1767225600, 1767225601], "account_id": ["x", "y"]} | columns
    )


BROKEN = text(MARK.encode() + b"\xff\xfe", b"good")


@pytest.mark.parametrize("column", ["exchange_id", "account_id", "model", "prompt", "messages", "unknown"])
@pytest.mark.parametrize("shape", ["plain", "dictionary"])
def test_a_row_that_is_not_utf_8_is_rejected_alone(ingest, column, shape):
    values = BROKEN if shape == "plain" else BROKEN.dictionary_encode()
    if column == "messages":
        values = text(BROKEN[0].as_buffer().to_pybytes(), b'[{"role":"user","content":"good"}]')
    ingested = ingest(log(**{column: values}))
    assert [row["source_ref"].rpartition(":")[2] for row in ingested.rows()] == ["2"]
    (rejected,) = ingested.rejected()
    assert (rejected.line, rejected.reason) == (1, "text is not valid UTF-8")
    assert MARK not in str(ingested.rejected())


@pytest.mark.parametrize(
    "column",
    [
        pa.array([2**62, 0], pa.timestamp("us")),
        pa.array([0, 0], pa.timestamp("us", "Mars/Olympus")),
        pa.array([[1], [2]]),
        pa.array([2**62, 0], pa.date64()),
    ],
    ids=["a far time", "an unknown zone", "a list", "a far day"],
)
def test_columns_that_are_not_kept_are_not_read(ingest, column):
    assert len(ingest(log(unknown=column)).rows()) == 2


def test_a_message_that_cannot_be_told_is_rejected_alone(ingest):
    when = pa.array([2**62, 0], pa.timestamp("us"))
    messages = pa.StructArray.from_arrays(
        [pa.array(["user"] * 2), pa.array(["Q"] * 2), when], ["role", "content", "at"]
    )
    ingested = ingest(log(messages=pa.ListArray.from_arrays([0, 1, 2], messages)))
    assert ([row.line for row in ingested.rejected()], len(ingested.rows())) == ([1], 1)


@pytest.mark.parametrize(
    "ts", [pa.array([[1], [2]]), pa.array([2**62] * 2, pa.date64()), pa.array([{"a": 1}] * 2)], ids=str
)
def test_what_is_no_time_is_rejected(ingest, ts):
    with pytest.raises(InputError, match="none of its 2 lines"):
        ingest(log(ts=ts))


def test_two_columns_of_one_name_are_named_as_the_fault(ingest):
    table = pa.Table.from_arrays([pa.array(["a"])] * 4, names=["exchange_id", "ts", "account_id", "ts"])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    with pytest.raises(InputError, match="two of its columns have the same name"):
        ingest(sink.getvalue().to_pybytes())


def test_accounts_that_cannot_be_read_are_rejected_alone(tmp_path, key):
    path = tmp_path / "accounts.parquet"
    created = pa.array([2**62, 0, 1767225600_000_000], pa.timestamp("us"))
    path.write_bytes(
        written(account_id=text(b"far", b"\xff", b"good"), created_at=created, seen=created, tier=[1, 2, 3])
    )
    rejected = []
    (row,) = read_accounts(path, key, rejected.append).to_pylist()
    assert (row["account_id"], row["created_at"]) == ("good", datetime(2026, 1, 1, tzinfo=UTC))
    assert [each.line for each in rejected] == [1, 2]


@given(st.lists(st.one_of(st.none(), st.binary(max_size=6)), max_size=8), st.booleans())
def test_exactly_the_rows_that_python_cannot_decode_are_refused(values, nested):
    column = text(*values)
    batch = pa.RecordBatch.from_arrays(
        [pa.ListArray.from_arrays(list(range(len(values) + 1)), column) if nested else column], ["a"]
    )
    sound, refused = legible(batch)
    assert sorted(refused) == [row for row, value in enumerate(values) if not _decodes(value)]
    records, unread = records_of(sound, ["a"])
    assert (len(records), unread) == (len(values), {})
    for row, value in enumerate(values):
        if row not in refused:
            told = None if value is None else value.decode()
            assert records[row]["a"] == ([told] if nested else told)


def _decodes(value: bytes | None) -> bool:
    try:
        return value is None or value.decode() is not None
    except UnicodeDecodeError:
        return False
