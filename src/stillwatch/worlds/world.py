"""Put the populations of a scenario together: exchanges, accounts, enforcement, and the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.worlds import campaigns, enforcement, fleets, honest
from stillwatch.worlds.scenario import FixedPrompt, Scenario
from stillwatch.worlds.sources import Sources
from stillwatch.worlds.stage import DAY, Stage, Window, build_library
from stillwatch.worlds.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from stillwatch.worlds.part import Part
    from stillwatch.worlds.shapes import Ints

START = 1_791_158_400_000_000
"""Monday 5 October 2026, midnight UTC."""

BASE: tuple[tuple[str, Callable[[Stage, int], Part], int], ...] = (
    ("hobbyists", honest.hobbyists, 2390),
    ("developers", honest.developers, 320),
    ("collectors", honest.prompt_collectors, 430),
    ("seats 1", honest.seats, 90),
    ("seats 2", honest.seats, 60),
    ("seats 3", honest.seats, 45),
    ("seats 4", honest.seats, 30),
    ("seats 5", honest.seats, 18),
    ("products", honest.products, 120),
    ("pipelines", honest.pipelines, 60),
    ("coders", honest.coders, 560),
)
"""The honest base population: name of the stream, how it behaves, number of accounts at scale 1."""


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
    streams = Streams(seed)
    window = Window(START, scenario.days, release_day=scenario.days * 0.42)
    found = sources or Sources()
    stage = Stage(
        streams=streams,
        window=window,
        library=build_library(streams.within("library"), found),
        sources=found,
        scale=scale * scenario.scale,
    )
    parts: list[Part] = []
    events: list[tuple[int, pa.Table | None]] = []
    for part, actions in _play(scenario, stage):
        events.append((len(parts), actions))
        parts.append(part)
    return _join(scenario, seed, window, parts, events, streams)


def _play(scenario: Scenario, stage: Stage) -> Iterable[tuple[Part, pa.Table | None]]:
    for name, behave, count in BASE:
        yield behave(stage.within(name), max(2, round(count * stage.scale))), None
    if scenario.fleets:
        for part in fleets.play(stage):
            yield part, None
    for plan in scenario.campaigns:
        inner = stage.within(f"campaign {plan.id}")
        yield (
            campaigns.fixed_prompt(inner, plan)
            if isinstance(plan, FixedPrompt)
            else campaigns.hydra(inner, plan)
        )


def _join(
    scenario: Scenario,
    seed: int,
    window: Window,
    parts: Sequence[Part],
    events: Sequence[tuple[int, pa.Table | None]],
    streams: Streams,
) -> World:
    first_account = np.cumsum([0, *(part.accounts.num_rows for part in parts)])
    exchanges = pa.concat_tables(_shifted(parts, first_account, window.end)).combine_chunks()
    accounts = pa.concat_tables([part.accounts for part in parts]).combine_chunks()
    ids = names("acct", accounts.num_rows, streams.named("account ids"))
    exchanges = exchanges.append_column("exchange_id", names("", exchanges.num_rows, streams.named("ids")))
    moved = [
        table.set_column(0, "account", pc.add(table["account"], int(first_account[index])))
        for index, table in events
        if table is not None
    ]
    last = np.zeros(accounts.num_rows, dtype=np.int64)
    np.maximum.at(last, exchanges["account"].to_numpy(), exchanges["ts"].to_numpy())
    done = enforcement.all_actions(accounts, last, moved, window, streams.within("enforcement"))
    return World(
        scenario=scenario,
        seed=seed,
        window=window,
        accounts=accounts.append_column("account_id", ids),
        exchanges=exchanges,
        order=np.argsort(exchanges["ts"].to_numpy(), kind="stable"),
        enforcement=done,
        systems=tuple(text for part in parts for text in part.systems),
        tools=tuple(text for part in parts for text in part.tools),
    )


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


def within(exchanges: pa.Table, end: int) -> pa.Table:
    """Drop what a late conversation would add after `end`: later turns go, never an opener before them."""
    keep = exchanges["ts"].to_numpy() < end
    moved = np.cumsum(keep) - 1
    opener = pa.array(moved[exchanges["opener"].to_numpy()])
    place = exchanges.schema.get_field_index("opener")
    return exchanges.set_column(place, "opener", opener).filter(pa.array(keep))


def names(prefix: str, count: int, rng: np.random.Generator) -> pa.StringArray:
    """Draw distinct random identifiers."""
    words = rng.integers(0, 1 << 63, (count, 2), dtype=np.int64)
    lead = f"{prefix}-" if prefix else ""
    return pa.array([f"{lead}{high:016x}{low:016x}" for high, low in words.tolist()])


def truth_table(world: World) -> pa.Table:
    """Ground truth, one row an exchange in order of time.

    Returns:
        `exchange_id`, `account_id`, `role` ("honest" or "campaign"), `population`, `fleet` (kind/number, null
        outside fleets), `campaign` (null for honest accounts), `is_strand` (the exchange belongs to the
        campaign, not to its cover) and `wanted_share` (share of such exchanges in the account's traffic).
    """
    rows = world.exchanges.take(pa.array(world.order))
    index = rows["account"].to_numpy()
    strand = rows["strand"].to_numpy(zero_copy_only=False).astype(np.int64)
    number = len(world.accounts)
    share = np.bincount(index, strand, number) / np.maximum(np.bincount(index, minlength=number), 1)
    owner = world.accounts.take(rows["account"])
    return pa.table(
        {
            "exchange_id": exchange_ids(rows),
            "account_id": owner["account_id"],
            "role": pc.if_else(pc.is_valid(owner["campaign"]), "campaign", "honest"),
            "population": owner["population"],
            "fleet": owner["fleet"],
            "campaign": owner["campaign"],
            "is_strand": rows["strand"],
            "wanted_share": share[index],
        }
    ).combine_chunks()


def exchange_ids(rows: pa.Table) -> pa.StringArray:
    """Ids under which exchanges are known after ingest; a failed attempt is named by call and start."""
    failed = pc.not_equal(rows["status"], 200)
    starts = [str(moment / 1e6) for moment in rows["ts"].filter(failed).to_pylist()]
    attempts = pc.binary_join_element_wise(rows["exchange_id"].filter(failed), pa.array(starts), "~")
    return pc.replace_with_mask(
        rows["exchange_id"].combine_chunks(), failed.combine_chunks(), attempts.combine_chunks()
    )


__all__ = ["DAY", "World", "build_world", "truth_table"]
