"""Simulated worlds from the command line: make one, and score a report on it against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.model.errors import InputError
from stillwatch.worlds import SCENARIOS, build_world, named, write_world

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from stillwatch.model.findings import Group
    from stillwatch.worlds import Scenario, WorldFiles

TRUTH = "truth.parquet"
_COLUMNS = ["account_id", "role", "campaign", "is_strand"]


class Score(msgspec.Struct, frozen=True):
    """How a report compares with the truth.

    Attributes:
        campaigns: Campaigns that ran.
        campaigns_found: Those of which at least half of the accounts are named.
        reported: Campaigns reported.
        reported_false: Those of whose accounts less than half belong to any campaign.
        campaign_accounts: Accounts that sent at least one exchange of a campaign.
        campaign_accounts_named: Those that are named.
        honest_accounts: Accounts that sent none.
        honest_accounts_named: Those that are named all the same.
    """

    campaigns: int
    campaigns_found: int
    reported: int
    reported_false: int
    campaign_accounts: int
    campaign_accounts_named: int
    honest_accounts: int
    honest_accounts_named: int


def scenarios() -> Sequence[Scenario]:
    """Return all named scenarios."""
    return SCENARIOS


def run_world(scenario: str, seed: int, scale: float, log_format: str, out: Path) -> WorldFiles:
    """Simulate the named `scenario` and write its logs, side tables and truth into `out`.

    Raises:
        InputError: There is no such scenario or format, or `out` cannot be written.
    """
    try:
        plan = named(scenario)
    except KeyError:
        known = ", ".join(each.id for each in SCENARIOS)
        raise InputError(scenario, "is not a scenario", f"the scenarios are {known}") from None
    try:
        return write_world(build_world(plan, seed, scale), out, log_format)
    except OSError as error:
        raise InputError(str(out), error.strerror or "cannot be written", "choose another --out") from None


def read_truth(world: Path) -> pa.Table:
    """Return the ground truth of the world in directory `world`, one row an exchange.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    path = world / TRUTH
    try:
        return pq.read_table(path, columns=_COLUMNS)
    except (OSError, pa.ArrowException, KeyError):
        raise InputError(
            str(path), "is not a truth table", "name the --out directory of `world run`"
        ) from None


def score(truth: pa.Table, reported: Iterable[Group]) -> Score:
    """Compare the `reported` campaigns with the `truth` (see `stillwatch.worlds`)."""
    accounts = truth.group_by("account_id").aggregate([("is_strand", "max"), ("campaign", "max")])
    guilty = accounts.filter(accounts["is_strand_max"])
    owners: dict[str, str] = dict(
        zip(guilty["account_id"].to_pylist(), guilty["campaign_max"].to_pylist(), strict=True)
    )
    groups = [{member.account_id for member in group.members} for group in reported]
    named_accounts = set().union(*groups)
    found = [owner for account, owner in owners.items() if account in named_accounts]
    return Score(
        campaigns=len(set(owners.values())),
        campaigns_found=sum(2 * found.count(owner) >= total for owner, total in _counts(guilty).items()),
        reported=len(groups),
        reported_false=sum(2 * sum(account in owners for account in group) < len(group) for group in groups),
        campaign_accounts=len(owners),
        campaign_accounts_named=len(found),
        honest_accounts=accounts.num_rows - len(owners),
        honest_accounts_named=sum(account not in owners for account in named_accounts),
    )


def _counts(guilty: pa.Table) -> dict[str, int]:
    counts = pc.value_counts(guilty["campaign_max"])
    return {entry["values"]: entry["counts"] for entry in counts.to_pylist()}
