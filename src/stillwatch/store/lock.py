"""One writer at a time, held by the operating system so that a crash frees it."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from stillwatch.model.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path


class Lock:
    """An exclusive `flock` on a file or directory, held until `release` or the end of the process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Wrap the open and locked `descriptor` of `path`."""
        self.path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def try_take(cls, path: Path) -> Lock | None:
        """Lock `path` (a file is made if there is none); None if somebody else has the lock."""
        flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return cls(path, descriptor)

    @classmethod
    def take(cls, path: Path) -> Lock:
        """Lock `path`.

        Raises:
            StoreError: Another process or object holds the lock.
        """
        lock = cls.try_take(path)
        if lock is None:
            raise StoreError(f"{path.parent}: in use by another writer; wait until it is done.")
        return lock

    @property
    def held(self) -> bool:
        """Whether the lock is still held."""
        return self._descriptor is not None

    def release(self) -> None:
        """Free the lock; doing it twice is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
