"""Moments as text."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(moment: int) -> str:
    """Write microseconds since 1970 as an ISO 8601 time in UTC."""
    seconds, micros = divmod(moment, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%S}.{micros:06d}Z"
