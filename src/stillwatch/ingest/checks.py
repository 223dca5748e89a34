"""What must hold of an exchange, whatever format it came in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.draft import Draft, Refusal

EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
LATEST_AHEAD = timedelta(days=1)
LONGEST_ID = 512
"""Characters of an identifier; what is longer is no identifier and might be prose."""
LONGEST_AGENT = 512
"""Characters that are kept of a user agent."""

_IDS = (
    "exchange_id", "account_id", "org_id", "key_id", "channel", "conversation_id", "end_user_id", "ip",
    "client_fingerprint", "model", "endpoint", "currency", "finish_reason", "refusal_category", "decision_id",
)  # fmt: skip
_COUNTS = (
    "asn", "max_tokens", "n", "turn", "input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens",
    "latency_ms", "cost", "status",
)  # fmt: skip

_SETTINGS = ("temperature", "top_p")

Mask = npt.NDArray[np.bool_]


class Checked(msgspec.Struct, frozen=True):
    """Outcome of the checks: rows to keep, and the index and reason of each row to reject."""

    keep: Mask
    refused: dict[int, Refusal]


def check(draft: Draft, account_sources: str, now: datetime) -> Checked:
    """Find the rows of `draft` that cannot be kept.

    Args:
        draft: Exchanges; `account_id` must hold the account already.
        account_sources: Where the account was looked for, in words.
        now: The present moment.
    """
    rows = draft.rows
    keep = np.ones(rows, bool)
    keep[list(draft.skipped)] = False
    refused = {index: why for index, why in draft.refused.items() if keep[index]}
    keep[list(refused)] = False
    for failing, why in _failures(draft, account_sources, now):
        for index in np.flatnonzero(failing & keep):
            refused[int(index)] = why
        keep &= ~failing
    return Checked(keep, refused)


def _failures(draft: Draft, account_sources: str, now: datetime) -> list[tuple[Mask, Refusal]]:
    account = draft.columns.get("account_id", pa.nulls(draft.rows, pa.string()))
    found = [
        (_times(draft.columns["ts"], now), Refusal(
            f"the time is missing, unreadable, before {EARLIEST.year} or more than a day ahead",
            "give seconds since 1970 or ISO 8601 with a zone, and check the clock",
        )),
        (_mask(pc.fill_null(pc.equal(pc.utf8_length(account), 0), fill_value=True)), Refusal(
            f"no account: looked for {account_sources}", "log one of these fields",
        )),
    ]  # fmt: skip
    for name in _COUNTS:
        if name in draft.columns:
            wrong = _out_of_range(draft.columns[name])
            if wrong is not None:
                found.append(
                    (wrong, Refusal(f"{name} is negative or no number", "log counts of zero or more"))
                )
    for name in _SETTINGS:
        if name in draft.columns:
            wrong = _not_finite(draft.columns[name])
            found.append((wrong, Refusal(f"{name} is not finite", "log a number, or nothing")))
    for name in _IDS:
        if name in draft.columns:
            wrong = _too_long(draft.columns[name])
            if wrong is not None:
                found.append(
                    (wrong, Refusal(f"{name} has more than {LONGEST_ID} characters", "log an identifier"))
                )
    return found


def _times(stamps: pa.Array, now: datetime) -> Mask:
    early, late = pa.scalar(EARLIEST, stamps.type), pa.scalar(now + LATEST_AHEAD, stamps.type)
    sound = pc.and_(pc.greater_equal(stamps, early), pc.less_equal(stamps, late))
    return ~_mask(pc.fill_null(sound, fill_value=False))


def _out_of_range(values: pa.Array) -> Mask | None:
    if values.null_count == len(values):
        return None
    least = pc.min(values).as_py()
    finite = not pa.types.is_floating(values.type) or np.isfinite(pc.sum(values).as_py())
    if finite and least >= 0:
        return None
    wrong = pc.less(values, 0)
    if pa.types.is_floating(values.type):
        wrong = pc.or_(wrong, pc.invert(pc.is_finite(values)))
    return _mask(pc.fill_null(wrong, fill_value=False))


def _not_finite(values: pa.Array) -> Mask:
    return _mask(pc.fill_null(pc.invert(pc.is_finite(values)), fill_value=False))


def _too_long(values: pa.Array) -> Mask | None:
    longest = pc.max(pc.binary_length(values)).as_py() or 0
    if longest <= LONGEST_ID:
        return None
    return _mask(pc.fill_null(pc.greater(pc.utf8_length(values), LONGEST_ID), fill_value=False))


def _mask(values: pa.Array) -> Mask:
    mask: Mask = values.to_numpy(zero_copy_only=False).astype(bool)
    return mask
