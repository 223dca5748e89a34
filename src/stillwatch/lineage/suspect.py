"""What a suspect is asked, what it replies, and what it may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["sample", "log_prob", "rank"]


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One question to the suspect; its texts are in no representation, log or error.

    Attributes:
        id: Names channel, item and repetition; replies are kept under it.
        kind: `sample` asks for an answer, `log_prob` for the log-probability of a given one, `rank` for the
            letter of the preferred one.
        prompt: The prompt.
        answer: The answer whose log-probability is wanted.
        temperature: Sampling temperature.
        max_tokens: Most tokens of a reply.
        seed: Seed for servers that take one.
    """

    id: str
    kind: Kind
    prompt: str
    answer: str = ""
    temperature: float = 1.0
    max_tokens: int = 512
    seed: int | None = None

    def __repr__(self) -> str:
        """Return a text without prompt and answer."""
        return f"Query({self.id!r}, {self.kind!r})"


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came back for one query.

    Attributes:
        id: Of the query.
        text: The answer of a `sample` or `rank` query.
        log_prob: Sum of log-probabilities over the given answer, in nats.
        tokens: Tokens that were billed, as the server counts them.
        failed: Why there is no answer; such a query is not asked again.
    """

    id: str
    text: str | None = None
    log_prob: float | None = None
    tokens: int = 0
    failed: str = ""

    def __repr__(self) -> str:
        """Return a text without the answer."""
        return f"Reply({self.id!r}, {self.failed or 'answered'!r})"


@dataclass(frozen=True)
class Budget:
    """What a session may spend at most."""

    requests: int
    tokens: int


@dataclass
class Spent:
    """What a session has spent so far, over all its runs."""

    requests: int = 0
    tokens: int = 0

    def within(self, budget: Budget) -> bool:
        """Say whether one more request may be sent."""
        return self.requests < budget.requests and self.tokens < budget.tokens


class Suspect(Protocol):
    """Whoever can be asked: an endpoint or a file of answers."""

    @property
    def label(self) -> str:
        """What the report calls it; no credential."""

    def ask(self, queries: Sequence[Query], budget: Budget, spent: Spent) -> Sequence[Reply]:
        """Return the replies that came, in any order, and add to `spent` what they cost.

        A query without a reply may be asked again later: the budget is spent, or the server was not there.

        Raises:
            InputError: The suspect cannot be asked at all.
        """
