"""Text that was cut by another tokenizer than the one that marked it.

A mark lives on the tokens of the marking tokenizer. Text from elsewhere (a leak, a student with its own
vocabulary) is tokenised again with that one, and the two ways of cutting are compared by character offsets: a
position is *aligned* where the token and its whole context begin and end at cuts of both. Positions that are
not aligned cost power, never validity, since under H0 every way of cutting is as good as any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Spans = NDArray[np.int64]


class Alignment(msgspec.Struct, frozen=True):
    """How two ways of cutting one text compare.

    Attributes:
        tokens: Tokens of the marking tokenizer.
        shared: Share of these whose both ends are cuts of the other tokenizer too.
        whole: Share whose context is shared as well, so that their score can carry the mark unharmed.
    """

    tokens: int
    shared: float
    whole: float


def shared_tokens(marking: ArrayLike, other: ArrayLike) -> NDArray[np.bool_]:
    """Say which tokens of the marking tokenizer begin and end where the other one cuts too.

    Args:
        marking: Character offsets (start, end) of each token, shape (n, 2).
        other: The same for the other tokenizer, shape (m, 2).

    Returns:
        Shape (n,).

    Examples:
        >>> shared_tokens([(0, 3), (3, 5), (5, 9)], [(0, 3), (3, 9)])
        array([ True, False, False])
    """
    ours, theirs = _spans(marking), _spans(other)
    cuts = np.unique(theirs)
    return np.asarray(np.isin(ours[:, 0], cuts) & np.isin(ours[:, 1], cuts))


def aligned_positions(marking: ArrayLike, other: ArrayLike, width: int) -> NDArray[np.bool_]:
    """Say for which tokens the token and the `width` tokens before it are shared; the start counts as shared.

    Examples:
        >>> ours = [(0, 1), (1, 2), (2, 4), (4, 5), (5, 6)]
        >>> aligned_positions(ours, [(0, 1), (1, 3), (3, 4), (4, 5), (5, 6)], 1)
        array([ True, False, False, False,  True])
    """
    broken = ~shared_tokens(marking, other)
    counted = np.concatenate([[0], np.cumsum(broken)])
    last = np.arange(broken.size) + 1
    return np.asarray(counted[last] - counted[np.maximum(last - width - 1, 0)] == 0)


def align(marking: ArrayLike, other: ArrayLike, width: int) -> Alignment:
    """Summarise how much of a mark can have survived being cut otherwise."""
    ours = _spans(marking)
    if not len(ours):
        return Alignment(0, 0.0, 0.0)
    return Alignment(
        len(ours),
        float(shared_tokens(ours, other).mean()),
        float(aligned_positions(ours, other, width).mean()),
    )


def outside(offsets: ArrayLike, excluded: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Say which tokens do not touch any excluded stretch of text, such as a quotation or a copied prompt.

    Args:
        offsets: Character offsets (start, end) of each token, shape (n, 2).
        excluded: Stretches (start, end) of characters.

    Examples:
        >>> outside([(0, 3), (3, 5), (5, 9)], [(4, 6)])
        array([ True, False, False])
    """
    spans = _spans(offsets)
    touched = np.zeros(len(spans), dtype=np.bool_)
    for start, end in excluded:
        touched |= (spans[:, 0] < end) & (spans[:, 1] > start)
    return ~touched


def _spans(offsets: ArrayLike) -> Spans:
    spans = np.asarray(offsets, dtype=np.int64)
    if spans.size == 0:
        return spans.reshape(0, 2)
    if spans.ndim != 2 or spans.shape[1] != 2 or np.any(spans[:, 0] > spans[:, 1]):
        raise ValueError("offsets need the shape (n, 2), each start at or before its end")
    return spans
