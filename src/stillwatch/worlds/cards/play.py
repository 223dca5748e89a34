"""A campaign on a world's stage: its accounts in blocks, each with its exchanges and its bans."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.worlds.addresses import roam
from stillwatch.worlds.cards import timing
from stillwatch.worlds.cards.asking import Kit, equip, settings_of, wanted_texts, with_cover
from stillwatch.worlds.cards.crew import Crew, muster, records_of
from stillwatch.worlds.cards.operation import Cover, Operation, scaled
from stillwatch.worlds.conversations import GAPS, TOOL_GAPS, Rows, human, single, turns
from stillwatch.worlds.enforcement import actions
from stillwatch.worlds.honest import TURNS
from stillwatch.worlds.part import REPLY, assemble
from stillwatch.worlds.shapes import draw, lognormal_table, whole
from stillwatch.worlds.stage import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from stillwatch.worlds.part import Part
    from stillwatch.worlds.shapes import Floats, Ints
    from stillwatch.worlds.stage import Stage

BLOCK_ACCOUNTS = 2_000
BLOCK_ROWS = 300_000
CHANNELS = ("api", "cloud", "reseller")
_CHAT_TURNS = 2.61
"""Mean turns of the chats that are cover: of `honest.TURNS`, rounded to whole turns."""
_TRY_AGAIN = 0.35
"""Share of requests that a banned account still sends."""


class Harvest(msgspec.Struct, frozen=True, tag="harvest"):
    """A campaign that plays an operation.

    Attributes:
        operation: What it does.
    """

    operation: Operation

    @property
    def id(self) -> str:
        """Name in the truth."""
        return self.operation.id

    def play(self, stage: Stage) -> Iterator[tuple[Part, pa.Table | None]]:
        """Yield the exchanges and the bans of one block of accounts after another.

        Args:
            stage: The campaign's own stage; `stage.scale` takes accounts away, never rate.
        """
        operation = scaled(self.operation, stage.scale)
        crew, kit = muster(stage, operation), equip(stage, operation)
        job = timing.job_rate(stage.window.days * 24, operation.craft.idle_share, stage.rng("job"))
        size = _block(operation, stage.window.days)
        for number, low in enumerate(range(0, len(crew), size)):
            inner = stage.within(f"block {number}")
            yield _play_block(inner, operation, crew.part(low, low + size), kit, job)


def _block(operation: Operation, days: int) -> int:
    """Accounts of a block, so that it has about `BLOCK_ROWS` exchanges."""
    low, high = operation.window
    each = operation.rate * min(high - low, days)
    return int(max(4, min(BLOCK_ACCOUNTS, BLOCK_ROWS / max(each, 0.01))))


def _play_block(
    stage: Stage, operation: Operation, crew: Crew, kit: Kit, job: Floats
) -> tuple[Part, pa.Table | None]:
    rate = timing.inside(
        timing.hourly_rate(operation.craft, job, crew.zone, stage.rng("queues")),
        crew.begin,
        crew.stop,
        stage.window,
    )
    own = _own_rows(stage, operation, crew, rate)
    cover = _cover_rows(stage, operation, crew, rate)
    rows = Rows(
        np.concatenate([own.account, cover.account]),
        np.concatenate([own.ts, cover.ts]),
        np.concatenate([own.opener, cover.opener + len(own)]),
        np.concatenate([own.turn, cover.turn]),
    )
    wanted = np.arange(len(rows)) < len(own)
    texts = wanted_texts(stage, operation, kit, own, len(crew))
    if len(cover):
        texts = with_cover(stage, texts, cover)
    part = assemble(
        stage,
        records_of(stage, operation, crew),
        rows,
        texts,
        settings_of(stage, operation, kit, rows, wanted, len(crew)),
        roam(rows.account, crew.exits, stage.rng("exits"), 0.6),
        _replies(operation),
        strand=wanted,
        channel=_channels(stage, operation, rows, len(crew)),
        answered=np.where(rows.ts >= crew.ban[rows.account], 403, 0),
    )
    banned = np.flatnonzero(crew.ban < stage.window.end)
    reason = "usage policy: automated collection of outputs"
    return part, actions(banned, crew.ban[banned], "ban", reason) if len(banned) else None


def _own_rows(stage: Stage, operation: Operation, crew: Crew, rate: Floats) -> Rows:
    """Lay out the campaign's own exchanges: sessions of some turns, where the queue is at work."""
    craft, rng = operation.craft, stage.rng("own")
    each = crew.rate * craft.wanted_share / craft.turns
    account, ts = _asked(stage, crew, rate, each, operation, "own moments")
    if craft.turns <= 1.0:
        return single(account, ts)
    lengths = whole(draw(lognormal_table(craft.turns * 0.88, 0.5), len(account), rng))
    return _allowed(turns(account, ts, lengths, TOOL_GAPS, rng), crew)


def _cover_rows(stage: Stage, operation: Operation, crew: Crew, rate: Floats) -> Rows:
    """Lay out the chats beside them: of paying people all over the world, or invented by the same queue."""
    craft, rng = operation.craft, stage.rng("chats")
    each = crew.rate * (1.0 - craft.wanted_share) / _CHAT_TURNS
    if craft.cover is Cover.NONE or craft.wanted_share >= 1.0:
        none = np.empty(0, dtype=np.int64)
        return Rows(none, none, none, none)
    if craft.cover is Cover.RESALE:
        counts = rng.poisson(each * (crew.stop - crew.begin) / DAY)
        account = np.repeat(np.arange(len(crew)), counts)
        active = (crew.begin[account], np.maximum(crew.stop[account], crew.begin[account] + 1))
        ts = human(active, rng.integers(-8, 10, len(account)), np.arange(len(account)), rng)
    else:
        account, ts = _asked(stage, crew, rate, each, operation, "cover moments")
    lengths = whole(draw(TURNS, len(account), rng))
    return _allowed(turns(account, ts, lengths, GAPS, rng), crew)


def _asked(
    stage: Stage, crew: Crew, rate: Floats, each: Floats, operation: Operation, name: str
) -> tuple[Ints, Ints]:
    """Draw how many requests each account starts and when, with its lag."""
    craft, rng = operation.craft, stage.rng(name)
    days = (crew.stop - crew.begin) / DAY
    counts = np.where(rate.sum(axis=1) > 0, rng.poisson(each * days), 0)
    account, ts = timing.moments(counts, rate, craft, stage.window, rng)
    if craft.jitter_hours > 0:
        ts = timing.shifted(account, ts, crew.begin, crew.stop, craft.jitter_hours, rng)
    after = ts >= crew.ban[account]
    tried = (ts >= crew.begin[account]) & (ts < crew.stop[account])
    tried &= ~after | (rng.random(len(ts)) < _TRY_AGAIN)
    return account[tried], ts[tried]


def _allowed(rows: Rows, crew: Crew) -> Rows:
    """Drop turns that fall behind the end of their account: later turns go, never an opener before them."""
    keep = (rows.ts < crew.stop[rows.account]) | (rows.turn == 0)
    moved = np.cumsum(keep) - 1
    return Rows(rows.account[keep], rows.ts[keep], moved[rows.opener[keep]], rows.turn[keep])


def _replies(operation: Operation) -> tuple[float, ...]:
    """Quantiles of output tokens; accounts that are mostly cover answer as chats do."""
    if operation.craft.wanted_share < 0.5:
        return REPLY
    return lognormal_table(operation.output_tokens, 0.7)


def _channels(stage: Stage, operation: Operation, rows: Rows, accounts: int) -> np.ndarray | str:
    """Route of access of each exchange: an account keeps to one."""
    if operation.craft.channels <= 1:
        return CHANNELS[0]
    known = np.array(CHANNELS[: operation.craft.channels])
    return np.asarray(known[stage.rng("routes").integers(0, len(known), accounts)[rows.account]])
