"""A pen that writes no text: forms and slots, from which the columns of exchanges follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.worlds import prose
from stillwatch.worlds.forms import SIZE_CLASSES, Forms
from stillwatch.worlds.grammar import language
from stillwatch.worlds.prose import LANGUAGES
from stillwatch.worlds.shapes import draw, whole
from stillwatch.worlds.streams import Streams
from stillwatch.worlds.wording import Wording, Words, fresh, mix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from stillwatch.worlds.fingerprinter import Fingerprinter
    from stillwatch.worlds.shapes import Ints

_PASTED = (0, 1, 4, 12)
"""Sentences behind a turn in the banks: none, one, few, many."""
_PASTED_EDGES = (1, 2, 8)
_TURNS = ("opener", "follow")
_SPOKEN = ("statement", "answer")
_OTHERS = (
    ("en", "follow"),
    ("en", "topic"),
    ("en", "request"),
    ("templates", "agent_task"),
    ("templates", "agent_say"),
    ("templates", "tool_output"),
)
_BANK = 1024
_LARGE_BANK = 8192
"""Examples of an English opener, of which most private prompts are made."""


class Bank(msgspec.Struct, frozen=True):
    """Examples of one kind of writing.

    Attributes:
        first: Form of the first example.
        sizes: Bytes of each example.
        usual: Slot of the examples that several people would write word for word, 0 for all others.
    """

    first: int
    sizes: Ints
    usual: Words


class Banks:
    """Examples of everything that the grammars write, under one key; dear to make, good for many worlds."""

    def __init__(self, kernel: Fingerprinter) -> None:
        """Write and fingerprint all examples."""
        self.forms = Forms(kernel)
        self._streams = Streams(0, "bank", exact=True)
        self.said: dict[tuple[str, str], Bank] = {}
        self.turns: dict[tuple[str, int, int], Bank] = {}
        for code in LANGUAGES:
            for rule in _SPOKEN:
                self.said[code, rule] = self._said(code, rule)
        for code, rule in _OTHERS:
            self.said[code, rule] = self._said(code, rule)
        for rule in _TURNS:
            for tongue in range(len(LANGUAGES)):
                for pasted in range(len(_PASTED)):
                    self.turns[rule, tongue, pasted] = self._turn(rule, tongue, pasted)
        self.count = self.forms.count

    def add(self, texts: pa.StringArray) -> Bank:
        """Add a bank of given texts; it goes when the world is done."""
        sizes = pc.fill_null(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        first = self.forms.bank(texts)
        return Bank(first, sizes, self.forms.item.values[first:].astype(np.int64).view(np.uint64))

    def _said(self, code: str, rule: str) -> Bank:
        return self.add(language(code).expand(rule, _BANK, self._streams.named(f"{code} {rule}")))

    def _turn(self, rule: str, tongue: int, pasted: int) -> Bank:
        count = _LARGE_BANK if (rule, tongue, pasted) == ("opener", 0, 0) else _BANK
        who = np.full(count, tongue)
        streams = self._streams.within(f"{rule} {tongue} {pasted}")
        texts = prose.by_language(rule, who, streams)
        if pasted:
            behind = prose.documents(np.full(count, _PASTED[pasted]), who, streams)
            texts = pc.binary_join_element_wise(texts, behind, "\n\n")
        return self.add(texts)


class KeyPen:
    """Writes forms and slots; see `pen.Pen` for the methods."""

    fields: Mapping[str, pa.DataType] = {
        "form": pa.int64(),
        "slot": pa.uint64(),
        "core": pa.uint64(),
        "past": pa.int64(),
        "blocks": pa.int64(),
    }

    def __init__(self, banks: Banks) -> None:
        """Write with these banks, from which the forms of an earlier world are removed."""
        self._banks = banks
        self.forms = banks.forms
        self.forms.rewind(banks.count)
        self._real: dict[int, Bank] = {}

    def say(self, rule: str, count: int, rng: np.random.Generator, grammar: str = "en") -> Wording:
        """Write `count` texts by a rule of a grammar."""
        return _drawn(self._banks.said[grammar, rule], count, rng)

    def spoken(self, rule: str, tongue: Ints, streams: Streams) -> Wording:
        """Write one text by `rule` for each row in its language."""
        banks = [self._banks.said[code, rule] for code in LANGUAGES]
        return _drawn_from(banks, tongue, streams.named(rule))

    def turn(
        self, tongue: Ints, streams: Streams, rule: str = "opener", context: Sequence[float] = prose.CONTEXT
    ) -> Wording:
        """Write turns of people."""
        sentences = whole(draw(context, len(tongue), streams.named("context")), 0)
        pasted = np.searchsorted(_PASTED_EDGES, sentences, side="right")
        banks = [
            self._banks.turns[rule, code, place]
            for code in range(len(LANGUAGES))
            for place in range(len(_PASTED))
        ]
        said = _drawn_from(banks, tongue * len(_PASTED) + pasted, streams.named(rule))
        more = (sentences - np.array(_PASTED)[pasted]) * self._sentence
        return _resized(said, np.maximum(said.size + more, 1))

    def documents(self, sentences: Ints, tongue: Ints, streams: Streams) -> Wording:
        """Write texts of so many sentences each."""
        said = self.spoken("statement", tongue, streams)
        return _resized(said, said.size + (sentences - 1) * self._sentence)

    def packed(
        self, rule: str, sizes: Ints, rng: np.random.Generator, separator: str, grammar: str = "templates"
    ) -> Wording:
        """Write texts of `sizes` pieces each."""
        said = self.say(rule, len(sizes), rng, grammar)
        return _resized(said, said.size * sizes + len(separator) * (sizes - 1))

    @property
    def _sentence(self) -> int:
        sizes = self._banks.said["en", "statement"].sizes
        return int(sizes.sum()) // len(sizes) + 1

    def fixed(self, texts: Sequence[str], which: Ints) -> Wording:
        """Repeat known texts."""
        forms = self.forms.whole(texts)
        sizes = np.array([len(text.encode()) for text in texts], dtype=np.int64)
        slot = mix(forms.astype(np.uint64))[which]
        return Wording(forms[which], slot, slot, sizes[which])

    def dealt(self, texts: Sequence[str], count: int, rng: np.random.Generator) -> Wording:
        """Deal out real texts; what only one of them has is new in every row, so no pack runs out."""
        if id(texts) not in self._real:
            self._real[id(texts)] = self._banks.add(pa.array(texts, pa.string()))
        return _drawn(self._real[id(texts)], count, rng)

    def fill(
        self, templates: Sequence[str], which: Ints, first: Wording, second: Wording | None = None
    ) -> Wording:
        """Put contents into templates."""
        own = np.array([len(text.encode()) for text in templates], dtype=np.int64)
        forms = self.forms.templates(templates)[which]
        size = first.size if second is None else first.size + second.size
        core = first.core if second is None else mix(first.core) ^ second.core
        form = forms + np.searchsorted(SIZE_CLASSES, size, side="right")
        return Wording(form, mix(core ^ mix(forms.astype(np.uint64))), core, size + own[which])

    def choose(self, mask: npt.NDArray[np.bool_], yes: Wording, no: Wording) -> Wording:
        """Take `yes` where the mask is true, else `no`."""
        return Wording(*(np.where(mask, a, b) for a, b in zip(_parts(yes), _parts(no), strict=True)))

    def append(self, texts: Wording, rows: Ints, tails: Wording, separator: str) -> Wording:
        """Put `tails` behind the `texts` of these `rows`."""
        slot, size = texts.slot.copy(), texts.size.copy()
        slot[rows] = mix(slot[rows]) ^ tails.slot
        size[rows] += tails.size + len(separator)
        return Wording(texts.form, slot, slot, size)

    def put(self, texts: Wording, rows: Ints, others: Wording) -> Wording:
        """Replace the `texts` of these `rows` by `others`."""
        columns = [column.copy() for column in _parts(texts)]
        for column, other in zip(columns, _parts(others), strict=True):
            column[rows] = other
        return Wording(*columns)

    def distinct(self, texts: Wording, tongue: Ints, streams: Streams) -> Wording:  # noqa: ARG002
        """Return `texts` with slots of their own, which no two share as it is."""
        return texts

    def concat(self, parts: Sequence[Wording]) -> Wording:
        """Put columns one behind the other."""
        return Wording(*(np.concatenate(columns) for columns in zip(*map(_parts, parts), strict=True)))

    def take(self, texts: Wording, index: Ints) -> Wording:
        """Return the rows at `index`."""
        return texts.take(index)

    def sizes(self, texts: Wording) -> Ints:
        """Length of each text in bytes."""
        return texts.size

    def columns(
        self,
        prompt: Wording,
        answer: Wording,  # noqa: ARG002 - an answer leaves no fingerprint
        answered: npt.NDArray[np.bool_],  # noqa: ARG002
        past: Ints | None,
        blocks: Ints | None,
    ) -> dict[str, Any]:
        """Return forms and slots."""
        none = np.zeros(len(prompt), dtype=np.int64)
        return {
            "form": prompt.form,
            "slot": prompt.slot,
            "core": prompt.core,
            "past": none if past is None else past,
            "blocks": none if blocks is None else blocks,
        }


def _parts(texts: Wording) -> tuple[Any, Any, Any, Any]:
    return texts.form, texts.slot, texts.core, texts.size


def _resized(texts: Wording, size: Ints) -> Wording:
    return Wording(texts.form, texts.slot, texts.core, size)


def _drawn(bank: Bank, count: int, rng: np.random.Generator) -> Wording:
    place = rng.integers(0, len(bank.sizes), count)
    slot = _slots(bank.usual[place], rng)
    return Wording(bank.first + place, slot, slot, bank.sizes[place])


def _drawn_from(banks: Sequence[Bank], which: Ints, rng: np.random.Generator) -> Wording:
    """Draw for each row an example of the bank whose number it has."""
    sizes = np.array([len(bank.sizes) for bank in banks])
    start = np.cumsum(sizes) - sizes
    bytes_of = np.concatenate([bank.sizes for bank in banks])
    first = np.array([bank.first for bank in banks])
    place = (rng.random(len(which)) * sizes[which]).astype(np.int64)
    usual = np.concatenate([bank.usual for bank in banks])[start[which] + place]
    slot = _slots(usual, rng)
    return Wording(first[which] + place, slot, slot, bytes_of[start[which] + place])


def _slots(usual: Words, rng: np.random.Generator) -> Words:
    return np.where(usual != 0, usual, fresh(len(usual), rng))
