"""Discovery: from the exchanges of one slice to candidate groups."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect import candidates, ledger, pairs
from stillwatch.detect.book import Book, identity_incidence
from stillwatch.detect.communities import bipartite_communities, busy_communities, communities
from stillwatch.detect.keyclasses import key_classes
from stillwatch.detect.keyindex import KeyIndex, index_of
from stillwatch.detect.ledger import Keys, Ledger
from stillwatch.detect.leiden import Partitioner, partitions
from stillwatch.detect.passages import of_crowds
from stillwatch.detect.rarekeys import sampled, screen_fraction, shared_keys
from stillwatch.detect.speech import UNKNOWN, Speech, key_languages
from stillwatch.detect.tables import DISCOVERY_SHARE
from stillwatch.model.views import KIND_MASK, KeyKind

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from stillwatch.detect.config import DetectConfig
    from stillwatch.detect.pairs import Incidence, Pairs
    from stillwatch.detect.tables import Span

Ints = npt.NDArray[np.int64]

_COMMON_SHARE = 0.05
"""Client software and sampling settings of more than this share of the accounts link nobody."""
_WIDER = 2
"""Accounts of a key by which keys are tested, as a multiple of those from which pairs are counted."""


@dataclass(frozen=True)
class Classes:
    """Text keys, the class key that stands for each and its language; shape (K,), ascending by member."""

    member: Ints
    key: Ints
    language: Ints

    @cached_property
    def _by_key(self) -> tuple[Ints, Ints]:
        order = np.argsort(self.key, kind="stable")
        return order, self.key[order]

    def language_of(self, keys: Ints) -> Ints:
        """Return the language in which each of `keys` was mostly seen, `UNKNOWN` for what is no text key."""
        place = index_of(keys, self.member)
        return np.where(place >= 0, np.append(self.language, UNKNOWN)[place], UNKNOWN)

    def members_of(self, keys: Ints) -> tuple[Ints, Ints]:
        """Expand `keys` to their members.

        Returns:
            Raw keys and for each the position in `keys`. A key that is no class stands for itself.
        """
        order, sorted_keys = self._by_key
        low = np.searchsorted(sorted_keys, keys, side="left")
        high = np.searchsorted(sorted_keys, keys, side="right")
        owner = np.repeat(np.arange(keys.size), high - low)
        start = np.repeat(low - np.concatenate([[0], np.cumsum(high - low)[:-1]]), high - low)
        raw = self.member[order][start + np.arange(owner.size)]
        alone = np.flatnonzero(high == low)
        return np.concatenate([raw, keys[alone]]), np.concatenate([owner, alone])


@dataclass(frozen=True)
class Discovered:
    """What discovery hands on.

    Attributes:
        classes: Text keys and the keys that stand for them.
        keys: The shared keys.
        sample: Sampled accounts of each key, more than the pairs were counted from.
        speech: Languages of keys and accounts.
        links: Pairs of accounts that share more than chance allows.
        found: The candidates.
    """

    classes: Classes
    keys: Keys
    sample: Incidence
    speech: Speech
    links: Pairs
    found: list[candidates.Candidate]


def discover(
    exchanges: ir.Table,
    span: Span,
    book: Book,
    config: DetectConfig,
    partitioner: Partitioner = partitions,
) -> Discovered:
    """Find candidate groups.

    Args:
        exchanges: Exchanges of the discovery slice.
        span: What all exchanges cover.
        book: All accounts.
        config: Settings.
        partitioner: Runs Leiden.
    """
    classes = find_classes(exchanges, span, book, config)
    keys, sample = _read_keys(exchanges, classes, span, book, config)
    speech = Speech(classes.language_of(keys.key), *book.spoken.T)
    links, found = _candidates(keys, sample, speech, config, partitioner)
    found.sort(key=lambda one: (-one.uses, int(keys.key[one.keys].min())))
    return Discovered(classes, keys, sample, speech, links, found[: config.most_candidates])


def _read_keys(
    exchanges: ir.Table, classes: Classes, span: Span, book: Book, config: DetectConfig
) -> tuple[Keys, Incidence]:
    """Read the shared keys, with a sample of accounts that is larger than the pairs are counted from."""
    wanted = ledger.Wanted(
        KeyIndex.of(book.fingerprint), KeyIndex.of(classes.member), classes.key, ledger.EXCHANGE_KEYS
    )
    rounds = ledger_rounds(span, config.ledger_pairs)
    most = _WIDER * config.bottom_b
    counted = ledger.read_ledger(exchanges, wanted, config.least_key_accounts, most, rounds)
    return _with_identity(counted, book, config)


def _candidates(
    keys: Keys, sample: Incidence, speech: Speech, config: DetectConfig, partitioner: Partitioner
) -> tuple[Pairs, list[candidates.Candidate]]:
    """Find pairs that share more than chance allows, and candidates from five sources.

    These are the communities of the pairs, those of accounts and keys at each resolution, those of busy
    accounts, the passages of large ones, and keys by themselves.
    """
    incidence = pairs.bounded(sample, config.bottom_b, config.most_pairs)
    marked = partial(candidates.of_communities, keys, incidence, speech=speech)
    _ = incidence.keys_by_account  # once, before several threads ask for it
    least, seed, resolutions = config.least_accounts, config.seed, config.bipartite_resolutions

    def others() -> tuple[list[list[candidates.Candidate]], list[candidates.Candidate]]:
        # one after the other: of two cores one is for the graph of the pairs, on which most waits
        mixed = bipartite_communities(incidence, resolutions, least, seed, partitioner=partitioner)
        busy = busy_communities(incidence, min(resolutions), least, seed, partitioner=partitioner)
        own = [marked(some) for some in mixed]
        crowds = (of_crowds(keys, incidence, *each) for each in zip(mixed, own, strict=True))
        return own, [*marked(busy, alone=True), *itertools.chain(*crowds)]

    with ThreadPoolExecutor(2) as cores:
        beside = cores.submit(others)
        validated = partial(pairs.validated, incidence=incidence, level=config.pair_level)
        links = pairs.repeated_pairs(incidence, validated)
        groups = communities(links, config.resolution, least, seed, partitioner)
        cores.submit(lambda: sample.keys_by_account)  # refinement will ask for it, and a core is free soon
        found = marked(groups)
        (first, *wider), busy = beside.result()
        found += first
        taken = np.unique(np.concatenate([one.keys for one in found])) if found else np.empty(0, np.int64)
        found += candidates.of_keys(keys, incidence, least, taken)
        # the others may join what has nothing to do with each other, so they take no keys
        found += itertools.chain(*wider, busy)
    return links, found


def find_classes(exchanges: ir.Table, span: Span, book: Book, config: DetectConfig) -> Classes:
    """Find the text keys that several accounts use, which of them are one, and their languages."""
    fraction = screen_fraction(span, config.screen_incidences)
    share = min(fraction, config.class_exchanges / max(span.exchanges, 1))
    keys, sample = shared_keys(sampled(exchanges, fraction), KeyIndex.of(book.fingerprint), share)
    lists = sample["keys"].combine_chunks()
    if keys.size == 0 or len(lists) == 0:
        return Classes(keys, keys, np.full(keys.size, UNKNOWN))
    offsets, values = lists.offsets.to_numpy().astype(np.int64), lists.values.to_numpy(zero_copy_only=False)
    spoken = pc.index_in(sample["language"], pa.array(book.languages, pa.string())).fill_null(UNKNOWN)
    index = index_of(values, keys)
    language = key_languages(offsets, index, spoken.to_numpy().astype(np.int64), keys.size)
    return Classes(keys, keys[key_classes(offsets, index, keys.size)], language)


def ledger_rounds(span: Span, most_pairs: int) -> int:
    """Return in how many rounds the ledger must be read to hold about `most_pairs` pairs at a time."""
    pairs = span.incidences + len(ledger.EXCHANGE_KEYS) * span.exchanges
    return max(1, math.ceil(DISCOVERY_SHARE * pairs / most_pairs))


def _with_identity(counted: Ledger, book: Book, config: DetectConfig) -> tuple[Keys, Incidence]:
    """Leave out keys that are too common to link anybody, and add payment, device and address."""
    keys = counted.keys
    common = np.isin(keys.key & KIND_MASK, (int(KeyKind.CLIENT), int(KeyKind.SAMPLING)))
    links = ~common | (keys.accounts <= _COMMON_SHARE * book.size)
    identity, owner = identity_incidence(book, config.least_key_accounts)
    order = np.argsort(identity, kind="stable")
    values, size = np.unique(identity, return_counts=True)
    nothing = np.zeros(values.size, np.int64)
    shared = Ledger(Keys(values, size, nothing, nothing), size, owner[order])
    return ledger.joined([counted, shared], [links, np.ones(values.size, np.bool_)], book.size)
