"""Recognise the keys of one template as one.

A template of thirty words leaves a handful of keys in each prompt, which come and go together. Counted one by
one they would make a single shared template look like many shared keys, and the Poisson null of the pair test
would be wrong. Keys are put into one class when they occur in the same exchanges. A class never grows by
chains: a key joins the class of a key that it stands beside, not of a neighbour's neighbour.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@numba.njit(cache=True, nogil=True)
def _stars(offsets: Ints, index: Ints, uses: Ints) -> tuple[Ints, Ints]:
    """Pair every key of a row with the two smallest keys of that row; counts rows of each key on the way."""
    left = np.empty(2 * index.size, dtype=np.int64)
    right = np.empty(2 * index.size, dtype=np.int64)
    filled = 0
    for row in range(offsets.size - 1):
        first, second = np.int64(-1), np.int64(-1)
        for position in range(offsets[row], offsets[row + 1]):
            key = index[position]
            if key < 0:
                continue
            uses[key] += 1
            if first < 0 or key < first:
                first, second = key, first
            elif second < 0 or key < second:
                second = key
        for position in range(offsets[row], offsets[row + 1]):
            key = index[position]
            if key < 0:
                continue
            for head in (first, second):
                if head >= 0 and head < key:
                    left[filled], right[filled] = key, head
                    filled += 1
    return left[:filled], right[:filled]


def key_classes(offsets: Ints, index: Ints, keys: int, least_overlap: float = 0.5) -> Ints:
    """Give each key the position of the key that stands for its class.

    Args:
        offsets: Row boundaries in `index`, shape (rows + 1,).
        index: Keys of the sampled exchanges by their number, each at most once in a row; -1 does not count.
        keys: Number of shared keys.
        least_overlap: Two keys are one when they occur together in at least this share of the rows of either.

    Returns:
        Numbers of keys, shape (keys,); a key that stands for itself has its own position.
    """
    uses = np.zeros(keys, dtype=np.int64)
    left, right = _stars(offsets, index, uses)
    leader = np.arange(keys, dtype=np.int64)
    if left.size == 0:
        return leader
    pairs, together = np.unique(left * keys + right, return_counts=True)
    key, head = pairs // keys, pairs % keys
    same = together >= np.maximum(2, least_overlap * np.maximum(uses[key], uses[head]))
    # pairs are sorted by key, then head: writing backwards leaves the smallest head of each key
    leader[key[same][::-1]] = head[same][::-1]
    # a key that leads others stands for itself, so that no class reaches beyond one step
    heads = leader[leader != np.arange(keys)]
    leader[heads] = heads
    return leader
