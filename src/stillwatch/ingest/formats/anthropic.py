"""Raw request-answer pairs of the Anthropic Messages interface."""

# ruff: noqa: E501 - examples of log lines are whole lines

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from stillwatch.ingest.conversation import Part, converse, flat, tools, type_messages
from stillwatch.ingest.draft import Reading, row_of
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

if TYPE_CHECKING:
    from collections.abc import Mapping


class Caller(msgspec.Struct, gc=False):
    """Who asks, as the client says."""

    user_id: str | None = None


class Request(msgspec.Struct, gc=False):
    """What is read of a request body."""

    model: str | None = None
    system: str | list[Part] | None = None
    messages: type_messages = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stream: bool | None = None
    tools: msgspec.Raw = msgspec.Raw(b"")
    metadata: Caller | None = None


class Details(msgspec.Struct, gc=False):
    """Part of a usage object."""

    reasoning_tokens: int | None = None
    thinking_tokens: int | None = None


class Usage(msgspec.Struct, gc=False):
    """Tokens; what was read from or written to the cache is not among the input tokens."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: Details | None = None


class StopDetails(msgspec.Struct, gc=False):
    """Why the model refused."""

    category: str | None = None


class Block(msgspec.Struct, gc=False):
    """What is read of a content block, or of a piece of one; never its words."""

    type: str | None = None
    signature: str | None = None
    stop_reason: str | None = None
    stop_details: StopDetails | None = None


class Response(msgspec.Struct, gc=False):
    """What is read of an answer body, or of one event of a stream."""

    id: str | None = None
    content: list[Block] | None = None
    stop_reason: str | None = None
    stop_details: StopDetails | None = None
    usage: Usage | None = None
    message: Response | str | None = None
    content_block: Block | None = None
    delta: Block | None = None


_REQUESTS = msgspec.json.Decoder(Request, strict=False)
_RESPONSES = msgspec.json.Decoder(Response | list[Response], strict=False)


def _resembles(record: Mapping[str, Any]) -> float:
    pair = pair_of(record)
    if pair is None or "messages" not in pair[0]:
        return 0.0
    request, response = pair
    answered = response.get("type") in ("message", "message_start") or "stop_reason" in response
    path = str(record.get("path") or record.get("endpoint") or record.get("url") or "")
    told = "anthropic_version" in request or "system" in request or path.endswith("/messages")
    return 1.0 if answered else 0.8 if told and "choices" not in response else 0.0


def _read(envelope: Envelope, account_fields: tuple[str, ...]) -> Reading:
    request = _REQUESTS.decode(request_body(envelope))
    response = answer(body(envelope, RESPONSE), _RESPONSES, _joined)
    conversation = converse(request.messages, flat(request.system) or None)
    kit = tools(bytes(request.tools))
    values = envelope_columns(envelope, account_fields) | {
        "tool_names": kit.names,
        "model": request.model,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_tokens": request.max_tokens,
        "stream": request.stream,
        "end_user_id": request.metadata.user_id if request.metadata else None,
        "finish_reason": response.stop_reason,
        "refusal_category": _refusal(response),
    }
    values |= _tokens(response.usage or Usage())
    values["ts"] = values.get("ts") or "missing"
    values["exchange_id"] = values["exchange_id"] or response.id
    signed = tuple(block.signature for block in response.content or () if block.signature)
    return Reading(row_of(values, conversation), conversation, kit.definitions, signed)


def _joined(pieces: list[Response]) -> Response:
    whole, blocks = Response(), []
    usage: dict[str, Any] = {}
    for piece in pieces:
        start = piece.message if isinstance(piece.message, Response) else Response()
        whole.id = whole.id or start.id
        for used in (start.usage, piece.usage):
            told = msgspec.structs.asdict(used).items() if used else ()
            usage |= {name: count for name, count in told if count is not None}
        blocks += [block for block in (piece.content_block, piece.delta) if block is not None]
    whole.usage = Usage(**usage)
    whole.content = blocks
    for block in blocks:
        whole.stop_reason = block.stop_reason or whole.stop_reason
        whole.stop_details = block.stop_details or whole.stop_details
    return whole


def _refusal(response: Response) -> str | None:
    if response.stop_reason != "refusal":
        return None
    return (response.stop_details.category if response.stop_details else None) or "unspecified"


def _tokens(usage: Usage) -> dict[str, Any]:
    sent = (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens)
    told = [count for count in sent if count is not None]
    if any(count < 0 for count in told):
        return {"input_tokens": min(told)}
    details = usage.output_tokens_details or Details()
    return {
        "input_tokens": sum(told) if told else None,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cache_read_input_tokens,
        "reasoning_tokens": details.thinking_tokens
        if details.reasoning_tokens is None
        else details.reasoning_tokens,
    }


ANTHROPIC = RecordFormat(
    name="anthropic",
    title="Anthropic request-answer pairs",
    account_sources=ACCOUNT_SOURCES,
    decoder=line_decoder(Envelope),
    examples=(
        b'{"ts":1767225600500,"account_id":"acct-1","ip":"2001:db8::1","request":{"model":"claude-x","max_tokens":64,"system":"Be brief.","messages":[{"role":"user","content":"Name a river."}],"metadata":{"user_id":"u-9"}},"response":{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"thinking","thinking":"...","signature":"c2lnbmF0dXJl"},{"type":"text","text":"Main"}],"stop_reason":"end_turn","usage":{"input_tokens":12,"output_tokens":4,"cache_read_input_tokens":3}}}',
        b'{"time":"2026-01-01T01:00:00+01:00","headers":[["x-api-key","secret"],["anthropic-version","2023-06-01"]],"request":"{\\"model\\":\\"claude-x\\",\\"max_tokens\\":9,\\"messages\\":[{\\"role\\":\\"user\\",\\"content\\":\\"Hi\\"}]}","response":"event: message_start\\ndata: {\\"type\\":\\"message_start\\",\\"message\\":{\\"id\\":\\"msg_2\\",\\"type\\":\\"message\\",\\"usage\\":{\\"input_tokens\\":3}}}\\n\\ndata: {\\"type\\":\\"message_delta\\",\\"delta\\":{\\"stop_reason\\":\\"refusal\\",\\"stop_details\\":{\\"category\\":\\"cyber\\"}},\\"usage\\":{\\"output_tokens\\":1}}\\n"}',
    ),
    resembles=_resembles,
    read_record=_read,
)
"""Reads lines `{"request": ..., "response": ..., "ts": ..., "account_id": ...}`."""
