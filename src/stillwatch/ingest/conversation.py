"""From messages in any of the usual shapes to what is new in a turn and what is repeated.

One pair of types covers chat completions and Responses of OpenAI, Messages of Anthropic and the message
parts of OpenTelemetry, because they differ in names and not in structure.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

REDACTED = "redacted-by-litellm"
"""What LiteLLM writes in place of text when message logging is off; it is no text that accounts share."""

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
    "ipython": "tool",
}
_ITEM_ROLES = {
    "function_call": "assistant",
    "custom_tool_call": "assistant",
    "reasoning": "assistant",
    "function_call_output": "tool",
    "custom_tool_call_output": "tool",
}
_TOOL_PARTS = frozenset({"tool_result", "tool_call_response"})
_CALL_PARTS = frozenset({"tool_use", "tool_call", "server_tool_use"})
_THOUGHT_PARTS = frozenset({"thinking", "redacted_thinking", "reasoning"})
_MEDIA = ("image", "input_image", "audio", "input_audio", "video", "file", "document", "blob", "uri")


class Part(msgspec.Struct, gc=False):
    """One part of a message's content."""

    type: str | None = None
    text: str | None = None
    content: str | list[Part | str] | None = None
    output: str | list[Part | str] | None = None
    signature: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"")
    arguments: msgspec.Raw = msgspec.Raw(b"")


class Thought(msgspec.Struct, gc=False):
    """A signed reasoning block beside a message, as LiteLLM keeps it."""

    signature: str | None = None


class Called(msgspec.Struct, gc=False):
    """Name and arguments of a tool call."""

    name: str | None = None
    arguments: msgspec.Raw = msgspec.Raw(b"")


class ToolCall(msgspec.Struct, gc=False):
    """A tool call beside a message's content."""

    function: Called | None = None


class Message(msgspec.Struct, gc=False):
    """One message, or one item of a Responses input."""

    role: str | None = None
    type: str | None = None
    content: str | list[Part | str] | Part | None = None
    parts: list[Part] | None = None
    output: str | list[Part | str] | None = None
    name: str | None = None
    arguments: str | None = None
    id: str | None = None
    tool_calls: list[ToolCall] | None = None
    thinking_blocks: list[Thought] | None = None


type_messages = str | list[Message | str | int | list[int]] | Message | None
"""What may stand where messages are expected; token numbers are accepted and carry no text."""


class Conversation(msgspec.Struct, frozen=True, gc=False):
    """The text of one exchange, taken apart.

    Attributes:
        system: System prompt: all leading system and developer messages.
        history: All turns before the newest one, each led by its role and a newline and closed by a newline.
        prompt: The newest user turn: user messages after the last answer, and the opening words that the
            client put into the model's mouth, if any. None where only a tool answered.
        turn: Number of user turns so far; None where there is no user text at all.
        media: Number of images, sounds and files; they are counted and not read.
        reasoning: Ids or signatures of reasoning blocks that were sent along.
    """

    system: str | None
    history: str | None
    prompt: str | None
    turn: int | None
    media: int
    reasoning: tuple[str, ...]


NO_TEXT = Conversation(None, None, None, None, 0, ())


class _Reading:
    """Segments (role, text) of one conversation while it is read."""

    __slots__ = ("media", "reasoning", "segments")

    def __init__(self) -> None:
        self.segments: list[tuple[str, str]] = []
        self.media = 0
        self.reasoning: list[str] = []

    def message(self, message: Message) -> None:
        role = _role(message)
        content = message.content
        if message.thinking_blocks:
            self.reasoning += [block.signature for block in message.thinking_blocks if block.signature]
        if message.type == "reasoning" and message.id:
            self.reasoning.append(message.id)
        if isinstance(content, str):
            self.segments.append((role, content))
        elif content is not None:
            self.parts(role, content if isinstance(content, list) else [content])
        if message.parts:
            self.parts(role, message.parts)
        if message.output is not None:
            self.segments.append((role, flat(message.output)))
        self.calls(role, message)

    def calls(self, role: str, message: Message) -> None:
        if message.arguments is not None:
            self.segments.append((role, f"{message.name or ''} {message.arguments}"))
        for call in message.tool_calls or ():
            if call.function is not None:
                words = f"{call.function.name or ''} {_raw(call.function.arguments)}"
                self.segments.append((role, words))

    def parts(self, role: str, parts: list[Part | str] | list[Part]) -> None:
        words: list[str] = []
        for part in parts:
            if isinstance(part, str):
                words.append(part)
            else:
                self.part(role, part, words)
        if words:
            self.segments.append((role, "\n".join(words)))

    def part(self, role: str, part: Part, words: list[str]) -> None:
        kind = part.type or ""
        if kind in _THOUGHT_PARTS:
            if part.signature:
                self.reasoning.append(part.signature)
        elif kind in _TOOL_PARTS:
            self.segments.append(("tool", flat(part.content) or flat(part.output)))
        elif kind in _CALL_PARTS:
            self.segments.append((role, f"{part.name or ''} {_raw(part.input)}{_raw(part.arguments)}"))
        elif kind.startswith(_MEDIA):
            self.media += 1
        elif part.text is not None:
            words.append(part.text)
        elif part.content is not None:
            words.append(flat(part.content))


def converse(messages: type_messages, system: str | None = None) -> Conversation:
    """Take `messages` apart; `system` stands before them where the interface keeps it apart."""
    if messages is None:
        return NO_TEXT if system is None else Conversation(system, None, None, None, 0, ())
    if type(messages) is list and 0 < len(messages) <= 2:
        simple = _simple(messages, system)
        if simple is not None:
            return simple
    reading = _Reading()
    for message in messages if isinstance(messages, list) else (messages,):
        if isinstance(message, str):
            reading.segments.append(("user", message))
        elif isinstance(message, Message):
            if (
                type(message.content) is str
                and message.tool_calls is None
                and message.thinking_blocks is None
            ):
                reading.segments.append((_ROLES.get(message.role or "", "user"), message.content))
            else:
                reading.message(message)
    return _take_apart(reading, system)


def _simple(messages: list[Any], system: str | None) -> Conversation | None:
    """Read the commonest of all: one user message, with or without a system prompt before it."""
    last, first = messages[-1], messages[0]
    if (
        type(last) is not Message
        or last.role != "user"
        or type(last.content) is not str
        or last.content == REDACTED
    ):
        return None
    if first is not last:
        if type(first) is not Message or first.role != "system" or type(first.content) is not str:
            return None
        system = first.content if system is None else f"{system}\n{first.content}"
    if last.parts or last.thinking_blocks or last.tool_calls:
        return None
    return Conversation(system or None, None, last.content or None, 1, 0, ())


def _take_apart(reading: _Reading, system: str | None) -> Conversation:
    segments = reading.segments
    first, end = 0, len(segments)
    while first < end and segments[first][0] == "system":
        first += 1
    while end > first and segments[end - 1][0] == "assistant":
        end -= 1
    start = end
    while start > first and segments[start - 1][0] != "assistant":
        start -= 1
    lead = [text for _, text in segments[:first]]
    newest = [text for role, text in segments[start:end] if role == "user" and text != REDACTED]
    opening = [text for _, text in segments[end:]] if newest else []
    older = segments[first:start] + [segment for segment in segments[start:end] if segment[0] != "user"]
    older += [] if newest else segments[end:]
    return Conversation(
        "\n".join(lead if system is None else [system, *lead]) or None,
        "".join([f"{role}\n{text}\n" for role, text in older]) or None,
        "\n".join(newest + opening) or None,
        _user_turns(segments) or None,
        reading.media,
        tuple(reading.reasoning),
    )


def _user_turns(segments: list[tuple[str, str]]) -> int:
    """Count runs of user messages; a tool's answer does not begin a turn of the user."""
    turns, before = 0, ""
    for role, _ in segments:
        turns += role == "user" and before != "user"
        before = role
    return turns


def _role(message: Message) -> str:
    if message.role is not None:
        return _ROLES.get(message.role, "user")
    return _ITEM_ROLES.get(message.type or "", "user")


def flat(content: str | list[Part | str] | list[Part] | None) -> str:
    """Return the text of content that has only text in it."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part if isinstance(part, str) else part.text or "" for part in content)


def _raw(value: msgspec.Raw) -> str:
    """Return JSON as it was given; `Raw` cannot stand in a union, so that what is missing is empty."""
    return bytes(value).decode()


class Tools(NamedTuple):
    """Tool definitions as canonical JSON, and the names of the tools."""

    definitions: str | None
    names: tuple[str, ...] | None


NO_TOOLS = Tools(None, None)


@lru_cache(maxsize=256)
def tools(raw: bytes) -> Tools:
    """Bring tool definitions into canonical form; the same definitions come again and again.

    Args:
        raw: The definitions as JSON.

    Raises:
        msgspec.DecodeError: `raw` is no JSON.
    """
    value = msgspec.json.decode(raw) if raw else None
    return NO_TOOLS if not value else read_tools(value)


def read_tools(value: Any) -> Tools:
    """Bring decoded tool definitions into canonical form: JSON with sorted keys, without spaces."""
    if isinstance(value, str):
        return tools(value.encode())
    if not value:
        return NO_TOOLS
    names = [_tool_name(tool) for tool in value] if isinstance(value, list) else []
    kept = tuple(name for name in names if name and len(name) <= 64 and not any(map(str.isspace, name)))
    return Tools(msgspec.json.encode(value, order="sorted").decode(), kept or None)


def _tool_name(tool: Any) -> str | None:
    if not isinstance(tool, dict):
        return None
    function = tool.get("function")
    holder = function if isinstance(function, dict) else tool
    name = holder.get("name", holder.get("type"))
    return name if isinstance(name, str) else None
