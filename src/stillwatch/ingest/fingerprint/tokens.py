"""Text to word hashes: normalisation and hashing in one pass over the bytes.

`fill` reads a text from where it stopped last and writes the hashes of the next words into a scratch that
stays in the first-level cache; the steps after it never touch the text again. Runs of ASCII are cut into
words 64 bytes at a time with bit masks (`_ascii`); everything else goes code point by code point
(`_general`). Both give the same words for the same text.
"""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from stillwatch.ingest.fingerprint.intrinsics import (
    classify,
    leading_zeros,
    load8,
    load64,
    mum,
    pointer,
    trailing_zeros,
)
from stillwatch.ingest.fingerprint.unicode_table import (
    CLASS_MASK,
    CLASS_SHIFT,
    DIGIT,
    DROPPED,
    EXPANDS,
    FOLD_MASK,
    SCRIPT_MASK,
    SCRIPT_SHIFT,
    SEPARATOR,
    SINGLE,
    UnicodeTable,
    decode,
    entry_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOM = 512
"""Words that one filling of the scratch holds, before what is carried over."""
MARGIN = 64
"""Words that one step may add beyond `ROOM`: 32 of a block of 64 bytes, 18 of one expanding code point."""
CARRY = 16
"""Words kept from one filling to the next, so that no window is cut."""
SCRATCH = ROOM + MARGIN + CARRY
LOOKAHEAD = 80
"""Bytes behind a position that the ASCII path may read."""

POSITION, COUNT, AFTER_DIGITS, CLOSER, OTHERS = range(5)
W0, W1, ITEM = 0, 1, 2
LONG_WORD = 5
"""Words of so many code points or more count for the capability cell."""

PUBLIC_0 = np.uint64(0x243F6A8885A308D3)
PUBLIC_1 = np.uint64(0x13198A2E03707344)
ONE = np.uint64(1)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_FOLD = np.uint64(0x2020202020202020)
_NUMBER = np.uint64(0x23)
_BASE_SCRIPT = np.array([*range(6), 5, 7, 8, 8, 8, *range(11, 32)])
"""Letters that mark a language count for their script too: Ukrainian for Cyrillic, Urdu for Arabic."""
_LOW, _HIGH, _KEYED, _PUBLIC = range(4)
_BYTES, _UNITS, _CLASS = range(3)


class Scratch(NamedTuple):
    """Working memory of one thread; `fill` keeps its place in it between two calls.

    Attributes:
        words: Keyed word hashes, shape (592,).
        publics: Hashes of the same words that need no key; the lowest bit is set for long words.
        at: POSITION in the text (an address), COUNT of words, AFTER_DIGITS, CLOSER (address behind the
            last closing sign, 0 if none), OTHERS (words of scripts other than Latin).
        item: Running hash of all tokens with their digits, shape (1,).
        scripts: Words of each script outside ASCII, shape (32,).
        block: The open word: LOW and HIGH half of its block, KEYED and PUBLIC hash so far.
        open: The open word: BYTES in the block, UNITS (code points), CLASS (0 for no open word).
        picked: Room for values picked from one filling.
        kept: Shingles kept, six of the head and six of the tail.
        tail: COUNT of shingles of the head and of the tail.
    """

    words: NDArray[np.uint64]
    publics: NDArray[np.uint64]
    at: NDArray[np.int64]
    item: NDArray[np.uint64]
    scripts: NDArray[np.int64]
    block: NDArray[np.uint64]
    open: NDArray[np.int64]
    picked: NDArray[np.uint64]
    kept: NDArray[np.uint64]
    tail: NDArray[np.int64]


def new_scratch() -> Scratch:
    """Allocate the working memory of one thread (15 KB)."""
    return Scratch(
        np.zeros(SCRATCH, np.uint64),
        np.zeros(SCRATCH, np.uint64),
        np.zeros(5, np.int64),
        np.zeros(1, np.uint64),
        np.zeros(32, np.int64),
        np.zeros(4, np.uint64),
        np.zeros(3, np.int64),
        np.zeros(SCRATCH, np.uint64),
        np.zeros(12, np.uint64),
        np.zeros(2, np.int64),
    )


@njit(nogil=True)
def bare_scratch(s: Scratch) -> Scratch:
    """Return the working memory as bare pointers."""
    return Scratch(
        pointer(s.words),
        pointer(s.publics),
        pointer(s.at),
        pointer(s.item),
        pointer(s.scripts),
        pointer(s.block),
        pointer(s.open),
        pointer(s.picked),
        pointer(s.kept),
        pointer(s.tail),
    )


@njit(nogil=True, forceinline=True)
def begin(s: Scratch, secret: NDArray[np.uint64], address: int) -> None:
    """Prepare `s` for the text at `address`."""
    s.at[POSITION] = address
    s.at[COUNT] = 0
    s.at[AFTER_DIGITS] = 0
    s.at[CLOSER] = 0
    s.at[OTHERS] = 0
    s.item[0] = secret[ITEM]
    for i in range(32):
        s.scripts[i] = 0
    s.tail[0] = s.tail[1] = 0
    _clear(s, secret)


@njit(nogil=True, forceinline=True)
def fill(s: Scratch, secret: NDArray[np.uint64], table: UnicodeTable, stop: int, safe: int) -> None:
    """Read on until the text ends at `stop` or `ROOM` words are there.

    Args:
        s: Working memory after `begin`.
        secret: Inner subkey.
        table: Unicode table.
        stop: Address of the end of the text.
        safe: Last address at which `LOOKAHEAD` bytes can be read.
    """
    while s.at[POSITION] < stop and s.at[COUNT] < ROOM:
        if s.open[_CLASS] == 0:
            _ascii(s, secret, table, stop, safe)
        if s.at[POSITION] < stop and s.at[COUNT] < ROOM:
            _general(s, secret, table, stop, safe)


@njit(nogil=True, forceinline=True)
def _ascii(s: Scratch, secret: NDArray[np.uint64], table: UnicodeTable, stop: int, safe: int) -> None:
    """Read words of ASCII until other letters come, the text ends or the scratch is full."""
    while s.at[POSITION] < min(stop, safe + 1) and s.at[COUNT] < ROOM:
        position = s.at[POSITION]
        letters, digits, others, closers = classify(position)
        first_other = trailing_zeros(others)
        limit = min(np.int64(64), stop - position, first_other)
        stopped = limit == first_other and limit < 64
        skip = _separator(table, position + limit, stop) if stopped else 0
        if limit + skip == 0:
            return
        mask = ALL >> np.uint64(64 - limit) if limit > 0 else np.uint64(0)
        closers &= mask
        if closers != 0:
            s.at[CLOSER] = position + 64 - leading_zeros(closers)
        advance = limit
        if skip == 0 and (limit == 64 or position + limit < stop):
            # the last run may go on behind the limit: leave it to the next step
            advance -= leading_zeros(~((letters | digits) << np.uint64(64 - limit)))
            if advance == 0:
                return
            mask >>= np.uint64(limit - advance)
        _cut(s, secret, letters & mask, digits & mask)
        s.at[POSITION] = position + advance + skip
        if stopped and skip == 0:
            return


@njit(nogil=True)
def _separator(table: UnicodeTable, address: int, stop: int) -> int:
    """Return the length of the code point at `address` if it separates words, else 0."""
    code_point, size = decode(address, stop)
    entry = entry_of(table, code_point)
    return size if entry & (EXPANDS | (CLASS_MASK << CLASS_SHIFT)) == 0 else 0


@njit(nogil=True, forceinline=True)
def _cut(s: Scratch, secret: NDArray[np.uint64], letters: np.uint64, digits: np.uint64) -> None:
    """Hash the runs of `letters` and `digits` behind the position; each run ends before bit 64."""
    position, count, after_digits, item = s.at[POSITION], s.at[COUNT], s.at[AFTER_DIGITS], s.item[0]
    k0, k1, k2 = secret[W0], secret[W1], secret[ITEM]
    number = mum(_NUMBER ^ k0, k1)
    public_number = mum(_NUMBER ^ PUBLIC_0, PUBLIC_1) & ~ONE
    starts = (letters & ~(letters << ONE)) | (digits & ~(digits << ONE))
    ends = (~letters & (letters << ONE)) | (~digits & (digits << ONE))
    while starts != 0:
        start = trailing_zeros(starts)
        length = trailing_zeros(ends) - start
        if length < 16:
            low, high = _block(position + start, length)
            keyed = mum(low ^ k0, high ^ k1)
            public = mum(low ^ PUBLIC_0, high ^ PUBLIC_1)
        else:
            keyed, public = _long(position + start, length, k0, k1)
        item = mum(item ^ keyed, k2)
        is_digits = np.int64((digits >> np.uint64(start)) & ONE)
        s.words[count] = number if is_digits else keyed
        s.publics[count] = public_number if is_digits else (public & ~ONE) | np.uint64(length >= LONG_WORD)
        count += 1 - (is_digits & after_digits)
        after_digits = is_digits
        starts &= starts - ONE
        ends &= ends - ONE
    s.at[COUNT], s.at[AFTER_DIGITS], s.item[0] = count, after_digits, item


@njit(nogil=True, forceinline=True)
def _block(address: int, length: int) -> tuple[np.uint64, np.uint64]:
    """Return a word of 1 to 15 ASCII letters or digits as 16 bytes in lower case, padded with zeros."""
    low = (load64(address) | _FOLD) & (ALL >> np.uint64(64 - 8 * min(length, 8)))
    high = (load64(address + 8) | _FOLD) & ((ONE << np.uint64(8 * max(length - 8, 0))) - ONE)
    return low, high


@njit(nogil=True)
def _long(address: int, length: int, k0: np.uint64, k1: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Hash an ASCII word of 16 bytes or more, block by block."""
    keyed, public = k1, PUBLIC_1
    while length >= 16:
        low, high = load64(address) | _FOLD, load64(address + 8) | _FOLD
        keyed, public = mum(low ^ k0, high ^ keyed), mum(low ^ PUBLIC_0, high ^ public)
        address += 16
        length -= 16
    if length > 0:
        low, high = _block(address, length)
        keyed, public = mum(low ^ k0, high ^ keyed), mum(low ^ PUBLIC_0, high ^ public)
    return keyed, public


@njit(nogil=True)
def _general(s: Scratch, secret: NDArray[np.uint64], table: UnicodeTable, stop: int, safe: int) -> None:
    """Read code point by code point until ASCII can go on in the fast path."""
    position = s.at[POSITION]
    while position < stop and s.at[COUNT] < ROOM:
        code_point, size = decode(position, stop)
        position += size
        if size == 1 and (code_point == 0x3E or code_point | 0x20 == 0x7D):
            s.at[CLOSER] = position
        _fold(s, secret, table, code_point)
        if s.open[_CLASS] == 0 and position <= safe and position < stop and load8(position) < 0x80:
            break
    s.at[POSITION] = position
    if position >= stop:
        _close(s, secret)


@njit(nogil=True)
def _fold(s: Scratch, secret: NDArray[np.uint64], table: UnicodeTable, code_point: int) -> None:
    """Take up what stands for one code point."""
    entry = entry_of(table, code_point)
    if entry & EXPANDS == 0:
        script = (entry >> SCRIPT_SHIFT) & SCRIPT_MASK
        _take(s, secret, (entry >> CLASS_SHIFT) & CLASS_MASK, (code_point + entry) & FOLD_MASK, script)
        return
    at = entry & FOLD_MASK
    for i in range(np.int64(table.expansions[at])):
        part = np.int64(table.expansions[at + 1 + i])
        found = entry_of(table, part)
        _take(s, secret, (found >> CLASS_SHIFT) & CLASS_MASK, part, (found >> SCRIPT_SHIFT) & SCRIPT_MASK)


@njit(nogil=True)
def _take(s: Scratch, secret: NDArray[np.uint64], kind: int, folded: int, script: int) -> None:
    """Add one folded code point of class `kind` to the open word, or close that word."""
    if kind == DROPPED:
        return
    if kind != s.open[_CLASS]:
        _close(s, secret)
    if kind == SEPARATOR:
        return
    if _BASE_SCRIPT[script] != script:
        s.scripts[script] += 1
    if s.open[_CLASS] == 0:
        s.scripts[_BASE_SCRIPT[script]] += 1
        s.at[OTHERS] += np.int64(script > 1)
    if kind == SINGLE:
        _single(s, secret, folded)
        return
    s.open[_CLASS] = kind
    s.open[_UNITS] += 1
    _append(s, secret, folded)


@njit(nogil=True)
def _single(s: Scratch, secret: NDArray[np.uint64], folded: int) -> None:
    """Write the hashes of a code point that is a word of its own."""
    low = _utf8(folded)[0]
    keyed = mum(low ^ secret[W0], secret[W1])
    count = s.at[COUNT]
    s.item[0] = mum(s.item[0] ^ keyed, secret[ITEM])
    s.words[count] = keyed
    s.publics[count] = mum(low ^ PUBLIC_0, PUBLIC_1) | ONE
    s.at[COUNT], s.at[AFTER_DIGITS] = count + 1, 0


@njit(nogil=True)
def _utf8(folded: int) -> tuple[np.uint64, int]:
    """Encode a code point in UTF-8: the bytes as a little-endian integer, and their number."""
    if folded < 0x80:
        return np.uint64(folded), 1
    if folded < 0x800:
        return np.uint64(0x80C0 | (folded >> 6) | ((folded & 0x3F) << 8)), 2
    if folded < 0x10000:
        three = 0x8080E0 | (folded >> 12) | ((folded >> 6 & 0x3F) << 8) | ((folded & 0x3F) << 16)
        return np.uint64(three), 3
    four = (
        (folded >> 18) | ((folded >> 12 & 0x3F) << 8) | ((folded >> 6 & 0x3F) << 16) | ((folded & 0x3F) << 24)
    )
    return np.uint64(0x808080F0 | four), 4


@njit(nogil=True)
def _append(s: Scratch, secret: NDArray[np.uint64], folded: int) -> None:
    """Append one code point, in UTF-8, to the open word."""
    encoded, size = _utf8(folded)
    at = s.open[_BYTES]
    if (at & 7) + size <= 8 and at < 16:
        s.block[at >> 3] |= encoded << np.uint64(8 * (at & 7))
        s.open[_BYTES] = at + size
        return
    for _ in range(size):
        _put(s, secret, np.int64(encoded & np.uint64(0xFF)))
        encoded >>= np.uint64(8)


@njit(nogil=True)
def _put(s: Scratch, secret: NDArray[np.uint64], byte: int) -> None:
    """Append one byte to the open block, hashing the block before it if that is full."""
    if s.open[_BYTES] == 16:
        _mix(s, secret)
    at = s.open[_BYTES]
    s.block[at >> 3] |= np.uint64(byte) << np.uint64(8 * (at & 7))
    s.open[_BYTES] = at + 1


@njit(nogil=True)
def _mix(s: Scratch, secret: NDArray[np.uint64]) -> None:
    """Hash the open block into the open word."""
    low, high = s.block[_LOW], s.block[_HIGH]
    s.block[_KEYED] = mum(low ^ secret[W0], high ^ s.block[_KEYED])
    s.block[_PUBLIC] = mum(low ^ PUBLIC_0, high ^ s.block[_PUBLIC])
    s.block[_LOW], s.block[_HIGH], s.open[_BYTES] = np.uint64(0), np.uint64(0), 0


@njit(nogil=True, forceinline=True)
def _clear(s: Scratch, secret: NDArray[np.uint64]) -> None:
    s.block[_LOW], s.block[_HIGH] = np.uint64(0), np.uint64(0)
    s.block[_KEYED], s.block[_PUBLIC] = secret[W1], PUBLIC_1
    s.open[_BYTES] = s.open[_UNITS] = s.open[_CLASS] = 0


@njit(nogil=True)
def _close(s: Scratch, secret: NDArray[np.uint64]) -> None:
    """End the open word, if there is one, and write its hashes."""
    if s.open[_CLASS] == 0:
        return
    _mix(s, secret)
    keyed, public = s.block[_KEYED], s.block[_PUBLIC] & ~ONE
    is_digits = s.open[_CLASS] == DIGIT
    counts = s.open[_UNITS] >= LONG_WORD
    s.item[0] = mum(s.item[0] ^ keyed, secret[ITEM])
    _clear(s, secret)
    if not (is_digits and s.at[AFTER_DIGITS] == 1):
        if is_digits:
            keyed = mum(_NUMBER ^ secret[W0], secret[W1])
            public = mum(_NUMBER ^ PUBLIC_0, PUBLIC_1) & ~ONE
        elif counts:
            public |= ONE
        s.words[s.at[COUNT]], s.publics[s.at[COUNT]] = keyed, public
        s.at[COUNT] += 1
    s.at[AFTER_DIGITS] = np.int64(is_digits)
