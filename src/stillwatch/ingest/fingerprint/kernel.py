"""One row after the other: texts to fingerprints, without the interpreter and without its lock."""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from stillwatch.ingest.fingerprint.exact import raw_hash
from stillwatch.ingest.fingerprint.intrinsics import mum, pointer
from stillwatch.ingest.fingerprint.layout import (
    KEYS_PER_ROW,
    MEMO_SLOTS,
    Column,
    Columns,
    Constants,
    Fingerprints,
    Work,
    bare_column,
    bare_constants,
    bare_out,
    bare_work,
)
from stillwatch.ingest.fingerprint.lexicon import clear, language, read, vote
from stillwatch.ingest.fingerprint.siphash import sip_tagged, sip_word
from stillwatch.ingest.fingerprint.skeleton import BITS, skeleton
from stillwatch.ingest.fingerprint.tokens import CARRY, CLOSER, COUNT, POSITION, Scratch, begin, fill
from stillwatch.ingest.fingerprint.windows import (
    CELL_WORDS,
    CHAIN,
    EDGE,
    EDGE_FROM,
    HEAD,
    MEDIUM,
    SHORT,
    SUFFIX_WORDS,
    TAIL,
    add_lanes,
    carry,
    cell,
    prefixes,
    remove_lanes,
    shingles,
    window,
)
from stillwatch.model.views import KIND_MASK, Elicitation, KeyKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

SYSTEM, HISTORY, PROMPT, TOOLS = range(4)
RAW, PAST = 3, 10
ITEM_TAG, PREFIX_TAG = np.uint64(0x20), np.uint64(0x21)
_SHORT, _MEDIUM, _LONG = KeyKind.PREFIX_SHORT.value, KeyKind.PREFIX_MEDIUM.value, KeyKind.PREFIX_LONG.value
_SHINGLE, _SUFFIX, _FORMAT = KeyKind.SHINGLE.value, KeyKind.SUFFIX.value, KeyKind.FORMAT.value
_SYSTEM, _TOOLS = KeyKind.SYSTEM.value, KeyKind.TOOLS.value
_NOT_IN_SYSTEM = ~Elicitation.PERSONA.value
_KIND_OUT = np.uint64(0xFFFFFFFFFFFFFFFF - KIND_MASK)
_MEMO_MASK = np.uint64(MEMO_SLOTS - 1)


@njit(nogil=True, forceinline=True)
def _chain(text_hash: np.uint64, s: Scratch, secret: NDArray[np.uint64], start: int, stop: int) -> np.uint64:
    for i in range(start, stop):
        text_hash = mum(text_hash ^ s.words[i], secret[CHAIN])
    return text_hash


@njit(nogil=True)
def _whole(work: Work, c: Constants, address: int, stop: int, safe: int) -> tuple[np.uint64, int, int]:
    """Hash a whole text: the hash, its number of words, its elicitation bits."""
    s, value, total = work.scratch, c.secret[CHAIN], 0
    begin(s, c.secret, address)
    clear(work.reading)
    while True:
        fill(s, c.secret, c.table, stop, safe)
        last = s.at[POSITION] >= stop
        end = s.at[COUNT] if last else s.at[COUNT] - CARRY
        read(work.reading, s, c.lexicon, 0, end)
        value = _chain(value, s, c.secret, 0, end)
        total += end
        if last:
            return value, total, work.reading.bits[0]
        carry(s)


@njit(nogil=True)
def _remembered(work: Work, c: Constants, column: Column, row: int) -> tuple[np.uint64, int, int, np.uint64]:
    """Hash a system prompt or tool list, which many rows repeat: as `_whole`, and the exact hash."""
    length = column.stops[row] - column.starts[row]
    if length <= 0:
        return np.uint64(0), 0, 0, np.uint64(0)
    address = column.base + column.starts[row]
    raw = raw_hash(c.secret, address, length)
    slot = raw & _MEMO_MASK
    if not (work.memo_used[slot] == 1 and work.memo_raw[slot] == raw):
        found = _whole(work, c, address, address + length, column.safe)
        work.memo_hash[slot], work.memo_words[slot], work.memo_bits[slot] = found
        work.memo_raw[slot], work.memo_used[slot] = raw, np.uint8(1)
    return work.memo_hash[slot], work.memo_words[slot], work.memo_bits[slot], raw


@njit(nogil=True, forceinline=True)
def _read_prompt(work: Work, c: Constants, address: int, stop: int, safe: int) -> int:
    """Read one prompt into the working memory and return its number of words."""
    s, w, total = work.scratch, work.windows, 0
    begin(s, c.secret, address)
    clear(work.reading)
    for i in range(3):
        w.lanes[i] = np.uint64(0)
    first = True
    while True:
        fill(s, c.secret, c.table, stop, safe)
        count = s.at[COUNT]
        last = s.at[POSITION] >= stop
        end = count if last else count - CARRY
        if first:
            prefixes(w, s.words, c.secret, count)
        shingles(s, c.secret, 0, end)
        read(work.reading, s, c.lexicon, 0, end)
        if first:
            vote(work.reading, count)
        whole = first and last and count <= EDGE_FROM
        room = max(CELL_WORDS - total, 0)
        add_lanes(w, s.publics, EDGE if first and not whole else 0, min(end, room))
        total += end
        if last:
            if not whole:
                remove_lanes(w, s.publics, count - EDGE, min(count, room))
            w.prefix[3] = window(s.words, c.secret, max(count - SUFFIX_WORDS, 0), count)
            return total
        carry(s)
        first = False


@njit(nogil=True, forceinline=True)
def _put_key(work: Work, out: Fingerprints, value: np.uint64, kind: int) -> None:
    at = work.cursor[0]
    out.keys[at], out.kinds[at] = value, np.uint8(kind)
    work.cursor[0] = at + 1


@njit(nogil=True)
def _seal_keys(c: Constants, out: Fingerprints, start: int, stop: int) -> None:
    """Put the outer hash over keys `start` to `stop`; one loop over all of them, so that it is vectorised."""
    keys, kinds, outer = out.keys, out.kinds, c.outer
    for i in range(start, stop):
        kind = np.uint64(kinds[i])
        keys[i] = (sip_word(outer, keys[i], kind) & _KIND_OUT) | kind


@njit(nogil=True)
def _seal(
    values: NDArray[np.uint64], outer: NDArray[np.uint64], span: tuple[int, int], tag: np.uint64
) -> None:
    """Put the outer hash over one column."""
    for row in range(span[0], span[1]):
        values[row] = sip_word(outer, values[row], tag)


@njit(nogil=True)
def _seal_kind(
    values: NDArray[np.uint64], outer: NDArray[np.uint64], span: tuple[int, int], kind: int
) -> None:
    """Put the outer hash over one column whose values carry their kind."""
    tag = np.uint64(kind)
    _seal(values, outer, span, tag)
    for row in range(span[0], span[1]):
        values[row] = (values[row] & _KIND_OUT) | tag


@njit(nogil=True, forceinline=True)
def _write_keys(work: Work, out: Fingerprints, words: int, shape: np.uint64) -> None:
    """Write the text keys of one prompt of `words` words."""
    prefix, s = work.windows.prefix, work.scratch
    if words > 0:
        _put_key(work, out, prefix[0], _SHORT)
    if words > SHORT:
        _put_key(work, out, prefix[1], _MEDIUM)
    if words > MEDIUM:
        _put_key(work, out, prefix[2], _LONG)
    head, tail = s.tail[0], s.tail[1]
    for i in range(head):
        _put_key(work, out, s.kept[i], _SHINGLE)
    for i in range(max(tail - TAIL, 0), tail):
        _put_key(work, out, s.kept[HEAD + i % TAIL], _SHINGLE)
    if words > SUFFIX_WORDS:
        _put_key(work, out, prefix[3], _SUFFIX)
    if shape != 0:
        _put_key(work, out, shape, _FORMAT)


@njit(nogil=True, forceinline=True)
def _prompt_row(work: Work, c: Constants, column: Column, out: Fingerprints, row: int) -> None:
    """Fingerprint the prompt of one row."""
    address, stop = column.base + column.starts[row], column.base + column.stops[row]
    words = _read_prompt(work, c, address, stop, column.safe)
    shape, closer, before = np.uint64(0), work.scratch.at[CLOSER], work.cursor[0]
    work.shape.at[BITS] = 0
    if closer != 0:
        shape = skeleton(work.shape, c.lexicon, c.secret, (address, closer), column.safe)
    _write_keys(work, out, words, shape)
    out.key_count[row] = work.cursor[0] - before
    out.present[row] |= np.uint8(words > 0) << np.uint8(2)
    out.item[row] = work.scratch.item[0]
    out.cell[row] = cell(work.windows)
    out.language[row] = language(work.reading, work.scratch, words)
    out.elicitation[row] |= work.reading.bits[0] | work.shape.at[BITS]


@njit(nogil=True, forceinline=True)
def _context_row(work: Work, c: Constants, columns: Columns, out: Fingerprints, row: int) -> int:
    """Fingerprint what surrounds the prompt of one row; return the elicitation bits of the system prompt."""
    value, words, bits, raw = _remembered(work, c, columns[SYSTEM], row)
    present = 0
    if words > 0:
        present, out.system[row] = 1, value
    value, words, _bits, _raw = _remembered(work, c, columns[TOOLS], row)
    if words > 0:
        present, out.tools[row] = present | 2, value
    history = columns[HISTORY]
    length = history.stops[row] - history.starts[row]
    if length > 0:
        past = raw_hash(c.secret, history.base + history.starts[row], length)
        out.prefix[row] = mum(raw ^ c.secret[RAW], past ^ c.secret[PAST])
        present |= 8
    out.present[row] = np.uint8(present)
    return bits & _NOT_IN_SYSTEM


@njit(nogil=True)
def _seal_columns(c: Constants, out: Fingerprints, span: tuple[int, int], present: np.uint8) -> None:
    """Put the outer hash over the columns that are `present` in any row."""
    if present & 1:
        _seal_kind(out.system, c.outer, span, _SYSTEM)
    if present & 2:
        _seal_kind(out.tools, c.outer, span, _TOOLS)
    if present & 4:
        _seal(out.item, c.outer, span, ITEM_TAG)
    if present & 8:
        _seal(out.prefix, c.outer, span, PREFIX_TAG)


@njit(nogil=True)
def _rows(work: Work, c: Constants, columns: Columns, out: Fingerprints, span: tuple[int, int]) -> int:
    begins, present = span[0] * KEYS_PER_ROW, np.uint8(0)
    work.cursor[0] = begins
    for row in range(span[0], span[1]):
        bits = _context_row(work, c, columns, out, row)
        if columns[PROMPT].stops[row] < 0:
            out.key_count[row] = out.cell[row] = out.language[row] = -1
            out.elicitation[row] = bits if out.present[row] & 1 else -1
        else:
            out.elicitation[row] = bits
            _prompt_row(work, c, columns[PROMPT], out, row)
        present |= out.present[row]
    _seal_keys(c, out, begins, work.cursor[0])
    _seal_columns(c, out, span, present)
    return work.cursor[0] - begins


Run = Callable[..., int]


def _compile(revision: str) -> Run:
    """Compile the row loop; `revision` makes an old compilation of other sources unusable.

    numba looks at the file of this function alone when it decides whether its cache on disk is up to date,
    but it also compares closed-over values.
    """

    @njit(nogil=True, cache=True)
    def run(work: Work, c: Constants, columns: Columns, out: Fingerprints, span: tuple[int, int]) -> int:
        _ = revision
        system, history, prompt, tools = columns
        bare = (bare_column(system), bare_column(history), bare_column(prompt), bare_column(tools))
        return _rows(bare_work(work), bare_constants(c), bare, bare_out(out), span)

    compiled: Run = run
    return compiled


def _compile_column(revision: str) -> Run:
    """Compile the loop of `hash_column`, as `_compile` does."""

    @njit(nogil=True, cache=True)
    def run(outer: NDArray[np.uint64], column: Column, tag: np.uint64, out: NDArray[np.uint64]) -> int:
        _ = revision
        for row in range(out.size):
            if column.stops[row] >= 0:
                length = column.stops[row] - column.starts[row]
                value = sip_tagged(pointer(outer), tag, column.base + column.starts[row], length)
                out[row] = (value & _KIND_OUT) | tag
        return out.size

    compiled: Run = run
    return compiled


def _revision() -> str:
    sources = sorted(
        (entry for entry in resources.files(__package__).iterdir() if entry.name.endswith(".py")),
        key=lambda entry: entry.name,
    )
    return hashlib.sha256(b"".join(entry.read_bytes() for entry in sources)).hexdigest()


_REVISION = _revision()
run_rows = _compile(_REVISION)
run_column = _compile_column(_REVISION)
