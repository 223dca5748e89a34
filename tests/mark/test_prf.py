"""The function of token marks against vLLM's published values.

Values: vLLM project, `tests/watermarking/test_prf.py` and `watermarking_goldens.json` (Apache-2.0).
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stillwatch.mark import prf

CONTEXTS = np.array([[1, 2, 3, 4], [1, 2, 3, 4], [4, 5, 6, 7], [4, 5, 6, 7]])
TOKENS = np.array([7, 8, 7, 8])
KEY = np.array([42], np.uint64)
U64 = st.integers(0, 2**64 - 1)


def philox_plain(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 in whole numbers, straight from the paper."""
    c, k, mask = list(counter), list(key), 2**32 - 1
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & mask, (p0 >> 32) ^ c[3] ^ k[1], p0 & mask]
        k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
    return c


def word_plain(context: list[int], token: int, key: int) -> int:
    """The mapping in whole numbers, written from its description and without the package."""
    low, high = key % 2**32, key >> 32
    state = [0x574D4358, len(context), 0, 0]
    for offset in range(0, len(context), 4):
        block = [one % 2**32 for one in context[offset : offset + 4]]
        block += [2**32 - 1 - i for i in range(len(block), 4)]
        state = philox_plain([s ^ b for s, b in zip(state, block, strict=True)], [low ^ offset, high])
    out = philox_plain([token >> 2, *state[:3]], [low ^ state[3], high ^ 0x574D544B])
    return out[token & 3]


def test_philox_gives_the_published_known_answers():
    """Known answers of Random123 1.14, `kat_vectors`: all zeros, all ones, digits of pi."""
    ones = 2**32 - 1
    known = [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([ones] * 4, [ones] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ]
    for counter, key, expected in known:
        assert philox_plain(counter, key) == expected
        assert list(prf.philox(*map(np.uint64, counter + key))) == expected


def test_words_and_mantissas_are_those_of_vllm():
    words = prf.words(CONTEXTS, TOKENS, KEY)[0]
    assert words.tolist() == [425429266, 2706218805, 2494036831, 3424185538]
    assert (words >> 8).tolist() == [1661833, 10571167, 9742331, 13375724]
    assert (prf.uniform(words) == ((words >> 8).astype(float) + 1) / (2**24 + 1)).all()


def test_dual_keys_are_those_of_vllm():
    first, second = prf.dual_keys(np.array([42, 0], np.uint64))
    assert first.tolist() == [37150756557148556, 15691511769010696906]
    assert second.tolist() == [15826636237805488045, 9736202488081271922]


@given(st.lists(st.integers(-1, 2**31 - 1), min_size=1, max_size=16), st.integers(0, 2**31 - 1), U64)
def test_words_follow_the_description_at_every_width(context, token, key):
    expected = word_plain(context, token, key)
    contexts, keys = np.array([context]), np.array([key], np.uint64)
    assert prf.words(contexts, np.array([token]), keys)[0, 0] == expected
    assert prf.word(contexts[0], token, np.uint64(key)) == expected


@given(
    hnp.arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.integers(-1, 50_000)),
    st.integers(1, 41),
    st.data(),
)
def test_vocabulary_words_equal_words_of_single_tokens(contexts, size, data):
    keys = np.array(data.draw(st.lists(U64, min_size=len(contexts), max_size=len(contexts))), np.uint64)
    table = prf.vocabulary_words(contexts, keys, size)
    for token in range(size):
        single = prf.words(contexts, np.full(len(contexts), token), keys)
        assert (np.diag(single) == table[:, token]).all()


def test_the_largest_word_stays_below_one():
    top = np.array([2**32 - 1, 0], np.uint32)
    assert prf.uniform(top)[0] < 1.0
    assert prf.uniform(top)[1] > 0.0
    assert np.isfinite(np.log1p(-prf.uniform(top))).all()
    assert prf.uniform_single(top)[0] < 1.0
    assert np.float32(2**24) / np.float32(2**24 + 1) == 1.0  # why single precision comes last


def test_words_are_uniform_over_keys_tokens_and_contexts():
    rng = np.random.default_rng(7)
    contexts = rng.integers(0, 1000, (4000, 4))
    keys = rng.integers(0, 2**63, 25).astype(np.uint64)
    counts = np.bincount((prf.words(contexts, contexts[:, 0], keys) >> 24).ravel(), minlength=256)
    expected = counts.sum() / 256
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert 255 - 6 * np.sqrt(510) < chi2 < 255 + 6 * np.sqrt(510)


@pytest.mark.parametrize(
    ("contexts", "tokens"),
    [(np.zeros((2, 4)), np.zeros(3)), (np.zeros(4), np.zeros(4)), (np.zeros((2, 0)), np.zeros(2))],
)
def test_shapes_that_do_not_fit_are_refused(contexts, tokens):
    with pytest.raises(ValueError, match="contexts need the shape"):
        prf.words(contexts, tokens, KEY)


def test_a_key_for_each_row_is_needed():
    with pytest.raises(ValueError, match="keys the shape"):
        prf.vocabulary_words(CONTEXTS, KEY, 8)
