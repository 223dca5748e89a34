"""Marks through `transformers.generate` on a small random model: chosen tokens, records, secrets."""

import copy

import numpy as np
import pytest

from stillwatch.mark import prf
from stillwatch.mark.contexts import Deduplication
from stillwatch.mark.schemes import DualKeyGumbel, GreenList, GumbelMax, SynthId
from stillwatch.model.errors import InputError

torch = pytest.importorskip("torch", reason="needs PyTorch (the transformers extra)")
transformers = pytest.importorskip("transformers", reason="needs transformers (the transformers extra)")
adapter = pytest.importorskip("stillwatch.mark.adapters.transformers")

KEYS = np.array([42, 2**64 - 1, 7], np.uint64)
PROMPT, NEW, STOP = 5, 60, 1


@pytest.fixture(scope="module")
def model():
    torch.set_num_threads(1)  # more only wait for each other on so small a model
    torch.manual_seed(1)
    shape = transformers.GPT2Config(
        vocab_size=64, n_embd=32, n_layer=1, n_head=2, n_positions=128, bos_token_id=0, eos_token_id=STOP
    )
    return transformers.GPT2LMHeadModel(shape).eval()


def generate(model, marking, **options):
    """Generate three answers of up to 60 tokens; returns answer tokens, (3, n)."""
    torch.manual_seed(2)
    ids = torch.arange(2, 2 + 3 * PROMPT).reshape(3, PROMPT)
    settings = {"do_sample": True, "top_k": 0, "max_new_tokens": NEW, "pad_token_id": 0, **options}
    rows = model.generate(ids, attention_mask=torch.ones_like(ids), watermarking_config=marking, **settings)
    return getattr(rows, "sequences", rows)[:, PROMPT:].numpy()


def pairs(answer: np.ndarray, width: int, stop: int | None = STOP) -> tuple[np.ndarray, np.ndarray]:
    """Contexts and tokens of one answer up to its end sign, one for each context."""
    ends = np.flatnonzero(answer == stop)
    tokens = answer[: ends[0] + 1] if ends.size else answer
    padded = np.concatenate([np.full(width, prf.MISSING), tokens])
    contexts = np.lib.stride_tricks.sliding_window_view(padded, width)[:-1]
    first = np.sort(np.unique(contexts, axis=0, return_index=True)[1])
    return contexts[first], tokens[first]


@pytest.mark.parametrize(
    "scheme", [GumbelMax(), DualKeyGumbel(), GreenList(delta=4.0, context_width=2)], ids=repr
)
def test_each_row_carries_its_own_key_and_no_other(model, scheme):
    marking = (
        adapter.GreenListMarking(scheme, KEYS)
        if isinstance(scheme, GreenList)
        else adapter.GumbelMarking(scheme, KEYS, np.random.default_rng(0))
    )
    answers = generate(model, marking, temperature=0.9, top_p=0.98, eos_token_id=None)
    for row, answer in enumerate(answers):
        contexts, tokens = pairs(answer, scheme.context_width, None)
        z = scheme.scores(contexts, tokens, KEYS).sum(axis=1) - len(tokens) * scheme.null.mean
        z /= np.sqrt(len(tokens) * scheme.null.variance)
        assert z[row] > 5.0
        assert (np.abs(np.delete(z, row)) < 4.5).all()


def test_the_tally_counts_what_was_marked(model):
    marking = adapter.GumbelMarking(GumbelMax(), KEYS, np.random.default_rng(0), stops=(STOP,))
    answers = generate(model, marking)
    for row, answer in enumerate(answers):
        contexts, _ = pairs(answer, 4)
        ends = np.flatnonzero(answer == STOP)
        assert marking.tally.positions[row] == (ends[0] + 1 if ends.size else NEW)
        assert marking.tally.marked[row] == len(contexts)
        assert marking.tally.markable[row] == marking.tally.marked[row]


def test_nothing_is_markable_where_one_token_is_certain(model):
    marking = adapter.GumbelMarking(GumbelMax(), KEYS, np.random.default_rng(0), stops=(STOP,))
    generate(model, marking, temperature=0.001)
    assert (marking.tally.markable < marking.tally.marked).all()


def test_the_same_key_gives_the_same_answer_whatever_the_free_draws(model):
    once = Deduplication("none")
    first, second = (
        generate(model, adapter.GumbelMarking(GumbelMax(), KEYS, np.random.default_rng(seed), once))
        for seed in (0, 1)
    )
    assert (first == second).all()


@pytest.mark.parametrize(
    "options",
    [{"renormalize_logits": True}, {"output_scores": True, "return_dict_in_generate": True}],
    ids=["renormalised", "kept"],
)
def test_what_else_reads_the_scores_changes_no_answer(model, options):
    once = Deduplication("none")
    plain, other = (
        generate(model, adapter.GumbelMarking(GumbelMax(), KEYS, np.random.default_rng(0), once), **more)
        for more in ({}, options)
    )
    assert (plain == other).all()


def test_marked_rows_leave_the_dice_to_the_others(model):
    """Without repeated contexts nothing is left to draw, so `torch`'s generator stays where it was."""
    marking = adapter.GumbelMarking(GumbelMax(), KEYS, np.random.default_rng(0), Deduplication("none"))
    generate(model, marking)
    after = torch.get_rng_state()
    torch.manual_seed(2)
    assert (torch.get_rng_state() == after).all()


def test_several_answers_to_a_prompt_share_its_key(model):
    marking = adapter.GumbelMarking(GumbelMax(), KEYS, np.random.default_rng(0), stops=(STOP,))
    answers = generate(model, marking, num_return_sequences=2)
    contexts, tokens = pairs(answers[3], 4)
    totals = GumbelMax().scores(contexts, tokens, KEYS).sum(axis=1)
    assert totals.argmax() == 1


def test_one_answer_carries_the_keys_of_two_levels(model):
    """Half of the tokens follow the account's key, half the deployment's; each is found without the other."""
    shared = np.full(3, 77, np.uint64)
    second = adapter.SecondLevel(shared, 0.5)
    marking = adapter.GumbelMarking(GumbelMax(), KEYS, np.random.default_rng(0), second=second)
    answers = generate(model, marking, eos_token_id=None)
    tried = np.concatenate([KEYS, shared[:1]])
    for row, answer in enumerate(answers):
        contexts, tokens = pairs(answer, 4, None)
        z = (GumbelMax().scores(contexts, tokens, tried).sum(axis=1) - len(tokens)) / np.sqrt(len(tokens))
        assert min(z[row], z[3]) > 5.0
        assert (np.abs(np.delete(z, [row, 3])) < 4.5).all()
    assert "77" not in repr(second)


@pytest.mark.parametrize(
    ("scheme", "second", "sentence"),
    [
        (DualKeyGumbel(), (KEYS, 0.5), "holds two keys already"),
        (GumbelMax(), (KEYS[:2], 0.5), "2 second keys for 3"),
        (GumbelMax(), (KEYS, 1.0), "share does not lie inside"),
    ],
    ids=["dual", "too few", "share"],
)
def test_a_second_level_that_does_not_fit_is_refused(scheme, second, sentence):
    with pytest.raises(InputError, match=sentence):
        adapter.GumbelMarking(scheme, KEYS, np.random.default_rng(0), second=adapter.SecondLevel(*second))


def test_keys_that_do_not_fit_the_rows_are_refused(model):
    marking = adapter.GumbelMarking(GumbelMax(), KEYS[:2], np.random.default_rng(0))
    with pytest.raises(InputError, match="2 keys for 3 rows"):
        generate(model, marking)


def test_operations_for_accelerators_choose_the_same_token():
    marking = adapter.GumbelMarking(GumbelMax(), KEYS, np.random.default_rng(0))
    scores, ids = torch.randn(3, 50), torch.randint(0, 50, (3, 9))
    host, device = marking.construct_processor(50, "cpu"), marking.construct_processor(50, "cpu")
    host(ids[:, :4], scores), device._begin(3, 4)
    expected = host(ids, scores)
    assert (device._choose_on_device(ids.numpy(), scores) == expected).all()
    assert (expected == 0.0).sum() == 3


@pytest.mark.parametrize(
    "scheme",
    [
        GreenList(seeding="lefthash", vocabulary_size=64, delta=5.0),
        GreenList(seeding="selfhash", vocabulary_size=64, delta=5.0, context_width=2),
        SynthId(depth=20),
    ],
    ids=repr,
)
def test_our_scores_read_what_the_packaged_classes_mark(model, scheme):
    answers = generate(model, adapter.packaged(scheme, 12345), eos_token_id=None)
    found = []
    for answer in answers:
        contexts, tokens = pairs(answer, scheme.context_width, None)
        keep = scheme.keyed(contexts)
        scores = scheme.scores(contexts[keep], tokens[keep], np.array([12345, 54321], np.uint64))
        found.append(scores)
    both = np.concatenate(found, axis=1)
    z = (both.mean(axis=1) - scheme.null.mean) / np.sqrt(scheme.null.variance / both.shape[1])
    assert z[0] > 5.0
    assert abs(z[1]) < 4.0


def test_settings_are_not_mixed_up():
    with pytest.raises(InputError, match="packaged"):
        adapter.GreenListMarking(GreenList(seeding="lefthash", vocabulary_size=64), KEYS)
    with pytest.raises(InputError, match="GreenListMarking"):
        adapter.packaged(GreenList(), 5)


def test_no_key_shows_in_what_transformers_prints_or_saves(tmp_path):
    marking = adapter.GumbelMarking(GumbelMax(), KEYS, np.random.default_rng(0))
    settings = transformers.GenerationConfig(do_sample=True, watermarking_config=marking)
    marking.to_json_file(tmp_path / "marking.json")
    settings.save_pretrained(tmp_path)
    saved = " ".join(path.read_text() for path in tmp_path.iterdir())
    shown = f"{marking!r} {marking} {settings} {dict(marking)} {marking.to_json_string()} {saved}"
    assert "gumbel" in shown
    assert str(2**64 - 1) not in shown
    assert copy.deepcopy(marking) is marking
