"""Write a world as files: logs of each day, accounts, enforcement, and the truth beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.model.columns import VERIFICATIONS
from stillwatch.model.errors import InputError
from stillwatch.worlds import canonical_log, envoy_log, litellm_log, otlp_log, pair_log
from stillwatch.worlds.addresses import dotted
from stillwatch.worlds.dialects import ANTHROPIC, CHAT, TELEMETRY, Dialect
from stillwatch.worlds.stage import DAY
from stillwatch.worlds.times import iso
from stillwatch.worlds.view import Rendered

if TYPE_CHECKING:
    from pathlib import Path

    from stillwatch.worlds.view import Rows
    from stillwatch.worlds.world import World

Lines = Callable[[Rendered, "Rows"], Iterator[bytes]]
FORMATS: dict[str, tuple[Lines, Dialect]] = {
    "litellm": (litellm_log.lines, CHAT),
    "otlp": (otlp_log.lines, TELEMETRY),
    "openai": (pair_log.openai_lines, CHAT),
    "anthropic": (pair_log.anthropic_lines, ANTHROPIC),
    "envoy": (envoy_log.lines, CHAT),
    "ndjson": (canonical_log.lines, CHAT),
}
"""How each log format is written, and how its messages are."""
LOG_FORMATS = tuple(FORMATS)
_LEVEL = 4


class WorldFiles(msgspec.Struct, frozen=True):
    """Where the files of a world are."""

    logs: tuple[Path, ...]
    accounts: Path
    enforcement: Path
    truth: Path


def write_world(world: World, out: Path, log_format: str = "litellm") -> WorldFiles:
    """Write `world` below the folder `out`, which is made when it does not exist.

    Args:
        world: The world.
        out: Folder that gets `logs/`, `accounts.ndjson`, `enforcement.ndjson` and `truth.parquet`.
        log_format: one of `LOG_FORMATS`; `ndjson` is the canonical form, `envoy` has no text.

    Raises:
        InputError: The format is not known.
    """
    if log_format not in LOG_FORMATS:
        raise InputError("log format", f"{log_format!r} is not known", f"use one of {', '.join(LOG_FORMATS)}")
    (out / "logs").mkdir(parents=True, exist_ok=True)
    files = WorldFiles(
        logs=tuple(_write_logs(world, out / "logs", log_format)),
        accounts=out / "accounts.ndjson",
        enforcement=out / "enforcement.ndjson",
        truth=out / "truth.parquet",
    )
    files.accounts.write_bytes(b"\n".join(account_lines(world)) + b"\n")
    files.enforcement.write_bytes(b"".join(line + b"\n" for line in enforcement_lines(world)))
    pq.write_table(_named(world.truth, log_format), files.truth, compression="zstd")
    return files


def _write_logs(world: World, folder: Path, log_format: str) -> Iterator[Path]:
    lines, dialect = FORMATS[log_format]
    view = Rendered(world, dialect)
    day = (world.exchanges["ts"].to_numpy()[world.order] - world.window.start) // DAY
    for number in np.unique(day).tolist():
        moment = datetime.fromtimestamp((world.window.start + number * DAY) / 1e6, tz=UTC)
        path = folder / f"{log_format}-{moment:%Y-%m-%d}.jsonl.gz"
        content = b"\n".join(lines(view, world.order[day == number])) + b"\n"
        path.write_bytes(compressed(content))
        yield path


def _named(truth: pa.Table, log_format: str) -> pa.Table:
    """Name the exchanges as ingest names those of this format."""
    if log_format != "otlp":
        return truth
    names = [otlp_log.identity(name.partition("~")[0]) for name in truth["exchange_id"].to_pylist()]
    return truth.set_column(0, "exchange_id", pa.array(names, pa.string()))


def compressed(content: bytes) -> bytes:
    """Compress as one gzip member without a time stamp."""
    return bytes(pa.Codec("gzip", compression_level=_LEVEL).compress(content, asbytes=True))


def account_lines(world: World) -> Iterator[bytes]:
    """Render the operator's account table, one JSON object a line; nothing that is only truth."""
    table = world.accounts.filter(world.accounts["recorded"])
    hidden = ("population", "fleet", "campaign", "recorded")
    fields = [name for name in table.column_names if name not in hidden]
    lists = {name: table[name].to_pylist() for name in fields}
    lists["created_at"] = [iso(moment) for moment in lists["created_at"]]
    lists["closed_at"] = [None if moment is None else iso(moment) for moment in lists["closed_at"]]
    lists["signup_ip"] = _addresses(table["signup_ip"])
    lists["verified"] = [_verified(bits) for bits in lists["verified"]]
    ordered = sorted(zip(*(lists[name] for name in ("account_id", *fields)), strict=True))
    for values in ordered:
        record = dict(zip(fields, values[1:], strict=True))
        line = {"account_id": record.pop("account_id"), **record}
        yield msgspec.json.encode({name: value for name, value in line.items() if value is not None})


def _addresses(column: pa.ChunkedArray) -> list[str | None]:
    known = dotted(column.fill_null(0).to_numpy()).tolist()
    return [address if ok else None for address, ok in zip(known, column.is_valid().to_pylist(), strict=True)]


def _verified(bits: int) -> list[str]:
    return [name for place, name in enumerate(VERIFICATIONS) if bits >> place & 1]


def enforcement_lines(world: World) -> Iterator[bytes]:
    """Render the operator's actions, one JSON object a line."""
    account = world.accounts["account_id"].take(world.enforcement["account"]).to_pylist()
    columns = [world.enforcement[name].to_pylist() for name in ("ts", "kind", "reason")]
    for identifier, ts, kind, reason in zip(account, *columns, strict=True):
        yield msgspec.json.encode({"account_id": identifier, "ts": iso(ts), "kind": kind, "reason": reason})
