# ruff: noqa: PLC0415 - PyTorch is imported only where it is installed
"""What marking costs a generation step, as a ratio within one run, and what a key for each account costs.

A step is one token for a batch of 8 in `transformers.generate`. Marked and plain batches take turns, each
step is timed by the processor time of its thread, and the tenth part of the steps that other work on the
machine disturbed least is compared; the ratio of the middle steps is reported beside it. Both batches are
sampled: what the keyed choice costs and the dice that it spares (`torch.multinomial` throws one for every
token of the vocabulary) enter the same ratio. The rows `call` show the cost of the mark alone.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from harness import finish, parser, row
from stillwatch.mark.keys import MasterKey
from stillwatch.mark.schemes import DualKeyGumbel, GreenList, GumbelMax
from stillwatch.model.errors import MissingExtra

BATCH, PROMPT, STEPS = 8, 16, 96
SEED = 20261122


def lab_model():
    """A decoder of the lab's shape (width 128, three layers, 2,048 tokens), random weights."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(SEED)
    shape = GPT2Config(
        vocab_size=2048, n_embd=128, n_layer=3, n_head=4, n_positions=256, bos_token_id=0, eos_token_id=0
    )
    return GPT2LMHeadModel(shape).eval()


def smollm2_model():
    """A decoder of SmolLM2-135M's shape, 49,152 tokens, random weights: cost depends on shapes alone."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(SEED)
    shape = LlamaConfig(
        vocab_size=49_152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3, tie_word_embeddings=True, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(shape).eval()


def step_times(model, marking, steps: int) -> list[float]:
    """Processor time of this thread for each step of one batch, the first three left out."""
    import torch

    ends: list[int] = []

    def clock(ids, _scores, **_):
        ends.append(time.thread_time_ns())
        return torch.zeros(len(ids), dtype=torch.bool)

    ids = torch.randint(1, 2048, (BATCH, PROMPT), generator=torch.Generator().manual_seed(SEED))
    options = {
        "do_sample": True,
        "top_k": 0,
        "min_new_tokens": steps,
        "max_new_tokens": steps,
        "pad_token_id": 0,
    }
    model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        watermarking_config=marking,
        stopping_criteria=[clock],
        **options,
    )
    return np.diff(ends)[3:].tolist()


def call_time(model, marking, steps: int) -> float:
    """Processor time inside the mark's own call, in microseconds: the first decile over steps."""
    spent: list[int] = []
    construct = marking.construct_processor

    def timed(*given, **named):
        processor = construct(*given, **named)

        def call(ids, scores):
            started = time.thread_time_ns()
            out = processor(ids, scores)
            spent.append(time.thread_time_ns() - started)
            return out

        return call

    marking.construct_processor = timed
    step_times(model, marking, steps)
    return float(np.quantile(spent[3:], 0.1)) / 1e3


def ratios(model, make, steps: int, pairs: int) -> tuple[float, float, float]:
    """Marked over plain steps, minus one, in per cent: first decile, median; milliseconds of a plain step."""
    step_times(model, make(), steps)
    plain, marked = [], []
    for _ in range(pairs):
        plain += step_times(model, None, steps)
        marked += step_times(model, make(), steps)
    low, middle = (np.quantile(marked, q) / np.quantile(plain, q) - 1 for q in (0.1, 0.5))
    return 100 * low, 100 * middle, float(np.quantile(plain, 0.1)) / 1e6


def marking_rows(pairs: int, *, large: bool):
    import torch

    from stillwatch.mark.adapters.transformers import GreenListMarking, GumbelMarking

    torch.set_num_threads(1)
    keys = MasterKey(bytes(range(32))).epoch("bench").keys("account", [f"acc-{i}" for i in range(BATCH)])
    kinds = {
        "gumbel": lambda: GumbelMarking(GumbelMax(), keys, np.random.default_rng(SEED)),
        "dual_key": lambda: GumbelMarking(DualKeyGumbel(), keys, np.random.default_rng(SEED)),
        "greenlist": lambda: GreenListMarking(GreenList(context_width=4), keys),
    }
    models = {"lab": (lab_model, STEPS, pairs)}
    if large:
        models["smollm2"] = (smollm2_model, 12, max(3, pairs // 3))
    for name, (load, steps, count) in models.items():
        model = load()
        for kind, make in kinds.items():
            bar = "<= 2" if kind != "greenlist" else None
            share, middle, plain = ratios(model, make, steps, count)
            note = f"batch {BATCH}, own keys, one thread; plain step {plain:.3g} ms; medians: {middle:.2g} %"
            yield row(f"evidence/marking/{name}/{kind}", share, "% of a step", bar, seeds=[SEED], note=note)
            each = call_time(model, make(), steps)
            note = f"{each / plain / 10:.2g} % of a plain step, before what it spares"
            yield row(f"evidence/marking/{name}/{kind}/call", each, "us a call", seeds=[SEED], note=note)


def key_rows():
    keys = MasterKey(bytes(range(32))).epoch("bench")
    names = [f"acc-{i}" for i in range(100_000)]
    started = time.process_time()
    keys.keys("account", names)
    each = 1e6 * (time.process_time() - started) / len(names)
    note = "100,000 accounts; derived when a request arrives, nothing is stored"
    yield row("evidence/marking/key", each, "us a key", seeds=[SEED], note=note)


def main() -> int:
    options = parser(__doc__)
    options.add_argument(
        "--pairs", type=int, default=15, help="pairs of plain and marked batches (default 15)"
    )
    options.add_argument("--small", action="store_true", help="leave the large model out")
    asked = options.parse_args()
    rows = list(key_rows())
    try:
        rows += marking_rows(asked.pairs, large=not asked.small)
    except MissingExtra as error:
        rows.append(row("evidence/marking/lab/gumbel", None, "% of a step", "<= 2", note=str(error)))
    return finish("evidence_marking", rows, strict=asked.strict)


if __name__ == "__main__":
    sys.exit(main())
