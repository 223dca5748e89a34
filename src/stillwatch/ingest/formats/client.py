"""What headers tell of the client's software, its address and its key."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

JA4_HEADERS = ("x-ja4", "x-ja4-fingerprint", "cf-ja4", "x-client-ja4", "x-amzn-ja4-fingerprint")
"""Headers into which gateways and content networks are usually told to put the JA4 fingerprint."""

CLIENT_HEADERS = {
    "ja4": "x-ja4",
    "x_ja4": "x-ja4-fingerprint",
    "lang": "x-stainless-lang",
    "version": "x-stainless-package-version",
    "os": "x-stainless-os",
    "arch": "x-stainless-arch",
    "runtime": "x-stainless-runtime",
    "runtime_version": "x-stainless-runtime-version",
}
"""Headers by which the OpenAI and Anthropic clients tell what they run on."""

# These come and go from one request of a client to the next, or are put in on the way.
_PASSING = frozenset(
    {
        "content-length",
        "x-forwarded-for",
        "x-real-ip",
        "x-request-id",
        "traceparent",
        "tracestate",
        "cookie",
        "via",
    }
)


@lru_cache(maxsize=4096)
def stainless(*told: str | None) -> str:
    """Return the client fingerprint made of what the client tells of itself."""
    return "sdk:" + "/".join(part or "" for part in told)


def client_fingerprint(headers: Mapping[str, str]) -> str | None:
    """Return the best fingerprint in `headers` (names in lower case): JA4, SDK, or order of the names."""
    for name in JA4_HEADERS:
        if headers.get(name):
            return f"ja4:{headers[name]}"
    if headers.get("x-stainless-lang"):
        names = ("lang", "version", "os", "arch", "runtime", "runtime_version")
        return stainless(*(headers.get(CLIENT_HEADERS[name]) for name in names))
    order = ",".join(name for name in headers if name not in _PASSING)
    return f"order:{blake2b(order.encode(), digest_size=8).hexdigest()}" if order else None


def lower_headers(headers: Any) -> dict[str, str]:
    """Return headers, given as an object or a list of pairs, with names in lower case."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers if isinstance(headers, list) else ()
    named = [pair for pair in pairs if isinstance(pair, (tuple, list)) and len(pair) == 2]
    return {str(name).lower(): _first(value) for name, value in named if value is not None}


def _first(value: Any) -> str:
    return str(value[0]) if isinstance(value, list) and value else str(value)


def address(value: str | None) -> str | None:
    """Return the client's address out of a forwarding chain or an address with a port."""
    if not value:
        return None
    first = value.split(",", 1)[0].strip()
    if first.startswith("["):
        return first[1:].partition("]")[0] or None
    host, colon, port = first.rpartition(":")
    return host if colon and port.isdigit() and ":" not in host else first or None


def credential(headers: Mapping[str, str]) -> str | None:
    """Return the secret that the client showed; only a keyed hash of it may be kept."""
    shown = headers.get("x-api-key") or headers.get("api-key") or headers.get("authorization")
    return shown.removeprefix("Bearer ").removeprefix("bearer ").strip() or None if shown else None
