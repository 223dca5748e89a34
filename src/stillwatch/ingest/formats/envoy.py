"""JSON access log of Envoy and of Envoy AI Gateway: no text, but accounts, addresses, models and tokens."""

# ruff: noqa: E501 - examples of log lines are whole lines

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stillwatch.ingest.draft import Reading, row_of
from stillwatch.ingest.formats.client import JA4_HEADERS, address
from stillwatch.ingest.formats.contract import line_decoder
from stillwatch.ingest.formats.records import RecordFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = {
    "ts": ("start_time", "timestamp", "@timestamp", "time"),
    "exchange_id": ("x-request-id", "x_request_id", "request_id"),
    "account_id": ("x-account-id", "x_account_id", "account_id", "user.id", "x-user-id", "x_user_id"),
    "org_id": ("x-org-id", "x_org_id", "org_id", "x-tenant-id"),
    "key_id": ("x-api-key-id", "x_api_key_id", "api_key_id", "key_id"),
    "conversation_id": ("session.id", "x-session-id", "x_session_id", "agent-session-id"),
    "ip": ("x-forwarded-for", "x_forwarded_for", "client_ip", "downstream_remote_address"),
    "user_agent": ("user-agent", "user_agent"),
    "client_fingerprint": (*JA4_HEADERS, "ja4"),
    "model": ("gen_ai.request.model", "x-ai-eg-model", "gen_ai.response.model", "model"),
    "endpoint": ("x-envoy-origin-path", "x_envoy_origin_path", "path"),
    "input_tokens": ("gen_ai.usage.input_tokens", "input_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "output_tokens"),
    "cached_tokens": ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cached_input_tokens"),
    "latency_ms": ("duration",),
    "cost": ("cost",),
    "status": ("response_code",),
}
_SIGNS = (
    "start_time", "response_code", "duration", "x-request-id", "x_request_id", "downstream_remote_address",
    "response_flags", "upstream_host", "x-forwarded-for", "user-agent", "upstream_cluster", "bytes_sent",
)  # fmt: skip


def _resembles(record: Mapping[str, Any]) -> float:
    found = sum(sign in record for sign in _SIGNS) + any(name.startswith("gen_ai.") for name in record)
    return min(found / 5, 1.0) if "messages" not in record and "request" not in record else 0.0


def _read(record: dict[str, Any], account_fields: tuple[str, ...]) -> Reading:
    values = {column: _first(record, names) for column, names in _NAMES.items()}
    values["account_id"] = _first(record, account_fields) or values["account_id"]
    values["ts"] = values["ts"] or "missing"
    values["ip"] = address(values["ip"])
    values["endpoint"] = str(values["endpoint"] or "").partition("?")[0]
    return Reading(row_of(values))


def _first(record: dict[str, Any], names: tuple[str, ...]) -> Any:
    """Return the first value there is; Envoy writes a dash for what is not there."""
    return next((record[name] for name in names if record.get(name) not in (None, "", "-")), None)


ENVOY = RecordFormat(
    name="envoy",
    title="Envoy AI Gateway access log",
    account_sources="x-account-id, account_id, user.id or x-user-id",
    decoder=line_decoder(dict[str, Any]),
    examples=(
        b'{"start_time":"2026-01-01T00:00:00.123Z","method":"POST","x-envoy-origin-path":"/v1/chat/completions","response_code":200,"duration":812,"bytes_sent":943,"user-agent":"OpenAI/Python 2.54.0","x-request-id":"6f1d","x-forwarded-for":"192.0.2.9, 10.0.0.1","x-account-id":"acct-1","gen_ai.request.model":"gpt-x","gen_ai.provider.name":"openai","gen_ai.usage.input_tokens":9,"gen_ai.usage.output_tokens":"4","response_flags":"-"}',
    ),
    resembles=_resembles,
    read_record=_read,
)
"""Reads the access log that `docs/formats.md` shows how to configure."""
