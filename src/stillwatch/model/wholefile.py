"""Files that appear whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_EVERYBODY = 0o666  # less the umask


def write_atomically(path: Path, content: bytes | Iterable[bytes], mode: int = _EVERYBODY) -> None:
    """Put `content` at `path` so that a reader sees the old file or the new one, never a part.

    Args:
        path: The file; an old one is replaced.
        content: Its bytes, in one piece or in several.
        mode: Rights of a new file, less the umask.

    Raises:
        OSError: The file cannot be written; the old one is as it was.
    """
    with _draft(path, content, mode) as draft:
        draft.replace(path)


def write_once(path: Path, content: bytes | Iterable[bytes], mode: int = _EVERYBODY) -> None:
    """Put `content` into the new file `path`; see `write_atomically`.

    Raises:
        FileExistsError: There is a file already; it is as it was.
        OSError: The file cannot be written; there is none.
    """
    with _draft(path, content, mode) as draft:
        os.link(draft, path)


@contextlib.contextmanager
def _draft(path: Path, content: bytes | Iterable[bytes], mode: int) -> Iterator[Path]:
    """Write a draft beside `path`, on the disk when it is yielded and gone in the end."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)
