"""Radioactivity: was the suspect trained on text that we marked?

The null hypothesis is about the key: the suspect was built without it. Then the suspect, its answers and
everything computed from them are fixed, the scores g of distinct (context, token) pairs are independent draws
of a known law, and any sum of a * (g - mean) with weights a that do not depend on the key has a known tail.
Three choices of the weights:

- `pair_level`: each distinct pair counts once;
- `context_level`: the suspect's distribution at each context, contexts weighted by their precision;
- `contrast`: what the suspect said less what *our unmarked model* would be expected to say at the same
  places. Both halves meet the same luck of the key, which cancels, so only the difference is noise. The
  provider owns the teacher, so it always has the second half.

Nothing here proves who bought the text: it is evidence of training on marked text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stillwatch.lineage.radioactivity_contexts import Masses, grouped, summed
from stillwatch.lineage.radioactivity_law import SignedSum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stillwatch.lineage.radioactivity_contexts import Floats, Ints
    from stillwatch.mark.schemes import Scheme

_NEGLIGIBLE = 1e-4
"""The smallest weights are left out while their squares sum to at most this share of all."""

_CELLS = 4_000_000
"""Scores held in memory at once."""
_OFTEN = 30.0
"""Times a context must be heard before it counts by the root of their number rather than by the number
itself; chosen on seeds from 1000 upwards, judged on others."""


@dataclass(frozen=True)
class Evidence:
    """A linear statistic of the key: distinct pairs and their weights.

    Attributes:
        contexts: (m, w) context of each pair.
        tokens: (m,) token of each pair.
        weights: (m,) weight of its score, of either sign.
        heard: Number of contexts behind the pairs.
    """

    contexts: Ints
    tokens: Ints
    weights: Floats
    heard: int


@dataclass(frozen=True)
class Radioactivity:
    """What the test says.

    Attributes:
        heard: Distinct contexts.
        pairs: Distinct inputs of the pseudo-random function that were scored.
        statistic: The weighted sum of centred scores.
        z: The same in standard deviations of its null law.
        log_p: Log of the p-value by saddle point.
        log_bound: Log of the Chernoff bound, which the true p-value never exceeds.
        decoys: Number of decoy keys.
        decoy_mean: Mean of z under them; 0 in expectation.
        decoy_deviation: Standard deviation of z under them; 1 in expectation.
        decoy_p: Rank of the true key among the decoys: (1 + those at least as high) / (decoys + 1), exact
            whatever depends on what.
    """

    heard: int
    pairs: int
    statistic: float
    z: float
    log_p: float
    log_bound: float
    decoys: int
    decoy_mean: float
    decoy_deviation: float
    decoy_p: float

    @property
    def p(self) -> float:
        """P-value by saddle point."""
        return math.exp(self.log_p)


def pair_level(said: Masses) -> Evidence:
    """Count each distinct pair of `said` once."""
    return Evidence(said.contexts[said.groups], said.tokens, np.ones(len(said.tokens)), len(said.contexts))


def context_level(said: Masses) -> Evidence:
    """Weight the suspect's own distribution at each context by its precision under a random key."""
    share = said.masses / said.totals()[said.groups]
    spread = np.bincount(said.groups, weights=share**2, minlength=len(said.contexts))
    return Evidence(said.contexts[said.groups], said.tokens, share / spread[said.groups], len(said.contexts))


def contrast(said: Masses, expected: Masses) -> Evidence:
    """Weight each pair by what was said of it less what our unmarked model was expected to say.

    Contexts heard often are damped towards the root of their number: else a few of them decide, and the
    tail of the null law grows heavier than the signal.

    Args:
        said: Counts of the suspect's samples, or its probabilities summed over places.
        expected: Probabilities of our unmarked model, summed over the same places and on the same contexts.

    Raises:
        ValueError: The two do not speak of the same contexts.
    """
    if said.contexts.shape != expected.contexts.shape or np.any(said.contexts != expected.contexts):
        raise ValueError("said and expected must be grouped by the same contexts")
    both = summed(
        said.contexts,
        np.concatenate([said.groups, expected.groups]),
        np.concatenate([said.tokens, expected.tokens]),
        np.concatenate([said.masses, -expected.masses]),
    )
    weights = both.masses / np.sqrt(1.0 + said.totals() / _OFTEN)[both.groups]
    kept = _worth_scoring(weights)
    return Evidence(both.contexts[both.groups[kept]], both.tokens[kept], weights[kept], len(both.contexts))


def weigh_key(evidence: Evidence, scheme: Scheme, key: int, decoys: NDArray[np.uint64]) -> Radioactivity:
    """Test one key.

    Args:
        evidence: The statistic; must have been built without the key.
        scheme: How a pair scores under a key.
        key: The 64-bit key that was committed to before.
        decoys: Fresh random keys, (b,), that calibrate the result; none is allowed.
    """
    keys = np.concatenate([np.array([key], dtype=np.uint64), decoys.astype(np.uint64)])
    totals, law = key_totals(evidence, scheme, keys)
    z = totals / law.deviation if law.deviation else np.zeros(len(keys))
    others = z[1:]
    return Radioactivity(
        heard=evidence.heard,
        pairs=len(law.weights),
        statistic=float(totals[0]),
        z=float(z[0]),
        log_p=law.log_tail(float(totals[0])),
        log_bound=law.log_bound(float(totals[0])),
        decoys=len(others),
        decoy_mean=float(others.mean()) if len(others) else 0.0,
        decoy_deviation=float(others.std(ddof=1)) if len(others) > 1 else 1.0,
        decoy_p=float((1 + np.sum(others >= z[0])) / (len(others) + 1)),
    )


def key_totals(
    evidence: Evidence, scheme: Scheme, keys: NDArray[np.uint64]
) -> tuple[NDArray[np.float64], SignedSum]:
    """The statistic under each of the `keys`, (k,), and the law it has under a random one."""
    contexts, tokens, weights = _merged(evidence, scheme)
    law = SignedSum(scheme.null, weights)
    size = max(1, _CELLS // max(1, len(weights)))
    parts = [
        scheme.scores(contexts, tokens, keys[at : at + size]) @ weights for at in range(0, len(keys), size)
    ]
    return np.concatenate(parts) - scheme.null.mean * float(weights.sum()), law


def strongest(evidence: Evidence, pairs: int) -> Evidence:
    """Keep the `pairs` pairs of most weight, where many keys are to be tried; the key has no say in it."""
    if len(evidence.weights) <= pairs:
        return evidence
    kept = np.sort(np.argpartition(-np.abs(evidence.weights), pairs)[:pairs])
    return Evidence(evidence.contexts[kept], evidence.tokens[kept], evidence.weights[kept], evidence.heard)


def decoy_keys(count: int, rng: np.random.Generator) -> NDArray[np.uint64]:
    """Draw `count` decoy keys of 64 bits."""
    return rng.integers(0, 2**64, size=count, dtype=np.uint64)


def _worth_scoring(weights: Floats) -> NDArray[np.bool_]:
    """Leave out the many smallest weights that carry next to nothing; the key has no say in it."""
    squares = np.sort(weights**2)
    small = np.searchsorted(np.cumsum(squares), _NEGLIGIBLE * float(squares.sum()))
    floor = squares[small] if small < len(squares) else np.inf
    return np.asarray((weights**2 >= floor) & (weights != 0.0))


def _merged(evidence: Evidence, scheme: Scheme) -> tuple[Ints, Ints, Floats]:
    """One entry for each distinct input of the scheme's function that depends on the key."""
    kept = scheme.keyed(evidence.contexts)
    contexts, tokens, weights = evidence.contexts[kept], evidence.tokens[kept], evidence.weights[kept]
    inputs, where = grouped(scheme.inputs(contexts, tokens))
    if len(inputs) == len(tokens):
        return contexts, tokens, weights
    first = np.full(len(inputs), len(tokens), dtype=np.int64)
    np.minimum.at(first, where, np.arange(len(tokens)))
    total = np.asarray(np.bincount(where, weights, len(inputs)), dtype=np.float64)
    return contexts[first], tokens[first], total
