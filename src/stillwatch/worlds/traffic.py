"""How much, how fast and how long: the tables of a world's traffic, as they ship or measured.

The first edition of worlds has tables of its own, in part assumed; later worlds take what was measured.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources

import msgspec

from stillwatch.worlds.shapes import lognormal_table

Table = Sequence[float]
"""Quantiles at `shapes.LEVELS`."""

LONGEST_SESSION = 60
"""Turns after which a coding session is cut; one in three real ones is longer."""
LARGEST_USER = 120.0
"""Factor over the median at which the volume of a person is cut."""


class Traffic(msgspec.Struct, frozen=True):
    """Tables of one world.

    Attributes:
        agent_turns: Requests of a coding session.
        agent_gaps: Seconds between two of them.
        reply: Output tokens of chats.
        agent_reply: Output tokens of coding agents.
        people: Volume of a person over that of the median person; None for a lognormal.
    """

    agent_turns: Table
    agent_gaps: Table
    reply: Table
    agent_reply: Table
    people: Table | None = None

    def volume(self, median: float, sigma: float) -> Table:
        """Quantiles of the sessions of people whose median has so many; `sigma` is for the lognormal."""
        if self.people is None:
            return lognormal_table(median, sigma)
        return [median * ratio for ratio in self.people]


def traffic_of(tables: dict[str, list[float]]) -> Traffic:
    """Return the traffic of later worlds from the fitted `tables` (see `fit`)."""
    return Traffic(
        agent_turns=[min(value, LONGEST_SESSION) for value in tables["agent_turns"]],
        agent_gaps=[min(value, 4 * 3600.0) for value in tables["agent_gap_s"]],
        reply=tables["chat_output"],
        agent_reply=tables["agent_output"],
        people=[min(value, LARGEST_USER) for value in tables["user_volume"]],
    )


@cache
def shipped_tables() -> dict[str, list[float]]:
    """Quantiles fitted to public traces, as they ship (see `fit`)."""
    text = (resources.files("stillwatch.worlds") / "lexicon" / "traffic.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
