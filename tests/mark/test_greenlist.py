"""Green lists against Transformers' own class and the published beginning of a permutation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.mark import greenlist
from stillwatch.mark.schemes import GreenList


def test_the_permutation_is_that_of_transformers_on_the_cpu():
    """Vocabulary 1,000, ratio 0.25, key 15485863, previous token 10 (transformers 5.23, PyTorch 2.13)."""
    order = greenlist.permutation(15485863 * 10, 1000)
    assert order[:5].tolist() == [195, 663, 90, 565, 917]
    assert np.sort(order).tolist() == list(range(1000))


def test_the_pinned_case_of_transformers_holds():
    """`tests/generation/test_logits_process.py` of transformers: vocabulary 20, last token 10, id 1 is green."""
    scheme = GreenList(seeding="lefthash", vocabulary_size=20)
    key = np.array([15485863], np.uint64)
    assert scheme.scores(np.array([[10]]), np.array([1]), key)[0, 0] == 1.0


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**31 - 1))
def test_products_modulo_are_exact(key, token):
    assert int(greenlist._product(np.uint64(key), np.uint64(token))) == key * token % (2**64 - 1)


@given(st.integers(0, 2**64 - 1), st.integers(1, 60))
def test_a_short_shuffle_ends_where_a_full_one_does(seed, size):
    full = greenlist.permutation(seed, size)
    part = np.arange(size)
    greenlist._shuffle(part, np.uint64(seed % 2**32), size // 2)
    assert (part[: size // 2] == full[: size // 2]).all()


@pytest.mark.parametrize("seeding", ["lefthash", "selfhash"])
@pytest.mark.parametrize("key", [15485863, 2**61 + 12345, 7])
def test_scores_are_those_of_the_packaged_detector(seeding, key):
    torch = pytest.importorskip("torch", reason="needs PyTorch: the packaged class is the reference")
    processors = pytest.importorskip("transformers.generation.logits_process", reason="needs transformers")
    width = 1 if seeding == "lefthash" else 3
    own = int(seeding == "selfhash")
    packaged = processors.WatermarkLogitsProcessor(
        vocab_size=97, device="cpu", hashing_key=key, seeding_scheme=seeding, context_width=width + own
    )
    rng = np.random.default_rng(2)
    contexts, tokens = rng.integers(0, 97, (60, width)), rng.integers(0, 97, 60)
    expected = []
    for context, token in zip(contexts, tokens, strict=True):
        seen = torch.tensor([*context, token][: len(context) + own])
        expected.append(float(token in packaged._get_greenlist_ids(seen).tolist()))
    scheme = GreenList(seeding=seeding, vocabulary_size=97, context_width=width)
    assert scheme.scores(contexts, tokens, np.array([key], np.uint64))[0].tolist() == expected
    assert 0 < sum(expected) < 60
