"""Cutting a byte stream into blocks of whole records with bounded memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec
import numpy as np

Read = Callable[[int], bytes]
"""Returns up to that many bytes of a stream, and none at its end."""


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

    data: bytes
    first: int
    lines: int
    too_long: tuple[int, ...] = ()


class Unfinished(Exception):  # noqa: N818 - names a state of the data
    """A document ends, or grows beyond the limit, inside the record with this number."""

    def __init__(self, record: int, *, too_long: bool) -> None:
        """Note the `record` and whether it is `too_long` or cut off."""
        super().__init__(record)
        self.record, self.too_long = record, too_long


def line_blocks(read: Read, limits: Limits) -> Iterator[Block]:
    """Cut lines; a line longer than `limits.line_bytes` is dropped while it is read.

    Memory holds at most one line within the limit and one block. The chunk that is read at a time is no
    longer than the line limit, so that a line that is too long always spans two chunks.
    """
    size = min(limits.block_bytes, limits.line_bytes)
    tail, number, dropping = b"", 1, False
    while chunk := read(size):
        if dropping:
            end = chunk.find(b"\n")
            if end < 0:
                continue
            yield Block(b"\n", number, 1, (number,))
            number, dropping, chunk = number + 1, False, chunk[end + 1 :]
        first_end = chunk.find(b"\n")
        if len(tail) + (len(chunk) if first_end < 0 else first_end) > limits.line_bytes:
            dropping, tail = first_end < 0, b""
            if dropping:
                continue
            yield Block(b"\n", number, 1, (number,))
            number, chunk = number + 1, chunk[first_end + 1 :]
        cut = chunk.rfind(b"\n") + 1
        data, tail = (tail + chunk[:cut], chunk[cut:]) if cut else (b"", tail + chunk)
        for block in _by_rows(data, number, limits.block_rows):
            yield block
            number += block.lines
    if dropping:
        yield Block(b"", number, 1, (number,))
    elif tail:
        yield Block(tail, number, 1)


def _by_rows(data: bytes, number: int, rows: int) -> Iterator[Block]:
    """Cut `data`, which ends with a line, into blocks of at most `rows` lines."""
    lines = data.count(b"\n")
    if lines <= rows:
        if lines:
            yield Block(data, number, lines)
        return
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    start = 0
    for first in range(0, lines, rows):
        last = min(first + rows, lines)
        end = int(ends[last - 1])
        yield Block(data[start:end], number + first, last - first)
        start = end


# A string that is whole, the beginning of one that is not, or a bracket. All repetitions are possessive, so
# that matching takes linear time.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)|"(?:[^"\\]++|\\.)*+\\\Z|[{}\[\]]', re.DOTALL)


def document_blocks(read: Read, limits: Limits) -> Iterator[Block]:
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
            yield Block(b"\n".join(held) + b"\n", number, len(held))
            number, held, size = number + len(held), [], 0
    if held:
        yield Block(b"\n".join(held) + b"\n", number, len(held))


def _records(read: Read, limits: Limits) -> Iterator[bytes]:
    buffer, position, start, depth, floor, count = b"", 0, -1, 0, 0, 0
    while chunk := read(min(limits.block_bytes, limits.line_bytes)):
        keep = start if start >= 0 else position
        buffer, position, start = buffer[keep:] + chunk, position - keep, start - keep if start >= 0 else -1
        if len(buffer) - len(chunk) > limits.line_bytes:
            raise Unfinished(count + 1, too_long=True)
        for token in _TOKEN.finditer(buffer, position):
            text = token.group()
            if text[0] == ord('"'):
                if len(text) == 1 or not _closed(text):
                    position = token.start()
                    break
            elif text in b"{[":
                if depth == 0 and text == b"[":
                    floor = 1
                elif depth == floor:
                    start = token.start()
                depth += 1
            else:
                depth = max(depth - 1, 0)
                if depth == floor and start >= 0:
                    yield buffer[start : token.end()]
                    start, count = -1, count + 1
                floor = 0 if depth == 0 else floor
            position = token.end()
        else:
            position = len(buffer)
    if depth:
        raise Unfinished(count + 1, too_long=False)


def _closed(text: bytes) -> bool:
    """Say whether a token that begins with a quotation mark ends with one that is not escaped."""
    if not text.endswith(b'"'):
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
