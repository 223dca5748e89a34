"""The network: what its cache and its training promise."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the lab needs PyTorch: pip install 'stillwatch[lab]'")
pytest.importorskip("tokenizers", reason="the lab needs tokenizers: pip install 'stillwatch[lab]'")

import torch

from stillwatch.lab.answering import answer, answer_log_likelihood, distributions
from stillwatch.lab.choosing import Free
from stillwatch.lab.network import Network, Shape, parameters
from stillwatch.lab.shelf import Shelf
from stillwatch.lab.tokens import PAD, Rows, answered
from stillwatch.lab.training import Schedule, held_out_loss, train

SHAPE = Shape(vocabulary=30, length=16, width=32, layers=2)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def lessons(count, seed=0):
    """Rows whose answers repeat the last prompt token: easy to learn."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(3, 30, (count, 16))
    starts = rng.integers(3, 6, count)
    for row, start in enumerate(starts):
        tokens[row, start:12] = tokens[row, start - 1]
        tokens[row, 12:] = PAD
    return Rows(tokens, starts)


def test_a_cache_changes_nothing():
    torch.manual_seed(0)
    network = Network(SHAPE).eval()
    tokens = torch.randint(0, 30, (5, 16))
    whole = network(tokens)
    cache = network.new_cache(5)
    parts = [
        network(tokens[:, :4], cache, 0),
        *(network(tokens[:, at : at + 1], cache, at) for at in range(4, 16)),
    ]
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-4, atol=1e-5)


def test_training_learns_and_is_seeded():
    rows, schedule = lessons(256), Schedule(steps=60, batch=32)
    first, second = train(rows, SHAPE, schedule, 1), train(rows, SHAPE, schedule, 1)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert held_out_loss(first, lessons(64, 9)) < 0.5 * held_out_loss(Network(SHAPE), lessons(64, 9))


def test_only_answers_are_learned():
    rows = lessons(8)
    torch.manual_seed(0)
    network = Network(SHAPE)
    other = rows.tokens.copy()
    other[:, 13:] = 7  # behind the end of every answer
    assert held_out_loss(network, rows) == pytest.approx(held_out_loss(network, Rows(other, rows.starts)))


def test_answers_keep_their_prompts_and_end():
    rows = lessons(40)
    network = train(rows, SHAPE, Schedule(steps=80, batch=32), 2)
    given = answer(network, rows, Free(np.random.default_rng(0)))
    prompt = np.arange(16) < rows.starts[:, None]
    assert (given.tokens[prompt] == rows.tokens[prompt]).all()
    ended = np.cumsum((given.tokens == PAD) & ~prompt, axis=1) > 0
    assert (given.tokens[ended] == PAD).all()
    assert np.mean(given.tokens == rows.tokens) > 0.6


def test_log_likelihood_sums_what_the_distributions_say():
    rows = lessons(7)
    torch.manual_seed(3)
    network = Network(SHAPE).eval()
    summed = np.zeros(7)
    seen = 0
    for places, chances in distributions(network, rows, batch=3):
        assert np.allclose(chances.sum(1), 1, atol=1e-4)
        np.add.at(summed, places // 16, np.log(chances[np.arange(len(places)), rows.tokens.ravel()[places]]))
        seen += len(places)
    assert seen == answered(rows).sum()
    np.testing.assert_allclose(answer_log_likelihood(network, rows), summed, rtol=1e-5)


def test_a_shelf_returns_what_was_put_there(tmp_path):
    torch.manual_seed(4)
    built = Network(SHAPE)
    first = Shelf(tmp_path, "a").network("x", SHAPE, lambda: built)
    again = Shelf(tmp_path, "a").network("x", SHAPE, lambda: pytest.fail("built twice"))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    other = Network(SHAPE)
    assert Shelf(tmp_path, "b").network("x", SHAPE, lambda: other) is other
    assert parameters(other) == 30 * 32 + 16 * 32 + 2 * (12 * 32 * 32 + 13 * 32) + 2 * 32
