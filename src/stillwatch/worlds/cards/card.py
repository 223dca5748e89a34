"""What is publicly known of a campaign, with its source, and what had to be assumed to play it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from stillwatch.worlds.cards.operation import Operation


class Mark(StrEnum):
    """How sure a fact is; the letters of the project's reference on campaigns, and one for our own choice."""

    PRIMARY = "P"
    NOTES = "N"
    """Page-numbered notes that quote the primary."""
    SECONDARY = "S"
    """Press or blogs, two or more that agree."""
    WEAK = "W"
    BACKGROUND = "B"
    INFERENCE = "I"
    """Arithmetic on published figures."""
    ASSUMED = "A"
    """No public source; chosen here."""


class Fact(msgspec.Struct, frozen=True):
    """One statement that a card stands on.

    Attributes:
        about: Fields of `Operation`, `Pool` or `Craft` that it decides.
        says: The statement.
        source: Who said it, in words that find the place again.
        mark: How sure it is.
    """

    about: tuple[str, ...]
    says: str
    source: str
    mark: Mark


class Card(msgspec.Struct, frozen=True):
    """A public campaign and the operation that plays it.

    Attributes:
        id: Permanent name.
        title: Who and what, for people.
        seen: When it ran.
        exchanges: Published number of exchanges (the victim's own count), None where there is none.
        operation: What is simulated.
        facts: What is published and what is assumed.
        early_share: Share of the exchanges that may be taken before the first report, after issue 3.
        found_share: Share of the accounts that has to be found, after issue 3.
    """

    id: str
    title: str
    seen: str
    exchanges: int | None
    operation: Operation
    facts: tuple[Fact, ...]
    early_share: float = 0.01
    found_share: float = 0.99

    def of(self, mark: Mark) -> tuple[Fact, ...]:
        """Return the facts with this mark."""
        return tuple(fact for fact in self.facts if fact.mark is mark)
