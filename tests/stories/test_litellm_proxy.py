"""LiteLLM's real proxy writes the logs that are ingested: mock model, real client, real logger.

The recipe is that of `docs/formats.md`: the proxy's own `generic_api` logger posts batches to a collector,
which appends each body as one line. Keys belong to users through `custom_auth`, because virtual keys would
need a database. Everything stays on the loopback interface.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest

from stillwatch.ingest import IngestOptions, ingest_files
from stillwatch.ingest.fingerprint import FingerprintKey
from stillwatch.model.progress import Silent
from stillwatch.store import StoreWriter, open_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("litellm") is None or find_spec("openai") is None, reason="needs litellm and openai"
    ),
]

USERS = {"sk-ann": ("ann", "red"), "sk-bob": ("bob", "red"), "sk-cyd": ("cyd", "blue")}
TEMPLATE = (
    "Explain step by step why the following claim about rivers holds, and end with one line of JSON: {}"
)
STARTUP_SECONDS = 120

CONFIG = """
model_list:
  - model_name: tiny
    litellm_params: {{model: openai/tiny-1, api_base: "http://127.0.0.1:{port}/v1", api_key: none}}
general_settings:
  custom_auth: users.authenticate
litellm_settings:
  callbacks: ["generic_api"]
  telemetry: false
"""
AUTHENTICATION = """
import hashlib

from litellm.proxy._types import UserAPIKeyAuth

USERS = {users!r}


async def authenticate(request, api_key):
    user, team = USERS[api_key]
    return UserAPIKeyAuth(api_key=hashlib.sha256(api_key.encode()).hexdigest(), user_id=user, team_id=team)
"""


class Upstream(BaseHTTPRequestHandler):
    """A model that says hello, and at /logs the collector."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/logs":
            with self.server.collected.open("ab") as file:
                file.write(body + b"\n")
            self.answer(b"{}", "application/json")
            return
        request = json.loads(body)
        self.answer(*(streamed(request) if request.get("stream") else whole(request)))

    def answer(self, body: bytes, kind: str):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def whole(request: dict) -> tuple[bytes, str]:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    said = {"content": None, "tool_calls": [call]} if request.get("tools") else {"content": "Hello"}
    choice = {"index": 0, "finish_reason": "tool_calls" if request.get("tools") else "stop"}
    usage = {
        "prompt_tokens": 11,
        "completion_tokens": 5,
        "total_tokens": 16,
        "completion_tokens_details": {"reasoning_tokens": 3},
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    choice["message"] = {"role": "assistant", **said}
    return json.dumps(
        head(request, "chat.completion") | {"choices": [choice], "usage": usage}
    ).encode(), "application/json"


def streamed(request: dict) -> tuple[bytes, str]:
    deltas = [({"role": "assistant", "content": "Hel"}, None), ({"content": "lo"}, None), ({}, "stop")]
    events = [
        head(request, "chat.completion.chunk")
        | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        for delta, finish in deltas
    ]
    events[-1]["usage"] = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return ("".join(lines) + "data: [DONE]\n\n").encode(), "text/event-stream"


def head(request: dict, kind: str) -> dict:
    return {
        "id": f"chatcmpl-{secrets.token_hex(8)}",
        "object": kind,
        "created": 1767225600,
        "model": request["model"],
    }


@pytest.fixture
def upstream(tmp_path) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.daemon_threads = True
    server.collected = tmp_path / "collected.ndjson"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(folder: Path, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(folder),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "LITELLM_MASTER_KEY": f"sk-{secrets.token_hex(24)}",
        "GENERIC_LOGGER_ENDPOINT": f"http://127.0.0.1:{port}/logs",
        "DEFAULT_FLUSH_INTERVAL_SECONDS": "1",
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture
def proxy(tmp_path, upstream) -> Iterator[str]:
    folder, port = tmp_path / "proxy", free_port()
    folder.mkdir()
    (folder / "config.yaml").write_text(CONFIG.format(port=upstream.server_port))
    (folder / "users.py").write_text(AUTHENTICATION.format(users=USERS))
    command = [
        Path(sys.executable).parent / "litellm",
        "--config",
        "config.yaml",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(folder, upstream.server_port), stdout=log, stderr=log
        )
        try:
            wait_until_ready(f"http://127.0.0.1:{port}/health/liveliness", process, folder / "proxy.log")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_ready(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the proxy did not start: {log.read_text()[-2000:]}")


def drive(base: str) -> None:
    """Three users ask: one template twice, a conversation, a stream, a tool."""
    from openai import OpenAI  # noqa: PLC0415 - slow, and only here

    clients = {key: OpenAI(api_key=key, base_url=base, max_retries=0, timeout=60) for key in USERS}
    ann, bob, cyd = clients.values()

    def ask(client, messages, **more):
        return client.chat.completions.create(model="tiny", messages=messages, **more)

    def user(text):
        return {"role": "user", "content": text}

    ask(
        ann,
        [user(TEMPLATE.format("the Elbe rises in the Giant Mountains"))],
        temperature=0.3,
        max_tokens=50,
        user="end-7",
    )
    ask(bob, [user(TEMPLATE.format("the Rhine passes Lake Constance first"))], temperature=0.3, max_tokens=50)
    ask(
        ann,
        [
            {"role": "system", "content": "Be brief."},
            user("Name a lake."),
            {"role": "assistant", "content": "Como"},
            user("Another?"),
        ],
    )
    tool = {
        "type": "function",
        "function": {
            "name": "look",
            "description": "Looks.",
            "parameters": {"type": "object", "properties": {}},
        },
    }
    assert ask(bob, [user("Look it up.")], tools=[tool]).choices[0].message.tool_calls
    pieces = ask(cyd, [user("Tell me a story.")], stream=True, stream_options={"include_usage": True})
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == "Hello"
    for client in clients.values():
        client.close()


def logged(file: Path, count: int) -> None:
    """Wait until `count` payloads have been collected."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lines = file.read_bytes().splitlines() if file.exists() else []
        if sum(len(json.loads(line)) for line in lines) >= count:
            return
        time.sleep(0.2)
    pytest.fail("the proxy did not log every request")


def test_logs_that_litellm_wrote_become_exchanges(proxy, upstream, tmp_path):
    drive(proxy)
    logged(upstream.collected, 5)
    key = FingerprintKey.from_bytes(bytes(range(32)))
    options = IngestOptions(now=datetime.now(UTC))
    with StoreWriter(tmp_path / "store") as writer:
        report = ingest_files([upstream.collected], writer, key, options, Silent())
        assert ingest_files([upstream.collected], writer, key, options, Silent()).exchanges == 0
    assert (report.exchanges, report.rejected, report.skipped) == (5, 0, 0)
    assert report.files[0].format == "litellm"
    with open_store(tmp_path / "store") as reader:
        rows = sorted(reader.exchanges().to_pyarrow().to_pylist(), key=lambda row: row["ts"])
    require_identity(rows)
    require_counts(rows)
    require_fingerprints(rows)


def require_identity(rows: list[dict]) -> None:
    assert [row["account_id"] for row in rows] == ["ann", "bob", "ann", "bob", "cyd"]
    assert [row["org_id"] for row in rows] == ["red", "red", "red", "red", "blue"]
    assert len({row["exchange_id"] for row in rows}) == 5
    assert len({row["key_id"] for row in rows}) == len({row["account_fp"] for row in rows}) == 3
    assert rows[0]["end_user_id"] == "end-7"
    assert {row["ip"] for row in rows} == {"127.0.0.1"}
    assert all(row["user_agent"].startswith("OpenAI/Python") for row in rows)
    assert all(row["client_fingerprint"].startswith("sdk:python/") for row in rows)
    assert all(abs(row["ts"] - datetime.now(UTC)) < timedelta(minutes=10) for row in rows)


def require_counts(rows: list[dict]) -> None:
    assert {row["model"] for row in rows} == {"tiny"}
    assert {row["endpoint"] for row in rows} == {"/v1/chat/completions"}
    assert [row["input_tokens"] for row in rows] == [11, 11, 11, 11, 7]
    assert [row["output_tokens"] for row in rows] == [5, 5, 5, 5, 2]
    assert [row["reasoning_tokens"] for row in rows[:4]] == [3] * 4
    assert [row["cached_tokens"] for row in rows[:4]] == [4] * 4
    assert [row["finish_reason"] for row in rows] == ["stop", "stop", "stop", "tool_calls", "stop"]
    assert [row["stream"] for row in rows] == [False, False, False, False, True]
    assert [row["turn"] for row in rows] == [1, 1, 2, 1, 1]
    assert [row["status"] for row in rows] == [200] * 5
    assert all(row["latency_ms"] > 0 for row in rows)
    assert (rows[0]["temperature"], rows[0]["max_tokens"]) == (0.3, 50)
    assert [row["tool_names"] for row in rows] == [None, None, None, ["look"], None]


def require_fingerprints(rows: list[dict]) -> None:
    """The template is shared, and nothing else is; one client, one sampling tuple."""
    keys = [set(row["keys"]) for row in rows]
    assert keys[0] & keys[1]
    assert not keys[0] & keys[4]
    assert rows[0]["item_fp"] != rows[1]["item_fp"]
    assert rows[0]["sampling_fp"] == rows[1]["sampling_fp"] is not None
    assert len({row["client_fp"] for row in rows}) == 1
    assert [row["system_fp"] is not None for row in rows] == [False, False, True, False, False]
    assert [row["tools_fp"] is not None for row in rows] == [False, False, False, True, False]
    assert [row["prefix_fp"] is not None for row in rows][2]
