"""From token sequences to evidence: one score for each distinct input of the pseudo-random function.

A repeated (context, token) pair has the same score under every key. Scored twice it counts one draw twice,
and the null is gone: 600 innocent texts, pooled, gave a best "p-value" of 1e-46 over 200 random keys without
de-duplication, 6e-5 with it. So a pair counts once over the *whole* evidence, never once an answer.
"""

# mypy: disable-error-code="no-any-return, return-value"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numba import njit

from stillwatch.mark.prf import MISSING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stillwatch.mark.schemes import Scheme

    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]
    Slots = NDArray[np.int32] | NDArray[np.int64]

Rule = Literal["pair", "context", "none"]
"""`pair`: each (context, token) once. `context`: one token for each context, as vLLM's own detector does.
`none`: everything; its p-values are wrong, and it exists to show by how much."""

Documents = Sequence["NDArray[np.int64]"]


@dataclass(frozen=True)
class Evidence:
    """Pairs that are scored, each an independent draw under a random key (unless the rule is `none`).

    Attributes:
        contexts: Tokens before each scored token, oldest first, shape (n, w).
        tokens: Scored tokens, shape (n,).
        document: Which document each first occurred in, shape (n,).
        position: Its place in that document, shape (n,).
        read: Tokens in all documents.
        repeated: Tokens left out because their pair (or context) had been counted.
        excluded: Tokens left out because their context stands in text the author could have copied.
        unkeyed: Tokens left out because their score does not depend on the key.
        rule: The rule of de-duplication.
    """

    contexts: Ints
    tokens: Ints
    document: Ints
    position: Ints
    read: int
    repeated: int
    excluded: int
    unkeyed: int
    rule: Rule

    def __len__(self) -> int:
        """Number of scored pairs."""
        return self.tokens.shape[0]


def windows(documents: Documents, width: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Cut documents into (context, token) pairs; history before a document's start is -1, as in vLLM.

    Args:
        documents: Token ids, shape (length,) each.
        width: Number of tokens before that make a context.

    Returns:
        Contexts (n, w), tokens (n,), document index (n,) and position (n,), in order.

    Examples:
        >>> windows([np.array([5, 6, 7])], 2)[0].tolist()
        [[-1, -1], [-1, 5], [5, 6]]
    """
    lengths = np.array([len(one) for one in documents], dtype=np.int64)
    gap = np.full(width, MISSING, dtype=np.int64)
    laid = [part for one in documents for part in (gap, np.asarray(one, dtype=np.int64))]
    line = np.concatenate([*laid, gap[:0]]) if laid else gap[:0]
    document = np.repeat(np.arange(lengths.size), lengths)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if lengths.size else np.zeros(0, np.int64)
    position = np.arange(int(lengths.sum())) - starts[document] if lengths.size else np.zeros(0, np.int64)
    place = np.arange(position.size) + (document + 1) * width
    contexts = np.empty((position.size, width), dtype=np.int64)
    for back in range(width):
        contexts[:, back] = line[place - width + back]
    return contexts, line[place], document, position


def collect(
    documents: Documents,
    scheme: Scheme,
    *,
    rule: Rule = "pair",
    exclude: Ints | None = None,
    whole: bool = True,
) -> Evidence:
    """Turn documents into evidence for one scheme.

    Args:
        documents: Token ids of the marking tokenizer, shape (length,) each.
        scheme: Decides the context width and which pairs are one draw.
        rule: Rule of de-duplication over all documents together.
        exclude: Contexts (m, w) that stand in prompts, quotations or anything else the author could have
            copied; pairs behind them are dropped. Contexts only: a filter on pairs would let the key choose.
        whole: Documents are whole answers, so that their first tokens had no history. For a fragment the
            first `context_width` tokens are dropped, since what stood before them is unknown.

    Returns:
        The evidence, in the order of first occurrence.
    """
    contexts, tokens, document, position = windows(documents, scheme.context_width)
    usable = scheme.keyed(contexts) if tokens.size else np.zeros(0, dtype=np.bool_)
    if not whole:
        usable = usable & (position >= scheme.context_width)
    allowed = usable.copy()
    if exclude is not None and tokens.size:
        allowed &= ~contains(exclude, contexts)
    keep = np.flatnonzero(allowed)
    inputs = scheme.inputs(contexts[keep], tokens[keep]) if keep.size else np.zeros((0, 1), np.int64)
    first = keep[_first_by_rule(inputs, rule)]
    return Evidence(
        contexts=contexts[first],
        tokens=tokens[first],
        document=document[first],
        position=position[first],
        read=tokens.size,
        repeated=keep.size - first.size,
        excluded=int(usable.sum()) - keep.size,
        unkeyed=tokens.size - int(usable.sum()),
        rule=rule,
    )


def first_occurrences(rows: Ints) -> Mask:
    """Say for each row, shape (n, c), whether no row before it is equal.

    Examples:
        >>> first_occurrences(np.array([[1, 2], [1, 3], [1, 2]]))
        array([ True,  True, False])
    """
    table = _empty_table(len(rows))
    return _insert(np.ascontiguousarray(rows, dtype=np.int64), table)


def contains(known: Ints, rows: Ints) -> Mask:
    """Say for each of `rows`, shape (n, c), whether it stands among `known`, shape (m, c)."""
    known = np.ascontiguousarray(known, dtype=np.int64)
    if known.ndim != 2 or known.shape[1] != rows.shape[1]:
        raise ValueError("known contexts need the same width as the scheme's")
    table = _empty_table(len(known))
    _insert(known, table)
    return _look_up(known, table, np.ascontiguousarray(rows, dtype=np.int64))


def _first_by_rule(inputs: Ints, rule: Rule) -> Mask:
    if rule == "none":
        return np.ones(len(inputs), dtype=np.bool_)
    return first_occurrences(inputs if rule == "pair" else inputs[:, :-1])


def _empty_table(rows: int) -> Slots:
    """A table at most half full; 32 bits a slot where they do, since look-ups wait for memory."""
    return np.full(1 << max(2 * rows, 2).bit_length(), -1, dtype=np.int32 if rows < 2**31 else np.int64)


@njit(cache=True, nogil=True, inline="always")
def _slot(row: Ints, mask: int) -> int:
    value = np.uint64(0x9E3779B97F4A7C15)
    for one in row:
        value = (value ^ np.uint64(one)) * np.uint64(0xBF58476D1CE4E5B9)
        value ^= value >> np.uint64(29)
    return np.int64(value) & mask


@njit(cache=True, nogil=True, inline="always")
def _equal(a: Ints, b: Ints) -> bool:
    same = True
    for i in range(a.shape[0]):
        same &= a[i] == b[i]
    return same


@njit(cache=True, nogil=True)
def _insert(rows: Ints, table: Slots) -> Mask:
    """Put each new row's index into an open-addressing table of a power of two; equality is exact."""
    fresh = np.zeros(rows.shape[0], dtype=np.bool_)
    mask = table.shape[0] - 1
    for i in range(rows.shape[0]):
        slot = _slot(rows[i], mask)
        while table[slot] >= 0 and not _equal(rows[table[slot]], rows[i]):
            slot = (slot + 1) & mask
        if table[slot] < 0:
            table[slot] = i
            fresh[i] = True
    return fresh


@njit(cache=True, nogil=True)
def _look_up(known: Ints, table: Slots, rows: Ints) -> Mask:
    found = np.zeros(rows.shape[0], dtype=np.bool_)
    mask = table.shape[0] - 1
    for i in range(rows.shape[0]):
        slot = _slot(rows[i], mask)
        while table[slot] >= 0 and not found[i]:
            found[i] = _equal(known[table[slot]], rows[i])
            slot = (slot + 1) & mask
    return found
