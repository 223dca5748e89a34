"""`lineage`: was this model trained on what we served? Register, test, verify; and keep twins for it."""

from __future__ import annotations

import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from stillwatch.cli.options import DIRECTORY, FILE, LEVEL, SEED, Real
from stillwatch.cli.progress import shown_progress

SUPPORTED, NOT_INTACT = 3, 2
KEY_VARIABLE = "STILLWATCH_SUSPECT_KEY"

_PLAN_OPTIONS = (
    click.option(
        "--method",
        type=click.Choice(["sample", "log_prob", "rank"]),
        default="sample",
        show_default=True,
        help="How the suspect shows what it prefers: by its answers, by log-probabilities, by ranking.",
    ),
    click.option("--items", type=click.IntRange(1), default=400, show_default=True, help="Twin items asked."),
    click.option("--samples", type=click.IntRange(1), default=1, show_default=True, help="Answers an item."),
    click.option(
        "--prompts", type=click.IntRange(2), default=200, show_default=True, help="Prompts for likeness."
    ),
    click.option("--vendor", default="", help="Who we are in models.json; needed for the tests of likeness."),
    click.option("--base", default="", help="Base model of the suspect, if known: which references match."),
    click.option(
        "--size", "size_b", type=Real(0.0, min_open=True), help="Its parameters in billions, if known."
    ),
    click.option("--released", type=click.DateTime(["%Y-%m-%d"]), help="Its release, if known."),
    click.option("--alpha", type=LEVEL, default=1e-4, show_default=True, help="Error, strong support."),
    click.option("--alpha-support", type=LEVEL, default=1e-2, show_default=True, help="Error, support."),
    click.option(
        "--requests", type=click.IntRange(1, 2**62), default=20_000, show_default=True, help="Budget."
    ),
    click.option(
        "--tokens", type=click.IntRange(1, 2**62), default=20_000_000, show_default=True, help="Budget."
    ),
    click.option("--temperature", type=Real(0.0), default=1.0, show_default=True, help="Of answers."),
    click.option(
        "--max-tokens", type=click.IntRange(1, 2**31), default=256, show_default=True, help="An answer."
    ),
    click.option("--template", default="{prompt}\n", help="How a prompt stands before an answer (log_prob)."),
    click.option("--seed", type=SEED, default=1, show_default=True, help="Of permutations and samples."),
)


def _plan_options(function: Any) -> Any:
    for option in reversed(_PLAN_OPTIONS):
        function = option(function)
    return function


evidence_option = click.option(
    "--evidence", required=True, type=DIRECTORY, help="What you have kept: twins, prompts, answers of models."
)
out_option = click.option("--out", required=True, type=DIRECTORY, help="Directory of this test.")


@click.group()
def lineage() -> None:
    """Test whether a suspect model was trained on what you served, with a stated error rate."""


@lineage.command()
@evidence_option
@out_option
@click.option("--suspect", "name", default="suspect", show_default=True, help="What the suspect is called.")
@click.option("--write-requests", type=FILE, help="Write ids and prompts, for asking the suspect elsewhere.")
@_plan_options
def plan(evidence: Path, out: Path, name: str, write_requests: Path | None, **options: Any) -> None:
    """Fix prompts, statistics, levels and stop rule before the test, and say what it can show."""
    from stillwatch.app import lineage as app  # noqa: PLC0415 - takes a second to load
    from stillwatch.cli.lineage_tables import print_plan  # noqa: PLC0415 - as above

    registered = app.register(evidence, out, _choice(name, options), datetime.now(UTC), write_requests)
    print_plan(registered, out)


@lineage.command()
@click.option("--suspect", required=True, help="Address of an OpenAI-compatible API, or a file of answers.")
@evidence_option
@out_option
@click.option("--model", default="", help="Name of the model at that address [default: its only one].")
@click.option(
    "--key-env", default=KEY_VARIABLE, show_default=True, help="Environment variable that holds the API key."
)
@click.option("--concurrency", type=click.IntRange(1), default=4, show_default=True, help="Requests at once.")
@click.option(
    "--rate",
    type=Real(0.0, min_open=True),
    default=4.0,
    show_default=True,
    help="Requests started each second.",
)
@_plan_options
@click.pass_context
def test(
    ctx: click.Context,
    /,
    suspect: str,
    evidence: Path,
    out: Path,
    model: str,
    key_env: str,
    concurrency: int,
    rate: float,
    **options: Any,
) -> None:
    """Ask the suspect by the plan in OUT, and write evidence.json and report.html.

    Without a plan one is registered first, from the options. A test that was interrupted goes on where it
    stopped when the same command is given again.
    """
    from stillwatch.app import lineage as app  # noqa: PLC0415 - takes a second to load
    from stillwatch.cli.lineage_tables import print_result  # noqa: PLC0415 - as above
    from stillwatch.lineage.suspect_http import HttpSuspect, Pace  # noqa: PLC0415 - as above

    pace = Pace(concurrency=concurrency, per_second=rate)
    template = app.registered_template(out) or options["template"]
    asked = app.suspect_of(suspect, model, os.environ.get(key_env, ""), template, pace)
    if not (out / app.PLAN).exists():
        called = asked.model if isinstance(asked, HttpSuspect) else Path(suspect).name
        app.register(evidence, out, _choice(called, options), datetime.now(UTC))
    with shown_progress() as progress:
        tested = app.run_test(asked, evidence, out, lambda: datetime.now(UTC), progress)
    print_result(tested, out)
    if tested.result.supported:
        ctx.exit(SUPPORTED)


@lineage.command()
@click.argument("evidence", type=FILE)
@click.option("--head", help="Hash that was deposited or published, to compare with.")
@click.option("--json", "as_json", is_flag=True, help="Print checks and result as JSON.")
@click.pass_context
def verify(ctx: click.Context, /, evidence: Path, head: str | None, as_json: bool) -> None:
    """Check EVIDENCE (an evidence.json) and compute all its figures again; status 2 if anything is wrong."""
    from stillwatch.app import lineage as app  # noqa: PLC0415 - takes a second to load
    from stillwatch.cli.lineage_tables import print_verification  # noqa: PLC0415 - as above

    found = app.verify_file(evidence, head)
    if as_json:
        sys.stdout.write(msgspec.json.encode(found, order="sorted").decode() + "\n")
    else:
        print_verification(found)
    if not found.intact:
        ctx.exit(NOT_INTACT)


@lineage.group()
def twins() -> None:
    """Keep equally likely, never served answers beside served ones, for a later test."""


@twins.command(name="open")
@click.argument("directory", type=DIRECTORY)
@click.option("--rate", type=float, default=0.01, show_default=True, help="Share of requests with twins.")
@click.option("--twins", "count", type=int, default=1, show_default=True, help="Twins of each answer.")
@click.option("--keep-text", is_flag=True, help="Keep the text of prompts and answers, not only hashes.")
@click.option("--days", type=int, default=730, show_default=True, help="Days until items are erased.")
def open_epoch(directory: Path, rate: float, count: int, keep_text: bool, days: int) -> None:
    """Open an epoch in DIRECTORY and print the commitment to publish before its first request."""
    from stillwatch.app import lineage_twins as app  # noqa: PLC0415 - takes a second to load
    from stillwatch.lineage.twins import TwinDesign  # noqa: PLC0415 - as above

    design = TwinDesign(rate=rate, twins=count, keep_text=keep_text, lifetime_days=days)
    opening = app.begin_epoch(directory, design, datetime.now(UTC))
    click.echo(f"Publish before the first request: commitment {opening.commitment}, {opening.opened_at}")


@twins.command()
@click.argument("directory", type=DIRECTORY)
@click.argument("lines", type=FILE)
def add(directory: Path, lines: Path) -> None:
    """Add drawn answers (JSON lines, see docs/evidence.md) to the open epoch in DIRECTORY."""
    from stillwatch.app.lineage_twins import add_items  # noqa: PLC0415 - takes a second to load

    click.echo(f"Added {add_items(directory, lines, datetime.now(UTC))} items.")


@twins.command()
@click.argument("directory", type=DIRECTORY)
def seal(directory: Path) -> None:
    """Seal the epoch in DIRECTORY and print the root to publish."""
    from stillwatch.lineage.twins_store import seal_epoch  # noqa: PLC0415 - takes a second to load

    sealed = seal_epoch(directory, datetime.now(UTC))
    click.echo(f"Publish: root {sealed.root} over {sealed.items} items, {sealed.sealed_at}")


@twins.command()
@click.argument("directory", type=DIRECTORY)
def erase(directory: Path) -> None:
    """Erase the content of items in DIRECTORY whose time is over; the seal stays whole."""
    from stillwatch.lineage.twins_store import erase_expired  # noqa: PLC0415 - takes a second to load

    click.echo(f"Erased {erase_expired(directory, datetime.now(UTC))} items.")


def _choice(name: str, options: dict[str, Any]) -> Any:
    from stillwatch.lineage.session_build import Choice  # noqa: PLC0415 - takes a second to load

    released = options.pop("released")
    day = date(released.year, released.month, released.day) if released is not None else None
    return Choice(suspect=name, released=day, **options)
