"""How long work tells that it goes on; the front end decides what is shown."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the advance of one task at a time."""

    def start(self, task: str, total: int | None = None) -> None:
        """Begin `task`, which takes `total` steps if that is known."""

    def advance(self, amount: int = 1) -> None:
        """Note that `amount` more steps are done."""

    def finish(self) -> None:
        """End the task."""


class Silent:
    """Shows nothing."""

    def start(self, task: str, total: int | None = None) -> None:
        """Ignore the start of `task`."""

    def advance(self, amount: int = 1) -> None:
        """Ignore `amount`."""

    def finish(self) -> None:
        """Ignore the end."""
