"""The compiled part of `column_world`: one exchange is a pure function of (seed, row number, plan).

Every random choice is a hash of the seed, the row and the number of the choice, so that a row is the same
whatever chunk or thread computes it. The mixing function is the finaliser of SplitMix64 (Steele, Lea and
Flood 2014, "Fast splittable pseudorandom number generators").
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

INDEPENDENT, APPLICATION, ORGANISATION, BENCHMARK, CAMPAIGN = range(5)
MAX_KEYS = 7
CELLS = 1024
HOUR = 3_600_000_000
DAY = 24 * HOUR
NOTHING = np.int64(0)
"""Stands for null in the kernel's output; no fingerprint is 0 here because its low bits are not."""

_U = np.uint64
_GOLD = _U(0x9E3779B97F4A7C15)
_M1 = _U(0xBF58476D1CE4E5B9)
_M2 = _U(0x94D049BB133111EB)
_PREFIX_SHORT, _PREFIX_MEDIUM, _PREFIX_LONG, _SHINGLE, _SUFFIX, _FORMAT = 1, 2, 3, 4, 5, 6
_SYSTEM, _TOOLS, _SAMPLING, _CLIENT, _ACCOUNT = 7, 8, 9, 10, 11
_TAG_UNIQUE, _TAG_OWN, _TAG_PUBLIC, _TAG_PHRASE, _TAG_GROUP, _TAG_ITEM = 21, 22, 23, 24, 25, 26


@njit(cache=True)
def mix(value):
    """Map 64 bits to 64 bits without visible structure."""
    value = _U(value) + _GOLD
    value = (value ^ (value >> _U(30))) * _M1
    value = (value ^ (value >> _U(27))) * _M2
    return value ^ (value >> _U(31))


@njit(cache=True)
def hash3(tag, a, b):
    """Hash of three numbers."""
    return mix(mix(mix(_U(tag)) ^ _U(a)) ^ _U(b))


@njit(cache=True)
def typed(kind, value):
    """A fingerprint of `kind` (`model.views.KeyKind`): the kind replaces the four lowest bits."""
    return np.int64((value & ~_U(15)) | _U(kind))


@njit(cache=True)
def unit(value):
    """A number in [0, 1) from a hash."""
    return np.float64(value >> _U(11)) * 1.1102230246251565e-16


@njit(cache=True)
def choice(h, k):
    """The `k`-th uniform number of the row whose hash is `h`."""
    return unit(mix(h ^ (_U(k) * _M2)))


@njit(cache=True)
def popular(u, scale):
    """Rank of a Zipf-Mandelbrot draw, P(rank >= x) = (1 + x / scale) ** -0.5: heavy head, endless tail."""
    return _U(min(scale * (1.0 / ((1.0 - u) * (1.0 - u)) - 1.0), 1e15))


@njit(cache=True)
def activity(ts, account, kind, group, created):
    """Relative rate of `account` at `ts`, at most 1: night and day, bursts of benchmarks and job queues."""
    if ts < created:
        return 0.0
    if kind == CAMPAIGN:  # a job queue that is on or off for six hours
        return 1.0 if hash3(31, group, ts // (6 * HOUR)) & _U(3) != _U(0) else 0.1
    if kind == BENCHMARK:  # runs on few days
        return 1.0 if hash3(32, group, ts // DAY) & _U(3) == _U(0) else 0.02
    zone = np.int64(hash3(33, account, 0) % _U(24))
    hour = (ts // HOUR + zone) % 24
    return 1.0 if 9 <= hour < 18 else (0.6 if 18 <= hour < 23 else 0.08)


@njit(cache=True)
def choose_account(h, ts, plan):
    """Draw an account in proportion to its volume (alias method, Walker 1977) and its activity at `ts`."""
    alias_share, alias_other, kinds, groups, created = plan[:5]
    accounts = _U(alias_share.size)
    account = np.int64(0)
    for attempt in range(24):
        x = mix(h + _U(1000 + 2 * attempt))
        account = np.int64(((x >> _U(32)) * accounts) >> _U(32))
        if np.float64(x & _U(0xFFFFFFFF)) * 2.3283064365386963e-10 >= alias_share[account]:
            account = np.int64(alias_other[account])
        rate = activity(ts, account, kinds[account], groups[account], created[account])
        if unit(mix(h + _U(1001 + 2 * attempt))) < rate:
            break
    return account


@njit(cache=True)
def background_keys(h, row, account, out):
    """Keys of ordinary traffic: public openings and phrases, the account's own templates, private content."""
    opening = popular(choice(h, 1), 1000.0)
    own = hash3(_TAG_OWN, account, mix(h) % _U(8))
    depth = choice(h, 2)  # how many of the three prefixes are still public
    mine = choice(h, 3)
    for level in range(3):
        kind = _PREFIX_SHORT + level
        if depth < (0.5, 0.2, 0.06)[level]:
            out[level] = typed(kind, hash3(_TAG_PUBLIC, opening, kind))
        elif mine < (0.4, 0.3, 0.2)[level]:
            out[level] = typed(kind, mix(own ^ _U(kind)))
        else:
            out[level] = typed(kind, hash3(_TAG_UNIQUE, row, kind))
    count = 3
    shingles = 1 + np.int64(choice(h, 4) * 2.0)
    for j in range(shingles):
        u = choice(h, 5 + j)
        if u < 0.35:
            value = hash3(_TAG_PHRASE, popular(u / 0.35, 1000.0), 0)
        elif u < 0.5:
            value = mix(own ^ _U(100 + j))
        else:
            value = hash3(_TAG_UNIQUE, row, 100 + j)
        out[count] = typed(_SHINGLE, value)
        count += 1
    u = choice(h, 8)
    value = hash3(_TAG_PHRASE, popular(u / 0.25, 300.0), 1) if u < 0.25 else hash3(_TAG_UNIQUE, row, 200)
    out[count] = typed(_SUFFIX, value)
    count += 1
    u = choice(h, 9)
    if u < 0.2:
        out[count] = typed(_FORMAT, hash3(_TAG_PHRASE, popular(u / 0.2, 30.0), 2))
        count += 1
    return count


@njit(cache=True)
def group_keys(h, row, strand, item, out):
    """Keys of a strand: a template of the group's pool around private content (or a cohort's item)."""
    kind, group, pool = strand
    template = hash3(_TAG_GROUP, group, mix(h + _U(77)) % _U(pool))
    out[0] = typed(_PREFIX_SHORT, mix(template ^ _U(1)))
    out[1] = typed(_PREFIX_MEDIUM, mix(template ^ _U(2)))
    filled = kind == BENCHMARK
    content = hash3(_TAG_ITEM, group, item) if filled else hash3(_TAG_UNIQUE, row, 300)
    long_template = template & _U(1) == _U(0)
    out[2] = typed(_PREFIX_LONG, mix((template if long_template else content) ^ _U(3)))
    out[3] = typed(_SHINGLE, mix(content ^ _U(4)))
    out[4] = typed(_SHINGLE, mix((template if template & _U(2) == _U(0) else content) ^ _U(5)))
    out[5] = typed(_SUFFIX, mix((template if kind != APPLICATION else content) ^ _U(6)))
    if kind == CAMPAIGN:
        out[6] = typed(_FORMAT, hash3(_TAG_GROUP, group, 6))
        return 7
    return 6


@njit(cache=True)
def tokens(h, k, centre, spread):
    """A lognormal count of tokens (Box-Muller)."""
    radius = np.sqrt(-2.0 * np.log(1.0 - choice(h, k)))
    return np.int64(1.0 + np.exp(centre + spread * radius * np.cos(6.283185307179586 * choice(h, k + 1))))


@njit(cache=True)
def interest(h, account):
    """Capability cell of ordinary traffic: a dozen cells an account, the first few far more often."""
    u = choice(h, 20)
    return np.int16(hash3(41, account, np.int64(12.0 * u * u * u)) % _U(CELLS))


@njit(cache=True, parallel=True, nogil=True)
def generate(world, first, rows, plan, out):
    """Fill the columns `out` with `rows` exchanges from number `first` of the world on.

    Args:
        world: (seed, total, start, span): row i happens at start + span * (i + jitter) / total, microseconds.
        first: Number of the first row.
        rows: How many rows.
        plan: (alias_share, alias_other, kinds, groups, created, pools, rhos, items): per account the first
            five, per group the rest.
        out: (keys[rows, MAX_KEYS], key_count, numbers[rows, 9] of int64, small[rows, 5] of int32).
    """
    seed, total, start, span = world
    kinds, groups, pools, rhos, items = plan[2], plan[3], plan[5], plan[6], plan[7]
    keys, key_count, numbers, small = out
    base = mix(_U(seed))
    for i in prange(rows):
        row = np.int64(first + i)
        h = mix(base ^ mix(_U(row)))
        ts = start + np.int64((row + choice(h, 0)) / total * span)
        account = choose_account(h, ts, plan)
        kind, group = np.int64(kinds[account]), np.int64(groups[account])
        strand = kind != INDEPENDENT and choice(h, 10) < rhos[group]
        if strand:
            item = mix(h + _U(5)) % _U(items[group]) if kind == BENCHMARK else _U(row)
            key_count[i] = group_keys(h, row, (kind, group, pools[group]), item, keys[i])
        else:
            kind = INDEPENDENT
            item = _U(row)
            key_count[i] = background_keys(h, row, account, keys[i])
        _describe(h, row, ts, (account, kind, group, item), (numbers[i], small[i]))


@njit(cache=True)
def _describe(h, row, ts, who, out):
    """Everything about an exchange but its keys; `kind` is INDEPENDENT outside the strand."""
    account, kind, group, item = who
    numbers, small = out
    numbers[0] = ts
    numbers[1] = account
    seat = _U(group) if kind in (APPLICATION, BENCHMARK, CAMPAIGN) else _U(1_000_000_000 + account)
    usual = choice(h, 11) < (0.8 if kind == INDEPENDENT else 0.97)
    tuple_of = hash3(51, seat, 0) if usual else mix(h + _U(6))
    sampling = np.int64(popular(unit(tuple_of), 4.0) % _U(400))
    if kind in (BENCHMARK, CAMPAIGN) and usual:
        sampling = 400 + np.int64(hash3(52, group, 0) % _U(5000))
    numbers[2] = typed(_SAMPLING, hash3(53, sampling, 0))
    client = popular(unit(hash3(54, seat, (h % _U(2)) if kind == CAMPAIGN else _U(0))), 6.0) % _U(900)
    numbers[3] = typed(_CLIENT, hash3(55, client, group if kind == APPLICATION else -1))
    with_system = kind in (APPLICATION, ORGANISATION) or (kind == INDEPENDENT and choice(h, 12) < 0.3)
    system_of = hash3(56, group, kind) if kind != INDEPENDENT else hash3(57, account, mix(h) % _U(2))
    numbers[4] = typed(_SYSTEM, system_of) if with_system else NOTHING
    agent = kind == APPLICATION and hash3(58, group, 0) & _U(1) == _U(0)
    numbers[5] = typed(_TOOLS, hash3(59, group, 0)) if agent else NOTHING
    common = kind == INDEPENDENT and choice(h, 13) < 0.08
    item_of = hash3(_TAG_ITEM, -1, popular(choice(h, 14), 500.0)) if common else hash3(_TAG_ITEM, group, item)
    numbers[6] = (
        np.int64(item_of | _U(1)) if kind != INDEPENDENT or common else np.int64(mix(h + _U(8)) | _U(1))
    )
    single = kind in (BENCHMARK, CAMPAIGN)
    turn = 1 if single else 1 + min(np.int64(-np.log(1.0 - choice(h, 15)) / (0.35 if agent else 1.1)), 40)
    numbers[7] = np.int64(hash3(60, account, row // 997) | _U(1)) if turn > 1 else NOTHING
    numbers[8] = tokens(h, 16, 6.8 if kind == CAMPAIGN else 5.5, 0.5 if kind == CAMPAIGN else 1.0)
    small[0] = turn
    small[1] = np.int32(tokens(h, 18, 5.0 if single else 6.2, 1.0))
    wide = kind == CAMPAIGN
    small[2] = np.int32(hash3(61, row, 0) % _U(CELLS)) if wide else np.int32(interest(h, account))
    if kind == CAMPAIGN:
        small[3] = 1 + 128  # reasoning in one format
    elif kind == BENCHMARK:
        small[3] = 128
    else:
        small[3] = 1 << (mix(h + _U(9)) % _U(9)) if choice(h, 21) < 0.1 else 0
    released = choice(h, 22) < (0.9 if kind == CAMPAIGN else 0.25)
    newest = released and ts >= 9 * DAY + (ts // (14 * DAY)) * 14 * DAY
    small[4] = np.int32(4) if newest else np.int32(hash3(62, seat, 0) % _U(4))
