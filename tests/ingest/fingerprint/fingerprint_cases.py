"""Inputs that the tests of the kernel share."""

# ruff: noqa: RUF001 - letters of other scripts are the point here

from __future__ import annotations

import pyarrow as pa

from stillwatch.model.columns import TEXT_SCHEMA

KEY_BYTES = bytes(range(32))
EDGE_PROMPTS = [
    None,
    "",
    " ",
    "…",
    "word",
    "WORD word Word",
    "a1b22c333",
    "1,234.56 and 12/05/2026",
    "hel\u200blo wo\u00adrld \ufeffstart",
    "Ｆｕｌｌ　ｗｉｄｔｈ １２３",
    "naïve café ﬁne Straße ΣΊΣΥΦΟΣ İstanbul ½ ⅷ ﷺ",
    "e\u0301tude étude",
    "请一步一步思考，用JSON格式回答问题：２０２６年有多少天？",
    "ステップバイステップで考えてください。ｶﾞｷﾞｸﾞ",
    "한국어로 단계별로 설명해 주세요",
    "Объясни шаг за шагом, как работает эта программа",
    "Поясни, будь ласка, ці її дії",
    "اشرح لي كيف تعمل هذه الخوارزمية",
    "یک گزارش کوتاه درباره پژوهش بنویس چگونه",
    "यह क्या है? मुझे समझाओ",
    "อธิบายทีละขั้นตอน",
    "Erkläre mir bitte Schritt für Schritt, wie das geht und warum es nicht anders ist",
    "Explique moi étape par étape comment les moteurs de cette voiture sont faits",
    "x" * 200,
    "x" * 15 + " " + "y" * 16 + " " + "z" * 17 + " " + "9" * 70,
    "x" * 64,
    ("word " * 12 + "abcd")[:64],
    "a b c d e f g h " * 80,
    "the quick brown fox jumps over the lazy dog near “riverbank” — don’t stop " * 60,
    'Answer with {"answer": "text", "score": 5, "why": ["a", "b"]} and nothing else',
    "First <think>reason</think> then <answer>42</answer>",
    "a > b ] c } d",
    "😀😀 emoji 😀only😀",
    " ".join(f"w{i}" for i in range(1200)),
    " ".join(chr(0x4E00 + i * 7 % 20000) for i in range(1500)),
    "On a scale of 1 to 10, rate the following response and explain your reasoning step by step.",
    "\x00null\x00bytes\x7f",
]


def rows_of(prompts: list[str | None]) -> pa.RecordBatch:
    """A batch with every prompt, and context beside most of them."""
    rows = [
        {
            "prompt": prompt,
            "system": ["You are a judge. Rate the answer step by step.", None, "", "…"][i % 4],
            "history": [None, "user\nhello\nassistant\nhi\n", "", "user\n" + "long " * 50 + "\n"][i // 2 % 4],
            "tools": [None, '[{"name": "f1", "parameters": {}}]', "[]"][i % 3],
        }
        for i, prompt in enumerate(prompts)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=TEXT_SCHEMA)
