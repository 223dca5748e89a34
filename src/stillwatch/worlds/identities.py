"""Account records: when and how accounts were opened, who pays, what was verified, what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.worlds.addresses import COUNTRY_OF_HOME, hosts
from stillwatch.worlds.conversations import ZONES
from stillwatch.worlds.shapes import Ints, draw, pick, zipf_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.worlds.stage import Stage

Words = npt.NDArray[np.object_]

RECORDS = pa.schema(
    [
        ("population", pa.string()),
        ("fleet", pa.string()),
        ("campaign", pa.string()),
        ("recorded", pa.bool_()),
        ("org_id", pa.string()),
        ("created_at", pa.int64()),
        ("closed_at", pa.int64()),
        ("plan", pa.string()),
        ("payment_fp", pa.string()),
        ("payment_kind", pa.string()),
        ("email_domain", pa.string()),
        ("signup_ip", pa.int64()),
        ("device_fp", pa.string()),
        ("country", pa.string()),
        ("verified", pa.int64()),
        ("declared_use", pa.string()),
        ("programme", pa.string()),
        ("reseller_of", pa.string()),
    ]
)
"""Accounts of a population. `verified` is a bit set over `VERIFICATIONS`; `recorded` is false for the few
accounts that the operator's table lacks."""

AGE_DAYS = (1, 3, 8, 20, 70, 190, 380, 560, 640, 720, 760)
"""Days that an honest account exists when the window starts, quantiles at `LEVELS` (assumption)."""
MAIL = (
    "mailhub.example",
    "inbox.example",
    "postbox.example",
    "letters.example",
    "courier.example",
    "webpost.example",
)
MAIL_WEIGHTS = (60, 18, 9, 6, 4, 3)
DISPOSABLE = tuple(
    f"{word}mail.example"
    for word in (
        "quick",
        "temp",
        "drop",
        "mask",
        "void",
        "ten-minute",
        "spare",
        "burn",
        "ghost",
        "trash",
        "relay",
        "swift",
    )
)
PAYMENTS = ("card", "virtual_card", "prepaid", "none")


CHURN = 0.002
"""Share of honest accounts that close on a day (assumption)."""
LEAST_STAY = 6 * 3_600_000_000
"""Microseconds that an account which leaves was active for at least."""


class Records(msgspec.Struct):
    """Columns of account records; the fleets change what sets them apart. Lengths are all equal."""

    population: str
    zone: Ints
    created_at: Ints
    closed_at: Ints
    home: Ints
    plan: Words
    payment_fp: Words
    payment_kind: Words
    email_domain: Words
    signup_ip: Ints
    device_fp: Words
    country: Words
    verified: Ints
    recorded: npt.NDArray[np.bool_]
    org_id: Words
    fleet: Words
    campaign: Words
    declared_use: Words
    programme: Words
    reseller_of: Words

    def __len__(self) -> int:
        """Return the number of accounts."""
        return len(self.zone)

    def table(self) -> pa.Table:
        """Return the records as columns of `RECORDS`."""
        columns = {
            field.name: pa.array(getattr(self, field.name), field.type, from_pandas=True)
            for field in RECORDS
            if field.name != "population"
        }
        columns["population"] = pa.repeat(pa.scalar(self.population), len(self))
        columns["closed_at"] = pa.array(self.closed_at, mask=~self._left(0))
        columns["signup_ip"] = pa.array(self.signup_ip, mask=self.signup_ip == 0)
        return pa.table(columns).select(RECORDS.names)

    def active(self, stage: Stage) -> tuple[Ints, Ints]:
        """First and last moment of the window in which each account exists."""
        first = np.maximum(self.created_at, stage.window.start)
        return first, np.where(self._left(stage.window.start), self.closed_at, stage.window.end)

    def _left(self, start: int) -> npt.NDArray[np.bool_]:
        """Tell who left, after a stay of some hours in the window at least."""
        return np.asarray(self.closed_at > np.maximum(self.created_at, start) + LEAST_STAY)


def people(stage: Stage, count: int, population: str) -> Records:
    """Draw the records of `count` unrelated people."""
    rng = stage.rng("people")
    age = draw(AGE_DAYS, count, rng)
    young = rng.random(count) < 0.13
    day = np.where(young, rng.uniform(0, stage.window.days * 0.9, count), -age)
    kind = np.array(PAYMENTS, dtype=object)[pick((66, 4, 3, 27), count, rng)]
    home = hosts("home", count, rng)
    missing = rng.random((4, count))
    return Records(
        population=population,
        zone=np.array(ZONES)[pick((9, 8, 12, 6, 10, 20, 6, 5, 9, 11, 4), count, rng)],
        created_at=stage.window.start + (day * 86_400_000).astype(np.int64) * 1000,
        closed_at=_closed(stage, count) if population != "campaign" else np.zeros(count, dtype=np.int64),
        home=home,
        plan=np.where(kind == "none", "free", "pay_as_you_go").astype(object),
        payment_fp=unless(kind == "none", tokens("card", count, rng)),
        payment_kind=kind,
        email_domain=mail(count, rng, 0.03),
        signup_ip=np.where(missing[0] < 0.15, 0, home),
        device_fp=unless(missing[1] < 0.35, tokens("device", count, rng)),
        country=unless(missing[2] < 0.08, countries(count, rng)),
        verified=verified(count, (0.97, 0.55, 0.6, 0.0, 0.04), rng) & np.where(kind == "none", ~4, ~0),
        recorded=missing[3] >= 0.02,
        org_id=blank(count),
        fleet=blank(count),
        campaign=blank(count),
        declared_use=blank(count),
        programme=blank(count),
        reseller_of=blank(count),
    )


def _closed(stage: Stage, count: int) -> Ints:
    """Let some customers leave: the moment, 0 for those who stay. Nobody leaves in the first edition."""
    if not stage.streams.exact:
        return np.zeros(count, dtype=np.int64)
    rng = stage.rng("churn")
    moment = stage.window.start + (rng.random(count) * (stage.window.end - stage.window.start)).astype(
        np.int64
    )
    return np.where(rng.random(count) < CHURN * stage.window.days, moment, 0)


def businesses(stage: Stage, count: int, population: str) -> Records:
    """Draw the records of `count` unrelated small firms, one account each."""
    rng = stage.rng("firms")
    firms = people(stage, count, population)
    firms.org_id = tokens("org", count, rng)
    firms.plan = np.array(["pay_as_you_go", "team", "enterprise"], dtype=object)[
        pick((60, 28, 12), count, rng)
    ]
    firms.payment_kind = np.where(firms.plan == "enterprise", "invoice", "card").astype(object)
    firms.payment_fp = tokens("pay", count, rng)
    firms.email_domain = domains(count, rng)
    firms.verified = verified(count, (1.0, 0.6, 0.9, 0.5, 0.1), rng)
    return firms


def organisation(stage: Stage, count: int, population: str) -> Records:
    """Draw the records of `count` accounts of one organisation that pays one bill."""
    rng = stage.rng("organisation")
    members = people(stage, count, population)
    office = hosts("office", 1, rng)
    members.created_at = np.minimum(members.created_at, stage.window.at(-1.5))
    members.org_id = np.repeat(tokens("org", 1, rng), count)
    members.plan = np.full(count, "enterprise", dtype=object)
    members.payment_kind = np.full(count, "invoice", dtype=object)
    members.payment_fp = np.repeat(tokens("invoice", 1, rng), count)
    members.email_domain = np.repeat(domains(1, rng), count)
    members.verified = np.full(count, 0b01101)
    members.home = np.repeat(office, count)
    members.signup_ip = np.where(members.signup_ip > 0, members.home, 0)
    members.zone = np.repeat(members.zone[:1], count)
    members.country = np.repeat(members.country[:1], count)
    return members


def label(records: Records, fleet: str) -> Records:
    """Name the fleet that all these accounts belong to; none of them leaves."""
    records.fleet = np.full(len(records), fleet, dtype=object)
    records.closed_at = np.zeros(len(records), dtype=np.int64)
    return records


def tokens(prefix: str, count: int, rng: np.random.Generator) -> Words:
    """Draw opaque identifiers such as a hashed payment instrument."""
    high = rng.integers(0, 1 << 62, count)
    return np.array([f"{prefix}_{value:016x}" for value in high], dtype=object)


def domains(count: int, rng: np.random.Generator) -> Words:
    """Draw domains of firms."""
    return np.array([f"firm-{value:08x}.example" for value in rng.integers(0, 1 << 32, count)], dtype=object)


def mail(count: int, rng: np.random.Generator, disposable: float) -> Words:
    """Draw e-mail domains of people, a share of them disposable; some have a domain of their own."""
    usual = np.array(MAIL, dtype=object)[pick(MAIL_WEIGHTS, count, rng)]
    thrown = np.array(DISPOSABLE, dtype=object)[pick(zipf_weights(len(DISPOSABLE)), count, rng)]
    chosen = np.where(rng.random(count) < disposable, thrown, usual)
    return np.where(rng.random(count) < 0.08, domains(count, rng), chosen)


def countries(count: int, rng: np.random.Generator) -> Words:
    """Draw countries."""
    return np.array(COUNTRY_OF_HOME, dtype=object)[pick(zipf_weights(len(COUNTRY_OF_HOME)), count, rng)]


def verified(count: int, chances: Sequence[float], rng: np.random.Generator) -> Ints:
    """Draw the bit set of verifications, each with its own chance."""
    bits = rng.random((count, len(chances))) < np.asarray(chances)
    return np.asarray(bits @ (1 << np.arange(len(chances))), dtype=np.int64)


def blank(count: int) -> Words:
    """Return a column of nothing."""
    return np.full(count, None, dtype=object)


def unless(lacking: npt.NDArray[np.bool_], words: Words) -> Words:
    """Blank the `words` where they are lacking."""
    return np.where(lacking, blank(len(words)), words)
