"""What is due to a group in a key: its share of the exchanges in the key's language."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.speech import UNKNOWN, Members, Speech, key_languages

ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(-1, 3), st.integers(0, 50)), min_size=1, max_size=40)


@given(ROWS, st.lists(st.integers(-1, 2), min_size=10, max_size=10), st.integers(0, 9), st.integers(-1, 3))
def test_the_due_share_is_counted_among_the_accounts_that_a_sample_reaches(rows, label, last, language):
    account, spoken, sent = np.array(rows).T
    speech = Speech(np.array([language]), account, spoken, sent)
    group = np.arange(3)
    members = Members.of([np.flatnonzero(np.array(label) == number) for number in range(3)])
    found = speech.due(members, group, np.zeros(3, np.int64), np.full(3, last))
    heard = [row for row in rows if row[0] <= last and language in (UNKNOWN, row[1])]
    whole = 1 + sum(row[2] for row in heard)
    due = [sum(row[2] for row in heard if label[row[0]] == number) / whole for number in range(3)]
    np.testing.assert_allclose(found, due, atol=1e-12)


@given(st.lists(st.tuples(st.lists(st.integers(-1, 4), max_size=5), st.integers(-1, 3)), max_size=30))
def test_a_key_has_the_language_of_most_of_its_exchanges(rows):
    offsets = np.cumsum([0, *(len(keys) for keys, _ in rows)])
    index = np.array([key for keys, _ in rows for key in keys], np.int64)
    found = key_languages(offsets, index, np.array([language for _, language in rows], np.int64), 5)
    for key in range(5):
        heard = [language for keys, language in rows for other in keys if other == key]
        for language in set(heard):
            if heard.count(language) > len(heard) / 2:
                assert found[key] == language
        if not heard:
            assert found[key] == UNKNOWN
