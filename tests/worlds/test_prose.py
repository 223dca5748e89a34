from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.worlds import prose
from stillwatch.worlds.streams import Streams


@given(st.permutations(range(9)))
def test_restoring_undoes_a_sort(order):
    values = pa.array([str(place) for place in order])
    assert prose.restore(values, np.array(order)).to_pylist() == [str(number) for number in range(9)]


def test_templates_are_filled_in_both_places():
    filled = prose.fill(
        ["<[[1]]>", "[[1]] then [[2]]!"],
        np.array([0, 1, 0]),
        pa.array(["a", "b", "c"]),
        pa.array(["x", "y", "z"]),
    )
    assert filled.to_pylist() == ["<a>", "b then y!", "<c>"]


def test_each_row_speaks_its_own_language():
    tongue = np.array([1, 3, 1, 0, 3])
    texts = prose.by_language("statement", tongue, Streams(1)).to_pylist()
    assert all(any("\u4e00" <= c <= "\u9fff" for c in texts[row]) == (tongue[row] == 1) for row in range(5))
    assert all(any("\u0400" <= c <= "\u04ff" for c in texts[row]) == (tongue[row] == 3) for row in range(5))


@given(st.integers(1, 20), st.integers(0, 60))
def test_a_pack_is_dealt_out_before_a_text_comes_again(size, count):
    dealt = prose.shuffled([str(n) for n in range(size)], count, np.random.Generator(np.random.PCG64(3)))
    seen = np.unique(dealt.to_numpy(zero_copy_only=False), return_counts=True)[1] if count else np.zeros(1)
    assert seen.max() <= -(-count // size)


def test_appending_touches_only_its_rows():
    joined = prose.append(pa.array(["a", "b", "c"]), np.array([1]), pa.array(["x"]), "+")
    assert joined.to_pylist() == ["a", "b+x", "c"]


def test_lengths_of_openers_are_near_those_of_public_chats():
    tongue = np.zeros(8000, dtype=np.int64)
    lengths = [len(text) for text in prose.openers(tongue, Streams(4)).to_pylist()]
    quarter, middle, three_quarters, high = np.percentile(lengths, [25, 50, 75, 90])
    assert 30 <= quarter <= 100
    assert 70 <= middle <= 200
    assert 180 <= three_quarters <= 600
    assert high >= 400
