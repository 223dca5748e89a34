"""Coverage cards of many sources, joined to one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stillwatch.model.coverage import REQUIREMENTS, CoverageCard

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Support:
    """One measure: the share of exchanges from sources that support it, and what is lost in the others."""

    measure: str
    loses: str
    columns: tuple[str, ...]
    share: float


def support_table(cards: Sequence[CoverageCard]) -> tuple[Support, ...]:
    """Return for every measure the share of exchanges on which it could run."""
    rows = sum(card.rows for card in cards)
    return tuple(
        Support(
            measure=need.measure,
            loses=need.loses,
            columns=need.columns,
            share=sum(card.rows for card in cards if need.measure in card.supported) / rows if rows else 0.0,
        )
        for need in REQUIREMENTS
    )
