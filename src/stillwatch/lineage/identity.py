"""Is the suspect simply our own model behind a proxy? Asked first, because it is another case.

Two tests of "the endpoint answers like our model", both exact at any sample size:

- `same_source`: several answers of both to each prompt, compared through a kernel. Under the null the answers
  to a prompt are exchangeable, so labels are permuted within prompts (maximum mean discrepancy as in Model
  Equality Testing, Gao, Liang & Guestrin, ICLR 2025).
- `rank_uniformity`: one answer of the suspect to each prompt, ranked by any score among answers of our own
  model; under the null the ranks are uniform (arXiv 2506.06975).

Not rejecting is no proof of identity. `routed` says "indistinguishable" only when the same test, at the same
size, told every decoy apart.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.lineage.scorers_grams import (
    byte_units,
    gram_counts,
    rarity_weighted,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


class Route(StrEnum):
    """Where the case goes."""

    DIFFERENT = "different"
    """Not our model as we serve it: go on with the tests of lineage."""
    INDISTINGUISHABLE = "indistinguishable"
    """Answers like our model, and the test would have noticed the decoys: a case of resale or theft."""
    UNDECIDED = "undecided"
    """Not told apart, but neither were the decoys: ask more prompts."""


class IdentityTest(msgspec.Struct, frozen=True):
    """Result of one test of identity.

    Attributes:
        method: Which test.
        statistic: Its statistic; larger is less alike.
        p: Exact Monte Carlo p-value of "same source".
        prompts: Number of prompts.
        ours: Own answers for each prompt.
        theirs: Answers of the suspect for each prompt.
    """

    method: str
    statistic: float
    p: float
    prompts: int
    ours: int
    theirs: int


def same_source(
    kernel: NDArray[np.float64], ours: int, *, rng: np.random.Generator, permutations: int = 999
) -> IdentityTest:
    """Permutation test of "the suspect's answers come from our model".

    Statistic: mean over prompts of the squared maximum mean discrepancy (the unbiased form; with a single
    answer on one side the term within that side is left out).

    Args:
        kernel: Similarities between all answers to each prompt, own ones first; shape (P, k, k), symmetric.
        ours: Number of own answers to each prompt; at least two, and at least one is left for the suspect.
        rng: Source of the permutations.
        permutations: Number of permutations; p is never below 1 / (permutations + 1).

    Raises:
        ValueError: The kernel has another shape, or `ours` does not fit.
    """
    answers = kernel.shape[-1]
    if kernel.ndim != 3 or kernel.shape[1] != answers or not 2 <= ours < answers:
        raise ValueError(
            "the kernel must have shape (prompts, k, k) with two own answers or more, and others"
        )
    # a fixed order first, so that equal kernels give exactly equal sums and ties are seen
    observed = _discrepancy(kernel, np.tile(np.arange(answers), (kernel.shape[0], 1)), ours)
    base = np.arange(answers)
    shuffled = [
        _discrepancy(kernel, rng.permuted(np.tile(base, (kernel.shape[0], 1)), axis=1), ours)
        for _ in range(permutations)
    ]
    beaten = int(np.sum(np.asarray(shuffled) >= observed - 1e-12))
    p = (1.0 + beaten) / (permutations + 1.0)
    return IdentityTest("mmd", observed, p, kernel.shape[0], ours, answers - ours)


def rank_uniformity(
    ours: ArrayLike, theirs: ArrayLike, *, rng: np.random.Generator, simulations: int = 999
) -> IdentityTest:
    """Test that the suspect's score is a random one among our own scores, prompt by prompt.

    Cramer-von Mises distance of the ranks (ties broken at random) from the uniform, calibrated by simulation
    of uniform ranks, so exact.

    Args:
        ours: Scores of own answers, shape (P, m); any score, such as length or log-probability.
        theirs: Scores of the suspect's answers, shape (P,).
        rng: Breaks ties and simulates.
        simulations: Number of simulations.

    Raises:
        ValueError: The shapes do not fit, or a score is not a number.
    """
    own, other = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if own.ndim != 2 or own.shape[1] == 0 or other.shape != own.shape[:1] or other.size == 0:
        raise ValueError("own scores must have shape (prompts, m) and the suspect's (prompts,)")
    if np.isnan(own).any() or np.isnan(other).any():
        raise ValueError("scores must be numbers: one of them is not")
    below = np.sum(own < other[:, None], axis=1)
    ties = np.sum(own == other[:, None], axis=1)
    rank = below + rng.integers(0, ties + 1)
    observed = _distance(rank[None], own.shape[1])[0]
    null = _distance(rng.integers(0, own.shape[1] + 1, size=(simulations, other.size)), own.shape[1])
    p = (1.0 + np.sum(null >= observed - 1e-12)) / (simulations + 1.0)
    return IdentityTest("rank", float(observed), float(p), other.size, own.shape[1], 1)


def text_kernel(answers: Sequence[Sequence[str]], *, limit: int = 1000) -> NDArray[np.float64]:
    """Similarity of answers to each prompt: cosine of rare runs of four bytes; 1 for equal answers.

    Args:
        answers: For each prompt the same number k of answers.
        limit: Characters of each answer that are read.

    Returns:
        Shape (P, k, k), symmetric.

    Raises:
        ValueError: Prompts have different numbers of answers.
    """
    width = len(answers[0]) if answers else 0
    if width == 0 or any(len(row) != width for row in answers):
        raise ValueError("each prompt needs the same number of answers, at least one")
    texts = [text for row in answers for text in row]
    prompt = np.repeat(np.arange(len(answers)), width)
    # one more than the number of answers keeps a weight above zero on what all of them share
    weighted = rarity_weighted(gram_counts(byte_units(texts, limit), (4,), prompt), width + 1)
    kernel = np.empty((len(answers), width, width))
    for index in range(len(answers)):
        part = weighted[index * width : (index + 1) * width]
        kernel[index] = (part @ part.T).toarray()
    same = np.array([[[a == b for b in row] for a in row] for row in answers])
    return np.where(same, 1.0, kernel)


def hamming_kernel(answers: Sequence[Sequence[str]], *, limit: int = 1000) -> NDArray[np.float64]:
    """Share of the first `limit` characters at which two answers agree: the kernel of Model Equality Testing.

    Shorter answers are filled up with a sign of their own, so that length counts as well.

    Returns:
        Shape (P, k, k), symmetric, from 0 to 1.
    """
    codes = np.array(
        [[[ord(sign) for sign in text[:limit].ljust(limit, "\0")] for text in row] for row in answers],
        dtype=np.int32,
    )
    return np.asarray(np.stack([(one[:, None] == one[None]).mean(axis=2) for one in codes]), dtype=np.float64)


def routed(test: IdentityTest, decoys: Sequence[IdentityTest], *, level: float) -> Route:
    """Say where the case goes, given the same test on decoys: models that are near ours and are not it.

    Raises:
        ValueError: The level is outside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise ValueError("the level must lie inside (0, 1)")
    if test.p <= level:
        return Route.DIFFERENT
    noticed = bool(decoys) and all(decoy.p <= level for decoy in decoys)
    return Route.INDISTINGUISHABLE if noticed else Route.UNDECIDED


def _discrepancy(kernel: NDArray[np.float64], order: NDArray[np.int64], ours: int) -> float:
    prompts, answers = order.shape
    sign = np.zeros((prompts, answers))
    np.put_along_axis(sign, order[:, :ours], 1.0, axis=1)
    other = 1.0 - sign
    own_own = np.einsum("pi,pij,pj->p", sign, kernel, sign) - np.einsum("pi,pii->p", sign, kernel)
    cross = np.einsum("pi,pij,pj->p", sign, kernel, other)
    theirs = answers - ours
    value = own_own / (ours * (ours - 1)) - 2.0 * cross / (ours * theirs)
    if theirs > 1:
        rest = np.einsum("pi,pij,pj->p", other, kernel, other) - np.einsum("pi,pii->p", other, kernel)
        value = value + rest / (theirs * (theirs - 1))
    return float(np.sum(value) / prompts)


def _distance(ranks: NDArray[np.int64], most: int) -> NDArray[np.float64]:
    """Sum of squared differences of the distribution of ranks 0 to `most` from the uniform, each row."""
    levels = np.arange(most)
    share = (ranks[:, :, None] <= levels).mean(axis=1)
    return np.asarray(np.sum((share - (levels + 1.0) / (most + 1.0)) ** 2, axis=1))
