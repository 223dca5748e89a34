"""Claims of any detector: our own output, or a table with one row an account."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.model.errors import InputError
from stillwatch.worlds.score_claims import Claim, claims_of, claims_of_table, read_claims

if TYPE_CHECKING:
    from pathlib import Path

NIGHT = datetime(2026, 10, 6, 3, tzinfo=UTC)


def csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "other.csv"
    path.write_text(text)
    return path


def test_rows_of_one_group_are_one_claim(tmp_path: Path) -> None:
    got = read_claims(csv(tmp_path, "account_id,group\na,7\nb,7\nb,7\nc,8\n"))
    assert [one.accounts for one in got] == [("a", "b"), ("c",)]


def test_accounts_without_a_group_stand_alone(tmp_path: Path) -> None:
    got = read_claims(csv(tmp_path, "account,group\na,\nb,\n"))
    assert [one.accounts for one in got] == [("a",), ("b",)]


def test_a_group_and_an_account_of_the_same_name_stay_apart() -> None:
    table = pa.table({"account_id": ["a", "b"], "group": ["b", None], "score": [1.0, 1.0],
                      "first_alarm": pa.nulls(2, pa.timestamp("us", "UTC")), "error_rate": pa.nulls(2, pa.float64())})  # fmt: skip
    assert [one.accounts for one in claims_of_table(table)] == [("a",), ("b",)]


def test_only_high_scores_are_claims(tmp_path: Path) -> None:
    path = csv(tmp_path, "account_id,score\na,0.2\nb,0.9\nc,\n")
    assert [one.accounts for one in read_claims(path, least_score=0.5)] == [("b",)]


def test_the_first_alarm_is_the_earliest_and_the_error_rate_the_largest(tmp_path: Path) -> None:
    rows = "account_id,group,first_alarm,error_rate\na,g,2026-10-07T00:00:00Z,0.01\nb,g,2026-10-06T03:00:00Z,0.2\n"
    (got,) = read_claims(csv(tmp_path, rows))
    assert got.first_alarm == NIGHT
    assert got.error_rate == 0.2


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    pq.write_table(pa.table({"account_id": ["a", "b"], "campaign_id": ["x", "x"]}), tmp_path / "o.parquet")
    assert read_claims(tmp_path / "o.parquet")[0].accounts == ("a", "b")


def test_our_own_output_is_read(tmp_path: Path) -> None:
    line = {"id": "C1", "verdict": "campaign", "detected_at": "2026-10-06T03:00:00Z",
            "error_rate": {"total": 0.03}, "members": [{"account_id": "a"}, {"account_id": "a"}]}  # fmt: skip
    other = line | {"verdict": "class"}
    (tmp_path / "campaigns.jsonl").write_text(json.dumps(line) + "\n" + json.dumps(other) + "\n")
    assert read_claims(tmp_path) == [Claim(("a",), "C1", NIGHT, 0.03)]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.csv", "name\nsecret\n", "no column account_id"),
        ("x.csv", "account_id,score\nsecret,high\n", "wrong type"),
        ("x.csv", "account_id,score\n,1\n", "without account_id"),
        ("x.txt", "secret", "neither a directory"),
        ("x.parquet", "secret", "cannot be read"),
        ("x.jsonl", "secret", "not JSON"),
        ("x.jsonl", "[" * 100_000, "not JSON"),
    ],
)
def test_bad_reports_get_one_sentence_without_their_content(
    tmp_path: Path, name: str, content: str, says: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=says) as raised:
        read_claims(tmp_path / name)
    assert "secret" not in str(raised.value)


def test_a_missing_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.csv"):
        read_claims(tmp_path / "nothing.csv")
    with pytest.raises(InputError, match=r"campaigns\.jsonl"):
        read_claims(tmp_path)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["", "g", "h"])), max_size=12))
def test_no_account_is_lost_or_made_up(rows: list[tuple[str, str]]) -> None:
    table = pa.table({
        "account_id": pa.array([a for a, _ in rows], pa.string()), "group": pa.array([g for _, g in rows], pa.string()),
        "score": pa.nulls(len(rows), pa.float64()), "first_alarm": pa.nulls(len(rows), pa.timestamp("us", "UTC")),
        "error_rate": pa.nulls(len(rows), pa.float64())})  # fmt: skip
    got = claims_of_table(table)
    assert {account for one in got for account in one.accounts} == {a for a, _ in rows}
    assert len(got) == len({(g or f"alone {a}") for a, g in rows})


def test_verdicts_other_than_campaign_are_no_claims() -> None:
    assert claims_of([{"verdict": "class", "members": []}]) == []
