from __future__ import annotations

import gzip
import ipaddress
import re
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from stillwatch.model.columns import (
    ACCOUNT_SCHEMA,
    ENFORCEMENT_KINDS,
    EXCHANGE_SCHEMA,
    PAYMENT_KINDS,
    VERIFICATIONS,
)
from stillwatch.worlds.times import iso

HIDDEN = ("campaign", "fleet", "population", "is_strand", "wanted_share", "recorded")


def read(paths) -> list[dict[str, Any]]:
    return [
        msgspec.json.decode(line)
        for path in paths
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]


def test_there_is_one_file_a_day_in_order_of_time(tiny_files):
    names = [path.name for path in tiny_files.logs]
    assert all(re.fullmatch(r"litellm-\d{4}-\d\d-\d\d\.jsonl\.gz", name) for name in names)
    assert names == sorted(names)
    for path in tiny_files.logs:
        starts = [record["startTime"] for record in read([path])]
        assert starts == sorted(starts)
        assert {iso(int(start * 1e6))[:10] for start in starts} == {path.name[8:18]}


def test_gzip_members_carry_no_time(tiny_files):
    assert {path.read_bytes()[4:8] for path in tiny_files.logs} == {b"\0\0\0\0"}


OPTIONAL = {
    "zero_cost_diagnostic",
    "request_model_access_groups",
    "classifier_input",
    "originating_request_masked",
}


@pytest.fixture
def types(monkeypatch):
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    return pytest.importorskip("litellm.types.utils")


def test_litellm_lines_have_the_fields_of_litellm(tiny_files, types):
    payload = set(types.StandardLoggingPayload.__annotations__) - OPTIONAL
    metadata = set(types.StandardLoggingMetadata.__annotations__)
    for record in read(tiny_files.logs[:2]):
        assert set(record) == payload
        assert set(record["metadata"]) == metadata


@pytest.mark.filterwarnings("ignore::UserWarning:pydantic")
def test_litellm_lines_have_the_types_of_litellm(tiny_files, types):
    pydantic = pytest.importorskip("pydantic")
    adapter = pydantic.TypeAdapter(types.StandardLoggingPayload)
    for record in read(tiny_files.logs[:2])[:200]:
        adapter.validate_python(record)


def test_lines_join_the_truth(tiny_files, tiny_world):
    truth = pq.read_table(tiny_files.truth)
    assert truth.equals(tiny_world.truth)
    known = dict(zip(truth["exchange_id"].to_pylist(), truth["account_id"].to_pylist(), strict=True))
    records = read(tiny_files.logs)
    assert len(records) == truth.num_rows
    for record in records:
        call = record["litellm_call_id"]
        identifier = call if record["status"] == "success" else f"{call}~{record['startTime']}"
        assert known[identifier] == record["metadata"]["user_api_key_user_id"]


def test_canonical_lines_join_the_truth_and_use_known_columns(canonical_files, tiny_world):
    known = set(tiny_world.truth["exchange_id"].to_pylist())
    records = read(canonical_files.logs)
    assert {record["exchange_id"] for record in records} == known
    for record in records:
        assert set(record) <= set(EXCHANGE_SCHEMA.names) | {"messages", "tools"}
        ipaddress.ip_address(record["ip"])


def test_messages_are_a_conversation_that_ends_with_its_newest_turn(canonical_files):
    for record in read(canonical_files.logs[:3]):
        roles = [message["role"] for message in record["messages"]]
        spoken = roles[1:] if roles[0] == "system" else roles
        assert spoken[-1] in {"user", "tool"}
        assert all(role == "assistant" for role in spoken[1::2])
        assert all(role in {"user", "tool"} for role in spoken[::2])


def test_tool_results_answer_the_call_before_them(canonical_files):
    answered = 0
    for record in read(canonical_files.logs):
        for before, message in zip(record["messages"], record["messages"][1:], strict=False):
            if message["role"] == "tool":
                assert before["tool_calls"][0]["id"] == message["tool_call_id"]
                answered += 1
    assert answered > 50


def test_accounts_have_the_documented_columns(tiny_files, tiny_world):
    records = [msgspec.json.decode(line) for line in tiny_files.accounts.read_bytes().splitlines()]
    assert 0.9 * tiny_world.accounts.num_rows < len(records) <= tiny_world.accounts.num_rows
    allowed = set(ACCOUNT_SCHEMA.names) - {"account_fp", "extra"}
    for record in records:
        assert set(record) <= allowed
        assert record["payment_kind"] in PAYMENT_KINDS
        assert set(record.get("verified", ())) <= set(VERIFICATIONS)
    filled = {name: sum(name in record for record in records) / len(records) for name in allowed}
    assert 0.4 < filled["device_fp"] < 0.9
    assert 0.6 < filled["signup_ip"] < 1.0
    assert filled["email_domain"] == 1.0


def test_honest_people_also_use_throw_away_mail_and_virtual_cards(tiny_world):
    honest = [row for row in tiny_world.accounts.to_pylist() if row["campaign"] is None]
    assert any(row["payment_kind"] == "virtual_card" for row in honest)
    assert any(row["email_domain"].endswith("mail.example") for row in honest)


def test_enforcement_is_in_order_and_of_known_kinds(tiny_files):
    records = [msgspec.json.decode(line) for line in tiny_files.enforcement.read_bytes().splitlines()]
    moments = [record["ts"] for record in records]
    assert moments == sorted(moments)
    assert {record["kind"] for record in records} <= set(ENFORCEMENT_KINDS)


def test_the_truth_is_in_no_other_file(tiny_files, canonical_files):
    for files in (tiny_files, canonical_files):
        for path in (*files.logs[:2], files.accounts, files.enforcement):
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            for line in content.splitlines()[:400]:
                keys = _keys(msgspec.json.decode(line))
                assert not keys & set(HIDDEN)


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(_keys(part) for part in value.values()))
    return set().union(*(_keys(part) for part in value)) if isinstance(value, list) else set()
