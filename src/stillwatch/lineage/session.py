"""Runs a registered test: asks, keeps, looks, stops by the registered rule, and can go on after any crash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from stillwatch.lineage.evidence_verdict import Result, result_of
from stillwatch.lineage.session_files import JOURNAL, REPLIES, AnswerFile, Journal
from stillwatch.lineage.session_plan import Plan, plan_body, plan_digest
from stillwatch.lineage.suspect import Budget
from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from stillwatch.lineage.chain import Entry
    from stillwatch.lineage.suspect import Query, Reply, Suspect
    from stillwatch.model.progress import Progress

BATCH = 16
"""Groups of queries (items, prompts) between two looks."""


PASSES = 2
"""How often queries without any reply are asked in one run: a server may have been away for a moment."""


class Channel(Protocol):
    """One tier of the evidence: what it asks, when it has enough, and what it hands to the evidence file."""

    @property
    def tier(self) -> str:
        """Name of the tier."""

    @property
    def groups(self) -> Sequence[Sequence[Query]]:
        """Queries, grouped by what is useful only as a whole, in the registered order."""

    def enough(self, replies: Mapping[str, Reply]) -> bool:
        """Say whether the registered stop rule ends this tier."""

    def data(self, replies: Mapping[str, Reply]) -> dict[str, Any]:
        """Return what the figures are computed from; no prompt, no answer."""


@dataclass(frozen=True)
class Outcome:
    """What a session leaves: the chain for the evidence file, and its result."""

    entries: Sequence[Entry]
    result: Result


class Session:
    """A test of one suspect by one plan, in one directory."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        channels: Sequence[Channel],
        now: Callable[[], datetime],
        earlier: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Register the plan, or go on with the session that `folder` holds.

        Args:
            folder: Where journal and answers are; made if it is not there.
            plan: The registration.
            channels: Tiers in the order in which they are asked.
            now: Gives the time, UTC.
            earlier: Other registrations on the same material, to be named in the evidence.

        Raises:
            InputError: The directory belongs to another plan or was changed.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._plan, self._channels = plan, channels
        self._digest = plan_digest(plan)
        self._journal = Journal(folder / JOURNAL, now)
        self._register(earlier)
        self._answers = AnswerFile(folder / REPLIES, self._digest)

    def run(self, suspect: Suspect, progress: Progress) -> Outcome:
        """Ask what is still to be asked, and compute the result.

        A session that has its result asks nothing more.

        Raises:
            InputError: The suspect cannot be asked; what it answered is kept, and the session can go on.
        """
        if self._journal.find("result") is None:
            if self._journal.find("suspect") is None:
                self._journal.add("suspect", {"label": suspect.label})
            if self._journal.find("data") is None:  # else the asking is over
                for channel in self._channels:
                    for _ in range(PASSES):
                        self._ask(channel, suspect, progress)
            self._conclude()
        entries = tuple(self._journal.entries)
        return Outcome(entries, result_of(self._plan, _tier_data(entries)))

    def _register(self, earlier: Sequence[Mapping[str, Any]]) -> None:
        found = self._journal.find("registration")
        if found is None:
            body = {
                "plan": plan_body(self._plan),
                "digest": self._digest,
                "earlier": [dict(each) for each in earlier],
            }
            self._journal.add("registration", body)
        elif found.body.get("digest") != self._digest:
            raise InputError("--out", "holds a session by another plan", "choose another --out")

    def _ask(self, channel: Channel, suspect: Suspect, progress: Progress) -> None:
        budget = Budget(self._plan.requests, self._plan.tokens)
        if all(query.id in self._answers.replies for group in channel.groups for query in group):
            return
        progress.start(f"Asking for tier {channel.tier}", len(channel.groups))
        for batch in _batches(channel.groups):
            before = (self._answers.spent.requests, self._answers.spent.tokens)
            missing = [query for group in batch for query in group if query.id not in self._answers.replies]
            if missing:
                if channel.enough(self._answers.replies) or not self._answers.spent.within(budget):
                    break
                self._ask_batch(suspect, missing, budget)
                self._look(channel, before)
            progress.advance(len(batch))
        progress.finish()

    def _ask_batch(self, suspect: Suspect, missing: Sequence[Query], budget: Budget) -> None:
        spent = self._answers.spent
        running = type(spent)(spent.requests, spent.tokens)
        place = {query.id: place for place, query in enumerate(missing)}
        replies = sorted(suspect.ask(missing, budget, running), key=lambda reply: place[reply.id])
        self._answers.add(replies, running.requests - spent.requests, running.tokens - spent.tokens)

    def _look(self, channel: Channel, before: tuple[int, int]) -> None:
        spent = self._answers.spent
        body = {
            "tier": channel.tier,
            "answered": sum(query.id in self._answers.replies for group in channel.groups for query in group),
            "requests": spent.requests - before[0],
            "tokens": spent.tokens - before[1],
        }
        self._journal.add("look", body)

    def _conclude(self) -> None:
        """Write the data of each tier and then the result; after a crash between them, go on from there."""
        written = {entry.body["tier"] for entry in self._journal.entries if entry.kind == "data"}
        for channel in self._channels:
            if channel.tier not in written:
                data = channel.data(self._answers.replies)
                self._journal.add("data", {"tier": channel.tier, "data": data})
        result = result_of(self._plan, _tier_data(self._journal.entries))
        self._journal.add("result", result.body())


def _tier_data(entries: Sequence[Entry]) -> dict[str, Any]:
    return {entry.body["tier"]: entry.body["data"] for entry in entries if entry.kind == "data"}


def _batches(groups: Sequence[Sequence[Query]]) -> Iterator[Sequence[Sequence[Query]]]:
    for start in range(0, len(groups), BATCH):
        yield groups[start : start + BATCH]
