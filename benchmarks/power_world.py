"""Incidence columns of one campaign among honest accounts, for the power surface of `quality_power`.

A campaign of `accounts` accounts sends `per_account` exchanges each; a share rho of them carries one of P
templates, drawn uniformly, the rest is ordinary traffic. Honest accounts have heavy-tailed volumes; of their
exchanges 40 % carry a public key of a heavy-tailed vocabulary, 20 % one of eight keys of their own, the
others a key that nobody else has. Organic groups stand among them at the rate of the reference simulation,
530 in 100,000 accounts: applications whose members share up to twelve templates in half of their traffic.

With one view an exchange has one text key. With all views the campaign's exchanges also carry its sampling
settings and client, and its accounts share payment instruments by four; honest accounts draw these from
heavy-tailed vocabularies.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.model.columns import ACCOUNT_SCHEMA, ENFORCEMENT_SCHEMA
from stillwatch.model.views import KeyKind

Ints = npt.NDArray[np.int64]

START = int(datetime(2026, 10, 5, tzinfo=UTC).timestamp()) * 1_000_000
DAY = 86_400_000_000
DAYS = 14
_ORGANIC = 530 / 100_000
_PUBLIC, _OWN = 0.4, 0.2
_TEXT, _BASE = int(KeyKind.PREFIX_MEDIUM), 1 << 60


@dataclass(frozen=True)
class Power:
    """One point of the surface.

    Attributes:
        pool: Templates of the campaign, P.
        share: Share of a campaign account's exchanges that carry one, rho.
        accounts: Campaign accounts.
        per_account: Mean exchanges of a campaign account in one window.
        honest: Honest accounts.
        every_view: Whether sampling, client and payment tell something too.
        windows: Windows of 14 days; keys are found in the first, accounts confirmed on all.
    """

    pool: int
    share: float
    accounts: int = 1_200
    per_account: int = 667
    honest: int = 50_000
    every_view: bool = False
    windows: int = 1


@dataclass(frozen=True)
class PowerWorld:
    """Tables for detection, and the fingerprints of the campaign's accounts."""

    exchanges: pa.Table
    accounts: pa.Table
    enforcement: pa.Table
    guilty: Ints


def build(point: Power, seed: int) -> PowerWorld:
    """Draw the world of one point; a function of the point and the seed."""
    rng = np.random.default_rng([seed, point.pool, int(point.share * 1_000), point.windows])
    size = point.honest + point.accounts
    fingerprints = (rng.integers(-(2**62), 2**62, size) & ~np.int64(15)) | int(KeyKind.ACCOUNT)
    guilty = np.arange(size) >= point.honest
    volume = (
        np.where(guilty, point.per_account, rng.lognormal(3.0, 1.3, size).clip(1, 20_000)) * point.windows
    )
    account = np.repeat(np.arange(size), rng.poisson(volume))
    account = account[np.argsort(rng.random(account.size), kind="stable")]
    strand = guilty[account] & (rng.random(account.size) < point.share)
    key = _background(account, rng)
    organic = _organic(point.honest, rng)
    shared = (organic[account] >= 0) & (rng.random(account.size) < 0.5)
    key[shared] = _hash(3, organic[account[shared]], rng.integers(0, 12, int(shared.sum())))
    key[strand] = _hash(4, rng.integers(0, point.pool, int(strand.sum())), 0)
    seat = np.where(strand, -1, account)
    return PowerWorld(
        exchanges=_exchanges(point, account, key, seat, fingerprints, rng),
        accounts=_accounts(point, fingerprints, guilty, rng),
        enforcement=pa.Table.from_pylist([], ENFORCEMENT_SCHEMA),
        guilty=np.sort(fingerprints[guilty]),
    )


def _background(account: Ints, rng: np.random.Generator) -> Ints:
    number = account.size
    what = rng.random(number)
    public = np.minimum(1_000.0 * (1.0 / (1.0 - rng.random(number)) - 1.0), 1e15).astype(np.int64)
    own = _hash(1, account, rng.integers(0, 8, number))
    unique = rng.integers(0, 2**62, number)
    return np.where(
        what < _PUBLIC, _hash(2, public, 0), np.where(what < _PUBLIC + _OWN, own, _hash(5, unique, 0))
    )


def _organic(honest: int, rng: np.random.Generator) -> Ints:
    """Number the organic group of each honest account, -1 for none; sizes are heavy-tailed."""
    groups = max(1, round(_ORGANIC * honest))
    sizes = np.minimum(10 * (1 + rng.pareto(1.2, groups)), 0.03 * honest).astype(np.int64)
    label = np.full(honest * 2, -1, np.int64)
    members = rng.permutation(honest)[: min(int(sizes.sum()), honest // 2)]
    label[members] = np.repeat(np.arange(groups), sizes)[: members.size]
    return label


def _exchanges(point, account, key, seat, fingerprints, rng) -> pa.Table:
    number = account.size
    ts = START + (rng.random(number) * DAYS * point.windows * DAY).astype(np.int64)
    names = np.arange(number).astype(str)
    nothing = pa.nulls(number, pa.int64())
    settings, client = nothing, nothing
    if point.every_view:
        common = np.minimum(4.0 / (1.0 - rng.random(number)), 400).astype(np.int64)
        usual = np.minimum(4.0 / (1.0 - _unit(seat)), 400).astype(np.int64)
        drawn = np.where(rng.random(number) < 0.8, usual, common)
        settings = pa.array(_typed(KeyKind.SAMPLING, np.where(seat < 0, 5_000, drawn)))
        client = pa.array(_typed(KeyKind.CLIENT, np.where(seat < 0, 5_001, usual)))
    lists = pa.ListArray.from_arrays(pa.array(np.arange(number + 1, dtype=np.int32)), pa.array(key))
    return pa.table(
        {
            "account_fp": fingerprints[account],
            "account_id": pa.array(np.char.add("a", account.astype(str))),
            "ts": pa.array(ts).cast(pa.timestamp("us", tz="UTC")),
            "keys": lists,
            "system_fp": nothing,
            "tools_fp": nothing,
            "sampling_fp": settings,
            "client_fp": client,
            "item_fp": rng.integers(1, 2**62, number),
            "cell": pa.array(rng.integers(0, 1024, number).astype(np.int16)),
            "elicitation": pa.array((seat < 0).astype(np.int32)),
            "model": pa.repeat("aster-4", number),
            "turn": pa.repeat(pa.scalar(1, pa.int32()), number),
            "ip": pa.nulls(number, pa.string()),
            "language": pa.repeat("en", number),
            "source_ref": pa.array(names),
            "input_tokens": pa.repeat(pa.scalar(200, pa.int64()), number),
            "output_tokens": pa.repeat(pa.scalar(600, pa.int64()), number),
        }
    )


def _accounts(point: Power, fingerprints: Ints, guilty: npt.NDArray[np.bool_], rng) -> pa.Table:
    size = fingerprints.size
    own = np.arange(size)
    payer = np.where(guilty & point.every_view, 10_000_000 + rng.permutation(size) // 4, own)
    filled = {
        "account_id": pa.array(np.char.add("a", own.astype(str))),
        "account_fp": pa.array(fingerprints),
        "payment_fp": pa.array(np.char.add("p", payer.astype(str))),
    }
    columns = [filled.get(f.name, pa.nulls(size, f.type)) for f in ACCOUNT_SCHEMA]
    return pa.Table.from_arrays(columns, schema=ACCOUNT_SCHEMA)


def _mix(value: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _hash(tag: int, a: npt.ArrayLike, b: npt.ArrayLike) -> Ints:
    """Return text keys for pairs of numbers, those of different tags apart."""
    with np.errstate(over="ignore"):
        first = np.asarray(a).astype(np.uint64) + np.uint64(tag * _BASE)
        mixed = _mix(_mix(first) + np.asarray(b).astype(np.uint64))
    return ((mixed & ~np.uint64(15)) | np.uint64(_TEXT)).view(np.int64)


def _typed(kind: KeyKind, value: Ints) -> Ints:
    with np.errstate(over="ignore"):
        mixed = _mix(value.astype(np.uint64) + np.uint64(int(kind) * _BASE))
    return ((mixed & ~np.uint64(15)) | np.uint64(int(kind))).view(np.int64)


def _unit(value: Ints) -> npt.NDArray[np.float64]:
    return (_mix(value.astype(np.uint64)) >> np.uint64(11)).astype(np.float64) / 2.0**53
