"""Write the tables of `docs/campaigns.md` that repeat what the code says: cards, facts, evasions, prices.

    python docs/generate_campaigns.py

A table stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->`. The test
`tests/docs/test_campaign_tables.py` fails when the page is not what this script would write.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from stillwatch.worlds.cards.operation import Operation, expected_exchanges
from stillwatch.worlds.cards.public import CARDS
from stillwatch.worlds.cards.sources import EVERYDAY
from stillwatch.worlds.ladder import EVASIONS, RUNGS
from stillwatch.worlds.prices import PriceBook, Range, cost_per_thousand

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stillwatch.worlds.cards.card import Card, Fact

PAGE = Path(__file__).with_name("campaigns.md")


def tables() -> dict[str, str]:
    """Return every generated part by the name of its markers."""
    return {
        "cards": cards_table(),
        "facts": "\n\n".join(_facts_of(card) for card in CARDS),
        "everyday": "\n".join(f"* **{fact.mark.value}** {fact.says}" for fact in EVERYDAY),
        "evasions": evasions_table(),
        "prices": prices_table(),
        "ladder": ladder_table(),
    }


def cards_table() -> str:
    """Return one row a card: what it plays."""
    rows = []
    for card in CARDS:
        operation = card.operation
        low, high = operation.window
        published = "-" if card.exchanges is None else f"{card.exchanges:,}+"
        rows.append(
            (
                f"`card-{card.id}`",
                f"{operation.accounts:,}",
                f"{operation.rate:g}",
                f"{operation.length:g}",
                published,
                f"{expected_exchanges(operation):,.0f}",
                f"{low:g} to {high:g}",
                f"{operation.craft.wanted_share:.0%}",
                _dollars(cost_per_thousand(operation).total),
            )
        )
    head = (
        "scenario",
        "accounts",
        "an account and day",
        "days",
        "published exchanges",
        "played whole",
        "days shown",
        "wanted",
        "cost of 1,000",
    )
    return _table(head, rows)


def _facts_of(card: Card) -> str:
    facts = [fact for fact in card.facts if fact not in EVERYDAY]
    lines = [f"### {card.title}", "", f"`card-{card.id}`, seen {card.seen}.", ""]
    lines += [f"* **{fact.mark.value}** {fact.says}{_source(fact)}" for fact in facts]
    return "\n".join(lines)


def _source(fact: Fact) -> str:
    known = {"chosen here": "", "arithmetic on the published figures": ""}
    source = known.get(fact.source, fact.source)
    return f" ({source})" if source else ""


def evasions_table() -> str:
    """Return one row a switch, with what it alone adds to the cost."""
    alone = {rung.evasions[0]: rung.operation for rung in RUNGS if len(rung.evasions) == 1}
    base = cost_per_thousand(RUNGS[0].operation).total
    rows = []
    for evasion in EVASIONS:
        total = cost_per_thousand(alone[evasion.id]).total
        changes = ", ".join(f"`{name}` {_plain(value)}" for name, value in evasion.changes)
        added = total.mid - base.mid
        rows.append((f"`{evasion.id}`", evasion.says, changes, f"{added:+,.1f}"))
    return _table(("switch", "what the adversary does", "changes", "US dollars a thousand, alone"), rows)


def prices_table() -> str:
    """Return one row a price."""
    book = PriceBook()
    rows = []
    for name in book.__struct_fields__:
        price = getattr(book, name)
        amount = f"{price.amount.low:g} / {price.amount.mid:g} / {price.amount.high:g}"
        rows.append((f"`{name}`", amount, price.unit, price.mark.value, price.source))
    return _table(("price", "low / best guess / high", "unit", "mark", "source"), rows)


def ladder_table() -> str:
    """Return one row a rung of the cumulative ladder and of the behaviour scenarios."""
    rows = []
    for rung in RUNGS:
        if rung.operation.id.startswith("ladder-only"):
            continue
        cost = cost_per_thousand(rung.operation)
        added = rung.evasions[-1] if rung.evasions else "nothing"
        shown = ", ".join(rung.evasions) if rung.operation.id.startswith("behaviour") else f"+ {added}"
        rows.append(
            (
                f"`{rung.operation.id}`",
                shown,
                _dollars(cost.total),
                _share(rung.operation),
                f"{cost.useful:,.0f}",
            )
        )
    return _table(("scenario", "on", "cost of 1,000", "wanted", "useful exchanges"), rows)


def updated(page: str) -> str:
    """Return `page` with every generated part written anew.

    Raises:
        ValueError: The page lacks the markers of a part.
    """
    for name, text in tables().items():
        pattern = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"the page has no markers for {name!r}")
        page = pattern.sub(lambda found, text=text: f"{found[1]}\n{text}\n\n{found[2]}", page)
    return page


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _dollars(amount: Range) -> str:
    return f"${amount.mid:,.0f} (${amount.low:,.0f} to ${amount.high:,.0f})"


def _share(operation: Operation) -> str:
    return f"{operation.craft.wanted_share:.0%}"


def _plain(value: object) -> str:
    return f"{msgspec.to_builtins(value)}"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
