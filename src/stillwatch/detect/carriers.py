"""Which exchanges carry the keys of which group, found batch by batch.

A list of keys is never taken apart into rows: one compiled pass over the Arrow buffers looks every key up and
writes down the few exchanges that matter. The pass is the same on every engine (`store.engine.map_batches`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detect.keyindex import KeyIndex, found_among

Ints = npt.NDArray[np.int64]
Found = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]

CARRIED = ("keys", "system_fp", "tools_fp")
"""The columns of an exchange in which a key can stand."""
CLASS_BITS = 62


@dataclass(frozen=True)
class Marks:
    """The raw keys of many groups.

    Attributes:
        index: The distinct keys.
        bounds: Where the entries of each key start, and the end of the last, shape (keys + 1,).
        group: Group of each entry, shape (entries,).
        bit: Bit of the entry's key class within that group, one of `CLASS_BITS`, shape (entries,).
        groups: Number of groups.
    """

    index: KeyIndex
    bounds: Ints
    group: Ints
    bit: Ints
    groups: int

    @staticmethod
    def of(member: Ints, group: Ints, bit: Ints, groups: int) -> Marks:
        """Put the entries in order; a key may mark several groups."""
        keys, place = np.unique(member, return_inverse=True)
        order = np.argsort(place, kind="stable")
        bounds = np.searchsorted(place[order], np.arange(keys.size + 1))
        return Marks(KeyIndex.of(keys), bounds, group[order], bit[order], groups)


@dataclass(frozen=True)
class Carriers:
    """Exchanges of a batch that carry marked keys, once for each group.

    Attributes:
        row: Row of the batch, ascending, shape (n,).
        group: Number of the group, shape (n,).
        bits: Which of the group's key classes the exchange carries, shape (n,).
    """

    row: Ints
    group: Ints
    bits: Ints


def carriers(batch: pa.RecordBatch, marks: Marks) -> Carriers:
    """Find the exchanges of a batch that carry marked keys.

    Args:
        batch: Exchanges with the columns `CARRIED`.
        marks: The keys of all groups.
    """
    starts, ends, values = list_bounds(batch["keys"])
    fields = [batch[name].fill_null(0).to_numpy(zero_copy_only=False) for name in CARRIED[1:]]
    index = marks.index
    lookup = (index.keys, index.slots, index.seen, marks.bounds, marks.group, marks.bit, marks.groups)
    return Carriers(*_carriers(starts, ends, values, *fields, *lookup))


def only_marked(batch: pa.RecordBatch, marks: Marks) -> tuple[Ints, pa.ListArray]:
    """Find the exchanges of a batch that carry marked keys in any column.

    Args:
        batch: Exchanges with the columns `CARRIED`.
        marks: The keys of all groups.

    Returns:
        Their rows, ascending, and for each of them the marked ones of its text keys.
    """
    index = marks.index
    row, number = marked_rows(*list_bounds(batch["keys"]), index.keys, index.slots, index.seen)
    marked = np.zeros(batch.num_rows, np.bool_)
    marked[row] = True
    for name in CARRIED[1:]:
        marked |= index.find(batch[name].fill_null(0).to_numpy(zero_copy_only=False)) >= 0
    rows = np.flatnonzero(marked)
    ends = np.cumsum(np.bincount(row, minlength=batch.num_rows)[rows])
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return rows, pa.ListArray.from_arrays(pa.array(offsets), pa.array(index.keys[number]))


def group_after_group(table: pa.Table) -> list[pa.RecordBatch]:
    """Return the batches of a table with the column group, each of them in the order of groups.

    Whoever makes a batch puts it in order, but an engine may join several on their way here, as Spark does.
    """
    return [_in_order(batch) for batch in table.to_batches()]


def _in_order(batch: pa.RecordBatch) -> pa.RecordBatch:
    group = batch["group"].to_numpy()
    if (group[1:] >= group[:-1]).all():
        return batch
    return batch.take(pa.array(np.argsort(group, kind="stable")))


def list_bounds(lists: pa.ListArray) -> tuple[Ints, Ints, Ints]:
    """Return where each list starts and ends in the values, and the values; a null list is empty."""
    offsets = lists.offsets.to_numpy().astype(np.int64)
    starts, ends = offsets[:-1], offsets[1:]
    if lists.null_count:
        ends = np.where(lists.is_valid().to_numpy(zero_copy_only=False), ends, starts)
    return starts, ends, lists.values.to_numpy(zero_copy_only=False)


@numba.njit(cache=True, nogil=True)
def _carriers(
    starts: Ints,
    ends: Ints,
    values: Ints,
    system: Ints,
    tools: Ints,
    keys: Ints,
    slots: npt.NDArray[np.int32],
    seen: npt.NDArray[np.uint64],
    bounds: Ints,
    group: Ints,
    bit: Ints,
    groups: int,
) -> tuple[Ints, Ints, Ints]:
    """Write down the groups that the keys of each exchange mark, each group once."""
    given = found_among(system, keys, slots, seen)
    offered = found_among(tools, keys, slots, seen)
    rows, numbers = _merged(marked_rows(starts, ends, values, keys, slots, seen), _merged(given, offered))
    found = np.empty((3, rows.size + groups), np.int64)
    latest = np.full(groups, -1, np.int64)  # where the last exchange of a group was written
    filled, first, last = 0, 0, -1
    for at in range(rows.size):
        if filled + groups > found.shape[1]:
            found = np.concatenate((found, np.empty_like(found)), axis=1)
        if rows[at] != last:
            first, last = filled, rows[at]
        for entry in range(bounds[numbers[at]], bounds[numbers[at] + 1]):
            owner = group[entry]
            if latest[owner] < first:
                latest[owner] = filled
                found[0, filled], found[1, filled], found[2, filled] = last, owner, 0
                filled += 1
            found[2, latest[owner]] |= bit[entry]
    return found[0, :filled].copy(), found[1, :filled].copy(), found[2, :filled].copy()


@numba.njit(cache=True, nogil=True)
def _merged(one: Found, other: Found) -> Found:
    """Put rows and numbers of two columns, each in the order of rows, into one list in the order of rows."""
    (left, left_number), (right, right_number) = one, other
    rows = np.empty(left.size + right.size, np.int32)
    numbers = np.empty(rows.size, np.int32)
    first, second = 0, 0
    for at in range(rows.size):
        if second == right.size or (first < left.size and left[first] <= right[second]):
            rows[at], numbers[at] = left[first], left_number[first]
            first += 1
        else:
            rows[at], numbers[at] = right[second], right_number[second]
            second += 1
    return rows, numbers


@numba.njit(cache=True, nogil=True)
def marked_rows(
    starts: Ints,
    ends: Ints,
    values: Ints,
    keys: Ints,
    slots: npt.NDArray[np.int32],
    seen: npt.NDArray[np.uint64],
) -> Found:
    """Find the values of lists that are among `keys`: their rows, ascending, and the positions of the keys.

    Args:
        starts: Where each list starts in `values`, ascending.
        ends: Where it ends.
        values: Values of all lists.
        keys: The keys, with `slots` and `seen` of their `KeyIndex`.
        slots: See there.
        seen: See there.
    """
    first = starts[0] if starts.size else 0
    place, number = found_among(values[first : ends.max() if starts.size else 0], keys, slots, seen)
    filled, row = 0, 0
    for at in range(place.size):
        while row < starts.size and ends[row] <= first + place[at]:
            row += 1
        if row < starts.size and starts[row] <= first + place[at]:
            place[filled], number[filled] = row, number[at]
            filled += 1
    return place[:filled], number[:filled]
