"""LiteLLM's StandardLoggingPayload, as its callbacks write it.

The one format that is read by typed structs straight into columns, because it is the one that comes in
great amounts.
"""

# ruff: noqa: E501 - examples of log lines are whole lines

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from stillwatch.ingest.conversation import (
    NO_TEXT,
    NO_TOOLS,
    Conversation,
    Part,
    Thought,
    Tools,
    converse,
    flat,
    tools,
    type_messages,
)
from stillwatch.ingest.draft import (
    READ_ERRORS,
    Amount,
    Count,
    Fields,
    Places,
    Refusal,
    Small,
    media_extra,
    read_each,
)
from stillwatch.ingest.formats.canonical import is_identifier
from stillwatch.ingest.formats.client import CLIENT_HEADERS, stainless
from stillwatch.ingest.formats.contract import line_decoder
from stillwatch.ingest.moments import Moment  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Headers(msgspec.Struct, gc=False, rename=CLIENT_HEADERS):
    """The client's headers that tell its software."""

    ja4: str | None = None
    x_ja4: str | None = None
    lang: str | None = None
    version: str | None = None
    os: str | None = None
    arch: str | None = None
    runtime: str | None = None
    runtime_version: str | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """Part of a usage object."""

    reasoning_tokens: Count | None = None


class InputDetails(msgspec.Struct, gc=False):
    """Part of a usage object."""

    cached_tokens: Count | None = None


class Usage(msgspec.Struct, gc=False):
    """Token counts beyond input and output."""

    completion_tokens_details: OutputDetails | None = None
    prompt_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None
    input_tokens_details: InputDetails | None = None
    cache_read_input_tokens: Count | None = None


class Metadata(msgspec.Struct, gc=False):
    """Who called, as the proxy knows it."""

    user_api_key_user_id: str | None = None
    user_api_key_team_id: str | None = None
    user_api_key_org_id: str | None = None
    user_api_key_hash: str | None = None
    user_api_key_end_user_id: str | None = None
    user_api_key_request_route: str | None = None
    requester_ip_address: str | None = None
    user_agent: str | None = None
    requester_custom_headers: Headers | None = None
    usage_object: Usage | None = None


class Parameters(msgspec.Struct, gc=False):
    """What the client asked of the model."""

    temperature: float | None = None
    top_p: float | None = None
    n: Small | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    max_output_tokens: Count | None = None
    logprobs: bool | int | None = None
    stream: bool | None = None
    instructions: str | None = None
    system: str | list[Part] | None = None
    tools: msgspec.Raw = msgspec.Raw(b"")
    functions: msgspec.Raw = msgspec.Raw(b"")


class Answer(msgspec.Struct, gc=False):
    """What is read of an answer's message; never its words."""

    thinking_blocks: list[Thought] | None = None
    refusal: str | None = None


class Choice(msgspec.Struct, gc=False):
    """One answer."""

    finish_reason: str | None = None
    message: Answer | None = None


class StopDetails(msgspec.Struct, gc=False):
    """Why a model stopped."""

    category: str | None = None


class Response(msgspec.Struct, gc=False):
    """What is read of the answer."""

    choices: list[Choice] | None = None
    stop_reason: str | None = None
    stop_details: StopDetails | None = None
    status: str | int | None = None


class ErrorInformation(msgspec.Struct, gc=False):
    """The code of a failure; its words may quote the prompt and are not read."""

    error_code: str | int | None = None


class Payload(msgspec.Struct, gc=False):
    """The fields of a StandardLoggingPayload that are read."""

    startTime: Moment  # noqa: N815 - LiteLLM's name
    id: str | None = None
    litellm_call_id: str | None = None
    session_id: str | None = None
    call_type: str | None = None
    stream: bool | None = None
    status: str | None = None
    response_cost: Amount | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    response_time: Amount | None = None
    model: str | None = None
    model_group: str | None = None
    end_user: str | None = None
    requester_ip_address: str | None = None
    user_agent: str | None = None
    metadata: Metadata | None = None
    model_parameters: Parameters | None = None
    messages: type_messages = None
    response: Response | str | list[msgspec.Raw] | None = None
    error_information: ErrorInformation | None = None
    request_tags: msgspec.Raw = msgspec.Raw(b"")


_NO_METADATA, _NO_PARAMETERS, _NO_RESPONSE, _NO_USAGE = Metadata(), Parameters(), Response(), Usage()
_NO_CHOICES = (Choice(),)
_SIGNS = (
    "call_type", "startTime", "endTime", "model_parameters", "metadata", "response_cost", "custom_llm_provider",
    "hidden_params", "model_group", "litellm_call_id",
)  # fmt: skip


class LiteLLM:
    """Reads StandardLoggingPayload: NDJSON, JSON arrays, or single objects."""

    name = "litellm"
    title = "LiteLLM StandardLoggingPayload"
    account_sources = "metadata.user_api_key_user_id, .user_api_key_team_id or .user_api_key_hash"
    decoder = line_decoder(Payload)
    examples = (
        b'{"id":"chatcmpl-1","litellm_call_id":"c-1","call_type":"acompletion","stream":false,"status":"success","startTime":1767225600.25,"endTime":1767225601.5,"response_time":1.25,"model":"openai/gpt","model_group":"gpt","custom_llm_provider":"openai","response_cost":0.002,"prompt_tokens":11,"completion_tokens":5,"metadata":{"user_api_key_user_id":"alice","user_api_key_team_id":"red","user_api_key_hash":"88dc28d0","requester_ip_address":"192.0.2.7","user_agent":"OpenAI/Python 2.54.0"},"model_parameters":{"temperature":0.2,"max_tokens":64},"end_user":"","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Name a river."}],"response":{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":"Rhine"}}]}}',
        b'[{"id":"f-1","call_type":"acompletion","status":"failure","startTime":1767225602.0,"endTime":1767225602.1,"model":"gpt","metadata":{"user_api_key_hash":"88dc28d0"},"model_parameters":{},"response_cost":0,"custom_llm_provider":null,"messages":"Name a lake.","error_information":{"error_code":"429"}}]',
    )

    def resembles(self, record: Mapping[str, Any]) -> float:
        """See `LineFormat`."""
        found = sum(sign in record for sign in _SIGNS)
        return min(found / 6, 1.0) if "startTime" in record else 0.0

    def read(self, records: Sequence[Payload], places: Places, account_fields: tuple[str, ...]) -> Fields:  # noqa: ARG002 - LiteLLM has fixed places for it
        """See `LineFormat`."""
        metas = [record.metadata or _NO_METADATA for record in records]
        params = [record.model_parameters or _NO_PARAMETERS for record in records]
        conversations, refused = read_each(records, _conversation, NO_TEXT)
        kits, refused_kits = _kits(params)
        columns = _identity(records, metas) | _request(records, params) | _outcome(records, metas)
        columns["tool_names"] = [kit.names for kit in kits]
        columns["turn"] = [conversation.turn for conversation in conversations]
        columns["extra"] = media_extra(conversations)
        columns["system"] = [conversation.system for conversation in conversations]
        columns["history"] = [conversation.history for conversation in conversations]
        columns["prompt"] = [conversation.prompt for conversation in conversations]
        columns["tools"] = [kit.definitions for kit in kits]
        columns["reasoning"] = _reasoning(records, conversations)
        return Fields(
            places=places,
            columns=columns,
            refused=refused_kits | refused,
            skipped=_without_account(records, columns["account_id"]),
        )


def _identity(records: Sequence[Payload], metas: Sequence[Metadata]) -> dict[str, list[Any]]:
    pairs = list(zip(records, metas, strict=True))
    return {
        "exchange_id": [_exchange_id(record) for record in records],
        "ts": [record.startTime for record in records],
        "account_id": [
            m.user_api_key_user_id or m.user_api_key_team_id or m.user_api_key_hash or None for m in metas
        ],
        "org_id": [m.user_api_key_org_id or m.user_api_key_team_id or None for m in metas],
        "key_id": [m.user_api_key_hash or None for m in metas],
        "channel": [_channel(bytes(record.request_tags)) for record in records],
        "conversation_id": [record.session_id or None for record in records],
        "end_user_id": [r.end_user or m.user_api_key_end_user_id or None for r, m in pairs],
        "ip": [r.requester_ip_address or m.requester_ip_address or None for r, m in pairs],
        "user_agent": [r.user_agent or m.user_agent or None for r, m in pairs],
        "client_fingerprint": [_client(m.requester_custom_headers) for m in metas],
        "endpoint": [m.user_api_key_request_route or r.call_type for r, m in pairs],
    }


def _request(records: Sequence[Payload], params: Sequence[Parameters]) -> dict[str, list[Any]]:
    seconds = [record.response_time for record in records]
    costs = [record.response_cost for record in records]
    return {
        "model": [record.model_group or record.model for record in records],
        "max_tokens": [p.max_tokens or p.max_completion_tokens or p.max_output_tokens for p in params],
        "temperature": [p.temperature for p in params],
        "top_p": [p.top_p for p in params],
        "n": [p.n for p in params],
        "logprobs": [None if p.logprobs is None else bool(p.logprobs) for p in params],
        "stream": [p.stream if r.stream is None else r.stream for r, p in zip(records, params, strict=True)],
        "input_tokens": [record.prompt_tokens for record in records],
        "output_tokens": [record.completion_tokens for record in records],
        "latency_ms": [None if time is None else time * 1e3 for time in seconds],
        "cost": costs,
        "currency": [None if cost is None else "USD" for cost in costs],
    }


def _outcome(records: Sequence[Payload], metas: Sequence[Metadata]) -> dict[str, list[Any]]:
    answers = [r.response if type(r.response) is Response else _NO_RESPONSE for r in records]
    firsts = [(answer.choices or _NO_CHOICES)[0] for answer in answers]
    finishes = [a.stop_reason or f.finish_reason for a, f in zip(answers, firsts, strict=True)]
    usages = [m.usage_object or _NO_USAGE for m in metas]
    return {
        "finish_reason": finishes,
        "refusal_category": [
            None
            if finish == "stop" and (first.message is None or first.message.refusal is None)
            else _refusal(finish, answer, first)
            for finish, answer, first in zip(finishes, answers, firsts, strict=True)
        ],
        "status": [200 if record.status == "success" else _status(record) for record in records],
        "reasoning_tokens": [_reasoning_tokens(usage) for usage in usages],
        "cached_tokens": [_cached_tokens(usage) for usage in usages],
    }


@lru_cache(maxsize=1024)
def _channel(tags: bytes) -> str | None:
    """Return the first `channel:<name>` among the tags of a request; tags are free text, so only a short name."""
    if b"channel:" not in tags:
        return None
    try:
        given = msgspec.json.decode(tags)
    except READ_ERRORS:
        return None
    words = [tag for tag in given if isinstance(tag, str)] if isinstance(given, list) else []
    names = [word.removeprefix("channel:") for word in words if word.startswith("channel:")]
    return next(filter(is_identifier, names), None)


def _exchange_id(record: Payload) -> str | None:
    """Return an id that differs between the attempts of one call, of which only one can succeed."""
    if record.status == "failure" and record.litellm_call_id:
        return f"{record.litellm_call_id}~{record.startTime}"
    return record.litellm_call_id or record.id


def _client(headers: Headers | None) -> str | None:
    if headers is None:
        return None
    if headers.ja4 or headers.x_ja4:
        return f"ja4:{headers.ja4 or headers.x_ja4}"
    if not headers.lang:
        return None
    h = headers
    return stainless(h.lang, h.version, h.os, h.arch, h.runtime, h.runtime_version)


def _conversation(record: Payload) -> Conversation:
    parameters = record.model_parameters
    if parameters is None or (parameters.instructions is None and parameters.system is None):
        return converse(record.messages)
    stated = flat(parameters.system) if parameters.instructions is None else parameters.instructions
    return converse(record.messages, stated)


def _kits(params: Sequence[Parameters]) -> tuple[list[Tools], dict[int, Refusal]]:
    """Return the tools of each request; most requests have none."""
    given = [bytes(p.tools) or bytes(p.functions) for p in params]
    return read_each(given, tools, NO_TOOLS) if any(given) else ([NO_TOOLS] * len(given), {})


def _reasoning(
    records: Sequence[Payload], conversations: Sequence[Conversation]
) -> list[tuple[str, ...] | None]:
    """Return ids of reasoning blocks in requests and answers."""
    answers = [r.response.choices or () if type(r.response) is Response else () for r in records]
    sent = [conversation.reasoning for conversation in conversations]
    return [(*asked, *_signatures(answer)) or None for asked, answer in zip(sent, answers, strict=True)]


def _signatures(choices: Sequence[Choice]) -> tuple[str, ...]:
    found: list[Thought] = []
    for choice in choices:
        if choice.message is not None and choice.message.thinking_blocks is not None:
            found += choice.message.thinking_blocks
    return tuple([block.signature for block in found if block.signature]) if found else ()


def _refusal(finish: str | None, answer: Response, first: Choice) -> str | None:
    if finish == "refusal":
        return (answer.stop_details.category if answer.stop_details else None) or "unspecified"
    if finish == "content_filter":
        return "content_filter"
    return "unspecified" if first.message is not None and first.message.refusal is not None else None


def _status(record: Payload) -> int | None:
    """Return the HTTP status of a failure; LiteLLM may note the status of a broken upstream answer (200)."""
    if record.status is None:
        return None
    code = str(record.error_information.error_code or "") if record.error_information else ""
    return int(code) if code.isascii() and code.isdigit() and 400 <= int(code) < 600 else 500


def _reasoning_tokens(usage: Usage) -> int | None:
    details = usage.completion_tokens_details or usage.output_tokens_details
    return details.reasoning_tokens if details else None


def _cached_tokens(usage: Usage) -> int | None:
    details = usage.prompt_tokens_details or usage.input_tokens_details
    return details.cached_tokens if details else usage.cache_read_input_tokens


def _without_account(records: Sequence[Payload], accounts: Sequence[str | None]) -> frozenset[int]:
    """Return failed requests of nobody: what the proxy turned away before it knew who asked."""
    if None not in accounts:
        return frozenset()
    pairs = enumerate(zip(records, accounts, strict=True))
    return frozenset(i for i, (record, account) in pairs if account is None and record.status == "failure")


__all__ = ["LiteLLM", "Payload"]
