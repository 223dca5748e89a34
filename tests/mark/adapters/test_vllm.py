"""The vLLM plug-in against a stand-in of vLLM's V2 interface, since vLLM needs an accelerator to install.

The stand-in follows `vllm/v1/worker/gpu/sample/logits_processor/interface.py` (vLLM 0.33): slots, prompt and total
lengths, rows that are not requests. It cannot show that vLLM calls us as it says.
"""

import importlib
import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from stillwatch.mark import prf
from stillwatch.mark.keys import MasterKey
from stillwatch.mark.schemes import GreenList, GumbelMax
from stillwatch.model.errors import InputError, MissingExtra

torch = pytest.importorskip("torch", reason="needs PyTorch (the transformers extra)")
adapter = pytest.importorskip("stillwatch.mark.adapters.vllm")

VOCABULARY, LENGTH, PROMPT = 48, 96, 3
MASTER = MasterKey(bytes(range(32)))
EPOCH = MASTER.epoch("2026-11")


@dataclass
class SamplingParams:
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    extra_args: dict | None = field(default_factory=dict)


def account(name: str, **settings) -> SamplingParams:
    return SamplingParams(extra_args={"stillwatch_level": "account", "stillwatch_name": name}, **settings)


class Engine:
    """Slots of a batch, sampled as vLLM does after the processor: temperature, then a random draw."""

    def __init__(self, tmp_path, slots: int = 6, **settings) -> None:
        path = tmp_path / "mark.key"
        if not path.exists():
            MASTER.save(path)
        self.states = SimpleNamespace(
            device=torch.device("cpu"), max_num_reqs=slots, vocab_size=VOCABULARY,
            all_token_ids=SimpleNamespace(gpu=torch.zeros((slots, LENGTH), dtype=torch.int32)),
            prompt_len=SimpleNamespace(gpu=torch.full((slots,), PROMPT, dtype=torch.int32)),
            total_len=SimpleNamespace(gpu=torch.full((slots,), PROMPT, dtype=torch.int32)),
        )  # fmt: skip
        config = {"stillwatch": {"key_file": str(path), "epoch": "2026-11", **settings}}
        self.processor = adapter.MarkingProcessor(SimpleNamespace(additional_config=config), self.states)
        self.generator = torch.Generator().manual_seed(5)

    def run(self, requests: dict[int, SamplingParams], steps: int) -> dict[int, np.ndarray]:
        for slot, params in requests.items():
            self.processor.validate_params(params)
            self.processor.add_request(slot, params)
        slots = torch.tensor(list(requests))
        for _ in range(steps):
            self.processor.apply_staged_writes()
            logits = 1.5 * torch.randn(len(slots), VOCABULARY, generator=self.generator)
            ctx = SimpleNamespace(expanded_idx_mapping=slots, expanded_local_pos=torch.zeros_like(slots))
            shown = self.processor.apply(logits, ctx)
            drawn = torch.multinomial(torch.softmax(shown, -1), 1, generator=self.generator)[:, 0]
            self.states.all_token_ids.gpu[slots, self.states.total_len.gpu[slots].long()] = drawn.int()
            self.states.total_len.gpu[slots] += 1
        ids, totals = self.states.all_token_ids.gpu.numpy(), self.states.total_len.gpu
        return {slot: ids[slot, PROMPT : int(totals[slot])].astype(np.int64) for slot in requests}


def z_scores(scheme, answer: np.ndarray, names: list[str]) -> np.ndarray:
    padded = np.concatenate([np.full(scheme.context_width, prf.MISSING), answer])
    contexts = np.lib.stride_tricks.sliding_window_view(padded, scheme.context_width)[:-1]
    first = np.sort(np.unique(contexts, axis=0, return_index=True)[1])
    scores = scheme.scores(contexts[first], answer[first], EPOCH.keys("account", names)).sum(axis=1)
    return (scores - len(first) * scheme.null.mean) / np.sqrt(len(first) * scheme.null.variance)


@pytest.mark.parametrize("kind", ["gumbel", "greenlist"])
def test_every_request_carries_the_key_of_its_account(tmp_path, kind):
    engine = Engine(tmp_path, scheme=kind, delta=4.0)
    names = ["a", "b", "c"]
    answers = engine.run(
        {4: account("a"), 0: account("b", temperature=0.7, top_p=0.95), 2: account("c", top_k=20)}, 80
    )
    scheme = GumbelMax() if kind == "gumbel" else GreenList(delta=4.0, context_width=4)
    for number, slot in enumerate((4, 0, 2)):
        z = z_scores(scheme, answers[slot], names)
        assert z.argmax() == number
        assert z[number] > 6.0
        assert np.abs(np.delete(z, number)).max() < 4.5


def test_a_slot_that_is_used_again_takes_the_new_key(tmp_path):
    engine = Engine(tmp_path)
    engine.run({1: account("a")}, 10)
    engine.states.total_len.gpu[1] = PROMPT
    answer = engine.run({1: account("b")}, 60)[1]
    assert z_scores(GumbelMax(), answer, ["a", "b"]).argmax() == 1


def test_greedy_padding_and_draft_rows_stay_as_they_came(tmp_path):
    engine = Engine(tmp_path)
    assert not engine.processor.add_request(0, account("a", temperature=0.0))
    assert engine.processor.add_request(1, account("a"))
    engine.processor.apply_staged_writes()
    logits = torch.randn(4, VOCABULARY)
    ctx = SimpleNamespace(
        expanded_idx_mapping=torch.tensor([0, 1, 1, -1]), expanded_local_pos=torch.tensor([0, 0, 1, 0])
    )
    shown = engine.processor.apply(logits, ctx)
    assert (shown[[0, 2, 3]] == logits[[0, 2, 3]]).all()
    assert torch.isfinite(shown[1]).sum() == 1


def test_repeated_contexts_stay_unmarked(tmp_path):
    engine = Engine(tmp_path, context_width=1)
    engine.processor.add_request(0, account("a"))
    engine.processor.apply_staged_writes()
    ctx = SimpleNamespace(expanded_idx_mapping=torch.tensor([0]), expanded_local_pos=torch.tensor([0]))
    for tokens, marked in (([5, 6], True), ([6, 5, 6], False)):
        engine.states.all_token_ids.gpu[0, PROMPT : PROMPT + len(tokens)] = torch.tensor(
            tokens, dtype=torch.int32
        )
        engine.states.total_len.gpu[0] = PROMPT + len(tokens)
        shown = engine.processor.apply(torch.zeros(1, VOCABULARY), ctx)
        assert (int(torch.isfinite(shown).sum()) == 1) == marked


def test_truncation_is_that_of_plain_sampling():
    scores = torch.log(torch.tensor([[0.5, 0.25, 0.15, 0.1]])).repeat(5, 1)
    cut = adapter.truncated(
        scores,
        torch.tensor([1.0, 1.0, 1.0, 1.0, 0.5]),
        torch.tensor([0.0, 2.0, 0.0, 0.0, 0.0]),
        torch.tensor([1.0, 1.0, 0.76, 1.0, 0.9]),
        torch.tensor([0.0, 0.0, 0.0, 0.4, 0.0]),
    )
    assert torch.isfinite(cut).sum(-1).tolist() == [4, 2, 3, 2, 2]
    assert cut[4, 0] - cut[4, 1] == pytest.approx(2 * np.log(2))


@pytest.mark.parametrize(
    "given",
    [
        {"stillwatch_level": "account"},
        {"stillwatch_level": "team", "stillwatch_name": "a"},
        {"stillwatch_name": "a"},
    ],
    ids=["nameless", "unknown level", "named global"],
)
def test_badly_named_keys_are_refused_at_admission(given):
    with pytest.raises(ValueError, match="stillwatch_level"):
        adapter.MarkingProcessor.validate_params(SamplingParams(extra_args=given))
    adapter.MarkingProcessor.validate_params(SamplingParams(extra_args=None))


@pytest.mark.parametrize("config", [None, {}, {"stillwatch": {"epoch": 3}}], ids=["none", "empty", "wrong"])
def test_missing_settings_say_what_to_give(config):
    with pytest.raises(InputError, match="additional-config"):
        adapter.read_settings(SimpleNamespace(additional_config=config))


def test_the_plug_in_stands_under_the_engines_base_class(monkeypatch):
    name = "vllm.v1.worker.gpu.sample.logits_processor"
    plugin = "stillwatch.mark.adapters.vllm_plugin"
    monkeypatch.delitem(sys.modules, plugin, raising=False)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match="vLLM"):
        importlib.import_module(plugin)
    stand_in = ModuleType(name)
    stand_in.LogitsProcessor = type("LogitsProcessor", (), {})
    parts = name.split(".")
    for end in range(1, len(parts)):
        monkeypatch.setitem(sys.modules, ".".join(parts[:end]), ModuleType(".".join(parts[:end])))
    monkeypatch.setitem(sys.modules, name, stand_in)
    made = importlib.import_module(plugin).StillwatchMarking
    monkeypatch.delitem(sys.modules, plugin)
    assert issubclass(made, (stand_in.LogitsProcessor, adapter.MarkingProcessor))
    assert made.apply is adapter.MarkingProcessor.apply


def test_no_key_shows_in_the_processor(tmp_path):
    engine = Engine(tmp_path)
    engine.processor.add_request(0, account("a"))
    assert (
        str(EPOCH.key("account", "a"))
        not in f"{engine.processor!r} {engine.processor.epoch} {engine.processor.scheme}"
    )
