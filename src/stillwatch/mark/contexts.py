"""Which tokens stand before the next one, and whether they stood there before.

A context that repeats would repeat the same keyed noise: answers lose their variety and begin to loop, and
the scores add no evidence. Serving therefore draws such tokens freely. Scopes, history bound and treatment
of the first tokens are those of vLLM (`deduplicate_contexts`, `deduplicate_contexts_max_history`).
"""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from stillwatch.mark.prf import MISSING

if TYPE_CHECKING:
    from stillwatch.mark.prf import Tokens

Scope = Literal["none", "single_turn", "all"]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Deduplication:
    """When a context counts as repeated, so that the next token is drawn without the mark.

    Attributes:
        scope: `single_turn` looks through the answer, `all` through prompt and answer (and leaves the first
            tokens of an answer, whose context is not complete, unmarked), `none` never looks.
        most: Number of newest places looked through; None for all.
    """

    scope: Scope = "single_turn"
    most: int | None = 8192

    def __post_init__(self) -> None:
        """Refuse a history of no places."""
        if self.most is not None and self.most < 1:
            raise ValueError("most must be 1 or more, or None")

    @property
    def search(self) -> tuple[bool, bool, int]:
        """For the compiled search: whether it runs, whether through the prompt too, how far (-1: all)."""
        return self.scope != "none", self.scope == "all", -1 if self.most is None else self.most

    def repeated(self, tokens: Tokens, starts: Tokens, ends: Tokens, contexts: Tokens) -> Flags:
        """Say for each row whether its context stood there before.

        Args:
            tokens: Prompt and answer so far, shape (n, length).
            starts: Place of the first answer token in each row, shape (n,).
            ends: Place of the next token in each row, shape (n,).
            contexts: From `current_contexts`, shape (n, w).

        Returns:
            Flags, shape (n,).
        """
        out = np.zeros(len(tokens), dtype=np.bool_)
        find_repeated(tokens, starts, ends, contexts, self.search, out)
        return out


@njit(cache=True, nogil=True)
def fill_contexts(tokens: Tokens, starts: Tokens, ends: Tokens, out: Tokens) -> None:
    """Compiled `current_contexts`; fills `out`, shape (n, width)."""
    width = out.shape[1]
    for row in range(out.shape[0]):
        for column in range(width):
            place = ends[row] - width + column
            out[row, column] = tokens[row, place] if place >= starts[row] else MISSING


@njit(cache=True, nogil=True)
def _stood_before(sequence: Tokens, context: Tokens, most: int) -> bool:
    """Say whether `context` stands before one of the last `most` places of `sequence` (-1: of all)."""
    length, width = sequence.shape[0], context.shape[0]
    first = 0 if most < 0 else max(0, length - most)
    for place in range(first, length):
        same = True
        for back in range(1, width + 1):
            seen = sequence[place - back] if place >= back else MISSING
            if seen != context[width - back]:
                same = False
                break
        if same:
            return True
    return False


@njit(cache=True, nogil=True)
def find_repeated(
    tokens: Tokens, starts: Tokens, ends: Tokens, contexts: Tokens, search: tuple[bool, bool, int], out: Flags
) -> None:
    """Compiled `Deduplication.repeated`; sets flags in `out`, shape (n,)."""
    wanted, prompt_too, most = search
    if not wanted:
        return
    for row in range(out.shape[0]):
        if prompt_too and ends[row] - starts[row] < contexts.shape[1]:
            out[row] = True
        else:
            first = 0 if prompt_too else starts[row]
            out[row] = _stood_before(tokens[row, first : ends[row]], contexts[row], most)


def current_contexts(tokens: Tokens, starts: Tokens, ends: Tokens, width: int) -> Tokens:
    """Return the answer tokens before the next one, -1 where the answer had not begun, as vLLM pads them.

    Args:
        tokens: Prompt and answer so far, shape (n, length).
        starts: Place of the first answer token in each row, shape (n,).
        ends: Place of the next token in each row, shape (n,).
        width: Number of tokens before.

    Returns:
        Contexts, oldest token first, shape (n, width).

    Examples:
        >>> rows = np.array([[9, 9, 1, 2]])
        >>> current_contexts(rows, np.array([2]), np.array([4]), 4)
        array([[-1, -1,  1,  2]])
    """
    out = np.empty((len(tokens), width), dtype=np.int64)
    fill_contexts(tokens, starts, ends, out)
    return out
