"""The few file operations that a crash must not tear, behind one object so that tests can break each."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Disk:
    """Durable file operations on a POSIX file system.

    A rename is atomic (POSIX `rename`), but it survives a power failure only after `fsync` of the files
    and of every directory whose entries changed.
    """

    def make_directory(self, path: Path) -> None:
        """Create the directory `path` and its parents, if they are not there."""
        path.mkdir(parents=True, exist_ok=True)
        self.sync(path.parent)

    def sync(self, path: Path) -> None:
        """Wait until the content of the file or the entries of the directory `path` are on the medium."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def move(self, source: Path, target: Path) -> None:
        """Give what is at `source` the name `target`, atomically; a file at `target` is replaced."""
        source.replace(target)
        self.sync(target.parent)
        if source.parent != target.parent:
            self.sync(source.parent)

    def write(self, path: Path, content: bytes) -> None:
        """Write a file that nobody reads yet."""
        path.write_bytes(content)
        self.sync(path)

    def replace_file(self, path: Path, content: bytes) -> None:
        """Put `content` at `path` so that a reader sees the old file or the new one, never a part."""
        unfinished = path.with_name(f".{path.name}.new")
        self.write(unfinished, content)
        self.move(unfinished, path)

    def remove(self, path: Path) -> None:
        """Remove the file or the directory `path` with everything in it, if it is there."""
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
