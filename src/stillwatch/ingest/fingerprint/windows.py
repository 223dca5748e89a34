"""Word hashes to keys: prefixes, suffix, shingles and the capability cell.

All of it works on the word hashes in the scratch. Windows are hashed with the multilinear family (D. Lemire,
O. Kaser, "Strongly universal string hashing is fast", 2014) over word hashes that are secret themselves.
"""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from stillwatch.ingest.fingerprint.intrinsics import pointer
from stillwatch.ingest.fingerprint.tokens import CARRY, COUNT, Scratch

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHORT, MEDIUM, LONG, SUFFIX_WORDS = 8, 16, 32, 8
SHINGLE_WORDS = 4
SHINGLE_BITS = 5
"""A shingle is kept when so many of the highest bits of its hash are zero: one in thirty-two."""
HEAD, TAIL = 6, 6
MAX_KEYS = 3 + HEAD + TAIL + 2
EDGE = 8
"""Words at either end that do not count for the cell of a prompt of more than `EDGE_FROM` words."""
EDGE_FROM = 24

SHINGLE_A, SHINGLE_B, CHAIN = 6, 7, 8
WINDOW = 14
_LANES = np.uint64(0x0001000100010001)
_ONE = np.uint64(1)
_TWO = np.uint64(2)
_KEEP_SHIFT = np.uint64(64 - SHINGLE_BITS)
_SIGNS = np.uint64(0x8000800080008000)
_GATHER = np.uint64(0x0001000200040008)
_LANE_MASK = np.uint64(0xFFFF)
CELL_WORDS = 16_384
"""Words from this place on do not count for the cell, so that no counter overflows."""


class Windows(NamedTuple):
    """Per-prompt results, one working memory a thread.

    Attributes:
        prefix: Hashes of the first 8, 16, 32 words, then the suffix; shape (4,).
        lanes: Twelve counters of 16 bits, four in each of three integers; shape (3,).
    """

    prefix: NDArray[np.uint64]
    lanes: NDArray[np.uint64]


def new_windows() -> Windows:
    """Allocate the working memory of one thread."""
    return Windows(np.zeros(4, np.uint64), np.zeros(3, np.uint64))


@njit(nogil=True)
def bare_windows(w: Windows) -> Windows:
    """Return the working memory as bare pointers."""
    return Windows(pointer(w.prefix), pointer(w.lanes))


@njit(nogil=True, forceinline=True)
def window(words: NDArray[np.uint64], secret: NDArray[np.uint64], start: int, stop: int) -> np.uint64:
    """Hash words `start` to `stop` (at most 32) as a sequence."""
    total = np.uint64(0)
    for i in range(stop - start):
        total += words[start + i] * secret[WINDOW + i]
    return total


@njit(nogil=True, forceinline=True)
def prefixes(w: Windows, words: NDArray[np.uint64], secret: NDArray[np.uint64], count: int) -> None:
    """Hash the first 8, 16 and 32 of the `count` words; a shorter text is hashed as far as it goes."""
    short, medium, long = min(count, SHORT), min(count, MEDIUM), min(count, LONG)
    w.prefix[0] = window(words, secret, 0, short)
    total = w.prefix[0]
    for i in range(short, medium):
        total += words[i] * secret[WINDOW + i]
    w.prefix[1] = total
    for i in range(medium, long):
        total += words[i] * secret[WINDOW + i]
    w.prefix[2] = total


@njit(nogil=True, forceinline=True)
def shingles(s: Scratch, secret: NDArray[np.uint64], start: int, stop: int) -> None:
    """Keep the shingles that begin at words `start` to `stop` and whose hash says so."""
    a, b = secret[SHINGLE_A], secret[SHINGLE_B]
    words, picked, found = s.words, s.picked, 0
    for i in range(start, min(stop, s.at[COUNT] - SHINGLE_WORDS + 1)):
        first = words[i] * a + words[i + 1]
        value = first * b + words[i + 2] * a + words[i + 3]
        picked[found] = value
        found += np.int64((value >> _KEEP_SHIFT) == 0)
    for i in range(found):
        _keep(s, picked[i])


@njit(nogil=True, forceinline=True)
def _keep(s: Scratch, value: np.uint64) -> None:
    """Hold `value` unless it is held: the first six for good, then the newest six."""
    head, tail = s.tail[0], s.tail[1]
    for i in range(head + min(tail, np.int64(TAIL))):
        if s.kept[i] == value:
            return
    if head < HEAD:
        s.kept[head] = value
        s.tail[0] = head + 1
        return
    s.kept[HEAD + tail % TAIL] = value
    s.tail[1] = tail + 1


@njit(nogil=True, forceinline=True)
def add_lanes(w: Windows, publics: NDArray[np.uint64], start: int, stop: int) -> None:
    """Add words `start` to `stop` to the counters of the cell."""
    a, b, c = w.lanes[0], w.lanes[1], w.lanes[2]
    for i in range(start, stop):
        value = publics[i] & (np.uint64(0) - (publics[i] & _ONE))
        a += value & _LANES
        b += (value >> _ONE) & _LANES
        c += (value >> _TWO) & _LANES
    w.lanes[0], w.lanes[1], w.lanes[2] = a, b, c


@njit(nogil=True, forceinline=True)
def remove_lanes(w: Windows, publics: NDArray[np.uint64], start: int, stop: int) -> None:
    """Take words `start` to `stop` out of the counters of the cell."""
    a, b, c = w.lanes[0], w.lanes[1], w.lanes[2]
    for i in range(start, stop):
        value = publics[i] & (np.uint64(0) - (publics[i] & _ONE))
        a -= value & _LANES
        b -= (value >> _ONE) & _LANES
        c -= (value >> _TWO) & _LANES
    w.lanes[0], w.lanes[1], w.lanes[2] = a, b, c


@njit(nogil=True, forceinline=True)
def cell(w: Windows) -> int:
    """Return the ten majority bits of the words counted, 0 to 1,023; -1 where none counted."""
    counted = w.lanes[0] & _LANE_MASK
    if counted == 0:
        return -1
    half = (counted >> _ONE) * _LANES + _SIGNS
    return (
        _majority(half, w.lanes[1])
        | (_majority(half, w.lanes[2]) << 4)
        | ((_majority(half, w.lanes[0]) & 6) << 7)
    )


@njit(nogil=True, forceinline=True)
def _majority(half: np.uint64, lanes: np.uint64) -> int:
    """Return four bits: whether each counter is more than half; counters are below 32,768."""
    signs = ~(half - lanes) & _SIGNS
    return np.int64((signs >> np.uint64(15)) * _GATHER >> np.uint64(48)) & 15


@njit(nogil=True, forceinline=True)
def carry(s: Scratch) -> None:
    """Move the last words to the front of the scratch, for the next filling."""
    count = s.at[COUNT]
    for i in range(CARRY):
        s.words[i] = s.words[count - CARRY + i]
        s.publics[i] = s.publics[count - CARRY + i]
    s.at[COUNT] = CARRY
