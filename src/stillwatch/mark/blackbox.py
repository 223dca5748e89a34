"""A mark for gateways that see whole answers and no logits: keep the one of several samples that scores best.

Draw n answers to a request at the same settings, score the word n-grams of each under the key, turn each
sum into a uniform number by its own law, and serve the answer that wins a weighted race. Over random keys
every sample is served with equal chance, so no answer becomes likelier than the model made it; the served one
scores high.

An n-gram that two different candidates share would tie their numbers together and is left out of the choice,
so the chances are exactly equal. Detection scores every distinct n-gram: under a random key their sum is
Gamma.

Source: D. Bahri, J. Wieting, "A watermark for black-box language models", arXiv 2410.02099 (the
construction); leaving out shared n-grams is ours (`docs/decisions/0043-shared-ngrams-left-out.md`).
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import special

from stillwatch.mark import prf
from stillwatch.mark.schemes import GumbelMax, Null

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.mark.prf import Keys, Tokens
    from stillwatch.mark.schemes import Scores

_UNIT = re.compile(r"\w+|[^\w\s]")
_WHOLE_TEXT = -2
"""Context of the one pseudo n-gram that stands for a candidate without n-grams of its own."""


def units(text: str) -> Tokens:
    """Return the words and signs of a text as numbers, shape (n,), whatever tokenizer made it.

    Case and compatibility forms are folded, so retyped text reads the same.

    Examples:
        >>> bool((units("Two words.") == units("TWO  words .")).all())
        True
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return np.array([zlib.crc32(unit.encode()) >> 1 for unit in _UNIT.findall(folded)], dtype=np.int64)


@dataclass(frozen=True)
class BlackBox:
    """The scheme; its tokens are `units` of text, and a pair's score is that of `GumbelMax`.

    Attributes:
        context_width: Number of words before a word that make up its n-gram.
    """

    context_width: int = 3
    name: ClassVar[str] = "blackbox"
    version: ClassVar[str] = f"{prf.VERSION}+words-1"

    def __post_init__(self) -> None:
        """Refuse a width below 1."""
        GumbelMax(self.context_width)

    @property
    def null(self) -> Null:
        """Standard exponential."""
        return Null("exponential")

    def scores(self, contexts: Tokens, tokens: Tokens, keys: Keys) -> Scores:
        """Score n-grams, contexts (n, w) and units (n,), under keys (k,); gives (k, n)."""
        return GumbelMax(self.context_width).scores(contexts, tokens, keys)

    def inputs(self, contexts: Tokens, tokens: Tokens) -> Tokens:
        """Return whole n-grams, shape (n, w + 1)."""
        return GumbelMax(self.context_width).inputs(contexts, tokens)

    def keyed(self, contexts: Tokens) -> npt.NDArray[np.bool_]:
        """Say which n-grams are complete: shorter ones open many texts and are not used."""
        complete: npt.NDArray[np.bool_] = np.asarray((np.asarray(contexts) >= 0).all(axis=1))
        return complete

    def ngrams(self, text: str) -> Tokens:
        """Return the distinct complete n-grams of a text, shape (n, w + 1)."""
        found, width = units(text), self.context_width + 1
        if len(found) < width:
            return np.empty((0, width), dtype=np.int64)
        return np.unique(np.lib.stride_tricks.sliding_window_view(found, width), axis=0)


def choose_answer(candidates: Sequence[str], key: int, scheme: BlackBox | None = None) -> int:
    """Choose which of several sampled answers to serve.

    Args:
        candidates: Answers sampled independently at the same settings.
        key: The 64-bit key of the account or cohort.
        scheme: The scheme; by default four-word n-grams.

    Returns:
        The number of the answer to serve.

    Raises:
        ValueError: There is no candidate.

    Examples:
        >>> choose_answer(["one answer stands alone"], 42)
        0
    """
    if not candidates:
        raise ValueError("there is no candidate answer to choose from")
    distinct = list(dict.fromkeys(candidates))
    counts = np.array([candidates.count(text) for text in distinct])
    logs = _log_uniforms(distinct, key, scheme or BlackBox())
    return candidates.index(distinct[int(np.argmax(logs / counts))])


def _log_uniforms(texts: Sequence[str], key: int, scheme: BlackBox) -> npt.NDArray[np.float64]:
    """Return log of one uniform number for each text, independent over keys, shape (n,)."""
    own = _own_ngrams([scheme.ngrams(text) for text in texts])
    keys = np.array([key], dtype=np.uint64)
    logs = np.empty(len(texts))
    for number, grams in enumerate(own):
        rows = grams if len(grams) else _stand_in(texts[number], scheme.context_width)
        total = scheme.scores(rows[:, :-1], rows[:, -1], keys).sum()
        logs[number] = np.log1p(-special.gammaincc(len(rows), total))
    return logs


def _own_ngrams(grams: list[Tokens]) -> list[Tokens]:
    """Drop n-grams that stand in more than one of the texts."""
    owner = np.repeat(np.arange(len(grams)), [len(one) for one in grams])
    _, where, count = np.unique(np.concatenate(grams), axis=0, return_inverse=True, return_counts=True)
    alone = count[where.ravel()] == 1
    return [one[alone[owner == number]] for number, one in enumerate(grams)]


def _stand_in(text: str, width: int) -> Tokens:
    row = np.full((1, width + 1), _WHOLE_TEXT, dtype=np.int64)
    row[0, -1] = zlib.crc32(text.encode()) >> 1
    return row
