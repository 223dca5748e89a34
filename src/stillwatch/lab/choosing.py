"""How the next token is drawn: freely, under a mark's key of each row, or as a rewriting of another answer.

Marks are those of `stillwatch.mark`, so the detectors of the product read what the lab marks. A context that
already stood in the same answer is drawn freely, as serving engines do: otherwise answers loop.
"""

# mypy: disable-error-code="no-any-return"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numba import njit

from stillwatch.mark.contexts import Deduplication, current_contexts
from stillwatch.mark.gumbel import choose, routed
from stillwatch.mark.prf import dual_keys
from stillwatch.mark.schemes import DualKeyGumbel, GumbelMax

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Chooser(Protocol):
    """Draws the next token of each row."""

    def choose(
        self, chances: NDArray[np.float32], history: NDArray[np.int64], starts: NDArray[np.int64], place: int
    ) -> NDArray[np.int64]:
        """Draw one token a row.

        Args:
            chances: (n, vocabulary), each row sums to one.
            history: (n, length), filled before `place`.
            starts: (n,) the place of the first answer token of each row.
            place: Where the drawn tokens will stand.

        Returns:
            (n,) tokens; those of rows still inside their prompt are ignored.
        """


@dataclass(frozen=True)
class Free:
    """Draws from the model's own distribution.

    Attributes:
        rng: Source of the draws.
    """

    rng: np.random.Generator

    def choose(
        self, chances: NDArray[np.float32], history: NDArray[np.int64], starts: NDArray[np.int64], place: int
    ) -> NDArray[np.int64]:
        """Draw one token a row by inversion; see `Chooser`."""
        del history, starts, place
        return _invert(chances, self.rng.random(len(chances)))


@dataclass(frozen=True)
class Marked:
    """Draws by Gumbel-max under the key of each row.

    Attributes:
        scheme: Which scheme.
        keys: (n,) uint64, one key a row.
        rng: Draws what is not marked, and which key of a dual-key scheme is used.
        seen: Which contexts count as repeated.
    """

    scheme: GumbelMax | DualKeyGumbel
    keys: NDArray[np.uint64]
    rng: np.random.Generator
    seen: Deduplication = field(default_factory=Deduplication)

    def choose(
        self, chances: NDArray[np.float32], history: NDArray[np.int64], starts: NDArray[np.int64], place: int
    ) -> NDArray[np.int64]:
        """Draw the token that wins under the key, or freely where the context stood before; see `Chooser`."""
        begins = np.minimum(starts, place)
        ends = np.full(len(history), place, dtype=np.int64)
        contexts = current_contexts(history, begins, ends, self.scheme.context_width)
        repeated = self.seen.repeated(history, begins, ends, contexts) | (place < starts)
        with np.errstate(divide="ignore", over="ignore"):
            inverse = (chances.max(axis=1, keepdims=True) / chances).astype(np.float32)
        won = choose(inverse, contexts, self._keys(), repeated)
        return np.where(won >= 0, won, _invert(chances, self.rng.random(len(chances))))

    def _keys(self) -> NDArray[np.uint64]:
        if isinstance(self.scheme, GumbelMax):
            return self.keys
        distinct, which = np.unique(self.keys, return_inverse=True)
        first, second = dual_keys(distinct)
        draws = self.rng.random(len(self.keys))
        return routed(first[which], second[which], draws, self.scheme.alpha)


@dataclass(frozen=True)
class Rewriting:
    """Rereads an answer from left to right and puts a word of its own at a share of the places.

    Attributes:
        original: (n, length) rows to rewrite; they have the prompts of the rows that are drawn.
        own: Share of places at which the rewriting model's own draw stands.
        rng: Source of the draws.
    """

    original: NDArray[np.int64]
    own: float
    rng: np.random.Generator

    def choose(
        self, chances: NDArray[np.float32], history: NDArray[np.int64], starts: NDArray[np.int64], place: int
    ) -> NDArray[np.int64]:
        """Draw the original token or an own one; see `Chooser`."""
        del history, starts
        drawn = _invert(chances, self.rng.random(len(chances)))
        return np.where(self.rng.random(len(chances)) < self.own, drawn, self.original[:, place])


@njit(cache=True, nogil=True)
def _invert(chances: NDArray[np.float32], uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
    out = np.empty(chances.shape[0], dtype=np.int64)
    for row in range(chances.shape[0]):
        left = uniforms[row] * chances[row].sum()
        token = 0
        while token < chances.shape[1] - 1 and left >= chances[row, token]:
            left -= chances[row, token]
            token += 1
        out[row] = token
    return out
