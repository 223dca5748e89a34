"""The table that folds code points, read from `unicode.npz` (made by `generate_unicode`)."""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from stillwatch.ingest.fingerprint.intrinsics import load8, pointer

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEPARATOR, LETTER, DIGIT, SINGLE, DROPPED = range(5)
BLOCK_BITS = 7
BLOCK_MASK = (1 << BLOCK_BITS) - 1
FOLD_MASK = 0x1FFFFF
CLASS_SHIFT = 21
SCRIPT_SHIFT = 24
CLASS_MASK = 7
SCRIPT_MASK = 31
EXPANDS = 1 << 29
REPLACEMENT = 0xFFFD


class UnicodeTable(NamedTuple):
    """Two-level table of 1,114,112 entries of 32 bits, and the code points of entries that expand."""

    index: NDArray[np.uint16]
    blocks: NDArray[np.uint32]
    expansions: NDArray[np.uint32]


@lru_cache(maxsize=1)
def unicode_table() -> UnicodeTable:
    """Read the table that ships with the package."""
    with resources.files(__package__).joinpath("unicode.npz").open("rb") as file:
        arrays: Any = np.load(file)
        return UnicodeTable(arrays["index"], arrays["blocks"], arrays["expansions"])


@njit(nogil=True)
def bare_table(table: UnicodeTable) -> UnicodeTable:
    """Return the table as bare pointers."""
    return UnicodeTable(pointer(table.index), pointer(table.blocks), pointer(table.expansions))


@njit(nogil=True)
def entry_of(table: UnicodeTable, code_point: int) -> int:
    """Return the 32 bits about `code_point`."""
    block = np.int64(table.index[code_point >> BLOCK_BITS])
    found: int = np.int64(table.blocks[(block << BLOCK_BITS) | (code_point & BLOCK_MASK)])
    return found


@njit(nogil=True)
def _trail(address: int, stop: int, low: int, high: int) -> int:
    """Return the payload of a continuation byte in `low` to `high`, or -1."""
    if address >= stop:
        return -1
    byte = np.int64(load8(address))
    return byte & 0x3F if low <= byte <= high else -1


@njit(nogil=True)
def _decode_three(address: int, stop: int, lead: int) -> tuple[int, int]:
    first = _trail(address + 1, stop, 0xA0 if lead == 0xE0 else 0x80, 0x9F if lead == 0xED else 0xBF)
    second = _trail(address + 2, stop, 0x80, 0xBF)
    if first < 0 or second < 0:
        return REPLACEMENT, 1
    return ((lead & 0xF) << 12) | (first << 6) | second, 3


@njit(nogil=True)
def _decode_four(address: int, stop: int, lead: int) -> tuple[int, int]:
    first = _trail(address + 1, stop, 0x90 if lead == 0xF0 else 0x80, 0x8F if lead == 0xF4 else 0xBF)
    second = _trail(address + 2, stop, 0x80, 0xBF)
    third = _trail(address + 3, stop, 0x80, 0xBF)
    if first < 0 or second < 0 or third < 0:
        return REPLACEMENT, 1
    return ((lead & 7) << 18) | (first << 12) | (second << 6) | third, 4


@njit(nogil=True)
def decode(address: int, stop: int) -> tuple[int, int]:
    """Decode one code point of UTF-8 before `stop`: the code point and its length in bytes.

    A byte that begins no well-formed sequence (Unicode 18, table 3-7) counts alone as U+FFFD.
    """
    lead = np.int64(load8(address))
    if lead < 0x80:
        return lead, 1
    if 0xC2 <= lead <= 0xDF:
        trail = _trail(address + 1, stop, 0x80, 0xBF)
        return (REPLACEMENT, 1) if trail < 0 else (((lead & 0x1F) << 6) | trail, 2)
    if 0xE0 <= lead <= 0xEF:
        return _decode_three(address, stop, lead)
    if 0xF0 <= lead <= 0xF4:
        return _decode_four(address, stop, lead)
    return REPLACEMENT, 1


def folded(table: UnicodeTable, character: str) -> list[tuple[int, str]]:
    """Return class and character of all that stands for one character; empty where it is dropped.

    Examples:
        >>> [c for _, c in folded(unicode_table(), "ß")]
        ['s', 's']
    """
    entry = int(entry_of.py_func(table, ord(character)))
    kind = (entry >> CLASS_SHIFT) & CLASS_MASK
    if entry & EXPANDS:
        at = entry & FOLD_MASK
        parts = table.expansions[at + 1 : at + 1 + int(table.expansions[at])]
        return [pair for part in parts for pair in folded(table, chr(part))]
    return [] if kind == DROPPED else [(kind, chr((ord(character) + entry) & FOLD_MASK))]
