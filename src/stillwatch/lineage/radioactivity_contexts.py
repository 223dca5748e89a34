"""Which places of a suspect's answers may speak, and what was said there.

A place speaks through its context, the few tokens before it that seed the mark. Places are kept or dropped by
their context alone, never by the token that follows: our logged tokens were chosen by the key, so a filter on
pairs would select by the key and break the null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stillwatch.mark.prf import MISSING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Places:
    """Answer places.

    Attributes:
        contexts: (m, w) tokens before each place, oldest first.
        tokens: (m,) the token at each place.
        rows: (m,) the answer it belongs to.
        columns: (m,) where it stands in that answer's row.
    """

    contexts: Ints
    tokens: Ints
    rows: Ints
    columns: Ints

    def __len__(self) -> int:
        return len(self.tokens)

    def where(self, kept: NDArray[np.bool_]) -> Places:
        """The places at which `kept`, (m,), is true."""
        return Places(self.contexts[kept], self.tokens[kept], self.rows[kept], self.columns[kept])


@dataclass(frozen=True)
class Masses:
    """How much weight lies on each (context, token) pair: counts of samples, or summed probabilities.

    Attributes:
        contexts: (c, w) distinct contexts.
        groups: (m,) index of the context of each pair; pairs are distinct and sorted.
        tokens: (m,) token of each pair.
        masses: (m,) its weight, above zero.
    """

    contexts: Ints
    groups: Ints
    tokens: Ints
    masses: Floats

    def totals(self) -> Floats:
        """(c,) weight of each context."""
        return np.asarray(np.bincount(self.groups, self.masses, len(self.contexts)), dtype=np.float64)


def places_of(tokens: Ints, scored: NDArray[np.bool_], width: int) -> Places:
    """List the scored places of rows of tokens.

    A context holds scored tokens only; where fewer stand before a place it is filled with -1, as serving
    engines do at the beginning of an answer.

    Args:
        tokens: (n, length) prompts with answers.
        scored: (n, length) true at answer tokens.
        width: Tokens in a context.

    Example:
        >>> found = places_of(np.array([[6, 7, 8, 9]]), np.array([[False, True, True, True]]), 2)
        >>> found.contexts.tolist(), found.tokens.tolist()
        ([[-1, -1], [-1, 7], [7, 8]], [7, 8, 9])
    """
    rows, columns = np.nonzero(scored)
    padding = np.full((len(tokens), width), MISSING, dtype=np.int64)
    known = np.concatenate([padding, np.where(scored, tokens, MISSING)], axis=1)
    contexts = np.stack([known[rows, columns + width - back] for back in range(width, 0, -1)], axis=1)
    return Places(contexts, tokens[rows, columns], rows, columns)


def occurs(contexts: Ints, among: Ints) -> NDArray[np.bool_]:
    """(m,) whether each of the `contexts`, (m, w), is a row of `among`, (s, w)."""
    labels, count = _labels(np.concatenate([among, contexts]))
    known = np.zeros(count, dtype=np.bool_)
    known[labels[: len(among)]] = True
    return known[labels[len(among) :]]


def counts_of(contexts: Ints, among: Ints) -> Ints:
    """(m,) how often each of the `contexts`, (m, w), is a row of `among`, (s, w)."""
    labels, count = _labels(np.concatenate([among, contexts]))
    return np.bincount(labels[: len(among)], minlength=count)[labels[len(among) :]]


def not_copied(places: Places, tokens: Ints, prompted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(m,) false where the context stands, followed by anything, in the prompt of the same answer.

    A suspect that copies marked text out of its prompt (an earlier turn, a pasted answer) shows the mark
    without having learned it.

    Args:
        places: Places in answers.
        tokens: (n, length) the rows they lie in.
        prompted: (n, length) true at prompt tokens.
    """
    width = places.contexts.shape[1]
    asked = places_of(tokens, prompted, width)
    asked = asked.where((asked.contexts != MISSING).all(axis=1))
    mine = np.column_stack([places.rows, places.contexts])
    return ~occurs(mine, np.column_stack([asked.rows, asked.contexts]))


def grouped(contexts: Ints) -> tuple[Ints, Ints]:
    """Distinct contexts, (c, w), and the index into them of each of the `contexts`, (m,)."""
    labels, count = _labels(contexts)
    first = np.full(count, len(contexts), dtype=np.int64)
    np.minimum.at(first, labels, np.arange(len(contexts)))
    return contexts[first], labels


def summed(contexts: Ints, groups: Ints, tokens: Ints, masses: Floats) -> Masses:
    """Add up `masses`, (m,), over equal pairs of `groups` and `tokens`, (m,) each."""
    span = int(tokens.max(initial=0)) + 1
    codes, where = np.unique(groups * span + tokens, return_inverse=True)
    total = np.asarray(np.bincount(where, masses, len(codes)), dtype=np.float64)
    return Masses(contexts, codes // span, codes % span, total)


def _labels(rows: Ints) -> tuple[Ints, int]:
    """Number equal rows alike, (m,) from 0, and count the distinct ones; column by column for any width."""
    labels = np.zeros(len(rows), dtype=np.int64)
    count = min(1, len(rows))
    for column in rows.T:
        _, values = np.unique(column, return_inverse=True)
        distinct, labels = np.unique(labels * (int(values.max(initial=0)) + 1) + values, return_inverse=True)
        count = len(distinct)
    return labels, count
