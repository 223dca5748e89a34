"""What the row loop is handed: columns as addresses, room for results, constants and working memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from stillwatch.ingest.fingerprint.intrinsics import pointer
from stillwatch.ingest.fingerprint.lexicon import Lexicon, Reading, bare_lexicon, bare_reading, new_reading
from stillwatch.ingest.fingerprint.skeleton import Shape, bare_shape, new_shape
from stillwatch.ingest.fingerprint.tokens import SCRATCH, Scratch, bare_scratch, new_scratch
from stillwatch.ingest.fingerprint.unicode_table import UnicodeTable, bare_table
from stillwatch.ingest.fingerprint.windows import Windows, bare_windows, new_windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEYS_PER_ROW = 17
"""Three prefixes, twelve shingles, suffix and format."""
MEMO_SLOTS = 256
LINE = 128
"""Bytes of two cache lines, which processors fetch together."""


class Column(NamedTuple):
    """A column of text as addresses.

    Attributes:
        base: Address of its bytes.
        safe: Last address at which the fast path may start to read.
        starts: Offset of each text, shape (rows,).
        stops: Offset behind each text, shape (rows,); -1 for a null.
    """

    base: int
    safe: int
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]


Columns = tuple[Column, Column, Column, Column]
"""system, history, prompt, tools."""


class Fingerprints(NamedTuple):
    """Results of all rows; each thread writes its own rows.

    Attributes:
        keys: Text keys, 17 places a row, packed from the first row of each thread on.
        kinds: Kind of each of them.
        key_count: Text keys of each row; -1 for null.
        system: system_fp.
        tools: tools_fp.
        item: item_fp.
        prefix: prefix_fp.
        present: Which of these four are not null, as bits 0 to 3.
        cell: -1 for null.
        language: Index into `LANGUAGES`; -1 for null.
        elicitation: -1 for null.
    """

    keys: NDArray[np.uint64]
    kinds: NDArray[np.uint8]
    key_count: NDArray[np.int64]
    system: NDArray[np.uint64]
    tools: NDArray[np.uint64]
    item: NDArray[np.uint64]
    prefix: NDArray[np.uint64]
    present: NDArray[np.uint8]
    cell: NDArray[np.int16]
    language: NDArray[np.int8]
    elicitation: NDArray[np.int32]


class Constants(NamedTuple):
    """What all rows and threads share.

    Attributes:
        secret: Inner subkey, shape (46,).
        outer: Key of the outer hash, shape (2,).
        table: Unicode table.
        lexicon: Phrases and frequent words.
    """

    secret: NDArray[np.uint64]
    outer: NDArray[np.uint64]
    table: UnicodeTable
    lexicon: Lexicon


class Work(NamedTuple):
    """Working memory of one thread.

    Attributes:
        scratch: Words on their way.
        windows: Windows of the open prompt.
        reading: Elicitation and language of the open prompt.
        shape: Format skeleton of the open prompt.
        memo_raw: Exact hash of system prompts and tool lists met before, shape (256,).
        memo_hash: Their fingerprints before the outer hash.
        memo_words: Their number of words (0 for a free place is told apart by `memo_used`).
        memo_bits: Their elicitation.
        memo_used: Whether the place is taken.
        cursor: Place of the next key, shape (1,).
    """

    scratch: Scratch
    windows: Windows
    reading: Reading
    shape: Shape
    memo_raw: NDArray[np.uint64]
    memo_hash: NDArray[np.uint64]
    memo_words: NDArray[np.int64]
    memo_bits: NDArray[np.int64]
    memo_used: NDArray[np.uint8]
    cursor: NDArray[np.int64]


def new_work() -> Work:
    """Allocate the working memory of one thread (about 40 KB), in one piece.

    Small arrays that are made one by one lie beside those of other threads, and two threads that write into
    one cache line slow each other down.
    """
    work = Work(
        new_scratch(),
        new_windows(),
        new_reading(SCRATCH),
        new_shape(),
        np.zeros(MEMO_SLOTS, np.uint64),
        np.zeros(MEMO_SLOTS, np.uint64),
        np.zeros(MEMO_SLOTS, np.int64),
        np.zeros(MEMO_SLOTS, np.int64),
        np.zeros(MEMO_SLOTS, np.uint8),
        np.zeros(1, np.int64),
    )
    piece = np.zeros(_lines(work) + LINE, np.uint8)
    moved: Work = _moved(work, piece[-piece.ctypes.data % LINE :])[0]
    return moved


def _lines(arrays: Any) -> int:
    """Return the bytes of whole cache lines that `arrays`, nested in tuples, need."""
    if isinstance(arrays, np.ndarray):
        return -(-arrays.nbytes // LINE) * LINE
    return sum(map(_lines, arrays))


def _moved(arrays: Any, piece: NDArray[np.uint8]) -> tuple[Any, NDArray[np.uint8]]:
    """Return `arrays`, nested in tuples, with their places taken from `piece`, and what is left of it."""
    if isinstance(arrays, np.ndarray):
        return piece[: arrays.nbytes].view(arrays.dtype), piece[_lines(arrays) :]
    found = []
    for each in arrays:
        moved, piece = _moved(each, piece)
        found.append(moved)
    return type(arrays)(*found), piece


@njit(nogil=True)
def bare_work(w: Work) -> Work:
    """Return the working memory as bare pointers."""
    return Work(
        bare_scratch(w.scratch),
        bare_windows(w.windows),
        bare_reading(w.reading),
        bare_shape(w.shape),
        pointer(w.memo_raw),
        pointer(w.memo_hash),
        pointer(w.memo_words),
        pointer(w.memo_bits),
        pointer(w.memo_used),
        pointer(w.cursor),
    )


@njit(nogil=True)
def bare_column(c: Column) -> Column:
    """Return the column as bare pointers."""
    return Column(c.base, c.safe, pointer(c.starts), pointer(c.stops))


@njit(nogil=True)
def bare_out(out: Fingerprints) -> Fingerprints:
    """Return the results as bare pointers."""
    return Fingerprints(
        pointer(out.keys),
        pointer(out.kinds),
        pointer(out.key_count),
        pointer(out.system),
        pointer(out.tools),
        pointer(out.item),
        pointer(out.prefix),
        pointer(out.present),
        pointer(out.cell),
        pointer(out.language),
        pointer(out.elicitation),
    )


@njit(nogil=True)
def bare_constants(c: Constants) -> Constants:
    """Return the constants as bare pointers."""
    return Constants(pointer(c.secret), pointer(c.outer), bare_table(c.table), bare_lexicon(c.lexicon))
