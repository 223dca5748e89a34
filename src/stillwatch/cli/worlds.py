"""`world`: simulated worlds to try stillwatch on, with the truth beside them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import msgspec

from stillwatch.app.outputs import CAMPAIGNS
from stillwatch.cli.options import DIRECTORY
from stillwatch.cli.tables import out_console, print_score, safe
from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

WORLD_FORMATS = ("litellm", "ndjson")


@click.group()
def world() -> None:
    """Simulate logs with known campaigns in them, and score a report on them."""


@world.command(name="list")
def list_scenarios() -> None:
    """List the scenarios."""
    from stillwatch.app import worlds  # noqa: PLC0415 - takes a second to load, which `--help` need not wait for

    for scenario in worlds.scenarios():
        campaigns = len(scenario.campaigns)
        click.echo(f"{scenario.id}\t{scenario.days} days\t{campaigns} campaigns")


@world.command()
@click.argument("scenario")
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Another seed, another world of the kind."
)
@click.option("--scale", type=float, default=1.0, show_default=True, help="Factor on the number of accounts.")
@click.option(
    "--format",
    "log_format",
    type=click.Choice(WORLD_FORMATS),
    default="litellm",
    show_default=True,
    help="Format of the logs.",
)
@click.option("--out", required=True, type=DIRECTORY, help="Gets logs/, the side tables and truth.parquet.")
def run(scenario: str, seed: int, scale: float, log_format: str, out: Path) -> None:
    """Write the world SCENARIO as log files."""
    from stillwatch.app import worlds  # noqa: PLC0415 - as in `list`

    if scale <= 0:
        raise InputError("--scale", "is not positive", "give a factor such as 0.1 or 2")
    files = worlds.run_world(scenario, seed, scale, log_format, out)
    out_console().print(
        f"Wrote {len(files.logs)} log files, accounts, enforcement and truth to {safe(str(out))}",
        soft_wrap=True,
    )


@world.command()
@click.argument("directory", metavar="WORLD", type=DIRECTORY)
@click.argument("report", type=DIRECTORY)
@click.option("--json", "as_json", is_flag=True, help="Print the score as JSON.")
def score(directory: Path, report: Path, as_json: bool) -> None:
    """Compare the campaigns in REPORT (the OUT of a scan) with the truth of WORLD."""
    from stillwatch.app import worlds  # noqa: PLC0415 - as in `list`

    if not (report / CAMPAIGNS).is_file():
        raise InputError(str(report), f"has no {CAMPAIGNS}", "name the --out directory of a scan")
    result = worlds.score_world(directory, report)
    if as_json:
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    else:
        print_score(result)
