"""The examples of the marking page run, and what it names exists."""

import importlib
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs/marking.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def run(blocks: list[str], names: dict) -> dict:
    for block in blocks:
        exec(compile(block, "docs/marking.md", "exec"), names)  # noqa: S102 - our own page
    return names


def test_keys_and_gateway_examples_run():
    names = run([BLOCKS[0], BLOCKS[3]], {})
    assert names["served"] in names["drafts"]


def test_the_transformers_example_runs():
    torch = pytest.importorskip("torch", reason="needs PyTorch (the transformers extra)")
    transformers = pytest.importorskip("transformers", reason="needs transformers (the transformers extra)")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    shape = transformers.GPT2Config(
        vocab_size=32, n_embd=16, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=1
    )
    ids = torch.full((3, 4), 5)
    names = {
        "model": transformers.GPT2LMHeadModel(shape).eval(),
        "inputs": {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "pad_token_id": 0,
            "max_new_tokens": 20,
        },
        "tokenizer_eos": 1,
    }
    names = run(BLOCKS[:3], names)
    assert names["answers"].shape[0] == 3
    assert (names["markable"] <= names["marked"]).all()
    assert names["marked"].sum() > 0
    assert names["everybody"].keys.shape == names["account_keys"].shape


def test_modules_that_the_page_names_exist():
    for name in set(re.findall(r"`(stillwatch\.mark\.[a-z_.]+)`", PAGE)):
        assert importlib.util.find_spec(name) is not None, name


def test_seventy_pairs_of_three_thousand_ngrams_collide():
    expected = 3000 * 2999 / 2 / 65_536
    assert 65 < expected < 75
    assert "some seventy pairs" in PAGE
