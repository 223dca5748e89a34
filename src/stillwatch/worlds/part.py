"""The two tables that every population hands back, and how rows get their counts and outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.worlds.identities import RECORDS, Records
from stillwatch.worlds.shapes import Ints, draw, whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stillwatch.worlds.conversations import Rows
    from stillwatch.worlds.pen import Column
    from stillwatch.worlds.settings import Settings
    from stillwatch.worlds.stage import Stage

EXCHANGES = pa.schema(
    [
        ("account", pa.int64()),
        ("ts", pa.int64()),
        ("opener", pa.int64()),
        ("turn", pa.int64()),
        ("strand", pa.bool_()),
        ("system", pa.int32()),
        ("tools", pa.int32()),
        ("prompt", pa.string()),
        ("answer", pa.string()),
        ("from_tool", pa.bool_()),
        ("tool_called", pa.string()),
        ("model", pa.string()),
        ("temperature", pa.float64()),
        ("top_p", pa.float64()),
        ("max_tokens", pa.int64()),
        ("n", pa.int64()),
        ("logprobs", pa.bool_()),
        ("stream", pa.bool_()),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("reasoning_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("latency_ms", pa.int64()),
        ("finish_reason", pa.string()),
        ("status", pa.int32()),
        ("ip", pa.int64()),
        ("user_agent", pa.string()),
        ("platform", pa.string()),
        ("end_user", pa.string()),
        ("channel", pa.string()),
        ("session", pa.bool_()),
    ]
)
"""Exchanges of a population. `account`, `opener`, `system` and `tools` are indexes inside the part."""


def exchange_schema(fields: Mapping[str, pa.DataType]) -> pa.Schema:
    """Return `EXCHANGES` with the `fields` of a pen in the place of the texts."""
    kinds = {field.name: field.type for field in EXCHANGES}
    names = list(kinds)
    place = names.index("prompt")
    names[place : place + 2] = fields
    return pa.schema([(name, fields.get(name, kinds.get(name))) for name in names])


class Part(msgspec.Struct, frozen=True):
    """One population: its accounts, its exchanges, and the long texts that many exchanges repeat.

    Attributes:
        accounts: Columns of `RECORDS`.
        exchanges: Columns of `EXCHANGES`, in conversation order.
        systems: System prompts that `exchanges.system` points to.
        tools: Tool definitions (JSON) that `exchanges.tools` points to.
    """

    accounts: pa.Table
    exchanges: pa.Table
    systems: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


class Texts(msgspec.Struct, frozen=True):
    """What is said in the exchanges of a part; -1 in `system` or `tools` means none.

    `past` is the identity of the conversation before a row where it is not the row's own (0 = its own), such
    as a session that is replayed; `blocks` that of a reasoning block sent along (0 = none).
    """

    prompt: Column
    answer: Column
    systems: Sequence[str] = ()
    system: Ints | None = None
    tools: Sequence[str] = ()
    tool: Ints | None = None
    from_tool: npt.NDArray[np.bool_] | None = None
    tool_called: pa.StringArray | None = None
    past: Ints | None = None
    blocks: Ints | None = None


REPLY = (1, 6, 14, 32, 90, 220, 480, 900, 1300, 2400, 4096)
"""Output tokens of people's chats, quantiles at `LEVELS`: near the answers of ShareGPT."""
SHORT_REPLY = (1, 2, 4, 7, 16, 64, 133, 357, 572, 1796, 4096)
"""Output tokens of programs: medians over ServeGen's language clients."""
LONG_REPLY = (40, 120, 240, 380, 700, 1250, 2100, 3400, 4600, 7600, 12000)
"""Output tokens where reasoning is written out (assumption)."""


def assemble(
    stage: Stage,
    records: Records,
    rows: Rows,
    texts: Texts,
    settings: Settings,
    ip: Ints,
    reply: Sequence[float] | None = None,
    strand: npt.NDArray[np.bool_] | None = None,
    end_user: pa.StringArray | None = None,
    channel: str | npt.NDArray[np.str_] = "api",
    answered: Ints | None = None,
) -> Part:
    """Count tokens, draw outcomes and put a part together.

    Args:
        stage: Window and streams of the population.
        records: Its accounts.
        rows: Its exchanges' accounts, moments and turns.
        texts: What they say.
        settings: What they ask for, already one value a row.
        ip: Address of each row.
        reply: Quantiles of output tokens; those of chats if not given.
        strand: Which rows belong to a campaign; none if not given.
        end_user: End user named by the client, if any.
        channel: Where the requests come in.
        answered: HTTP status of each row where it is decided already (0 = not).
    """
    rng = stage.rng("outcome")
    count = len(rows)
    system = _or(texts.system, -1, count)
    tool = _or(texts.tool, -1, count)
    status = _status(count, answered, rng)
    spoken = _tokens(stage.pen.sizes(texts.prompt))
    fixed = _long_text_tokens(texts.systems, system) + _long_text_tokens(texts.tools, tool)
    history = _history(rows, spoken + _tokens(stage.pen.sizes(texts.answer)))
    reply_tokens = whole(draw(reply or stage.traffic.reply, count, rng))
    cut = (settings.max_tokens > 0) & (reply_tokens >= settings.max_tokens)
    output = np.where(status == 200, np.where(cut, settings.max_tokens, reply_tokens), 0)
    cached = np.where((rows.turn > 0) & (status == 200), (fixed + history) // 128 * 128, 0)
    called = texts.tool_called if texts.tool_called is not None else pa.nulls(count, pa.string())
    finish = np.where(cut, "length", np.where(rng.random(count) < 0.003, "content_filter", "stop"))
    exchanges = pa.table(
        {
            "account": rows.account,
            "ts": rows.ts,
            "opener": rows.opener,
            "turn": rows.turn,
            "strand": np.zeros(count, bool) if strand is None else strand,
            "system": pa.array(system.astype(np.int32), mask=system < 0),
            "tools": pa.array(tool.astype(np.int32), mask=tool < 0),
            **stage.pen.columns(texts.prompt, texts.answer, status == 200, texts.past, texts.blocks),
            "from_tool": np.zeros(count, bool) if texts.from_tool is None else texts.from_tool,
            "tool_called": called,
            "model": settings.model,
            "temperature": pa.array(settings.temperature, mask=np.isnan(settings.temperature)),
            "top_p": pa.array(settings.top_p, mask=np.isnan(settings.top_p)),
            "max_tokens": pa.array(settings.max_tokens, mask=settings.max_tokens <= 0),
            "n": pa.array(settings.n, mask=settings.n <= 0),
            "logprobs": pa.array(settings.logprobs, mask=~settings.logprobs),
            "stream": settings.stream,
            "input_tokens": fixed + history + spoken + 4,
            "output_tokens": output,
            "reasoning_tokens": np.where(
                settings.thinks, (output * rng.uniform(0.3, 0.8, count)).astype(np.int64), 0
            ),
            "cached_tokens": cached,
            "latency_ms": (300 + rng.integers(0, 900, count) + output * rng.integers(8, 22, count)),
            "finish_reason": pc.if_else(pc.is_valid(called), "tool_calls", pa.array(finish)),
            "status": status,
            "ip": ip,
            "user_agent": settings.user_agent,
            "platform": pa.array(settings.platform, pa.string()),
            "end_user": pa.nulls(count, pa.string()) if end_user is None else end_user,
            "channel": np.broadcast_to(channel, count),
            "session": settings.session,
        }
    ).cast(exchange_schema(stage.pen.fields))
    return Part(records.table().cast(RECORDS), exchanges, tuple(texts.systems), tuple(texts.tools))


def _or(values: Ints | None, default: int, count: int) -> Ints:
    return np.full(count, default, dtype=np.int64) if values is None else values


def _status(count: int, answered: Ints | None, rng: np.random.Generator) -> Ints:
    usual = np.array([200, 429, 500, 400])[np.searchsorted([0.9885, 0.995, 0.998], rng.random(count))]
    return usual if answered is None else np.where(answered > 0, answered, usual)


def _tokens(sizes: Ints) -> Ints:
    """Count tokens as four bytes each, about right for English and for UTF-8 of other scripts."""
    return np.asarray(sizes // 4 + 1)


def _long_text_tokens(texts: Sequence[str], which: Ints) -> Ints:
    lengths = np.array([len(text.encode()) // 4 + 1 for text in texts] + [0], dtype=np.int64)
    return lengths[which]


def _history(rows: Rows, turn_tokens: Ints) -> Ints:
    """Tokens of the turns before each row in the same conversation."""
    before = np.cumsum(turn_tokens) - turn_tokens
    return np.asarray(before - before[rows.opener])
