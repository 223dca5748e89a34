"""The due of a group: which share of a key's users would be its members if they used it like everybody.

An ordinary phrase is used by whoever writes much in its language. A campaign that resells chats, or that
makes up most of a language in the log, uses most phrases of that language more often than all others
together, and none of them is its mark. So a group's due in a key is its share of the exchanges in the key's
language.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

UNKNOWN = -1


@dataclass(frozen=True)
class Speech:
    """Languages of keys and of accounts; a language is a code from 0, `UNKNOWN` where there is none.

    Attributes:
        key_language: Language in which each key was mostly seen, shape (K,).
        account: Account of each row of the next two, shape (n,).
        language: Language, shape (n,).
        exchanges: Exchanges of that account in that language in the discovery slice, shape (n,).
    """

    key_language: Ints
    account: Ints
    language: Ints
    exchanges: Ints

    def due(self, label: Ints, group: Ints, key: Ints, last: Ints) -> Floats:
        """Return the share that is due to a group in a key.

        The bottom-B sample of a common key holds the first accounts of the sampling order only, in which a
        community that was found in that sample stands out. So its share is taken among these accounts.

        Args:
            label: Group of each account, -1 for none, shape (A,).
            group: Group of each pair, shape (n,).
            key: Key of each pair, shape (n,).
            last: Last account of the sampling order that the sample of the key reaches, shape (n,).

        Returns:
            Shape (n,). One exchange of an outsider is added, so that no share is 1.
        """
        language = self.key_language[key]
        owner = label[self.account]
        own = self._sums(owner, label.size).until(group, language, last)
        sent = self._everybody.until(np.zeros_like(group), language, last)
        return own / (1.0 + sent)

    @cached_property
    def _everybody(self) -> _Sums:
        return self._sums(np.zeros_like(self.account), int(self.account.max(initial=0)) + 1)

    def _sums(self, owner: Ints, accounts: int) -> _Sums:
        """Sum the exchanges of each owner, in every language and, under `UNKNOWN`, in all together."""
        owned = np.flatnonzero(owner >= 0)
        spoken = owned[self.language[owned] >= 0]
        languages = self._languages
        kind = np.concatenate(
            [owner[owned] * languages, owner[spoken] * languages + self.language[spoken] + 1]
        )
        rows = np.concatenate([owned, spoken])
        code = kind * accounts + self.account[rows]
        order = np.argsort(code)
        sent = self.exchanges[rows[order]]
        return _Sums(code[order], np.concatenate([[0], np.cumsum(sent)]), languages, accounts)

    @cached_property
    def _languages(self) -> int:
        last = max(self.language.max(initial=UNKNOWN), self.key_language.max(initial=UNKNOWN))
        return int(last) + 2  # none is one as well


@dataclass(frozen=True)
class _Sums:
    """Running sums over the accounts in their order, each owner and language by itself.

    Attributes:
        code: Owner, language and account in one number, ascending, shape (n,).
        total: Exchanges before each row and of all, shape (n + 1,).
        languages: Number of languages, `UNKNOWN` included.
        accounts: Number of accounts.
    """

    code: Ints
    total: Ints
    languages: int
    accounts: int

    def until(self, owner: Ints, language: Ints, last: Ints) -> Ints:
        """Sum the exchanges of each owner in a language by the accounts up to `last`."""
        start = (owner * self.languages + language - UNKNOWN) * self.accounts
        end = start + np.minimum(last, self.accounts - 1)
        low, high = np.searchsorted(self.code, start), np.searchsorted(self.code, end, side="right")
        found: Ints = self.total[high] - self.total[low]
        return found


def key_languages(offsets: Ints, index: Ints, language: Ints, keys: int) -> Ints:
    """Return the language in which each key is mostly seen, shape (keys,).

    Args:
        offsets: Row boundaries in `index`, shape (rows + 1,).
        index: Keys of the sampled exchanges, -1 for keys that do not count.
        language: Language of each exchange, `UNKNOWN` where there is none, shape (rows,).
        keys: Number of keys.
    """
    found: Ints = _majority(offsets, index, language, keys)
    return found


@numba.njit(cache=True, nogil=True)
def _majority(offsets: Ints, index: Ints, language: Ints, keys: int) -> Ints:
    """Majority vote in one pass (Boyer and Moore 1981, MJRTY)."""
    leading = np.full(keys, UNKNOWN)
    lead = np.zeros(keys, np.int64)
    for row in range(offsets.size - 1):
        for position in range(offsets[row], offsets[row + 1]):
            key = index[position]
            if key < 0:
                continue
            if leading[key] == language[row]:
                lead[key] += 1
            elif lead[key] == 0:
                leading[key], lead[key] = language[row], 1
            else:
                lead[key] -= 1
    return leading
