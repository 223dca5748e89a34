"""NDJSON in the names of our own columns, with text that is fingerprinted and dropped."""

# ruff: noqa: E501 - examples of log lines are whole lines

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from stillwatch.ingest.conversation import Conversation, converse, read_tools, type_messages
from stillwatch.ingest.draft import (
    ROW_COLUMNS,
    Reading,
    row_of,
)
from stillwatch.ingest.formats.client import address
from stillwatch.ingest.formats.contract import line_decoder
from stillwatch.ingest.formats.records import RecordFormat
from stillwatch.model.columns import EXCHANGE_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT = ("system", "history", "prompt", "tools", "messages")
"""Names under which text may stand; it is fingerprinted and dropped."""

_KNOWN = frozenset(EXCHANGE_SCHEMA.names) | frozenset(TEXT)
_GIVEN = frozenset(ROW_COLUMNS) - {"extra"} | {"ts"}
_MESSAGES = msgspec.json.Decoder(type_messages, strict=False)
LONGEST_EXTRA = 64
MOST_EXTRAS = 64


def _resembles(record: Mapping[str, Any]) -> float:
    needed = sum(name in record for name in ("exchange_id", "ts", "account_id")) / 3
    return 0.0 if "request" in record or "response" in record else needed


def _read(record: dict[str, Any], account_fields: tuple[str, ...]) -> Reading:
    if record.get("exchange_id") in (None, ""):
        raise msgspec.ValidationError("Object missing required field `exchange_id`")
    conversation = read_text(record)
    kit = read_tools(record.get("tools"))
    values = {name: record[name] for name in _GIVEN if name in record}
    values.setdefault("tool_names", kit.names)
    named = next((record[name] for name in account_fields if record.get(name)), None)
    values["account_id"] = named or values.get("account_id")
    values["ip"] = address(values.get("ip"))
    kept = unknown_columns(record, conversation)
    values["extra"] = msgspec.json.encode(kept, order="sorted").decode() if kept else None
    return Reading(row_of(values, conversation), conversation, kit.definitions)


def read_text(record: Mapping[str, Any]) -> Conversation:
    """Return the text of a record that has either whole `messages` or the parts of a conversation.

    Raises:
        msgspec.ValidationError: `messages` is not a conversation, or a part is no text.
    """
    messages = record.get("messages")
    system, history, prompt = (_text(record, name) for name in ("system", "history", "prompt"))
    if messages is None:
        return Conversation(system, history, prompt, None, 0, ())
    raw = messages.encode() if isinstance(messages, str) else msgspec.json.encode(messages)
    return converse(_MESSAGES.decode(raw), system)


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise msgspec.ValidationError(f"Expected `str | null` - at `$.{name}`")
    return value or None


def unknown_columns(record: Mapping[str, Any], conversation: Conversation) -> dict[str, Any]:
    """Return what is kept of columns that this version does not know, and the number of images and the like."""
    kept = scalars(record, _KNOWN)
    return kept | ({"media": conversation.media} if conversation.media else {})


def scalars(record: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return numbers and identifiers in columns that are not `known`, and in the object `extra`.

    A string is kept up to 64 characters and without white space, so that no prose gets through.
    """
    nested = record.get("extra")
    found = dict(nested) if isinstance(nested, dict) else {}
    found |= {name: value for name, value in record.items() if name not in known and name != "extra"}
    kept = {name: value for name, value in found.items() if is_identifier(name) and _may_stay(value)}
    return dict(list(kept.items())[:MOST_EXTRAS])


def is_identifier(text: Any) -> bool:
    """Say whether `text` is short and without white space."""
    return isinstance(text, str) and 0 < len(text) <= LONGEST_EXTRA and not any(map(str.isspace, text))


def _may_stay(value: Any) -> bool:
    return isinstance(value, bool | int | float) or is_identifier(value)


NDJSON = RecordFormat(
    name="ndjson",
    title="canonical NDJSON",
    account_sources="account_id",
    decoder=line_decoder(dict[str, Any]),
    examples=(
        b'{"exchange_id":"e-1","ts":"2026-01-01T00:00:00Z","account_id":"acct-1","model":"gpt-x","ip":"192.0.2.1","input_tokens":12,"output_tokens":40,"temperature":0.7,"system":"Be brief.","prompt":"Name a river.","region":"eu-1"}',
        b'{"exchange_id":"e-2","ts":1767225600,"account_id":"acct-2","messages":[{"role":"user","content":"Name a lake."},{"role":"assistant","content":"Como"},{"role":"user","content":"Another."}],"tools":[{"type":"function","function":{"name":"look","parameters":{}}}]}',
    ),
    resembles=_resembles,
    read_record=_read,
)
"""Reads canonical NDJSON."""
