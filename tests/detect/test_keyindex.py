"""The table of fingerprints is a dictionary."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.keyindex import KeyIndex, index_of

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(INT64, max_size=40), st.lists(INT64, max_size=40, unique=True), st.data())
def test_index_of_is_a_dictionary(loose, keys, data):
    values = loose + (data.draw(st.lists(st.sampled_from(keys), max_size=20)) if keys else [])
    found = index_of(np.array(values, np.int64), np.array(keys, np.int64))
    place = {key: at for at, key in enumerate(keys)}
    assert found.tolist() == [place.get(value, -1) for value in values]


def test_many_keys_are_found_where_they_stand_and_strangers_nowhere():
    """More keys than the array of bits has room for, so that strangers get past it."""
    rng = np.random.default_rng(1)
    keys = np.unique(rng.integers(-(2**63), 2**63 - 1, 300_000))
    index = KeyIndex.of(rng.permutation(keys))
    assert np.array_equal(index.keys[index.find(keys)], keys)
    strangers = np.setdiff1d(rng.integers(-(2**63), 2**63 - 1, 300_000), keys)
    assert (index.find(strangers) == -1).all()
