"""How a campaign is carried out, as numbers: pools of accounts, rates, and the craft that hides them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

LEAST_ACCOUNTS = 4
"""A pool scaled down keeps so many accounts."""


Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Part = Annotated[float, Meta(gt=0.0, le=1.0)]
"""A share that is not nothing."""
Count = Annotated[int, Meta(ge=1)]
Amount = Annotated[float, Meta(ge=0.0)]
Positive = Annotated[float, Meta(gt=0.0)]


class Wording(StrEnum):
    """Where the words around a question come from."""

    FIXED = "fixed"
    """One prompt in every request of the campaign."""
    POOL = "pool"
    """A pool of templates that all accounts share."""
    OWN = "own"
    """Each account has a paraphrase of every template for itself."""
    EVERY = "every"
    """Every single prompt is paraphrased: no two share a template."""
    SESSIONS = "sessions"
    """Sessions of a rival's own users, replayed: many users' words inside one client's system prompt."""


class Schedule(StrEnum):
    """What decides when the accounts ask."""

    BALANCED = "balanced"
    """A load balancer hands each request to the next account."""
    QUEUE = "queue"
    """One queue of jobs runs and rests; all accounts follow it."""
    INDEPENDENT = "independent"
    """Each account has a queue of its own that starts and rests when it likes."""
    USERS = "users"
    """Requests of a rival's users, passed on when they ask."""


class Rhythm(StrEnum):
    """At which hours of the day an account asks."""

    MACHINE = "machine"
    HUMAN = "human"


class Cover(StrEnum):
    """What other traffic the accounts carry."""

    NONE = "none"
    RESALE = "resale"
    """Chats of paying customers of a reseller."""
    SYNTHETIC = "synthetic"
    """Invented chats, asked for nothing but their looks."""


class Verification(StrEnum):
    """The dearest check that the accounts have passed."""

    EMAIL = "email"
    PHONE = "phone"
    IDENTITY = "identity"


class Capability(StrEnum):
    """What the questions are after."""

    REASONING = "reasoning"
    GRADING = "grading"
    REWRITING = "rewriting"
    AGENTS = "agents"
    CODING = "coding"
    TOOLS = "tools"
    DATA = "data analysis"
    VISION = "vision"
    KERNELS = "kernels"
    CLEANING = "trace cleaning"
    SECURITY = "security"
    CHAT = "chat"


class Pool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Accounts that work together from one day to another.

    Attributes:
        accounts: How many.
        first_day: Day of the campaign on which they begin.
        last_day: Day on which they stop of themselves; None means the end of the campaign.
        ban_day: Day on which the operator bans them, if it does.
        banned_share: Share of them that the operator catches then.
        replaced_hours: Hours after the ban of the pool before in which they take over; 0 for a first pool.
    """

    accounts: Count
    first_day: Amount = 0.0
    last_day: Positive | None = None
    ban_day: Positive | None = None
    banned_share: Share = 1.0
    replaced_hours: Amount = 0.0


class Craft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an adversary does so as to work well or to stay unseen; each field is a matter of money.

    Attributes:
        wording: Where the words around a question come from.
        templates: Templates of the pool (of each account with `Wording.OWN`).
        system_prompt: Whether one system prompt stands in every request.
        uniform_sampling: Whether all accounts use the same sampling parameters.
        network: Kind of network of the exits.
        accounts_per_exit: Accounts behind one exit; 1 means an address for each account.
        exits_per_account: Exits that one account moves between.
        accounts_per_payment: Accounts that pay with one instrument.
        payment_kind: Kind of instrument; `none` means free trials.
        disposable_mail: Share of accounts with a disposable mail domain.
        sign_up_bursts: Batches in which the accounts of a pool were opened; 0 means one by one.
        aged_share: Share of accounts bought aged, months or years old.
        verification: The dearest check that the accounts passed.
        wanted_share: Share of an account's traffic that belongs to the campaign; the rest is `cover`.
        cover: What the rest is.
        schedule: What decides when the accounts ask.
        idle_share: Share of six-hour blocks in which a queue rests.
        rhythm: Hours of the day.
        jitter_hours: Each account works so many hours early or late at most.
        volume_spread: Log standard deviation of the accounts' volumes; 0 is an even split.
        repeats: Share of the questions that another account of the campaign asks too.
        slowed: Factor by which the extraction runs slower than its card.
        models: Models asked; more than one spreads the load.
        pivot_share: Share of accounts that move to a new model within a day of its release.
        turns: Mean turns of a conversation.
        replays_reasoning: Whether signed reasoning blocks are replayed in other sessions.
        channels: Routes of access: own API, clouds, resellers.
        clients: Different client programs.
    """

    wording: Wording = Wording.POOL
    templates: Count = 20
    system_prompt: bool = False
    uniform_sampling: bool = True
    network: Literal["home", "mobile", "office", "hosting", "vpn"] = "hosting"
    accounts_per_exit: Count = 20
    exits_per_account: Count = 1
    accounts_per_payment: Count = 5
    payment_kind: Literal["card", "virtual_card", "prepaid", "none"] = "virtual_card"
    disposable_mail: Share = 0.5
    sign_up_bursts: Annotated[int, Meta(ge=0)] = 6
    aged_share: Share = 0.0
    verification: Verification = Verification.EMAIL
    wanted_share: Part = 1.0
    cover: Cover = Cover.NONE
    schedule: Schedule = Schedule.QUEUE
    idle_share: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.3
    rhythm: Rhythm = Rhythm.MACHINE
    jitter_hours: Amount = 0.0
    volume_spread: Annotated[float, Meta(ge=0.0, le=3.0)] = 0.4
    repeats: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    slowed: Annotated[float, Meta(ge=1.0)] = 1.0
    models: Count = 1
    pivot_share: Share = 0.5
    turns: Annotated[float, Meta(ge=1.0)] = 1.0
    replays_reasoning: bool = False
    channels: Annotated[int, Meta(ge=1, le=3)] = 1
    clients: Count = 2


class Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A campaign as it can be simulated.

    Attributes:
        id: Name in the truth.
        pools: Pools of accounts, in order of time.
        days: Length from the first exchange to the last, before slowing down; pools count real days.
        per_day: Mean exchanges of one account on one day on which its pool works, cover included, before
            slowing down.
        craft: How it hides.
        wants: Capabilities that it is after, most wanted first.
        languages: Weights of English, Chinese, Spanish, Russian and German among its questions.
        input_tokens: Median tokens of a request; read by the prices alone.
        output_tokens: Median tokens of an answer.
        shown: First and last day of the campaign that a world shows; None shows all of it.
    """

    id: str
    pools: Annotated[tuple[Pool, ...], Meta(min_length=1)]
    days: Positive
    per_day: Positive
    craft: Craft = Craft()
    wants: Annotated[tuple[Capability, ...], Meta(min_length=1)] = (Capability.REASONING,)
    languages: tuple[Amount, Amount, Amount, Amount, Amount] = (0.6, 0.2, 0.08, 0.06, 0.06)
    input_tokens: Count = 600
    output_tokens: Count = 1250
    shown: tuple[Amount, Positive] | None = None

    @property
    def accounts(self) -> int:
        """Number of accounts over all pools."""
        return sum(pool.accounts for pool in self.pools)

    @property
    def rate(self) -> float:
        """Mean exchanges of an account and day, after slowing down."""
        return self.per_day / self.craft.slowed

    @property
    def length(self) -> float:
        """Days from the first exchange to the last, after slowing down: the loot stays the same."""
        return self.days * self.craft.slowed

    @property
    def window(self) -> tuple[float, float]:
        """First and last day of the campaign that a world shows."""
        return self.shown or (0.0, self.length)


def active_days(pool: Pool, length: float) -> tuple[float, float]:
    """First day and end of a pool's work in a campaign of `length` days; a banned pool ends with its ban.

    >>> active_days(Pool(100, first_day=2.0, ban_day=5.0), 30.0)
    (2.0, 5.0)
    """
    last = length if pool.last_day is None else pool.last_day
    return pool.first_day, last if pool.ban_day is None else min(last, pool.ban_day)


def expected_exchanges(operation: Operation, window: tuple[float, float] | None = None) -> float:
    """Mean number of exchanges of `operation`, cover included.

    Args:
        operation: The campaign.
        window: Days that count; the whole campaign if not given.
    """
    low, high = window or (0.0, operation.length)
    total = 0.0
    for pool in operation.pools:
        first, last = active_days(pool, operation.length)
        worked = max(0.0, min(last, high) - max(first, low))
        spared = max(0.0, high - max(last, low)) if pool.ban_day is not None else 0.0
        total += pool.accounts * (worked + spared * (1.0 - pool.banned_share))
    return total * operation.rate


def expected_wanted(operation: Operation, window: tuple[float, float] | None = None) -> float:
    """Mean number of exchanges that belong to the campaign itself, without cover."""
    return expected_exchanges(operation, window) * operation.craft.wanted_share


def taken_share(operation: Operation, shown_share: float) -> float:
    """Share of all that a campaign takes that it has when `shown_share` of the shown part is taken.

    A world shows a part of a campaign; "reported while it had at most one per cent" is about all of it.

    Args:
        operation: The campaign.
        shown_share: Share of its own exchanges within the days that the world shows.
    """
    low, high = operation.window
    before = expected_wanted(operation, (0.0, low))
    return (before + shown_share * expected_wanted(operation, (low, high))) / expected_wanted(operation)


def scaled(operation: Operation, factor: float) -> Operation:
    """Make the campaign smaller: fewer accounts, the same rate of each.

    Args:
        operation: The campaign.
        factor: Factor on the number of accounts; every pool keeps at least `LEAST_ACCOUNTS`.

    Raises:
        ValueError: `factor` is not positive.
    """
    if factor <= 0:
        raise ValueError(f"factor {factor}: must be positive")
    pools = tuple(
        msgspec.structs.replace(pool, accounts=max(LEAST_ACCOUNTS, round(pool.accounts * factor)))
        for pool in operation.pools
    )
    return msgspec.structs.replace(operation, pools=pools)


def cut(operation: Operation, first_day: float, last_day: float) -> Operation:
    """Show only the days from `first_day` to `last_day`; accounts and rates stay as they are.

    Raises:
        ValueError: The days do not lie inside the campaign in order.
    """
    if not 0 <= first_day < last_day <= operation.length:
        raise ValueError(f"days {first_day} to {last_day}: must lie inside 0 to {operation.length}")
    return msgspec.structs.replace(operation, shown=(first_day, last_day))
