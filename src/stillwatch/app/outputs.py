"""What a run leaves in its output directory; every file appears whole or not at all."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.app.identity import Known, known
from stillwatch.model.coverage import CoverageCard
from stillwatch.model.errors import BAD_JSON, InputError, Rejected
from stillwatch.model.findings import Detection, Group, NullAudit, Verdict, decode_group, encode_line
from stillwatch.model.wholefile import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

CAMPAIGNS, GROUPS, ACCOUNTS = "campaigns.jsonl", "groups.jsonl", "accounts.parquet"
COVERAGE, SUMMARY, REJECTED, REPORT = "coverage.json", "detection.json", "rejected.jsonl", "report.html"

_TIME = pa.timestamp("us", tz="UTC")
ACCOUNTS_SCHEMA = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("campaign_id", pa.string(), nullable=False),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("error_rate", pa.float64(), nullable=False),
        pa.field("share", pa.float64(), nullable=False),
        pa.field("strand_exchanges", pa.int64(), nullable=False),
        pa.field("exchanges", pa.int64(), nullable=False),
        pa.field("e_value", pa.float64(), nullable=False),
        pa.field("first_seen", _TIME, nullable=False),
        pa.field("last_seen", _TIME, nullable=False),
    ]
)
"""`accounts.parquet`: one row for each account of a campaign; accounts of honest groups are not named."""


class Summary(msgspec.Struct, frozen=True):
    """`detection.json`: the run as a whole."""

    stillwatch: str
    generated_at: datetime
    campaigns: int
    groups: int
    candidates: int
    accounts: int
    exchanges: int
    first_ts: datetime | None
    last_ts: datetime | None
    fdr_level: float
    audit: NullAudit
    notes: tuple[str, ...]


def write_outputs(
    out: Path,
    detection: Detection,
    *,
    cards: Sequence[CoverageCard],
    rejected: Iterable[Rejected],
    report: str,
    generated_at: datetime,
    version: str,
) -> None:
    """Write all files of one run into the directory `out`, which is made if it is not there.

    Raises:
        InputError: The directory cannot be written.
    """
    others = [group for group in detection.groups if group.verdict is not Verdict.CAMPAIGN]
    summary = summarise(detection, generated_at, version)
    files = {
        CAMPAIGNS: b"".join(encode_line(group) for group in detection.campaigns),
        GROUPS: b"".join(encode_line(group) for group in others),
        ACCOUNTS: _parquet(account_table(detection.campaigns)),
        COVERAGE: _pretty(list(cards)),
        SUMMARY: _pretty(summary),
        REJECTED: b"".join(encode_line(line) for line in rejected),
        REPORT: report.encode(),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomically(out / name, content)
    except OSError as error:
        raise InputError(str(out), error.strerror or "cannot be written", "choose another --out") from None


def summarise(detection: Detection, generated_at: datetime, version: str) -> Summary:
    """Return the figures of `detection` without its groups."""
    return Summary(
        stillwatch=version,
        generated_at=generated_at,
        campaigns=len(detection.campaigns),
        groups=len(detection.groups),
        candidates=detection.candidates,
        accounts=detection.accounts,
        exchanges=detection.exchanges,
        first_ts=detection.first_ts,
        last_ts=detection.last_ts,
        fdr_level=detection.fdr_level,
        audit=detection.audit,
        notes=detection.notes,
    )


def account_table(campaigns: Sequence[Group]) -> pa.Table:
    """Return the rows of `accounts.parquet`, by campaign and falling share."""
    rows = [
        (
            member.account_id,
            group.id,
            group.verdict.value,
            group.error_rate.total,
            member.share,
            member.strand_exchanges,
            member.exchanges,
            member.e_value,
            member.first_seen,
            member.last_seen,
        )
        for group in campaigns
        for member in sorted(group.members, key=lambda member: (-member.share, member.account_id))
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(ACCOUNTS_SCHEMA)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, ACCOUNTS_SCHEMA, strict=True)]
    return pa.table(arrays, schema=ACCOUNTS_SCHEMA)


def read_groups(out: Path) -> list[Group]:
    """Return the campaigns and then the other groups that an earlier run left in `out`; none is no error.

    Raises:
        InputError: A line is not a group of a version that this code knows.
    """
    groups: list[Group] = []
    for path in (out / CAMPAIGNS, out / GROUPS):
        if path.is_file():
            groups += _read_lines(path)
    return groups


def read_known(out: Path) -> list[Known]:
    """Return what later runs must remember of the groups in `out`."""
    return [known(group) for group in read_groups(out)]


def read_cards(out: Path) -> list[CoverageCard]:
    """Return the coverage cards in `out`.

    Raises:
        InputError: There are none, or they cannot be read.
    """
    path = out / COVERAGE
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[CoverageCard])
    except (OSError, *BAD_JSON):
        raise InputError(
            str(path), "is not a coverage file", "name the --out directory of an earlier scan"
        ) from None


def _read_lines(path: Path) -> list[Group]:
    groups = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                groups.append(decode_group(line))
            except BAD_JSON:
                raise InputError(
                    f"{path}:{number}",
                    "is not a group that this version of stillwatch knows",
                    "move the file away or choose another directory",
                ) from None
    return groups


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def _pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2) + b"\n"
