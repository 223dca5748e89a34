"""`explain` and `coverage`: the commands that only show."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from stillwatch.app.outputs import CAMPAIGNS, read_cards, read_groups
from stillwatch.cli.options import DIRECTORY
from stillwatch.cli.tables import print_cards, print_group
from stillwatch.model.errors import InputError
from stillwatch.model.findings import Group, encode_line


@click.command()
@click.argument("campaign")
@click.option(
    "--in", "directory", type=DIRECTORY, default=".", help="OUT directory of a scan [default: here]."
)
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
def explain(campaign: str, directory: Path, as_json: bool) -> None:
    """Print the evidence for CAMPAIGN: its id, or the beginning of it if that is unique.

    Groups that were judged honest can be explained as well; their ids are in the report.
    """
    group = find_group(campaign, directory)
    if as_json:
        sys.stdout.write(encode_line(group).decode())
    else:
        print_group(group)


@click.command()
@click.option("--store", type=DIRECTORY, help="A store, for what has been ingested so far.")
@click.option("--in", "directory", type=DIRECTORY, help="OUT directory of a scan [default: here].")
@click.option("--json", "as_json", is_flag=True, help="Print the cards as JSON.")
def coverage(store: Path | None, directory: Path | None, as_json: bool) -> None:
    """Print what each source of logs can and cannot support."""
    if store and directory:
        raise click.UsageError("give --store or --in, not both")
    if store:
        from stillwatch.app import pipeline  # noqa: PLC0415 - as in `scan`

        cards = pipeline.store_cards(store)
    else:
        cards = read_cards(directory or Path())
    if as_json:
        sys.stdout.write(msgspec.json.encode(cards).decode() + "\n")
    else:
        print_cards(cards)


def find_group(beginning: str, directory: Path) -> Group:
    """Return the one group in `directory` whose id starts with `beginning`.

    Raises:
        InputError: There is no such group, or more than one.
    """
    if not (directory / CAMPAIGNS).is_file():
        raise InputError(
            str(directory), f"has no {CAMPAIGNS}", "name the --out directory of a scan with --in"
        )
    groups = read_groups(directory)
    exact = [group for group in groups if group.id == beginning]
    found = exact or [group for group in groups if group.id.startswith(beginning)]
    if not found:
        raise InputError(
            str(directory), "has no campaign or group of that id", "the ids are in its report.html"
        )
    if len(found) > 1:
        raise InputError(str(directory), f"has {len(found)} ids that begin like this", "give more of the id")
    return found[0]
