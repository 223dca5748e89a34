"""Gumbel-max choice against vLLM's golden generations and against the plain formula.

The golden rows say which logits were drawn from and what came out; `vllm_goldens.json` names the source.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stillwatch.mark import gumbel, prf
from stillwatch.mark.contexts import Deduplication, current_contexts

GOLDENS = json.loads(Path(__file__).with_name("vllm_goldens.json").read_text())["rows"]


def golden_logits(row: dict, position: int) -> np.ndarray:
    """Logits of the fixture, shape (1, vocabulary), from their published formula."""
    values = (np.arange(row.get("vocabulary", 128)) * 37 + position * 17) % 131 - 56
    if "dominant" in row:
        values[row["dominant"]] += row["bias"]
    return (values.astype(np.float32) / np.float32(16))[None, :]


def golden_key(row: dict, position: int) -> np.ndarray:
    """The key of a position: routing draws are multiples of the golden ratio, rounded to four digits."""
    key = np.array([row["key"]], np.uint64)
    if "alpha" not in row:
        return key
    draw = np.array([round((position + 1) * (5**0.5 - 1) / 2 % 1.0, 4)])
    return gumbel.routed(*prf.dual_keys(key), draw, row["alpha"])


def generate(row: dict) -> tuple[list[int], int]:
    """Generate the row's tokens with the package; places left free take the likeliest token, as there."""
    once = Deduplication(row.get("scope", "single_turn"), row.get("most", 8192))
    prompt = row.get("prompt", [])
    seen, starts, skipped = list(prompt), np.array([len(prompt)]), 0
    for position in range(row.get("count", 64)):
        tokens, ends = np.array([seen], np.int64).reshape(1, -1), np.array([len(seen)])
        contexts = current_contexts(tokens, starts, ends, row.get("width", 4))
        skip = once.repeated(tokens, starts, ends, contexts)
        logits = golden_logits(row, position)
        chosen = int(gumbel.choose_by_scores(logits, contexts, golden_key(row, position), skip)[0])
        skipped += int(skip[0])
        seen.append(int(logits.argmax()) if skip[0] else chosen)
    return seen[len(prompt) :], skipped


def score(row: dict, tokens: list[int]) -> tuple[int, float]:
    """Score as vLLM's detector does: one token for each distinct context, uniforms in single precision."""
    width = row.get("width", 4)
    contexts = np.lib.stride_tricks.sliding_window_view(np.array([prf.MISSING] * width + tokens), width)[:-1]
    first = np.sort(np.unique(contexts, axis=0, return_index=True)[1])
    kept = np.arange(len(tokens)) if row.get("all_pairs") else first
    keys, weights = np.array([row.get("detection_key", row["key"])], np.uint64), [1.0]
    if "alpha" in row:
        alpha = row.get("detection_alpha", row["alpha"])
        keys, weights = np.concatenate(prf.dual_keys(keys)), [1.0 - alpha, alpha]
    words = prf.words(contexts[kept], np.array(tokens)[kept], keys)
    each = -np.log1p(-prf.uniform_single(words).astype(np.float64))
    return len(kept), float(np.array(weights) @ each.sum(axis=1))


@pytest.mark.parametrize("row", GOLDENS, ids=lambda row: row["id"])
def test_golden_rows_of_vllm_come_out(row):
    tokens, skipped = generate(row)
    assert tokens == row.get("tokens", tokens)
    assert skipped == row["skipped"]
    scored, total = score(row, tokens)
    assert scored == row["scored"]
    assert total == pytest.approx(row["score"], rel=1e-9)


@given(st.integers(0, 2**32), st.integers(1, 300), st.floats(0.1, 8.0), st.floats(0.0, 0.9))
def test_the_choice_is_that_of_the_plain_formula(seed, size, spread, forbidden):
    rng = np.random.default_rng(seed)
    scores = rng.normal(0.0, spread, (5, size)).astype(np.float32)
    scores[rng.random((5, size)) < forbidden] = -np.inf
    scores[:, rng.integers(size)] = 0.0
    contexts = rng.integers(-1, 50_000, (5, 4))
    keys = rng.integers(0, 2**64, 5, dtype=np.uint64)
    noise = -np.log(-np.log(prf.uniform(prf.vocabulary_words(contexts, keys, size))))
    total = scores.astype(np.float64) + noise
    chosen = gumbel.choose_by_scores(scores, contexts, keys, np.zeros(5, np.bool_))
    assert chosen.tolist() == total.argmax(axis=1).tolist()
    with np.errstate(over="ignore"):
        inverse = np.exp(scores.max(axis=1, keepdims=True) - scores)
    other = gumbel.choose(inverse, contexts, keys, np.zeros(5, np.bool_))
    assert (total.max(axis=1) - total[np.arange(5), other] < 1e-5).all()


def test_rows_to_be_skipped_are_left_open():
    scores = np.zeros((3, 8), np.float32)
    skip = np.array([True, False, True])
    chosen = gumbel.choose_by_scores(scores, np.zeros((3, 4), np.int64), np.arange(3).astype(np.uint64), skip)
    assert ((chosen == -1) == skip).all()


def test_over_keys_the_choice_follows_the_model():
    """Marking changes no single answer's distribution: over random keys it is the model's own."""
    probability = np.array([0.5, 0.3, 0.15, 0.05])
    keys = np.random.default_rng(4).integers(0, 2**64, 20_000, dtype=np.uint64)
    scores = np.tile(np.log(probability).astype(np.float32), (len(keys), 1))
    chosen = gumbel.choose_by_scores(
        scores, np.ones((len(keys), 4), np.int64), keys, np.zeros(len(keys), np.bool_)
    )
    counts = np.bincount(chosen, minlength=4)
    assert stats.chisquare(counts, probability * len(keys)).pvalue > 1e-4


@given(st.floats(0.01, 0.99999), st.integers(1, 3000), st.floats(-50, 50))
def test_rows_with_an_all_but_certain_token_carry_nothing(top, others, shift):
    scores = np.log(np.array([[top] + [(1.0 - top) / others] * others], np.float32)) + np.float32(shift)
    largest = max(top, (1.0 - top) / others)
    if abs((1.0 - largest) / 0.001 - 1.0) > 0.05:
        assert gumbel.uncertain(scores)[0] == (largest < 0.999)


def test_extreme_scores_cause_no_trouble():
    inf = np.inf
    scores = np.array(
        [[0.0, -1e30, 1e4, -inf], [3e38, -3e38, 0.0, -inf], [-inf, -inf, -inf, 7.0], [-inf] * 4], np.float32
    )
    contexts, keys, skip = np.zeros((4, 1), np.int64), np.ones(4, np.uint64), np.zeros(4, np.bool_)
    assert gumbel.choose_by_scores(scores, contexts, keys, skip).tolist() == [2, 0, 3, -1]
    assert gumbel.uncertain(scores).tolist() == [False] * 4


@given(st.floats(0.0, 1.0))
def test_routing_takes_key_b_with_its_share(alpha):
    draws = (np.arange(1000) + 0.5) / 1000
    keys = gumbel.routed(np.zeros(1000, np.uint64), np.ones(1000, np.uint64), draws, alpha)
    assert abs(keys.mean() - alpha) <= 0.001
