"""The published test vectors hold for the kernel; a change of the format needs a new version and a new file."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
import reference

from stillwatch.ingest.fingerprint import SPEC_VERSION, FingerprintKey, fingerprint, hash_column
from stillwatch.model.columns import TEXT_SCHEMA
from stillwatch.model.views import KeyKind

GOLDEN = Path(__file__).parents[2] / "golden" / "fingerprints" / f"version-{SPEC_VERSION}.json"


@pytest.fixture(scope="module")
def vectors():
    return json.loads(GOLDEN.read_text())


def test_rows(vectors):
    key = FingerprintKey.from_bytes(bytes.fromhex(vectors["key"]))
    batch = pa.RecordBatch.from_pylist([row["text"] for row in vectors["rows"]], schema=TEXT_SCHEMA)
    assert fingerprint(batch, key).to_pylist() == [row["fingerprint"] for row in vectors["rows"]]


def test_columns(vectors):
    key = FingerprintKey.from_bytes(bytes.fromhex(vectors["key"]))
    for case in vectors["columns"]:
        got = hash_column(pa.array([case["value"]]), key, KeyKind(case["kind"]))
        assert got.to_pylist() == [case["hash"]]


def test_the_file_is_what_the_reference_says(vectors):
    assert json.loads(json.dumps(reference.vectors(bytes(range(32))), default=int)) == vectors
