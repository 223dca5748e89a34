"""The pseudo-random function of token marks: Philox4x32-10 in the mapping that vLLM serves.

A mark that others can verify needs one format. vLLM (0.32 and later) publishes its mapping as
`philox4x32-10-v1` with golden values; this module speaks the same bits and invents nothing.

Sources: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC 2011 (Philox4x32-10); vLLM project, `vllm/v1/watermarking/prfs/philox.py` (the mapping, Apache-2.0).

The mapping of one (context, token, 64-bit key): the context is absorbed in blocks of four words, the state
starts at two constants and the context's length, and a block's offset enters the key; one more call for each
group of four neighbouring tokens gives the words of these four tokens. History that does not exist is -1.
"""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
from numba import njit

VERSION = "philox4x32-10-v1"
"""Name of the mapping, equal to vLLM's."""

MISSING = -1
"""What stands in a context for a token before the beginning."""

Words = npt.NDArray[np.uint32]
Tokens = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
Block = tuple[np.uint64, np.uint64, np.uint64, np.uint64]

MASK = np.uint64(0xFFFFFFFF)
MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
CONTEXT_DOMAIN, TOKEN_DOMAIN = np.uint64(0x574D4358), np.uint64(0x574D544B)
_HALF = np.uint64(32)


@njit(nogil=True, forceinline=True)
def philox(c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64) -> Block:
    """Apply Philox4x32-10 to a counter of four and a key of two 32-bit words, each kept in a uint64.

    Wide lanes let the compiler use the 32 by 32 to 64 bit multiplication of the vector units.
    """
    for _ in range(10):
        p0, p1 = MULTIPLIER_0 * c0, MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1 & MASK, (p0 >> _HALF) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + WEYL_0) & MASK, (k1 + WEYL_1) & MASK
    return c0, c1, c2, c3


@njit(nogil=True, forceinline=True)
def context_start(width: int) -> Block:
    """Return the state before the first block of a context of `width` tokens."""
    return CONTEXT_DOMAIN, np.uint64(width), np.uint64(0), np.uint64(0)


@njit(nogil=True, forceinline=True)
def context_word(context: Tokens, position: int) -> np.uint64:
    """Return the word of a context at `position`; behind its end stands the filling 0xFFFFFFFF - i."""
    if position < context.shape[0]:
        return np.uint64(context[position]) & MASK
    return MASK - np.uint64(position & 3)


@njit(nogil=True, forceinline=True)
def context_state(context: Tokens, k0: np.uint64, k1: np.uint64) -> Block:
    """Absorb a context, shape (w,), under the low and high words of a key; share it among tokens."""
    s0, s1, s2, s3 = context_start(context.shape[0])
    for offset in range(0, context.shape[0], 4):
        s0, s1, s2, s3 = philox(
            s0 ^ context_word(context, offset),
            s1 ^ context_word(context, offset + 1),
            s2 ^ context_word(context, offset + 2),
            s3 ^ context_word(context, offset + 3),
            k0 ^ np.uint64(offset),
            k1,
        )
    return s0, s1, s2, s3


@njit(nogil=True, forceinline=True)
def token_block(state: Block, group: np.uint64, k0: np.uint64, k1: np.uint64) -> Block:
    """Return the words of the tokens 4 * `group` to 4 * `group` + 3 after the context `state`."""
    s0, s1, s2, s3 = state
    return philox(group, s0, s1, s2, k0 ^ s3, k1 ^ TOKEN_DOMAIN)


@njit(nogil=True, forceinline=True)
def pick(block: Block, place: np.uint64) -> np.uint64:
    """Return entry `place` (0 to 3) of a block without a branch."""
    low = block[1] if place & np.uint64(1) else block[0]
    high = block[3] if place & np.uint64(1) else block[2]
    return high if place & np.uint64(2) else low


@njit(nogil=True, forceinline=True)
def token_word(state: Block, token: np.uint64, k0: np.uint64, k1: np.uint64) -> np.uint64:
    """Return the word of one token after the context `state`."""
    token &= MASK
    return pick(token_block(state, token >> np.uint64(2), k0, k1), token & np.uint64(3))


@njit(nogil=True)
def word(context: Tokens, token: int, key: np.uint64) -> np.uint64:
    """Return the 32-bit word, as uint64, of a `token` after `context`, shape (w,), under a 64-bit `key`."""
    k0, k1 = key & MASK, key >> _HALF
    return token_word(context_state(context, k0, k1), np.uint64(token), k0, k1)


@njit(nogil=True, forceinline=True)
def unit(value: np.uint64) -> float:
    """Map a word into the open interval (0, 1): (upper 24 bits + 1) / (2**24 + 1) in double precision.

    Computed in single precision, 2**24 + 1 would lose its last bit, the largest value become 1 and its score
    infinite.
    """
    return (float(value >> np.uint64(8)) + 1.0) / 16777217.0


@njit(cache=True, nogil=True)
def _fill_words(contexts: Tokens, tokens: Tokens, keys: Keys, out: Words) -> None:
    for row in range(keys.shape[0]):
        k0, k1 = keys[row] & MASK, keys[row] >> _HALF
        for i in range(tokens.shape[0]):
            state = context_state(contexts[i], k0, k1)
            out[row, i] = token_word(state, np.uint64(tokens[i]), k0, k1)


@njit(cache=True, nogil=True)
def _fill_vocabulary(contexts: Tokens, keys: Keys, out: Words) -> None:
    size = out.shape[1]
    for i in range(contexts.shape[0]):
        k0, k1 = keys[i] & MASK, keys[i] >> _HALF
        state = context_state(contexts[i], k0, k1)
        for group in range((size + 3) // 4):
            block = token_block(state, np.uint64(group), k0, k1)
            for place in range(min(4, size - 4 * group)):
                out[i, 4 * group + place] = pick(block, np.uint64(place))


def words(contexts: Tokens, tokens: Tokens, keys: Keys) -> Words:
    """Return the words of n (context, token) pairs under each of k keys.

    Args:
        contexts: The tokens before, oldest first, -1 where there is none, shape (n, w).
        tokens: The tokens that followed, shape (n,).
        keys: 64-bit keys, shape (k,).

    Returns:
        Words, shape (k, n).

    Raises:
        ValueError: The shapes do not fit together.

    Examples:
        >>> words(np.array([[1, 2, 3, 4]]), np.array([7]), np.array([42], np.uint64))
        array([[425429266]], dtype=uint32)
    """
    contexts, tokens = checked_pairs(contexts, tokens)
    keys = np.ascontiguousarray(keys, dtype=np.uint64)
    out = np.empty((keys.shape[0], tokens.shape[0]), dtype=np.uint32)
    _fill_words(contexts, tokens, keys, out)
    return out


def vocabulary_words(contexts: Tokens, keys: Keys, size: int) -> Words:
    """Return the words of all tokens 0 to `size` - 1 after each context, each under its own key.

    Args:
        contexts: Shape (n, w).
        keys: One 64-bit key a row, shape (n,).
        size: Number of tokens of the vocabulary.

    Returns:
        Words, shape (n, size).
    """
    contexts = np.ascontiguousarray(contexts, dtype=np.int64)
    keys = np.ascontiguousarray(keys, dtype=np.uint64)
    if contexts.ndim != 2 or keys.shape != contexts.shape[:1]:
        raise ValueError("contexts need the shape (n, w) and keys the shape (n,)")
    out = np.empty((contexts.shape[0], size), dtype=np.uint32)
    _fill_vocabulary(contexts, keys, out)
    return out


def uniform(values: Words) -> npt.NDArray[np.float64]:
    """Map words into (0, 1) in double precision: (upper 24 bits + 1) / (2**24 + 1).

    Examples:
        >>> float(uniform(np.array([425429266], np.uint32))[0]) == 1661834 / (2**24 + 1)
        True
    """
    return ((values >> np.uint32(8)).astype(np.float64) + 1.0) / 16777217.0


def uniform_single(values: Words) -> npt.NDArray[np.float32]:
    """Map words into (0, 1) as vLLM does: `uniform` rounded to single precision.

    For comparing scores with vLLM's own; a text's score differs from the exact one in the eighth digit.
    """
    return uniform(values).astype(np.float32)


def checked_pairs(contexts: Tokens, tokens: Tokens) -> tuple[Tokens, Tokens]:
    """Return contexts (n, w) and tokens (n,) as contiguous int64.

    Raises:
        ValueError: The shapes do not fit together.
    """
    contexts = np.ascontiguousarray(contexts, dtype=np.int64)
    tokens = np.ascontiguousarray(tokens, dtype=np.int64)
    if contexts.ndim != 2 or tokens.shape != contexts.shape[:1] or contexts.shape[1] < 1:
        raise ValueError("contexts need the shape (n, w) with w of 1 or more, and tokens the shape (n,)")
    return contexts, tokens


def dual_keys(keys: Keys) -> tuple[Keys, Keys]:
    """Derive key A and key B of the dual-key scheme from 64-bit keys, as vLLM does.

    The first eight bytes, big endian, of SHA-256 over `key_a` or `key_b` and the eight big-endian bytes of
    the key.

    Args:
        keys: Shape (k,).

    Returns:
        Keys A and keys B, shape (k,) each.

    Examples:
        >>> [int(one[0]) for one in dual_keys(np.array([42], np.uint64))]
        [37150756557148556, 15826636237805488045]
    """
    raw = [int(key).to_bytes(8, "big") for key in keys]
    a, b = ([_label_key(label, one) for one in raw] for label in (b"key_a", b"key_b"))
    return np.array(a, dtype=np.uint64), np.array(b, dtype=np.uint64)


def _label_key(label: bytes, key: bytes) -> int:
    return int.from_bytes(hashlib.sha256(label + key).digest()[:8], "big")
