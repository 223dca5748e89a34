"""`mark`: keys of marks, and the search for marks in text."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from stillwatch.cli.options import FILE, LEVEL, SEED
from stillwatch.cli.tables import out_console, safe
from stillwatch.model.errors import InputError
from stillwatch.model.findings import encode_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stillwatch.mark.detection.report import KeyResult, MarkReport

FOUND = 3
_SCHEMES = ("gumbel", "dual_key_gumbel", "greenlist", "synthid")
_MOST_ROWS = 20

_master = click.option(
    "--master", type=FILE, required=True, help="The secret master key (32 bytes, mode 0600)."
)
_plan = click.option("--plan", type=FILE, required=True, help="The public list of epochs.")
_epoch = click.option("--epoch", required=True, help="Name of the epoch, such as 2026-11.")
_starts = click.option("--starts", help="When the epoch begins, such as 2026-12-01T00:00:00Z [default: now].")
_accounts = click.option(
    "--accounts", type=FILE, help="CSV or NDJSON with account_id and, if you like, cohort."
)


def _scheme_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--gamma", type=float, help="Green share of a green list."),
        click.option("--alpha", type=float, help="Share of key B of a dual-key scheme."),
        click.option("--context-width", "width", type=int, help="Tokens that make a context."),
        click.option(
            "--scheme",
            type=click.Choice(_SCHEMES),
            default="gumbel",
            help="How text is marked [default: gumbel].",
        ),
    ):
        function = option(function)
    return function


@click.group()
def mark() -> None:
    """Marks in served text: keys, and the search for them."""


@mark.group()
def keys() -> None:
    """Make, derive, rotate and promise keys."""


@keys.command()
@_master
@_plan
@_epoch
@_starts
def init(master: Path, plan: Path, epoch: str, starts: str | None) -> None:
    """Make a new master key and an epoch plan; neither file may exist."""
    from stillwatch.app import marks  # noqa: PLC0415 - takes a second to load, which `--help` need not wait for

    marks.init_keys(master, plan, epoch, _moment(starts))
    out_console().print(
        f"Wrote the master key to {safe(str(master))} and the plan to {safe(str(plan))}. "
        "Keep a copy of the key in a safe place: without it nothing served can ever be tested.",
        soft_wrap=True,
    )


@keys.command()
@_master
@_epoch
@_accounts
@click.option(
    "--out", type=FILE, required=True, help="Where the secret key table goes (a new file, mode 0600)."
)
def derive(master: Path, epoch: str, accounts: Path | None, out: Path) -> None:
    """Derive the keys of an epoch (global, cohorts, accounts) for serving and for `mark detect`."""
    from stillwatch.app import marks  # noqa: PLC0415 - as in `init`

    count = marks.derive_keys(master, epoch, accounts, out)
    out_console().print(f"Wrote {count:,} keys to {safe(str(out))}; the file is secret.", soft_wrap=True)


@keys.command()
@_plan
@_epoch
@_starts
def rotate(plan: Path, epoch: str, starts: str | None) -> None:
    """Add an epoch to the plan; older epochs stay testable."""
    from stillwatch.app import marks  # noqa: PLC0415 - as in `init`

    extended = marks.rotate_keys(plan, epoch, _moment(starts))
    out_console().print(f"The plan has {len(extended.epochs)} epochs now; the last is {safe(epoch)}.")


@keys.command()
@_master
@_epoch
@_accounts
@_scheme_options
@click.option("--out", type=FILE, required=True, help="Where the promises go (a new file, for publication).")
def commit(
    master: Path, epoch: str, accounts: Path | None, scheme: Any, out: Path, **parameters: Any
) -> None:
    """Write promises about all keys of an epoch, to be published before any test."""
    from stillwatch.app import marks  # noqa: PLC0415 - as in `init`

    made = marks.make_scheme(scheme, **parameters)
    promised = marks.commit_keys(master, epoch, accounts, made, datetime.now(UTC), out)
    out_console().print(
        f"Wrote {len(promised.commitments):,} promises to {safe(str(out))}. "
        f"Publish the file, or at least its digest {promised.digest}, before you test anything.",
        soft_wrap=True,
    )


@mark.command()
@click.argument("texts", nargs=-1, required=True, type=FILE)
@click.option("--keys", "tables", multiple=True, required=True, type=FILE, help="Key table; may be repeated.")
@_scheme_options
@click.option(
    "--tokenizer", type=FILE, help="tokenizer.json of the marking model; without it TEXTS are token ids."
)
@click.option(
    "--other-tokenizer", type=FILE, help="tokenizer.json of the model that may have written the text."
)
@click.option(
    "--prompts", type=FILE, multiple=True, help="Text whose contexts do not count; may be repeated."
)
@click.option(
    "--reference", type=FILE, multiple=True, help="Served text, to tell forged marks; may be repeated."
)
@click.option("--level", type=LEVEL, default=0.01, help="Family-wise error over all keys [default: 0.01].")
@click.option(
    "--count",
    "rule",
    type=click.Choice(("pair", "context")),
    default="pair",
    help="What counts once [default: pair].",
)
@click.option(
    "--fragments", is_flag=True, help="TEXTS are fragments of answers: leave out their first tokens."
)
@click.option("--decoys", type=int, default=100, help="Number of decoy keys [default: 100].")
@click.option("--seed", type=SEED, default=0, help="Seed of the decoys [default: 0].")
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads that scan keys [default: all cores].")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def detect(
    ctx: click.Context,
    /,
    texts: tuple[Path, ...],
    tables: tuple[Path, ...],
    tokenizer: Path | None,
    other_tokenizer: Path | None,
    prompts: tuple[Path, ...],
    reference: tuple[Path, ...],
    **options: Any,
) -> None:
    """Say whose mark TEXTS carry: `.jsonl` with a list of token ids a line, or text with --tokenizer.

    Exit status 0: no key is named; 3: at least one is; 2: something cannot be read.
    """
    from stillwatch.app import marks  # noqa: PLC0415 - as in `init`
    from stillwatch.mark.detection.report import Settings  # noqa: PLC0415 - as above

    scheme = marks.make_scheme(options["scheme"], options["width"], options["alpha"], options["gamma"])
    settings = Settings(
        level=options["level"],
        rule=options["rule"],
        whole=not options["fragments"],
        decoys=options["decoys"],
        seed=options["seed"],
    )
    cut = marks.read_documents(texts, scheme, tokenizer, other_tokenizer)
    known, served = (
        marks.read_documents(one, scheme, tokenizer) if one else None for one in (prompts, reference)
    )
    threads = options["threads"] or os.cpu_count() or 1
    found = marks.detect_marks(
        cut, scheme, tables, settings, prompts=known, reference=served, threads=threads
    )
    if options["as_json"]:
        sys.stdout.write(encode_line(found).decode())
    else:
        _print_report(found, cut.names)
    if found.named:
        ctx.exit(FOUND)


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InputError("--starts", "is no point in time", "write it as 2026-12-01T00:00:00Z") from None


def _print_report(found: MarkReport, names: tuple[str, ...]) -> None:
    console = out_console()
    console.print(safe(found.sentence), soft_wrap=True)
    console.print(
        f"Scheme {found.scheme} ({found.prf}), context of {found.context_width}; {found.tokens_read:,} "
        f"tokens, {found.scored:,} scored once each ({found.repeated:,} repeats, {found.excluded:,} behind "
        f"known contexts, {found.unkeyed:,} without a key); {found.keys_tried:,} keys tried.",
        soft_wrap=True,
    )
    console.print(f"Check: {safe(found.panel.sentence)}", soft_wrap=True)
    shown = found.named or ((found.best,) if found.best else ())
    console.print(_table(shown, "Named" if found.named else "Best, not named"))
    if found.watch:
        console.print(_table(found.watch, "Watch list (false-discovery rate 0.1)"))
    _print_places(found, names)
    weak = [one for one in found.cohorts if one.family_error <= found.settings.level]
    for one in weak[:_MOST_ROWS]:
        console.print(
            f"Cohort {safe(one.cohort)}: its {one.signals.keys} accounts are together too good for "
            f"chance (higher criticism {one.signals.higher_criticism:.1f}, error {one.family_error:.2g} over "
            "all cohorts).",
            soft_wrap=True,
        )
    console.print(f"What this does not prove: {found.does_not_prove}", soft_wrap=True)


def _print_places(found: MarkReport, names: tuple[str, ...]) -> None:
    console = out_console()
    for result in found.named[:_MOST_ROWS]:
        for one in result.stretches[:_MOST_ROWS]:
            console.print(
                f"{safe(result.key_id)}: {safe(names[one.document])}, tokens {one.start:,} to {one.end:,}",
                soft_wrap=True,
            )
    if found.spoofing is not None:
        console.print(f"Forgery: {safe(found.spoofing.sentence)}", soft_wrap=True)
    if found.alignment is not None:
        console.print(
            f"The other tokenizer cuts {found.alignment.shared:.0%} of the tokens alike; "
            f"{found.alignment.whole:.0%} stand behind a context that is cut alike as well and could carry "
            "a mark unharmed.",
            soft_wrap=True,
        )


def _table(rows: tuple[KeyResult, ...], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in (
        "key",
        "account or cohort",
        "of cohort",
        "z",
        "log10 p",
        "log10 error",
        "watch rate",
        "log10 e",
    ):
        table.add_column(
            name, justify="left" if name in {"key", "account or cohort", "of cohort"} else "right"
        )
    for one in rows[:_MOST_ROWS]:
        table.add_row(
            safe(one.key_id),
            safe(one.name or one.level),
            safe(one.cohort),
            f"{one.z:.1f}",
            f"{one.log10_p:.1f}",
            f"{one.log10_family_error:.1f}",
            f"{one.discovery_rate:.2g}",
            f"{one.log10_e:.1f}",
        )
    return table
