"""Form of answers: templates of function words, and counts of what a text looks like."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from stillwatch.lineage.scorers_grams import TOKEN, Units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stillwatch.lineage.answers import Grid

_WORDS = (
    "a about after all also an and any are as at be been but by can could do for from had has have he "
    "her here his how however i if in into is it its like may more most my no not of on one only or "
    "other our out she should so some such than that the their them then there these they this to up "
    "was we were what when which while who will with would you your"
)
FUNCTION_WORDS = tuple(_WORDS.split())
"""English words that carry grammar and not content; the rest becomes one sign."""

_SIGN = {word: number for number, word in enumerate(FUNCTION_WORDS, 10)}
_CONTENT, _NUMBER, _MARKS = 1, 2, 200

_PATTERNS = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"[.!?](?:\s|$)",
        r"^\s*(?:[-*\u2022]|\d+[.)])\s",
        r"\*\*|^#|`",
        r"\n",
        r"\n\n",
        r",",
        r"[;:]",
        r"[()]",
        r"[\"'\u2018-\u201d]",
        r"!",
        r"\?",
        r"\d",
        r"\b[A-Z]",
        r"\bI\b|\bI'",
        r"\b(?:however|additionally|overall|furthermore|moreover)\b",
        r"\b(?:sorry|cannot|can't|unable)\b",
    )
)


def template_units(texts: Sequence[str], limit: int) -> Units:
    """The first `limit` words of each text with every content word replaced by one sign.

    A cheap stand-in for part-of-speech templates (Wadhwa et al. 2025, ACL Findings), without a tagger.
    """
    cut = [TOKEN.findall(text.lower(), 0, 24 * limit)[:limit] for text in texts]
    ids = np.array([_sign(word) for words in cut for word in words], dtype=np.uint64)
    lengths = np.fromiter((len(words) for words in cut), dtype=np.int64, count=len(cut))
    return Units(ids, np.repeat(np.arange(len(cut)), lengths), len(cut))


def form_features(texts: Sequence[str]) -> NDArray[np.float64]:
    """Log length, mean word length, and rates a hundred characters of sixteen marks of form.

    Returns:
        Shape (texts, 18).
    """
    return np.array([_form_of(text) for text in texts]).reshape(len(texts), len(_PATTERNS) + 2)


def form_distances(grid: Grid, teachers: Sequence[int]) -> NDArray[np.float64]:
    """Mean distance in form over all features, in spreads over all texts of the grid.

    Returns:
        Shape (prompts, models, teachers).
    """
    features = form_features(grid.texts).reshape(len(grid.prompts), len(grid.models), -1)
    spread = np.maximum(features.std(axis=(0, 1)), 1e-9)
    scaled = features / spread
    return np.stack([np.abs(scaled - scaled[:, [one]]).mean(axis=2) for one in teachers], axis=2)


def _sign(word: str) -> int:
    if word[0].isalpha():
        return _SIGN.get(word, _CONTENT)
    return _NUMBER if word[0].isdigit() else _MARKS + ord(word[0])


def _form_of(text: str) -> list[float]:
    size = max(len(text), 1)
    words = text.split()
    rates = [np.log1p(100.0 * len(pattern.findall(text)) / size) for pattern in _PATTERNS]
    mean_word = sum(map(len, words)) / len(words) if words else 0.0
    return [float(np.log1p(len(text))), mean_word, *rates]
