"""What a detector claims, read from our own output or from the table that any other detector can write."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from stillwatch.model.errors import BAD_JSON, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

CAMPAIGNS = "campaigns.jsonl"
ALIASES = {"account": "account_id", "campaign_id": "group"}
"""Other names under which a column is found."""
COLUMNS = {
    "account_id": pa.string(),
    "group": pa.string(),
    "score": pa.float64(),
    "first_alarm": pa.timestamp("us", tz="UTC"),
    "error_rate": pa.float64(),
}
"""Columns of a detector's table; all but `account_id` may be missing. See `read_claims`."""

_REMEDY = "give a directory of a scan, or a CSV or Parquet file with a column account_id"


class Claim(msgspec.Struct, frozen=True):
    """One statement of a detector: these accounts are one campaign.

    Attributes:
        accounts: Accounts that are named, each once.
        name: Name of the group in the detector's own words.
        first_alarm: When the claim was first made; None where the detector does not say.
        error_rate: Stated probability that the claim is false; None where the detector states none.
    """

    accounts: tuple[str, ...]
    name: str = ""
    first_alarm: datetime | None = None
    error_rate: float | None = None


def read_claims(report: Path, least_score: float | None = None) -> list[Claim]:
    """Read what a detector claims.

    Args:
        report: The output directory of a scan (its `campaigns.jsonl` is read), or a `.csv` or `.parquet` file
            of another detector: one row an account, with `account_id` (or `account`) and, each optional,
            `group` (or `campaign_id`; an account without a group is a claim of its own), `score` (the higher
            the more suspicious), `first_alarm` (a time with its zone, ISO 8601) and `error_rate` (stated
            probability that the group is false).
        least_score: Rows with a lower score, or without one, are no claims; None keeps all rows.

    Raises:
        InputError: The report is missing or not of this form.
    """
    if report.is_dir() or report.suffix == ".jsonl":
        return claims_of(_lines(report / CAMPAIGNS if report.is_dir() else report))
    return claims_of_table(_columns(report, _read(report)), least_score)


def claims_of(campaigns: Iterable[Mapping[str, Any]]) -> list[Claim]:
    """Turn lines of `campaigns.jsonl` into claims; other verdicts are passed over."""
    return [_claim(one) for one in campaigns if one.get("verdict", "campaign") == "campaign"]


def _claim(line: Mapping[str, Any]) -> Claim:
    detected = line.get("detected_at")
    named = dict.fromkeys(member["account_id"] for member in line["members"])
    return Claim(
        accounts=tuple(named),
        name=str(line.get("id", "")),
        first_alarm=None if detected is None else msgspec.convert(detected, datetime, strict=False),
        error_rate=dict(line.get("error_rate", {})).get("total"),
    )


def claims_of_table(table: pa.Table, least_score: float | None = None) -> list[Claim]:
    """Turn rows with the columns of `COLUMNS` into claims, in order of the groups' first rows.

    A group's first alarm is the earliest of its rows', its error rate the largest.
    """
    if least_score is not None:
        table = table.filter(pc.fill_null(pc.greater_equal(table["score"], least_score), fill_value=False))
    alone = pc.or_kleene(pc.is_null(table["group"]), pc.equal(table["group"], ""))
    lone = pc.binary_join_element_wise("account", table["account_id"], ":")
    grouped = pc.binary_join_element_wise("group", table["group"], ":")
    names = pc.if_else(pc.fill_null(alone, fill_value=True), lone, grouped)
    summed = (
        table.append_column("claim", names)
        .group_by("claim", use_threads=False)
        .aggregate([("account_id", "distinct"), ("first_alarm", "min"), ("error_rate", "max")])
    )
    return [
        Claim(tuple(row["account_id_distinct"]), row["claim"], row["first_alarm_min"], row["error_rate_max"])
        for row in summed.to_pylist()
    ]


def read_campaigns(content: bytes) -> list[dict[str, Any]]:
    """Read the lines of a `campaigns.jsonl`."""
    return [msgspec.json.decode(line) for line in content.splitlines() if line.strip()]


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        return read_campaigns(path.read_bytes())
    except OSError:
        raise InputError(str(path), "cannot be read", _REMEDY) from None
    except BAD_JSON:
        raise InputError(str(path), "is not JSON, one object a line", _REMEDY) from None


def _read(path: Path) -> pa.Table:
    try:
        if path.suffix == ".parquet":
            return pq.read_table(path)
        if path.suffix == ".csv":
            kept_as_text = pa_csv.ConvertOptions(
                column_types={"account_id": pa.string(), "account": pa.string(), "group": pa.string()},
                strings_can_be_null=True,
            )
            return pa_csv.read_csv(path, convert_options=kept_as_text)
    except (OSError, pa.ArrowException):
        raise InputError(str(path), "cannot be read as a table", _REMEDY) from None
    raise InputError(str(path), "is neither a directory of a scan nor a CSV or Parquet file", _REMEDY)


def _columns(path: Path, table: pa.Table) -> pa.Table:
    """Bring the columns to the names and types of `COLUMNS`, with nulls for what is missing."""
    table = table.rename_columns([ALIASES.get(name, name) for name in table.column_names])
    if table.column_names.count("account_id") != 1:
        raise InputError(str(path), "has no column account_id", _REMEDY)
    try:
        columns = {
            name: table[name].cast(kind)
            if name in table.column_names
            else pa.chunked_array([pa.nulls(len(table), kind)])
            for name, kind in COLUMNS.items()
        }
    except (pa.ArrowException, KeyError):
        known = ", ".join(f"{name} ({kind})" for name, kind in COLUMNS.items())
        raise InputError(str(path), "has a column of the wrong type", f"the columns are {known}") from None
    made = pa.table(columns)
    if np.asarray(pc.is_null(made["account_id"])).any():
        raise InputError(str(path), "has a row without account_id", "name the account in every row")
    return made
