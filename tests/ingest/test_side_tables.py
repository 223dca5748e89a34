import contextlib
import gzip
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.ingest import read_accounts, read_enforcement
from stillwatch.model.columns import ACCOUNT_SCHEMA, ENFORCEMENT_SCHEMA
from stillwatch.model.errors import InputError, Rejected

ROWS = [
    {
        "account_id": "a",
        "created_at": "2026-01-01T00:00:00Z",
        "payment_kind": "card",
        "verified": ["email", "phone"],
        "tier": 3,
    },
    {"account_id": "b", "org_id": "o", "created_at": "1767225600", "payment_kind": "barter", "country": "DE"},
]
CSV = "account_id,created_at,payment_kind,verified,tier,org_id,country\na,2026-01-01T00:00:00Z,card,email; phone,3,,\nb,1767225600,barter,,,o,DE\n"


def parquet(rows) -> bytes:
    sink = pa.BufferOutputStream()
    names = sorted({name for row in rows for name in row})
    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), sink)
    return sink.getvalue().to_pybytes()


FILES = {
    "ndjson": "\n".join(map(json.dumps, ROWS)).encode(),
    "array": json.dumps(ROWS, indent=1).encode(),
    "csv": CSV.encode(),
    "csv with mark and CRLF": b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode(),
    "gzip": gzip.compress(CSV.encode(), mtime=0),
    "zstd": zstandard.compress("\n".join(map(json.dumps, ROWS)).encode()),
    "parquet": parquet(ROWS),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_kind_of_file_gives_the_same_accounts(tmp_path, key, kind):
    (tmp_path / "accounts").write_bytes(FILES[kind])
    table = read_accounts(tmp_path / "accounts", key)
    assert table.schema == ACCOUNT_SCHEMA
    a, b = table.to_pylist()
    assert a["created_at"] == b["created_at"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert (a["account_id"], a["payment_kind"], a["verified"], b["org_id"], b["country"]) == (
        "a",
        "card",
        ["email", "phone"],
        "o",
        "DE",
    )
    assert json.loads(a["extra"])["tier"] in (3, "3")
    assert b["payment_kind"] is None
    assert json.loads(b["extra"])["payment_kind"] == "barter"
    assert a["account_fp"] != b["account_fp"]


def test_bad_rows_are_told_and_the_others_kept(tmp_path, key):
    rows = [
        '{"account_id": "a", "ts": 1767225600, "kind": "ban", "reason": "r"}',
        "{",
        '{"account_id": "a", "ts": "x", "kind": "ban"}',
    ]
    rows += [
        '{"account_id": "a", "ts": 1767225600, "kind": "hug"}',
        '{"ts": 1767225600, "kind": "ban"}',
        "[]",
    ]
    (tmp_path / "e").write_text("\n".join(rows))
    rejected: list[Rejected] = []
    table = read_enforcement(tmp_path / "e", key, rejected.append)
    assert table.schema == ENFORCEMENT_SCHEMA
    assert table.num_rows == 1
    assert [each.line for each in rejected] == [2, 3, 4, 5, 6]
    assert "hug" not in rejected[2].reason


@pytest.mark.parametrize(
    "bad", ['b,"never closed\n', 'b,"x"y\n', f"b,{'z' * 140_000}\n", "b,1,2\n", '"\n', "\0,\1\n"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("row", ['a{},"p, q"\n', "a{},p\n"])
def test_a_bad_row_of_csv_costs_no_other(tmp_path, key, bad, end, row):
    rows = [row.format(number) for number in range(300)]
    text = "".join(["account_id,plan\n", *rows[:3], bad, *rows[3:]]).replace("\n", end)
    (tmp_path / "accounts.csv").write_text(text, newline="")
    rejected: list[Rejected] = []
    table = read_accounts(tmp_path / "accounts.csv", key, rejected.append)
    kept = [name for name in table["account_id"].to_pylist() if name.startswith("a")]
    assert kept == [f"a{number}" for number in range(300)]
    assert {each.line for each in rejected} <= {5}
    assert len(rejected) + table.num_rows == 301


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"name,country\nx,DE\n", "no column account_id"),
        (b"account_id\n\xff\n", "UTF-8"),
        (b"\x00\x01binary", "binary"),
        (b"\n \n", "empty"),
        ("account_id\na\n".encode("utf-16"), "UTF-16 text, not a table"),
        (b"account_id;plan\na;b\n", "no column account_id; .*commas"),
        (b"account_id,plan,plan\na,b,c\n", "two of its columns have the same name"),
        (b"PAR1", "Parquet"),
        (gzip.compress(b"PAR1", mtime=0), "Parquet packed with gzip"),
        (gzip.compress(CSV.encode(), mtime=0)[:-9], "gzip"),
        (b'{"no": "account"}', "account_id"),
        (b"account_id,created_at\na,someday\n", "created_at is no time"),
        (b"[{]", "no row can be read"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_cannot_be_read_gets_one_sentence(tmp_path, key, content, words):
    (tmp_path / "accounts").write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_accounts(tmp_path / "accounts", key)


def test_a_missing_file_is_named(tmp_path, key):
    with pytest.raises(InputError, match="no such file"):
        read_accounts(tmp_path / "nowhere", key)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.one_of(
        st.binary(max_size=60), st.binary(max_size=60).map(lambda b: b"account_id,ts,kind\na,1,ban\n" + b)
    )
)
def test_no_bytes_raise_anything_else(tmp_path, key, data):
    (tmp_path / "e").write_bytes(data)
    with contextlib.suppress(InputError):
        assert read_enforcement(tmp_path / "e", key).num_rows >= 1
