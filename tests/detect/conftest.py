"""Books, strands and behaviour made by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from stillwatch.detect.behaviour import Behaviour
from stillwatch.detect.book import CODED, Book, Volumes
from stillwatch.detect.membership import Membership
from stillwatch.detect.strands import Strands


def book_of(totals, **known):
    """A book of accounts about which nothing is known but what is given."""
    totals = np.asarray(totals, np.int64)
    size = len(totals)
    codes = {name: known.pop(name, np.full(size, -1)) for name in CODED}
    given = {
        "created": np.full(size, np.nan),
        "throwaway": np.full(size, -1),
        "verified": np.full(size, -1),
        "programme": np.zeros(size, bool),
        "reseller": np.zeros(size, bool),
        "banned": np.full(size, np.nan),
        "known": np.zeros(size, bool),
        "language": np.full(size, -1),
    } | known
    given = {name: np.asarray(column) for name, column in given.items()}
    sums = totals.sum(axis=1)
    given |= {
        "languages": tuple(map(str, range(given["language"].max(initial=-1) + 1))),
        "spoken": np.column_stack([np.arange(size), given["language"], totals[:, 0]]),
        "exchanges": sums,
        "volumes": Volumes.of(sums),
        "held_out_volumes": Volumes.of(totals[:, 1:].sum(axis=1)),
    }
    codes = {name: np.asarray(column, np.int64) for name, column in codes.items()}
    fingerprint = np.arange(size, dtype=np.int64) * 16 + 11
    return Book(fingerprint=fingerprint, totals=totals, codes=codes, **given)


def strands_of(account, hits, bits=None, *, first=None, last=None, days=None, alone=()):
    """Strands with these hits by slice, all on one day unless `days` are given."""
    account, hits = np.asarray(account, np.int64), np.asarray(hits, np.int64).reshape(-1, 3)
    size = account.size
    day = np.column_stack([account, np.full(size, 20_000), hits.sum(axis=1)])
    first = np.full(size, 20_000 * 86_400_000_000) if first is None else np.asarray(first, np.int64)
    return Strands(
        account=account,
        hits=hits,
        first=first,
        last=first + 1 if last is None else np.asarray(last, np.int64),
        bits=np.ones(size, np.int64) if bits is None else np.asarray(bits, np.int64),
        tokens=np.zeros((size, 2), np.int64),
        days=day if days is None else np.asarray(days, np.int64).reshape(-1, 3),
        alone=np.asarray(alone, np.int64),
    )


def behaviour_of(account, **columns):
    """Exchanges of these accounts; every column that is not given is unknown."""
    account = np.asarray(account, np.int64)
    size = account.size
    unknown = {name: np.full(size, -1) for name in ("cell", "sampling", "client", "model", "turn", "address")}
    given = (
        unknown
        | {
            "group": np.zeros(size, np.int64),
            "second": np.arange(size, dtype=float),
            "slice": np.ones(size, np.int64),
            "item": np.zeros(size, np.int64),
            "elicitation": np.zeros(size, np.int64),
            "tools": np.zeros(size, np.int64),
            "models": (),
        }
        | columns
    )
    given = {name: value if name == "models" else np.asarray(value) for name, value in given.items()}
    return Behaviour(account=account, **given)


def membership_of(strands):
    """Members with these strands, all of them equally sure."""
    size = strands.account.size
    return Membership(
        strands=strands,
        log_e=np.full(size, 9.0),
        group_log_e=20.0,
        background=0.001,
        dispersion=50.0,
        held_out=10 * size,
        sent=60 * size,
    )


@pytest.fixture(scope="session")
def made():
    """Give the tests what stands in this file, which they cannot import."""
    return SimpleNamespace(book=book_of, strands=strands_of, behaviour=behaviour_of, membership=membership_of)
