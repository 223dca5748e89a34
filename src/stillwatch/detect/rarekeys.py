"""Search for the keys that more than one account uses: most keys are private content and link nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from stillwatch.detect.tables import Span

_SAMPLE_CYCLE = 65_536


def sampled(exchanges: ir.Table, fraction: float) -> ir.Table:
    """Keep a share of the exchanges, chosen by fingerprints so that every engine keeps the same ones."""
    if fraction >= 1.0:
        return exchanges
    mixed = exchanges.item_fp.fill_null(0).__rshift__(8) ^ exchanges.account_fp.__rshift__(13)
    return exchanges.filter((mixed & (_SAMPLE_CYCLE - 1)) < max(1, int(fraction * _SAMPLE_CYCLE)))


def screen_fraction(span: Span, most_incidences: int) -> float:
    """Return the share of exchanges to look at so that about `most_incidences` keys are grouped."""
    return min(1.0, most_incidences / max(span.incidences, 1))


def shared_keys(exchanges: ir.Table) -> ir.Table:
    """Return the text keys that at least two accounts used: columns key and uses.

    The smallest and the largest account of a key differ exactly when it has two accounts; this costs much
    less than counting distinct accounts and is enough to drop private content.
    """
    rows = exchanges.select("account_fp", key=exchanges["keys"].unnest())
    grouped = rows.group_by("key").aggregate(
        low=rows.account_fp.min(), high=rows.account_fp.max(), uses=rows.count()
    )
    return grouped.filter(grouped.low != grouped.high).select("key", "uses")
