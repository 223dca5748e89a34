"""Columns of the tables that move between the parts, as Arrow schemas with versions.

All fingerprints are signed 64-bit integers (the two's complement of the unsigned hash), because Spark has
no unsigned type. A source may lack any column but `exchange_id`, `ts` and `account_id`; a missing value is
null, never a sentinel.
"""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = 1

_TIMESTAMP = pa.timestamp("us", tz="UTC")

_IDENTITY = [
    pa.field("exchange_id", pa.string(), nullable=False),
    pa.field("ts", _TIMESTAMP, nullable=False),
    pa.field("account_id", pa.string(), nullable=False),
    pa.field("org_id", pa.string()),
    pa.field("key_id", pa.string()),
    pa.field("channel", pa.string()),
    pa.field("conversation_id", pa.string()),
    pa.field("end_user_id", pa.string()),
]
_ORIGIN = [
    pa.field("ip", pa.string()),
    pa.field("asn", pa.int64()),
    pa.field("user_agent", pa.string()),
    pa.field("client_fingerprint", pa.string()),
]
_REQUEST = [
    pa.field("model", pa.string()),
    pa.field("endpoint", pa.string()),
    pa.field("max_tokens", pa.int64()),
    pa.field("temperature", pa.float64()),
    pa.field("top_p", pa.float64()),
    pa.field("n", pa.int32()),
    pa.field("logprobs", pa.bool_()),
    pa.field("stream", pa.bool_()),
    pa.field("tool_names", pa.list_(pa.string())),
    pa.field("turn", pa.int32()),
]
_COUNTS = [
    pa.field("input_tokens", pa.int64()),
    pa.field("output_tokens", pa.int64()),
    pa.field("reasoning_tokens", pa.int64()),
    pa.field("cached_tokens", pa.int64()),
    pa.field("latency_ms", pa.float64()),
    pa.field("cost", pa.float64()),
    pa.field("currency", pa.string()),
]
_OUTCOME = [
    pa.field("finish_reason", pa.string()),
    pa.field("refusal_category", pa.string()),
    pa.field("status", pa.int32()),
    pa.field("decision_id", pa.string()),
]
_FINGERPRINTS = [
    pa.field("account_fp", pa.int64(), nullable=False),
    pa.field("keys", pa.list_(pa.int64())),
    pa.field("system_fp", pa.int64()),
    pa.field("tools_fp", pa.int64()),
    pa.field("sampling_fp", pa.int64()),
    pa.field("client_fp", pa.int64()),
    pa.field("item_fp", pa.int64()),
    pa.field("prefix_fp", pa.int64()),
    pa.field("reasoning_block_ids", pa.list_(pa.int64())),
    pa.field("cell", pa.int16()),
    pa.field("language", pa.string()),
    pa.field("elicitation", pa.int32()),
]
_PROVENANCE = [
    pa.field("source", pa.string(), nullable=False),
    pa.field("source_ref", pa.string(), nullable=False),
    pa.field("schema_version", pa.int16(), nullable=False),
    pa.field("extra", pa.string()),
]

EXCHANGE_SCHEMA = pa.schema(
    _IDENTITY + _ORIGIN + _REQUEST + _COUNTS + _OUTCOME + _FINGERPRINTS + _PROVENANCE,
    metadata={b"stillwatch.table": b"exchange", b"stillwatch.version": str(SCHEMA_VERSION).encode()},
)
"""One row an exchange. `keys` holds text keys only; each carries its `KeyKind` in its four lowest bits.

`extra` is a JSON object of columns that this version does not know (identifiers and numbers only: a
string that could be prose is dropped at ingest).
"""

ACCOUNT_SCHEMA = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("account_fp", pa.int64(), nullable=False),
        pa.field("org_id", pa.string()),
        pa.field("created_at", _TIMESTAMP),
        pa.field("closed_at", _TIMESTAMP),
        pa.field("plan", pa.string()),
        pa.field("payment_fp", pa.string()),
        pa.field("payment_kind", pa.string()),
        pa.field("email_domain", pa.string()),
        pa.field("signup_ip", pa.string()),
        pa.field("device_fp", pa.string()),
        pa.field("country", pa.string()),
        pa.field("verified", pa.list_(pa.string())),
        pa.field("declared_use", pa.string()),
        pa.field("programme", pa.string()),
        pa.field("reseller_of", pa.string()),
        pa.field("extra", pa.string()),
    ],
    metadata={b"stillwatch.table": b"account", b"stillwatch.version": str(SCHEMA_VERSION).encode()},
)
"""One row an account, as the operator's own records have it."""

ENFORCEMENT_SCHEMA = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("account_fp", pa.int64(), nullable=False),
        pa.field("ts", _TIMESTAMP, nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("extra", pa.string()),
    ],
    metadata={b"stillwatch.table": b"enforcement", b"stillwatch.version": str(SCHEMA_VERSION).encode()},
)
"""One row an action of the operator: limit, challenge, ban, reinstate or appeal."""

PAYMENT_KINDS = ("card", "virtual_card", "prepaid", "invoice", "none")
VERIFICATIONS = ("email", "phone", "payment", "organisation", "identity")
ENFORCEMENT_KINDS = ("limit", "challenge", "ban", "reinstate", "appeal")

TEXT_SCHEMA = pa.schema(
    [
        pa.field("system", pa.string()),
        pa.field("history", pa.string()),
        pa.field("prompt", pa.string()),
        pa.field("tools", pa.string()),
    ]
)
"""The text of one exchange on its way into the fingerprint kernel; never written anywhere.

`system` is the system prompt; `history` all turns before the newest user turn, each led by its role and a
newline and closed by a newline; `prompt` the newest user turn; `tools` the tool definitions as JSON with
sorted keys.
"""
