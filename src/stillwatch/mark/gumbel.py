"""Gumbel-max choice of the next token under a key for each row.

The token with the largest log weight plus keyed Gumbel noise wins: the one with the least log(-log u) less
its log weight. Because 1 - u <= -log u, and because exponent and mantissa of a floating-point number give a
lower bound of its logarithm, one vector pass without any logarithm leaves a handful of tokens, whose noise is
then computed in double precision. A key costs nothing per account: it is a number in the row.

Sources: S. Aaronson, "My AI safety lecture for UT Effective Altruism", 2022 (the scheme); J. N. Mitchell, IRE
Transactions on Electronic Computers, 1962 (the bound). Format: `stillwatch.mark.prf`.
"""

# mypy: disable-error-code="no-any-return, return-value, assignment, arg-type"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit

from stillwatch.mark.contexts import fill_contexts, find_repeated
from stillwatch.mark.prf import MASK, context_state, token_block, token_word, unit

if TYPE_CHECKING:
    from stillwatch.mark.contexts import Flags
    from stillwatch.mark.prf import Block, Keys, Tokens

Scores = npt.NDArray[np.float32]

_HALF, _DROP = np.uint64(32), np.uint64(8)
_STEPS = np.int32(16_777_216)
"""Number of values of u: it is (m + 1) / (steps + 1) for m from 0 to steps - 1."""

_LOG2E = np.float32(1.4426950408889634)
_ULP = np.float32(2.0**-23)
_BIAS = np.float32(151.0001)
"""127 of the exponent's bias, 24 for log2(steps), and a little more than the rounding of what follows."""

_WIDEST = np.float32(4.3)
"""By how much a cost can exceed its bound, in bits: log2(log(steps + 1)), the bound's 0.086, and slack."""

_SLACK = 1e-3

_TOP, _REST = np.float32(0.9785), np.float32(1.0 / 999.0)
"""What `_is_uncertain` counts for the likeliest token, and what the others must exceed beside it."""


@njit(nogil=True, forceinline=True)
def _bound(word: np.uint64, score: np.float32) -> np.float32:
    """Return at most log2(-log u) - score log2 e, from the bits of 1 - u."""
    gap = np.float32(_STEPS - np.int32(word >> _DROP))
    return np.float32(gap.view(np.int32)) * _ULP - _BIAS - score * _LOG2E


@njit(nogil=True, fastmath={"nnan", "nsz"})
def _least(values: Scores) -> np.float32:
    """Return the least value, by four running minima: one would make each comparison wait for the last."""
    size = values.shape[0]
    whole = size // 4
    a = b = c = d = np.float32(np.inf)
    for i in range(whole):
        a, b = min(a, values[4 * i]), min(b, values[4 * i + 1])
        c, d = min(c, values[4 * i + 2]), min(d, values[4 * i + 3])
    for i in range(4 * whole, size):
        a = min(a, values[i])
    return min(a, b, c, d)


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _fill_bounds(state: Block, k0: np.uint64, k1: np.uint64, scores: Scores, out: Scores) -> np.float32:
    """Fill `out` with a lower bound of each token's cost in bits and return the least of them."""
    size = scores.shape[0]
    whole = size // 4
    for group in range(whole):
        a, b, c, d = token_block(state, np.uint64(group), k0, k1)
        first = 4 * group
        out[first] = _bound(a, scores[first])
        out[first + 1] = _bound(b, scores[first + 1])
        out[first + 2] = _bound(c, scores[first + 2])
        out[first + 3] = _bound(d, scores[first + 3])
    for token in range(4 * whole, size):
        out[token] = _bound(token_word(state, np.uint64(token), k0, k1), scores[token])
    return _least(out)


@njit(nogil=True)
def _cost(state: Block, k0: np.uint64, k1: np.uint64, token: int, score: np.float32) -> float:
    """Return log2(-log u) - score log2 e in double precision."""
    u = unit(token_word(state, np.uint64(token), k0, k1))
    return (np.log(-np.log(u)) - score) * 1.4426950408889634


@njit(nogil=True, fastmath={"nnan", "nsz"})
def _any_below(bounds: Scores, limit: np.float32) -> bool:
    found = False
    for token in range(bounds.shape[0]):
        found |= bounds[token] <= limit
    return found


@njit(cache=True, nogil=True)
def _winner(context: Tokens, key: np.uint64, scores: Scores, bounds: Scores) -> int:
    """Return the token with the least cost; -1 where every token is forbidden."""
    k0, k1 = key & MASK, key >> _HALF
    state = context_state(context, k0, k1)
    least = _fill_bounds(state, k0, k1, scores, bounds)
    best, limit, winner = np.inf, np.float32(least + _WIDEST), -1
    if least == np.inf:
        return winner
    for start in range(0, scores.shape[0], 64):
        if _any_below(bounds[start : start + 64], limit):
            for token in range(start, min(start + 64, scores.shape[0])):
                if bounds[token] <= limit:
                    cost = _cost(state, k0, k1, token, scores[token])
                    if cost < best:
                        best, limit, winner = cost, np.float32(cost + _SLACK), token
    return winner


@njit(nogil=True, fastmath={"nnan", "nsz", "reassoc"})
def _mass(scores: Scores, top: np.float32) -> np.float32:
    """Return the sum of exp(score - top), each good to 3 % (N. N. Schraudolph, Neural Computation, 1999)."""
    total = np.float32(0.0)
    for token in range(scores.shape[0]):
        power = max((scores[token] - top) * _LOG2E, np.float32(-126.0))
        total += np.int32((power + np.float32(126.957)) * np.float32(8388608.0)).view(np.float32)
    return total


@njit(nogil=True, fastmath={"nnan", "nsz"})
def _largest(scores: Scores) -> np.float32:
    """Return the largest score, by four running maxima."""
    size = scores.shape[0]
    whole = size // 4
    a = b = c = d = np.float32(-np.inf)
    for i in range(whole):
        a, b = max(a, scores[4 * i]), max(b, scores[4 * i + 1])
        c, d = max(c, scores[4 * i + 2]), max(d, scores[4 * i + 3])
    for i in range(4 * whole, size):
        a = max(a, scores[i])
    return max(a, b, c, d)


@njit(cache=True, nogil=True)
def _is_uncertain(scores: Scores) -> bool:
    """Say whether the likeliest token's probability is below about 0.999; most rows show it at once."""
    top, total = _largest(scores), np.float32(0.0)
    if top == np.float32(-np.inf):
        return False
    for start in range(0, scores.shape[0], 128):
        total += _mass(scores[start : start + 128], top)
        if total > _TOP + _REST:
            return True
    return False


@njit(cache=True, nogil=True)
def _choose(scores: Scores, contexts: Tokens, keys: Keys, skip: Flags, out: Tokens) -> None:
    bounds = np.empty(scores.shape[1], dtype=np.float32)
    for row in range(out.shape[0]):
        out[row] = -1 if skip[row] else _winner(contexts[row], keys[row], scores[row], bounds)


@njit(cache=True, nogil=True)
def _fill_uncertain(scores: Scores, out: Flags) -> None:
    for row in range(out.shape[0]):
        out[row] = _is_uncertain(scores[row])


@njit(cache=True, nogil=True)
def _keep(scores: Scores, token: int, out: Scores) -> None:
    if token < 0:
        out[:] = scores
    else:
        out[:] = -np.inf
        out[token] = 0.0


@njit(cache=True, nogil=True)
def _mark_finished(tokens: Tokens, starts: Tokens, stops: Tokens, finished: Flags) -> None:
    for row in range(finished.shape[0]):
        if tokens.shape[1] > starts[row]:
            for stop in stops:
                finished[row] |= tokens[row, -1] == stop


@njit(cache=True, nogil=True)
def serve(
    tokens: Tokens,
    starts: Tokens,
    stops: Tokens,
    finished: Flags,
    search: tuple[bool, bool, int],
    width: int,
    first: Keys,
    second: Keys,
    draws: npt.NDArray[np.float64],
    alpha: float,
    scores: Scores,
    out: Scores,
    outcome: Tokens,
    tally: npt.NDArray[np.int64],
) -> None:
    """Do one step of a batch in one call, since a step of a small model leaves time for little more.

    Args:
        tokens: Prompt and answer so far, shape (n, length).
        starts: Place of the first answer token in each row, shape (n,).
        stops: Tokens behind which a row is finished, shape (s,).
        finished: Rows that are; updated, shape (n,).
        search: From `Deduplication.search`.
        width: Number of tokens in a context.
        first: Key A of each row (the only key of plain Gumbel-max), shape (n,).
        second: Key B of each row, shape (n,).
        draws: Uniform numbers that route to key B where they are 1 - `alpha` or more, shape (n,).
        alpha: Share of key B.
        scores: Log weights after temperature and truncation, shape (n, vocabulary).
        out: Becomes the scores that allow the chosen token alone, or the row as it came.
        outcome: Becomes the chosen token, -1 where the row stays as it came, shape (n,).
        tally: Counts answer tokens, those that could be marked, and those that were, shape (3, n); updated.
    """
    rows, length = tokens.shape
    ends = np.full(rows, length)
    contexts, repeated = np.empty((rows, width), dtype=np.int64), np.zeros(rows, dtype=np.bool_)
    bounds = np.empty(scores.shape[1], dtype=np.float32)
    _mark_finished(tokens, starts, stops, finished)
    fill_contexts(tokens, starts, ends, contexts)
    find_repeated(tokens, starts, ends, contexts, search, repeated)
    for row in range(rows):
        chosen = -1
        if not finished[row] and not repeated[row]:
            key = second[row] if draws[row] >= 1.0 - alpha else first[row]
            chosen = _winner(contexts[row], key, scores[row], bounds)
            tally[1, row] += _is_uncertain(scores[row])
            tally[2, row] += 1
        tally[0, row] += not finished[row]
        outcome[row] = chosen
        _keep(scores[row], chosen, out[row])


def choose_by_scores(scores: Scores, contexts: Tokens, keys: Keys, skip: Flags) -> Tokens:
    """Choose the next token of each row by Gumbel-max under the row's key.

    Args:
        scores: Log weights after temperature and truncation, up to a constant a row, shape (n, vocabulary).
        contexts: From `stillwatch.mark.contexts.current_contexts`, shape (n, w).
        keys: One 64-bit key a row, shape (n,).
        skip: Rows that stay without a mark, shape (n,).

    Returns:
        Tokens, -1 in rows that stay without a mark, shape (n,).

    Examples:
        >>> scores = np.log(np.array([[0.5, 0.25, 0.25]], np.float32))
        >>> key, skip = np.array([42], np.uint64), np.array([False])
        >>> choose_by_scores(scores, np.array([[1, 2, 3, 4]]), key, skip)
        array([0])
    """
    out = np.empty(len(scores), dtype=np.int64)
    _choose(np.ascontiguousarray(scores, dtype=np.float32), contexts, keys, skip, out)
    return out


def choose(inverse: Scores, contexts: Tokens, keys: Keys, skip: Flags) -> Tokens:
    """Choose as `choose_by_scores`, from inverse weights: 1 / probability up to a factor a row."""
    return choose_by_scores(-np.log(inverse), contexts, keys, skip)


def uncertain(scores: Scores) -> Flags:
    """Say for each row, shape (n, vocabulary), whether the likeliest token has less than about 0.999.

    Where one token is all but certain there is nothing to choose, so nothing is marked whatever the key. The
    other tokens' share is known to 3 % of itself, enough for a count.
    """
    out = np.zeros(len(scores), dtype=np.bool_)
    _fill_uncertain(np.ascontiguousarray(scores, dtype=np.float32), out)
    return out


def routed(first: Keys, second: Keys, draws: npt.NDArray[np.float64], alpha: float) -> Keys:
    """Return key B where `draws`, uniform on [0, 1), fall into the last `alpha`, else key A; all (n,)."""
    keys: Keys = np.where(draws >= 1.0 - alpha, second, first)
    return keys
