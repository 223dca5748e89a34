"""The form that every benchmark reports in: rows with a bar, a table on the terminal, one JSON file.

A benchmark is a plain script (`python benchmarks/NAME.py`). It measures, builds `Row`s, and ends with
`finish(NAME, rows)`, which prints the table, writes `build/bench/NAME.json` and says which bars do not hold.
A bar that does not hold is a result, not a failure: the exit status stays 0 unless `--strict` is given.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "build" / "bench"

_ORDERS = {"<=": float.__le__, ">=": float.__ge__, "<": float.__lt__, ">": float.__gt__}


@dataclass(frozen=True)
class Row:
    """One measured number.

    Attributes:
        id: Permanent name of what is measured, such as `detect/10m/ratio`.
        value: The number; None when it could not be measured here (`note` says why).
        unit: Its unit in words or symbols.
        bar: What must hold, such as `<= 15`, or None for a number that is only reported.
        holds: Whether it does; None without a bar or without a value.
        seeds: Seeds of the worlds behind the number; empty where nothing is random.
        command: The command that gives this number again.
        note: What a reader must know beside the number.
    """

    id: str
    value: float | None
    unit: str
    bar: str | None
    holds: bool | None
    seeds: tuple[int, ...]
    command: str
    note: str = ""


def holds(value: float | None, bar: str | None) -> bool | None:
    """Say whether `value` keeps `bar` (`<= 15`, `>= 0.99`, `< 8`, `> 0`); None when either is missing.

    Raises:
        ValueError: The bar is not an order sign, a space and a number.
    """
    if bar is None:
        return None
    sign, _, bound = bar.partition(" ")
    if sign not in _ORDERS:
        raise ValueError(f"bar {bar!r}: begin with one of {', '.join(_ORDERS)} and a space")
    limit = float(bound)
    return None if value is None else bool(_ORDERS[sign](float(value), limit))


def row(
    name: str,
    value: float | None,
    unit: str,
    bar: str | None = None,
    *,
    seeds: Iterable[int] = (),
    note: str = "",
    command: str | None = None,
) -> Row:
    """Build a row; whether the bar holds is computed, never written by hand."""
    number = None if value is None else float(value)
    return Row(name, number, unit, bar, holds(number, bar), tuple(seeds), command or own_command(), note)


def own_command() -> str:
    """The command line of this process, relative to the repository, for `Row.command`."""
    script = Path(sys.argv[0]).resolve()
    shown = script.relative_to(ROOT) if script.is_relative_to(ROOT) else Path(script.name)
    return shlex.join(["python", str(shown), *sys.argv[1:]])


def parser(description: str | None) -> argparse.ArgumentParser:
    """An argument parser with the options that all benchmarks share."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    made.add_argument("--strict", action="store_true", help="exit status 1 when a bar does not hold")
    return made


def write(name: str, rows: Sequence[Row], folder: Path = RESULTS) -> Path:
    """Write `rows` to `folder`/`name`.json and return the path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps([asdict(one) for one in rows], indent=1) + "\n")
    return path


def finish(name: str, rows: Sequence[Row], *, strict: bool = False, folder: Path = RESULTS) -> int:
    """Print the table, write the file, say which bars do not hold, and return the exit status."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(_table(name, rows))
    path = write(name, rows, folder)
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    broken = [one for one in rows if one.holds is False]
    unknown = [one for one in rows if one.bar is not None and one.holds is None]
    for one in broken:
        console.print(
            f"does not hold: {one.id} is {_number(one.value)} {one.unit}, bar {one.bar}", markup=False
        )
    for one in unknown:
        console.print(f"not measured: {one.id}, bar {one.bar}; {one.note}", markup=False)
    if not broken and not unknown:
        console.print("all bars hold", markup=False)
    console.print(f"written to {shown}", markup=False, soft_wrap=True)
    return int(strict and bool(broken or unknown))


def _table(name: str, rows: Sequence[Row]) -> Table:
    table = Table(title=name, box=box.SIMPLE, title_justify="left")
    for title in ("measure", "value", "unit", "bar", "holds", "note"):
        side = "right" if title == "value" else "left"
        table.add_column(title, justify=side, overflow="fold", no_wrap=title in {"measure", "value", "holds"})
    for one in rows:
        verdict = {True: "yes", False: "NO", None: "-"}[one.holds]
        table.add_row(one.id, _number(one.value), one.unit, one.bar or "-", verdict, one.note)
    return table


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
