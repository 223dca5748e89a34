"""Pens: how what a population says becomes a column. One writes texts, another only their fingerprints.

A population never writes itself; it asks the pen of its stage. So who asks what, when, from where and with
which settings is defined once, and the same world can be had as logs with text and as columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.worlds import prose
from stillwatch.worlds.grammar import language, pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from stillwatch.worlds.shapes import Ints
    from stillwatch.worlds.streams import Streams

Column = Any
"""A column of prompts or answers as the pen at hand makes it: opaque to populations."""


class Pen(Protocol):
    """Writes columns. Every method that draws takes its own stream, so both pens leave all others alone."""

    @property
    def fields(self) -> Mapping[str, pa.DataType]:
        """Columns that `columns` returns, in order."""

    def say(self, rule: str, count: int, rng: np.random.Generator, grammar: str = "en") -> Column:
        """Write `count` texts by a rule of a grammar (a language code or "templates")."""

    def spoken(self, rule: str, tongue: Ints, streams: Streams) -> Column:
        """Write one text by `rule` for each row in the language whose index is given."""

    def turn(
        self, tongue: Ints, streams: Streams, rule: str = "opener", context: Sequence[float] = prose.CONTEXT
    ) -> Column:
        """Write turns of people, with so many pasted sentences (quantiles at `LEVELS`) behind each."""

    def documents(self, sentences: Ints, tongue: Ints, streams: Streams) -> Column:
        """Write texts of so many sentences each."""

    def packed(
        self, rule: str, sizes: Ints, rng: np.random.Generator, separator: str, grammar: str = "templates"
    ) -> Column:
        """Write texts of `sizes` pieces each, every piece by `rule`."""

    def fixed(self, texts: Sequence[str], which: Ints) -> Column:
        """Repeat known texts, such as the items of a benchmark."""

    def dealt(self, texts: Sequence[str], count: int, rng: np.random.Generator) -> Column:
        """Deal out real texts from a shuffled pack."""

    def fill(
        self, templates: Sequence[str], which: Ints, first: Column, second: Column | None = None
    ) -> Column:
        """Put contents into the templates' `[[1]]` and `[[2]]`; `which` is the template of each row."""

    def choose(self, mask: npt.NDArray[np.bool_], yes: Column, no: Column) -> Column:
        """Take `yes` where the mask is true, else `no`; both have all rows."""

    def append(self, texts: Column, rows: Ints, tails: Column, separator: str) -> Column:
        """Put `tails` behind the `texts` of these `rows`."""

    def put(self, texts: Column, rows: Ints, others: Column) -> Column:
        """Replace the `texts` of these `rows` (ascending) by `others`."""

    def distinct(self, texts: Column, tongue: Ints, streams: Streams) -> Column:
        """Make every text of the column another one, by more words where it came before."""

    def concat(self, parts: Sequence[Column]) -> Column:
        """Put columns one behind the other."""

    def take(self, texts: Column, index: Ints) -> Column:
        """Return the rows at `index`."""

    def sizes(self, texts: Column) -> Ints:
        """Length of each text in bytes."""

    def columns(
        self,
        prompt: Column,
        answer: Column,
        answered: npt.NDArray[np.bool_],
        past: Ints | None,
        blocks: Ints | None,
    ) -> dict[str, Any]:
        """Return the columns `fields` of a part.

        Args:
            prompt: What is asked.
            answer: What is answered.
            answered: Whether there is an answer.
            past: Identity of the conversation before each row where it is not its own, 0 = its own.
            blocks: Identity of a reasoning block that is sent along, 0 = none.
        """


class TextPen:
    """Writes the texts themselves, by the grammars that ship."""

    fields: Mapping[str, pa.DataType] = {"prompt": pa.string(), "answer": pa.string()}

    def say(self, rule: str, count: int, rng: np.random.Generator, grammar: str = "en") -> Column:
        """Write `count` texts by a rule of a grammar."""
        return language(grammar).expand(rule, count, rng)

    def spoken(self, rule: str, tongue: Ints, streams: Streams) -> Column:
        """Write one text by `rule` for each row in its language."""
        return prose.by_language(rule, tongue, streams)

    def turn(
        self, tongue: Ints, streams: Streams, rule: str = "opener", context: Sequence[float] = prose.CONTEXT
    ) -> Column:
        """Write turns of people."""
        return prose.written(tongue, streams, rule, context)

    def documents(self, sentences: Ints, tongue: Ints, streams: Streams) -> Column:
        """Write texts of so many sentences each."""
        return prose.documents(sentences, tongue, streams)

    def packed(
        self, rule: str, sizes: Ints, rng: np.random.Generator, separator: str, grammar: str = "templates"
    ) -> Column:
        """Write texts of `sizes` pieces each."""
        return pack(language(grammar).expand(rule, int(sizes.sum()), rng), sizes, separator)

    def fixed(self, texts: Sequence[str], which: Ints) -> Column:
        """Repeat known texts."""
        return pa.array(texts, pa.string()).take(pa.array(which))

    def dealt(self, texts: Sequence[str], count: int, rng: np.random.Generator) -> Column:
        """Deal out real texts from a shuffled pack."""
        return prose.shuffled(texts, count, rng)

    def fill(
        self, templates: Sequence[str], which: Ints, first: Column, second: Column | None = None
    ) -> Column:
        """Put contents into templates."""
        return prose.fill(templates, which, first, second)

    def choose(self, mask: npt.NDArray[np.bool_], yes: Column, no: Column) -> Column:
        """Take `yes` where the mask is true, else `no`."""
        return prose.choose(mask, yes, no)

    def append(self, texts: Column, rows: Ints, tails: Column, separator: str) -> Column:
        """Put `tails` behind the `texts` of these `rows`."""
        return prose.append(texts, rows, tails, separator)

    def put(self, texts: Column, rows: Ints, others: Column) -> Column:
        """Replace the `texts` of these `rows` by `others`."""
        return prose.put(texts, rows, others)

    def distinct(self, texts: Column, tongue: Ints, streams: Streams) -> Column:
        """Put a sentence behind every text that came before."""
        seen = pc.dictionary_encode(texts).indices.to_numpy()
        _, first = np.unique(seen, return_index=True)
        again = np.setdiff1d(np.arange(len(seen)), first)
        return prose.append(texts, again, prose.by_language("statement", tongue[again], streams), " ")

    def concat(self, parts: Sequence[Column]) -> Column:
        """Put columns one behind the other."""
        return pa.concat_arrays(list(parts))

    def take(self, texts: Column, index: Ints) -> Column:
        """Return the rows at `index`."""
        return texts.take(pa.array(index))

    def sizes(self, texts: Column) -> Ints:
        """Length of each text in bytes."""
        lengths = pc.fill_null(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False)
        return np.asarray(lengths.astype(np.int64))

    def columns(
        self,
        prompt: Column,
        answer: Column,
        answered: npt.NDArray[np.bool_],
        past: Ints | None,  # noqa: ARG002 - a replayed past is told by the messages themselves
        blocks: Ints | None,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Return the texts; no answer where there was none."""
        return {"prompt": prompt, "answer": pc.if_else(pa.array(answered), answer, None)}
