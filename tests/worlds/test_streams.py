from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.worlds.streams import Streams

NAMES = st.text(min_size=1, max_size=12)


@given(st.integers(0, 2**64), NAMES)
def test_a_name_gives_the_same_numbers_again(seed, name):
    first, second = Streams(seed).named(name), Streams(seed).named(name)
    assert np.array_equal(first.integers(0, 2**62, 20), second.integers(0, 2**62, 20))


@given(st.integers(0, 2**32), NAMES, NAMES)
def test_streams_of_other_names_seeds_and_scopes_differ(seed, one, other):
    draws = {tuple(s.integers(0, 2**62, 4)) for s in (
        Streams(seed).named(one),
        Streams(seed + 1).named(one),
        Streams(seed).within(other).named(one),
    )}  # fmt: skip
    assert len(draws) == 3


def test_numbers_are_the_same_on_every_machine():
    drawn = Streams(42).within("part").named("name").integers(0, 10**9, 4)
    assert drawn.tolist() == GOLDEN


GOLDEN = [296150418, 587116810, 244660392, 600560622]
