"""Groups that carry the same keys and are not one: declared organisations, and strangers beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stillwatch.detect.likeness import completed_organisations

if TYPE_CHECKING:
    from stillwatch.detect.book import Book
    from stillwatch.detect.membership import Membership

Ints = npt.NDArray[np.int64]

_LEAST_PART = 4
_OTHER_ORGANISATIONS = 0.2
_MOSTLY_STRANGERS = 0.5
_USUAL = 0.8
"""Share of strangers with a record from which on records are usual."""


@dataclass(frozen=True)
class Confirmed:
    """A candidate whose sharing held up on the confirmation slices."""

    keys: Ints
    membership: Membership


def declared_parts(group: Confirmed, book: Book, least: int) -> list[Confirmed]:
    """Divide a group of organisations and of strangers who carry the same keys.

    Whoever copies customers' prompts draws the customers into the group. Where most accounts are strangers,
    each organisation with several accounts is therefore judged by itself, and the strangers by themselves,
    without accounts of an organisation that is verified or has another account there; where most are not,
    this holds for an organisation beside which there are hardly others. A group of several organisations is
    left whole: laboratories that run one benchmark are one group.

    What sets an organisation apart from strangers is records. Where records are usual, an account without
    one may be a colleague as well as a stranger, and is left out of the strangers.

    Args:
        group: A confirmed group.
        book: All accounts.
        least: Smallest number of strangers that are judged by themselves.
    """
    members = group.membership.strands.account
    org = completed_organisations(
        book.codes["org_id"][members], group.membership.strands.bits, ~book.known[members], _LEAST_PART
    )
    names, place, size = np.unique(org, return_inverse=True, return_counts=True)
    several = (names >= 0) & (size >= _LEAST_PART)
    unlinked = int((org < 0).sum())
    if unlinked < least:
        return [group]
    if unlinked >= _MOSTLY_STRANGERS * org.size:
        known = (org >= 0) & ((size[place] > 1) | (book.verified[members] == 1))
    else:
        several &= np.arange(names.size) == np.argmax(np.where(several, size, 0))
        known = several[place]
        if unlinked + int(known.sum()) < (1 - _OTHER_ORGANISATIONS) * org.size:
            return [group]
    parts = [place == number for number in np.flatnonzero(several)]
    strangers = ~known
    recorded = book.known[members]
    if several.any() and recorded[strangers].mean() >= _USUAL:
        strangers &= recorded
    return [Confirmed(group.keys, group.membership.only(rows)) for rows in (*parts, strangers)]
