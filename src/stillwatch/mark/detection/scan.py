"""Totals of one body of evidence under very many keys.

24,000 accounts times 100,000 pairs are 2.4 billion calls of the pseudo-random function. Three things make
them
cheap: keys run in the inner loop, where the ten rounds of Philox fill the vector lanes; the context's state
is kept for all tokens behind it; and the logarithm of each score is avoided. 1 - u is a whole number of at
most 2**24 over 2**24 + 1, so up to 40 of them are multiplied as doubles before one logarithm is taken, which
is more exact than adding 40 rounded logarithms.
"""

# mypy: disable-error-code="no-any-return, assignment, operator, arg-type"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from stillwatch.mark import prf
from stillwatch.mark.schemes import DualKeyGumbel, GreenList, GumbelMax

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from stillwatch.mark.prf import Keys, Tokens
    from stillwatch.mark.schemes import Scheme

    Totals = NDArray[np.float64]

BLOCK = 512
"""Keys in one inner loop: their state fits into the first-level cache."""

_FACTORS = 40
_HALF = np.uint64(32)
_LOG_DENOMINATOR = math.log(16777217.0)
_GENERIC_CELLS = 4_000_000
_SORT_FROM = 1000
"""Keys from which sorting by context costs less than absorbing a context twice."""


def totals(scheme: Scheme, contexts: Tokens, tokens: Tokens, keys: Keys, *, threads: int = 1) -> Totals:
    """Return the total score of the pairs under each key.

    Equal to `scheme.scores(...).sum(axis=1)` up to rounding (relative error below 1e-12), in bounded memory.

    Args:
        scheme: The scheme; those on Philox run in compiled loops, others through their own `scores`.
        contexts: Shape (n, w).
        tokens: Shape (n,).
        keys: 64-bit keys, shape (k,).
        threads: Threads that share the keys.

    Returns:
        Totals, shape (k,).

    Examples:
        >>> totals(GumbelMax(), np.array([[1, 2, 3, 4]]), np.array([7]), np.array([42], np.uint64)).round(6)
        array([0.104309])
    """
    contexts, tokens = prf.checked_pairs(contexts, tokens)
    keys = np.ascontiguousarray(keys, dtype=np.uint64)
    if tokens.size == 0 or keys.size == 0:
        return np.zeros(keys.shape)
    if isinstance(scheme, GumbelMax):
        return _gumbel(contexts, tokens, keys, threads)
    if isinstance(scheme, DualKeyGumbel):
        first, second = prf.dual_keys(keys)
        both = _gumbel(contexts, tokens, np.concatenate([first, second]), threads)
        return (1.0 - scheme.alpha) * both[: keys.size] + scheme.alpha * both[keys.size :]
    if isinstance(scheme, GreenList) and scheme.seeding == "philox":
        return _green(contexts, tokens, keys, scheme.threshold, threads)
    return _generic(scheme, contexts, tokens, keys)


def _gumbel(contexts: Tokens, tokens: Tokens, keys: Keys, threads: int) -> Totals:
    groups, ordered = _by_context(contexts, tokens, keys.size)

    def run(low: Keys, high: Keys, out: Totals) -> None:
        _gumbel_block(contexts, groups, ordered, low, high, out)

    return _LOG_DENOMINATOR * tokens.size - _in_blocks(run, keys, threads)


def _green(contexts: Tokens, tokens: Tokens, keys: Keys, threshold: int, threads: int) -> Totals:
    groups, ordered = _by_context(contexts, tokens, keys.size)

    def run(low: Keys, high: Keys, out: Totals) -> None:
        _green_block(contexts, groups, ordered, low, high, np.uint64(threshold), out)

    return _in_blocks(run, keys, threads)


def _generic(scheme: Scheme, contexts: Tokens, tokens: Tokens, keys: Keys) -> Totals:
    result = np.zeros(keys.shape)
    step = max(1, _GENERIC_CELLS // tokens.size)
    for start in range(0, keys.size, step):
        result[start : start + step] = scheme.scores(contexts, tokens, keys[start : start + step]).sum(axis=1)
    return result


def _by_context(contexts: Tokens, tokens: Tokens, keys: int) -> tuple[Tokens, Tokens]:
    """Bring equal contexts together where that pays; returns (row, end) of each run and the tokens."""
    if keys < _SORT_FROM:
        rows = np.arange(tokens.size)
        return np.stack([rows, rows + 1], axis=1), tokens
    order = np.argsort(_mixed(contexts), kind="stable")
    ranked = contexts[order]
    fresh = np.ones(order.size, dtype=np.bool_)
    fresh[1:] = np.any(ranked[1:] != ranked[:-1], axis=1)
    begins = np.append(np.flatnonzero(fresh), order.size)
    return np.stack([order[begins[:-1]], begins[1:]], axis=1), tokens[order]


def _mixed(contexts: Tokens) -> NDArray[np.uint64]:
    """A hash of each context, only to sort by; contexts that collide merely stay apart."""
    value = np.zeros(len(contexts), dtype=np.uint64)
    for column in contexts.T:
        value = (value ^ column.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        value ^= value >> np.uint64(31)
    return value


def _in_blocks(run: Callable[[Keys, Keys, Totals], None], keys: Keys, threads: int) -> Totals:
    out = np.zeros(keys.shape)
    low, high = keys & prf.MASK, keys >> _HALF
    slices = [slice(start, start + BLOCK) for start in range(0, keys.size, BLOCK)]
    if threads <= 1 or len(slices) == 1:
        for one in slices:
            run(low[one], high[one], out[one])
        return out
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda one: run(low[one], high[one], out[one]), slices))
    return out


@njit(nogil=True, inline="always")
def _rounds(
    c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64
) -> prf.Block:
    """Philox4x32-10 as `prf.philox`, with rubbish in the upper halves of what it returns.

    Only factors are masked, which costs nothing in a vector unit that multiplies lower halves; a quarter
    faster.
    """
    for _ in range(10):
        p0, p1 = prf.MULTIPLIER_0 * (c0 & prf.MASK), prf.MULTIPLIER_1 * (c2 & prf.MASK)
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1, (p0 >> _HALF) ^ c3 ^ k1, p0
        k0, k1 = k0 + prf.WEYL_0, k1 + prf.WEYL_1
    return c0, c1, c2, c3


@njit(nogil=True, inline="always")
def _absorb(context: Tokens, low: Keys, high: Keys, state: Keys) -> None:
    """Set the state of every key, shape (4, keys), to that after `context`."""
    a0, a1, a2, a3 = prf.context_start(context.shape[0])
    for offset in range(0, context.shape[0], 4):
        w0, w1 = prf.context_word(context, offset), prf.context_word(context, offset + 1)
        w2, w3 = prf.context_word(context, offset + 2), prf.context_word(context, offset + 3)
        if offset == 0:
            w0, w1, w2, w3 = w0 ^ a0, w1 ^ a1, w2 ^ a2, w3 ^ a3
            for k in range(low.shape[0]):
                state[0, k], state[1, k], state[2, k], state[3, k] = _rounds(w0, w1, w2, w3, low[k], high[k])
        else:
            turn = np.uint64(offset)
            for k in range(low.shape[0]):
                state[0, k], state[1, k], state[2, k], state[3, k] = _rounds(
                    state[0, k] ^ w0,
                    state[1, k] ^ w1,
                    state[2, k] ^ w2,
                    state[3, k] ^ w3,
                    low[k] ^ turn,
                    high[k],
                )


@njit(nogil=True, inline="always")
def _words(token: int, low: Keys, high: Keys, state: Keys, k: int) -> np.uint64:
    """The word of a token under key `k`, with rubbish in the upper half."""
    whole = np.uint64(token) & prf.MASK
    block = _rounds(
        whole >> np.uint64(2),
        state[0, k],
        state[1, k],
        state[2, k],
        low[k] ^ state[3, k],
        high[k] ^ prf.TOKEN_DOMAIN,
    )
    return prf.pick(block, whole & np.uint64(3))


@njit(cache=True, nogil=True, error_model="numpy")
def _gumbel_block(
    contexts: Tokens, groups: Tokens, tokens: Tokens, low: Keys, high: Keys, out: Totals
) -> None:
    """Add up log(2**24 - mantissa) for each key."""
    count = low.shape[0]
    state = np.empty((4, count), np.uint64)
    product = np.ones(count)
    held, begin = 0, 0
    for group in range(groups.shape[0]):
        _absorb(contexts[groups[group, 0]], low, high, state)
        for i in range(begin, groups[group, 1]):
            for k in range(count):
                mantissa = (_words(tokens[i], low, high, state, k) >> np.uint64(8)) & np.uint64(0xFFFFFF)
                product[k] *= np.float64(np.int64(np.uint64(0x1000000) - mantissa))
            held += 1
            if held == _FACTORS:
                for k in range(count):
                    out[k] += math.log(product[k])
                    product[k] = 1.0
                held = 0
        begin = groups[group, 1]
    for k in range(count):
        out[k] += math.log(product[k])


@njit(cache=True, nogil=True, error_model="numpy")
def _green_block(
    contexts: Tokens,
    groups: Tokens,
    tokens: Tokens,
    low: Keys,
    high: Keys,
    threshold: np.uint64,
    out: Totals,
) -> None:
    """Count the words below the threshold for each key."""
    count = low.shape[0]
    state = np.empty((4, count), np.uint64)
    begin = 0
    for group in range(groups.shape[0]):
        _absorb(contexts[groups[group, 0]], low, high, state)
        for i in range(begin, groups[group, 1]):
            for k in range(count):
                value = _words(tokens[i], low, high, state, k) & prf.MASK
                out[k] += 1.0 if value < threshold else 0.0
        begin = groups[group, 1]
