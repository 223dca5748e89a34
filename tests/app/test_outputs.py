import json
from datetime import UTC, datetime

import msgspec
import pyarrow.parquet as pq
import pytest

from stillwatch.app import outputs
from stillwatch.model.coverage import SourceCoverage, card
from stillwatch.model.errors import InputError, Rejected
from stillwatch.model.findings import Verdict, decode_group

NOW = datetime(2026, 11, 21, tzinfo=UTC)
FILES = {
    "campaigns.jsonl",
    "groups.jsonl",
    "accounts.parquet",
    "coverage.json",
    "detection.json",
    "rejected.jsonl",
    "report.html",
}


@pytest.fixture
def written(tmp_path, make_group, make_detection):
    found = make_detection(
        make_group("g-1", ["b", "a"]),
        make_group("g-2", ["c"], Verdict.APPLICATION),
        make_group("g-3", ["d", "a"]),
    )
    out = tmp_path / "deep" / "out"
    outputs.write_outputs(
        out,
        found,
        cards=[card(SourceCoverage("a.jsonl", "ndjson", 5, 1, {"keys": 1.0}), {})],
        rejected=[Rejected("a.jsonl", 3, "bad", "mend it")],
        report="<html>",
        generated_at=NOW,
        version="0.1.0",
    )
    return out, found


def test_all_files_and_nothing_else(written):
    out, _ = written
    assert {path.name for path in out.iterdir()} == FILES


def test_campaigns_are_one_a_line_and_honest_groups_apart(written):
    out, found = written
    lines = (out / "campaigns.jsonl").read_bytes().splitlines()
    assert tuple(decode_group(line) for line in lines) == found.campaigns
    (other,) = (out / "groups.jsonl").read_bytes().splitlines()
    assert decode_group(other).verdict is Verdict.APPLICATION


def test_accounts_are_those_of_campaigns_only(written):
    out, _ = written
    table = pq.read_table(out / "accounts.parquet")
    assert table.schema.equals(outputs.ACCOUNTS_SCHEMA)
    rows = table.select(["account_id", "campaign_id", "share"]).to_pylist()
    assert [(row["account_id"], row["campaign_id"]) for row in rows] == [
        ("a", "g-1"),
        ("b", "g-1"),
        ("a", "g-3"),
        ("d", "g-3"),
    ]
    assert set(table["verdict"].to_pylist()) == {"campaign"}


def test_no_campaign_gives_an_empty_table_of_the_same_columns(make_detection):
    assert outputs.account_table(make_detection().campaigns).schema.equals(outputs.ACCOUNTS_SCHEMA)


def test_summary_and_rejects(written):
    out, found = written
    summary = json.loads((out / "detection.json").read_text())
    assert summary["campaigns"] == 2
    assert summary["audit"] == msgspec.to_builtins(found.audit)
    assert json.loads((out / "rejected.jsonl").read_text())["line"] == 3


def test_what_was_written_can_be_read_again(written):
    out, found = written
    assert outputs.read_groups(out) == [found.groups[0], found.groups[2], found.groups[1]]
    assert [known.id for known in outputs.read_known(out)] == ["g-1", "g-3", "g-2"]
    assert outputs.read_cards(out)[0].source == "a.jsonl"


def test_empty_directory_has_no_groups_and_no_cards(tmp_path):
    assert outputs.read_groups(tmp_path) == []
    with pytest.raises(InputError, match="not a coverage file"):
        outputs.read_cards(tmp_path)


@pytest.mark.parametrize("line", [b"{", b"{}", b"\xff", b"[]"])
def test_foreign_campaign_file_is_told_with_its_line(tmp_path, line):
    (tmp_path / "campaigns.jsonl").write_bytes(line + b"\n")
    with pytest.raises(InputError, match=r"campaigns\.jsonl:1: is not a group"):
        outputs.read_known(tmp_path)


def test_out_that_is_a_file_is_told(tmp_path, make_detection):
    (tmp_path / "taken").write_text("x")
    with pytest.raises(InputError, match="taken"):
        outputs.write_outputs(
            tmp_path / "taken",
            make_detection(),
            cards=[],
            rejected=[],
            report="",
            generated_at=NOW,
            version="0",
        )
