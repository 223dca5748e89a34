"""What stands for a column of texts where no text is written: which form each has, and what fills it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from stillwatch.worlds.shapes import Ints

Words = npt.NDArray[np.uint64]

_GOLD = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


class Wording(msgspec.Struct, frozen=True):
    """A column of prompts that were not written out; n rows.

    Attributes:
        form: Number of the form in the library of forms, -1 where nothing is said.
        slot: Identity of what fills the form: the same form and slot is the same text.
        core: Identity of the content alone, whatever template it stands in.
        size: Length of the text in bytes, about.
    """

    form: Ints
    slot: Words
    core: Words
    size: Ints

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.form)

    def take(self, index: Ints) -> Wording:
        """Return the rows at `index`."""
        return Wording(self.form[index], self.slot[index], self.core[index], self.size[index])


def mix(values: Words) -> Words:
    """Map 64 bits to 64 bits without visible structure (the finaliser of SplitMix64, Steele et al. 2014)."""
    mixed = values + _GOLD
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def fresh(count: int, rng: np.random.Generator) -> Words:
    """Draw slots that nobody else has."""
    return rng.integers(1, 1 << 63, count, dtype=np.int64).astype(np.uint64)
