"""SipHash-2-4, the pseudo-random function of everything that is stored.

Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012.
"""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from stillwatch.ingest.fingerprint.intrinsics import load8, load64

if TYPE_CHECKING:
    from numpy.typing import NDArray

_C0 = np.uint64(0x736F6D6570736575)
_C1 = np.uint64(0x646F72616E646F6D)
_C2 = np.uint64(0x6C7967656E657261)
_C3 = np.uint64(0x7465646279746573)
_FINAL = np.uint64(0xFF)
_BITS = np.uint64(64)
_TOP = np.uint64(56)

State = tuple[np.uint64, np.uint64, np.uint64, np.uint64]


@njit(nogil=True, forceinline=True)
def _rotate(value: np.uint64, bits: np.uint64) -> np.uint64:
    return (value << bits) | (value >> (_BITS - bits))


@njit(nogil=True, forceinline=True)
def _round(v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64) -> State:
    v0, v2 = v0 + v1, v2 + v3
    v1 = _rotate(v1, np.uint64(13)) ^ v0
    v3 = _rotate(v3, np.uint64(16)) ^ v2
    v0, v2 = _rotate(v0, np.uint64(32)) + v3, v2 + v1
    v1 = _rotate(v1, np.uint64(17)) ^ v2
    v3 = _rotate(v3, np.uint64(21)) ^ v0
    return v0, v1, _rotate(v2, np.uint64(32)), v3


@njit(nogil=True, forceinline=True)
def _absorb(state: State, block: np.uint64) -> State:
    v0, v1, v2, v3 = state
    v0, v1, v2, v3 = _round(v0, v1, v2, v3 ^ block)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ block, v1, v2, v3


@njit(nogil=True, forceinline=True)
def _start(secret: NDArray[np.uint64]) -> State:
    return secret[0] ^ _C0, secret[1] ^ _C1, secret[0] ^ _C2, secret[1] ^ _C3


@njit(nogil=True, forceinline=True)
def _finish(state: State) -> np.uint64:
    v0, v1, v2, v3 = state
    v2 = v2 ^ _FINAL
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@njit(nogil=True, forceinline=True)
def sip_word(secret: NDArray[np.uint64], value: np.uint64, tag: np.uint64) -> np.uint64:
    """Hash the nine bytes `value` (little endian) and `tag` under the 128-bit key `secret`, shape (2,)."""
    state = _absorb(_start(secret), value)
    return _finish(_absorb(state, tag | (np.uint64(9) << _TOP)))


@njit(nogil=True)
def partial(address: int, count: int) -> np.uint64:
    """Read `count` bytes (0 to 8) as a little-endian uint64 without touching the byte behind them."""
    value = np.uint64(0)
    for i in range(count):
        value |= np.uint64(load8(address + i)) << np.uint64(8 * i)
    return value


@njit(nogil=True)
def sip_bytes(secret: NDArray[np.uint64], address: int, length: int) -> np.uint64:
    """Hash `length` bytes at `address` under the 128-bit key `secret`, shape (2,)."""
    state = _start(secret)
    whole = length - length % 8
    for offset in range(0, whole, 8):
        state = _absorb(state, load64(address + offset))
    last = partial(address + whole, length - whole)
    return _finish(_absorb(state, last | (np.uint64(length & 0xFF) << _TOP)))


@njit(nogil=True)
def sip_tagged(secret: NDArray[np.uint64], tag: np.uint64, address: int, length: int) -> np.uint64:
    """Hash the byte `tag` followed by `length` bytes at `address`."""
    state = _start(secret)
    total = length + 1
    carried = tag
    whole = length - length % 8
    for offset in range(0, whole, 8):
        block = load64(address + offset)
        state = _absorb(state, carried | (block << np.uint64(8)))
        carried = block >> _TOP
    rest = partial(address + whole, length - whole)
    last = carried | (rest << np.uint64(8))
    if length - whole == 7:
        state = _absorb(state, last)
        last = np.uint64(0)
    return _finish(_absorb(state, last | (np.uint64(total & 0xFF) << _TOP)))
