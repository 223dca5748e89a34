"""Where a fingerprint stands in a list of fingerprints: an open-addressing hash table in compiled code."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Slots = npt.NDArray[np.int32]
Bits = npt.NDArray[np.uint64]

_EMPTY = np.int32(-1)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_LEAST_BITS, _MOST_BITS = 10, 22
_BITS_A_KEY = 16
_BLOCK = 4096


@dataclass(frozen=True)
class KeyIndex:
    """Distinct fingerprints that others are looked up in.

    Attributes:
        keys: The fingerprints, in any order, shape (K,).
        slots: For each slot the position of its key, or -1.
        seen: A bit for each hash value that occurs. Most values that are looked up are strangers: one look at
            an array that stays in the cache of the processor turns them away.
    """

    keys: Ints
    slots: Slots
    seen: Bits

    @staticmethod
    def of(keys: Ints) -> KeyIndex:
        """Build the table of `keys`, which are distinct."""
        slots = np.full(1 << max(4, int(keys.size * 2).bit_length()), _EMPTY, dtype=np.int32)
        wanted = int(keys.size * _BITS_A_KEY).bit_length()
        seen = np.zeros(1 << (min(max(wanted, _LEAST_BITS), _MOST_BITS) - 6), np.uint64)
        fill(keys, slots, seen)
        return KeyIndex(keys, slots, seen)

    def find(self, values: Ints) -> Ints:
        """Return for each of `values` its position in `keys`, or -1 where it is not among them."""
        found: Ints = _find_all(values, self.keys, self.slots, self.seen)
        return found


def index_of(values: Ints, keys: Ints) -> Ints:
    """Return for each of `values` its position in `keys` (distinct), or -1 where it is not among them."""
    return KeyIndex.of(keys).find(values)


@numba.njit(cache=True, nogil=True)
def mixed(value: int) -> np.uint64:
    """Spread a value over the high bits (Fibonacci hashing: Knuth, The Art of Computer Programming, 6.4)."""
    return np.uint64(value) * _MULTIPLIER


@numba.njit(cache=True, nogil=True)
def fill(keys: Ints, slots: Slots, seen: Bits) -> None:
    """Enter `keys` into empty `slots` and `seen`; the sizes of both are powers of two."""
    mask, bits = np.int64(slots.size - 1), np.uint64(seen.size * 64 - 1)
    for index in range(keys.size):
        spread = mixed(keys[index])
        bit = (spread >> np.uint64(40)) & bits
        seen[np.int64(bit >> np.uint64(6))] |= np.uint64(1) << (bit & np.uint64(63))
        slot = np.int64(spread >> np.uint64(20)) & mask
        while slots[slot] != _EMPTY:
            slot = (slot + 1) & mask
        slots[slot] = index


@numba.njit(cache=True, nogil=True)
def _find_all(values: Ints, keys: Ints, slots: Slots, seen: Bits) -> Ints:
    found = np.full(values.size, -1, np.int64)
    place, number = found_among(values, keys, slots, seen)
    for at in range(place.size):
        found[place[at]] = number[at]
    return found


@numba.njit(cache=True, nogil=True)
def found_among(values: Ints, keys: Ints, slots: Slots, seen: Bits) -> tuple[Slots, Slots]:
    """Find those of `values` that are among `keys`: their places, ascending, and the positions of their keys.

    A block at a time, strangers first, so that the processor can wait for several slots at once.
    """
    places, numbers = np.empty(values.size, np.int32), np.empty(values.size, np.int32)
    filled = 0
    for first in range(0, values.size, _BLOCK):
        maybe = np.int64(filled)
        for at in range(first, min(first + _BLOCK, values.size)):
            places[maybe] = at
            bit = _bit_of(mixed(values[at]), seen)
            maybe += np.int64((seen[np.int64(bit >> np.uint64(6))] >> (bit & np.uint64(63))) & np.uint64(1))
        for at in range(filled, maybe):
            number = _number_of(values[places[at]], keys, slots)
            places[filled], numbers[filled] = places[at], number
            filled += number >= 0
    return places[:filled], numbers[:filled]


@numba.njit(cache=True, nogil=True)
def _bit_of(spread: np.uint64, seen: Bits) -> np.uint64:
    return (spread >> np.uint64(40)) & np.uint64(seen.size * 64 - 1)


@numba.njit(cache=True, nogil=True)
def _number_of(value: int, keys: Ints, slots: Slots) -> np.int64:
    mask = np.int64(slots.size - 1)
    slot = np.int64(mixed(value) >> np.uint64(20)) & mask
    while slots[slot] != _EMPTY and keys[slots[slot]] != value:
        slot = (slot + 1) & mask
    return np.int64(slots[slot])
