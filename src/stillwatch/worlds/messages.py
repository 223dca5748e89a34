"""Messages of conversations as JSON, each turn encoded once however often it is sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa


class Messages:
    """Encoded turns of a world's exchanges, in conversation order."""

    def __init__(self, exchanges: pa.Table, systems: tuple[str, ...]) -> None:
        """Encode every turn of `exchanges` (columns of `part.EXCHANGES` and `exchange_id`)."""
        encode = msgspec.json.Encoder().encode
        calls = [f"call_{identifier[:16]}" for identifier in exchanges["exchange_id"].to_pylist()]
        self._opener: list[int] = exchanges["opener"].to_pylist()
        self._system: list[int | None] = exchanges["system"].to_pylist()
        self._systems = [encode({"role": "system", "content": text}) for text in systems]
        prompts, from_tool = exchanges["prompt"].to_pylist(), exchanges["from_tool"].to_pylist()
        self._said: list[bytes] = [b""] * (2 * len(calls))
        self._said[::2] = [
            encode(
                {"role": "tool", "tool_call_id": calls[row - 1], "content": text}
                if tool
                else {"role": "user", "content": text}
            )
            for row, (text, tool) in enumerate(zip(prompts, from_tool, strict=True))
        ]
        self._said[1::2] = [
            encode(_assistant(text, called, call))
            for text, called, call in zip(
                exchanges["answer"].to_pylist(), exchanges["tool_called"].to_pylist(), calls, strict=True
            )
        ]

    def sent(self, row: int) -> bytes:
        """All messages that were sent in exchange `row`, as a JSON array."""
        turns = self._said[2 * self._opener[row] : 2 * row + 1]
        system = self._system[row]
        return b"[" + b",".join(turns if system is None else [self._systems[system], *turns]) + b"]"

    def answered(self, row: int) -> bytes:
        """The message that came back in exchange `row`."""
        return self._said[2 * row + 1]


def _assistant(text: str | None, called: str | None, call: str) -> dict[str, object]:
    if called is None:
        return {"role": "assistant", "content": text or ""}
    function = {"name": called, "arguments": '{"path":"src"}'}
    return {
        "role": "assistant",
        "content": text,
        "tool_calls": [{"id": call, "type": "function", "function": function}],
    }
