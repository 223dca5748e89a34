"""Simulated worlds from the command line: make one, and score a report on it against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.model.errors import InputError
from stillwatch.model.progress import Progress, Silent
from stillwatch.worlds import Scenario, Score, build_world, read_sources, write_world
from stillwatch.worlds.catalogue import SCENARIOS, named
from stillwatch.worlds.scenario_file import parse_scenario
from stillwatch.worlds.score import score_claims
from stillwatch.worlds.score_claims import read_claims
from stillwatch.worlds.write import LOG_FORMATS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TRUTH = "truth.parquet"
COLUMNS = "columns"
"""The format without text: fingerprints straight into a store."""
FORMATS = (*LOG_FORMATS, COLUMNS)
_READ = ("account_id", "fleet", "campaign", "is_strand", "ts")


class Made(msgspec.Struct, frozen=True):
    """What `run_world` left behind.

    Attributes:
        logs: Log files; none where a store was written.
        store: The store; None where logs were written.
        exchanges: Number of exchanges.
        accounts: Number of accounts with exchanges.
    """

    logs: tuple[Path, ...]
    store: Path | None
    exchanges: int
    accounts: int


def scenarios() -> Sequence[Scenario]:
    """Return all named scenarios."""
    return SCENARIOS


def find_scenario(name: str, folder: Path) -> Scenario:
    """Find a scenario by its permanent id, or read it from a TOML or JSON file.

    Args:
        name: The id, or the path of a file that ends in `.toml` or `.json`.
        folder: Where relative paths begin.

    Raises:
        InputError: There is no such scenario, or the file is missing or not allowed.
    """
    if name.endswith((".toml", ".json")):
        try:
            return parse_scenario((folder / name).read_bytes(), name)
        except OSError as error:
            raise InputError(
                name, error.strerror or "cannot be read", "check the path of the scenario"
            ) from None
    try:
        return named(name)
    except KeyError:
        known = ", ".join(each.id for each in SCENARIOS)
        remedy = f"the scenarios are {known}; an own one is a path that ends in .toml or .json"
        raise InputError(name, "is not a scenario", remedy) from None


def run_world(
    scenario: Scenario,
    seed: int,
    scale: float,
    log_format: str,
    out: Path,
    data: Path | None = None,
    progress: Progress | None = None,
) -> Made:
    """Simulate `scenario` and write its logs (or a store), its side tables and its truth into `out`.

    Args:
        scenario: What to simulate.
        seed: Seed of the world.
        scale: Factor on all numbers of accounts.
        log_format: One of `FORMATS`.
        out: Directory that gets everything.
        data: Folder with public prompts, traffic and address ranges to use; generated ones if not given.
        progress: Told how it goes.

    Raises:
        InputError: There is no such format, a data file is damaged, or `out` cannot be written.
    """
    sources = read_sources(data) if data else None
    shown = progress or Silent()
    if log_format == COLUMNS:
        # the fingerprint kernel takes seconds to load, which writing logs need not wait for
        from stillwatch.app.world_columns import make_columns  # noqa: PLC0415

        store = make_columns(scenario, seed, scale, out, sources, shown)
        truth = pq.read_table(out / TRUTH, columns=["account_id"])["account_id"]
        return Made((), store, len(truth), len(truth.unique()))
    shown.start("world")
    try:
        world = build_world(scenario, seed, scale, sources)
        shown.start("logs")
        files = write_world(world, out, log_format)
    except OSError as error:
        raise InputError(str(out), error.strerror or "cannot be written", "choose another --out") from None
    shown.finish()
    return Made(files.logs, None, world.exchanges.num_rows, len(world.exchanges["account"].unique()))


def score_world(world: Path, report: Path, least_score: float | None = None) -> Score:
    """Compare what a detector claims with the truth of the world in `world`.

    Args:
        world: The `--out` directory of `world run`.
        report: The output directory of a scan, or a CSV, Parquet or JSON-lines file of any detector.
        least_score: Rows of such a file below this score are no claims.

    Raises:
        InputError: One of the two is not there or cannot be read.
    """
    path = world / TRUTH
    try:
        present = pq.read_schema(path).names
        truth = pq.read_table(path, columns=[name for name in _READ if name in present])
    except (OSError, pa.ArrowException):
        raise InputError(
            str(path), "is not a truth table", "name the --out directory of `world run`"
        ) from None
    return score_claims(truth, read_claims(report, least_score))
