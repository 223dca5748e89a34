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

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHAREGPT = "prompts/sharegpt_v3_human_turns.jsonl.zst"
T0 = "prompts/t0_templated_bulk_25_per_template.jsonl.zst"
GSM8K = "bench/gsm8k_train.jsonl.zst"
LIMR = "distill/limr_math8k_prompts.json.zst"
SERVEGEN_TRACES = "traffic/servegen_client_traces.csv.zst"
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
    """

    openers: tuple[str, ...] = ()
    follow_ups: tuple[str, ...] = ()
    bulk: tuple[tuple[str, ...], ...] = ()
    bench_items: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    clients: tuple[Client, ...] = ()


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
    )


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
