"""A generative grammar over columns: one call writes a whole column of texts.

A rule is a list of alternatives; `{name}` in an alternative stands for another rule, `{#3}` for a number of
up to three digits. Every row draws its own alternatives, so private texts hardly ever repeat.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stillwatch.worlds.shapes import Ints

_SLOT = re.compile(r"\{(#?\w+)\}")
_SKEW = 1.35
"""Exponent that makes the first words of a long list more usual than the last ones."""


class Grammar:
    """Rules that write columns of text; immutable once built.

    >>> rules = Grammar({"s": ["{who} sings"], "who": ["Ada"]})
    >>> rules.expand("s", 2, np.random.Generator(np.random.PCG64(1))).to_pylist()
    ['Ada sings', 'Ada sings']
    """

    def __init__(self, rules: Mapping[str, Sequence[str]]) -> None:
        """Split the alternatives of `rules` at their slots.

        Raises:
            KeyError: An alternative names a rule that does not exist.
        """
        self._parts = {name: [_SLOT.split(text) for text in texts] for name, texts in rules.items()}
        self._words = {
            name: pa.array(texts, pa.string())
            for name, texts in rules.items()
            if all(len(parts) == 1 for parts in self._parts[name])
        }
        for name, alternatives in self._parts.items():
            for slot in (part for parts in alternatives for part in parts[1::2]):
                if not slot.startswith("#") and slot not in self._parts:
                    raise KeyError(f"rule {name!r} uses {slot!r}, which is not a rule")

    def expand(self, name: str, count: int, rng: np.random.Generator) -> pa.StringArray:
        """Write `count` texts by rule `name`."""
        if name.startswith("#"):
            return _numbers(int(name[1:]), count, rng)
        if name in self._words:
            words = self._words[name]
            index = np.floor(len(words) * rng.random(count) ** _SKEW).astype(np.int64)
            return words.take(pa.array(index))
        return self._compose(self._parts[name], count, rng)

    def _compose(self, parts: list[list[str]], count: int, rng: np.random.Generator) -> pa.StringArray:
        if len(parts) == 1:
            return self._fill(parts[0], count, rng)
        choice = rng.integers(0, len(parts), count)
        order = np.argsort(choice, kind="stable")
        sizes = np.bincount(choice, minlength=len(parts))
        chunks = [
            self._fill(alternative, int(size), rng)
            for alternative, size in zip(parts, sizes, strict=True)
            if size
        ]
        back = np.empty(count, dtype=np.int64)
        back[order] = np.arange(count)
        return joined(chunks).take(pa.array(back))

    def _fill(self, parts: list[str], count: int, rng: np.random.Generator) -> pa.StringArray:
        if len(parts) == 1:
            return pa.repeat(pa.scalar(parts[0]), count)
        columns = [
            pa.scalar(part) if even else self.expand(part, count, rng)
            for even, part in zip([True, False] * len(parts), parts, strict=False)
        ]
        return pc.binary_join_element_wise(*columns, pa.scalar(""))


def joined(chunks: Sequence[pa.StringArray]) -> pa.StringArray:
    """Concatenate arrays of text; an empty list gives an empty array."""
    return pa.concat_arrays(list(chunks)) if chunks else pa.array([], pa.string())


def pack(texts: pa.StringArray, counts: Ints, separator: str) -> pa.StringArray:
    """Join groups of `counts` consecutive `texts` into one text each.

    Args:
        texts: Texts, shape (sum of counts,).
        counts: Number of texts in each group, shape (groups,).
        separator: What stands between two texts of a group.
    """
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
    return pc.binary_join(pa.ListArray.from_arrays(offsets, texts), separator)


def _numbers(digits: int, count: int, rng: np.random.Generator) -> pa.StringArray:
    return pa.array(rng.integers(10 ** (digits - 1), 10**digits, count)).cast(pa.string())


@cache
def language(code: str) -> Grammar:
    """Load the grammar that ships for a language code or special purpose (`en`, `zh`, ..., `templates`)."""
    folder = resources.files("stillwatch.worlds") / "lexicon"
    rules: dict[str, list[str]] = {}
    for name in ("en.toml", f"{code}.toml") if code in _ON_ENGLISH else (f"{code}.toml",):
        rules |= tomllib.loads((folder / name).read_text(encoding="utf-8"))
    return Grammar(rules)


_ON_ENGLISH = ("templates", "work")
"""Lexicons that borrow the English words."""
