"""Columns of prompts, answers and documents, in several languages and with realistic lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.worlds.grammar import joined, language, pack
from stillwatch.worlds.shapes import Ints, draw, pick, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.worlds.streams import Streams

LANGUAGES = ("en", "zh", "es", "ru", "de")
WORLD_MIX = (0.62, 0.12, 0.11, 0.07, 0.08)
"""Shares of languages among people: an assumption, close to public counts of chat corpora."""

CONTEXT = (0, 0, 0, 0, 0, 1, 3, 9, 18, 40, 60)
"""Sentences that people put behind a question. With it, the lengths of openers come near the quantiles of
ShareGPT's first turns (25 % 52, 50 % 110, 75 % 366, 90 % 1,917 characters) without their far tail."""
FOLLOW_CONTEXT = (0, 0, 0, 0, 0, 0, 1, 3, 7, 20, 30)
"""The same for later turns (ShareGPT: 25 % 39, 50 % 73, 75 % 154, 90 % 381 characters)."""


def by_language(rule: str, languages: Ints, streams: Streams) -> pa.StringArray:
    """Write one text by `rule` for each row in the language given by its index."""
    chunks, order = [], np.argsort(languages, kind="stable")
    counts = np.bincount(languages, minlength=len(LANGUAGES))
    for code, count in zip(LANGUAGES, counts, strict=True):
        chunks.append(language(code).expand(rule, int(count), streams.named(f"{rule} {code}")))
    return restore(joined(chunks), order)


def restore(values: pa.StringArray, order: Ints) -> pa.StringArray:
    """Undo a sort: row `order[i]` of the result is `values[i]`."""
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    return values.take(pa.array(back))


def documents(sentences: Ints, languages: Ints, streams: Streams) -> pa.StringArray:
    """Write texts of so many `sentences` each."""
    written = by_language("statement", np.repeat(languages, sentences), streams)
    return pack(written, sentences, " ")


def openers(languages: Ints, streams: Streams, context: Sequence[float] = CONTEXT) -> pa.StringArray:
    """Write first turns: a question or request, often with text behind it."""
    return written(languages, streams, "opener", context)


def written(languages: Ints, streams: Streams, rule: str, context: Sequence[float]) -> pa.StringArray:
    """Write turns by `rule` with so many sentences (quantiles at `LEVELS`) behind each."""
    rng = streams.named("context")
    asked = by_language(rule, languages, streams)
    sentences = whole(draw(context, len(languages), rng), 0)
    pasted = np.flatnonzero(sentences)
    texts = documents(sentences[pasted], languages[pasted], streams.within("pasted"))
    return append(asked, pasted, texts, "\n\n")


def put(texts: pa.StringArray, rows: Ints, others: pa.StringArray) -> pa.StringArray:
    """Replace the `texts` of these `rows` (ascending) by `others`."""
    mask = np.zeros(len(texts), dtype=bool)
    mask[rows] = True
    return pc.replace_with_mask(texts, pa.array(mask), others)


def shuffled(texts: Sequence[str], count: int, rng: np.random.Generator) -> pa.StringArray:
    """Deal `count` texts from a shuffled pack; a text comes again only when the pack is used up."""
    packs = [rng.permutation(len(texts)) for _ in range(-(-count // len(texts)))]
    order = np.concatenate(packs)[:count] if packs else np.empty(0, dtype=np.int64)
    return pa.array(texts, pa.string()).take(pa.array(order))


def append(texts: pa.StringArray, rows: Ints, tails: pa.StringArray, separator: str) -> pa.StringArray:
    """Put `tails` behind the `texts` of these `rows`."""
    column = np.full(len(texts), -1, dtype=np.int64)
    column[rows] = np.arange(len(rows))
    index = pa.array(column, mask=column < 0)
    tail = pc.binary_join_element_wise(pa.scalar(separator), tails.take(index), pa.scalar(""))
    return pc.binary_join_element_wise(texts, pc.fill_null(tail, ""), pa.scalar(""))


def choose(mask: npt.NDArray[np.bool_], yes: pa.StringArray, no: pa.StringArray) -> pa.StringArray:
    """Take `yes` where the mask is true, else `no`; both have all rows."""
    return pc.if_else(pa.array(mask), yes, no)


def mother_tongues(count: int, rng: np.random.Generator, mix: Sequence[float] = WORLD_MIX) -> Ints:
    """Draw the language index of each person."""
    return pick(mix, count, rng)


def fill(
    templates: Sequence[str], which: Ints, first: pa.StringArray, second: pa.StringArray | None = None
) -> pa.StringArray:
    """Put contents into templates.

    Args:
        templates: Texts with one `[[1]]` and, behind it, at most one `[[2]]`.
        which: Index of each row's template, shape (rows,).
        first: What replaces `[[1]]`, shape (rows,).
        second: What replaces `[[2]]`; needed when a template has it.
    """
    heads, middles, tails = zip(*(_cut(text) for text in templates), strict=True)
    index = pa.array(which)
    columns = [pa.array(heads).take(index), first, pa.array(middles).take(index)]
    if second is not None:
        has_second = pa.array(["[[2]]" in text for text in templates]).take(index)
        columns += [pc.if_else(has_second, second, ""), pa.array(tails).take(index)]
    return pc.binary_join_element_wise(*columns, pa.scalar(""))


def _cut(template: str) -> tuple[str, str, str]:
    head, _, rest = template.partition("[[1]]")
    middle, _, tail = rest.partition("[[2]]")
    return head, middle, tail
