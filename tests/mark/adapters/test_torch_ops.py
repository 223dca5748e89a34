"""PyTorch operations against the compiled kernels: the same bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.mark import prf
from stillwatch.mark.contexts import Deduplication, current_contexts

torch = pytest.importorskip("torch", reason="needs PyTorch (the transformers extra)")
torch_ops = pytest.importorskip("stillwatch.mark.adapters.torch_ops")


@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 37), st.integers(1, 4))
def test_words_are_those_of_the_kernels(seed, width, size, rows):
    rng = np.random.default_rng(seed)
    contexts = rng.integers(-1, 2**31, (rows, width))
    keys = rng.integers(0, 2**64, rows, dtype=np.uint64)
    words = torch_ops.vocabulary_words(
        torch.from_numpy(contexts), torch.from_numpy(keys.view(np.int64)), size
    )
    assert (words.numpy() == prf.vocabulary_words(contexts, keys, size)).all()


def test_noise_is_that_of_the_plain_formula():
    words = np.array([0, 1, 2**31, 2**32 - 1], np.uint32)
    expected = -np.log(-np.log(prf.uniform(words)))
    assert torch_ops.gumbel_noise(torch.from_numpy(words.astype(np.int64))).numpy() == pytest.approx(
        expected, rel=1e-6
    )


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=12, max_size=12), min_size=1, max_size=4),
    st.data(),
    st.integers(1, 4),
    st.sampled_from(["single_turn", "all"]),
    st.none() | st.integers(1, 15),
)
def test_contexts_and_repeats_are_those_of_the_kernels(rows, data, width, scope, most):
    tokens = np.array(rows)
    ends = np.array(data.draw(st.lists(st.integers(0, 12), min_size=len(rows), max_size=len(rows))))
    starts = np.array([data.draw(st.integers(0, int(end))) for end in ends])
    contexts = current_contexts(tokens, starts, ends, width)
    there = [torch.from_numpy(one) for one in (tokens, starts, ends)]
    found = torch_ops.current_contexts(*there, width)
    assert (found.numpy() == contexts).all()
    expected = Deduplication(scope, most).repeated(tokens, starts, ends, contexts)
    repeated = torch_ops.repeated(*there, found, prompt_too=scope == "all", most=most)
    assert (repeated.numpy() == expected).all()


def test_marked_rows_keep_one_token():
    scores = torch.tensor([[0.5, 1.0, 2.0], [3.0, 4.0, 5.0]])
    kept = torch_ops.keep_only(scores, torch.tensor([1, 0]), torch.tensor([True, False]))
    assert kept.tolist() == [[-torch.inf, 0.0, -torch.inf], [3.0, 4.0, 5.0]]
