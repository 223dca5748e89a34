"""Worlds as columns: fingerprints without any text, at any scale, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from stillwatch.worlds.block import blocks, truth_of
from stillwatch.worlds.exchange_columns import account_columns, enforcement_columns, exchange_columns
from stillwatch.worlds.key_pen import Banks, KeyPen
from stillwatch.worlds.play import build_stage, play
from stillwatch.worlds.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stillwatch.worlds.scenario import Scenario

CHUNK_ROWS = 250_000
"""Blocks are joined until they have so many exchanges, so that nobody writes a file of ten rows."""


class Chunk(msgspec.Struct, frozen=True):
    """Some accounts of a world with all they did.

    Attributes:
        exchanges: Columns of `EXCHANGE_SCHEMA`, block by block, not in order of time.
        accounts: Columns of `ACCOUNT_SCHEMA`.
        enforcement: Columns of `ENFORCEMENT_SCHEMA`.
        truth: Columns of `block.truth_of`, rows as in `exchanges`. Never to be given to a detector.
    """

    exchanges: pa.Table
    accounts: pa.Table
    enforcement: pa.Table
    truth: pa.Table


def play_columns(
    scenario: Scenario,
    seed: int,
    scale: float,
    banks: Banks,
    sources: Sources | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> Iterator[Chunk]:
    """Simulate a world, some accounts at a time; the same arguments give the same columns on any machine.

    Args:
        scenario: What to simulate.
        seed: Seed of all random streams.
        scale: Factor on numbers of accounts, on top of the scenario's own.
        banks: Examples of all kinds of writing under one key; good for many worlds in turn.
        sources: Real prompts and statistics to use instead of generated ones.
        chunk_rows: Least number of exchanges in a chunk but the last.
    """
    pen = KeyPen(banks)
    stage = build_stage(scenario, seed, scale, sources or Sources(), pen)
    waiting: list[Chunk] = []
    for block in blocks(play(scenario, stage), stage):
        kernel = pen.forms.kernel
        waiting.append(
            Chunk(
                exchanges=exchange_columns(block, pen.forms),
                accounts=account_columns(block, kernel),
                enforcement=enforcement_columns(block, kernel),
                truth=truth_of(block.part.exchanges, block.part.accounts),
            )
        )
        if sum(one.exchanges.num_rows for one in waiting) >= chunk_rows:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(chunks: Sequence[Chunk]) -> Chunk:
    names = Chunk.__struct_fields__
    return Chunk(*(pa.concat_tables([getattr(chunk, name) for chunk in chunks]) for name in names))
