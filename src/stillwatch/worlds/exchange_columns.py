"""The columns of exchanges (`EXCHANGE_SCHEMA`) from a finished block whose pen wrote forms and slots."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.model.columns import (
    ACCOUNT_SCHEMA,
    ENFORCEMENT_SCHEMA,
    EXCHANGE_SCHEMA,
    SCHEMA_VERSION,
    TEXT_SCHEMA,
    VERIFICATIONS,
)
from stillwatch.model.views import KeyKind
from stillwatch.worlds.addresses import dotted
from stillwatch.worlds.identify import hexadecimal
from stillwatch.worlds.keys_kernel import text_columns
from stillwatch.worlds.wording import mix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.worlds.block import Block
    from stillwatch.worlds.fingerprinter import Fingerprinter
    from stillwatch.worlds.forms import Forms
    from stillwatch.worlds.shapes import Ints

SOURCE = "world"
_TIME = pa.timestamp("us", tz="UTC")
_COPIED = (
    "exchange_id", "channel", "user_agent", "model", "max_tokens", "temperature", "top_p", "n", "logprobs",
    "input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "latency_ms", "status",
)  # fmt: skip
_SAMPLING = ("model", "temperature", "top_p", "max_tokens", "n", "logprobs")


def exchange_columns(block: Block, forms: Forms) -> pa.Table:
    """Return the exchanges of `block` in `EXCHANGE_SCHEMA`."""
    table = block.part.exchanges.combine_chunks()
    rows = table.num_rows
    columns: dict[str, Any] = {name: _plain(table[name]) for name in _COPIED}
    columns |= _identity(block, table, forms.kernel)
    columns |= _fingerprints(block, table, forms)
    columns["ts"] = _plain(table["ts"]).cast(pa.timestamp("us")).cast(_TIME)
    columns["client_fingerprint"] = _plain(table["platform"])
    columns["endpoint"] = pa.repeat("/v1/chat/completions", rows)
    columns["stream"] = _only(table["stream"])
    columns["finish_reason"] = pc.if_else(
        pc.equal(_plain(table["status"]), 200), _plain(table["finish_reason"]), None
    )
    columns["source"] = pa.repeat(SOURCE, rows)
    columns["source_ref"] = columns["exchange_id"]
    columns["schema_version"] = pa.repeat(pa.scalar(SCHEMA_VERSION, pa.int16()), rows)
    columns |= _settings_keys(columns, forms.kernel)
    return pa.table(
        [
            columns[field.name].cast(field.type) if field.name in columns else pa.nulls(rows, field.type)
            for field in EXCHANGE_SCHEMA
        ],
        schema=EXCHANGE_SCHEMA,
    )


def _plain(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _only(column: pa.ChunkedArray) -> pa.Array:
    """Keep what is true; what is not asked for is not logged."""
    return pc.if_else(_plain(column), pa.scalar(value=True), pa.scalar(None, pa.bool_()))


def _identity(block: Block, table: pa.Table, kernel: Fingerprinter) -> dict[str, pa.Array]:
    accounts, who = block.part.accounts, _plain(table["account"])
    names = _plain(accounts["account_id"])
    keys = hexadecimal(
        "", mix(np.arange(len(names), dtype=np.uint64) ^ mix(np.array([block.salt], np.uint64)))
    )
    exchange = _plain(table["exchange_id"])
    opener = exchange.take(_plain(table["opener"]))
    return {
        "account_id": names.take(who),
        "account_fp": kernel.column(names, KeyKind.ACCOUNT).take(who),
        "org_id": _plain(accounts["org_id"]).take(who),
        "key_id": keys.take(who),
        "conversation_id": pc.if_else(_plain(table["session"]), opener, exchange),
        "end_user_id": _plain(table["end_user"]),
        "ip": _addresses(table["ip"].to_numpy()),
    }


def _addresses(numbers: Ints) -> pa.Array:
    encoded = pc.dictionary_encode(pa.array(numbers))
    return pa.array(dotted(encoded.dictionary.to_numpy()), pa.string()).take(encoded.indices)


def _fingerprints(block: Block, table: pa.Table, forms: Forms) -> dict[str, pa.Array]:
    from_tool = table["from_tool"].to_numpy()
    form = np.where(from_tool, -1, table["form"].to_numpy())
    columns = text_columns(form, table["slot"].to_numpy(), table["core"].to_numpy(), forms)
    columns["turn"] = pa.array(_user_turns(from_tool, table["opener"].to_numpy()))
    columns["prefix_fp"] = _pasts(block, table)
    repeated = table["blocks"].to_numpy()
    columns["reasoning_block_ids"] = _single_lists(repeated)
    system, said = _systems(block.part.systems, table["system"], forms.kernel)
    tools = _tools(block.part.tools, forms.kernel)
    columns["system_fp"] = system
    columns["tools_fp"] = tools[0].take(_plain(table["tools"]))
    columns["tool_names"] = tools[1].take(_plain(table["tools"]))
    columns["elicitation"] = _elicitation(form, said, forms)
    codes = np.append(forms.language.values, -1)[form]
    columns["language"] = pa.array(list(forms.languages), pa.string()).take(pa.array(codes, mask=codes < 0))
    return columns


def _user_turns(from_tool: np.ndarray[Any, np.dtype[np.bool_]], opener: Ints) -> Ints:
    """Number of turns of the user so far in each conversation; answers of tools are none."""
    spoken = np.cumsum(~from_tool)
    return np.asarray(spoken - spoken[opener] + 1)


def _pasts(block: Block, table: pa.Table) -> pa.Array:
    """Identity of the conversation before each exchange, null at its beginning."""
    opener, turn = table["opener"].to_numpy(), table["turn"].to_numpy()
    past = table["past"].to_numpy()
    place = (opener.astype(np.uint64) << np.uint64(20)) ^ turn.astype(np.uint64) ^ np.uint64(block.salt)
    own = mix(mix(place)).view(np.int64)
    return pa.array(np.where(past != 0, past, own), mask=(past == 0) & (turn == 0))


def _single_lists(values: Ints) -> pa.Array:
    there = values != 0
    offsets = np.concatenate([[0], np.cumsum(there)]).astype(np.int32)
    kept = (values[there] & ~np.int64(15)) | np.int64(KeyKind.REASONING_BLOCK)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(kept), mask=pa.array(~there))


def _systems(texts: Sequence[str], which: pa.ChunkedArray, kernel: Fingerprinter) -> tuple[pa.Array, Ints]:
    """Fingerprint and elicitation of each exchange's system prompt."""
    prints = kernel.texts(_texts("system", texts))
    bits = np.append(pc.fill_null(prints["elicitation"], 0).to_numpy(zero_copy_only=False), 0)
    index = pc.fill_null(_plain(which), -1).to_numpy(zero_copy_only=False)
    return prints["system_fp"].take(_plain(which)), bits[index]


def _tools(texts: Sequence[str], kernel: Fingerprinter) -> tuple[pa.Array, pa.Array]:
    """Fingerprint and names of each list of tools."""
    names = [_tool_names(text) for text in texts]
    return kernel.texts(_texts("tools", texts))["tools_fp"], pa.array(names, pa.list_(pa.string()))


@cache
def _tool_names(text: str) -> list[str]:
    return [tool["function"]["name"] for tool in msgspec.json.decode(text)]


def _texts(name: str, texts: Sequence[str]) -> pa.RecordBatch:
    nothing = pa.nulls(len(texts), pa.string())
    columns = [pa.array(texts, pa.string()) if field == name else nothing for field in TEXT_SCHEMA.names]
    return pa.RecordBatch.from_arrays(columns, schema=TEXT_SCHEMA)


def _elicitation(form: Ints, of_system: Ints, forms: Forms) -> pa.Array:
    bits = np.append(forms.elicitation.values, 0)[form]
    return pa.array((bits | of_system).astype(np.int32))


def _settings_keys(columns: dict[str, pa.Array], kernel: Fingerprinter) -> dict[str, pa.Array]:
    """Sampling and client fingerprints, each combination that occurs hashed once."""
    sampling = {name: columns[name] for name in _SAMPLING}
    client = {name: columns[name] for name in ("user_agent", "client_fingerprint")}
    return {
        "sampling_fp": _hashed_once(sampling, kernel.sampling),
        "client_fp": _hashed_once(client, kernel.client),
    }


def _hashed_once(columns: dict[str, pa.Array], hashed: Any) -> pa.Array:
    combined = np.zeros(len(next(iter(columns.values()))), dtype=np.uint64)
    for values in columns.values():
        codes = pc.fill_null(pc.dictionary_encode(values).indices, -1).to_numpy(zero_copy_only=False)
        combined = mix(combined ^ codes.astype(np.int64).view(np.uint64))
    encoded = pc.dictionary_encode(pa.array(combined))
    codes = encoded.indices.to_numpy()
    first = np.zeros(len(encoded.dictionary), dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    known = {name: values.take(pa.array(first)) for name, values in columns.items()}
    return hashed(known).take(encoded.indices)


def account_columns(block: Block, kernel: Fingerprinter) -> pa.Table:
    """Return the operator's records of the accounts of `block` (`ACCOUNT_SCHEMA`); some have none."""
    table = block.part.accounts.filter(block.part.accounts["recorded"]).combine_chunks()
    columns: dict[str, Any] = {
        name: _plain(table[name]) for name in ACCOUNT_SCHEMA.names if name in table.column_names
    }
    columns["account_fp"] = kernel.column(columns["account_id"], KeyKind.ACCOUNT)
    for name in ("created_at", "closed_at"):
        columns[name] = columns[name].cast(pa.timestamp("us")).cast(_TIME)
    signup = columns["signup_ip"]
    columns["signup_ip"] = pc.if_else(
        pc.is_valid(signup), _addresses(pc.fill_null(signup, 0).to_numpy()), None
    )
    bits = columns["verified"].to_pylist()
    columns["verified"] = pa.array(
        [[name for place, name in enumerate(VERIFICATIONS) if value >> place & 1] for value in bits],
        pa.list_(pa.string()),
    )
    return _schema_table(columns, ACCOUNT_SCHEMA, table.num_rows)


def enforcement_columns(block: Block, kernel: Fingerprinter) -> pa.Table:
    """Return the operator's actions on the accounts of `block` in `ENFORCEMENT_SCHEMA`."""
    table = block.enforcement.combine_chunks()
    names = _plain(block.part.accounts["account_id"]).take(_plain(table["account"]))
    columns = {
        "account_id": names,
        "account_fp": kernel.column(names, KeyKind.ACCOUNT),
        "ts": _plain(table["ts"]).cast(pa.timestamp("us")).cast(_TIME),
        "kind": _plain(table["kind"]),
        "reason": _plain(table["reason"]),
    }
    return _schema_table(columns, ENFORCEMENT_SCHEMA, table.num_rows)


def _schema_table(columns: dict[str, Any], schema: pa.Schema, rows: int) -> pa.Table:
    arrays = [
        columns[field.name].cast(field.type) if field.name in columns else pa.nulls(rows, field.type)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)
