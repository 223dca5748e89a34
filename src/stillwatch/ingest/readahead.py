"""Reading ahead: the next bytes are read and unpacked on another thread while the present ones are decoded.

The threads meet only once in some megabytes. Whoever asks for the interpreter's lock while another thread
computes may wait for five milliseconds (`sys.getswitchinterval`), in which megabytes are decoded; a reader
that asks for it with every block is always late.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from types import TracebackType

    from stillwatch.ingest.blocks import ReadInto

CHUNK_BYTES = 8 << 20
_AHEAD = 2


class ReadAhead:
    """The bytes of a stream, of which two chunks are read while one is used.

    Examples:
        >>> from io import BytesIO
        >>> buffer = bytearray(5)
        >>> with ReadAhead(BytesIO(b"bytes of a stream").readinto) as stream:
        ...     stream.readinto(memoryview(buffer)), bytes(buffer)
        (5, b'bytes')
    """

    def __init__(self, read: ReadInto, chunk_bytes: int = CHUNK_BYTES) -> None:
        """Read with `read`, up to `chunk_bytes` at a time."""
        self._read = read
        # memory that nobody has written to yet costs nothing, so that short files are not burdened
        self._chunks = [np.empty(chunk_bytes, np.uint8).data for _ in range(_AHEAD + 1)]
        self._coming: deque[Future[tuple[memoryview, int]]] = deque()

    def __enter__(self) -> Self:
        """Begin to read."""
        self._pool = ThreadPoolExecutor(1, "stillwatch-read")
        self._chunk, *others = self._chunks
        self._at = self._end = 0
        self._coming.extend(self._pool.submit(self._fill, chunk) for chunk in others)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; when this returns, the stream is not read any more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer` with what is at hand, and return how many bytes that is; none at the end.

        Raises:
            InputError: The stream cannot be read on; the bytes before that were given out.
        """
        if self._at == self._end:
            self._turn()
        size = min(len(buffer), self._end - self._at)
        buffer[:size] = self._chunk[self._at : self._at + size]
        self._at += size
        return size

    def _turn(self) -> None:
        """Have the chunk that is used up filled again, and go on with the next one."""
        self._coming.append(self._pool.submit(self._fill, self._chunk))
        self._chunk, self._end = self._coming.popleft().result()
        self._at = 0

    def _fill(self, chunk: memoryview) -> tuple[memoryview, int]:
        return chunk, self._read(chunk)
