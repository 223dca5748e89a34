"""Candidates of a crowd: the passages that a large community sends, whether or not any of them marks it.

Who resells ordinary chats and asks a few questions of its own among them shares a thousand phrases with
itself, and templates each of which a handful of accounts has sent. No template is used more by the community
than is its due, as far as one of them can show. But templates are long: the fingerprint of a long text has
several keys, and whoever sends one of these sends the others with it. A phrase is a single key.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stillwatch.detect.candidates import Candidate, carried, held_keys

if TYPE_CHECKING:
    from stillwatch.detect.ledger import Keys
    from stillwatch.detect.pairs import Incidence

Ints = npt.NDArray[np.int64]

_LEAST_CROWD = 500
"""Accounts of a community from which on its passages are asked for; of smaller ones single keys stand out."""
_LEAST_USERS = 20
"""Accounts from which on it is no chance that all of a key's users sent another key with it."""
_LEAST_HELD = 3
_LEAST_PASSAGES = 20
"""Passages of a community from which on they may be a pool; a product has fewer."""
_TOGETHER = 0.9
"""Share of a key's users who used its class twice or more."""


def passages(keys: Keys) -> npt.NDArray[np.bool_]:
    """Tell which keys are of passages: at each of their users they come with another key of their class.

    Keys that always come together are one class, whose uses count each of them; so a class of a passage is
    used at least twice by whoever used it once.
    """
    together = (keys.repeaters >= _TOGETHER * keys.accounts) & (keys.accounts >= _LEAST_USERS)
    found: npt.NDArray[np.bool_] = together & carried(keys)
    return found


def of_crowds(
    keys: Keys, incidence: Incidence, groups: list[Ints], marked: list[Candidate]
) -> list[Candidate]:
    """Make a candidate of all passages that several accounts of a large community sent.

    Nothing is tested here: which of the passages mark members is seen when the keys are chosen anew, from the
    accounts that carry several of them.

    Args:
        keys: The shared keys.
        incidence: The bottom-B sample.
        groups: Account numbers of each community; no account is in two of them.
        marked: Communities of these with the keys that mark them; where these are as many as the passages,
            the passages add nothing.
    """
    own = {int(one.seeds[0]): one.keys.size for one in marked}
    crowds = [members for members in groups if members.size >= _LEAST_CROWD]
    if not crowds:
        return []
    label = np.full(incidence.accounts, -1)
    for number, members in enumerate(crowds):
        label[members] = number
    group, key, held = held_keys(incidence.bounds, label[incidence.account], len(crowds))
    some = passages(keys)[key] & (held >= _LEAST_HELD)
    group, key = group[some], key[some]
    bounds = np.searchsorted(group, np.arange(len(crowds) + 1))
    chosen = [key[low:high] for low, high in itertools.pairwise(bounds.tolist())]
    return [
        Candidate(mine, members, int(keys.uses[mine].sum()))
        for mine, members in zip(chosen, crowds, strict=True)
        if mine.size >= max(_LEAST_PASSAGES, own.get(int(members[0]), 0) + 1)
    ]
