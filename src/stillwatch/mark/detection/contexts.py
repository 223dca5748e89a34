"""Context-level tests: every draw of a suspect counts, and contexts stay independent under H0.

De-duplication by pairs throws draws away, and frequent, informative pairs count once while the uninformative
tail keeps growing: more answers can make that p-value worse. Here the draws behind one context are taken
together: with p(t) their empirical distribution, the context contributes sum_t p(t) (g(t) - mean), whose
variance over a random key is the score's variance times sum_t p(t)^2. Contexts add up with inverse-variance
weights.

The same weighted sum serves suspects that show probabilities: with p(t) read from logits it is the open test,
from the top log-probabilities the top-k test. Weights and queries must not depend on the key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.mark.detection.decoys import DecoyPanel, panel_of_z
from stillwatch.mark.detection.saddlepoint import WeightedSum, log_saddle_tail
from stillwatch.mark.detection.weighted import WeightedTail, weighted_tail
from stillwatch.stats.conformal import conformal_p

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from stillwatch.mark.prf import Keys, Tokens
    from stillwatch.mark.schemes import Scheme

    Floats = NDArray[np.float64]

_CELLS = 4_000_000


@dataclass(frozen=True)
class WeightedPairs:
    """Distinct pairs with the weights that they have in the statistic.

    Attributes:
        contexts: Shape (n, w).
        tokens: Shape (n,).
        weights: At least 0, independent of the key, shape (n,).
        distinct_contexts: Number of distinct contexts.
        draws: Number of draws (or of contexts read) behind them.
    """

    contexts: Tokens
    tokens: Tokens
    weights: Floats
    distinct_contexts: int
    draws: int


class ContextResult(msgspec.Struct, frozen=True):
    """A context-level test under one or several keys.

    Attributes:
        tails: One p-value for each key, in the order of the keys; each counts its own key only.
        rank_p: Exact p-value of the best key from its rank among the decoys.
        panel: What random keys say about the same weighted pairs.
        contexts: Number of distinct contexts.
        draws: Number of draws behind them.
    """

    tails: tuple[WeightedTail, ...]
    rank_p: float
    panel: DecoyPanel
    contexts: int
    draws: int


def drawn_pairs(
    scheme: Scheme, contexts: Tokens, tokens: Tokens, *, gains: ArrayLike | None = None
) -> WeightedPairs:
    """Weigh the draws of a suspect for the closed test.

    Args:
        scheme: Decides which pairs are one draw; contexts without a key are left out.
        contexts: Context of each draw, repeats included, shape (n, w).
        tokens: Token of each draw, shape (n,).
        gains: Expected mean score above the null for the context of each draw, for example from the entropy
            in our own logs, shape (n,); equal if not given. Must not depend on the key.

    Returns:
        Distinct pairs with inverse-variance weights, scaled so that a context seen once has weight 1 (its
        gain).

    Examples:
        >>> from stillwatch.mark.schemes import GumbelMax
        >>> pairs = drawn_pairs(GumbelMax(1), np.array([[1], [1], [2]]), np.array([8, 9, 8]))
        >>> pairs.weights.tolist()
        [1.0, 1.0, 1.0]
    """
    used = np.flatnonzero(scheme.keyed(contexts)) if len(tokens) else np.zeros(0, np.int64)
    share = np.ones(used.size)
    gain = np.ones(used.size) if gains is None else np.asarray(gains, dtype=np.float64)[used]
    return _weigh(scheme, contexts[used], tokens[used], share, gain, draws=used.size)


def read_pairs(
    scheme: Scheme,
    contexts: Tokens,
    tokens: Tokens,
    probabilities: ArrayLike,
    *,
    gains: ArrayLike | None = None,
) -> WeightedPairs:
    """Weigh probabilities that a suspect states, for the open and the top-k test.

    Args:
        scheme: Decides which pairs are one draw.
        contexts: One row for each stated probability, shape (n, w); a context that was read twice is
            averaged.
        tokens: Shape (n,).
        probabilities: What the suspect gives the token behind the context, inside [0, 1], shape (n,).
        gains: As in `drawn_pairs`.
    """
    used = np.flatnonzero(scheme.keyed(contexts)) if len(tokens) else np.zeros(0, np.int64)
    share = np.asarray(probabilities, dtype=np.float64)[used]
    gain = np.ones(used.size) if gains is None else np.asarray(gains, dtype=np.float64)[used]
    return _weigh(scheme, contexts[used], tokens[used], share, gain, draws=used.size)


def context_test(
    scheme: Scheme, pairs: WeightedPairs, keys: Keys, decoys: Keys, *, exact: bool = True
) -> ContextResult:
    """Test weighted pairs under `keys`, with a panel of `decoys`.

    Args:
        scheme: The scheme of the suspected mark.
        pairs: From `drawn_pairs` or `read_pairs`.
        keys: Keys to test, shape (k,).
        decoys: Random keys, shape (B,), B of at least 2 (see `decoys.decoy_keys`).
        exact: Whether exact tails are computed where they are cheap; else the saddle point everywhere.

    Returns:
        One p-value a key; correct them with `stats.fdr.holm_log_levels` when there is more than one.
    """
    null = scheme.null
    law = WeightedSum.of(null, pairs.weights)
    sums = weighted_totals(scheme, pairs, np.concatenate([keys, decoys]))
    spread = np.sqrt(law.variance) if law.weights.size else 1.0
    z = (sums - law.mean) / spread
    tails = tuple(weighted_tail(null, pairs.weights, float(one), exact=exact) for one in sums[: len(keys)])
    lowest = float(log_saddle_tail(law, sums[len(keys) :]).min()) if law.weights.size else 0.0
    rank = float(conformal_p(z[: len(keys)].max(), z[len(keys) :])) if len(keys) else 1.0
    effective = round(max((one.effective for one in tails), default=len(pairs.weights)))
    panel = panel_of_z(z[len(keys) :], lowest / np.log(10.0), rank, effective)
    return ContextResult(tails, rank, panel, pairs.distinct_contexts, pairs.draws)


def weighted_totals(scheme: Scheme, pairs: WeightedPairs, keys: Keys) -> Floats:
    """Return sum_i a_i g_i under each key, shape (k,), in bounded memory."""
    result = np.zeros(len(keys))
    step = max(1, _CELLS // max(pairs.tokens.size, 1))
    for start in range(0, len(keys) if pairs.tokens.size else 0, step):
        part = slice(start, start + step)
        result[part] = scheme.scores(pairs.contexts, pairs.tokens, keys[part]) @ pairs.weights
    return result


def _weigh(
    scheme: Scheme, contexts: Tokens, tokens: Tokens, share: Floats, gain: Floats, *, draws: int
) -> WeightedPairs:
    """Add up `share` for each distinct pair and weigh contexts by gain over the sum of squared shares."""
    if tokens.size == 0:
        return WeightedPairs(contexts, tokens, np.zeros(0), 0, 0)
    inputs = scheme.inputs(contexts, tokens)
    pair, first = _labels(inputs)
    context, _ = _labels(inputs[:, :-1] if inputs.shape[1] > 1 else inputs)
    mass = np.bincount(pair, weights=share)
    of_context = context[first]
    whole = np.bincount(of_context, weights=mass)
    fraction = mass / np.where(whole[of_context] > 0.0, whole[of_context], 1.0)
    squares = np.bincount(of_context, weights=fraction**2)
    expected = np.bincount(context, weights=gain) / np.bincount(context)
    scale = np.divide(expected, squares, out=np.zeros_like(squares), where=squares > 0.0)
    return WeightedPairs(contexts[first], tokens[first], fraction * scale[of_context], squares.size, draws)


def _labels(rows: Tokens) -> tuple[Tokens, Tokens]:
    """Number equal rows alike; returns the label of each row and the first row of each label."""
    _, first, label = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return label.reshape(-1), first
