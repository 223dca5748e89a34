"""SynthID-Text's g-values as the packaged implementations compute them, without PyTorch.

The g-value of a layer is a bit of a public table of 65,536, found by a linear congruential hash of n-gram
and layer key modulo the table's size. Two n-grams whose hashes agree modulo that size therefore have equal
bits in every layer under every key: they are one draw. (`synthid-text` 0.2.1 and transformers 5.23 agree; the
head of the GitHub repository of June 2025 hashes differently and is another scheme.)

Source: S. Dathathri et al., "Scalable watermarking for identifying large language model outputs", Nature 634,
818 (2024). Facts on hash and table: transformers 5.23, `generation/logits_process.py` (Apache-2.0).
"""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit

if TYPE_CHECKING:
    from stillwatch.mark.prf import Keys, Tokens

Bits = npt.NDArray[np.uint8]
LayerKeys = npt.NDArray[np.int64]

_MULTIPLIER = 6364136223846793005
_LABEL = b"stillwatch synthid layers 1 "


@lru_cache(maxsize=4)
def sampling_table(size: int, seed: int) -> Bits:
    """Return the public table of bits, shape (size,): low bits of a Mersenne twister seeded with `seed`."""
    generator = np.random.MT19937()
    generator._legacy_seeding(seed % 2**32)  # noqa: SLF001 - the seeding PyTorch uses
    table: Bits = (generator.random_raw(size) & 1).astype(np.uint8)
    table.setflags(write=False)
    return table


def ngram_hashes(contexts: Tokens, tokens: Tokens) -> npt.NDArray[np.int64]:
    """Hash n-grams before any key, contexts (n, w) and tokens (n,); gives (n,) in wrapping int64.

    A token before the beginning counts as 0, as in the generator.
    """
    value = np.ones(len(tokens), dtype=np.int64)
    with np.errstate(over="ignore"):
        for column in (*np.maximum(contexts, 0).T, tokens):
            value = (value + column) * np.int64(_MULTIPLIER) + 1
    return value


def g_values(contexts: Tokens, tokens: Tokens, layers: LayerKeys, table: Bits) -> Bits:
    """Return the g-values of pairs, contexts (n, w), tokens (n,), under layer keys (m,); gives (n, m)."""
    start = ngram_hashes(contexts, tokens)
    with np.errstate(over="ignore"):
        place = (start[:, None] + layers[None, :]) * np.int64(_MULTIPLIER) + 1
    bits: Bits = table[place % len(table)]
    return bits


@njit(cache=True, nogil=True)
def _sum_bits(start: Tokens, layers: LayerKeys, table: Bits, out: npt.NDArray[np.float64]) -> None:
    size = np.int64(table.shape[0])
    for row in range(layers.shape[0]):
        for i in range(start.shape[0]):
            ones = 0
            for layer in range(layers.shape[1]):
                ones += table[((start[i] + layers[row, layer]) * np.int64(_MULTIPLIER) + 1) % size]
            out[row, i] = ones


def bit_sums(contexts: Tokens, tokens: Tokens, layers: LayerKeys, table: Bits) -> npt.NDArray[np.float64]:
    """Count the ones among the g-values of n pairs under k sets of m layer keys, (k, m); gives (k, n)."""
    out = np.empty((layers.shape[0], len(tokens)), dtype=np.float64)
    _sum_bits(ngram_hashes(contexts, tokens), np.ascontiguousarray(layers), table, out)
    return out


def layer_keys(keys: Keys, depth: int, table_size: int) -> LayerKeys:
    """Derive `depth` layer keys from each 64-bit key, shape (k, depth), to be handed to the generator.

    SHAKE-256 over a label and the key's eight big-endian bytes gives 63-bit numbers; one that agrees with an
    earlier one modulo the table's size is left out, since both layers would carry the same bits.

    Raises:
        ValueError: `depth` is more than half of `table_size`.
    """
    if depth * 2 > table_size:
        raise ValueError("depth must be at most half of table_size")
    return np.stack([_distinct(int(key), depth, table_size) for key in keys]).reshape(len(keys), depth)


def _distinct(key: int, depth: int, table_size: int) -> LayerKeys:
    count = 2 * depth + 64
    while True:
        raw = hashlib.shake_256(_LABEL + key.to_bytes(8, "big")).digest(8 * count)
        stream = (np.frombuffer(raw, dtype=">u8") >> np.uint64(1)).astype(np.int64)
        first = np.sort(np.unique(stream % table_size, return_index=True)[1])
        if first.size >= depth:
            return stream[first[:depth]]
        count *= 2
