"""Coverage cards: what a source carries, and therefore which measures can run on it."""

from __future__ import annotations

import msgspec


class Requirement(msgspec.Struct, frozen=True):
    """Columns that a measure reads; `exchange.` or `account.` or `enforcement.` tells the table."""

    measure: str
    columns: tuple[str, ...]
    loses: str
    """What cannot be seen without it, in words."""


REQUIREMENTS: tuple[Requirement, ...] = (
    Requirement("shared_prompts", ("exchange.keys",), "templates that many accounts share"),
    Requirement("shared_system_prompt", ("exchange.system_fp",), "applications and fixed system prompts"),
    Requirement("item_repeats", ("exchange.item_fp",), "whether accounts share out one queue of questions"),
    Requirement("coverage_growth", ("exchange.cell",), "how evenly a group covers a field of knowledge"),
    Requirement("elicitation", ("exchange.elicitation",), "what the prompts ask the model to give away"),
    Requirement("sampling_uniformity", ("exchange.sampling_fp",), "identical sampling settings"),
    Requirement("client_uniformity", ("exchange.client_fp",), "identical client software"),
    Requirement("address_spread", ("exchange.ip",), "exits that accounts share"),
    Requirement("pivot", ("exchange.model",), "a common move to a new model"),
    Requirement("tokens_taken", ("exchange.output_tokens",), "how much was taken"),
    Requirement("births", ("account.created_at",), "accounts opened in bursts"),
    Requirement("payment", ("account.payment_fp", "account.payment_kind"), "shared or throw-away payment"),
    Requirement("declared_relation", ("account.org_id",), "whether accounts belong to one organisation"),
    Requirement("verification", ("account.verified",), "accounts that nobody has verified"),
    Requirement("fail_over", ("enforcement.ts",), "accounts that take over after a ban"),
)

UNJUDGED: tuple[Requirement, ...] = (
    Requirement("reasoning_replay", ("exchange.reasoning_block_ids",), "replayed reasoning blocks"),
)
"""What could be seen in columns that ingest keeps and that no measure reads yet."""


class SourceCoverage(msgspec.Struct, frozen=True):
    """Shares of rows with a value, for each column of one source."""

    source: str
    format: str
    rows: int
    rejected: int
    filled: dict[str, float]


class CoverageCard(msgspec.Struct, frozen=True):
    """What one source supports and what it cannot; `unjudged` is there, and no measure reads it yet."""

    source: str
    format: str
    rows: int
    rejected: int
    filled: dict[str, float]
    supported: tuple[str, ...]
    missing: dict[str, str]
    unjudged: tuple[str, ...] = ()


def card(coverage: SourceCoverage, tables: dict[str, dict[str, float]], least: float = 0.05) -> CoverageCard:
    """Say which measures `coverage` and the side `tables` (`account`, `enforcement`) support.

    Args:
        coverage: Shares of filled values of the source's exchange columns.
        tables: For each side table, its columns' shares of filled values; an absent table is an empty dict.
        least: A column counts as present when at least this share of rows has a value.
    """
    shares = {f"exchange.{name}": share for name, share in coverage.filled.items()}
    for table, columns in tables.items():
        shares |= {f"{table}.{name}": share for name, share in columns.items()}
    supported, missing = [], {}
    for need in REQUIREMENTS:
        absent = [column for column in need.columns if shares.get(column, 0.0) < least]
        if absent:
            missing[need.measure] = f"needs {', '.join(absent)}; without it {need.loses} cannot be seen"
        else:
            supported.append(need.measure)
    return CoverageCard(
        source=coverage.source,
        format=coverage.format,
        rows=coverage.rows,
        rejected=coverage.rejected,
        filled=coverage.filled,
        supported=tuple(supported),
        missing=missing,
        unjudged=tuple(
            kept.measure
            for kept in UNJUDGED
            if all(shares.get(column, 0.0) >= least for column in kept.columns)
        ),
    )
