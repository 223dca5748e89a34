"""The schemes of marks on tokens: how a (context, token) pair scores under a key, and the law of that score.

A scheme is data: its parameters, its name and version, and the null law of one score when the key is
random and the text was made without it. Detection needs nothing else; generation stands in
`stillwatch.mark.adapters`.

Two pairs with equal `inputs` get equal scores under every key: they are one piece of evidence, not two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from stillwatch.mark import prf, synthid
from stillwatch.mark.greenlist import green_pairs

if TYPE_CHECKING:
    from stillwatch.mark.prf import Keys, Tokens

Scores = npt.NDArray[np.float64]
NullKind = Literal["exponential", "hypoexponential", "bernoulli", "fair bits"]


@dataclass(frozen=True)
class Null:
    """The law of one score under a random key.

    Attributes:
        kind: `exponential`: standard exponential. `hypoexponential`: sum of standard exponentials times
            `weights`. `bernoulli`: 1 with `probability`, else 0. `fair bits`: number of ones among `bits`
            independent bits, each 1 with `probability`.
        weights: Weights of the hypoexponential law.
        probability: Probability of a one.
        bits: Number of bits.
    """

    kind: NullKind
    weights: tuple[float, ...] = ()
    probability: float = 0.5
    bits: int = 1

    @property
    def mean(self) -> float:
        """Expectation of one score."""
        return {
            "exponential": 1.0,
            "hypoexponential": sum(self.weights),
            "bernoulli": self.probability,
            "fair bits": self.bits * self.probability,
        }[self.kind]

    @property
    def variance(self) -> float:
        """Variance of one score."""
        one_bit = self.probability * (1.0 - self.probability)
        return {
            "exponential": 1.0,
            "hypoexponential": sum(weight**2 for weight in self.weights),
            "bernoulli": one_bit,
            "fair bits": self.bits * one_bit,
        }[self.kind]


@runtime_checkable
class Scheme(Protocol):
    """What detection asks of a scheme."""

    @property
    def name(self) -> str:
        """Permanent name of the scheme."""

    @property
    def version(self) -> str:
        """Version of its pseudo-random function and mapping."""

    @property
    def context_width(self) -> int:
        """Number of tokens before that enter the pseudo-random function."""

    @property
    def null(self) -> Null:
        """Law of one score under a random key."""

    def scores(self, contexts: Tokens, tokens: Tokens, keys: Keys) -> Scores:
        """Score pairs, contexts (n, w) and tokens (n,), under keys (k,); gives (k, n)."""

    def inputs(self, contexts: Tokens, tokens: Tokens) -> Tokens:
        """Return what the function reads of each pair, shape (n, c); equal rows are one draw."""

    def keyed(self, contexts: Tokens) -> npt.NDArray[np.bool_]:
        """Say for each context, shape (n, w), whether scores behind it depend on the key."""


def _whole_pairs(contexts: Tokens, tokens: Tokens) -> Tokens:
    contexts, tokens = prf.checked_pairs(contexts, tokens)
    return np.concatenate([contexts, tokens[:, None]], axis=1)


def _check_width(width: int) -> None:
    if not 1 <= width <= 1024:
        raise ValueError("context_width must lie in 1 to 1,024")


@dataclass(frozen=True)
class GumbelMax:
    """Gumbel-max sampling (Aaronson 2022) in vLLM's format; the score of a pair is -log(1 - u).

    Attributes:
        context_width: Number of tokens before that seed the choice of the next.
    """

    context_width: int = 4
    name: ClassVar[str] = "gumbel"
    version: ClassVar[str] = prf.VERSION

    def __post_init__(self) -> None:
        """Refuse a width below 1."""
        _check_width(self.context_width)

    @property
    def null(self) -> Null:
        """Standard exponential."""
        return Null("exponential")

    def scores(self, contexts: Tokens, tokens: Tokens, keys: Keys) -> Scores:
        """Score pairs, contexts (n, w) and tokens (n,), under keys (k,); gives (k, n).

        Examples:
            >>> key = np.array([42], np.uint64)
            >>> GumbelMax().scores(np.array([[1, 2, 3, 4]]), np.array([7]), key).round(6)
            array([[0.104309]])
        """
        return -np.log1p(-prf.uniform(prf.words(contexts, tokens, keys)))

    def inputs(self, contexts: Tokens, tokens: Tokens) -> Tokens:
        """Return context and token, shape (n, w + 1)."""
        return _whole_pairs(contexts, tokens)

    def keyed(self, contexts: Tokens) -> npt.NDArray[np.bool_]:
        """Every context depends on the key."""
        return np.ones(len(contexts), dtype=np.bool_)


@dataclass(frozen=True)
class DualKeyGumbel:
    """Gumbel-max sampling where each token follows key A, or with probability `alpha` key B.

    The score is (1 - alpha) times the score under A plus alpha times the one under B. Source: T. Sander et
    al., "TextSeal" (arXiv 2605.12456); format and key derivation as in vLLM.

    Attributes:
        context_width: Number of tokens before that seed the choice of the next.
        alpha: Probability and weight of key B.
    """

    context_width: int = 4
    alpha: float = 0.1
    name: ClassVar[str] = "dual_key_gumbel"
    version: ClassVar[str] = prf.VERSION

    def __post_init__(self) -> None:
        """Refuse a width below 1 and an `alpha` outside [0, 1]."""
        _check_width(self.context_width)
        if not 0.0 <= self.alpha <= 1.0:
            raise ValueError("alpha must lie in [0, 1]")

    @property
    def null(self) -> Null:
        """Weighted sum of two standard exponentials."""
        if self.alpha in {0.0, 1.0}:
            return Null("exponential")
        return Null("hypoexponential", weights=(1.0 - self.alpha, self.alpha))

    def scores(self, contexts: Tokens, tokens: Tokens, keys: Keys) -> Scores:
        """Score pairs, contexts (n, w) and tokens (n,), under keys (k,); gives (k, n)."""
        single = GumbelMax(self.context_width)
        first, second = prf.dual_keys(keys)
        total: Scores = (1.0 - self.alpha) * single.scores(contexts, tokens, first)
        total += self.alpha * single.scores(contexts, tokens, second)
        return total

    def inputs(self, contexts: Tokens, tokens: Tokens) -> Tokens:
        """Return context and token, shape (n, w + 1)."""
        return _whole_pairs(contexts, tokens)

    def keyed(self, contexts: Tokens) -> npt.NDArray[np.bool_]:
        """Every context depends on the key."""
        return np.ones(len(contexts), dtype=np.bool_)


Seeding = Literal["philox", "lefthash", "selfhash"]


@dataclass(frozen=True)
class GreenList:
    """A keyed share `gamma` of the vocabulary gets `delta` added to its logits; the score is 1 for green.

    `philox` draws each token's colour from the function of this package, so keys differ from row to row for
    nothing. `lefthash` and `selfhash` are those of `transformers.WatermarkLogitsProcessor` on the CPU
    (J. Kirchenbauer et al., ICML 2023, algorithms 2 and 3); they permute the vocabulary once for each
    context. The `context_width` there counts the token itself under `selfhash`: width 4 there is 3 here.

    Attributes:
        gamma: Share of the vocabulary that is green.
        delta: What is added to a green logit.
        context_width: Number of tokens before that seed the list; `lefthash` uses the last one alone.
        seeding: How a list is drawn.
        vocabulary_size: Number of tokens the list is drawn from; needed except for `philox`.
    """

    gamma: float = 0.25
    delta: float = 2.0
    context_width: int = 1
    seeding: Seeding = "philox"
    vocabulary_size: int = 0
    name: ClassVar[str] = "greenlist"

    def __post_init__(self) -> None:
        """Refuse parameters that name no list."""
        _check_width(self.context_width)
        if not 0.0 < self.gamma < 1.0:
            raise ValueError("gamma must lie in (0, 1)")
        if self.seeding != "philox" and self.vocabulary_size < 1:
            raise ValueError(f"seeding {self.seeding} permutes the vocabulary: give vocabulary_size")

    @property
    def version(self) -> str:
        """Version of the pseudo-random function and mapping."""
        return prf.VERSION if self.seeding == "philox" else f"transformers-{self.seeding}-cpu-1"

    @property
    def share(self) -> float:
        """The share that is green in fact, after rounding to whole words or tokens."""
        if self.seeding == "philox":
            return self.threshold / 2**32
        return int(self.vocabulary_size * self.gamma) / self.vocabulary_size

    @property
    def threshold(self) -> int:
        """Words below it are green under `philox`."""
        return round(self.gamma * 2**32)

    @property
    def null(self) -> Null:
        """One with probability `share`."""
        return Null("bernoulli", probability=self.share)

    def scores(self, contexts: Tokens, tokens: Tokens, keys: Keys) -> Scores:
        """Return 1 for green and 0 for other pairs, contexts (n, w), tokens (n,), keys (k,); gives (k, n)."""
        if self.seeding == "philox":
            return (prf.words(contexts, tokens, keys) < np.uint32(self.threshold)).astype(np.float64)
        return green_pairs(
            _whole_pairs(contexts, tokens),
            keys,
            self.vocabulary_size,
            int(self.vocabulary_size * self.gamma),
            own_token=self.seeding == "selfhash",
        ).astype(np.float64)

    def inputs(self, contexts: Tokens, tokens: Tokens) -> Tokens:
        """Return what seeds the list, and the token; `lefthash` reads the last token alone."""
        pairs = _whole_pairs(contexts, tokens)
        return pairs[:, -2:] if self.seeding == "lefthash" else pairs

    def keyed(self, contexts: Tokens) -> npt.NDArray[np.bool_]:
        """Say whether the list depends on the key.

        `lefthash` multiplies the key by the last token, which may be 0; both of the permuting kinds leave a
        token alone before which too few stand.
        """
        contexts = np.asarray(contexts)
        if self.seeding == "philox":
            return np.ones(len(contexts), dtype=np.bool_)
        lowest = contexts[:, -1:] - 1 if self.seeding == "lefthash" else contexts
        known: npt.NDArray[np.bool_] = np.asarray((lowest >= 0).all(axis=1))
        return known


@dataclass(frozen=True)
class SynthId:
    """SynthID-Text's tournament (Nature 634, 818) as packaged in transformers; the score counts ones.

    A 64-bit key stands for `depth` layer keys, derived by `layer_keys`. The unweighted sum is used because
    its null law is known; the weighted mean of the paper needs a fitted one.

    Attributes:
        depth: Number of layers.
        context_width: Length of an n-gram less one.
        table_size: Size of the public table of bits.
        table_seed: Seed of that table.
    """

    depth: int = 30
    context_width: int = 4
    table_size: int = 65_536
    table_seed: int = 0
    name: ClassVar[str] = "synthid"
    version: ClassVar[str] = "transformers-lcg-table-1"

    def __post_init__(self) -> None:
        """Refuse parameters that name no tournament."""
        _check_width(self.context_width)
        if not 1 <= self.depth <= self.table_size // 2:
            raise ValueError("depth must lie between 1 and half of table_size")

    @property
    def table(self) -> synthid.Bits:
        """The public table of bits, shape (table_size,)."""
        return synthid.sampling_table(self.table_size, self.table_seed)

    @property
    def null(self) -> Null:
        """Number of ones among `depth` bits; the share of ones is that of the table, not quite one half."""
        return Null("fair bits", probability=float(self.table.mean()), bits=self.depth)

    def layer_keys(self, keys: Keys) -> synthid.LayerKeys:
        """Derive the layer keys of each 64-bit key, shape (k, depth), for the generator's `keys`."""
        return synthid.layer_keys(keys, self.depth, self.table_size)

    def scores(self, contexts: Tokens, tokens: Tokens, keys: Keys) -> Scores:
        """Count ones for pairs, contexts (n, w) and tokens (n,), under keys (k,); gives (k, n)."""
        contexts, tokens = prf.checked_pairs(contexts, tokens)
        return synthid.bit_sums(contexts, tokens, self.layer_keys(keys), self.table)

    def inputs(self, contexts: Tokens, tokens: Tokens) -> Tokens:
        """Return the n-gram's hash modulo the table's size, shape (n, 1): all that a key ever sees of it."""
        contexts, tokens = prf.checked_pairs(contexts, tokens)
        return (synthid.ngram_hashes(contexts, tokens) % self.table_size)[:, None]

    def keyed(self, contexts: Tokens) -> npt.NDArray[np.bool_]:
        """Every context depends on the key."""
        return np.ones(len(contexts), dtype=np.bool_)
