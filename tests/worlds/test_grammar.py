from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.worlds.grammar import Grammar, language, pack
from stillwatch.worlds.prose import LANGUAGES


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@given(st.integers(0, 200), st.integers(0, 2**32))
def test_a_rule_writes_only_what_it_can(count, seed):
    rules = Grammar({"s": ["{who} sings {#2}", "hush"], "who": ["Ada", "Bo"]})
    written = rules.expand("s", count, rng(seed)).to_pylist()
    assert len(written) == count
    for text in written:
        assert text == "hush" or (text.split()[0] in {"Ada", "Bo"} and 10 <= int(text.split()[2]) < 100)


def test_every_alternative_comes_up_in_its_own_rows():
    rules = Grammar({"s": ["a", "b{t}", "c{t}"], "t": ["1", "2"]})
    assert set(rules.expand("s", 400, rng()).to_pylist()) == {"a", "b1", "b2", "c1", "c2"}


def test_an_unknown_slot_is_refused():
    with pytest.raises(KeyError, match="'nobody'"):
        Grammar({"s": ["{nobody}"]})


@pytest.mark.parametrize("code", LANGUAGES)
def test_openers_hardly_ever_repeat(code):
    written = language(code).expand("opener", 20_000, rng(5)).to_pylist()
    assert len(set(written)) > 0.94 * len(written)
    assert not any("{" in text.replace("{\n", "") and "}" in text and "{#" in text for text in written)


@pytest.mark.parametrize("code", [*LANGUAGES, "templates"])
def test_no_slot_is_left_open(code):
    grammar = language(code)
    for rule in ("opener", "question", "statement"):
        assert not any("{#" in text for text in grammar.expand(rule, 500, rng(1)).to_pylist())


def test_private_sentences_share_no_long_runs_of_words():
    sentences = language("en").expand("statement", 20_000, rng(2)).to_pylist()
    runs: dict[tuple[str, ...], int] = {}
    for sentence in sentences:
        words = sentence.split()
        for run in {tuple(words[i : i + 8]) for i in range(len(words) - 7)}:
            runs[run] = runs.get(run, 0) + 1
    assert max(runs.values()) <= 3


@pytest.mark.parametrize(("code", "run"), [("zh", 11), ("es", 8), ("ru", 8), ("de", 8), ("en", 8)])
def test_private_questions_share_no_long_runs_once_numbers_are_masked(code, run):
    texts = language(code).expand("opener", 4000, rng(3)).to_pylist()
    seen: dict[tuple[str, ...], int] = {}
    for text in texts:
        masked = re.sub(r"\d+", "0", text)
        units = list(masked) if code == "zh" else masked.split()
        for window in {tuple(units[i : i + run]) for i in range(len(units) - run + 1)}:
            seen[window] = seen.get(window, 0) + 1
    assert max(seen.values()) <= 0.004 * len(texts)


@given(st.lists(st.integers(0, 4), max_size=12))
def test_packing_joins_consecutive_texts(counts):
    texts = [str(number) for number in range(sum(counts))]
    packed = pack(pa.array(texts, pa.string()), np.array(counts, dtype=np.int64), "-").to_pylist()
    start = np.cumsum([0, *counts])
    assert packed == ["-".join(texts[a:b]) for a, b in pairwise(start)]
