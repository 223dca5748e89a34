"""Pairs of request and answer, as a proxy dumps them: the interfaces of OpenAI and of Anthropic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from stillwatch.worlds.canonical_log import FIELDS
from stillwatch.worlds.times import iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from stillwatch.worlds.view import Rendered

    Rows = np.ndarray[tuple[int], np.dtype[np.int64]]

_BESIDE = ("exchange_id", "conversation_id", "account_id", "org_id", "key_id", "ip", "end_user_id", "channel")
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_LIMIT = 4096
"""Anthropic's interface has no default for `max_tokens`; clients that set none elsewhere set this."""


def openai_lines(view: Rendered, rows: Rows) -> Iterator[bytes]:
    """Render the exchanges `rows` as pairs of chat completions, one a line, without line ends."""
    encode = msgspec.json.Encoder().encode
    for row, record, parameters in _records(view, rows):
        request = {"model": record["model"], "messages": msgspec.Raw(view.messages.sent(row)), **parameters}
        good = record["status"] == 200
        answer = _completion(record, msgspec.Raw(view.messages.answered(row))) if good else _error(record)
        yield encode(_envelope(record, "/v1/chat/completions", request, answer))


def anthropic_lines(view: Rendered, rows: Rows) -> Iterator[bytes]:
    """Render the exchanges `rows` as pairs of Anthropic messages, one a line, without line ends."""
    encode = msgspec.json.Encoder().encode
    for row, record, parameters in _records(view, rows):
        request = {"model": record["model"], "max_tokens": parameters.get("max_tokens", _LIMIT)}
        request |= {
            name: parameters[name] for name in ("temperature", "top_p", "stream") if name in parameters
        }
        system = view.messages.system(row)
        if system is not None:
            request["system"] = msgspec.Raw(system)
        if "tools" in parameters:
            request["tools"] = [_tool(tool) for tool in msgspec.json.decode(bytes(parameters["tools"]))]
        request["messages"] = msgspec.Raw(view.messages.turns(row))
        good = record["status"] == 200
        answer = _message(record, view.messages.answered(row)) if good else _error(record)
        yield encode(_envelope(record, "/v1/messages", request, answer))


def _records(view: Rendered, rows: Rows) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    columns = zip(*view.columns(rows), strict=True)
    for row, (*values, parameters) in zip(rows.tolist(), columns, strict=True):
        record = dict(zip(FIELDS, values, strict=True))
        if record["status"] != 200:
            record["exchange_id"] += f"~{record['ts'] / 1e6}"
        yield row, record, parameters


def _envelope(record: dict[str, Any], path: str, request: Any, answer: Any) -> dict[str, Any]:
    beside = {name: record[name] for name in _BESIDE if record[name] is not None}
    headers = {"user-agent": record["user_agent"], **(record["client_fingerprint"] or {})}
    return {
        "ts": iso(record["ts"]),
        **beside,
        "path": path,
        "status": record["status"],
        "latency_ms": record["latency_ms"],
        "headers": headers,
        "request": request,
        "response": answer,
    }


def _completion(record: dict[str, Any], message: msgspec.Raw) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{record['exchange_id']}",
        "object": "chat.completion",
        "created": record["ts"] // 1_000_000,
        "model": record["model"],
        "choices": [{"index": 0, "finish_reason": record["finish_reason"], "message": message}],
        "usage": {
            "prompt_tokens": record["input_tokens"],
            "completion_tokens": record["output_tokens"],
            "total_tokens": record["input_tokens"] + record["output_tokens"],
            "completion_tokens_details": {"reasoning_tokens": record["reasoning_tokens"]},
            "prompt_tokens_details": {"cached_tokens": record["cached_tokens"]},
        },
    }


def _message(record: dict[str, Any], answered: bytes) -> dict[str, Any]:
    told = msgspec.json.decode(answered, type=dict[str, msgspec.Raw])
    return {
        "id": f"msg_{record['exchange_id']}",
        "type": "message",
        "role": "assistant",
        "model": record["model"],
        "content": told["content"],
        "stop_reason": _STOPS.get(record["finish_reason"], record["finish_reason"]),
        "usage": {
            "input_tokens": record["input_tokens"] - record["cached_tokens"],
            "cache_read_input_tokens": record["cached_tokens"],
            "output_tokens": record["output_tokens"],
        },
    }


def _error(record: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"type": "error", "code": record["status"]}}


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    function = tool["function"]
    return {
        "name": function["name"],
        "description": function["description"],
        "input_schema": function["parameters"],
    }
