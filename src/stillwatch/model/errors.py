"""What can go wrong, and what is done about it.

StillwatchError
├── InputError     something that was handed in cannot be read: the run stops, the sentence says what to do
├── StoreError     the store on disk is damaged, of a newer version, or in use by another run
└── MissingExtra   an optional part was asked for and is not installed

A bad *line* is not an exception but a value: `Rejected`.
"""

from __future__ import annotations

import msgspec

BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding JSON raises where it is malformed, of another form, no UTF-8, or nested too deeply."""


class StillwatchError(Exception):
    """Base of all errors that stillwatch raises on purpose; the text is one sentence for a person."""


class InputError(StillwatchError):
    """Something handed in cannot be read at all."""

    def __init__(self, where: str, what: str, remedy: str) -> None:
        """Build the sentence from `where` it is, `what` is wrong and the `remedy`."""
        super().__init__(f"{where}: {what}; {remedy}.")
        self.where, self.what, self.remedy = where, what, remedy


class StoreError(StillwatchError):
    """The store on disk cannot be used as it is."""


class MissingExtra(StillwatchError):  # noqa: N818 - names what is missing
    """An optional part is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        """Say which `feature` needs which `extra`."""
        super().__init__(f"{feature} needs an optional part: run `pip install 'stillwatch[{extra}]'`.")


class Rejected(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line that was not ingested, and why; holds no content of the line."""

    file: str
    line: int
    reason: str
    remedy: str = ""
