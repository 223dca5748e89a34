"""Gumbel-max choice of the next token under a key for each row.

The token with the largest log weight plus keyed Gumbel noise wins, which is the one with the least
-log(u) / weight. Since 1 - u <= -log(u), one vector pass over 1 - u leaves a handful of tokens whose
logarithms are needed; the choice is that of the full formula, up to the single precision of the weights. A
key costs nothing per account: it is a number in the row.

Source: S. Aaronson, "My AI safety lecture for UT Effective Altruism", 2022; format: `stillwatch.mark.prf`.
"""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit

from stillwatch.mark.prf import MASK, context_state, token_block

if TYPE_CHECKING:
    from stillwatch.mark.contexts import Flags
    from stillwatch.mark.prf import Keys, Tokens

Weights = npt.NDArray[np.float32]

_HALF, _DROP = np.uint64(32), np.uint64(8)
_STEPS = 16_777_216
"""Number of values of u: it is (m + 1) / (steps + 1) for m from 0 to steps - 1."""

_WORST = np.float32(17.0)
"""-log(u) is at most log(steps + 1) = 16.7 times 1 - u."""


@njit(nogil=True, forceinline=True)
def _gap(word: np.uint64) -> np.float32:
    """Return (1 - u) times (steps + 1), a whole number from 1 to `steps`."""
    return np.float32(np.int32(_STEPS) - np.int32(word >> _DROP))


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _fill_bounds(context: Tokens, key: np.uint64, inverse: Weights, out: Weights) -> np.float32:
    """Fill `out` with (1 - u) (steps + 1) / weight for each token and return the least of them."""
    k0, k1 = key & MASK, key >> _HALF
    state = context_state(context, k0, k1)
    size = inverse.shape[0]
    whole = size // 4
    least = np.float32(np.inf)
    for group in range(whole):
        a, b, c, d = token_block(state, np.uint64(group), k0, k1)
        first = 4 * group
        out[first] = _gap(a) * inverse[first]
        out[first + 1] = _gap(b) * inverse[first + 1]
        out[first + 2] = _gap(c) * inverse[first + 2]
        out[first + 3] = _gap(d) * inverse[first + 3]
    last = token_block(state, np.uint64(whole), k0, k1)
    for token in range(4 * whole, size):
        out[token] = _gap(last[token - 4 * whole]) * inverse[token]
    for token in range(size):
        least = min(least, out[token])
    return least


@njit(cache=True, nogil=True)
def _winner(bounds: Weights, inverse: Weights, least: np.float32) -> int:
    """Return the token with the least -log(u) / weight among those whose lower bound allows it."""
    best, winner = np.float64(least * _WORST), -1
    for token in range(bounds.shape[0]):
        if bounds[token] <= best:
            gap = np.round(bounds[token] / inverse[token])
            cost = -np.log1p(-gap / (_STEPS + 1.0)) * (_STEPS + 1.0) * inverse[token]
            if cost < best or winner < 0:
                best, winner = cost, token
    return winner


@njit(cache=True, nogil=True)
def _choose(inverse: Weights, contexts: Tokens, keys: Keys, skip: Flags, out: Tokens) -> None:
    bounds = np.empty(inverse.shape[1], dtype=np.float32)
    for row in range(out.shape[0]):
        out[row] = -1
        if not skip[row]:
            least = _fill_bounds(contexts[row], keys[row], inverse[row], bounds)
            out[row] = _winner(bounds, inverse[row], least)


@njit(cache=True, nogil=True)
def _fill_uncertain(inverse: Weights, most: float, out: Flags) -> None:
    for row in range(out.shape[0]):
        total, limit = 0.0, 1.0 / most
        for token in range(inverse.shape[1]):
            total += 1.0 / inverse[row, token]
            if total > limit:
                out[row] = True
                break


def inverse_weights(scores: Weights) -> Weights:
    """Return exp(largest score of the row - score): 1 for the likeliest token, infinite for a forbidden one.

    Args:
        scores: Log weights after temperature and truncation, up to a constant a row, shape (n, vocabulary).

    Returns:
        Inverse weights, shape (n, vocabulary).
    """
    with np.errstate(over="ignore"):
        inverse: Weights = np.exp(scores.max(axis=1, keepdims=True) - scores)
    return inverse


def choose(inverse: Weights, contexts: Tokens, keys: Keys, skip: Flags) -> Tokens:
    """Choose the next token of each row by Gumbel-max under the row's key.

    Args:
        inverse: From `inverse_weights`, shape (n, vocabulary).
        contexts: From `stillwatch.mark.contexts.current_contexts`, shape (n, w).
        keys: One 64-bit key a row, shape (n,).
        skip: Rows that stay without a mark, shape (n,).

    Returns:
        Tokens, -1 in rows that stay without a mark, shape (n,).

    Examples:
        >>> inverse = inverse_weights(np.log(np.array([[0.5, 0.25, 0.25]], np.float32)))
        >>> key, skip = np.array([42], np.uint64), np.array([False])
        >>> choose(inverse, np.array([[1, 2, 3, 4]]), key, skip)
        array([0])
    """
    out = np.empty(len(inverse), dtype=np.int64)
    _choose(inverse, contexts, keys, skip, out)
    return out


def uncertain(inverse: Weights, most: float = 0.999) -> Flags:
    """Say for each row whether the likeliest token has a probability below `most`.

    Where one token is all but certain there is nothing to choose, so nothing is marked whatever the key.
    """
    out = np.zeros(len(inverse), dtype=np.bool_)
    _fill_uncertain(inverse, most, out)
    return out


def routed(first: Keys, second: Keys, draws: npt.NDArray[np.float64], alpha: float) -> Keys:
    """Return key B where `draws`, uniform on [0, 1), fall into the last `alpha`, else key A; all (n,)."""
    keys: Keys = np.where(draws >= 1.0 - alpha, second, first)
    return keys
