"""Attributes of one model call in the vocabularies that are in use, and what they mean to us.

Sources: OpenTelemetry semantic conventions for GenAI (present names, and those up to 1.36), OpenInference
semantic conventions 0.1, OpenLLMetry's numbered attributes, Langfuse's OpenTelemetry attributes.
"""

# ruff: noqa: E501 - tables of names read better unbroken

from __future__ import annotations

import re
from typing import Any

import msgspec

from stillwatch.ingest.conversation import (
    NO_TEXT,
    NO_TOOLS,
    Conversation,
    Tools,
    converse,
    read_tools,
    type_messages,
)
from stillwatch.ingest.draft import Reading, row_of

_NAMES: dict[str, tuple[str, ...]] = {
    "account_id": ("user.id", "enduser.id", "enduser.pseudo.id", "langfuse.user.id"),
    "org_id": ("organization.id", "org.id", "tenant.id"),
    "key_id": ("api_key.id", "api_key.hash"),
    "conversation_id": ("gen_ai.conversation.id", "session.id", "langfuse.session.id"),
    "ip": ("client.address", "http.client_ip"),
    "user_agent": ("user_agent.original", "http.user_agent"),
    "client_fingerprint": ("tls.client.ja4", "client.ja4"),
    "model": (
        "gen_ai.request.model", "llm.request.model_name", "llm.model_name", "langfuse.observation.model.name",
        "gen_ai.response.model", "llm.response.model_name",
    ),
    "endpoint": ("url.path", "http.route", "gen_ai.operation.name"),
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens", "llm.token_count.completion_details.reasoning"),
    "cached_tokens": ("gen_ai.usage.cache_read.input_tokens", "llm.token_count.prompt_details.cache_read"),
    "temperature": ("gen_ai.request.temperature",),
    "top_p": ("gen_ai.request.top_p",),
    "max_tokens": ("gen_ai.request.max_tokens",),
    "n": ("gen_ai.request.choice.count",),
    "stream": ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming"),
    "cost": ("llm.cost.total", "gen_ai.usage.cost"),
    "status": ("http.response.status_code", "http.status_code"),
}  # fmt: skip
_CHAT = frozenset({"chat", "text_completion", "generate_content", "completion"})
_MODEL_NAMES = ("gen_ai.request.model", "llm.model_name", "llm.request.model_name")
_PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "n": "n",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "stream": "stream",
}
_OLD_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_MESSAGES = (
    "gen_ai.input.messages",
    "gen_ai.prompt",
    "langfuse.observation.input",
    "llm.prompts",
    "input.value",
)
_DECODER = msgspec.json.Decoder(type_messages, strict=False)


class Call(msgspec.Struct):
    """One span or log record.

    Attributes:
        attributes: Its attributes over those of its resource.
        nanoseconds: When it began.
        identity: Trace and span, or None where it has none.
        events: Names and attributes of what happened in it.
        failed: Whether it is marked as failed.
        latency_ms: How long it took.
    """

    attributes: dict[str, Any]
    nanoseconds: int | None
    identity: str | None
    events: list[tuple[str, dict[str, Any]]] = msgspec.field(default_factory=list)
    failed: bool = False
    latency_ms: float | None = None


def read_call(call: Call, account_fields: tuple[str, ...]) -> Reading | None:
    """Return the exchange that `call` is, or None if it is no call of a model."""
    told = call.attributes
    if not is_exchange(told):
        return None
    conversation, kit = _conversation(call), _tools(told)
    named = {column: _first(told, names) for column, names in _NAMES.items()}
    values = _parameters(told) | {column: value for column, value in named.items() if value is not None}
    values["account_id"] = _first(told, account_fields) or values.get("account_id")
    values["exchange_id"] = call.identity or told.get("gen_ai.response.id")
    values["ts"] = "missing" if call.nanoseconds is None else call.nanoseconds
    values["latency_ms"] = call.latency_ms
    values["tool_names"] = kit.names
    values["status"] = values.get("status") or (500 if call.failed else 200)
    values |= _outcome(told) | _langfuse(told)
    return Reading(row_of(values, conversation), conversation, kit.definitions)


def is_exchange(told: dict[str, Any]) -> bool:
    """Say whether attributes are those of a call of a language model, and not of an agent, tool or database."""
    operation = told.get("gen_ai.operation.name")
    kind = told.get("openinference.span.kind")
    observed = told.get("langfuse.observation.type")
    if operation is not None or kind is not None or observed is not None:
        return operation in _CHAT or kind == "LLM" or observed == "generation"
    return any(name in told for name in _MODEL_NAMES)


def _first(told: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((told[name] for name in names if told.get(name) not in (None, "")), None)


def _parameters(told: dict[str, Any]) -> dict[str, Any]:
    """Return sampling settings that stand in one JSON object (OpenInference, Langfuse)."""
    given = _json(_first(told, ("llm.invocation_parameters", "langfuse.observation.model.parameters")))
    if not isinstance(given, dict):
        return {}
    found = {column: given[name] for name, column in _PARAMETERS.items() if name in given}
    logprobs = given.get("logprobs")
    return found | ({"logprobs": bool(logprobs)} if isinstance(logprobs, bool | int) else {})


def _outcome(told: dict[str, Any]) -> dict[str, Any]:
    reasons = told.get("gen_ai.response.finish_reasons") or told.get("llm.finish_reason")
    reasons = _json(reasons) if isinstance(reasons, str) and reasons.startswith("[") else reasons
    finish = reasons[0] if isinstance(reasons, list) and reasons else reasons
    finish = finish if isinstance(finish, str) else None
    refused = {"refusal": "unspecified", "content_filter": "content_filter"}.get(finish or "")
    return {"finish_reason": finish, "refusal_category": refused}


def _langfuse(told: dict[str, Any]) -> dict[str, Any]:
    usage, cost = (_json(told.get(f"langfuse.observation.{part}_details")) for part in ("usage", "cost"))
    found = {}
    if isinstance(usage, dict):
        found = {"input_tokens": usage.get("input"), "output_tokens": usage.get("output")}
    if isinstance(cost, dict) and "total" in cost:
        found["cost"] = cost["total"]
    return {name: value for name, value in found.items() if value is not None}


def _conversation(call: Call) -> Conversation:
    told = call.attributes
    system = _system(told.get("gen_ai.system_instructions"))
    for prefix, unwrap in (("llm.input_messages.", "message"), ("gen_ai.prompt.", None)):
        numbered = _numbered(told, prefix)
        if numbered:
            return converse(
                _decode([_message(each.get(unwrap, {}) if unwrap else each) for each in numbered]), system
            )
    events = [_from_event(*event) for event in call.events]
    stated = [message for message in events if message is not None]
    if stated:
        return converse(_decode(stated), system)
    given = _first(told, _MESSAGES)
    given = given or next((e["gen_ai.prompt"] for _, e in call.events if e.get("gen_ai.prompt")), None)
    if given is None:
        return NO_TEXT if system is None else Conversation(system, None, None, None, 0, ())
    return converse(_decode(given), system)


def _decode(given: Any) -> type_messages:
    """Read messages that are given as JSON in a string, as structured values, or as the bare prompt."""
    value = _json(given)
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        value = value["messages"]
    if isinstance(value, str | int | float | bool) or value is None:
        return given if isinstance(given, str) else None
    messages: type_messages = _DECODER.decode(msgspec.json.encode(value))
    return messages


def _system(given: Any) -> str | None:
    value = _json(given)
    if isinstance(value, str) or value is None:
        return value or None
    parts = value if isinstance(value, list) else [value]
    told = [part if isinstance(part, str) else part.get("content") or part.get("text") for part in parts]
    return "\n".join(text for text in told if isinstance(text, str)) or None


def _json(given: Any) -> Any:
    """Return the JSON in a string, or what was given where it is no JSON."""
    if not isinstance(given, str) or given.lstrip()[:1] not in ("{", "["):
        return given
    try:
        return msgspec.json.decode(given)
    except msgspec.DecodeError:
        return given


def _from_event(name: str, told: dict[str, Any]) -> dict[str, Any] | None:
    if name not in _OLD_EVENTS:
        return None
    return {"role": _OLD_EVENTS[name], "content": told.get("content")}


_NUMBER = re.compile(r"\d{1,6}")


def _numbered(told: dict[str, Any], prefix: str) -> list[dict[str, Any]]:
    """Put attributes such as `prefix0.message.role` back together, one dictionary for each number."""
    found: dict[int, dict[str, Any]] = {}
    for name, value in told.items():
        if name.startswith(prefix):
            number, _, rest = name[len(prefix) :].partition(".")
            if rest and _NUMBER.fullmatch(number):
                _place(found.setdefault(int(number), {}), rest.split("."), value)
    return [found[number] for number in sorted(found)]


def _place(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        below = tree.setdefault(name, {})
        if not isinstance(below, dict):
            return
        tree = below
    tree[path[-1]] = value


def _message(told: dict[str, Any]) -> dict[str, Any]:
    """Return a message of OpenInference or OpenLLMetry in the shape of the chat interface."""
    parts = [each.get("message_content", {}) for each in _listed(told.get("contents"))]
    calls = [each.get("tool_call", each).get("function", {}) for each in _listed(told.get("tool_calls"))]
    content = _json(told.get("content"))
    message: dict[str, Any] = {"role": told.get("role")}
    message["content"] = parts or (content if isinstance(content, str | list) else None)
    if calls:
        message["tool_calls"] = [{"function": call} for call in calls]
    return message


def _listed(tree: Any) -> list[dict[str, Any]]:
    if not isinstance(tree, dict):
        return []
    numbers = sorted((int(number), each) for number, each in tree.items() if _NUMBER.fullmatch(number))
    return [each for _, each in numbers if isinstance(each, dict)]


def _tools(told: dict[str, Any]) -> Tools:
    given = told.get("gen_ai.tool.definitions")
    if given is not None:
        return read_tools(_json(given))
    listed = [_json(each.get("tool", {}).get("json_schema")) for each in _numbered(told, "llm.tools.")]
    schemas = [schema for schema in listed if isinstance(schema, dict)]
    return read_tools(schemas) if schemas else NO_TOOLS
