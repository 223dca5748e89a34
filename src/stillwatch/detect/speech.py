"""The due of a group: which share of a key's users would be its members if they used it like everybody.

An ordinary phrase is used by whoever writes much in its language. A campaign that resells chats, or that
makes up most of a language in the log, uses most phrases of that language more often than all others
together, and none of them is its mark. So a group's due in a key is its share of the exchanges in the key's
language.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numba
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

UNKNOWN = -1


@dataclass(frozen=True)
class Members:
    """Accounts of several groups; an account of two groups stands there twice.

    Attributes:
        account: Account numbers, shape (n,).
        group: Number of the group of each, shape (n,).
    """

    account: Ints
    group: Ints

    @staticmethod
    def of(groups: Sequence[Ints]) -> Members:
        """Number groups, each given by its accounts, in their order."""
        size = [accounts.size for accounts in groups]
        account = np.concatenate([np.empty(0, np.int64), *groups])
        return Members(account, np.repeat(np.arange(len(groups)), size))


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

    def due(self, members: Members, group: Ints, key: Ints, last: Ints) -> Floats:
        """Return the share that is due to a group in a key.

        The bottom-B sample of a common key holds the first accounts of the sampling order only, in which a
        community that was found in that sample stands out. So its share is taken among these accounts.

        Args:
            members: Accounts of the groups.
            group: Group of each pair, shape (n,).
            key: Key of each pair, shape (n,).
            last: Last account of the sampling order that the sample of the key reaches, shape (n,).

        Returns:
            Shape (n,). One exchange of an outsider is added, so that no share is 1.
        """
        language = self.key_language[key]
        order, bounds = self._by_account
        known = members.account < bounds.size - 1
        account, owner = members.account[known], members.group[known]
        low, length = bounds[account], bounds[account + 1] - bounds[account]
        place = np.repeat(low - (np.cumsum(length) - length), length) + np.arange(int(length.sum()))
        own = self._sums(np.repeat(owner, length), order[place]).until(group, language, last)
        sent = self._everybody.until(np.zeros_like(group), language, last)
        return own / (1.0 + sent)

    @cached_property
    def _by_account(self) -> tuple[Ints, Ints]:
        """Rows in the order of accounts, and where each account starts."""
        order = np.argsort(self.account, kind="stable")
        return order, np.searchsorted(self.account[order], np.arange(self._accounts + 1))

    @cached_property
    def _accounts(self) -> int:
        return int(self.account.max(initial=0)) + 1

    @cached_property
    def _everybody(self) -> _Sums:
        return self._sums(np.zeros_like(self.account), np.arange(self.account.size))

    def _sums(self, owner: Ints, rows: Ints) -> _Sums:
        """Sum the exchanges of each owner, in every language and, under `UNKNOWN`, in all together.

        Args:
            owner: Owner of each of the rows, from 0.
            rows: Rows of `account`; a row may have several owners.
        """
        spoken = self.language[rows] >= 0
        languages = self._languages
        kind = np.concatenate(
            [owner * languages, owner[spoken] * languages + self.language[rows[spoken]] + 1]
        )
        rows = np.concatenate([rows, rows[spoken]])
        code = kind * self._accounts + self.account[rows]
        order = np.argsort(code)
        sent = self.exchanges[rows[order]]
        return _Sums(code[order], np.concatenate([[0], np.cumsum(sent)]), languages, self._accounts)

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
    """Return the language in which each key is mostly seen, the first of equals, shape (keys,).

    Args:
        offsets: Row boundaries in `index`, shape (rows + 1,).
        index: Keys of the sampled exchanges, -1 for keys that do not count.
        language: Language of each exchange, `UNKNOWN` where there is none, shape (rows,).
        keys: Number of keys.
    """
    languages = int(language.max(initial=UNKNOWN)) + 2  # none is one as well
    codes = np.sort(_heard(offsets, index, language - UNKNOWN, languages))
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    code, uses = codes[starts], np.diff(starts, append=codes.size)
    order = np.lexsort((-code, uses))  # the most frequent is written last
    found = np.full(keys, UNKNOWN)
    found[code[order] // languages] = code[order] % languages + UNKNOWN
    return found


@numba.njit(cache=True, nogil=True)
def _heard(offsets: Ints, index: Ints, language: Ints, languages: int) -> Ints:
    """Write key and language of every use as one number."""
    codes, filled = np.empty(index.size, np.int64), 0
    for row in range(offsets.size - 1):
        for at in range(offsets[row], offsets[row + 1]):
            if index[at] >= 0:
                codes[filled] = index[at] * languages + language[row]
                filled += 1
    return codes[:filled]
