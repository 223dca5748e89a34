"""A file of answers as the suspect: somebody else asked it, we only read what it said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from stillwatch.lineage.suspect import Budget, Query, Reply, Spent
from stillwatch.model.errors import BAD_JSON, InputError, Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class FileSuspect:
    """Replies from lines of `{"id": …, "text": …}` or `{"id": …, "log_prob": …}`, where `id` is the query's.

    The ids and prompts to be asked are what `stillwatch lineage plan --requests FILE` writes. A query that
    the file does not answer counts as not answered.
    """

    def __init__(self, path: Path) -> None:
        """Read the file at `path`.

        Raises:
            InputError: It cannot be opened or holds no answer that can be read.
        """
        self.label = f"answers in {path.name}"
        self._replies, self.rejected = _read(path)

    def ask(self, queries: Sequence[Query], budget: Budget, spent: Spent) -> Sequence[Reply]:
        """Return what the file says to `queries`."""
        del budget
        replies = [self._reply(query) for query in queries]
        spent.requests += len(replies)
        return replies

    def _reply(self, query: Query) -> Reply:
        found = self._replies.get(query.id)
        if found is None:
            return Reply(query.id, failed="the file has no answer")
        fits = found.log_prob is not None if query.kind == "log_prob" else found.text is not None
        return found if fits else Reply(query.id, failed="the file has an answer of another kind")


def _read(path: Path) -> tuple[dict[str, Reply], tuple[Rejected, ...]]:
    replies: dict[str, Reply] = {}
    rejected = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(str(path), error.strerror or "cannot be read", "name a file of answers") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            reply = msgspec.json.decode(line, type=Reply)
        except BAD_JSON:
            rejected.append(Rejected(str(path), number, "is not an answer with an id"))
            continue
        if reply.id in replies:
            rejected.append(Rejected(str(path), number, "answers a query that is answered above"))
            continue
        replies[reply.id] = reply
    if not replies:
        raise InputError(str(path), "holds no answer", 'write lines such as {"id": "…", "text": "…"}')
    return replies, tuple(rejected)
