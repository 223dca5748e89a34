"""`world`: simulated worlds to try stillwatch on, with the truth beside them."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from stillwatch.app.outputs import CAMPAIGNS
from stillwatch.cases import words
from stillwatch.cli.options import DIRECTORY, Real
from stillwatch.cli.progress import shown_progress
from stillwatch.cli.tables import out_console, print_score, safe
from stillwatch.model.errors import InputError

WORLD_FORMATS = ("litellm", "otlp", "openai", "anthropic", "envoy", "ndjson", "columns")


@click.group()
def world() -> None:
    """Simulate logs with known campaigns in them, and score a report on them."""


@world.command(name="list")
def list_scenarios() -> None:
    """List the scenarios: id, days, campaigns, what is in them."""
    from stillwatch.app import worlds  # noqa: PLC0415 - takes a second to load, which `--help` need not wait for

    for scenario in worlds.scenarios():
        campaigns = words.counted(len(scenario.campaigns), "campaign")
        click.echo(f"{scenario.id}\t{scenario.days} days\t{campaigns}\t{scenario.title}")


@world.command()
@click.argument("scenario")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Another seed, another world of the kind.",
)
@click.option("--scale", type=float, default=1.0, show_default=True, help="Factor on the number of accounts.")
@click.option(
    "--format",
    "log_format",
    type=click.Choice(WORLD_FORMATS),
    default="litellm",
    show_default=True,
    help="Format of the logs; `columns` fills a store with fingerprints and writes no text.",
)
@click.option("--data", type=DIRECTORY, help="Public prompts, traffic and address ranges to use.")
@click.option(
    "--out", required=True, type=DIRECTORY, help="Gets logs/ or store/, the side tables, the truth."
)
def run(scenario: str, seed: int, scale: float, log_format: str, data: Path | None, out: Path) -> None:
    """Write the world SCENARIO, an id of `world list` or a .toml or .json file, with its truth."""
    from stillwatch.app import worlds  # noqa: PLC0415 - as in `list`

    if not 0 < scale < 1e6:
        raise InputError("--scale", "is not a positive factor", "give a factor such as 0.1 or 2")
    plan = worlds.find_scenario(scenario, Path())
    with shown_progress() as progress:
        made = worlds.run_world(plan, seed, scale, log_format, out, data, progress)
    written = (
        f"{len(made.logs)} log files, accounts, enforcement and truth" if made.logs else "store and truth"
    )
    out_console().print(
        f"Wrote {written} of {made.exchanges:,} exchanges of {made.accounts:,} accounts to {safe(str(out))}",
        soft_wrap=True,
    )


@world.command()
@click.argument("directory", metavar="WORLD", type=DIRECTORY)
@click.argument("report", type=click.Path(path_type=Path))
@click.option("--least-score", type=Real(), help="Rows of another detector's table below this are no claims.")
@click.option("--json", "as_json", is_flag=True, help="Print the score as JSON.")
def score(directory: Path, report: Path, least_score: float | None, as_json: bool) -> None:
    """Compare REPORT with the truth of WORLD.

    REPORT is the OUT of a scan, or a .csv, .parquet or .jsonl file of any detector (see docs/worlds.md).
    """
    from stillwatch.app import worlds  # noqa: PLC0415 - as in `list`

    if report.is_dir() and not (report / CAMPAIGNS).is_file():
        raise InputError(str(report), f"has no {CAMPAIGNS}", "name the --out directory of a scan")
    result = worlds.score_world(directory, report, least_score)
    if as_json:
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    else:
        print_score(result)
