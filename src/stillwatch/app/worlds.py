"""Simulated worlds from the command line: make one, and score a report on it against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.app.outputs import read_groups
from stillwatch.model.errors import InputError
from stillwatch.worlds import SCENARIOS, Scenario, Score, build_world, named, score_report, write_world

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stillwatch.worlds import WorldFiles

TRUTH = "truth.parquet"
_COLUMNS = ["account_id", "fleet", "campaign", "is_strand"]


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


def score_world(world: Path, report: Path) -> Score:
    """Compare the campaigns that a scan left in `report` with the truth of the world in `world`.

    Raises:
        InputError: One of the two is not there or cannot be read.
    """
    path = world / TRUTH
    try:
        truth = pq.read_table(path, columns=_COLUMNS)
    except (OSError, pa.ArrowException):
        raise InputError(
            str(path), "is not a truth table", "name the --out directory of `world run`"
        ) from None
    reported = [
        {
            "verdict": group.verdict.value,
            "members": [{"account_id": member.account_id} for member in group.members],
        }
        for group in read_groups(report)
    ]
    return score_report(truth, reported)
