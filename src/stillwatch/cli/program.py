"""The command group: what is the same for every command, above all how failure is told."""

from __future__ import annotations

from typing import Any

import click

from stillwatch import __version__
from stillwatch.cli.lab import lab
from stillwatch.cli.lineage import lineage
from stillwatch.cli.marks import mark
from stillwatch.cli.runs import detect, ingest, scan
from stillwatch.cli.shows import coverage, explain
from stillwatch.cli.worlds import world
from stillwatch.model.errors import StillwatchError

FAULT, BAD_INPUT, INTERRUPTED = 1, 2, 130


class Program(click.Group):
    """A group that turns every failure into one sentence on standard error and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command of `ctx`; see `stillwatch.cli` for the exit status."""
        try:
            return super().invoke(ctx)
        except StillwatchError as error:
            if ctx.params["debug"]:
                raise
            click.echo(f"stillwatch: {error}", err=True)
            ctx.exit(BAD_INPUT)
        except KeyboardInterrupt:
            click.echo("stillwatch: interrupted; what was stored before is untouched.", err=True)
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # the last line of defence: one sentence, not a traceback
            if ctx.params["debug"]:
                raise
            click.echo(
                f"stillwatch: a fault of stillwatch itself ({type(error).__name__}); "
                "run again with `stillwatch --debug …` and report what it prints.",
                err=True,
            )
            ctx.exit(FAULT)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stillwatch")
@click.option("--debug", is_flag=True, help="Show the traceback when something fails.")
def main(debug: bool) -> None:
    """Find adversarial distillation campaigns in the API logs of a model provider."""


for command in (scan, ingest, detect, explain, coverage, world, mark, lineage, lab):
    main.add_command(command)
