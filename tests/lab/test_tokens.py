"""Rows of tokens: what is prompt, what is answer, where it ends."""

import numpy as np
import pytest

pytest.importorskip("tokenizers", reason="the lab needs tokenizers: pip install 'stillwatch[lab]'")

from stillwatch.lab.corpus import generate
from stillwatch.lab.tokens import ANSWER, ASK, PAD, answered, digest, rows_of, train_bpe

DOCUMENTS = generate(200, np.random.default_rng(1))


def test_rows_hold_the_documents():
    tokenizer = train_bpe([f"{one.prompt} {one.answer}" for one in DOCUMENTS], 700)
    rows = rows_of(DOCUMENTS, tokenizer, 200)
    assert len(rows) == len(DOCUMENTS)
    for row, start, document in zip(rows.tokens, rows.starts, DOCUMENTS, strict=True):
        assert row[0] == ASK
        assert row[start - 1] == ANSWER
        assert tokenizer.decode(list(row[1 : start - 1])).strip() == document.prompt
        assert tokenizer.decode([one for one in row[start:] if one != PAD]).strip() == document.answer


def test_an_answer_ends_with_one_padding_token():
    tokenizer = train_bpe([one.answer for one in DOCUMENTS], 600)
    rows = rows_of(DOCUMENTS, tokenizer, 60)
    mask = answered(rows)
    for row, start, scored in zip(rows.tokens, rows.starts, mask, strict=True):
        ends = np.flatnonzero(row[start:] == PAD)
        last = start + ends[0] if len(ends) else len(row) - 1
        assert scored.tolist() == [start <= place <= last for place in range(len(row))]


def test_the_tokenizer_depends_on_the_texts_alone():
    texts = [one.answer for one in DOCUMENTS]
    assert digest(train_bpe(texts, 500)) == digest(train_bpe(iter(texts), 500))
    assert digest(train_bpe(texts, 500)) != digest(train_bpe(texts, 501))
