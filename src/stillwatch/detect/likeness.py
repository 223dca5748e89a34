"""Who carries a group's keys without being one of its members, by what the operator knows and does not know.

Membership asks how often an account carries keys of a group. That is high for members, and as high for an
honest customer whose prompts somebody sends in order to frame him. Two things tell them apart: the accounts
of a customer's organisation, and records such as none of the members has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stillwatch.detect.carriers import CLASS_BITS

if TYPE_CHECKING:
    from stillwatch.detect.book import Book
    from stillwatch.detect.membership import Membership

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_REFUSED = 100.0
"""E-value against membership from which records refuse: at most one member in a hundred is lost."""
_LINKS = ("payment_fp", "device_fp")


def completed_organisations(org: Ints, bits: Ints, unknown: Bools, least: int) -> Ints:
    """Count accounts without a record to the organisation whose keys they use.

    Of an account that is missing in the operator's records nobody can tell whether it belongs to an
    organisation. Where its keys are more like those of an organisation's accounts (mean Jaccard overlap) than
    like those of accounts that are known to have none, it is counted to that organisation.

    Args:
        org: Organisation of each account of a group, negative for none, shape (n,).
        bits: Classes of the keys that each account uses, shape (n,).
        unknown: Accounts without a record, shape (n,).
        least: Smallest number of accounts of an organisation that is compared.

    Returns:
        The organisations, shape (n,).
    """
    names, size = np.unique(org[org >= 0], return_counts=True)
    names = names[size >= least]
    strangers = ~unknown & (org < 0)
    asked = np.flatnonzero(unknown & (org < 0))
    if not asked.size or not names.size or not strangers.any():
        return org
    likeness = np.stack([_likeness(bits[asked], bits[org == name]) for name in names.tolist()])
    closer = likeness.max(axis=0) > _likeness(bits[asked], bits[strangers])
    completed = org.copy()
    completed[asked[closer]] = names[likeness.argmax(axis=0)[closer]]
    return completed


def _likeness(bits: Ints, others: Ints) -> Floats:
    """Return the mean Jaccard overlap of the keys of each account with those of others, shape of `bits`."""
    patterns, count = np.unique(others, return_counts=True)
    mine, theirs = _classes(bits), _classes(patterns)
    common = mine @ theirs.T
    either = mine.sum(axis=1)[:, None] + theirs.sum(axis=1) - common
    overlap: Floats = (common / np.maximum(either, 1.0)) @ count / count.sum()
    return overlap


def _classes(bits: Ints) -> Floats:
    """Spread the classes of keys over columns, shape (n, `CLASS_BITS`)."""
    return ((bits[:, None] >> np.arange(CLASS_BITS)) & 1).astype(np.float64)


def without_refused(group: Membership, book: Book) -> Membership:
    """Leave out members whose records speak against membership."""
    refused = refused_by_records(group.strands.account, book)
    return group.only(~refused) if refused.any() else group


def refused_by_records(members: Ints, book: Book) -> Bools:
    """Tell whose records speak against membership with an e-value of at least `_REFUSED`.

    Records are put into cells: age in octaves of days and kind of payment. The e-value against membership is
    the share of all accounts in an account's cell over the share of the other members there. What share of
    members stands in cells without another member is estimated from how many do so (Good 1953, doi
    10.1093/biomet/40.3-4.237), and divided among those cells as all accounts are. So a group with records of
    many kinds refuses nobody, nor does one of less than a hundred accounts. Who shares payment or device with
    another member, and of whom nothing is known, is never refused.

    Args:
        members: Account numbers of a group.
        book: All accounts.

    Returns:
        Shape of `members`.
    """
    cell, everybody = book.records
    mine = cell[members]
    held = np.bincount(mine, minlength=everybody.size)
    alone = held[mine] == 1
    unseen = float(everybody[held <= 1].sum())
    rare = 1.0 + int(alone.sum()) - alone  # the others that stand alone, and one more
    divided = everybody[mine] / max(unseen, 1.0 / cell.size) * rare
    share = np.where(alone, divided, held[mine] - 1.0) / members.size
    refused: Bools = (everybody[mine] >= _REFUSED * share) & np.isfinite(book.created[members])
    return refused & ~_linked(members, book)


def _linked(members: Ints, book: Book) -> Bools:
    """Tell who shares payment or device with another member."""
    linked = np.zeros(members.size, np.bool_)
    for name in _LINKS:
        code = book.codes[name][members]
        known = np.flatnonzero(code >= 0)
        _, place, count = np.unique(code[known], return_inverse=True, return_counts=True)
        linked[known] |= count[place] > 1
    return linked
