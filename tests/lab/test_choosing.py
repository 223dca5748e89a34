"""How tokens are drawn: distributions are kept, marks are found, repeats are free."""

import numpy as np
import pytest

from stillwatch.lab.choosing import Free, Marked, Rewriting
from stillwatch.mark.schemes import DualKeyGumbel, GumbelMax

CHANCES = np.array([0.5, 0.3, 0.15, 0.05], np.float32)
ROWS = 4000


def one_step(chooser, history=None):
    chances = np.tile(CHANCES, (ROWS, 1))
    if history is None:
        history = np.random.default_rng(1).integers(0, 1000, (ROWS, 6))
    return chooser.choose(chances, history, np.full(ROWS, 2), 5)


def keys():
    return np.random.default_rng(7).integers(0, 2**64, ROWS, dtype=np.uint64)


@pytest.mark.parametrize(
    "chooser",
    [
        Free(np.random.default_rng(0)),
        Marked(GumbelMax(2), keys(), np.random.default_rng(0)),
        Marked(DualKeyGumbel(2, alpha=0.3), keys(), np.random.default_rng(0)),
    ],
    ids=["free", "gumbel", "dual"],
)
def test_over_keys_every_token_keeps_its_probability(chooser):
    drawn = np.bincount(one_step(chooser), minlength=4) / ROWS
    np.testing.assert_allclose(drawn, CHANCES, atol=0.03)


@pytest.mark.parametrize("scheme", [GumbelMax(2), DualKeyGumbel(2)])
def test_marked_tokens_score_high_under_their_key_alone(scheme):
    history = np.random.default_rng(1).integers(0, 1000, (ROWS, 6))
    key = np.array([99], np.uint64)
    drawn = one_step(Marked(scheme, np.full(ROWS, key[0]), np.random.default_rng(0)), history)
    right, wrong = (
        scheme.scores(history[:, 3:5], drawn, np.array([one], np.uint64)).mean() for one in (99, 100)
    )
    assert right > scheme.null.mean + 10 * np.sqrt(scheme.null.variance / ROWS)
    assert abs(wrong - scheme.null.mean) < 5 * np.sqrt(scheme.null.variance / ROWS)


def test_a_context_that_stood_in_the_answer_is_drawn_freely():
    history = np.tile(np.array([[9, 9, 4, 4, 4, 0]]), (ROWS, 1))
    fixed = np.full(ROWS, 5, np.uint64)
    assert len(np.unique(one_step(Marked(GumbelMax(1), fixed, np.random.default_rng(0)), history))) == 4
    history[:, 4] = 8
    assert len(np.unique(one_step(Marked(GumbelMax(1), fixed, np.random.default_rng(0)), history))) == 1


def test_a_rewriting_model_keeps_the_rest():
    original = np.full((ROWS, 6), 3)
    drawn = one_step(Rewriting(original, 0.4, np.random.default_rng(0)))
    assert np.mean(drawn == 3) == pytest.approx(0.6 + 0.4 * 0.05, abs=0.03)
