"""Forms: what all texts of one making have in common, learnt once from the real fingerprint kernel.

A form is a template, a public text, or one text of a bank that the grammar wrote. It says which keys are the
same whatever fills it, how many further keys of which kinds each filling has for itself, and what cell,
language and elicitation come out. An exchange is then a form and a slot (the identity of what fills it), and
its keys are the form's own and hashes of the slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.model.columns import TEXT_SCHEMA
from stillwatch.model.views import KIND_MASK, KeyKind
from stillwatch.worlds import prose
from stillwatch.worlds.grammar import language, pack
from stillwatch.worlds.streams import Streams
from stillwatch.worlds.wording import mix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stillwatch.worlds.fingerprinter import Fingerprinter
    from stillwatch.worlds.shapes import Ints

Flags = npt.NDArray[np.bool_]

CELL_BITS = 10
ALWAYS = 255
"""Odds of a bit that is always set, in 255ths."""
SIZE_CLASSES = (28, 100, 350, 900)
"""Bytes from which the contents of a template count as short, medium and long; less is tiny."""
_SENTENCES = (0, 0, 1, 5, 14)
_RULES = ("topic", "opener", "opener", "opener", "opener")
OF_CONTENT = 16
"""Added to the kind of a private key that depends on the content alone and not on the template round it."""
_SLICE = 8_192
_PROBES = ((64, 24), (2_000, 6), (_SLICE, 2))
"""Contents that each template is tried with, by the number of templates: (at most so many, contents)."""


class Print(msgspec.Struct, frozen=True):
    """What the kernel says of n texts.

    Attributes:
        keys: All keys, text after text.
        row: Text of each key.
        of_content: 1 where a key comes of the content of a template alone.
        item: Fingerprint of each text as an item, shape (n,).
        odds: 255 where a bit of the cell is set, else 0, shape (n, CELL_BITS).
        language: Language of each text.
        elicitation: Bits of each text, shape (n,).
    """

    keys: Ints
    row: Ints
    of_content: Ints
    item: Ints
    odds: npt.NDArray[np.uint8]
    language: pa.Array
    elicitation: Ints


def read_prints(texts: pa.StringArray, kernel: Fingerprinter) -> Print:
    """Send `texts` through the kernel as prompts."""
    nothing = pa.nulls(len(texts), pa.string())
    columns = {"system": nothing, "history": nothing, "prompt": texts, "tools": nothing}
    made = kernel.texts(
        pa.RecordBatch.from_arrays([columns[name] for name in TEXT_SCHEMA.names], schema=TEXT_SCHEMA)
    )
    lengths = pc.fill_null(pc.list_value_length(made["keys"]), 0).to_numpy(zero_copy_only=False)
    cell = pc.fill_null(made["cell"], 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return Print(
        keys=made["keys"].flatten().to_numpy(zero_copy_only=False),
        row=np.repeat(np.arange(len(texts)), lengths),
        of_content=np.zeros(int(lengths.sum()), dtype=np.int64),
        item=pc.fill_null(made["item_fp"], 0).to_numpy(zero_copy_only=False),
        odds=((cell[:, None] >> np.arange(CELL_BITS) & 1) * ALWAYS).astype(np.uint8),
        language=pc.fill_null(made["language"], "und"),
        elicitation=pc.fill_null(made["elicitation"], 0).to_numpy(zero_copy_only=False).astype(np.int64),
    )


class Grown:
    """A column that grows at its end, without a copy for every addition."""

    def __init__(self, kind: npt.DTypeLike, width: tuple[int, ...] = ()) -> None:
        """Begin empty; `width` is the shape of one entry."""
        self._store: npt.NDArray[np.generic] = np.empty((1024, *width), dtype=kind)
        self.size = 0

    def add(self, values: npt.ArrayLike) -> None:
        """Append `values`."""
        added = np.asarray(values)
        while self.size + len(added) > len(self._store):
            grown = np.empty((2 * len(self._store), *self._store.shape[1:]), dtype=self._store.dtype)
            grown[: self.size] = self._store[: self.size]
            self._store = grown
        self._store[self.size : self.size + len(added)] = added
        self.size += len(added)

    @property
    def values(self) -> npt.NDArray[np.generic]:
        """What is in it now."""
        return self._store[: self.size]


class Forms:
    """The forms of a world, numbered as they come; those of `Banks` stand first."""

    def __init__(self, kernel: Fingerprinter) -> None:
        """Begin without any form."""
        self.kernel = kernel
        self.fixed, self.fixed_end = Grown(np.int64), Grown(np.int64)
        self.private, self.private_end = Grown(np.uint8), Grown(np.int64)
        self.item, self.elicitation = Grown(np.int64), Grown(np.int32)
        self.odds, self.language = Grown(np.uint8, (CELL_BITS,)), Grown(np.int16)
        self.languages: dict[str, int] = {}
        self._known: dict[str, int] = {}
        self._fillers: dict[tuple[int, int], tuple[str, str]] = {}

    @property
    def count(self) -> int:
        """Number of forms."""
        return self.item.size

    def rewind(self, count: int) -> None:
        """Forget all forms from number `count` on, such as the templates of a world that is done."""
        last = (
            (int(self.fixed_end.values[count - 1]), int(self.private_end.values[count - 1]))
            if count
            else (0, 0)
        )
        self.fixed.size, self.private.size = last
        for column in (
            self.fixed_end,
            self.private_end,
            self.item,
            self.elicitation,
            self.odds,
            self.language,
        ):
            column.size = count
        self._known = {text: form for text, form in self._known.items() if form < count}

    def whole(self, texts: Sequence[str]) -> Ints:
        """Return the forms of texts that are sent as they stand, so that all of their keys are shared."""
        return self._numbers(
            texts,
            "whole",
            1,
            lambda new: self._add_bank(read_prints(pa.array(new, pa.string()), self.kernel), 1),
        )

    def bank(self, texts: pa.StringArray) -> int:
        """Add texts as examples of private writing; return the number of the first.

        Keys that at least two of them have are common phrases and stay; all others are each text's own.
        """
        first = self.count
        self._add_bank(read_prints(texts, self.kernel), 2)
        return first

    def templates(self, texts: Sequence[str]) -> Ints:
        """Return the first form of each template; the form of a content is that plus its size class."""
        return self._numbers(texts, "filled", len(SIZE_CLASSES) + 1, self._add_templates)

    def _numbers(self, texts: Sequence[str], kind: str, each: int, add: Callable[[list[str]], None]) -> Ints:
        new = [text for text in dict.fromkeys(texts) if f"{kind} {text}" not in self._known]
        for begin in range(0, len(new), _SLICE):
            part, first = new[begin : begin + _SLICE], self.count
            add(part)
            self._known |= {f"{kind} {text}": first + each * place for place, text in enumerate(part)}
        return np.array([self._known[f"{kind} {text}"] for text in texts], dtype=np.int64)

    def _add_bank(self, prints: Print, least: int) -> None:
        names, back, counts = np.unique(prints.keys, return_inverse=True, return_counts=True)
        common = counts[back] >= least if len(names) else np.zeros(0, dtype=bool)
        _, place, copies = np.unique(prints.item, return_inverse=True, return_counts=True)
        self._append(prints, common, np.where(copies[place] >= least, prints.item, 0))

    def _append(self, prints: Print, common: Flags, item: Ints) -> None:
        """Add one form for each text of `prints`, whose keys are fixed where `common`, else private."""
        count, before = len(item), (self.fixed.size, self.private.size)
        self.fixed.add(prints.keys[common])
        self.private.add(prints.keys[~common] & KIND_MASK | prints.of_content[~common] * OF_CONTENT)
        self.fixed_end.add(before[0] + np.cumsum(np.bincount(prints.row[common], minlength=count)))
        self.private_end.add(before[1] + np.cumsum(np.bincount(prints.row[~common], minlength=count)))
        self.item.add(item)
        self.odds.add(prints.odds)
        self.elicitation.add(prints.elicitation)
        codes = [self.languages.setdefault(code, len(self.languages)) for code in prints.language.to_pylist()]
        self.language.add(codes)

    def _add_templates(self, texts: list[str]) -> None:
        """Fill each template with several contents of each size; what stays the same is the template's."""
        probes = next(count for most, count in _PROBES if len(texts) <= most)
        for_class = [self._probed(texts, size, probes) for size in range(len(SIZE_CLASSES) + 1)]
        each = len(for_class)
        order = np.argsort(np.tile(np.arange(len(texts)), each), kind="stable")
        self._append(*_interleaved(for_class, len(texts), order))

    def _probed(self, texts: list[str], size: int, probes: int) -> tuple[Print, Flags]:
        """Read every template with so many contents of one size, and tell which keys always come."""
        count = len(texts)
        read = read_prints(self._filled(texts, size, probes), self.kernel)
        template = read.row % count
        identity = mix(read.keys.view(np.uint64) ^ mix(template.astype(np.uint64)))
        names, counts = np.unique(identity, return_counts=True)
        first = int(np.searchsorted(read.row, count))
        bits = read.elicitation.reshape(probes, count)
        shown = Print(
            keys=read.keys[:first],
            row=read.row[:first],
            of_content=_of_content(read.keys[:first], read.row[:first], texts),
            item=np.zeros(count, dtype=np.int64),
            odds=_smoothed(read.odds.reshape(probes, count, CELL_BITS)),
            language=read.language.slice(0, count),
            elicitation=np.bitwise_and.reduce(bits, axis=0),
        )
        return shown, np.isin(identity[:first], names[counts == probes])

    def _filled(self, texts: list[str], size: int, probes: int) -> pa.StringArray:
        """Fill all templates with the first content, then all with the second, and so on."""
        contents = [self._filler(size, probe) for probe in range(probes)]
        which = np.tile(np.arange(len(texts)), probes)
        probe = pa.array(np.repeat(np.arange(probes), len(texts)))
        first, second = (pa.array(column).take(probe) for column in zip(*contents, strict=True))
        return prose.fill(texts, which, first, second)

    def _filler(self, size: int, probe: int) -> tuple[str, str]:
        if (size, probe) not in self._fillers:
            streams = Streams(0, f"probe {size} {probe}", exact=True)
            english, more = language("en"), _SENTENCES[size]
            asked = english.expand(_RULES[size], 2, streams.named("asked"))
            said = english.expand("statement", 2 * more, streams.named("behind"))
            behind = pack(said, np.full(2, more), " ")
            first, second = pc.binary_join_element_wise(asked, behind, " ").to_pylist()
            self._fillers[size, probe] = (first.strip(), second.strip())
        return self._fillers[size, probe]


def _of_content(keys: Ints, row: Ints, texts: Sequence[str]) -> Ints:
    """Tell shingles, and the suffix where a template ends with its content, from what the template shapes."""
    kind = keys & KIND_MASK
    open_end = np.array([text.endswith("]]") for text in texts], dtype=bool)[row]
    found = (kind == KeyKind.SHINGLE) | (open_end & (kind == KeyKind.SUFFIX))
    return np.asarray(found, dtype=np.int64)


def _smoothed(odds: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Mean of few probes, with half a probe of either kind added (Jeffreys)."""
    share = (odds.astype(np.int64).sum(axis=0) / ALWAYS + 0.5) / (len(odds) + 1)
    return np.asarray(np.floor(share * ALWAYS + 0.5), dtype=np.uint8)


def _interleaved(
    for_class: Sequence[tuple[Print, Flags]], count: int, order: Ints
) -> tuple[Print, Flags, Ints]:
    """Order forms by template first and size class second."""
    each = len(for_class)
    row = np.concatenate([prints.row * each + size for size, (prints, _) in enumerate(for_class)])
    by_row = np.argsort(row, kind="stable")
    joined = Print(
        keys=np.concatenate([prints.keys for prints, _ in for_class])[by_row],
        row=row[by_row],
        of_content=np.concatenate([prints.of_content for prints, _ in for_class])[by_row],
        item=np.zeros(count * each, dtype=np.int64),
        odds=np.concatenate([prints.odds for prints, _ in for_class])[order],
        language=pa.concat_arrays([prints.language for prints, _ in for_class]).take(pa.array(order)),
        elicitation=np.concatenate([prints.elicitation for prints, _ in for_class])[order],
    )
    return joined, np.concatenate([common for _, common in for_class])[by_row], joined.item
