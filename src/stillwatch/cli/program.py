"""The command group: what is the same for every command, above all how failure is told."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from stillwatch import __version__
from stillwatch.cli.lab import lab
from stillwatch.cli.lineage import lineage
from stillwatch.cli.marks import mark
from stillwatch.cli.runs import detect, ingest, scan
from stillwatch.cli.shows import coverage, explain
from stillwatch.cli.worlds import world
from stillwatch.model.errors import StillwatchError

if TYPE_CHECKING:
    from collections.abc import Callable

FAULT, BAD_INPUT, INTERRUPTED, READER_GONE = 1, 2, 130, 141


class Program(click.Group):
    """A group that turns every failure into one sentence on standard error and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command of `ctx`; see `stillwatch.cli` for the exit status."""
        try:
            return _flushed(super().invoke, ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except (Exception, KeyboardInterrupt) as error:  # the last line of defence: no traceback
            if ctx.params["debug"] and isinstance(error, Exception):
                raise
            if isinstance(error, OSError):
                _drop_output()
            sentence, status = told(error)
            if sentence:
                click.echo(f"stillwatch: {sentence}", err=True)
            ctx.exit(status)


def told(error: BaseException) -> tuple[str, int]:
    """Return what is said of a failure, and the exit status."""
    match error:
        case StillwatchError():
            return str(error), BAD_INPUT
        case KeyboardInterrupt():
            return "interrupted; what was stored before is untouched.", INTERRUPTED
        case BrokenPipeError():
            return "", READER_GONE
        case OSError():
            reason = os.strerror(error.errno) if error.errno else "cannot be used"
            remedy = "mend that and run again; what was stored before is untouched"
            return f"{error.filename or 'input or output'}: {reason.lower()}; {remedy}.", BAD_INPUT
        case MemoryError():
            return "memory is exhausted; free some and run again, with fewer --threads.", BAD_INPUT
    remedy = "run again with `stillwatch --debug …` and report what it prints"
    return f"a fault of stillwatch itself ({type(error).__name__}); {remedy}.", FAULT


def _flushed(invoke: Callable[[click.Context], Any], ctx: click.Context) -> Any:
    """Run a command and write out what it printed, so that what fails then is told as well."""
    try:
        return invoke(ctx)
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()


def _drop_output() -> None:
    """Lead standard output nowhere, since what is left in its buffer would fail once more at the end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stillwatch")
@click.option("--debug", is_flag=True, help="Show the traceback when something fails.")
def main(debug: bool) -> None:
    """Find adversarial distillation campaigns in the API logs of a model provider."""


for command in (scan, ingest, detect, explain, coverage, world, mark, lineage, lab):
    main.add_command(command)
