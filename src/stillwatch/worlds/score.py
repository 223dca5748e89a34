"""Score what a detector reported against the truth of a world; works for any detector's output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LEAST_WANTED = 3
"""An account counts as one to be found when it sent at least so many exchanges of its campaign."""


class CampaignScore(msgspec.Struct, frozen=True):
    """How much of one campaign was found.

    Attributes:
        campaign: Its name in the truth.
        accounts: Accounts to be found: with at least `LEAST_WANTED` exchanges of the campaign.
        found: How many of them stand in a true report.
        recall: found / accounts; 1 if there are none to be found.
        all_accounts: Accounts of the campaign that sent anything.
        all_found: How many of all stand in a true report.
        exchanges: Exchanges of the campaign.
        exchanges_found: How many of them came from accounts found.
        reports: True reports in which accounts of this campaign are the most.
    """

    campaign: str
    accounts: int
    found: int
    recall: float
    all_accounts: int
    all_found: int
    exchanges: int
    exchanges_found: int
    reports: int


class Score(msgspec.Struct, frozen=True):
    """What a detector's report is worth.

    A report is true when more than half of its accounts belong to campaigns.

    Attributes:
        reports: Number of reported campaigns.
        false_reports: How many of them are not true.
        false_discovery_proportion: false_reports / reports; 0 without reports.
        campaigns: One entry a campaign of the truth.
        found_share: Share of the accounts to be found, over all campaigns; 1 if there are none.
        purity: Share of the accounts in true reports that belong to campaigns; 1 without true reports.
        honest_accounts: Honest accounts with traffic.
        honest_named: How many of them stand in any report.
        honest_named_rate: honest_named / honest_accounts.
        honest_fleets: Fleets of which a report consists for more than half.
        unknown_accounts: Reported accounts that the truth does not know.
    """

    reports: int
    false_reports: int
    false_discovery_proportion: float
    campaigns: tuple[CampaignScore, ...]
    found_share: float
    purity: float
    honest_accounts: int
    honest_named: int
    honest_named_rate: float
    honest_fleets: tuple[str, ...]
    unknown_accounts: int


def score_report(truth: pa.Table, campaigns: Iterable[Mapping[str, Any]]) -> Score:
    """Compare reported campaigns with the truth.

    Args:
        truth: Columns of `truth_table`; read are `account_id`, `fleet`, `campaign` and `is_strand`.
        campaigns: Reported campaigns, each with `members`, a list of mappings with `account_id` (the lines of
            `campaigns.jsonl`). One with a `verdict` other than "campaign" is passed over.

    Returns:
        The score; a pure function of its arguments.
    """
    accounts = _per_account(truth)
    known = {identifier: row for row, identifier in enumerate(accounts["account_id"].to_pylist())}
    named = [_members(report) for report in campaigns if report.get("verdict", "campaign") == "campaign"]
    rows = [np.array(sorted(known[a] for a in group if a in known), dtype=np.int64) for group in named]
    return _score(accounts, rows, len(set().union(*named) - known.keys()))


def read_campaigns(content: bytes) -> list[dict[str, Any]]:
    """Read the lines of a `campaigns.jsonl`."""
    return [msgspec.json.decode(line) for line in content.splitlines() if line.strip()]


def _members(report: Mapping[str, Any]) -> set[str]:
    return {member["account_id"] for member in report["members"]}


def _per_account(truth: pa.Table) -> pa.Table:
    counted = truth.append_column("wanted", pc.cast(truth["is_strand"], pa.int64()))
    keys = ["account_id", "campaign", "fleet"]
    return counted.group_by(keys).aggregate([("wanted", "sum")]).sort_by("account_id")


def _score(accounts: pa.Table, reports: Sequence[np.ndarray[Any, Any]], unknown: int) -> Score:
    guilty = accounts["campaign"].is_valid().to_numpy(zero_copy_only=False)
    shares = [float(guilty[rows].mean()) if len(rows) else 0.0 for rows in reports]
    true = [rows for rows, share in zip(reports, shares, strict=True) if share > 0.5]
    false = [rows for rows, share in zip(reports, shares, strict=True) if share <= 0.5]
    found, named = _mark(true, len(guilty)), _mark(reports, len(guilty))
    scores = tuple(_campaign(accounts, name, found, true) for name in _campaigns(accounts))
    wanted = sum(score.accounts for score in scores)
    honest = int((~guilty).sum())
    wrong = int((named & ~guilty).sum())
    return Score(
        reports=len(reports),
        false_reports=len(false),
        false_discovery_proportion=len(false) / len(reports) if reports else 0.0,
        campaigns=scores,
        found_share=sum(score.found for score in scores) / wanted if wanted else 1.0,
        purity=float(guilty[found].mean()) if found.any() else 1.0,
        honest_accounts=honest,
        honest_named=wrong,
        honest_named_rate=wrong / honest if honest else 0.0,
        honest_fleets=_fleets(accounts, false),
        unknown_accounts=unknown,
    )


def _mark(reports: Sequence[np.ndarray[Any, Any]], count: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    marked = np.zeros(count, dtype=bool)
    for rows in reports:
        marked[rows] = True
    return marked


def _campaigns(accounts: pa.Table) -> list[str]:
    return sorted(pc.unique(accounts["campaign"]).drop_null().to_pylist())


def _campaign(
    accounts: pa.Table, name: str, found: np.ndarray[Any, Any], true: Sequence[np.ndarray[Any, Any]]
) -> CampaignScore:
    theirs = accounts["campaign"].to_numpy() == name
    wanted = accounts["wanted_sum"].to_numpy()
    sought = theirs & (wanted >= LEAST_WANTED)
    most = [_most_common(accounts["campaign"], rows) for rows in true]
    return CampaignScore(
        campaign=name,
        accounts=int(sought.sum()),
        found=int((sought & found).sum()),
        recall=float(found[sought].mean()) if sought.any() else 1.0,
        all_accounts=int(theirs.sum()),
        all_found=int((theirs & found).sum()),
        exchanges=int(wanted[theirs].sum()),
        exchanges_found=int(wanted[theirs & found].sum()),
        reports=most.count(name),
    )


def _most_common(column: pa.ChunkedArray, rows: np.ndarray[Any, Any]) -> str | None:
    counts = column.take(pa.array(rows)).drop_null().value_counts().to_pylist()
    best = max(counts, key=lambda entry: (entry["counts"], entry["values"]), default=None)
    return None if best is None else str(best["values"])


def _fleets(accounts: pa.Table, false: Sequence[np.ndarray[Any, Any]]) -> tuple[str, ...]:
    fleets = []
    for rows in (rows for rows in false if len(rows)):
        fleet = _most_common(accounts["fleet"], rows)
        share = (accounts["fleet"].to_numpy()[rows] == fleet).mean() if fleet else 0.0
        fleets += [fleet] if fleet and share > 0.5 else []
    return tuple(fleets)
