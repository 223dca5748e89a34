"""Score what a detector reported against the truth of a world; works for any detector's output."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.worlds.score_claims import Claim, claims_of, read_campaigns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["LEAST_WANTED", "CampaignScore", "Score", "read_campaigns", "score_claims", "score_report"]

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
        first_report: First alarm of these reports; None where none of them says when it was made.
        taken_at_first_report: Share of the campaign's exchanges that had been sent by then; None where the
            time is not known or the truth has no times.
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
    first_report: datetime | None = None
    taken_at_first_report: float | None = None


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
        honest_named_per_100k: The same, of 100,000 honest accounts.
        honest_fleets: Fleets of which a report consists for more than half.
        unknown_accounts: Reported accounts that the truth does not know.
        stated_fdr: Mean of the error rates that the reports state; None where none states one.
        realised_fdr: false_discovery_proportion again, to be set beside it.
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
    honest_named_per_100k: float
    honest_fleets: tuple[str, ...]
    unknown_accounts: int
    stated_fdr: float | None
    realised_fdr: float


def score_report(truth: pa.Table, campaigns: Iterable[Mapping[str, Any]]) -> Score:
    """Compare reported campaigns with the truth.

    Args:
        truth: Columns of `truth_table`; read are `account_id`, `fleet`, `campaign` and `is_strand`.
        campaigns: Reported campaigns, each with `members`, a list of mappings with `account_id` (the lines of
            `campaigns.jsonl`). One with a `verdict` other than "campaign" is passed over.

    Returns:
        The score; a pure function of its arguments.
    """
    return score_claims(truth, claims_of(campaigns))


def score_claims(truth: pa.Table, claims: Sequence[Claim]) -> Score:
    """Compare what any detector claims with the truth.

    Args:
        truth: As for `score_report`; with a column `ts` it is also told how much a campaign had taken when it
            was first reported.
        claims: What the detector said (`score_claims.read_claims`).

    Returns:
        The score; a pure function of its arguments.
    """
    accounts = _per_account(truth)
    known = {identifier: row for row, identifier in enumerate(accounts["account_id"].to_pylist())}
    rows = [np.array(sorted(known[a] for a in one.accounts if a in known), dtype=np.int64) for one in claims]
    named = {account for one in claims for account in one.accounts}
    return _score(_Truth(truth, accounts), claims, rows, len(named - known.keys()))


class _Truth:
    """The truth by account, with the exchanges beside it for questions about time."""

    def __init__(self, exchanges: pa.Table, accounts: pa.Table) -> None:
        self.exchanges = exchanges
        self.accounts = accounts
        self.guilty = accounts["campaign"].is_valid().to_numpy(zero_copy_only=False)

    def taken(self, campaign: str, until: datetime | None) -> float | None:
        """Return the share of the campaign's exchanges that were sent by `until`."""
        if until is None or "ts" not in self.exchanges.column_names:
            return None
        theirs = pc.and_kleene(pc.equal(self.exchanges["campaign"], campaign), self.exchanges["is_strand"])
        sent = self.exchanges["ts"].filter(theirs)
        if len(sent) == 0:
            return None
        return float(pc.mean(pc.less_equal(sent, pa.scalar(until, sent.type)).cast(pa.float64())).as_py())


def _per_account(truth: pa.Table) -> pa.Table:
    counted = truth.append_column("wanted", pc.cast(truth["is_strand"], pa.int64()))
    keys = ["account_id", "campaign", "fleet"]
    return counted.group_by(keys).aggregate([("wanted", "sum")]).sort_by("account_id")


def _score(
    truth: _Truth, claims: Sequence[Claim], rows: Sequence[np.ndarray[Any, Any]], unknown: int
) -> Score:
    guilty = truth.guilty
    shares = [float(guilty[members].mean()) if len(members) else 0.0 for members in rows]
    true = [(one, members) for one, members, share in zip(claims, rows, shares, strict=True) if share > 0.5]
    false = [members for members, share in zip(rows, shares, strict=True) if share <= 0.5]
    found, named = _mark([members for _, members in true], len(guilty)), _mark(rows, len(guilty))
    leading = [_most_common(truth.accounts["campaign"], members) for _, members in true]
    scores = tuple(
        _campaign(
            truth, name, found, [one for (one, _), most in zip(true, leading, strict=True) if most == name]
        )
        for name in _campaigns(truth.accounts)
    )
    wanted = sum(score.accounts for score in scores)
    honest = int((~guilty).sum())
    wrong = int((named & ~guilty).sum())
    stated = [one.error_rate for one in claims if one.error_rate is not None]
    return Score(
        reports=len(rows),
        false_reports=len(false),
        false_discovery_proportion=len(false) / len(rows) if rows else 0.0,
        campaigns=scores,
        found_share=sum(score.found for score in scores) / wanted if wanted else 1.0,
        purity=float(guilty[found].mean()) if found.any() else 1.0,
        honest_accounts=honest,
        honest_named=wrong,
        honest_named_rate=wrong / honest if honest else 0.0,
        honest_named_per_100k=wrong / honest * 100_000 if honest else 0.0,
        honest_fleets=_fleets(truth.accounts, false),
        unknown_accounts=unknown,
        stated_fdr=float(np.mean(stated)) if stated else None,
        realised_fdr=len(false) / len(rows) if rows else 0.0,
    )


def _mark(reports: Sequence[np.ndarray[Any, Any]], count: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    marked = np.zeros(count, dtype=bool)
    for rows in reports:
        marked[rows] = True
    return marked


def _campaigns(accounts: pa.Table) -> list[str]:
    return sorted(pc.unique(accounts["campaign"]).drop_null().to_pylist())


def _campaign(
    truth: _Truth, name: str, found: np.ndarray[Any, Any], reports: Sequence[Claim]
) -> CampaignScore:
    theirs = pc.fill_null(pc.equal(truth.accounts["campaign"], name), fill_value=False).to_numpy()
    wanted = truth.accounts["wanted_sum"].to_numpy()
    sought = theirs & (wanted >= LEAST_WANTED)
    first = min((one.first_alarm for one in reports if one.first_alarm is not None), default=None)
    return CampaignScore(
        campaign=name,
        accounts=int(sought.sum()),
        found=int((sought & found).sum()),
        recall=float(found[sought].mean()) if sought.any() else 1.0,
        all_accounts=int(theirs.sum()),
        all_found=int((theirs & found).sum()),
        exchanges=int(wanted[theirs].sum()),
        exchanges_found=int(wanted[theirs & found].sum()),
        reports=len(reports),
        first_report=first,
        taken_at_first_report=truth.taken(name, first),
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
