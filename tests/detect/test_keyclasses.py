"""Keys of one template become one, and nothing else does."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.keyclasses import key_classes
from stillwatch.detect.keyindex import index_of

ROWS = st.lists(st.sets(st.integers(0, 9), max_size=6), max_size=25)


def columns(rows):
    """Row boundaries and values, as Arrow holds a list column."""
    values = np.array([key for row in rows for key in row], np.int64)
    return np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64), values


def classes(rows, keys, overlap=0.5):
    offsets, values = columns(rows)
    keys = np.array(keys, np.int64)
    return key_classes(offsets, index_of(values, keys), keys.size, overlap)


@given(ROWS, st.sampled_from([0.3, 0.5, 0.9]))
def test_a_class_never_holds_a_key_that_does_not_meet_its_leader(rows, overlap):
    leader = classes(rows, range(10), overlap)
    assert leader[leader].tolist() == leader.tolist(), "a leader stands for itself"
    for key, head in enumerate(leader.tolist()):
        if head != key:
            together = sum({key, head} <= row for row in rows)
            assert head < key
            assert together >= max(2, overlap * max(sum(k in row for row in rows) for k in (key, head)))


def test_classes_do_not_grow_by_chains():
    assert classes([[0, 1], [0, 1], [1, 2], [1, 2]], [0, 1, 2]).tolist() in ([0, 1, 1], [0, 0, 2])


@given(ROWS, st.data())
def test_the_order_of_rows_and_of_keys_in_a_row_means_nothing(rows, data):
    shuffled = data.draw(st.permutations([list(row) for row in rows]))
    shuffled = [list(reversed(row)) for row in shuffled]
    assert classes(rows, range(10)).tolist() == classes(shuffled, range(10)).tolist()


@given(ROWS, st.sets(st.integers(0, 9), min_size=1))
def test_keys_that_are_not_asked_for_change_nothing(rows, wanted):
    keys = sorted(wanted)
    only = [row & wanted for row in rows]
    assert classes(rows, keys).tolist() == classes(only, keys).tolist()


@given(st.integers(2, 8), st.integers(2, 20), st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_keys_of_one_template_are_one_among_noise(size, uses, noise, seed):
    rng = np.random.default_rng(seed)
    template = rng.permutation(1000)[:size]
    private = 1000 + rng.permutation(1000)
    rows = [[*template.tolist(), *private[noise * n : noise * (n + 1)].tolist()] for n in range(uses)]
    keys = np.sort(np.concatenate([template, private[: noise * uses]]))
    leader = classes(rows, keys)
    place = np.flatnonzero(np.isin(keys, template))
    assert set(leader[place].tolist()) == {int(place.min())}
    others = np.flatnonzero(~np.isin(keys, template))
    assert leader[others].tolist() == others.tolist()


def test_two_templates_that_share_one_opening_stay_two():
    opening, one, two = 5, [1, 2], [8, 9]
    rows = [[opening, *one]] * 10 + [[opening, *two]] * 30
    leader = classes(rows, [1, 2, 5, 8, 9])
    assert leader[1] == leader[0] == 0
    assert leader[4] == leader[2] == leader[3]
    assert leader[4] != 0


def test_nothing_gives_nothing():
    assert classes([], []).tolist() == []
    assert classes([[], [1], []], [1, 2]).tolist() == [0, 1]
    assert classes([[1, 2]], [1, 2]).tolist() == [0, 1], "one exchange is not enough"
