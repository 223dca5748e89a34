"""`lab`: real teachers and students on this machine, to see the evidence at work."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.table import Table

from stillwatch.cli.options import DIRECTORY, FILE
from stillwatch.cli.progress import shown_progress
from stillwatch.cli.tables import out_console, safe
from stillwatch.lab.extras import need
from stillwatch.lab.settings import CONDITIONS, RESULT, SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

    from stillwatch.lab.experiment import Chain, Student


@click.group()
def lab() -> None:
    """Train small teachers and students and test them (needs the extra `lab`)."""


@lab.command()
@click.option(
    "--setting",
    type=click.Choice([*SETTINGS, "full"]),
    default="small",
    show_default=True,
    help="small: minutes on two cores. tiny: a look at it. full: SmolLM2 teaches, hours.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="All randomness follows from it."
)
@click.option(
    "--only",
    "names",
    type=click.Choice([one.id for one in CONDITIONS]),
    multiple=True,
    help="Train these students only; may be given several times.",
)
@click.option(
    "--corpus", type=FILE, help="NDJSON with prompt and answer (or question and answer) on each line."
)
@click.option("--cache", type=DIRECTORY, help="Keeps trained networks for the next run.")
@click.option(
    "--out", required=True, type=DIRECTORY, help=f"Gets {RESULT}, the tokenizer and the answers as tokens."
)
def distill(
    setting: str, seed: int, names: tuple[str, ...], corpus: Path | None, cache: Path | None, out: Path
) -> None:
    """Train a teacher and students on its answers, marked and not, and run every test on them."""
    need(setting)
    course: Any = importlib.import_module("stillwatch.lab.course")  # imports torch
    with shown_progress() as progress:
        chain = course.distill(
            setting, seed, out, names=names or None, corpus=corpus, cache=cache, progress=progress
        )
    _show(chain)
    out_console().print(f"Written to {safe(str(out / RESULT))}", soft_wrap=True)


def _show(chain: Chain) -> None:
    console = out_console()
    table = Table(title=f"Students of one teacher, seed {chain.seed}", box=box.SIMPLE, title_justify="left")
    table.add_column("student", overflow="fold")
    for title in ("loss", "closed, few", "closed, many", "top 5", "logits", "served over twin"):
        table.add_column(title, justify="right")
    for student in chain.students:
        table.add_row(*_cells(student))
    console.print(table)
    console.print(
        f"p-values of our key; the teacher's own loss is {chain.teacher_loss:.2f} nats a token. "
        "Closed tests are the contrast with our unmarked model.",
        soft_wrap=True,
    )
    if chain.tracing is not None:
        traced = chain.tracing
        console.print(
            f"Of {traced.accounts} accounts the guilty ones rank {', '.join(map(str, traced.ranks))}; "
            f"{traced.named} of {len(traced.ranks)} named at 1 %, {traced.wrongly_named} innocent with them.",
            soft_wrap=True,
        )
    for gain in chain.gains:
        console.print(
            f"{gain.answers} answers bought: loss {gain.loss:.2f}, {gain.gain:.0%} of the way to the teacher"
        )


def _cells(student: Student) -> list[str]:
    closed = [test for name, test in student.tests.items() if name.startswith("contrast")]
    open_tests = [test for name, test in student.tests.items() if name.startswith(("top", "all"))]
    values = [_power(test.log_p) for test in (*closed, *open_tests)]
    name = f"{student.id}: {student.about}"
    seen = "" if student.twins_seen else " (control)"
    return [name, f"{student.loss:.2f}", *values, f"{_power(student.twins.log_p_sum)}{seen}"]


def _power(log_p: float) -> str:
    """A p-value from its natural logarithm, as a power of ten where it is small."""
    exponent = log_p / 2.302585092994046
    return f"{10**exponent:.2g}" if exponent > -3 else f"1e{exponent:.0f}"
