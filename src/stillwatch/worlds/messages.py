"""Messages of conversations as JSON, each turn encoded once however often it is sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from stillwatch.worlds.dialects import CHAT

if TYPE_CHECKING:
    import pyarrow as pa

    from stillwatch.worlds.dialects import Dialect


class Messages:
    """Encoded turns of a world's exchanges, in conversation order."""

    def __init__(self, exchanges: pa.Table, systems: tuple[str, ...], dialect: Dialect = CHAT) -> None:
        """Encode every turn of `exchanges` (columns of `part.EXCHANGES` and `exchange_id`) in `dialect`."""
        encode = msgspec.json.Encoder().encode
        calls = [f"call_{identifier[:16]}" for identifier in exchanges["exchange_id"].to_pylist()]
        self._opener: list[int] = exchanges["opener"].to_pylist()
        self._system: list[int | None] = exchanges["system"].to_pylist()
        self._systems = [encode(dialect.system(text)) for text in systems]
        prompts, from_tool = exchanges["prompt"].to_pylist(), exchanges["from_tool"].to_pylist()
        self._said: list[bytes] = [b""] * (2 * len(calls))
        self._said[::2] = [
            encode(dialect.tool(text, calls[row - 1]) if tool else dialect.user(text))
            for row, (text, tool) in enumerate(zip(prompts, from_tool, strict=True))
        ]
        self._said[1::2] = [
            encode(dialect.assistant(text, called, call))
            for text, called, call in zip(
                exchanges["answer"].to_pylist(), exchanges["tool_called"].to_pylist(), calls, strict=True
            )
        ]

    def sent(self, row: int) -> bytes:
        """All messages that were sent in exchange `row`, the system prompt among them, as a JSON array."""
        turns = self._said[2 * self._opener[row] : 2 * row + 1]
        system = self._system[row]
        return b"[" + b",".join(turns if system is None else [self._systems[system], *turns]) + b"]"

    def turns(self, row: int) -> bytes:
        """The same without the system prompt."""
        return b"[" + b",".join(self._said[2 * self._opener[row] : 2 * row + 1]) + b"]"

    def system(self, row: int) -> bytes | None:
        """The system prompt of exchange `row` as JSON, where it has one."""
        system = self._system[row]
        return None if system is None else self._systems[system]

    def answered(self, row: int) -> bytes:
        """The message that came back in exchange `row`."""
        return self._said[2 * row + 1]
