"""The generated corpus: seeded, correct in its sums, rich in words."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lab.corpus import generate, lexicon


def test_a_seed_names_a_corpus():
    one, same, other = (generate(20, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


@given(st.integers(0, 2**32))
def test_every_answer_counts_right(seed):
    (document,) = generate(1, np.random.default_rng(seed))
    asked = sorted(int(number) for number in re.findall(r"\d+", document.prompt))
    said = sorted({int(number) for number in re.findall(r"\d+", document.answer)})
    assert sum(asked) in said
    assert set(said) <= {*asked, sum(asked)}


def test_answers_are_hardly_ever_equal():
    assert len({document.answer for document in generate(500, np.random.default_rng(3))}) > 495


def test_the_lexicon_has_a_list_for_every_slot():
    words = lexicon()
    assert all(len(set(entries)) == len(entries) for entries in words.values())
    assert len(words["noun"]) > 50
