"""Working memory: what a thread writes to shares no cache line with what another one writes to."""

from __future__ import annotations

import numpy as np

from stillwatch.ingest.fingerprint.layout import LINE, new_work


def spans(arrays):
    """Begin and end of all arrays that are nested in tuples."""
    if isinstance(arrays, np.ndarray):
        return [(arrays.ctypes.data, arrays.ctypes.data + arrays.nbytes)]
    return [span for each in arrays for span in spans(each)]


def test_no_two_arrays_share_a_line():
    works = [new_work() for _ in range(8)]
    lines = [set(range(start // LINE, (stop - 1) // LINE + 1)) for start, stop in spans(works)]
    assert len(lines) > 8 * 20
    assert sum(map(len, lines)) == len(set().union(*lines))


def test_all_begins_with_zeros_and_stays_apart():
    work = new_work()
    assert not work.memo_used.any()
    work.memo_words[:] = -1
    work.scratch.words[:] = 7
    assert not work.memo_bits.any()
    assert not work.memo_hash.any()
    assert set(work.scratch.publics.tolist()) == {0}
    assert set(work.memo_words.tolist()) == {-1}
