"""Options that several commands share, and how they become settings."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from stillwatch.app.config import ENGINES, LOG_FORMATS

Function = TypeVar("Function", bound=Callable[..., Any])


class Real(click.FloatRange):
    """A number in a range; NaN, which lies in every range for `click`, is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return `value` as a number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


LEVEL = Real(0.0, 1.0, min_open=True, max_open=True)
SEED = click.IntRange(0, 2**63 - 1)
FILE = click.Path(path_type=Path, dir_okay=False)
DIRECTORY = click.Path(path_type=Path, file_okay=False)
LOGS = click.Path(path_type=Path)


def _all(*options: Callable[[Function], Function]) -> Callable[[Function], Function]:
    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _given(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...] | None:
    """Tell an option that was not given from an empty one."""
    del ctx, parameter
    return values or None


config_option = click.option("--config", type=FILE, help="TOML file with settings; options win over it.")

ingest_options = _all(
    click.option(
        "--format", "format", type=click.Choice(LOG_FORMATS), help="Format of the logs [default: auto]."
    ),
    click.option("--accounts", type=FILE, help="Your records of accounts: NDJSON, CSV or Parquet."),
    click.option("--enforcement", type=FILE, help="Your record of limits, bans and appeals."),
    click.option(
        "--key-file", type=FILE, help="Fingerprint key of the deployment [default: one in the store]."
    ),
    click.option(
        "--account-field",
        "account_fields",
        multiple=True,
        callback=_given,
        help="Log attribute that holds the account, where the format has no place for it; may be repeated.",
    ),
    click.option("--max-bad-share", type=float, help="Stop when more of a file is bad [default: 0.1]."),
    click.option(
        "--skip-bad-files", is_flag=True, default=None, help="Go on after a file that cannot be read."
    ),
    click.option("--threads", type=int, help="Threads for fingerprinting [default: all cores]."),
)

detect_options = _all(
    click.option("--engine", type=click.Choice(ENGINES), help="What runs the queries [default: duckdb]."),
    click.option("--fdr", type=float, help="False-discovery rate of coordinated groups [default: 0.01]."),
    click.option(
        "--skeletons",
        is_flag=True,
        default=None,
        help="Show words that nearly all accounts of a campaign share, read again from your logs.",
    ),
)
