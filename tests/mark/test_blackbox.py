"""The black-box mark: equal chances for every sample, an exact null, and power in the served answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stillwatch.mark import blackbox
from stillwatch.mark.blackbox import BlackBox, choose_answer
from stillwatch.mark.schemes import Scheme

WORDS = [f"w{i}" for i in range(40)]


def sample(rng: np.random.Generator, length: int) -> str:
    return " ".join(rng.choice(WORDS, length))


def total(text: str, key: int) -> tuple[float, int]:
    grams = BlackBox().ngrams(text)
    return float(BlackBox().scores(grams[:, :-1], grams[:, -1], np.array([key], np.uint64)).sum()), len(grams)


def test_it_keeps_the_contract_of_schemes():
    assert isinstance(BlackBox(), Scheme)
    assert BlackBox().keyed(np.array([[-1, 2, 3], [1, 2, 3]])).tolist() == [False, True]


@pytest.mark.parametrize("shape", ["apart", "common beginning", "short", "repeats"])
def test_over_keys_every_sample_is_served_equally_often(shape):
    """Distortion-free: the chance of a text is its share among the samples, whatever they have in common."""
    rng = np.random.default_rng(8)
    start = sample(rng, 15)
    texts = {
        "apart": [sample(rng, 10 * (i + 1)) for i in range(4)],
        "common beginning": [f"{start} {sample(rng, 3 * i + 1)}" for i in range(4)],
        "short": ["yes", "no", "", "maybe so"],
        "repeats": [start, start, sample(rng, 12), sample(rng, 20)],
    }[shape]
    served = [texts[choose_answer(texts, key)] for key in range(3000)]
    distinct = list(dict.fromkeys(texts))
    seen = np.array([served.count(text) for text in distinct])
    expected = np.array([texts.count(text) for text in distinct]) * 3000 / 4
    assert stats.chisquare(seen, expected).pvalue > 1e-4


def test_the_sum_over_random_keys_is_gamma():
    text = sample(np.random.default_rng(1), 60)
    sums, sizes = zip(*(total(text, key) for key in range(2000)), strict=True)
    assert stats.kstest(sums, "gamma", args=(sizes[0],)).pvalue > 1e-4


def test_served_answers_score_high_under_their_key_and_not_under_another():
    rng = np.random.default_rng(2)
    own, other = [], []
    for _ in range(60):
        texts = [sample(rng, 40) for _ in range(8)]
        served = texts[choose_answer(texts, 77)]
        for key, found in ((77, own), (78, other)):
            score, size = total(served, key)
            found.append((score, size))
    for found, marked in ((own, True), (other, False)):
        scores, sizes = np.array(found).T
        p = stats.gamma.sf(scores.sum(), sizes.sum())
        assert (p < 1e-10) == marked
        assert marked or p > 1e-4


@given(st.text(max_size=60))
def test_units_do_not_depend_on_case_or_spacing(text):
    spaced = " ".join(text.split())
    assert (blackbox.units(text) == blackbox.units(spaced)).all()
    assert (blackbox.units("Straße ÉCLAIR") == blackbox.units("STRASSE éclair")).all()


def test_nothing_to_choose_from_is_refused():
    with pytest.raises(ValueError, match="no candidate"):
        choose_answer([], 1)
