"""OTLP traces in JSON, with the semantic conventions for generative AI: one export request a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from stillwatch.worlds.canonical_log import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from stillwatch.worlds.view import Rendered

_STRINGS = {
    "model": "gen_ai.request.model",
    "account_id": "user.id",
    "org_id": "organization.id",
    "key_id": "api_key.hash",
    "conversation_id": "gen_ai.conversation.id",
    "ip": "client.address",
    "user_agent": "user_agent.original",
}
_NUMBERS = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "status": "http.response.status_code",
}
_SETTINGS = {
    "temperature": ("gen_ai.request.temperature", "doubleValue"),
    "top_p": ("gen_ai.request.top_p", "doubleValue"),
    "max_tokens": ("gen_ai.request.max_tokens", "intValue"),
    "n": ("gen_ai.request.choice.count", "intValue"),
    "stream": ("gen_ai.request.stream", "boolValue"),
}
_RESOURCE = {"attributes": [{"key": "service.name", "value": {"stringValue": "gateway"}}]}


def lines(view: Rendered, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Iterator[bytes]:
    """Render the exchanges `rows` as spans, one export request of one span a line, without line ends."""
    encode = msgspec.json.Encoder().encode
    for row, (*values, parameters) in zip(rows.tolist(), zip(*view.columns(rows), strict=True), strict=True):
        span = _span(view, row, dict(zip(FIELDS, values, strict=True)), parameters)
        yield encode({"resourceSpans": [{"resource": _RESOURCE, "scopeSpans": [{"spans": [span]}]}]})


def identity(exchange_id: str) -> str:
    """Return the id that a span of this exchange has after ingest: trace and span."""
    trace, span = _ids(exchange_id)
    return f"{trace}:{span}"


def _ids(exchange_id: str) -> tuple[str, str]:
    digits = exchange_id.ljust(32, "0")
    return digits[:32], exchange_id[:16]


def _span(view: Rendered, row: int, record: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    good = record["status"] == 200
    trace, span = _ids(record["exchange_id"])
    attributes = [_text("gen_ai.operation.name", "chat")]
    attributes += [_text(key, record[name]) for name, key in _STRINGS.items() if record[name] is not None]
    attributes += [_number(key, record[name]) for name, key in _NUMBERS.items()]
    attributes += [
        {"key": key, "value": {kind: str(parameters[name]) if kind == "intValue" else parameters[name]}}
        for name, (key, kind) in _SETTINGS.items()
        if name in parameters
    ]
    attributes += _said(view, row, parameters)
    if good:
        reasons = {"arrayValue": {"values": [{"stringValue": record["finish_reason"]}]}}
        attributes.append({"key": "gen_ai.response.finish_reasons", "value": reasons})
    return {
        "traceId": trace,
        "spanId": span,
        "name": f"chat {record['model']}",
        "kind": 3,
        "startTimeUnixNano": str(record["ts"] * 1000),
        "endTimeUnixNano": str((record["ts"] + record["latency_ms"] * 1000) * 1000),
        "attributes": attributes,
        "status": {} if good else {"code": 2},
    }


def _said(view: Rendered, row: int, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    told = [_text("gen_ai.input.messages", view.messages.turns(row).decode())]
    system = view.messages.system(row)
    if system is not None:
        told.append(_text("gen_ai.system_instructions", system.decode()))
    if "tools" in parameters:
        told.append(_text("gen_ai.tool.definitions", bytes(parameters["tools"]).decode()))
    return told


def _text(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def _number(key: str, value: int) -> dict[str, Any]:
    return {"key": key, "value": {"intValue": str(value)}}
