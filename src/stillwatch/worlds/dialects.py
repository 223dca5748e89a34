"""How a turn of a conversation is written in the interfaces whose logs a world can be had in."""

from __future__ import annotations

from typing import Any, Protocol

_ARGUMENTS = '{"path":"src"}'


class Dialect(Protocol):
    """Turns as objects that are then encoded as JSON."""

    def system(self, text: str) -> Any:
        """Write a system prompt."""

    def user(self, text: str) -> Any:
        """Write what a person said."""

    def tool(self, text: str, call: str) -> Any:
        """Write what a tool answered to the call of this id."""

    def assistant(self, text: str | None, called: str | None, call: str) -> Any:
        """Write what the model answered, and the tool that it called, if any."""


class ChatDialect:
    """Chat completions of OpenAI."""

    def system(self, text: str) -> Any:
        """Write a system prompt."""
        return {"role": "system", "content": text}

    def user(self, text: str) -> Any:
        """Write what a person said."""
        return {"role": "user", "content": text}

    def tool(self, text: str, call: str) -> Any:
        """Write what a tool answered."""
        return {"role": "tool", "tool_call_id": call, "content": text}

    def assistant(self, text: str | None, called: str | None, call: str) -> Any:
        """Write what the model answered."""
        if called is None:
            return {"role": "assistant", "content": text or ""}
        function = {"name": called, "arguments": _ARGUMENTS}
        return {
            "role": "assistant",
            "content": text,
            "tool_calls": [{"id": call, "type": "function", "function": function}],
        }


class AnthropicDialect:
    """Messages of Anthropic: the system prompt stands apart, tools answer in the user's turn."""

    def system(self, text: str) -> Any:
        """Write a system prompt."""
        return text

    def user(self, text: str) -> Any:
        """Write what a person said."""
        return {"role": "user", "content": text}

    def tool(self, text: str, call: str) -> Any:
        """Write what a tool answered."""
        return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call, "content": text}]}

    def assistant(self, text: str | None, called: str | None, call: str) -> Any:
        """Write what the model answered."""
        blocks: list[dict[str, Any]] = [{"type": "text", "text": text or ""}]
        if called is not None:
            blocks.append({"type": "tool_use", "id": call, "name": called, "input": {"path": "src"}})
        return {"role": "assistant", "content": blocks}


class TelemetryDialect:
    """Messages of OpenTelemetry's semantic conventions for generative AI."""

    def system(self, text: str) -> Any:
        """Write system instructions."""
        return [{"type": "text", "content": text}]

    def user(self, text: str) -> Any:
        """Write what a person said."""
        return {"role": "user", "parts": [{"type": "text", "content": text}]}

    def tool(self, text: str, call: str) -> Any:
        """Write what a tool answered."""
        return {"role": "tool", "parts": [{"type": "tool_call_response", "id": call, "response": text}]}

    def assistant(self, text: str | None, called: str | None, call: str) -> Any:
        """Write what the model answered."""
        parts: list[dict[str, Any]] = [{"type": "text", "content": text or ""}]
        if called is not None:
            parts.append({"type": "tool_call", "id": call, "name": called, "arguments": {"path": "src"}})
        return {"role": "assistant", "parts": parts}


CHAT: Dialect = ChatDialect()
ANTHROPIC: Dialect = AnthropicDialect()
TELEMETRY: Dialect = TelemetryDialect()
