"""Exact comparison: a fast keyed hash of bytes as they stand."""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from stillwatch.ingest.fingerprint.intrinsics import load64, mum
from stillwatch.ingest.fingerprint.siphash import partial

if TYPE_CHECKING:
    from numpy.typing import NDArray

RAW_0, RAW_1, RAW_2 = 3, 4, 5


@njit(nogil=True)
def raw_hash(secret: NDArray[np.uint64], address: int, length: int) -> np.uint64:
    """Hash `length` bytes as they stand; not normalised, for exact comparison."""
    k0, state = secret[RAW_0], secret[RAW_1]
    whole = length - length % 16
    for offset in range(0, whole, 16):
        state = mum(load64(address + offset) ^ k0, load64(address + offset + 8) ^ state)
    rest = length - whole
    low = partial(address + whole, min(rest, 8))
    high = partial(address + whole + 8, max(rest - 8, 0))
    state = mum(low ^ k0, high ^ state)
    return mum(state ^ np.uint64(length), secret[RAW_2])
