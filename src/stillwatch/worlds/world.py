"""Put the populations of a scenario together: exchanges, accounts, enforcement, and the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.worlds import enforcement
from stillwatch.worlds.block import blocks, truth_of, within
from stillwatch.worlds.identify import names
from stillwatch.worlds.pen import TextPen
from stillwatch.worlds.play import build_stage, play
from stillwatch.worlds.sources import Sources
from stillwatch.worlds.stage import DAY, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stillwatch.worlds.part import Part
    from stillwatch.worlds.scenario import Scenario
    from stillwatch.worlds.shapes import Ints
    from stillwatch.worlds.stage import Stage


class World(msgspec.Struct, frozen=True):
    """A simulated world.

    Attributes:
        scenario: What was simulated.
        seed: With which seed.
        window: The time that it covers.
        accounts: Columns of `part.RECORDS` and `account_id`, one row an account.
        exchanges: Columns of `part.EXCHANGES` with `account`, `opener`, `system` and `tools` as indexes into
            this world, and `exchange_id`; in conversation order.
        order: Rows of `exchanges` in order of time.
        enforcement: `account`, `ts`, `kind`, `reason`, in order of time.
        systems: System prompts.
        tools: Tool definitions (JSON).
    """

    scenario: Scenario
    seed: int
    window: Window
    accounts: pa.Table
    exchanges: pa.Table
    order: Ints
    enforcement: pa.Table
    systems: tuple[str, ...]
    tools: tuple[str, ...]

    @property
    def truth(self) -> pa.Table:
        """The ground truth, one row an exchange; see `truth_table`."""
        return truth_table(self)


def build_world(scenario: Scenario, seed: int, scale: float = 1.0, sources: Sources | None = None) -> World:
    """Simulate a world; the same arguments give the same world on any machine.

    Args:
        scenario: What to simulate.
        seed: Seed of all random streams.
        scale: Factor on numbers of accounts, on top of the scenario's own.
        sources: Real prompts and statistics to use instead of generated ones.
    """
    stage = build_stage(scenario, seed, scale, sources or Sources(), TextPen())
    join = _first_join if scenario.first_edition else _join
    return join(scenario, seed, stage)


def _join(scenario: Scenario, seed: int, stage: Stage) -> World:
    done = list(blocks(play(scenario, stage), stage))
    parts = [block.part for block in done]
    first_account = _first_accounts(parts)
    exchanges = pa.concat_tables(_shifted(parts, first_account, stage.window.end)).combine_chunks()
    moved = [_moved(block.enforcement, int(first)) for block, first in zip(done, first_account, strict=False)]
    return World(
        scenario=scenario,
        seed=seed,
        window=stage.window,
        accounts=pa.concat_tables([part.accounts for part in parts]).combine_chunks(),
        exchanges=exchanges,
        order=np.argsort(exchanges["ts"].to_numpy(), kind="stable"),
        enforcement=enforcement.in_order(moved),
        systems=tuple(text for part in parts for text in part.systems),
        tools=tuple(text for part in parts for text in part.tools),
    )


def _first_join(scenario: Scenario, seed: int, stage: Stage) -> World:
    played = list(play(scenario, stage))
    parts = [part for part, _ in played]
    window, streams = stage.window, stage.streams
    first_account = _first_accounts(parts)
    exchanges = pa.concat_tables(_shifted(parts, first_account, window.end)).combine_chunks()
    accounts = pa.concat_tables([part.accounts for part in parts]).combine_chunks()
    ids = names("acct", accounts.num_rows, streams.named("account ids"))
    exchanges = exchanges.append_column("exchange_id", names("", exchanges.num_rows, streams.named("ids")))
    moved = [
        _moved(table, int(first))
        for (_, table), first in zip(played, first_account, strict=False)
        if table is not None
    ]
    last = np.zeros(accounts.num_rows, dtype=np.int64)
    np.maximum.at(last, exchanges["account"].to_numpy(), exchanges["ts"].to_numpy())
    return World(
        scenario=scenario,
        seed=seed,
        window=window,
        accounts=accounts.append_column("account_id", ids),
        exchanges=exchanges,
        order=np.argsort(exchanges["ts"].to_numpy(), kind="stable"),
        enforcement=enforcement.all_actions(accounts, last, moved, window, streams.within("enforcement")),
        systems=tuple(text for part in parts for text in part.systems),
        tools=tuple(text for part in parts for text in part.tools),
    )


def _first_accounts(parts: Sequence[Part]) -> Ints:
    return np.cumsum([0, *(part.accounts.num_rows for part in parts)])


def _moved(actions: pa.Table, first_account: int) -> pa.Table:
    return actions.set_column(0, "account", pc.add(actions["account"], first_account))


def _shifted(parts: Sequence[Part], first_account: Ints, end: int) -> Iterable[pa.Table]:
    """Turn indexes inside each part into indexes inside the world, without rows after the window."""
    row = system = tool = 0
    for part, account in zip(parts, first_account[:-1], strict=True):
        table = within(part.exchanges, end)
        for name, offset in (("account", int(account)), ("opener", row), ("system", system), ("tools", tool)):
            place = table.schema.get_field_index(name)
            shifted = pc.add(table[name], pa.scalar(offset, table[name].type))
            table = table.set_column(place, name, shifted)
        yield table
        row, system, tool = row + table.num_rows, system + len(part.systems), tool + len(part.tools)


def truth_table(world: World) -> pa.Table:
    """Ground truth, one row an exchange in order of time; see `block.truth_of` for the columns."""
    rows = world.exchanges.take(pa.array(world.order))
    place = rows.schema.get_field_index("exchange_id")
    return truth_of(rows.set_column(place, "exchange_id", exchange_ids(rows)), world.accounts)


def exchange_ids(rows: pa.Table) -> pa.StringArray:
    """Ids under which exchanges are known after ingest; a failed attempt is named by call and start."""
    failed = pc.not_equal(rows["status"], 200)
    starts = [str(moment / 1e6) for moment in rows["ts"].filter(failed).to_pylist()]
    attempts = pc.binary_join_element_wise(rows["exchange_id"].filter(failed), pa.array(starts), "~")
    return pc.replace_with_mask(
        rows["exchange_id"].combine_chunks(), failed.combine_chunks(), attempts.combine_chunks()
    )


__all__ = ["DAY", "World", "build_world", "truth_table"]
