"""A campaign keeps its id from one run to the next, although accounts come and go."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from stillwatch.model.findings import Detection, Group

LEAST_OVERLAP = 0.5
"""Jaccard similarity of the account sets from which on two groups are the same one."""


@dataclass(frozen=True)
class Known:
    """What an earlier run left of one group."""

    id: str
    detected_at: datetime
    accounts: frozenset[str]


def known(group: Group) -> Known:
    """Return what must be remembered of `group`."""
    return Known(group.id, group.detected_at, frozenset(member.account_id for member in group.members))


def carry_over(detection: Detection, earlier: Sequence[Known]) -> Detection:
    """Give groups the ids and first detection times of the `earlier` groups that they continue.

    Each group continues at most one earlier group and each earlier group goes on in at most one: pairs are
    taken by falling Jaccard similarity of their accounts, from `LEAST_OVERLAP` on; equals by id. An earlier
    id is never given to other accounts.
    """
    matches = _matches(detection.groups, earlier)
    taken = {before.id for before in earlier}
    groups = []
    for index, group in enumerate(detection.groups):
        if index in matches:
            before = earlier[matches[index]]
            renamed = msgspec.structs.replace(
                group, id=before.id, detected_at=min(before.detected_at, group.detected_at)
            )
        else:
            renamed = msgspec.structs.replace(group, id=_free(group.id, taken))
            taken.add(renamed.id)
        groups.append(renamed)
    return msgspec.structs.replace(detection, groups=tuple(groups))


def _matches(groups: Sequence[Group], earlier: Sequence[Known]) -> dict[int, int]:
    owners: dict[str, list[int]] = {}
    for index, before in enumerate(earlier):
        for account in before.accounts:
            owners.setdefault(account, []).append(index)
    pairs = [
        (-similarity, before.id, index, other)
        for index, group in enumerate(groups)
        for other, similarity in _similar(known(group).accounts, owners, earlier)
        if similarity >= LEAST_OVERLAP
        for before in (earlier[other],)
    ]
    matches: dict[int, int] = {}
    used: set[int] = set()
    for _, _, index, other in sorted(pairs):
        if index not in matches and other not in used:
            matches[index] = other
            used.add(other)
    return matches


def _similar(
    accounts: frozenset[str], owners: dict[str, list[int]], earlier: Sequence[Known]
) -> Iterable[tuple[int, float]]:
    shared = Counter(index for account in accounts for index in owners.get(account, ()))
    for index, both in shared.items():
        yield index, both / (len(accounts) + len(earlier[index].accounts) - both)


def _free(wanted: str, taken: set[str]) -> str:
    """Return `wanted`, or the first `wanted-2`, `wanted-3` … that is not `taken`."""
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    return name
