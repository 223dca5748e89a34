"""What one scan of a simulated world is worth: `worlds.score` and the false discoveries among all groups."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.detect.config import DetectConfig
from stillwatch.worlds.score import read_campaigns, score_report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

INDEPENDENT = ("hobbyist", "developer", "prompt_list")
"""Populations whose members have nothing to do with each other, unless the truth puts them into a fleet."""


def compare(truth_file: Path, out: Path) -> dict[str, Any]:
    """Set the files that `stillwatch scan` left in `out` beside the truth.

    Returns:
        Counts, and for groups, campaigns and members the observed proportion of false ones (`false_...`), the
        rate that the reports state (`stated_...`) and how many were said (`..._said`).
    """
    truth = pq.read_table(truth_file)
    campaigns = read_campaigns((out / "campaigns.jsonl").read_bytes())
    others = read_campaigns((out / "groups.jsonl").read_bytes())
    summary = msgspec.json.decode((out / "detection.json").read_bytes())
    score = score_report(truth, campaigns)
    level = summary["fdr_level"]
    groups = [one for one in (*campaigns, *others) if one["error_rate"]["coordination_fdr"] <= level]
    false_groups = sum(strangers(truth, groups))
    errors = [one["error_rate"]["total"] for one in campaigns]
    return {
        "campaign_accounts": sum(one.accounts for one in score.campaigns),
        "campaign_accounts_named": sum(one.found for one in score.campaigns),
        "all_campaign_accounts": sum(one.all_accounts for one in score.campaigns),
        "all_campaign_accounts_named": sum(one.all_found for one in score.campaigns),
        "campaigns_planted": len(score.campaigns),
        "campaigns_reported": score.reports,
        "recall": {one.campaign: one.recall for one in score.campaigns},
        "reports_per_campaign": {one.campaign: one.reports for one in score.campaigns},
        "honest_accounts": score.honest_accounts,
        "honest_accounts_named": score.honest_named,
        "honest_fleets_planted": pc.count_distinct(truth["fleet"]).as_py(),
        "honest_groups_reported": score.false_reports,
        "honest_fleets_reported": list(score.honest_fleets),
        "unknown_accounts": score.unknown_accounts,
        "verdicts": dict(Counter(one["verdict"] for one in groups)),
        "audit": summary["audit"],
        "notes": summary["notes"],
        "groups_said": len(groups),
        "false_groups": false_groups / max(len(groups), 1),
        "stated_groups": summary["fdr_level"],
        "campaigns_said": score.reports,
        "false_campaigns": score.false_discovery_proportion,
        "stated_campaigns": float(np.mean(errors)) if errors else summary["fdr_level"],
        "members_said": sum(len(one["members"]) for one in campaigns),
        "false_members": 1.0 - score.purity,
        "stated_members": DetectConfig().member_fdr,
    }


def strangers(truth: pa.Table, groups: Iterable[Mapping[str, Any]]) -> list[bool]:
    """Say of each group whether more than half of its members have nothing to do with each other.

    Args:
        truth: As `worlds.truth_table` gives it.
        groups: Groups with `members`, of any verdict; all were called coordinated.
    """
    alone = pc.and_(pc.is_null(truth["fleet"]), pc.is_null(truth["campaign"]))
    alone = pc.and_(alone, pc.is_in(truth["population"], pa.array(INDEPENDENT)))
    independent = set(truth["account_id"].filter(alone).to_pylist())
    return [
        sum(member["account_id"] in independent for member in group["members"]) > 0.5 * len(group["members"])
        for group in groups
    ]
