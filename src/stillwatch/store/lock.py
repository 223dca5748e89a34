"""One writer at a time, held by the operating system so that a crash frees it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from stillwatch.model.errors import StoreError


class Lock:
    """An exclusive `flock` on a file or directory, held until `release` or the end of the process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Wrap the open and locked `descriptor` of `path`."""
        self.path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def try_take(cls, path: Path) -> Lock | None:
        """Lock `path` (a file is created if there is none) and return the lock, or None if somebody has it."""
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
            raise StoreError(f"{path.parent}: in use by another writer; wait until it is done, then try again.")
        return lock

    def release(self) -> None:
        """Free the lock; doing it twice is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
