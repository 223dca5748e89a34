"""Byte-level BPE of the lab, and documents as token rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from stillwatch.lab.corpus import Document

PAD: Final = 0
"""Fills rows, and ends answers."""
ASK: Final = 1
"""Begins a row."""
ANSWER: Final = 2
"""Stands between prompt and answer."""
_SPECIAL: Final = ["<pad>", "<ask>", "<answer>"]


@dataclass(frozen=True)
class Rows:
    """Documents as tokens.

    Attributes:
        tokens: (n, length) int64; `ASK` prompt `ANSWER` answer, then `PAD`.
        starts: (n,) int64, the place of the first answer token.
    """

    tokens: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """The rows at `rows`."""
        return Rows(self.tokens[rows], self.starts[rows])


def train_bpe(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Train byte-level BPE with `vocabulary` entries on `texts`; the result depends on them alone."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    return made


def digest(tokenizer: Tokenizer) -> str:
    """SHA-256 of the tokenizer's file form, as it stands in mark records."""
    return hashlib.sha256(tokenizer.to_str().encode()).hexdigest()


def rows_of(documents: Sequence[Document], tokenizer: Tokenizer, length: int) -> Rows:
    """Encode `documents` into rows of `length`; longer answers are cut, documents with long prompts dropped.

    Answers that end in time are followed by `PAD`, which the models learn as the end.
    """
    asked = tokenizer.encode_batch([one.prompt for one in documents])
    said = tokenizer.encode_batch([one.answer for one in documents])
    kept = [
        ([ASK, *ask.ids, ANSWER], say.ids)
        for ask, say in zip(asked, said, strict=True)
        if len(ask.ids) + 2 <= length // 2
    ]
    tokens = np.full((len(kept), length), PAD, dtype=np.int64)
    starts = np.empty(len(kept), dtype=np.int64)
    for row, (head, tail) in enumerate(kept):
        whole = [*head, *tail][:length]
        tokens[row, : len(whole)] = whole
        starts[row] = len(head)
    return Rows(tokens, starts)


def answered(rows: Rows) -> NDArray[np.bool_]:
    """(n, length) mask of answer tokens, the first `PAD` after an answer included (it is its end)."""
    place = np.arange(rows.tokens.shape[1])
    after = place >= rows.starts[:, None]
    ended = np.cumsum((rows.tokens == PAD) & after, axis=1)
    return np.asarray(after & ((ended == 0) | ((ended == 1) & (rows.tokens == PAD))), dtype=np.bool_)
