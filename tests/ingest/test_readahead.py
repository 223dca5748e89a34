"""What is read ahead is what there is, in order, and nobody reads when it is over."""

from __future__ import annotations

import io
from threading import get_ident

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.ingest.readahead import ReadAhead
from stillwatch.model.errors import InputError


class Source:
    """Hands out so many bytes at a time, then fails or ends."""

    def __init__(self, data: bytes, steps: list[int], error: Exception | None = None) -> None:
        self.stream, self.steps, self.error = io.BytesIO(data), steps, error
        self.readers, self.calls = set(), 0

    def readinto(self, buffer: memoryview) -> int:
        step = self.steps[self.calls % len(self.steps)]
        self.calls += 1
        self.readers.add(get_ident())
        size = self.stream.readinto(buffer[:step])
        if not size and self.error:
            raise self.error
        return size


def drain(ahead: ReadAhead, size: int, found: bytearray) -> None:
    buffer = bytearray(size)
    while got := ahead.readinto(memoryview(buffer)):
        found += buffer[:got]


@given(
    st.binary(max_size=300),
    st.lists(st.integers(1, 50), min_size=1, max_size=4),
    st.integers(1, 40),
    st.integers(1, 60),
)
def test_the_bytes_are_those_of_the_stream(data, steps, chunk, size):
    source, found = Source(data, steps), bytearray()
    with ReadAhead(source.readinto, chunk) as ahead:
        drain(ahead, size, found)
        assert ahead.readinto(memoryview(bytearray(size))) == 0
    assert found == data
    assert get_ident() not in source.readers


def test_a_failure_comes_after_the_bytes_before_it():
    source = Source(b"abcdef", [2], InputError("log", "it is cut off", "copy it again"))
    found = bytearray()
    with ReadAhead(source.readinto, 4) as ahead, pytest.raises(InputError, match="cut off"):
        drain(ahead, 9, found)
    assert found == b"abcdef"


def test_nobody_reads_when_it_is_over():
    source = Source(b"x" * 1000, [1])
    with ReadAhead(source.readinto, 8) as ahead:
        ahead.readinto(memoryview(bytearray(1)))
    calls = source.calls
    assert calls <= 4
    assert source.stream.tell() == calls
