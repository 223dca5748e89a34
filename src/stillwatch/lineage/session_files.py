"""What a session keeps while it runs: a journal that is a chain, and the answers of the suspect.

Both files are only ever appended to. A line that a crash cut short is dropped when the file is opened again;
everything before it stays.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from stillwatch.lineage.chain import Entry, chain_faults, link
from stillwatch.lineage.suspect import Reply, Spent
from stillwatch.model.errors import BAD_JSON, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

JOURNAL, REPLIES = "journal.jsonl", "replies.jsonl"
_REMEDY = "choose another --out, or restore the file"


class _Header(msgspec.Struct, frozen=True):
    """First line of the answers: the plan that they belong to."""

    plan: str


class _Batch(msgspec.Struct, frozen=True):
    """What came of one batch; written as one line, so that it is there whole or not at all."""

    replies: tuple[Reply, ...]
    requests: int
    tokens: int


class Journal:
    """The chain of what happened."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        """Open the journal at `path`, new or to be continued.

        Raises:
            InputError: It was changed since it was written.
        """
        self._path, self._now = path, now
        self.entries = [_decoded(line, Entry, path) for line in _whole_lines(path)]
        faults = chain_faults(self.entries)
        if faults:
            raise InputError(str(path), f"was changed ({faults[0]})", _REMEDY)

    def add(self, kind: str, body: dict[str, Any]) -> Entry:
        """Append an entry and return it; when this returns it is on the disk."""
        at = self._now().isoformat()
        before = self.entries[-1].at if self.entries else at
        entry = link(self.entries, kind, max(at, before), body)
        append_durably(self._path, msgspec.json.encode(entry) + b"\n")
        self.entries.append(entry)
        return entry

    def find(self, kind: str) -> Entry | None:
        """Return the first entry of a kind."""
        return next((entry for entry in self.entries if entry.kind == kind), None)


class AnswerFile:
    """The replies so far, under the digest of the plan that asked for them."""

    def __init__(self, path: Path, plan: str) -> None:
        """Open the answers at `path`, new or to be continued.

        Raises:
            InputError: They belong to another plan or are damaged.
        """
        self._path = path
        self.replies: dict[str, Reply] = {}
        self.spent = Spent()
        lines = _whole_lines(path)
        if not lines:
            append_durably(path, msgspec.json.encode(_Header(plan)) + b"\n")
            return
        if _decoded(lines[0], _Header, path).plan != plan:
            raise InputError(str(path), "holds answers to another plan", "choose another --out")
        for line in lines[1:]:
            self._take(_decoded(line, _Batch, path))

    def add(self, replies: Iterable[Reply], requests: int, tokens: int) -> None:
        """Keep the replies of one batch and what it cost."""
        batch = _Batch(tuple(reply for reply in replies if reply.id not in self.replies), requests, tokens)
        append_durably(self._path, msgspec.json.encode(batch) + b"\n")
        self._take(batch)

    def _take(self, batch: _Batch) -> None:
        self.replies |= {reply.id: reply for reply in batch.replies}
        self.spent.requests += batch.requests
        self.spent.tokens += batch.tokens


def append_durably(path: Path, content: bytes) -> None:
    """Append `content` to a file that only its owner may read; it is on the disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _whole_lines(path: Path) -> list[bytes]:
    """Return the lines that end; cut off what a crash left of the last one."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(str(path), error.strerror or "cannot be read", _REMEDY) from None
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    return content[:whole].splitlines()


def _decoded(line: bytes, kind: type[Any], path: Path) -> Any:
    try:
        return msgspec.json.decode(line, type=kind)
    except BAD_JSON:
        raise InputError(str(path), "holds a line that is damaged", _REMEDY) from None
