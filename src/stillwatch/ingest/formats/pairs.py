"""Envelopes around request and answer, as proxies dump them: who, when and from where.

Names differ from proxy to proxy, so each column has a list of names that are looked for in turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from stillwatch.ingest.formats.client import address, client_fingerprint, credential, lower_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Envelope = dict[str, msgspec.Raw]
"""One decoded line: names and values that are not decoded yet."""

T = TypeVar("T")

ACCOUNT_SOURCES = "account_id, user_id or customer_id beside the request, or a key in its headers"
REQUEST = ("request", "request_body", "req", "input_body")
RESPONSE = ("response", "response_body", "res", "resp", "output_body")
_HEADERS = ("headers", "request_headers")
_TIME = ("ts", "timestamp", "time", "start_time", "started_at", "created_at", "startTime")
_NAMES = {
    "ts": _TIME,
    "exchange_id": ("exchange_id", "request_id", "id"),
    "account_id": ("account_id", "account", "customer_id", "user_id"),
    "org_id": ("org_id", "organization_id", "organization", "team_id", "tenant_id"),
    "key_id": ("key_id", "api_key_id", "api_key_hash"),
    "channel": ("channel",),
    "conversation_id": ("conversation_id", "session_id"),
    "end_user_id": ("end_user_id",),
    "ip": ("ip", "client_ip", "remote_addr", "remote_ip"),
    "asn": ("asn",),
    "user_agent": ("user_agent",),
    "client_fingerprint": ("client_fingerprint", "ja4"),
    "endpoint": ("endpoint", "path", "url"),
    "latency_ms": ("latency_ms", "duration_ms"),
    "cost": ("cost",),
    "currency": ("currency",),
    "status": ("status", "status_code"),
    "decision_id": ("decision_id",),
}


def envelope_columns(envelope: Envelope, account_fields: tuple[str, ...]) -> dict[str, Any]:
    """Return the canonical columns that `envelope` and the headers in it tell."""
    found = {column: _first(envelope, names) for column, names in _NAMES.items()}
    found["account_id"] = _first(envelope, account_fields) or found["account_id"]
    inner = {part: _inside(envelope, names) for part, names in (("sent", REQUEST), ("got", RESPONSE))}
    headers = lower_headers(_first(envelope, _HEADERS) or inner["sent"].get("headers"))
    found["endpoint"] = _path(found["endpoint"] or inner["sent"].get("path") or inner["sent"].get("url"))
    found["status"] = found["status"] or inner["got"].get("status") or inner["got"].get("status_code")
    found["status"] = found["status"] if str(found["status"]).isdigit() else None
    found["account_id"] = found["account_id"] or next(
        (headers[n] for n in account_fields if n in headers), None
    )
    found["ip"] = address(found["ip"] or headers.get("x-forwarded-for") or headers.get("x-real-ip"))
    found["user_agent"] = found["user_agent"] or headers.get("user-agent")
    found["client_fingerprint"] = found["client_fingerprint"] or client_fingerprint(headers)
    found["exchange_id"] = found["exchange_id"] or headers.get("x-request-id")
    found["credential"] = credential(headers)
    return found


def body(envelope: Envelope, names: tuple[str, ...]) -> bytes:
    """Return the JSON (or the event stream) of a request or answer, wherever it is wrapped; empty if none.

    A body may be JSON itself, a string that holds it, or lie under `body` beside headers and address.
    """
    raw = next((bytes(envelope[name]) for name in names if name in envelope), b"")
    raw = _unquoted(raw)
    if raw[:1] == b"{":
        outer = msgspec.json.decode(raw, type=_Wrapped)
        if bytes(outer.body):
            return _unquoted(bytes(outer.body))
    return b"" if raw == b"null" else raw


def request_body(envelope: Envelope) -> bytes:
    """Return the JSON of the request.

    Raises:
        msgspec.ValidationError: There is none.
    """
    raw = body(envelope, REQUEST)
    if not raw:
        raise msgspec.ValidationError("Object missing required field `request`")
    return raw


class _Wrapped(msgspec.Struct):
    body: msgspec.Raw = msgspec.Raw(b"")


def _unquoted(raw: bytes) -> bytes:
    return msgspec.json.decode(raw, type=str).encode() if raw[:1] == b'"' else raw


def _inside(envelope: Envelope, names: tuple[str, ...]) -> dict[str, Any]:
    """Return what stands beside the body of a request or answer that is wrapped."""
    raw = next((bytes(envelope[name]) for name in names if name in envelope), b"")
    if raw[:1] != b"{" or b'"body"' not in raw:
        return {}
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    if "body" not in fields:
        return {}
    wanted = ("headers", "path", "url", "status", "status_code")
    return {name: msgspec.json.decode(bytes(fields[name])) for name in wanted if name in fields}


def _first(envelope: Envelope, names: tuple[str, ...]) -> Any:
    for name in names:
        if name in envelope:
            value = msgspec.json.decode(bytes(envelope[name]))
            if value is not None and value != "":
                return value
    return None


def _path(address_or_path: Any) -> str | None:
    """Return the path of a URL without its query, which may hold secrets."""
    if not isinstance(address_or_path, str):
        return None
    path = address_or_path.partition("?")[0]
    return "/" + path.split("//", 1)[1].partition("/")[2] if "//" in path else path


def events(stream: bytes) -> Iterator[bytes]:
    """Yield the JSON of each server-sent event of an answer that was streamed (WHATWG HTML, section 9.2)."""
    for line in stream.splitlines():
        if line.startswith(b"data:"):
            data = line[5:].strip()
            if data[:1] == b"{":
                yield data


def is_stream(raw: bytes) -> bool:
    """Say whether an answer is a list of server-sent events."""
    return raw.lstrip()[:5] in (b"data:", b"event")


def answer(raw: bytes, decoder: msgspec.json.Decoder[T | list[T]], join: Callable[[list[T]], T]) -> T:
    """Return the answer; where it was streamed, or lies in several pieces, they are joined.

    Args:
        raw: JSON of an answer or of a list of pieces, or server-sent events; empty where there is none.
        decoder: Decodes an answer, or one piece of it.
        join: Makes one answer of its pieces, and an empty one of none.
    """
    if is_stream(raw):
        found = [piece for piece in map(decoder.decode, events(raw)) if not isinstance(piece, list)]
        return join(found)
    whole = decoder.decode(raw) if raw else []
    return join(whole) if isinstance(whole, list) else whole


def pair_of(record: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """Return decoded request and answer of a line whose format is to be told, or None if it is no pair."""
    request, response = (_decoded(record, names) for names in (REQUEST, RESPONSE))
    return None if request is None else (request, response or {})


def _decoded(record: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, Any] | None:
    value = next((record[name] for name in names if name in record), None)
    if isinstance(value, dict) and "body" in value:
        value = value["body"]
    if isinstance(value, str):
        chunks = list(events(value.encode())) if is_stream(value.encode()) else [value.encode()]
        try:
            value = msgspec.json.decode(chunks[0]) if chunks else None
        except (msgspec.MsgspecError, RecursionError):
            return None
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, dict) else None
