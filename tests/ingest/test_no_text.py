"""No prompt text is in anything that stillwatch writes: canaries in every text of every format, real kernel."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.ingest import IngestOptions, ingest_files
from stillwatch.model.errors import InputError
from stillwatch.model.progress import Silent
from stillwatch.store import StoreWriter

NOW = datetime(2026, 6, 1, tzinfo=UTC)
WORDS = (
    "heliotrope marmalade",
    "vermilion zeppelin",
    "quixotic bagpipes",
    "obsidian kumquat",
    "lugubrious walrus",
)
SYSTEM, HISTORY, PROMPT, ANSWER, TOOL = (
    f"The {words} sings at dawn, number {n}." for n, words in enumerate(WORDS)
)
MESSAGES = [
    {"role": "system", "content": SYSTEM},
    {"role": "user", "content": HISTORY},
    {"role": "assistant", "content": ANSWER},
    {"role": "user", "content": [{"type": "text", "text": PROMPT}]},
]
TOOLS = [
    {"type": "function", "function": {"name": "look", "description": TOOL, "parameters": {"type": "object"}}}
]
CHAT = {
    "id": "r",
    "object": "chat.completion",
    "choices": [{"message": {"role": "assistant", "content": ANSWER}}],
}


def attribute(key, value):
    return {"key": key, "value": {"stringValue": value if isinstance(value, str) else json.dumps(value)}}


LITELLM = {
    "id": "l", "call_type": "acompletion", "status": "failure", "startTime": 1767225600, "endTime": 1767225601,
    "metadata": {"user_api_key_user_id": "a", "user_api_key_alias": PROMPT}, "messages": MESSAGES, "response": CHAT,
    "model_parameters": {"tools": TOOLS, "stop": [PROMPT]}, "response_cost": 0.1, "hidden_params": {"x": PROMPT},
    "error_str": PROMPT, "error_information": {"error_code": "400", "error_message": PROMPT},
}  # fmt: skip
OTLP_ATTRIBUTES = [
    attribute("gen_ai.operation.name", "chat"),
    attribute("user.id", "a"),
    attribute("gen_ai.input.messages", MESSAGES),
    attribute(
        "gen_ai.output.messages", [{"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}]
    ),
    attribute("gen_ai.tool.definitions", TOOLS),
]
SPAN = {
    "traceId": "t",
    "spanId": "s",
    "startTimeUnixNano": "1767225600000000000",
    "attributes": OTLP_ATTRIBUTES,
}
ANTHROPIC = {"model": "m", "system": SYSTEM, "messages": MESSAGES[1:], "max_tokens": 9, "tools": TOOLS}
LOGS = {
    "litellm": LITELLM,
    "otlp": {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]},
    "openai": {"ts": 1767225600, "account_id": "a", "note": PROMPT, "request": {"messages": MESSAGES, "tools": TOOLS}, "response": CHAT},
    "anthropic": {"ts": 1767225600, "account_id": "a", "request": ANTHROPIC, "response": {"type": "message", "content": [{"type": "text", "text": ANSWER}]}},
    "envoy": {"start_time": "2026-01-01T00:00:00Z", "x-account-id": "a", "response_code": 200, "duration": 1, "x-request-id": "r", "user-agent": "u", "upstream_host": PROMPT, "path": "/v1/chat?q=" + PROMPT},
    "ndjson": {"exchange_id": "e", "ts": 1767225600, "account_id": "a", "messages": MESSAGES, "tools": TOOLS, "remark": PROMPT, "extra": {"said": ANSWER}},
}  # fmt: skip


def contents(root: Path) -> bytes:
    """Return every byte under `root`, and every value of every Parquet file."""
    found = []
    for path in root.rglob("*"):
        if path.is_file():
            found.append(path.read_bytes())
        if path.suffix == ".parquet":
            found.append(json.dumps(pq.read_table(path).to_pylist(), default=str).encode())
    return b"\n".join(found)


def require_clean(root: Path) -> None:
    written = contents(root)
    assert b"key_id" in written
    for words in WORDS:
        for part in (words, *words.split()):
            assert part.encode() not in written
            assert part.title().encode() not in written


def run(store: Path, key, *files: Path, **options) -> int:
    with StoreWriter(store) as writer:
        return ingest_files(files, writer, key, IngestOptions(now=NOW, **options), Silent()).exchanges


@pytest.mark.parametrize("name", LOGS)
def test_no_text_of_a_log_is_written(name, tmp_path, key):
    file, store = tmp_path / "log", tmp_path / "store"
    good = json.dumps(LOGS[name]).encode()
    damaged = [good[: len(good) * share // 9] for share in range(2, 9)]
    file.write_bytes(b"\n".join([good, *damaged, good.replace(b"1767225600", b'"x"'), good + good]) + b"\n")
    assert run(store, key, file) >= 1
    require_clean(store)


def test_no_text_of_a_table_is_written(tmp_path, key):
    columns = {
        name: [text]
        for name, text in (("system", SYSTEM), ("history", HISTORY), ("prompt", PROMPT), ("remark", ANSWER))
    }
    table = pa.table(
        {
            "exchange_id": ["e"],
            "ts": [1767225600],
            "account_id": ["a"],
            "tools": [json.dumps(TOOLS)],
            **columns,
        }
    )
    pq.write_table(table, tmp_path / "log.parquet")
    assert run(tmp_path / "store", key, tmp_path / "log.parquet") == 1
    require_clean(tmp_path / "store")


def test_no_text_is_left_by_a_run_that_stops(tmp_path, key):
    file, store = tmp_path / "log", tmp_path / "store"
    good = [json.dumps(LOGS["ndjson"] | {"exchange_id": f"e{n}"}) for n in range(300)]
    file.write_text("\n".join([*good, *["{" + PROMPT] * 200]) + "\n")
    with pytest.raises(InputError) as error:
        run(store, key, file, block_rows=50)
    assert PROMPT not in str(error.value)
    (store / "witness").write_text("key_id")
    require_clean(store)
