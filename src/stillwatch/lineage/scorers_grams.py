"""N-grams of answers as sparse columns, weighted by how few models use them on the same prompt."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stillwatch.lineage.answers import Grid

TOKEN = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|\n")
"""Words, numbers, single marks and line ends."""

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


class Units(NamedTuple):
    """Texts cut into units (words or bytes), end to end.

    Attributes:
        ids: A number for each unit; equal units have equal numbers. Shape (U,).
        text: Which text it belongs to, rising. Shape (U,).
        texts: Number of texts.
    """

    ids: NDArray[np.uint64]
    text: NDArray[np.int64]
    texts: int


def word_units(texts: Sequence[str], limit: int) -> Units:
    """The first `limit` words, numbers, marks and line ends of each text, in lower case.

    A limit takes most of the effect of length out of a similarity.
    """
    cut = [TOKEN.findall(text.lower(), 0, 24 * limit)[:limit] for text in texts]
    flat = pa.array([word for words in cut for word in words], pa.string())
    ids = flat.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.uint64)
    lengths = np.fromiter((len(words) for words in cut), dtype=np.int64, count=len(cut))
    return Units(ids, np.repeat(np.arange(len(cut)), lengths), len(cut))


def byte_units(texts: Sequence[str], limit: int) -> Units:
    """The first `limit` characters of each text in lower case, as UTF-8 bytes."""
    cut = [text[:limit].lower().encode("utf-8", "replace") for text in texts]
    ids = np.frombuffer(b"".join(cut), dtype=np.uint8).astype(np.uint64)
    lengths = np.fromiter((len(piece) for piece in cut), dtype=np.int64, count=len(cut))
    return Units(ids, np.repeat(np.arange(len(cut)), lengths), len(cut))


def gram_hashes(units: Units, size: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """64-bit hash of each run of `size` units inside one text, and the text; shapes (G,)."""
    count = units.ids.size - size + 1
    if count <= 0:
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    value = np.full(count, size, dtype=np.uint64)
    for offset in range(size):
        value = _mixed(value * _MULTIPLIER + units.ids[offset : offset + count] + np.uint64(1))
    inside = units.text[:count] == units.text[size - 1 :]
    return value[inside], units.text[:count][inside]


def gram_counts(units: Units, sizes: Sequence[int], prompt: NDArray[np.int64]) -> sparse.csr_array:
    """Counts of n-grams, with columns of their own for each prompt.

    Args:
        units: Texts as units.
        sizes: Lengths of the n-grams.
        prompt: Prompt of each text, shape (texts,).

    Returns:
        Shape (texts, columns); two texts share a column only if they answer the same prompt.
    """
    pieces = [gram_hashes(units, size) for size in sizes]
    hashes = np.concatenate([piece[0] for piece in pieces])
    rows = np.concatenate([piece[1] for piece in pieces])
    keyed = _mixed(hashes + _mixed(prompt[rows].astype(np.uint64) + np.uint64(1)))
    names, columns = np.unique(keyed, return_inverse=True)
    ones = np.ones(rows.size)
    return sparse.coo_array((ones, (rows, columns)), shape=(units.texts, max(names.size, 1))).tocsr()


def rarity_weighted(counts: sparse.csr_array, models: int) -> sparse.csr_array:
    """Log counts times log(models / models that use the n-gram on this prompt), at unit length.

    What every model says to a prompt weighs nothing. A text of which nothing weighs stays all zero.
    """
    used = np.bincount(counts.indices, minlength=counts.shape[1])
    weights = (1.0 + np.log(counts.data)) * np.log(models / used[counts.indices])
    return unit_length(sparse.csr_array((weights, counts.indices, counts.indptr), shape=counts.shape))


def unit_length(rows: sparse.csr_array) -> sparse.csr_array:
    """Each row divided by its Euclidean length; a row of zeros stays."""
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0.0)
    return sparse.csr_array(sparse.diags_array(scale) @ rows)


def prompt_products(
    weighted: sparse.csr_array, grid: Grid, rows: Sequence[int], columns: Sequence[int]
) -> NDArray[np.float64]:
    """Inner products of the answers of `rows` and `columns` (positions of models) to each prompt.

    Returns:
        Shape (prompts, rows, columns).
    """
    return _products(weighted, weighted, grid, rows, columns)


def containments(counts: sparse.csr_array, grid: Grid, columns: Sequence[int]) -> NDArray[np.float64]:
    """Share of each text's n-grams, weighted by rarity, that the answer of each column also holds.

    Returns:
        Shape (prompts, models, columns); 0 for a text without an n-gram that weighs anything.
    """
    models = len(grid.models)
    used = np.bincount(counts.indices, minlength=counts.shape[1])
    rarity = np.log(models / used[counts.indices])
    weighted = sparse.csr_array((rarity, counts.indices, counts.indptr), shape=counts.shape)
    held = sparse.csr_array((np.ones(counts.nnz), counts.indices, counts.indptr), shape=counts.shape)
    whole = np.asarray(weighted.sum(axis=1)).reshape(len(grid.prompts), models, 1)
    shared = _products(weighted, held, grid, range(models), columns)
    return np.asarray(np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0.0))


def prompt_of_text(grid: Grid) -> NDArray[np.int64]:
    """Position of the prompt of each text in the grid, shape (P * M,)."""
    return np.repeat(np.arange(len(grid.prompts)), len(grid.models))


def _products(
    first: sparse.csr_array,
    second: sparse.csr_array,
    grid: Grid,
    rows: Sequence[int],
    columns: Sequence[int],
) -> NDArray[np.float64]:
    prompts, width = len(grid.prompts), len(grid.models)
    base = np.arange(prompts)[:, None] * width
    left = first[(base + np.asarray(rows)).ravel()]
    right = second[(base + np.asarray(columns)).ravel()]
    product = sparse.coo_array(left @ right.T)
    values = np.zeros((prompts, len(rows), len(columns)))
    row, column = product.coords
    values[row // len(rows), row % len(rows), column % len(columns)] = product.data
    return values


def _mixed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    scrambled = (value ^ (value >> np.uint64(30))) * _MIX
    return np.asarray(scrambled ^ (scrambled >> np.uint64(27)))
