"""The output shape that a prompt demands: names and brackets of its last JSON-like block, or its tags.

Only prompts with a closing sign are looked at again, and of them only the last bytes before that sign.
"""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from stillwatch.ingest.fingerprint.intrinsics import load8, mum, pointer, signs, trailing_zeros
from stillwatch.ingest.fingerprint.lexicon import TAGS, Lexicon, step
from stillwatch.ingest.fingerprint.siphash import partial
from stillwatch.ingest.fingerprint.tokens import PUBLIC_0, PUBLIC_1
from stillwatch.model.views import Elicitation

if TYPE_CHECKING:
    from numpy.typing import NDArray

REACH = 2048
"""Bytes before the last closing sign that are looked at."""
LONGEST_NAME = 48
SKELETON = 9
_DEPTH, _NAMES, _TAGS, _FOUND, BITS = range(5)
_BLOCK, _BEST, _TAG_HASH = range(3)
_FOLD = np.uint64(0x2020202020202020)
_OPEN, _CLOSE, _COMMA, _COLON, _LESS = 0x7B, 0x7D, 0x2C, 0x3A, 0x3C
_GAP = 4
_BLOCK_BYTES = 64
_FORMAT_BIT = Elicitation.FORMAT.value


class Shape(NamedTuple):
    """Working memory of one thread.

    Attributes:
        at: DEPTH of brackets, NAMES in the open block, TAGS so far, whether a block was FOUND, BITS of
            `Elicitation`.
        hashes: Hash of the open BLOCK, of the BEST one so far, of the tags.
    """

    at: NDArray[np.int64]
    hashes: NDArray[np.uint64]


def new_shape() -> Shape:
    """Allocate the working memory of one thread."""
    return Shape(np.zeros(5, np.int64), np.zeros(3, np.uint64))


@njit(nogil=True)
def bare_shape(x: Shape) -> Shape:
    """Return the working memory as bare pointers."""
    return Shape(pointer(x.at), pointer(x.hashes))


@njit(nogil=True)
def skeleton(
    shape: Shape, lexicon: Lexicon, secret: NDArray[np.uint64], span: tuple[int, int], safe: int
) -> np.uint64:
    """Hash the last output shape of a text that ends behind a closing sign; 0 where there is none.

    Args:
        shape: Working memory.
        lexicon: Names of tags.
        secret: Inner subkey.
        span: Addresses of the text and behind its last closing sign.
        safe: Last address at which 64 bytes can be read.
    """
    for i in range(5):
        shape.at[i] = 0
    for i in range(3):
        shape.hashes[i] = secret[SKELETON]
    stop = span[1]
    begin = max(span[0], stop - REACH)
    at = _next_sign(begin, stop, safe)
    while at < stop:
        at = _next_sign(_sign(shape, lexicon, secret, at, (begin, stop)), stop, safe)
    if shape.at[_FOUND]:
        shape.at[BITS] |= _FORMAT_BIT
        return shape.hashes[_BEST]
    return shape.hashes[_TAG_HASH] if shape.at[_TAGS] >= 2 else np.uint64(0)


@njit(nogil=True)
def _next_sign(at: int, stop: int, safe: int) -> int:
    """Return the address of the next bracket, `<` or colon, or `stop`."""
    while at < stop and at <= safe:
        found = signs(at)
        if found != 0:
            return min(at + trailing_zeros(found), stop)
        at += _BLOCK_BYTES
    while at < stop:
        byte = np.int64(load8(at))
        if byte in (_COLON, _LESS) or byte | 0x20 in (_OPEN, _CLOSE):
            return at
        at += 1
    return stop


@njit(nogil=True)
def _sign(shape: Shape, lexicon: Lexicon, secret: NDArray[np.uint64], at: int, span: tuple[int, int]) -> int:
    """Take up the sign at `at` and return the address behind it."""
    byte = np.int64(load8(at))
    if byte == _LESS:
        return _tag(shape, lexicon, secret, at, span[1])
    if byte == _COLON:
        if shape.at[_DEPTH] > 0:
            _field(shape, secret, at, span[0])
    elif byte | 0x20 == _OPEN:
        _open_bracket(shape, secret, byte)
    else:
        _close_bracket(shape, secret, byte)
    return at + 1


@njit(nogil=True)
def _field(shape: Shape, secret: NDArray[np.uint64], colon: int, begin: int) -> None:
    """Take up the name before a colon if it begins an entry."""
    end = colon
    while end > max(begin, colon - _GAP) and load8(end - 1) in (0x22, 0x27, 0x20):
        end -= 1
    start = end
    while start > begin and _in_name(np.int64(load8(start - 1))):
        start -= 1
    before = start
    while before > begin and (load8(before - 1) <= 0x20 or load8(before - 1) in (0x22, 0x27)):
        before -= 1
    if start == end or before == begin:
        return
    byte = np.int64(load8(before - 1))
    if byte | 0x20 == _OPEN or byte == _COMMA:
        shape.at[_NAMES] += 1
        shape.hashes[_BLOCK] = _add_name(secret, shape.hashes[_BLOCK], start, end)


@njit(nogil=True)
def _in_name(byte: int) -> bool:
    folded = byte | 0x20
    return 0x61 <= folded <= 0x7A or byte >= 0x80 or byte == 0x5F or 0x30 <= byte <= 0x39 or byte == 0x2D


@njit(nogil=True)
def _end_of_name(at: int, stop: int) -> int:
    while at < stop and _in_name(np.int64(load8(at))):
        at += 1
    return at


@njit(nogil=True)
def _add(secret: NDArray[np.uint64], value: np.uint64, byte: int) -> np.uint64:
    return mum(value ^ np.uint64(byte), secret[SKELETON])


@njit(nogil=True)
def _add_name(secret: NDArray[np.uint64], value: np.uint64, at: int, end: int) -> np.uint64:
    for i in range(at, min(end, at + LONGEST_NAME)):
        byte = np.int64(load8(i))
        value = _add(secret, value, byte | 0x20 if 0x41 <= byte <= 0x5A else byte)
    return _add(secret, value, 0x3A)


@njit(nogil=True)
def _tag(shape: Shape, lexicon: Lexicon, secret: NDArray[np.uint64], at: int, stop: int) -> int:
    """Take up an angle tag, if it is one."""
    name = at + 1
    if name < stop and load8(name) == 0x2F:
        name += 1
    end = _end_of_name(name, min(stop, name + LONGEST_NAME))
    if end == name or end >= stop or load8(end) != 0x3E:
        return at + 1
    shape.at[_TAGS] += 1
    value = _add(secret, shape.hashes[_TAG_HASH], 0x3C if name == at + 1 else 0x2F)
    shape.hashes[_TAG_HASH] = _add_name(secret, value, name, end)
    shape.at[BITS] |= _bits_of_tag(lexicon, name, end - name)
    return end + 1


@njit(nogil=True)
def _bits_of_tag(lexicon: Lexicon, at: int, length: int) -> int:
    if length > 15:
        return 0
    low = partial(at, min(length, 8))
    high = partial(at + 8, max(length - 8, 0))
    shift_low, shift_high = np.uint64(8 * max(8 - length, 0)), np.uint64(8 * max(16 - max(length, 8), 0))
    low |= _FOLD >> shift_low
    if length > 8:
        high |= _FOLD >> shift_high
    node = step(lexicon, TAGS, mum(low ^ PUBLIC_0, high ^ PUBLIC_1))
    return 0 if node < 0 else np.int64(lexicon.bits[node])


@njit(nogil=True)
def _open_bracket(shape: Shape, secret: NDArray[np.uint64], byte: int) -> None:
    if shape.at[_DEPTH] == 0:
        shape.hashes[_BLOCK] = secret[SKELETON]
        shape.at[_NAMES] = 0
    shape.at[_DEPTH] += 1
    shape.hashes[_BLOCK] = _add(secret, shape.hashes[_BLOCK], byte)


@njit(nogil=True)
def _close_bracket(shape: Shape, secret: NDArray[np.uint64], byte: int) -> None:
    if shape.at[_DEPTH] == 0:
        return
    shape.at[_DEPTH] -= 1
    shape.hashes[_BLOCK] = _add(secret, shape.hashes[_BLOCK], byte)
    if shape.at[_DEPTH] == 0 and shape.at[_NAMES] > 0:
        shape.at[_FOUND] = 1
        shape.hashes[_BEST] = shape.hashes[_BLOCK]
