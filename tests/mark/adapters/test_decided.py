"""Scores that know the outcome of a draw: what is drawn, who is asked for dice, and when it is forgotten."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs PyTorch (the transformers extra)")
decided = pytest.importorskip("stillwatch.mark.adapters.decided", reason="needs PyTorch")

SIZE = 7


def scores_of(outcome):
    """Random scores that allow row i the token `outcome[i]` alone, or all tokens where it is -1."""
    scores = torch.randn(len(outcome), SIZE)
    for row, token in enumerate(outcome):
        if token >= 0:
            scores[row] = -torch.inf
            scores[row, token] = 0.0
    return decided.DecidedScores.of(scores, np.array(outcome, dtype=np.int64))


def drawn(scores, seed):
    """What `generate` does with scores."""
    chances = torch.nn.functional.softmax(scores, dim=-1)
    return torch.multinomial(chances, num_samples=1, generator=torch.Generator().manual_seed(seed)).squeeze(1)


@given(st.lists(st.integers(-1, SIZE - 1), min_size=1, max_size=6), st.integers(0, 2**31))
def test_a_row_with_an_outcome_gets_it_and_the_others_are_drawn_as_ever(outcome, seed):
    scores = scores_of(outcome)
    free = [row for row, token in enumerate(outcome) if token < 0]
    plain = torch.softmax(scores.as_subclass(torch.Tensor), -1)
    tokens = drawn(scores_of(outcome) if not free else scores, seed)
    settled = [row for row in range(len(outcome)) if row not in free]
    assert tokens[settled].tolist() == [outcome[row] for row in settled]
    if free:
        dice = torch.Generator().manual_seed(seed)
        assert tokens[free].tolist() == torch.multinomial(plain[free], 1, generator=dice).flatten().tolist()


def test_scores_without_an_open_row_ask_for_no_dice():
    scores, before = scores_of([3, 0]), torch.get_rng_state()
    assert torch.multinomial(torch.softmax(scores, -1), 1).tolist() == [[3], [0]]
    assert (torch.get_rng_state() == before).all()


def test_the_softmax_is_the_true_one():
    scores = scores_of([3, -1])
    chances = torch.softmax(scores.as_subclass(torch.Tensor), -1)
    assert (torch.nn.functional.softmax(scores, dim=-1) == chances).all()


@pytest.mark.parametrize(
    "edit",
    [
        lambda scores: scores.fill_(-torch.inf).index_fill_(1, torch.tensor([5]), 0.0),
        lambda scores: scores.copy_(scores_of([5, 5]).as_subclass(torch.Tensor)),
        lambda scores: scores.roll(2, dims=1),
        lambda scores: torch.add(scores_of([5, 5]), 0.0, out=scores),
    ],
    ids=["filled", "copied over", "rolled", "written as out"],
)
def test_what_was_edited_is_drawn_as_edited(edit):
    scores = scores_of([3, 3])
    assert drawn(edit(scores), 1).tolist() == [5, 5]


@pytest.mark.parametrize("dim", [0, -2])
def test_a_softmax_over_rows_is_no_chance_of_tokens(dim):
    assert type(torch.softmax(scores_of([3, 3]), dim)) is torch.Tensor


def test_several_draws_from_a_row_are_ordinary():
    scores = decided.DecidedScores.of(torch.zeros(1, SIZE), np.array([3]))
    tokens = torch.multinomial(torch.softmax(scores, -1), SIZE)
    assert sorted(tokens[0].tolist()) == list(range(SIZE))


def pickled(scores):
    return pickle.loads(pickle.dumps(scores))  # noqa: S301 - our own bytes


@pytest.mark.parametrize("again", [copy.deepcopy, pickled])
def test_copies_are_ordinary_tensors(again):
    scores = scores_of([3, -1])
    copied = again(scores)
    assert type(copied) is torch.Tensor
    assert (copied == scores.as_subclass(torch.Tensor)).all()
