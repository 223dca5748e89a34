import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.ingest.blocks import Limits, Unfinished, document_blocks, is_document, line_blocks

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(st.text(), JSON, max_size=4), min_size=1, max_size=8)


def lines_of(data: bytes, limits: Limits) -> tuple[dict[int, bytes], list[int]]:
    """Return the lines by number, and the numbers of those left out; copied before the next block comes."""
    found, too_long, expected = {}, [], 1
    for block in line_blocks(io.BytesIO(data).readinto, limits):
        assert block.first == expected
        expected += block.lines
        too_long += block.too_long
        lines = bytes(block.data).split(b"\n")[: block.lines]
        found |= dict(enumerate(lines, block.first))
    return found, too_long


@given(
    st.lists(st.binary(max_size=30).filter(lambda b: b"\n" not in b)),
    st.booleans(),
    st.integers(1, 64),
    st.integers(1, 5),
)
def test_lines_keep_their_bytes_and_numbers(lines, ends, block_bytes, rows):
    data = b"\n".join(lines) + (b"\n" if ends else b"")
    wanted = data.split(b"\n")
    wanted = wanted[:-1] if wanted[-1] == b"" else wanted
    found, too_long = lines_of(data, Limits(block_bytes, rows, 64))
    assert [found[number] for number in sorted(found)] == wanted
    assert too_long == []


@given(st.lists(st.integers(0, 60), max_size=20), st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_exactly_the_lines_that_are_too_long_are_left_out(lengths, limit, block_bytes, ends):
    lines = [bytes([65 + number % 26]) * length for number, length in enumerate(lengths)]
    data = b"\n".join(lines) + (b"\n" if ends else b"")
    wanted = data.split(b"\n")
    wanted = wanted[:-1] if wanted[-1] == b"" else wanted
    found, too_long = lines_of(data, Limits(block_bytes, 3, limit))
    assert too_long == [number for number, line in enumerate(wanted, 1) if len(line) > limit]
    assert [found[n] for n in sorted(found)] == [line if len(line) <= limit else b"" for line in wanted]


def test_a_line_of_fifty_megabytes_is_never_held():
    class Endless:
        """Fifty megabytes without a line end, then one line."""

        def __init__(self) -> None:
            self.left, self.largest = 50 << 20, 0

        def readinto(self, buffer: memoryview) -> int:
            self.largest = max(self.largest, len(buffer))
            if self.left > 0:
                size = min(self.left, len(buffer))
                buffer[:size] = b"x" * size
            else:
                size = 4 if self.left == 0 else 0
                buffer[:size] = b"\n{}\n"[:size]
            self.left -= max(size, 1)
            return size

    source = Endless()
    blocks = [
        (b.first, bytes(b.data), b.too_long)
        for b in line_blocks(source.readinto, Limits(1 << 16, 9, 1 << 18))
    ]
    assert blocks == [(1, b"\n", (1,)), (2, b"{}\n", ())]
    assert source.largest == 1 << 16


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=30),
    st.integers(1, 40),
    st.sampled_from([20, 100, 400]),
)
def test_lines_keep_their_bytes_however_many_reads_they_span(lengths, block_bytes, limit):
    lines = [bytes([65 + number % 26]) * length for number, length in enumerate(lengths)]
    found, _ = lines_of(b"\n".join(lines), Limits(block_bytes, 3, limit))
    wanted = lines if lines[-1] else lines[:-1]
    assert [found[n] for n in sorted(found)] == [each if len(each) <= limit else b"" for each in wanted]


@given(st.lists(st.integers(0, 9000), max_size=40), st.booleans())
def test_long_and_short_lines_are_counted(lengths, long):
    data = b"\n".join(b"x" * (length if long else length % 50) for length in lengths) + b"\n"
    blocks = list(line_blocks(io.BytesIO(data).readinto, Limits(1 << 20, 1 << 20, 1 << 20)))
    assert [block.lines for block in blocks] == [data.count(b"\n")]


def records_of(data: bytes, limits: Limits) -> list[bytes]:
    blocks = document_blocks(io.BytesIO(data).readinto, limits)
    return [line for block in blocks for line in bytes(block.data).splitlines()]


@given(OBJECTS, st.sampled_from([None, 1, "\t"]), st.booleans(), st.integers(1, 300), st.integers(1, 4))
def test_documents_are_cut_into_their_records(objects, indent, array, block_bytes, rows):
    if array:
        text = json.dumps(objects, indent=indent)
    else:
        text = "\n".join(json.dumps(each, indent=indent) for each in objects)
    found = records_of(text.encode(), Limits(block_bytes, rows, 1 << 20))
    assert [json.loads(record) for record in found] == objects


@pytest.mark.parametrize("text", [b'[{"a": 1}, {"b"', b'[{"a": "x', b'[{"a": "x\\', b"[{", b"["], ids=repr)
def test_a_document_that_is_cut_off_says_in_which_record(text):
    with pytest.raises(Unfinished) as error:
        records_of(text, Limits(4, 9, 100))
    assert not error.value.too_long
    assert error.value.record == text.count(b"}") + 1


def test_a_record_that_is_too_long_is_named():
    with pytest.raises(Unfinished) as error:
        records_of(b'[{"a": 1}, {"b": "' + b"x" * 500 + b'"}]', Limits(16, 9, 100))
    assert error.value.too_long
    assert error.value.record == 2


@pytest.mark.parametrize(
    ("head", "document"),
    [
        (b'{"a": 1}\n{"a": 2}\n', False),
        (b'[{"a": 1}]\n[{"a": 2}]\n', False),
        (b'{"a": 1}', False),
        (b'{"a": \x00\n{"a": 2}\n', False),
        (b'{\n "a": 1\n}\n', True),
        (b'[\n{"a": 1},\n{"a": 2}]', True),
        (b'[{"a": 1},\n{"a": 2}]', True),
        (b'{"a": [\n1]}\n', True),
        (b'[{"a": "' + b"x" * 99, True),
        (b'{"a": "' + b"x" * 99, False),
    ],
    ids=repr,
)
def test_records_on_lines_are_told_from_documents(head, document):
    assert is_document(head) is document
