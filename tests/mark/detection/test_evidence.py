import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.mark.detection.evidence import collect, contains, first_occurrences, windows
from stillwatch.mark.schemes import GreenList, GumbelMax

DOCUMENTS = st.lists(st.lists(st.integers(0, 3), max_size=12).map(np.array), max_size=6)
ROWS = st.lists(st.tuples(st.integers(-1, 2), st.integers(-(2**62), 2**62) | st.integers(0, 1)), max_size=60)


def laid_out(documents, width):
    pairs = []
    for number, document in enumerate(documents):
        history = [-1] * width
        for place, token in enumerate(document.tolist()):
            pairs.append((tuple(history[-width:]), token, number, place))
            history.append(token)
    return pairs


@given(DOCUMENTS, st.integers(1, 5))
def test_windows_are_the_tokens_before(documents, width):
    contexts, tokens, document, position = windows(documents, width)
    found = zip(
        map(tuple, contexts.tolist()), tokens.tolist(), document.tolist(), position.tolist(), strict=True
    )
    assert list(found) == laid_out(documents, width)


@given(ROWS)
def test_first_occurrences_are_those_of_a_set(rows):
    seen, expected = set(), []
    for row in rows:
        expected.append(row not in seen)
        seen.add(row)
    assert first_occurrences(np.array(rows, dtype=np.int64).reshape(-1, 2)).tolist() == expected


@given(ROWS, ROWS)
def test_contains_is_membership(known, rows):
    shaped = [np.array(one, dtype=np.int64).reshape(-1, 2) for one in (known, rows)]
    assert contains(*shaped).tolist() == [row in known for row in rows]


@given(DOCUMENTS, st.integers(1, 3), st.sampled_from(["pair", "context", "none"]), st.booleans())
def test_every_token_is_accounted_for(documents, width, rule, whole):
    excluded = np.zeros((1, width), dtype=np.int64)
    evidence = collect(documents, GumbelMax(width), rule=rule, exclude=excluded, whole=whole)
    tokens = sum(map(len, documents))
    assert evidence.read == tokens
    assert len(evidence) + evidence.repeated + evidence.excluded + evidence.unkeyed == tokens
    assert not np.any(np.all(evidence.contexts == 0, axis=1))
    pairs = list(zip(map(tuple, evidence.contexts.tolist()), evidence.tokens.tolist(), strict=True))
    if rule == "pair":
        assert len(set(pairs)) == len(pairs)
    if rule == "context":
        assert len({context for context, _ in pairs}) == len(pairs)
    if not whole:
        assert all(-1 not in context for context, _ in pairs)


@given(DOCUMENTS, st.randoms())
def test_what_is_scored_once_does_not_depend_on_the_order_of_documents(documents, random):
    def pairs(texts):
        evidence = collect(texts, GumbelMax(2))
        return {(*c, t) for c, t in zip(evidence.contexts.tolist(), evidence.tokens.tolist(), strict=True)}

    shuffled = list(documents)
    random.shuffle(shuffled)
    assert pairs(documents) == pairs(shuffled)


def test_a_scheme_that_reads_less_leaves_less():
    document = np.array([9, 1, 5, 8, 1, 5, 0, 5])
    wide = GreenList(context_width=2, seeding="selfhash", vocabulary_size=16)
    last_only = GreenList(context_width=2, seeding="lefthash", vocabulary_size=16)
    assert len(collect([document], wide)) == 6  # two tokens lack a whole context
    evidence = collect([document], last_only)
    assert evidence.unkeyed == 2  # the first token, and the one behind token 0
    assert evidence.repeated == 1  # (1, 5) occurs twice


def test_known_contexts_of_another_width_are_refused():
    with pytest.raises(ValueError, match="same width"):
        collect([np.array([1, 2, 3])], GumbelMax(2), exclude=np.zeros((1, 3), dtype=np.int64))


def test_repetition_of_vllm_golden_row_is_counted_once_a_context():
    """With rule `context` the count is that of vLLM's detector on the same tokens (rule read in its source)."""
    text = np.array([4, 7] * 20)
    assert len(collect([text], GumbelMax(1), rule="context")) == 3
    assert len(collect([text], GumbelMax(4), rule="context")) == 6
