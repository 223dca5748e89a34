"""Raw request-answer pairs of the OpenAI interface: chat completions, Responses, and legacy completions."""

# ruff: noqa: E501 - examples of log lines are whole lines

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from stillwatch.ingest.conversation import converse, tools, type_messages
from stillwatch.ingest.draft import Count, Reading, row_of
from stillwatch.ingest.formats.contract import line_decoder
from stillwatch.ingest.formats.pairs import (
    ACCOUNT_SOURCES,
    RESPONSE,
    Envelope,
    answer,
    body,
    envelope_columns,
    pair_of,
    request_body,
)
from stillwatch.ingest.formats.records import RecordFormat
from stillwatch.ingest.moments import Moment  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Mapping


class Session(msgspec.Struct, gc=False):
    """A conversation that the server keeps."""

    id: str | None = None


class Request(msgspec.Struct, gc=False):
    """What is read of a request body."""

    model: str | None = None
    messages: type_messages = None
    input: type_messages = None
    prompt: type_messages = None
    instructions: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    logprobs: bool | int | None = None
    stream: bool | None = None
    tools: msgspec.Raw = msgspec.Raw(b"")
    functions: msgspec.Raw = msgspec.Raw(b"")
    user: str | None = None
    safety_identifier: str | None = None
    conversation: Session | str | None = None


class Details(msgspec.Struct, gc=False):
    """Part of a usage object."""

    reasoning_tokens: Count | None = None
    cached_tokens: Count | None = None


class Usage(msgspec.Struct, gc=False):
    """Tokens, under the names of both interfaces."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None
    input_tokens_details: Details | None = None
    output_tokens_details: Details | None = None


class Answer(msgspec.Struct, gc=False):
    """What is read of a message; never its words."""

    refusal: str | None = None


class Choice(msgspec.Struct, gc=False):
    """One answer, or a piece of it."""

    finish_reason: str | None = None
    message: Answer | None = None
    delta: Answer | None = None


class OutputPart(msgspec.Struct, gc=False):
    """Kind of a part of a Responses output item."""

    type: str | None = None


class OutputItem(msgspec.Struct, gc=False):
    """An item of a Responses output."""

    type: str | None = None
    id: str | None = None
    content: list[OutputPart] | None = None


class Incomplete(msgspec.Struct, gc=False):
    """Why a Responses answer is not complete."""

    reason: str | None = None


class Response(msgspec.Struct, gc=False):
    """What is read of an answer body, or of one event of a stream."""

    id: str | None = None
    created: Moment | None = None
    created_at: Moment | None = None
    choices: list[Choice] | None = None
    output: list[OutputItem] | None = None
    status: str | int | None = None
    incomplete_details: Incomplete | None = None
    usage: Usage | None = None
    response: Response | None = None


_REQUESTS = msgspec.json.Decoder(Request, strict=False)
_RESPONSES = msgspec.json.Decoder(Response | list[Response], strict=False)


def _resembles(record: Mapping[str, Any]) -> float:
    pair = pair_of(record)
    if pair is None:
        return 0.0
    request, response = pair
    asks = any(name in request for name in ("messages", "input", "prompt"))
    kind = str(response.get("object", ""))
    if kind.startswith(("chat.completion", "response", "text_completion")) or "choices" in response:
        return 1.0 if asks else 0.6
    return 0.6 if asks and "anthropic_version" not in request else 0.0


def _read(envelope: Envelope, account_fields: tuple[str, ...]) -> Reading:
    request = _REQUESTS.decode(request_body(envelope))
    response = answer(body(envelope, RESPONSE), _RESPONSES, _joined)
    messages = request.messages or request.input or request.prompt
    conversation = converse(messages, request.instructions)
    kit = tools(bytes(request.tools) or bytes(request.functions))
    values = envelope_columns(envelope, account_fields) | {"tool_names": kit.names}
    values |= _request_columns(request)
    values |= _answer_columns(response)
    values["ts"] = values.get("ts") or response.created or response.created_at or "missing"
    values["exchange_id"] = values["exchange_id"] or response.id
    values["conversation_id"] = values["conversation_id"] or _session(request)
    thoughts = [item.id for item in response.output or () if item.type == "reasoning" and item.id]
    return Reading(row_of(values, conversation), conversation, kit.definitions, tuple(thoughts))


def _joined(pieces: list[Response]) -> Response:
    whole = Response()
    for piece in (piece.response or piece for piece in pieces):
        whole.id = piece.id or whole.id
        whole.created = piece.created or piece.created_at or whole.created
        whole.usage = piece.usage or whole.usage
        whole.output = piece.output or whole.output
        whole.status = piece.status or whole.status
        whole.incomplete_details = piece.incomplete_details or whole.incomplete_details
        if piece.choices and (whole.choices is None or piece.choices[0].finish_reason):
            whole.choices = piece.choices
    return whole


def _request_columns(request: Request) -> dict[str, Any]:
    return {
        "model": request.model,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "n": request.n,
        "max_tokens": request.max_tokens or request.max_completion_tokens or request.max_output_tokens,
        "logprobs": None if request.logprobs is None else bool(request.logprobs),
        "stream": request.stream,
        "end_user_id": request.safety_identifier or request.user,
    }


def _answer_columns(response: Response) -> dict[str, Any]:
    usage = response.usage or Usage()
    sent = usage.prompt_tokens_details or usage.input_tokens_details or Details()
    got = usage.completion_tokens_details or usage.output_tokens_details or Details()
    choice = response.choices[0] if response.choices else Choice()
    why = response.incomplete_details.reason if response.incomplete_details else None
    finish = choice.finish_reason or why or (response.status if isinstance(response.status, str) else None)
    return {
        "input_tokens": usage.input_tokens if usage.prompt_tokens is None else usage.prompt_tokens,
        "output_tokens": usage.output_tokens if usage.completion_tokens is None else usage.completion_tokens,
        "cached_tokens": sent.cached_tokens,
        "reasoning_tokens": got.reasoning_tokens,
        "finish_reason": finish,
        "refusal_category": _refusal(finish, choice, response),
    }


def _refusal(finish: str | None, choice: Choice, response: Response) -> str | None:
    if finish == "content_filter":
        return finish
    message = choice.message or choice.delta
    declined = message is not None and message.refusal is not None
    parts = [part.type for item in response.output or () for part in item.content or ()]
    return "unspecified" if declined or "refusal" in parts else None


def _session(request: Request) -> str | None:
    kept = request.conversation
    return kept.id if isinstance(kept, Session) else kept


OPENAI = RecordFormat(
    name="openai",
    title="OpenAI request-answer pairs",
    account_sources=ACCOUNT_SOURCES,
    decoder=line_decoder(Envelope),
    examples=(
        b'{"ts":1767225600.5,"account_id":"acct-1","ip":"192.0.2.1","headers":{"User-Agent":"curl/8"},"latency_ms":900,"request":{"model":"gpt-x","messages":[{"role":"user","content":"Name a river."}],"temperature":0},"response":{"id":"chatcmpl-7","object":"chat.completion","created":1767225600,"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Elbe"}}],"usage":{"prompt_tokens":9,"completion_tokens":2}}}',
        b'{"timestamp":"2026-01-01T00:00:00Z","user_id":"u-2","path":"/v1/responses","status_code":200,"request":{"model":"gpt-x","instructions":"Be brief.","input":[{"role":"user","content":[{"type":"input_text","text":"Name a lake."}]}],"max_output_tokens":50},"response":{"id":"resp_1","object":"response","status":"completed","output":[{"type":"reasoning","id":"rs_1"},{"type":"message","content":[{"type":"output_text","text":"Como"}]}],"usage":{"input_tokens":12,"output_tokens":3,"output_tokens_details":{"reasoning_tokens":1}}}}',
    ),
    resembles=_resembles,
    read_record=_read,
)
"""Reads lines `{"request": ..., "response": ..., "ts": ..., "account_id": ...}`."""
