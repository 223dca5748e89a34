"""Cutting a byte stream into blocks of whole records with bounded memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec
import numpy as np

ReadInto = Callable[[memoryview], int]
"""Fills a buffer with the next bytes of a stream and returns how many there were; none at its end."""

_NEWLINE = ord("\n")
_LONG_LINE = 2048
"""Bytes of a line from which on it is quicker to leap to its end than to look at each byte."""


class Limits(msgspec.Struct, frozen=True):
    """Sizes of blocks and lines: bytes of a block, lines of a block, bytes of a line."""

    block_bytes: int
    block_rows: int
    line_bytes: int


class Block(msgspec.Struct, frozen=True):
    """Whole lines.

    Attributes:
        data: Their bytes; a line may be blank, and the last one may lack its end.
        first: Number of the first line, from 1.
        lines: Number of lines.
        too_long: Numbers of lines that were left out because they are longer than the limit; in `data` they
            are blank.
    """

    data: memoryview
    first: int
    lines: int
    too_long: tuple[int, ...] = ()


class Unfinished(Exception):  # noqa: N818 - names a state of the data
    """A document ends, or grows beyond the limit, inside the record with this number."""

    def __init__(self, record: int, *, too_long: bool) -> None:
        """Note the `record` and whether it is `too_long` or cut off."""
        super().__init__(record)
        self.record, self.too_long = record, too_long


def line_blocks(read: ReadInto, limits: Limits) -> Iterator[Block]:
    """Cut lines; a line longer than `limits.line_bytes` is dropped while it is read.

    A block is valid until the next one is asked for: all are cut from one buffer, because fresh memory for
    each costs more than reading it, and what was used a moment ago is in the processor's caches. At most one
    chunk is read at a time, which is no longer than the line limit, so that a line that is too long always
    spans two chunks; memory holds that chunk and a line within the limit.
    """
    size = min(limits.block_bytes, limits.line_bytes)
    held = _Buffer(size)
    number, dropping = 1, False
    while True:
        data, kept = held.room(size)
        with memoryview(data) as whole:
            end = kept + read(whole[kept : kept + size])
        if end == kept:
            break
        first_end, start = data.find(b"\n", kept, end), 0
        if dropping or (end if first_end < 0 else first_end) > limits.line_bytes:
            dropping = first_end < 0
            held.kept = 0
            if dropping:
                continue
            yield Block(memoryview(b"\n"), number, 1, (number,))
            number, start = number + 1, first_end + 1
        cut = max(data.rfind(b"\n", kept, end) + 1, start)
        if start < cut:
            for block in _by_rows(data, (start, cut), number, limits.block_rows):
                yield block
                number += block.lines
        held.keep(cut, end)
    if dropping:
        yield Block(memoryview(b""), number, 1, (number,))
    elif kept:
        yield Block(memoryview(data)[:kept], number, 1)


class _Buffer:
    """Memory that is filled again and again; its first `kept` bytes begin an unfinished line."""

    def __init__(self, size: int) -> None:
        self._data = bytearray(size + (size >> 3))
        self.kept = 0

    def room(self, size: int) -> tuple[bytearray, int]:
        """Return the memory with room for `size` more bytes, and how many are in it."""
        if len(self._data) < self.kept + size:
            grown = bytearray(2 * self.kept + size)
            grown[: self.kept] = memoryview(self._data)[: self.kept]
            self._data = grown
        return self._data, self.kept

    def keep(self, cut: int, end: int) -> None:
        """Go on with the bytes from `cut` to `end`."""
        if cut:
            whole = memoryview(self._data)
            whole[: end - cut] = whole[cut:end]
        self.kept = end - cut


def _by_rows(data: bytearray, span: tuple[int, int], number: int, rows: int) -> Iterator[Block]:
    """Cut the lines in `span` of `data` into blocks of at most `rows` lines."""
    inside, lines = memoryview(data)[slice(*span)], _count(data, span)
    if lines <= rows:
        yield Block(inside, number, lines)
        return
    places, start = np.flatnonzero(np.frombuffer(inside, np.uint8) == _NEWLINE) + 1, 0
    for first in range(0, lines, rows):
        last = min(first + rows, lines)
        end = int(places[last - 1])
        yield Block(inside[start:end], number + first, last - first)
        start = end


def _count(data: bytearray, span: tuple[int, int]) -> int:
    """Count the lines in `span` of `data`.

    Long lines are counted by leaping from end to end, which takes a tenth of the time of looking at all
    bytes; where lines prove to be short, the bytes are compared at once, which takes a tenth of the time of
    `bytearray.count`.
    """
    start, stop = span
    leaps = at = 0
    while leaps * _LONG_LINE <= stop - start:
        at = data.find(_NEWLINE, at if leaps else start, stop) + 1
        if not at:
            return leaps
        leaps += 1
    return int(np.count_nonzero(np.frombuffer(data, np.uint8)[start:stop] == _NEWLINE))


# A string that is whole, the beginning of one that is not, or a bracket. All repetitions are possessive, so
# that matching takes linear time.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)|"(?:[^"\\]++|\\.)*+\\\Z|[{}\[\]]', re.DOTALL)


def document_blocks(read: ReadInto, limits: Limits) -> Iterator[Block]:
    """Cut JSON that is not one record a line: arrays (into their items) and objects over many lines.

    Each record becomes one line of a block, so that its number takes the place of the line number.

    Raises:
        Unfinished: The data end inside a record, or a record is longer than `limits.line_bytes`.
    """
    number, held, size = 1, [], 0
    for record in _records(read, limits):
        held.append(record.replace(b"\n", b" "))
        size += len(record)
        if size >= limits.block_bytes or len(held) >= limits.block_rows:
            yield Block(memoryview(b"\n".join(held) + b"\n"), number, len(held))
            number, held, size = number + len(held), [], 0
    if held:
        yield Block(memoryview(b"\n".join(held) + b"\n"), number, len(held))


def _records(read: ReadInto, limits: Limits) -> Iterator[bytes]:
    scan, fresh = _Scan(), bytearray(min(limits.block_bytes, limits.line_bytes))
    while size := read(memoryview(fresh)):
        if scan.held() > limits.line_bytes:
            raise Unfinished(scan.found + 1, too_long=True)
        yield from scan.feed(bytes(fresh[:size]))
    if scan.depth:
        raise Unfinished(scan.found + 1, too_long=False)


class _Scan:
    """Where a scan for records stands: nesting depth, and where the present record began.

    `floor` is the depth at which records stand: 1 inside an array at the top, else 0.
    """

    def __init__(self) -> None:
        self._buffer, self._position, self._start, self._floor = b"", 0, -1, 0
        self.depth = self.found = 0

    def held(self) -> int:
        """Return the bytes of the record that is not finished."""
        return len(self._buffer) - (self._start if self._start >= 0 else self._position)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the records that end in `chunk`."""
        keep = self._start if self._start >= 0 else self._position
        self._buffer = self._buffer[keep:] + chunk
        self._position, self._start = self._position - keep, min(self._start, 0)
        for token in _TOKEN.finditer(self._buffer, self._position):
            text = token.group()
            if text[0] == ord('"') and not _closed(text):
                self._position = token.start()
                return
            self._position = token.end()
            if text in b"{[":
                self._open(text, token.start())
            elif text in b"}]" and self._close():
                yield self._buffer[self._start : token.end()]
                self._start, self.found = -1, self.found + 1
        self._position = len(self._buffer)

    def _open(self, bracket: bytes, place: int) -> None:
        if self.depth == 0 and bracket == b"[":
            self._floor = 1
        elif self.depth == self._floor:
            self._start = place
        self.depth += 1

    def _close(self) -> bool:
        """Go up one level and say whether a record ends here."""
        self.depth = max(self.depth - 1, 0)
        ended = self.depth == self._floor and self._start >= 0
        if self.depth == 0:
            self._floor = 0
        return ended


def _closed(text: bytes) -> bool:
    """Say whether a token that begins with a quotation mark ends with one that is not escaped."""
    if len(text) == 1 or not text.endswith(b'"'):
        return False
    backslashes = len(text) - 1 - len(text[:-1].rstrip(b"\\"))
    return backslashes % 2 == 0


_BRACKETS = re.compile(rb"\s*[\[{]+\s*\Z")


def is_document(head: bytes) -> bool:
    """Tell from the beginning of the data whether it is JSON that is not one record a line.

    It is where the first line is no whole JSON value and the second one does not begin a record either.
    """
    first, end, rest = head.lstrip().partition(b"\n")
    if _BRACKETS.match(first):
        return True
    if _is_json(first):
        return False
    if not end:
        return first.startswith(b"[")
    return first[:1] in (b"{", b"[") and (first[:1] == b"[" or rest.lstrip()[:1] not in (b"{", b"["))


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
