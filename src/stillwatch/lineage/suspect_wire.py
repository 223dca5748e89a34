"""The OpenAI-compatible wire form: queries to request bodies, response bodies to replies. No input or output.

Log-probabilities of a given text come from the completions endpoint with `echo`, as vLLM, llama.cpp and other
servers of open weights offer it; hosted chat endpoints mostly do not, and are asked for samples or a ranking.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from stillwatch.lineage.suspect import Query, Reply
from stillwatch.model.errors import BAD_JSON


class _Usage(msgspec.Struct):
    total_tokens: int = 0


class _Message(msgspec.Struct):
    content: str | None = None


class _LogProbs(msgspec.Struct):
    token_logprobs: list[float | None] | None = None
    text_offset: list[int] | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    logprobs: _LogProbs | None = None


class _Response(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


def request_of(query: Query, model: str, template: str) -> tuple[str, dict[str, Any]]:
    """Return the path and the body of the request for `query`.

    Args:
        query: What is asked.
        model: Name of the model at the server.
        template: How a prompt stands before an answer in plain text, with `{prompt}` in it.
    """
    if query.kind == "log_prob":
        body = {
            "model": model,
            "prompt": template.replace("{prompt}", query.prompt) + query.answer,
            "max_tokens": 1,
            "temperature": 0.0,
            "logprobs": 1,
            "echo": True,
        }
        return "/completions", body
    body = {
        "model": model,
        "messages": [{"role": "user", "content": query.prompt}],
        "max_tokens": query.max_tokens,
        "temperature": query.temperature,
    }
    return "/chat/completions", body if query.seed is None else body | {"seed": query.seed}


def reply_of(query: Query, content: bytes, template: str) -> Reply:
    """Return the reply that stands in a response; what cannot be used is a failed one."""
    try:
        response = msgspec.json.decode(content, type=_Response)
        choice = response.choices[0]
    except (*BAD_JSON, IndexError):
        return Reply(query.id, failed="the response is not of the form that OpenAI's API has")
    tokens = max(0, response.usage.total_tokens) if response.usage else 0
    if query.kind == "log_prob":
        start = len(template.replace("{prompt}", query.prompt))
        value = _log_prob(choice.logprobs, start, start + len(query.answer))
        if value is None:
            return Reply(query.id, tokens=tokens, failed="the server gives no log-probabilities")
        return Reply(query.id, log_prob=value, tokens=tokens)
    text = choice.message.content if choice.message else None
    if text is None:
        return Reply(query.id, tokens=tokens, failed="the response holds no text")
    return Reply(query.id, text=text, tokens=tokens)


def models_of(content: bytes) -> list[str] | None:
    """Return the names in a response of `/models`, or None where it is none."""
    try:
        return [model.id for model in msgspec.json.decode(content, type=_Models).data]
    except BAD_JSON:
        return None


def _log_prob(found: _LogProbs | None, start: int, end: int) -> float | None:
    """Sum over the tokens that begin inside the answer; None where the server gives no value for one."""
    if found is None or not found.token_logprobs or not found.text_offset:
        return None
    inside = [
        value
        for value, offset in zip(found.token_logprobs, found.text_offset, strict=False)
        if start <= offset < end
    ]
    known = [value for value in inside if value is not None and math.isfinite(value)]
    return math.fsum(known) if known and len(known) == len(inside) else None


_LETTER = re.compile(r"\b([A-Z])\b")
_INSTRUCTION = "Which of these answers would you yourself give to the question? Reply with its letter only."


def ranking_prompt(prompt: str, answers: list[str]) -> str:
    """Return the question which of `answers`, shown in this order as A, B …, the suspect would give."""
    shown = "\n\n".join(f"Answer {chr(ord('A') + place)}:\n{answer}" for place, answer in enumerate(answers))
    return f"Question:\n{prompt}\n\n{shown}\n\n{_INSTRUCTION}"


def chosen_place(text: str, answers: int) -> int | None:
    """Return the place that a reply to `ranking_prompt` names, or None where it names none.

    Example:
        >>> chosen_place("I would say B.", 2), chosen_place("I", 2), chosen_place("neither", 2)
        (1, None, None)
    """
    letters = {chr(ord("A") + place) for place in range(answers)}
    named = [letter for letter in _LETTER.findall(text.strip()[:200]) if letter in letters]
    return ord(named[0]) - ord("A") if named else None
