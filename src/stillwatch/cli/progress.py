"""Progress bars on standard error, and nothing where no terminal watches."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from stillwatch.model.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator


class BarProgress:
    """Shows each task as one line: a bar where the amount is known, a spinner where it is not."""

    def __init__(self, bars: Bars) -> None:
        """Draw into `bars`."""
        self._bars = bars
        self._task: TaskID | None = None

    def start(self, task: str, total: int | None = None) -> None:
        """Begin `task` and end the one before."""
        self.finish()
        self._task = self._bars.add_task(task, total=total)

    def advance(self, amount: int = 1) -> None:
        """Move the bar by `amount`."""
        if self._task is not None:
            self._bars.advance(self._task, amount)

    def finish(self) -> None:
        """Fill the bar and leave it standing."""
        if self._task is None:
            return
        task = next(task for task in self._bars.tasks if task.id == self._task)
        total = task.completed or 1 if task.total is None else task.total
        self._bars.update(self._task, total=total, completed=total)
        self._task = None


@contextmanager
def shown_progress(console: Console | None = None) -> Iterator[Progress]:
    """Yield the progress that suits `console` (standard error if not given)."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield Silent()
        return
    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(separator=" of "),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console) as bars:
        progress = BarProgress(bars)
        yield progress
        progress.finish()
