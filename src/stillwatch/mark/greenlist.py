"""The green lists of `transformers.WatermarkLogitsProcessor`, without PyTorch.

A list is the beginning of a permutation of the vocabulary that PyTorch draws on the CPU from a generator
seeded by key and context. On another device PyTorch draws other permutations: text marked on CUDA cannot be
tested here.

Sources: J. Kirchenbauer et al., "A watermark for large language models", ICML 2023 (algorithms 2 and 3);
M. Matsumoto, T. Nishimura, "Mersenne twister", ACM TOMACS 1998; R. Durstenfeld, "Algorithm 235", CACM 1964.
Facts on seeding: transformers 5.23, `generation/logits_process.py` (Apache-2.0).
"""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit

if TYPE_CHECKING:
    from stillwatch.mark.prf import Keys, Tokens

Permutation = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_TABLE_SIZE = 1_000_003
_WORDS, _SHIFT = 624, 397
_LOW = np.uint64(0xFFFFFFFF)


@njit(cache=True, nogil=True)
def _seed(state: npt.NDArray[np.uint32], seed: np.uint64) -> None:
    value = seed & _LOW
    for i in range(_WORDS):
        state[i] = value
        value = (np.uint64(1812433253) * (value ^ (value >> np.uint64(30))) + np.uint64(i + 1)) & _LOW


@njit(cache=True, nogil=True)
def _twist(state: npt.NDArray[np.uint32]) -> None:
    for i in range(_WORDS):
        mixed = (state[i] & np.uint32(0x80000000)) | (state[(i + 1) % _WORDS] & np.uint32(0x7FFFFFFF))
        turned = np.uint32(0x9908B0DF) if mixed & np.uint32(1) else np.uint32(0)
        state[i] = state[(i + _SHIFT) % _WORDS] ^ (mixed >> np.uint32(1)) ^ turned


@njit(cache=True, nogil=True)
def _temper(word: np.uint32) -> np.uint32:
    word ^= word >> np.uint32(11)
    word ^= (word << np.uint32(7)) & np.uint32(0x9D2C5680)
    word ^= (word << np.uint32(15)) & np.uint32(0xEFC60000)
    return word ^ (word >> np.uint32(18))


@njit(cache=True, nogil=True)
def _shuffle(order: Permutation, seed: np.uint64, count: int) -> None:
    """Shuffle `order` so that its first `count` entries are final (later ones are only partly mixed)."""
    state = np.empty(_WORDS, dtype=np.uint32)
    _seed(state, seed)
    size = order.shape[0]
    for i in range(min(count, size - 1)):
        if i % _WORDS == 0:
            _twist(state)
        j = i + np.int64(_temper(state[i % _WORDS])) % (size - i)
        order[i], order[j] = order[j], order[i]


def permutation(seed: int, size: int) -> Permutation:
    """Return `torch.randperm(size)` of a CPU generator with `manual_seed(seed)`, shape (size,).

    PyTorch keeps 32 bits of the seed here, so keys that differ by a multiple of 2**32 give the same lists.

    Examples:
        >>> permutation(15485863 * 10, 1000)[:5]
        array([195, 663,  90, 565, 917])
    """
    order = np.arange(size)
    _shuffle(order, np.uint64(seed % 2**32), size)
    return order


@njit(nogil=True, forceinline=True)
def _fold(high: np.uint64, low: np.uint64) -> np.uint64:
    """Reduce high * 2**64 + low modulo 2**64 - 1, up to the double name of zero."""
    total = high + low
    return total + np.uint64(1) if total < low else total


@njit(cache=True, nogil=True)
def _product(key: np.uint64, token: np.uint64) -> np.uint64:
    """Multiply a 64-bit key by a token below 2**32, modulo 2**64 - 1."""
    upper, lower = (key >> np.uint64(32)) * token, (key & _LOW) * token
    total = _fold(upper >> np.uint64(32), upper << np.uint64(32))
    total = _fold(lower, total)
    return np.uint64(0) if total == np.uint64(0xFFFFFFFFFFFFFFFF) else total


@njit(cache=True, nogil=True)
def _left_seeds(last: Tokens, key: np.uint64) -> Keys:
    seeds = np.empty(last.shape[0], dtype=np.uint64)
    for i in range(last.shape[0]):
        seeds[i] = _product(key, np.uint64(last[i])) & _LOW
    return seeds


def _self_seeds(pairs: Tokens, key: int) -> Keys:
    """Seeds of `selfhash`: least product of key and table entries in wrapping int64, modulo 2**64 - 1."""
    table = _table(key % 2**32)
    seen = table[pairs % _TABLE_SIZE] + 1
    signed = key - 2**64 if key >= 2**63 else key
    with np.errstate(over="ignore"):
        least: npt.NDArray[np.int64] = (np.int64(signed) * seen * seen[:, -1:]).min(axis=1)
    # A negative x is x + 2**64 - 1 modulo 2**64 - 1: one less than its two's complement.
    seeds: Keys = least.view(np.uint64) - (least < 0).astype(np.uint64)
    return seeds & _LOW


@lru_cache(maxsize=4)
def _table(seed: int) -> Permutation:
    return permutation(seed, _TABLE_SIZE)


@njit(cache=True, nogil=True)
def _members(seeds: Keys, tokens: Tokens, size: int, greens: int, out: Flags) -> None:
    """Say for each token whether it is green under its seed; `seeds` ascend, so each list is drawn once."""
    place, start = np.empty(size, dtype=np.int64), 0
    order = np.empty(size, dtype=np.int64)
    while start < seeds.shape[0]:
        for i in range(size):
            order[i] = i
        _shuffle(order, seeds[start], greens)
        for i in range(size):
            place[order[i]] = i
        while True:
            token = tokens[start]
            out[start] = 0 <= token < size and place[token] < greens
            start += 1
            if start == seeds.shape[0] or seeds[start] != seeds[start - 1]:
                break


def green_pairs(pairs: Tokens, keys: Keys, size: int, greens: int, *, own_token: bool) -> Flags:
    """Say which pairs are green under each key.

    Args:
        pairs: Contexts with the token that followed as last column, shape (n, w + 1).
        keys: Hashing keys, shape (k,).
        size: Number of tokens of the vocabulary.
        greens: Number of green tokens in a list.
        own_token: `selfhash`, which seeds with the token itself too, instead of `lefthash`.

    Returns:
        Flags, shape (k, n).
    """
    out = np.zeros((keys.shape[0], pairs.shape[0]), dtype=np.bool_)
    for row, key in enumerate(keys):
        seeds = _self_seeds(pairs, int(key)) if own_token else _left_seeds(pairs[:, -2].copy(), key)
        order = np.argsort(seeds, kind="stable")
        flags = np.zeros(order.size, dtype=np.bool_)
        _members(seeds[order], pairs[order, -1], size, greens, flags)
        out[row, order] = flags
    return out
