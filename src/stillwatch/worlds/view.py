"""A world as it is logged: indexes resolved to ids, addresses and messages."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from stillwatch.worlds.addresses import dotted
from stillwatch.worlds.dialects import CHAT
from stillwatch.worlds.identify import names
from stillwatch.worlds.messages import Messages

if TYPE_CHECKING:
    from stillwatch.worlds.dialects import Dialect
    from stillwatch.worlds.world import World

Rows = np.ndarray[tuple[int], np.dtype[np.int64]]


class Rendered:
    """What both log writers need of a world, prepared once."""

    def __init__(self, world: World, dialect: Dialect = CHAT) -> None:
        """Encode messages in `dialect` and resolve accounts and keys of `world`."""
        self._world = world
        self.messages = Messages(world.exchanges, world.systems, dialect)
        self._tools = [msgspec.Raw(text.encode()) for text in world.tools]
        self._key = names("", world.accounts.num_rows, np.random.Generator(np.random.PCG64(world.seed)))

    def columns(self, rows: Rows) -> list[list[Any]]:
        """Return the columns that a log line shows, one list each, for these rows of the world."""
        table = self._world.exchanges.take(pa.array(rows))
        accounts = self._world.accounts.take(table["account"])
        opener = self._world.exchanges["exchange_id"].take(table["opener"])
        session = np.where(table["session"].to_numpy(), opener.to_numpy(), table["exchange_id"].to_numpy())
        return [
            table["exchange_id"].to_pylist(),
            session.tolist(),
            table["ts"].to_pylist(),
            table["latency_ms"].to_pylist(),
            accounts["account_id"].to_pylist(),
            accounts["org_id"].to_pylist(),
            self._key.take(table["account"].combine_chunks()).to_pylist(),
            dotted(table["ip"].to_numpy()).tolist(),
            table["user_agent"].to_pylist(),
            [None if told is None else _headers(told) for told in table["platform"].to_pylist()],
            table["end_user"].to_pylist(),
            table["channel"].to_pylist(),
            table["model"].to_pylist(),
            table["status"].to_pylist(),
            table["input_tokens"].to_pylist(),
            table["output_tokens"].to_pylist(),
            table["reasoning_tokens"].to_pylist(),
            table["cached_tokens"].to_pylist(),
            table["finish_reason"].to_pylist(),
            self.parameters(table),
        ]

    def parameters(self, table: pa.Table) -> list[dict[str, Any]]:
        """Return what each client set, leaving out what it left to the default."""
        fields = ("temperature", "top_p", "max_tokens", "n", "logprobs")
        columns = [table[name].to_pylist() for name in fields]
        tools = [None if index is None else self._tools[index] for index in table["tools"].to_pylist()]
        named = (*fields, "stream", "tools")
        streams = [flag or None for flag in table["stream"].to_pylist()]
        return [
            {name: value for name, value in zip(named, values, strict=True) if value is not None}
            for values in zip(*columns, streams, tools, strict=True)
        ]


_STAINLESS = ("lang", "package-version", "os", "arch", "runtime", "runtime-version")


@cache
def _headers(platform: str) -> dict[str, str]:
    values = zip(_STAINLESS, platform.split("|"), strict=True)
    return {f"x-stainless-{name}": value for name, value in values}
