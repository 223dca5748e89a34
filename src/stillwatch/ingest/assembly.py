"""Checked exchanges with their text become exchanges with fingerprints and without text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.checks import LONGEST_AGENT
from stillwatch.ingest.fingerprint import FingerprintKey, fingerprint, hash_column
from stillwatch.model.columns import EXCHANGE_SCHEMA, SCHEMA_VERSION
from stillwatch.model.views import KeyKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from stillwatch.ingest.draft import Draft, Places

SAMPLING = ("temperature", "top_p", "max_tokens", "n", "logprobs")


def name_accounts(draft: Draft, key: FingerprintKey) -> None:
    """Where an exchange has no account, take a keyed hash of the secret that the client showed."""
    if draft.credential is None or draft.credential.null_count == len(draft.credential):
        return
    hashed = hash_column(draft.credential, key, KeyKind.ACCOUNT)
    names = [None if value is None else f"key:{value & (2**64 - 1):016x}" for value in hashed.to_pylist()]
    shown = pa.array(names, pa.string())
    for column in ("account_id", "key_id"):
        given = draft.columns.get(column)
        draft.columns[column] = shown if given is None else pc.coalesce(given, shown)


def assemble(
    draft: Draft, keep: pa.Array, source: str, digest: Callable[[], str], *, key: FingerprintKey, threads: int
) -> pa.RecordBatch:
    """Return the kept exchanges of `draft` as a batch of `EXCHANGE_SCHEMA`.

    Args:
        draft: Exchanges that have passed the checks where `keep` holds.
        keep: Boolean array, one value a row.
        source: Name of the file.
        digest: Returns the digest of the file, which names exchanges that have no id of their own.
        key: Key of all hashes.
        threads: Threads of the fingerprint kernel.
    """
    whole = bool(pc.all(keep).as_py())
    columns = (
        draft.columns if whole else {name: values.filter(keep) for name, values in draft.columns.items()}
    )
    text = draft.text if whole else draft.text.filter(keep)
    places = draft.places if whole else draft.places.take(keep.to_numpy(zero_copy_only=False))
    reasoning = draft.reasoning if whole or draft.reasoning is None else draft.reasoning.filter(keep)
    rows = text.num_rows
    complete = {name: columns.get(name, pa.nulls(rows, kind)) for name, kind in _kinds()}
    complete["exchange_id"] = _named(complete["exchange_id"], places, digest)
    complete["user_agent"] = pc.utf8_slice_codeunits(complete["user_agent"], 0, LONGEST_AGENT)
    complete |= _fingerprints(complete, text, key, threads)
    if reasoning is not None:
        complete["reasoning_block_ids"] = _hash_lists(reasoning, key)
    complete["source"] = pa.repeat(source, rows)
    complete["source_ref"] = source_refs(source, places)
    complete["schema_version"] = pa.repeat(pa.scalar(SCHEMA_VERSION, pa.int16()), rows)
    return pa.RecordBatch.from_arrays([complete[name] for name, _ in _kinds()], schema=EXCHANGE_SCHEMA)


def _kinds() -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in EXCHANGE_SCHEMA]


def _fingerprints(
    columns: dict[str, pa.Array], text: pa.RecordBatch, key: FingerprintKey, threads: int
) -> dict[str, pa.Array]:
    prints = fingerprint(text, key, threads)
    made = dict(zip(prints.schema.names, prints.columns, strict=True))
    made["account_fp"] = hash_column(columns["account_id"], key, KeyKind.ACCOUNT)
    made["sampling_fp"] = hash_column(sampling_words(columns), key, KeyKind.SAMPLING)
    made["client_fp"] = hash_column(client_words(columns), key, KeyKind.CLIENT)
    return made


def sampling_words(columns: dict[str, pa.Array]) -> pa.Array:
    """Return `model|temperature|top_p|max_tokens|n|logprobs`, null where all but the model are missing.

    A missing value is an empty string; numbers stand in their shortest form, truth values as true and false.
    """
    words = [_words(columns["model"])] + [_words(columns[name]) for name in SAMPLING]
    joined = pc.binary_join_element_wise(*words, "|")
    return _null_where_all_null(joined, [columns[name] for name in SAMPLING])


def client_words(columns: dict[str, pa.Array]) -> pa.Array:
    """Return `user_agent|client_fingerprint`, null where both are missing."""
    pair = [columns["user_agent"], columns["client_fingerprint"]]
    return _null_where_all_null(pc.binary_join_element_wise(*map(_words, pair), "|"), pair)


def _words(values: pa.Array) -> pa.Array:
    return pc.fill_null(values.cast(pa.string()), "")


def _null_where_all_null(joined: pa.Array, parts: list[pa.Array]) -> pa.Array:
    present = parts[0].is_valid()
    for part in parts[1:]:
        present = pc.or_(present, part.is_valid())
    return pc.if_else(present, joined, pa.scalar(None, pa.string()))


def _hash_lists(lists: pa.ListArray, key: FingerprintKey) -> pa.Array:
    hashed = hash_column(lists.flatten(), key, KeyKind.REASONING_BLOCK)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, hashed, mask=lists.is_null())


def source_refs(source: str, places: Places) -> pa.Array:
    """Return `<source>:<line>`, or `<source>#<item>:<line>` where a line holds several records."""
    lines = pa.array(places.lines).cast(pa.string())
    if not places.items.any():
        return pc.binary_join_element_wise(source, lines, ":")
    items = pa.array(places.items)
    suffix = pc.if_else(pc.equal(items, 0), "", pc.binary_join_element_wise("#", items.cast(pa.string()), ""))
    return pc.binary_join_element_wise(pc.binary_join_element_wise(source, suffix, ""), lines, ":")


def _named(given: pa.Array, places: Places, digest: Callable[[], str]) -> pa.Array:
    if not given.null_count:
        return given
    return pc.coalesce(given, source_refs(digest()[:32], places))
