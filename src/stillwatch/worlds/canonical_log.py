"""The canonical exchange record (`model.columns`) as NDJSON, with the messages that ingest drops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from stillwatch.worlds.times import iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from stillwatch.worlds.view import Rendered

FIELDS = (
    "exchange_id", "conversation_id", "ts", "latency_ms", "account_id", "org_id", "key_id", "ip",
    "user_agent", "client_fingerprint", "end_user_id", "channel", "model", "status", "input_tokens",
    "output_tokens", "reasoning_tokens", "cached_tokens", "finish_reason",
)  # fmt: skip
"""Names of what `Rendered.columns` returns, in its order, without the parameters at its end."""


def lines(view: Rendered, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Iterator[bytes]:
    """Render the exchanges `rows` (indexes into the world) as one JSON object a line, without line ends."""
    encode = msgspec.json.Encoder().encode
    columns = zip(*view.columns(rows), strict=True)
    for row, (*values, parameters) in zip(rows.tolist(), columns, strict=True):
        record = dict(zip(FIELDS, values, strict=True))
        yield encode(_record(record, parameters, msgspec.Raw(view.messages.sent(row))))


def _record(record: dict[str, Any], parameters: dict[str, Any], messages: msgspec.Raw) -> dict[str, Any]:
    if record["status"] != 200:
        record["exchange_id"] += f"~{record['ts'] / 1e6}"
        record["finish_reason"] = None
    headers = record["client_fingerprint"]
    record |= {"ts": iso(record["ts"]), "endpoint": "/v1/chat/completions"}
    record["client_fingerprint"] = "|".join(headers.values()) if headers else None
    known = {name: value for name, value in record.items() if value is not None}
    return known | parameters | {"messages": messages, "schema_version": 1}
