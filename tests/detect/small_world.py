"""A small world of columns, vectorised: who shares what is laid down by hand, the rest is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from stillwatch.model.columns import ACCOUNT_SCHEMA, EXCHANGE_SCHEMA
from stillwatch.model.views import Elicitation, KeyKind
from stillwatch.store import StoreWriter

START = datetime(2026, 10, 5, tzinfo=UTC)
DAYS = 14
DAY = 86_400
EPOCH = int(START.timestamp())
NOW = datetime(2026, 10, 20, tzinfo=UTC)
_GOLD, _M1, _M2 = (np.uint64(v) for v in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def mix(value):
    """SplitMix64's finaliser on an array."""
    value = np.asarray(value).astype(np.uint64) + _GOLD
    value = (value ^ (value >> np.uint64(30))) * _M1
    value = (value ^ (value >> np.uint64(27))) * _M2
    return value ^ (value >> np.uint64(31))


def fingerprint(kind, *parts):
    """A 64-bit hash of the parts with the kind in its low bits; parts broadcast."""
    hashed = np.zeros(np.broadcast_shapes(*(np.shape(part) for part in parts)) or (1,), np.uint64)
    for part in parts:
        hashed = mix(hashed ^ np.asarray(part).astype(np.uint64))
    return ((hashed & ~np.uint64(15)) | np.uint64(kind)).view(np.int64)


@dataclass(frozen=True)
class Cohort:
    """Accounts that share something; `copies` is the name of a cohort whose template they spray."""

    name: str
    size: int
    volume: float = 50.0
    share: float = 1.0
    templates: int = 1
    queue: bool = False
    extracts: bool = False
    single_turn: bool = False
    software: bool = False
    organisation: bool = False
    payers: int = 0
    throwaway: bool = False
    burst: bool = False
    uniform: bool = False
    copies: str = ""
    copied: float = 0.0


CAMPAIGN = Cohort(
    "campaign",
    40,
    60,
    queue=True,
    extracts=True,
    single_turn=True,
    payers=5,
    throwaway=True,
    burst=True,
    uniform=True,
)
FIRM = Cohort("firm", 30, 60, 0.8, software=True, organisation=True, payers=1)
APPLICATION = Cohort("application", 40, 40, 0.7, software=True)


@dataclass(frozen=True)
class World:
    """Exchanges and accounts, and the account ids of each cohort."""

    exchanges: pa.Table
    accounts: pa.Table
    who: dict[str, frozenset[str]] = field(default_factory=dict)


def make_world(cohorts=(CAMPAIGN, FIRM, APPLICATION), independents=490, seed=1):
    """Draw a world."""
    crowd = Cohort("crowd", independents, 28, 0.0)
    numbers = {cohort.name: tag for tag, cohort in enumerate((crowd, *cohorts))}
    first, exchanges, accounts, who = 0, [], [], {}
    for cohort in (crowd, *cohorts):
        rng = np.random.default_rng([seed, *cohort.name.encode()])
        ids = np.arange(first, first + cohort.size)
        first += cohort.size
        exchanges.append(_exchanges(cohort, numbers, ids, rng))
        accounts.append(_accounts(cohort, numbers[cohort.name], ids, rng))
        who[cohort.name] = frozenset(account_name(ids))
    rows = pa.concat_tables(exchanges)
    count = rows.num_rows
    rows = rows.take(np.random.default_rng(seed).permutation(count)).sort_by("ts")
    names = pa.array([f"x{n:07d}" for n in range(count)])
    rows = rows.set_column(rows.schema.get_field_index("exchange_id"), "exchange_id", names)
    rows = rows.set_column(rows.schema.get_field_index("source_ref"), "source_ref", names)
    return World(rows, pa.concat_tables(accounts), who)


def account_name(ids):
    """Account ids as the operator writes them."""
    return [f"acct-{n:05d}" for n in np.asarray(ids).tolist()]


def _times(cohort, tag, owner, rng):
    """Seconds since the epoch: a shared job queue that is on or off, or a working day of each account."""
    day = rng.integers(0, DAYS, owner.size)
    if cohort.queue:
        shifts = np.flatnonzero(mix(np.arange(DAYS * 4) + 1000 * tag) % np.uint64(3) == 0)
        return (
            EPOCH
            + shifts[rng.integers(0, shifts.size, owner.size)] * 21_600
            + rng.uniform(0, 21_600, owner.size)
        )
    zone = mix(owner + 7) % np.uint64(24)
    hour = (zone.astype(np.float64) + np.clip(rng.normal(13, 3, owner.size), 6, 22)) % 24
    return EPOCH + day * DAY + hour * 3600 + rng.uniform(0, 60, owner.size)


def _keys(cohort, numbers, who, rng):
    """Text keys of each exchange: the cohort's template around private content, or ordinary traffic."""
    owner, strand, copied = who
    rows = np.arange(owner.size)
    tag = np.where(copied, numbers.get(cohort.copies, 0), numbers[cohort.name])
    template = np.where(copied, 0, rng.integers(0, max(cohort.templates, 1), owner.size))
    unique = rng.integers(0, 2**62, owner.size)
    public = np.minimum(30 * (1 / (1 - rng.random(owner.size)) ** 2 - 1), 1e12).astype(np.int64)
    kinds = (KeyKind.PREFIX_SHORT, KeyKind.PREFIX_LONG, KeyKind.SHINGLE, KeyKind.SUFFIX)
    columns = [fingerprint(kind, 1, tag, template, int(kind)) for kind in kinds]
    opening = np.where(
        rng.random(owner.size) < 0.4, fingerprint(1, 2, public), fingerprint(1, 3, owner, rows % 5)
    )
    ordinary = [opening, *(fingerprint(kind, 4, unique, int(kind)) for kind in kinds[1:])]
    shared = np.column_stack(
        [np.where(strand, mine, other) for mine, other in zip(columns, ordinary, strict=True)]
    )
    keys = np.column_stack([shared, fingerprint(KeyKind.SHINGLE, 5, unique)])
    offsets = np.arange(0, keys.size + 1, keys.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, keys.ravel())


def _exchanges(cohort, numbers, ids, rng):
    tag = numbers[cohort.name]
    crowd = cohort.name == "crowd"
    mean = cohort.volume * (
        rng.lognormal(-0.5, 1.0, ids.size) if crowd else rng.lognormal(-0.02, 0.2, ids.size)
    )
    owner = np.repeat(ids, 1 + rng.poisson(mean))
    size = owner.size
    where = rng.random(size)
    copied = where < cohort.copied
    strand = copied | (where < cohort.copied + cohort.share)
    software = (cohort.software & strand & ~copied) | (copied & bool(cohort.copies))
    system = fingerprint(KeyKind.SYSTEM, 6, np.where(copied, numbers.get(cohort.copies, 0), tag))
    seat = np.where(cohort.uniform & strand, 1_000_000 + tag, owner)
    settings = np.where(rng.random(size) < 0.9, mix(seat), mix(rng.integers(0, 2**40, size)))
    queued = cohort.extracts & strand & ~copied
    seconds = _times(cohort, tag, owner, rng)
    columns = {
        "exchange_id": pa.nulls(size, pa.string()),
        "ts": pa.array((seconds * 1e6).astype(np.int64)).cast(pa.timestamp("us", tz="UTC")),
        "account_id": pa.array(account_name(owner)),
        "model": pa.array(np.array(["aster-1", "aster-2"])[(mix(owner) % np.uint64(2)).astype(int)]),
        "turn": pa.array(
            np.where(cohort.single_turn & strand, 1, 1 + rng.poisson(1.5, size)).astype(np.int32)
        ),
        "ip": pa.array([f"192.0.2.{n}" for n in (mix(owner + 3) % np.uint64(250)).tolist()]),
        "input_tokens": pa.array(rng.integers(20, 900, size)),
        "output_tokens": pa.array(rng.integers(20, 900, size) + 800 * queued),
        "account_fp": pa.array(fingerprint(KeyKind.ACCOUNT, 7, owner)),
        "keys": _keys(cohort, numbers, (owner, strand, copied), rng),
        "system_fp": pa.array(system, mask=~software),
        "tools_fp": pa.nulls(size, pa.int64()),
        "sampling_fp": pa.array(fingerprint(KeyKind.SAMPLING, 8, _skewed(settings, 40, cohort, strand, tag))),
        "client_fp": pa.array(
            fingerprint(KeyKind.CLIENT, 9, _skewed(mix(seat + 5), 60, cohort, strand, tag))
        ),
        "item_fp": pa.array(rng.integers(1, 2**62, size)),
        "cell": pa.array(
            np.where(
                queued,
                rng.integers(0, 1024, size),
                mix(owner * 8 + rng.integers(0, 6, size)) % np.uint64(1024),
            ).astype(np.int16)
        ),
        "elicitation": pa.array(
            np.where(queued, int(Elicitation.REASONING), (rng.random(size) < 0.05) * 4).astype(np.int32)
        ),
        "source": pa.repeat("small", size),
        "source_ref": pa.nulls(size, pa.string()),
        "schema_version": pa.repeat(pa.scalar(1, pa.int16()), size),
    }
    return pa.table(
        columns,
        schema=pa.schema([EXCHANGE_SCHEMA.field(name).with_nullable(nullable=True) for name in columns]),
    )


def _skewed(hashed, most, cohort, strand, tag):
    """A popular value drawn from the hash; what a uniform cohort uses is its own."""
    unit = (hashed >> np.uint64(11)).astype(np.float64) / 2.0**53
    popular = (most * unit**3).astype(np.int64)
    return np.where(cohort.uniform & strand, 10_000 + tag, popular)


def _accounts(cohort, tag, ids, rng):
    size = ids.size
    age = np.where(cohort.burst, 10 + rng.uniform(0, 1.5, size), 1 + rng.exponential(200, size))
    payer = ids + 10_000 if not cohort.payers else 1_000_000 * tag + ids % cohort.payers
    kinds = np.array(["card", "card", "card", "invoice", "virtual_card"])[rng.integers(0, 5, size)]
    columns = {
        "account_id": pa.array(account_name(ids)),
        "account_fp": pa.array(fingerprint(KeyKind.ACCOUNT, 7, ids)),
        "org_id": pa.repeat(f"org-{tag}", size) if cohort.organisation else pa.nulls(size, pa.string()),
        "created_at": pa.array(((EPOCH - age * DAY) * 1e6).astype(np.int64)).cast(
            pa.timestamp("us", tz="UTC")
        ),
        "payment_fp": pa.array([f"pay-{n}" for n in payer.tolist()]),
        "payment_kind": pa.repeat("virtual_card", size) if cohort.throwaway else pa.array(kinds),
        "email_domain": pa.array(np.array(["a.example", "b.example", "c.example"])[rng.integers(0, 3, size)]),
        "verified": pa.array([["organisation"] if cohort.organisation else ["email"]] * size),
    }
    filled = [columns.get(f.name, pa.nulls(size, f.type)) for f in ACCOUNT_SCHEMA]
    return pa.Table.from_arrays(
        [pa.array(c) if not isinstance(c, pa.Array) else c for c in filled], schema=ACCOUNT_SCHEMA
    )


def write_store(path, *parts, accounts=None, enforcement=None):
    """Write each of the tables `parts` as one source."""
    with StoreWriter(path) as writer:
        add_sources(writer, parts)
        if accounts is not None:
            writer.put_accounts(accounts)
        if enforcement is not None:
            writer.put_enforcement(enforcement)
    return path


def add_sources(writer, parts, first=0):
    """Add each of the tables `parts` as one source, numbered from `first`."""
    for number, part in enumerate(parts, first):
        with writer.source(f"s{number}", f"s{number}.columns", "columns") as source:
            for batch in part.to_batches():
                source.write(batch)
            source.commit()
