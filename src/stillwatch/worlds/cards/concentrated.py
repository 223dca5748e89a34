"""Honest accounts that concentrate on few public task templates; a published window test flags them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.worlds import identities
from stillwatch.worlds.addresses import hosts, roam
from stillwatch.worlds.conversations import machine, single
from stillwatch.worlds.honest import private_content
from stillwatch.worlds.part import SHORT_REPLY, Part, Texts, assemble
from stillwatch.worlds.settings import Habit, settle
from stillwatch.worlds.shapes import draw, lognormal_table, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from stillwatch.worlds.stage import Stage

MOST_TEMPLATES = 30


class Concentrated(msgspec.Struct, frozen=True, tag="concentrated"):
    """Unrelated honest accounts, each of which uses 1 to 30 templates of one public collection.

    Attributes:
        id: Name of the fleet.
        accounts: How many.
        templates: Templates in the collection (294 in the measurement that this repeats).
        per_day: Median exchanges of an account and day.
    """

    id: str = "concentrated"
    accounts: int = 600
    templates: int = 294
    per_day: float = 12.0

    def play(self, stage: Stage) -> Iterator[tuple[Part, pa.Table | None]]:
        """Yield all of them as one part; the truth names them as one honest fleet."""
        count = max(8, round(self.accounts * stage.scale))
        records = identities.businesses(stage, count, "concentrated")
        identities.label(records, f"{self.id}-0")
        rng = stage.rng("concentrated")
        counts = whole(draw(lognormal_table(self.per_day * stage.window.days, 0.8), count, rng))
        account, moment = machine(records.active(stage), counts, rng, stage.sources.clients)
        rows = single(account, moment)
        used = rng.integers(1, MOST_TEMPLATES + 1, count)
        known = rng.integers(0, self.templates, (count, MOST_TEMPLATES))
        slot = (rng.random(len(rows)) * used[account]).astype(np.int64)
        collection = stage.write("batch_template", self.templates).to_pylist()
        content = private_content(stage, rows, (1, 1, 1, 2, 3, 5, 8, 12, 16, 24, 36))
        texts = Texts(
            prompt=stage.pen.fill(collection, known[account, slot], content),
            answer=stage.pen.say("statement", len(rows), stage.rng("answers")),
        )
        settings = settle(stage, Habit(stream=0.1, session=0.05), count, rows)
        where = np.stack([hosts("hosting", count, rng), hosts("hosting", count, rng)], axis=1)
        yield (
            assemble(stage, records, rows, texts, settings, roam(account, where, rng, 0.8), SHORT_REPLY),
            None,
        )
