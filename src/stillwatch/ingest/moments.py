"""Times as logs write them: seconds to nanoseconds since 1970, or ISO 8601."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

Moment = float | int | str
"""A time as a log gives it."""

UNREADABLE = np.iinfo(np.int64).min
"""Stands for a time that could not be read, until the row is rejected."""

# A number is taken for the largest unit in which it lies before the year 5138; no unit's range meets
# another's between 1973 and then.
_UNITS = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (np.inf, 1e-3))


def microseconds(moments: Sequence[Moment | None]) -> npt.NDArray[np.int64]:
    """Return `moments` as microseconds since 1970 UTC; what cannot be read becomes `UNREADABLE`.

    Numbers are seconds, milliseconds, microseconds or nanoseconds by their size; a number in a string is
    read as a number; a time without a zone is taken as UTC.
    """
    try:
        numbers = np.array(moments, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.empty((0, 0))
    if numbers.ndim == 1:  # it is not where each moment is a list itself
        return _scaled(numbers)
    return np.fromiter((_one(moment) for moment in moments), np.int64, len(moments))


def timestamps(values: npt.NDArray[np.int64]) -> pa.Array:
    """Return microseconds as an Arrow array in which what could not be read is null."""
    stamps = pa.array(values, mask=values == UNREADABLE)
    return stamps.view(pa.timestamp("us", tz="UTC"))


def _scaled(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    size = np.abs(numbers)
    factor = np.select([size < limit for limit, _ in _UNITS], [unit for _, unit in _UNITS], np.nan)
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = np.round(numbers * factor)
        readable = np.isfinite(scaled) & (np.abs(scaled) < 2.0**62)
    return np.where(readable, np.where(readable, scaled, 0).astype(np.int64), UNREADABLE)


def _one(moment: Moment | None) -> int:
    if isinstance(moment, str):
        return _text(moment.strip())
    if moment is None or isinstance(moment, bool) or not isinstance(moment, int | float):
        return int(UNREADABLE)
    return _number(moment)


def _number(moment: float) -> int:
    try:
        return int(_scaled(np.array([moment], np.float64))[0])
    except OverflowError:
        return int(UNREADABLE)


def _text(moment: str) -> int:
    try:
        return _number(float(moment))
    except ValueError:
        pass
    try:
        when = datetime.fromisoformat(moment)
    except ValueError:
        return int(UNREADABLE)
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    try:
        since = when - datetime(1970, 1, 1, tzinfo=UTC)
    except OverflowError:
        return int(UNREADABLE)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
