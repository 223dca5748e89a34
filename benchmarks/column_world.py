"""A store of fingerprints without texts, at any scale, to measure `detect` by itself.

    python benchmarks/column_world.py --exchanges 10000000 --seed 1 --out build/bench/columns-10m

`OUT/store` is an exchange store, `OUT/truth.parquet` says who belongs together, `OUT/world.json` what it is.

Everything is a function of the seed. What grows with the number of exchanges N: accounts (N / 60), groups
and campaigns (a constant share of the accounts), and the vocabulary of public keys (about N ** (2/3), Heaps'
law of the Zipf-Mandelbrot draw). What does not: the traffic of one account and the size of a typical group.

It is made for speed and memory; detection quality is judged on `stillwatch.worlds`, not here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from column_kernel import APPLICATION, BENCHMARK, CAMPAIGN, DAY, INDEPENDENT, MAX_KEYS, NOTHING, ORGANISATION
from column_kernel import generate as fill
from stillwatch.model.columns import ACCOUNT_SCHEMA, EXCHANGE_SCHEMA, SCHEMA_VERSION
from stillwatch.store import StoreWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

START = int(datetime(2026, 10, 5, tzinfo=UTC).timestamp()) * 1_000_000
SPAN = 14 * DAY
CHUNK = 1_000_000
SOURCE = 10_000_000
"""Exchanges of one source: an operator's logs come as one file a day, not as one file."""
PER_ACCOUNT = 60
KIND_NAMES = ("independent", "application", "organisation", "benchmark", "campaign")
CAMPAIGN_SHAPES = ((1, 1.0), (200, 0.5), (20, 0.2), (2000, 1.0), (1, 0.2), (20, 1.0), (200, 0.2), (2000, 0.6))
"""(size of the template pool, share of the account's traffic) of the campaigns, in turn."""

_SHARES = {APPLICATION: 0.20, ORGANISATION: 0.08, BENCHMARK: 0.01, CAMPAIGN: 0.012}
_RHO = {APPLICATION: 0.5, ORGANISATION: 0.7, BENCHMARK: 0.9}
_VOLUME = {INDEPENDENT: 1.0, APPLICATION: 1.3, ORGANISATION: 2.0, BENCHMARK: 5.0}
_ACTIVE = np.array([0.53, 0.53, 0.53, 0.265, 0.775])
"""Mean of `column_kernel.activity` by kind, so that the rhythm does not change the volumes."""
_MODELS = ("aster-2", "aster-2-mini", "aster-3-mini", "aster-3", "aster-4")
_LANGUAGES = ("en", "en", "en", "en", "es", "zh", "de", "pt", "fr", "ja")
_PAYMENTS = ("card", "card", "card", "invoice", "virtual_card", "prepaid", "none")


@dataclass(frozen=True)
class Plan:
    """Who there is: arrays with one entry an account, and arrays with one entry a group.

    Attributes:
        seed: Seed of the world.
        exchanges: Number of exchanges in the world.
        weight: Expected exchanges of each account.
        kind: Kind of each account.
        group: Group of each account, -1 for none.
        created: When each account was opened, microseconds.
        group_kind: Kind of each group.
        pool: Templates of each group.
        rho: Share of its members' traffic that belongs to the group.
        items: Different questions of a benchmark.
    """

    seed: int
    exchanges: int
    weight: np.ndarray
    kind: np.ndarray
    group: np.ndarray
    created: np.ndarray
    group_kind: np.ndarray
    pool: np.ndarray
    rho: np.ndarray
    items: np.ndarray

    @property
    def accounts(self) -> int:
        """Number of accounts."""
        return self.kind.size


def plan_world(exchanges: int, seed: int) -> Plan:
    """Lay out accounts and groups of a world of `exchanges` exchanges."""
    rng = np.random.default_rng([seed, exchanges])
    accounts = max(300, exchanges // PER_ACCOUNT)
    kinds, pools, rhos, items, sizes = _groups(rng, accounts)
    kind = np.zeros(accounts, np.int8)
    group = np.full(accounts, -1, np.int32)
    order = rng.permutation(accounts)[: sizes.sum()]
    group[order] = np.repeat(np.arange(sizes.size, dtype=np.int32), sizes)
    kind[order] = np.repeat(kinds, sizes)
    return Plan(
        seed=seed,
        exchanges=exchanges,
        weight=_volumes(rng, kind, exchanges),
        kind=kind,
        group=group,
        created=_created(rng, kind, group),
        group_kind=kinds,
        pool=pools,
        rho=rhos,
        items=items,
    )


def _groups(rng: np.random.Generator, accounts: int) -> tuple[np.ndarray, ...]:
    """Draw groups of each kind until they hold their share of the accounts."""
    kinds, pools, rhos, items, sizes = [], [], [], [], []
    for kind, share in _SHARES.items():
        left = max(int(share * accounts), 24)
        number = 0
        while left > 0:
            size = min(_size(rng, kind, accounts), max(left, 3))
            pool, rho = _shape(rng, kind, number)
            kinds.append(kind)
            pools.append(pool)
            rhos.append(rho)
            items.append(int(rng.integers(200, 1500)))
            sizes.append(size)
            left -= size
            number += 1
    return (
        np.array(kinds, np.int8),
        np.array(pools, np.int64),
        np.array(rhos),
        np.array(items, np.int64),
        np.array(sizes),
    )


def _size(rng: np.random.Generator, kind: int, accounts: int) -> int:
    if kind == APPLICATION:  # a few popular ones, many small ones
        return int(min(20 * (1 + rng.pareto(1.1)), max(24, 0.03 * accounts)))
    median, least, most = {ORGANISATION: (12, 3, 200), BENCHMARK: (15, 8, 40), CAMPAIGN: (90, 24, 2000)}[kind]
    return int(np.clip(rng.lognormal(np.log(median), 0.8), least, most))


def _shape(rng: np.random.Generator, kind: int, number: int) -> tuple[int, float]:
    if kind == CAMPAIGN:
        return CAMPAIGN_SHAPES[number % len(CAMPAIGN_SHAPES)]
    pool = {APPLICATION: 12, ORGANISATION: 20, BENCHMARK: 3}[kind]
    return int(rng.integers(1, pool + 1)), _RHO[kind]


def _volumes(rng: np.random.Generator, kind: np.ndarray, exchanges: int) -> np.ndarray:
    """Campaign accounts have about 300 exchanges each, all others a heavy tail around what is left."""
    honest = rng.lognormal(0.0, 1.3, kind.size) * np.array([*_VOLUME.values(), 0.0])[kind]
    campaign = rng.lognormal(np.log(300.0), 0.3, kind.size) * (kind == CAMPAIGN)
    campaign *= min(1.0, 0.3 * exchanges / max(campaign.sum(), 1.0))
    return honest * ((exchanges - campaign.sum()) / honest.sum()) + campaign


def _created(rng: np.random.Generator, kind: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Honest accounts open over two years, one in twenty within the window; a campaign's within two days."""
    age = rng.exponential(200.0, kind.size)
    young = rng.random(kind.size) < 0.05
    age[young] = -rng.uniform(0, 13, young.sum())
    burst = 5 + (group.astype(np.int64) * 7919) % 40
    age[kind == CAMPAIGN] = (burst + rng.uniform(0, 2, kind.size))[kind == CAMPAIGN]
    return START - (age * DAY).astype(np.int64)


def alias_table(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Alias table of `weight` (Vose 1991): slot i keeps i with share[i], else gives other[i]."""
    scaled = weight * (weight.size / weight.sum())
    share = np.ones(weight.size)
    other = np.arange(weight.size, dtype=np.int32)
    small, large = list(np.flatnonzero(scaled < 1.0)), list(np.flatnonzero(scaled >= 1.0))
    scaled = scaled.tolist()
    while small and large:
        less, more = small.pop(), large[-1]
        share[less], other[less] = scaled[less], more
        scaled[more] -= 1.0 - scaled[less]
        if scaled[more] < 1.0:
            small.append(large.pop())
    return share, other


class Columns:
    """Turns the kernel's arrays into record batches of `EXCHANGE_SCHEMA`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.account_ids = fixed_width("a", np.arange(plan.accounts))
        self.account_fp = fingerprints(plan.seed, plan.accounts)
        share, other = alias_table(plan.weight / _ACTIVE[plan.kind])
        self._plan = (
            share, other, plan.kind, plan.group, plan.created, plan.pool, plan.rho, plan.items,
        )  # fmt: skip
        shared = pa.array([f"shared-{i:05d}" for i in range(4096)])
        self._ips = pa.concat_arrays([fixed_width("p", np.arange(plan.accounts)), shared])
        self._languages = np.random.default_rng(plan.seed).integers(0, len(_LANGUAGES), plan.accounts)

    def batches(self, chunk: int = CHUNK) -> Iterator[pa.RecordBatch]:
        """All exchanges in order of time."""
        for first in range(0, self.plan.exchanges, chunk):
            yield self.batch(first, min(chunk, self.plan.exchanges - first))

    def batch(self, first: int, rows: int) -> pa.RecordBatch:
        """The exchanges number `first` to `first + rows`."""
        keys = np.empty((rows, MAX_KEYS), np.int64)
        count = np.empty(rows, np.int32)
        numbers = np.empty((rows, 9), np.int64)
        small = np.empty((rows, 5), np.int32)
        world = (self.plan.seed, self.plan.exchanges, START, SPAN)
        fill(world, first, rows, self._plan, (keys, count, numbers, small))
        account = numbers[:, 1]
        names = fixed_width("x", np.arange(first, first + rows))
        filled = {
            "exchange_id": names,
            "ts": pa.array(numbers[:, 0]).cast(pa.timestamp("us", tz="UTC")),
            "account_id": self.account_ids.take(pa.array(account)),
            "channel": pa.repeat("api", rows),
            "ip": self._ips.take(pa.array(self._exits(account, numbers[:, 3], first))),
            "model": pa.array(_MODELS).take(pa.array(small[:, 4])),
            "endpoint": pa.repeat("/v1/chat/completions", rows),
            "temperature": pa.array((numbers[:, 2] >> 4) % 11 / 10.0),
            "max_tokens": pa.array(256 << ((numbers[:, 2] >> 9) % 6)),
            "turn": pa.array(small[:, 0]),
            "input_tokens": pa.array(small[:, 1].astype(np.int64)),
            "output_tokens": pa.array(numbers[:, 8]),
            "finish_reason": pa.repeat("stop", rows),
            "status": pa.repeat(pa.scalar(200, pa.int32()), rows),
            "account_fp": pa.array(self.account_fp[account]),
            "keys": _lists(keys, count),
            "system_fp": _nullable(numbers[:, 4]),
            "tools_fp": _nullable(numbers[:, 5]),
            "sampling_fp": pa.array(numbers[:, 2]),
            "client_fp": pa.array(numbers[:, 3]),
            "item_fp": pa.array(numbers[:, 6]),
            "prefix_fp": _nullable(numbers[:, 7]),
            "cell": pa.array(small[:, 2].astype(np.int16)),
            "language": pa.array(_LANGUAGES).take(pa.array(self._languages[account])),
            "elicitation": pa.array(small[:, 3]),
            "source": pa.repeat("column-world", rows),
            "source_ref": names,
            "schema_version": pa.repeat(pa.scalar(SCHEMA_VERSION, pa.int16()), rows),
        }
        columns = [filled.get(f.name, pa.nulls(rows, f.type)) for f in EXCHANGE_SCHEMA]
        return pa.RecordBatch.from_arrays(columns, schema=EXCHANGE_SCHEMA)

    def _exits(self, account: np.ndarray, client: np.ndarray, first: int) -> np.ndarray:
        """Index into the addresses: mostly the account's own, one in ten an exit that many share."""
        mixed = (account * 40503 + (client >> 7) + np.arange(first, first + account.size)) & 0xFFFFF
        return np.where(mixed < 0x1999A, self.plan.accounts + mixed % 4096, account)

    def account_table(self) -> pa.Table:
        """The operator's own records of all accounts."""
        plan = self.plan
        rng = np.random.default_rng([plan.seed, 2])
        size = plan.accounts
        organisation = plan.kind == ORGANISATION
        campaign = plan.kind == CAMPAIGN
        own = np.arange(size, dtype=np.int64)
        payer = np.where(organisation, plan.group, 10_000_000 + own)
        payer = np.where(campaign, 20_000_000 + plan.group * 100 + own % 9, payer)
        method = rng.integers(0, len(_PAYMENTS), size)
        method = np.where(campaign, 4 + (plan.group % 2), np.where(organisation, 3, method))
        email = np.array(["mail.example", "post.example", "firm.example"])[rng.integers(0, 3, size)]
        filled = {
            "account_id": self.account_ids,
            "account_fp": pa.array(self.account_fp),
            "org_id": pa.array(np.char.add("o", plan.group.astype(str)), mask=~organisation),
            "created_at": pa.array(plan.created).cast(pa.timestamp("us", tz="UTC")),
            "plan": pa.repeat("pay-as-you-go", size),
            "payment_fp": fixed_width("f", payer),
            "payment_kind": pa.array(_PAYMENTS).take(pa.array(method)),
            "email_domain": pa.array(email),
            "country": pa.repeat("ZZ", size),
            "verified": pa.repeat(pa.scalar(["email"], pa.list_(pa.string())), size),
        }
        columns = [filled.get(f.name, pa.nulls(size, f.type)) for f in ACCOUNT_SCHEMA]
        return pa.Table.from_arrays(columns, schema=ACCOUNT_SCHEMA)

    def truth_table(self) -> pa.Table:
        """Which group each account belongs to: account_id, kind, group (-1 for none), pool, rho."""
        plan = self.plan
        known = plan.group >= 0
        return pa.table(
            {
                "account_id": self.account_ids,
                "kind": pa.array(KIND_NAMES).take(pa.array(plan.kind)),
                "group": pa.array(plan.group),
                "pool": pa.array(plan.pool[plan.group], mask=~known),
                "rho": pa.array(plan.rho[plan.group], mask=~known),
            }
        )


def fixed_width(letter: str, numbers: np.ndarray, digits: int = 10) -> pa.StringArray:
    """Strings of `letter` and `digits` decimal digits, built without a Python object each."""
    text = np.empty((numbers.size, digits + 1), np.uint8)
    text[:, 0] = ord(letter)
    rest = numbers.astype(np.int64)
    for place in range(digits, 0, -1):
        rest, digit = np.divmod(rest, 10)
        text[:, place] = digit + ord("0")
    offsets = np.arange(numbers.size + 1, dtype=np.int32) * (digits + 1)
    return pa.StringArray.from_buffers(numbers.size, pa.py_buffer(offsets), pa.py_buffer(text))


def fingerprints(seed: int, accounts: int) -> np.ndarray:
    """A random 64-bit hash an account, with the kind ACCOUNT in the low bits."""
    drawn = np.random.default_rng([seed, 1]).integers(-(2**63), 2**63 - 1, accounts, np.int64)
    return (drawn & ~np.int64(15)) | np.int64(11)


def _nullable(values: np.ndarray) -> pa.Array:
    return pa.array(values, mask=values == NOTHING)


def _lists(keys: np.ndarray, count: np.ndarray) -> pa.ListArray:
    offsets = np.zeros(count.size + 1, np.int32)
    np.cumsum(count, out=offsets[1:])
    flat = keys[np.arange(MAX_KEYS) < count[:, None]]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))


def build_store(out: Path, exchanges: int, seed: int) -> Path:
    """Write the world to `out`, unless the same one is there already, and return the path of its store."""
    code = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("column_*.py")))
    wanted = {"exchanges": exchanges, "seed": seed, "generator": hashlib.sha256(code).hexdigest()}
    described = out / "world.json"
    if described.exists() and json.loads(described.read_text()) == wanted:
        return out / "store"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    columns = Columns(plan_world(exchanges, seed))
    _write(columns, out / "store")
    pq.write_table(columns.truth_table(), out / "truth.parquet")
    described.write_text(json.dumps(wanted) + "\n")
    return out / "store"


def _write(columns: Columns, path: Path) -> None:
    with StoreWriter(path) as writer:
        batches = _ahead(columns.batches())
        for number in range(-(-columns.plan.exchanges // SOURCE)):
            with writer.source(f"world-{number:04d}", f"world-{number:04d}.columns", "columns") as source:
                for batch in islice(batches, SOURCE // CHUNK):
                    source.write(batch)
                source.commit()
        writer.put_accounts(columns.account_table())


def _ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Compute the next batch while the present one is written."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def main() -> None:
    """Write a world from the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--exchanges", type=int, required=True)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--out", type=Path, required=True)
    given = options.parse_args()
    print(build_store(given.out, given.exchanges, given.seed))


if __name__ == "__main__":
    main()
