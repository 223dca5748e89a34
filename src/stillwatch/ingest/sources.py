"""Files: finding them, their identity, and their bytes without compression."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from blake3 import blake3

from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BOM = b"\xef\xbb\xbf"
PARQUET = b"PAR1"
_HEAD_BYTES = 1 << 16
_DIGEST_BYTES = 2 << 20
"""Bytes that are hashed at a time: each time, the interpreter's lock must be waited for."""

_LOOKS = (
    (b"\xff\xfe", "UTF-16 text", "write it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "write it as UTF-8"),
    (b"BZh", "a bzip2 archive", "unpack it, or pack it with gzip or zstd"),
    (b"\xfd7zXZ", "an xz archive", "unpack it, or pack it with gzip or zstd"),
    (b"PK\x03\x04", "a zip archive", "unpack it"),
    (b"Obj\x01", "an Avro file", "export it as Parquet or NDJSON"),
    (b"ORC", "an ORC file", "export it as Parquet or NDJSON"),
    (b"SQLite format 3", "an SQLite database", "export the table as Parquet or NDJSON"),
    (b"<", "XML or HTML", "export the logs as NDJSON"),
)


def find_files(paths: Sequence[Path], leave_out: Sequence[Path] = ()) -> list[Path]:
    """Return all files under `paths`, in order of name.

    Hidden files inside directories are left out, and what lies inside one of `leave_out`, where that is
    itself inside a directory of `paths`. Links to directories are not followed.

    Raises:
        InputError: A path does not exist or cannot be searched, or there is no file at all.
    """
    found: dict[Path, None] = {}
    for path in paths:
        try:
            path.stat()
            inside = _inside(path, leave_out) if path.is_dir() else [path]
            found |= dict.fromkeys(sorted(file for file in inside if file.is_file()))
        except FileNotFoundError:
            raise InputError(str(path), "there is no such file or directory", "check the path") from None
        except OSError as error:
            raise unreadable(Path(error.filename or path), error) from None
    if not found:
        where = ", ".join(map(str, paths)) or "the list of inputs"
        raise InputError(where, "there are no files in it", "name a log file or a directory with log files")
    return list(found)


def _inside(path: Path, leave_out: Sequence[Path]) -> Iterator[Path]:
    here = _real(path)
    closed = {_real(each) for each in leave_out if here in _real(each).parents}
    for folder, folders, files in os.walk(path, onerror=_raise):
        within = Path(folder)
        folders[:] = [each for each in folders if not each.startswith(".")]
        folders[:] = [each for each in folders if not closed or _real(within / each) not in closed]
        yield from (within / file for file in files if not file.startswith("."))


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _raise(error: OSError) -> None:
    raise error


def digest_of(path: Path) -> str:
    """Return the BLAKE3 hash of the bytes as they are on disk, as 64 hexadecimal digits.

    A pass of its own, ahead of decoding, so that a file that is known is told without being decoded. Bytes
    are read and not mapped into memory: a log that is cut off meanwhile must not end the process.

    Raises:
        InputError: The file cannot be read.
    """
    hasher, buffer = blake3(), bytearray(_DIGEST_BYTES)
    try:
        with path.open("rb", buffering=0) as file, memoryview(buffer) as view:
            while size := file.readinto(buffer):
                hasher.update(view[:size])
    except OSError as error:
        raise unreadable(path, error) from None
    return hasher.hexdigest()


def unreadable(path: Path, error: OSError) -> InputError:
    """Return the error to raise where the operating system refuses to read `path`."""
    reason = os.strerror(error.errno) if error.errno else "it cannot be read"
    return InputError(str(path), reason.lower(), "check its permissions and that it is still there")


class Stream:
    """The bytes of one file without compression and byte order mark, with what has been looked at before.

    Attributes:
        head: The first bytes.
        name: The file, as it was named.
        packing: `gzip`, `zstd`, or nothing.
    """

    def __init__(self, path: Path, raw: pa.NativeFile, plain: pa.NativeFile, packing: str) -> None:
        """Read from `plain`, which unpacks `raw`."""
        self.name = str(path)
        self.packing, self._raw, self._plain = packing, raw, plain
        self._pending = b""
        self.head = self._read(_HEAD_BYTES).removeprefix(_BOM)
        self._pending = self.head

    def reach_line_end(self, limit: int) -> None:
        """Let `head` hold the first line that is not blank, or as much of it as fits into `limit` bytes.

        Raises:
            InputError: The compressed data are damaged or cut off.
        """
        while b"\n" not in self.head.lstrip() and len(self.head) < limit:
            self._pending = b""
            more = self._read(min(len(self.head), limit - len(self.head)))
            self.head = self._pending = self.head + more
            if not more:
                return

    def _read(self, size: int) -> bytes:
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer` as far as there are bytes, and return how many there were; none at the end.

        Raises:
            InputError: The compressed data are damaged or cut off.
        """
        size = min(len(self._pending), len(buffer))
        buffer[:size], self._pending = self._pending[:size], self._pending[size:]
        try:
            return size + int(self._plain.readinto(buffer[size:])) if size < len(buffer) else size
        except OSError:
            raise InputError(
                self.name,
                f"its {self.packing} data are damaged or cut off" if self.packing else "it cannot be read",
                "copy the file again when it is complete; nothing of it was kept",
            ) from None

    def position(self) -> int:
        """Return how many bytes of the file on disk have been read."""
        return int(self._raw.tell())


@contextmanager
def open_stream(path: Path) -> Iterator[Stream]:
    """Open `path`, unpacking gzip and zstd, which are told by content and not by name.

    Raises:
        InputError: The file cannot be opened, or its compressed data are damaged.
    """
    try:
        raw = pa.OSFile(str(path), "rb")
        magic = bytes(raw.read(4))
        raw.seek(0)
    except OSError as error:
        raise unreadable(path, error) from None
    with raw:
        packing = "gzip" if magic.startswith(_GZIP) else "zstd" if magic == _ZSTD else ""
        plain = pa.CompressedInputStream(raw, packing) if packing else raw
        yield Stream(path, raw, plain, packing)


def is_parquet(stream: Stream) -> bool:
    """Say whether the data are Parquet.

    Raises:
        InputError: They are, but packed; Parquet has to be read from its end.
    """
    if stream.head.startswith(PARQUET) and stream.packing:
        raise InputError(
            stream.name,
            f"it is Parquet packed with {stream.packing}",
            "unpack it; Parquet compresses its columns itself",
        )
    return stream.head.startswith(PARQUET)


def looks_like(head: bytes) -> tuple[str, str] | None:
    """Return the kind of file that data begin as, and what to do with it; None if no known one."""
    return next(((kind, remedy) for magic, kind, remedy in _LOOKS if head.startswith(magic)), None)


def require_text(name: str, head: bytes) -> None:
    """Check that the data can be JSON.

    Raises:
        InputError: They are something else; the sentence says what they look like.
    """
    known = looks_like(head)
    if known is not None:
        raise InputError(name, f"it looks like {known[0]}, not JSON logs", known[1])
    start = head.lstrip(b" \t\r\n\0")[:1]
    if start not in (b"{", b"[") and not any(line.lstrip()[:1] == b"{" for line in head.splitlines()[:100]):
        kind = "binary data" if b"\0" in head else "CSV or plain text"
        raise InputError(name, f"it looks like {kind}, not JSON logs", "export the logs as NDJSON or Parquet")


__all__ = [
    "Stream",
    "digest_of",
    "find_files",
    "is_parquet",
    "looks_like",
    "open_stream",
    "require_text",
    "unreadable",
]
