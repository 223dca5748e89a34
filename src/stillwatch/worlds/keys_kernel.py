"""The compiled step from forms and slots to keys; whole numbers only, so it is the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numba import njit

if TYPE_CHECKING:
    from stillwatch.worlds.forms import Forms
    from stillwatch.worlds.shapes import Ints
    from stillwatch.worlds.wording import Words

_U = np.uint64
_GOLD = _U(0x9E3779B97F4A7C15)
_FIRST = _U(0xBF58476D1CE4E5B9)
_SECOND = _U(0x94D049BB133111EB)
_KIND = _U(15)
_ITEM, _CELL = _U(101), _U(102)


@njit(cache=True, nogil=True)
def _mixed(value: Any) -> Any:
    value = _U(value) + _GOLD
    value = (value ^ (value >> _U(30))) * _FIRST
    value = (value ^ (value >> _U(27))) * _SECOND
    return value ^ (value >> _U(31))


@njit(cache=True, nogil=True)
def _counts(form: Any, fixed_end: Any, private_end: Any, counts: Any) -> None:
    for row in range(form.size):
        one = form[row]
        if one >= 0:
            counts[row] = fixed_end[one] + private_end[one]
            if one > 0:
                counts[row] -= fixed_end[one - 1] + private_end[one - 1]


@njit(cache=True, nogil=True)
def _write(rows: Any, forms: Any, out: Any) -> None:
    form, slot, core, end = rows
    fixed, fixed_end, private, private_end, known_item, odds = forms
    keys, item, cell = out
    for row in range(form.size):
        one = form[row]
        if one < 0:
            continue
        at = end[row - 1] if row > 0 else 0
        for place in range(fixed_end[one - 1] if one > 0 else 0, fixed_end[one]):
            keys[at] = fixed[place]
            at += 1
        first = private_end[one - 1] if one > 0 else 0
        shingle = 0
        for place in range(first, private_end[one]):
            kind = _U(private[place])
            if kind > _KIND:  # of the content: the same under any template
                hashed = _mixed(core[row] ^ _mixed(_U(1000 + shingle)))
                shingle += 1
            else:
                hashed = _mixed(slot[row] ^ _mixed(_U(place - first + 1)))
            keys[at] = np.int64((hashed & ~_KIND) | (kind & _KIND))
            at += 1
        item[row] = known_item[one] if known_item[one] != 0 else np.int64(_mixed(slot[row] ^ _ITEM) | _U(1))
        spread = _mixed(slot[row] ^ _CELL)
        more = _mixed(spread)
        bits = np.int64(0)
        for bit in range(odds.shape[1]):
            word = spread if bit < 8 else more
            drawn = (word >> _U(8 * (bit & 7))) & _U(255)
            # 255 of 255 is always, 0 never
            bits |= np.int64(drawn % _U(255) < _U(odds[one, bit])) << bit
        cell[row] = bits


def text_columns(form: Ints, slot: Words, core: Words, forms: Forms) -> dict[str, pa.Array]:
    """Return `keys`, `item_fp` and `cell` of exchanges; null where the form is -1.

    Args:
        form: Number of each exchange's form, shape (n,).
        slot: What fills it, shape (n,).
        core: The content alone, shape (n,).
        forms: The forms of the world.
    """
    tables = tuple(
        np.ascontiguousarray(column.values)
        for column in (forms.fixed, forms.fixed_end, forms.private, forms.private_end, forms.item, forms.odds)
    )
    counts = np.zeros(len(form), dtype=np.int64)
    _counts(form, tables[1], tables[3], counts)
    end = np.cumsum(counts)
    keys = np.empty(int(end[-1]) if len(end) else 0, dtype=np.int64)
    item, cell = np.zeros(len(form), dtype=np.int64), np.zeros(len(form), dtype=np.int16)
    _write((form, slot, core, end), tables, (keys, item, cell))
    silent = form < 0
    offsets = pa.array(np.concatenate([[0], end]).astype(np.int32))
    return {
        "keys": pa.ListArray.from_arrays(offsets, pa.array(keys), mask=pa.array(silent)),
        "item_fp": pa.array(item, mask=silent),
        "cell": pa.array(cell, mask=silent),
    }
