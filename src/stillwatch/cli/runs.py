"""`scan`, `ingest` and `detect`: the commands that work."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from stillwatch.app.config import load_settings
from stillwatch.cli.options import DIRECTORY, LOGS, config_option, detect_options, ingest_options
from stillwatch.cli.progress import shown_progress
from stillwatch.cli.tables import print_detection, print_ingest

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

FOUND = 3


def _loaded() -> ModuleType:
    """Import the parts, which takes a second that `--help` need not wait for."""
    from stillwatch.app import pipeline, process  # noqa: PLC0415 - see above

    process.settle()
    return pipeline


@click.command()
@click.argument("logs", nargs=-1, required=True, type=LOGS)
@click.option("--out", required=True, type=DIRECTORY, help="Where the campaigns and the report go.")
@click.option("--store", type=DIRECTORY, help="Where exchanges are kept between runs [default: OUT/store].")
@ingest_options
@detect_options
@config_option
@click.pass_context
def scan(
    ctx: click.Context, /, logs: tuple[Path, ...], out: Path, config: Path | None, **options: Any
) -> None:
    """Ingest LOGS (files or directories), find campaigns, and write the report to OUT.

    A second scan with the same store reads only files that it does not know yet.
    """
    pipeline = _loaded()

    settings = load_settings(config, options)
    with shown_progress() as progress:
        outcome = pipeline.scan(logs, out, settings, datetime.now(UTC), progress)
    print_ingest(outcome.ingested)
    print_detection(outcome.detection, out)
    if outcome.detection.campaigns:
        ctx.exit(FOUND)


@click.command()
@click.argument("logs", nargs=-1, required=True, type=LOGS)
@click.option("--store", type=DIRECTORY, help="Where exchanges are kept; made if it is not there.")
@ingest_options
@config_option
def ingest(logs: tuple[Path, ...], config: Path | None, **options: Any) -> None:
    """Turn LOGS (files or directories) into exchanges in a store; a file already known is skipped."""
    pipeline = _loaded()

    settings = load_settings(config, options)
    with shown_progress() as progress:
        report = pipeline.ingest(logs, settings, datetime.now(UTC), progress)
    print_ingest(report)


@click.command()
@click.option("--store", type=DIRECTORY, help="A store that `ingest` or `scan` has filled.")
@click.option("--out", required=True, type=DIRECTORY, help="Where the campaigns and the report go.")
@detect_options
@config_option
@click.pass_context
def detect(ctx: click.Context, /, out: Path, config: Path | None, **options: Any) -> None:
    """Find campaigns among the exchanges of a store, and write the report to OUT."""
    pipeline = _loaded()

    settings = load_settings(config, options)
    with shown_progress() as progress:
        detection = pipeline.detect(out, settings, datetime.now(UTC), progress)
    print_detection(detection, out)
    if detection.campaigns:
        ctx.exit(FOUND)
