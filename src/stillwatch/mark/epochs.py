"""Which epoch's keys mark at which time: a public list without secrets, extended by rotation."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the types of fields
from typing import TYPE_CHECKING

import msgspec

from stillwatch.model.errors import InputError
from stillwatch.model.wholefile import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1


class Epoch(msgspec.Struct, frozen=True):
    """One epoch.

    Attributes:
        name: Its name, part of every key id.
        starts: When it begins to mark (with time zone); it ends where the next one starts.
    """

    name: str
    starts: datetime


class EpochPlan(msgspec.Struct, frozen=True):
    """The epochs of a deployment, by start.

    Attributes:
        epochs: Ascending by start, with different names.
        format: Version of this form.
    """

    epochs: tuple[Epoch, ...] = ()
    format: int = FORMAT

    def at(self, moment: datetime) -> Epoch | None:
        """Return the epoch that marks at `moment`, or None before the first."""
        past = [epoch for epoch in self.epochs if epoch.starts <= moment]
        return past[-1] if past else None

    def rotated(self, name: str, starts: datetime) -> EpochPlan:
        """Return the plan with one more epoch behind the last.

        Old epochs stay: what they marked must remain testable.

        Raises:
            InputError: The name is taken or empty, or the start has no time zone or is before the last one.
        """
        where, taken = f"epoch {name!r}", {epoch.name for epoch in self.epochs}
        if not name or ":" in name or "\0" in name or name in taken:
            raise InputError(
                where, "the name is empty, taken, or holds a colon", "choose one such as 2026-11"
            )
        if starts.tzinfo is None:
            raise InputError(where, "its start has no time zone", "write it as 2026-11-22T00:00:00Z")
        if self.epochs and starts <= self.epochs[-1].starts:
            raise InputError(
                where,
                "it does not start after the last epoch",
                "rotation only goes forward: choose a later start",
            )
        return EpochPlan((*self.epochs, Epoch(name, starts)))

    @classmethod
    def load(cls, path: Path) -> EpochPlan:
        """Read a plan.

        Raises:
            InputError: The file cannot be read or is no plan of this version.
        """
        try:
            plan = msgspec.json.decode(path.read_bytes(), type=cls)
        except OSError as error:
            raise InputError(
                str(path), f"the epoch plan cannot be read ({error.strerror})", "check path and rights"
            ) from error
        except msgspec.MsgspecError as error:
            raise InputError(
                str(path), "this is no epoch plan", "name the file that rotation writes"
            ) from error
        if plan.format != FORMAT:
            raise InputError(str(path), f"the epoch plan has format {plan.format}", "use a newer stillwatch")
        return plan

    def save(self, path: Path) -> None:
        """Write the plan to `path`, replacing an older one whole or not at all."""
        write_atomically(path, msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")
