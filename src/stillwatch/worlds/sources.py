"""Real prompts and traffic statistics, read from the public files' own formats when a folder has them.

The folder is laid out as the data catalogue of the project says; whatever is missing falls back to what is
generated, so a world can be built with any part of it. Nothing of it is ever copied into the package.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt
import zstandard

from stillwatch.model.errors import InputError
from stillwatch.worlds.atlas import Atlas, read_atlas
from stillwatch.worlds.shapes import LEVELS
from stillwatch.worlds.traffic import Traffic, shipped_tables, traffic_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SHAREGPT = "prompts/sharegpt_v3_human_turns.jsonl.zst"
T0 = "prompts/t0_templated_bulk_25_per_template.jsonl.zst"
GSM8K = "bench/gsm8k_train.jsonl.zst"
LIMR = "distill/limr_math8k_prompts.json.zst"
SERVEGEN_TRACES = "traffic/servegen_client_traces.csv.zst"
CODING = "traffic/claude_code_sessions_compact.jsonl.zst"
USERS = "traffic/alibaba_gentd26_lora_request_trace.csv.zst"
AZURE_CHATS = "traffic/azure2023_conv.csv.zst"
SERVEGEN_LENGTHS = "traffic/servegen_client_length_quantiles.jsonl.zst"


class Client(msgspec.Struct, frozen=True):
    """One ServeGen client: what it sent in each ten-minute window.

    Attributes:
        pool: Category and model.
        client: Number inside the pool.
        start_s: Start of each window with traffic, seconds.
        requests: Requests in each of these windows.
        cv: Coefficient of variation of the gaps in each window.
    """

    pool: str
    client: str
    start_s: npt.NDArray[np.float64]
    requests: npt.NDArray[np.float64]
    cv: npt.NDArray[np.float64]


class Sources(msgspec.Struct, frozen=True):
    """Real texts and statistics; what is empty is generated instead.

    Attributes:
        openers: First turns of people (ShareGPT).
        follow_ups: Later turns of people (ShareGPT).
        bulk: Bulk work, the prompts of each real template (T0).
        bench_items: Items of a public benchmark (GSM8K).
        questions: Questions that a real distillation set sent to a teacher (LIMR).
        clients: Production clients with their windows (ServeGen).
        traffic: Tables of volumes, sessions and lengths, fitted to the files at hand.
        atlas: Real address ranges by kind of network.
    """

    openers: tuple[str, ...] = ()
    follow_ups: tuple[str, ...] = ()
    bulk: tuple[tuple[str, ...], ...] = ()
    bench_items: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    clients: tuple[Client, ...] = ()
    traffic: Traffic | None = None
    atlas: Atlas | None = None


def read_sources(folder: Path) -> Sources:
    """Read what `folder` has of the public files.

    Raises:
        InputError: The folder does not exist, or a file in it is not in its public format.
    """
    if not folder.is_dir():
        raise InputError(str(folder), "is not a folder", "give the folder with the public data files or none")
    turns = human_turns(folder / SHAREGPT)
    return Sources(
        openers=tuple(said[0] for said in turns if said and said[0].strip()),
        follow_ups=tuple(text for said in turns for text in said[1:] if text.strip()),
        bulk=templated(folder / T0),
        bench_items=tuple(field(folder / GSM8K, "question")),
        questions=tuple(dict.fromkeys(field(folder / LIMR, "prompt"))),
        clients=tuple(servegen_clients(folder / SERVEGEN_TRACES)),
        traffic=measured_traffic(folder),
        atlas=read_atlas(folder),
    )


def measured_traffic(folder: Path) -> Traffic | None:
    """Fit the tables of traffic to what `folder` has; what is missing keeps what ships. None without any."""
    found = traffic_tables(folder)
    return traffic_of(shipped_tables() | found) if found else None


def traffic_tables(folder: Path) -> dict[str, list[float]]:
    """Quantiles at `LEVELS` of those public files of traffic that `folder` has.

    Returns:
        `agent_turns` (requests of a coding session), `agent_gap_s` (seconds between them), `agent_output`
        (tokens), without sub-agents (WEKA's Claude Code sessions); `user_volume` (requests of a user over the
        median user's; GenTD26); `chat_output` (tokens; Azure 2023, conversations).
    """
    tables: dict[str, list[float]] = {}
    coding = [np.array(asked) for asked in coding_sessions(folder / CODING)]
    if coding:
        tables["agent_turns"] = quantiles([len(asked) for asked in coding])
        tables["agent_gap_s"] = quantiles(np.concatenate([np.diff(asked[:, 0]) for asked in coding]))
        tables["agent_output"] = quantiles(np.concatenate([asked[:, 1] for asked in coding]))
    users = columns_of(folder / USERS, ("groupId",))
    if users:
        counts = np.unique(users["groupId"], return_counts=True)[1]
        tables["user_volume"] = quantiles(counts / np.median(counts))
    chats = columns_of(folder / AZURE_CHATS, ("GeneratedTokens",))
    if chats:
        tables["chat_output"] = quantiles([float(value) for value in chats["GeneratedTokens"]])
    return tables


def quantiles(values: npt.ArrayLike) -> list[float]:
    """Quantiles at `LEVELS`, to four digits."""
    return [float(f"{value:.4g}") for value in np.quantile(np.asarray(values, dtype=np.float64), LEVELS)]


def coding_sessions(path: Path) -> Iterator[list[tuple[float, float]]]:
    """Yield the requests of each recorded coding session, sub-agents left out: moment (s), output tokens."""
    for record in _records(path):
        try:
            asked = [(float(each[0]), float(each[3])) for each in record["r"] if not each[7]]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InputError(
                str(path), "is not a table of coding sessions", "fetch the file again"
            ) from error
        if asked:
            yield asked


def columns_of(path: Path, names: Sequence[str]) -> dict[str, list[str]]:
    """Read columns of a CSV file with a header, none when it is absent."""
    if not path.exists():
        return {}
    rows = list(csv.DictReader(io.StringIO(_text(path))))
    if not rows or any(name not in rows[0] for name in names):
        raise InputError(str(path), f"lacks one of the columns {', '.join(names)}", "fetch the file again")
    return {name: [row[name] for row in rows] for name in names}


def human_turns(path: Path) -> list[list[str]]:
    """Read ShareGPT's human turns: one list of turns for each piece of a conversation."""
    return [record["h"] for record in _records(path)]


def servegen_clients(path: Path) -> list[Client]:
    """Read ServeGen's windows, gathered by client, in the order of the file."""
    if not path.exists():
        return []
    windows: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    try:
        for row in csv.DictReader(io.StringIO(_text(path))):
            values = float(row["window_start_s"]), float(row["rate_rps"]) * 600.0, float(row["cv"] or 1.0)
            windows.setdefault((row["pool"], row["client"]), []).append(values)
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(str(path), "is not a ServeGen window table", "fetch the file again") from error
    return [_client(pool, client, rows) for (pool, client), rows in windows.items()]


def servegen_lengths(path: Path) -> list[dict[str, list[float]]]:
    """Read ServeGen's length quantiles; windows without lengths are left out."""
    return [record for record in _records(path) if "input_tokens" in record]


def _client(pool: str, client: str, rows: list[tuple[float, float, float]]) -> Client:
    start, requests, cv = np.array(rows, dtype=np.float64).T
    return Client(pool, client, start, requests, np.nan_to_num(cv, nan=1.0))


def templated(path: Path) -> tuple[tuple[str, ...], ...]:
    """Read T0's prompts, gathered by template."""
    pairs = zip(field(path, "template"), field(path, "prompt"), strict=True)
    found: dict[str, list[str]] = {}
    for template, prompt in pairs:
        found.setdefault(template, []).append(prompt)
    return tuple(tuple(prompts) for prompts in found.values())


def field(path: Path, name: str) -> Iterator[str]:
    """Yield the text `name` of every record of a file (NDJSON or one JSON array), none when it is absent."""
    for record in _records(path):
        if not isinstance(record, dict) or not isinstance(record.get(name), str):
            raise InputError(str(path), f"a record lacks the text `{name}`", "fetch the file again")
        yield record[name]


def _records(path: Path) -> Iterator[Any]:
    """Yield the records of a file, none when it is absent."""
    if not path.exists():
        return
    text = _text(path)
    try:
        if text.startswith("["):
            yield from msgspec.json.decode(text)
        else:
            yield from (msgspec.json.decode(line) for line in text.split("\n") if line)
    except msgspec.DecodeError as error:
        raise InputError(str(path), "holds a line that is not JSON", "fetch the file again") from error


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return zstandard.ZstdDecompressor().stream_reader(file).read().decode()
    except (zstandard.ZstdError, UnicodeDecodeError) as error:
        raise InputError(str(path), "cannot be decompressed as zstd text", "fetch the file again") from error
