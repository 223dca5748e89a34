"""Identifiers of accounts and exchanges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from stillwatch.worlds.wording import Words, mix

if TYPE_CHECKING:
    from stillwatch.worlds.streams import Streams

_DIGITS = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def names(prefix: str, count: int, rng: np.random.Generator) -> pa.StringArray:
    """Draw distinct random identifiers, as the first edition of worlds has them."""
    words = rng.integers(0, 1 << 63, (count, 2), dtype=np.int64)
    lead = f"{prefix}-" if prefix else ""
    return pa.array([f"{lead}{high:016x}{low:016x}" for high, low in words.tolist()])


def numbered(prefix: str, count: int, salt: int) -> pa.StringArray:
    """Name `count` things by sixteen hexadecimal digits, distinct under one salt."""
    return hexadecimal(prefix, mix(np.arange(count, dtype=np.uint64) + np.uint64(salt)))


def salt_of(streams: Streams, purpose: str) -> int:
    """Draw the salt of the identifiers of one block of accounts."""
    return int(streams.named(f"{purpose} ids").integers(0, 1 << 63))


def hexadecimal(prefix: str, words: Words) -> pa.StringArray:
    """Write 64-bit numbers as texts, without a Python object for each."""
    lead = prefix.encode()
    text = np.empty((len(words), len(lead) + 16), dtype=np.uint8)
    text[:, : len(lead)] = np.frombuffer(lead, dtype=np.uint8)
    for place in range(16):
        text[:, len(lead) + place] = _DIGITS[
            (words >> np.uint64(60 - 4 * place) & np.uint64(15)).astype(np.int64)
        ]
    offsets = np.arange(len(words) + 1, dtype=np.int32) * np.int32(text.shape[1])
    return pa.StringArray.from_buffers(len(words), pa.py_buffer(offsets), pa.py_buffer(text))
