import json
from datetime import UTC, datetime

import pytest

from stillwatch.app import pipeline
from stillwatch.app.config import Settings
from stillwatch.app.sides import rejected_rows
from stillwatch.model.progress import Silent

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def log(tmp_path):
    lines = [{"exchange_id": f"e{n}", "ts": 1767225600 + n, "account_id": f"a{n}"} for n in range(9)]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_bad_rows_of_side_tables_are_rejected_and_remembered(tmp_path, log):
    accounts, enforcement = tmp_path / "accounts.csv", tmp_path / "enforcement.ndjson"
    accounts.write_text("account_id,created_at\na1,2026-01-01\na2,not a time\n")
    enforcement.write_text(
        '{"account_id":"a1","ts":1767225600,"kind":"ban"}\n{"account_id":"a1","ts":1767225600,"kind":"hug"}\n'
    )
    settings = Settings(accounts=accounts, enforcement=enforcement, threads=1, format="ndjson")
    outcome = pipeline.scan([log], tmp_path / "out", settings, NOW, Silent())
    lines = [json.loads(line) for line in (tmp_path / "out/rejected.jsonl").read_bytes().splitlines()]
    assert [(line["file"], line["line"]) for line in lines] == [(str(accounts), 3), (str(enforcement), 2)]
    assert "not a time" not in json.dumps(lines)
    assert outcome.ingested.rejected == 2
    assert any(f"{accounts}: 1 of 2 rows were rejected" in note for note in outcome.ingested.notes)


def test_a_table_that_is_given_again_replaces_what_was_said_of_it(tmp_path, log):
    accounts, store = tmp_path / "accounts.csv", tmp_path / "store"
    settings = Settings(accounts=accounts, store=store, threads=1, format="ndjson")
    for content, rejected in (("a1,never", 1), ("a1,2026-01-01", 0)):
        accounts.write_text(f"account_id,created_at\na0,2026-01-01\n{content}\n")
        pipeline.ingest([log], settings, NOW, Silent())
        assert len(rejected_rows(store)) == rejected
    assert rejected_rows(tmp_path) == []
