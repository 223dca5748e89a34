"""The access log of an Envoy AI gateway: who, when, how much; no text, so detectors of text cannot run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from stillwatch.worlds.canonical_log import FIELDS
from stillwatch.worlds.times import iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from stillwatch.worlds.view import Rendered

_NAMES = {
    "account_id": "x-account-id",
    "org_id": "x-org-id",
    "key_id": "x-api-key-id",
    "conversation_id": "x-session-id",
    "ip": "x-forwarded-for",
    "user_agent": "user-agent",
    "model": "gen_ai.request.model",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "latency_ms": "duration",
    "status": "response_code",
}


def lines(view: Rendered, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Iterator[bytes]:
    """Render the exchanges `rows` as access log entries, one a line, without line ends."""
    encode = msgspec.json.Encoder().encode
    for values in zip(*view.columns(rows), strict=True):
        yield encode(_entry(dict(zip(FIELDS, values, strict=False))))


def _entry(record: dict[str, Any]) -> dict[str, Any]:
    name = record["exchange_id"]
    if record["status"] != 200:
        name += f"~{record['ts'] / 1e6}"
    return {
        "start_time": iso(record["ts"]),
        "method": "POST",
        "x-envoy-origin-path": "/v1/chat/completions",
        "x-request-id": name,
        **{key: "-" if record[field] is None else record[field] for field, key in _NAMES.items()},
        "bytes_sent": 4 * record["output_tokens"] + 400,
        "response_flags": "-",
    }
