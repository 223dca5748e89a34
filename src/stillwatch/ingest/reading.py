"""From a file to drafts: telling its format, decoding its lines, and noting the lines that are bad."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from stillwatch.ingest.blocks import Block, Limits, Unfinished, document_blocks, is_document, line_blocks
from stillwatch.ingest.draft import READ_ERRORS, Draft, Fields, Places, Refusal, draft_of, refusal_of
from stillwatch.ingest.formats import (
    FORMAT_NAMES,
    PARQUET,
    SURE,
    LineFormat,
    line_format,
    recognise,
    resemblance,
)
from stillwatch.ingest.options import AUTO, IngestOptions
from stillwatch.ingest.readahead import ReadAhead
from stillwatch.ingest.sources import Stream, is_parquet, open_stream, require_text
from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from pathlib import Path

_SAMPLE, _SAMPLE_BYTES = 16, 1 << 16


class Piece(msgspec.Struct, frozen=True):
    """Part of a file, decoded.

    Attributes:
        draft: Its exchanges; None where no line could be decoded.
        lines: Lines (array items, Parquet rows) in it that are not blank.
        rejected: Numbers of lines that could not be decoded, with the reason.
        position: Bytes of the file on disk that have been read.
    """

    draft: Draft | None
    lines: int
    rejected: tuple[tuple[int, Refusal], ...]
    position: int


class OpenedFile(msgspec.Struct, frozen=True):
    """A file whose format is known; `pieces` reads it, and is to be closed before the file is."""

    format: str
    account_sources: str
    pieces: Generator[Piece]


@contextmanager
def open_file(path: Path, options: IngestOptions) -> Iterator[OpenedFile | None]:
    """Open a log file and tell its format; None if the file is empty.

    Raises:
        InputError: The file cannot be read, or it is not of the format that was asked for.
    """
    require_known(options.format)
    with open_stream(path) as stream:
        if is_parquet(stream):
            _require(options.format in (AUTO, PARQUET.name), path, "Parquet", options, PARQUET.name)
            yield OpenedFile(PARQUET.name, PARQUET.account_sources, _table_pieces(path, options))
        elif _is_blank(stream, options):
            yield None
        else:
            _require(options.format != PARQUET.name, path, "text", options, AUTO)
            require_text(str(path), stream.head)
            document, chosen = _told(path, stream, options)
            yield OpenedFile(
                chosen.name, chosen.account_sources, _line_pieces(stream, chosen, document, options)
            )


def locate(path: Path, lines: frozenset[int], options: IngestOptions) -> Iterator[Draft]:
    """Read a log up to the last of `lines` and decode only these; for reading again what was ingested before.

    Raises:
        InputError: The file cannot be read, or it is not of the format that was asked for.
    """
    with open_stream(path) as stream:
        if is_parquet(stream):
            yield from _locate_rows(path, lines, options)
        elif not _is_blank(stream, options):
            document, chosen = _told(path, stream, options)
            limits = Limits(options.block_bytes, options.block_rows, options.max_line_bytes)
            try:
                for block in (document_blocks if document else line_blocks)(stream.readinto, limits):
                    yield from _located(block, lines, chosen, options)
                    if block.first + block.lines > max(lines):
                        return
            except Unfinished as error:
                raise InputError(str(path), f"record {error.record} is cut off", "restore the log") from None


def _locate_rows(path: Path, lines: frozenset[int], options: IngestOptions) -> Iterator[Draft]:
    first = 1
    for batch in PARQUET.batches(path, options.block_rows):
        inside = (line for line in sorted(lines) if first <= line < first + batch.num_rows)
        yield from (PARQUET.draft_batch(batch.slice(line - first, 1), line) for line in inside)
        first += batch.num_rows


def _located(
    block: Block, lines: frozenset[int], chosen: LineFormat, options: IngestOptions
) -> Iterator[Draft]:
    inside = lines.intersection(range(block.first, block.first + block.lines))
    held = bytes(block.data).split(b"\n") if inside else []
    for number in sorted(inside):
        line = held[number - block.first]
        draft = read_block(Block(memoryview(line), number, 1), chosen, options, 0).draft
        if draft is not None:
            yield draft


def require_known(name: str) -> None:
    """Check that `name` is a format or `auto`.

    Raises:
        InputError: It is not.
    """
    if name not in (AUTO, *FORMAT_NAMES):
        raise InputError(
            f"--format {name}", "there is no such format", f"use {', '.join((AUTO, *FORMAT_NAMES))}"
        )


def _require(fits: bool, path: Path, looks: str, options: IngestOptions, name: str) -> None:
    if not fits:
        remedy = f"use --format {name} or --format auto" if name != AUTO else "use --format auto"
        raise InputError(str(path), f"it looks like {looks} and was to be read as {options.format}", remedy)


def choose(name: str, sample: list[Mapping[str, Any]], wanted: str) -> LineFormat:
    """Return the format of a file from its first records.

    Raises:
        InputError: It is of no known format, or clearly of another than the one wanted.
    """
    likely = recognise(sample)
    if wanted == AUTO:
        if likely is None:
            what = "its records are of no known format" if sample else "its first lines are not JSON records"
            raise InputError(name, what, f"name the format with --format ({', '.join(FORMAT_NAMES)})")
        return likely
    chosen = line_format(wanted)
    if likely is not None and likely is not chosen and resemblance(chosen, sample) < SURE:
        what = f"it looks like {likely.title} and was to be read as {chosen.title}"
        raise InputError(name, what, f"use --format {likely.name} or --format auto")
    return chosen


def _is_blank(stream: Stream, options: IngestOptions) -> bool:
    stream.reach_line_end(options.max_line_bytes)
    return not stream.head.strip()


def _told(path: Path, stream: Stream, options: IngestOptions) -> tuple[bool, LineFormat]:
    """Say whether a file is a document and not lines, and of which format it is."""
    document = is_document(stream.head)
    return document, choose(str(path), _sample(path, document, options), options.format)


def _sample(path: Path, document: bool, options: IngestOptions) -> list[Mapping[str, Any]]:
    """Return the first records that can be decoded; the file is opened anew, since they may be long."""
    cut = document_blocks if document else line_blocks
    found: list[Mapping[str, Any]] = []
    looked_at = 0
    with open_stream(path) as stream:
        try:
            for block in cut(stream.readinto, Limits(_SAMPLE_BYTES, 1, options.max_line_bytes)):
                line = bytes(block.data).strip()
                found += _plain(line)
                looked_at += bool(line or block.too_long)
                if max(looked_at, len(found)) >= _SAMPLE:
                    break
        except Unfinished:
            return found
    return found[:_SAMPLE]


def _plain(line: bytes) -> list[Mapping[str, Any]]:
    try:
        value = msgspec.json.decode(line)
    except READ_ERRORS:
        return []
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, dict)]


def _table_pieces(path: Path, options: IngestOptions) -> Generator[Piece]:
    first, size = 1, path.stat().st_size
    for batch in PARQUET.batches(path, options.block_rows):
        yield Piece(PARQUET.draft_batch(batch, first), batch.num_rows, (), size)
        first += batch.num_rows


def _line_pieces(
    stream: Stream, chosen: LineFormat, document: bool, options: IngestOptions
) -> Generator[Piece]:
    limits = Limits(options.block_bytes, options.block_rows, options.max_line_bytes)
    cut = document_blocks if document else line_blocks
    try:
        with ReadAhead(stream.readinto) as ahead:
            blocks = cut(ahead.readinto, limits)
            decoded = (decode_block(block, chosen, options, stream.position()) for block in blocks)
            yield from gather(decoded, options)
    except Unfinished as error:
        what = "is longer than the limit" if error.too_long else "is cut off"
        remedy = "write one record a line" if error.too_long else "copy the file again when it is complete"
        raise InputError(
            stream.name, f"record {error.record} {what}", f"{remedy}; nothing of it was kept"
        ) from None


class DecodedBlock(msgspec.Struct, frozen=True):
    """Some lines, decoded; see `Piece`. `size` counts their bytes."""

    fields: Fields | None
    lines: int
    rejected: tuple[tuple[int, Refusal], ...]
    size: int
    position: int


def gather(blocks: Iterator[DecodedBlock], options: IngestOptions) -> Iterator[Piece]:
    """Join blocks, small enough for the processor's caches, into pieces that are worth their overhead."""
    held, size = _Held(), 0
    for block in blocks:
        held.add(block)
        size += block.size
        if held.lines >= options.block_rows or size >= options.piece_bytes:
            yield held.piece()
            held, size = _Held(), 0
    if held.lines:
        yield held.piece()


class _Held:
    """Blocks that are joined; each is taken in at once, so that little stands in the collector's way."""

    def __init__(self) -> None:
        self._fields: Fields | None = None
        self._rejected: list[tuple[int, Refusal]] = []
        self.lines = self._position = 0

    def add(self, block: DecodedBlock) -> None:
        self.lines, self._position = self.lines + block.lines, block.position
        self._rejected += block.rejected
        if self._fields is None:
            self._fields = block.fields
        elif block.fields is not None:
            self._fields.add(block.fields)

    def piece(self) -> Piece:
        draft = None if self._fields is None else draft_of(self._fields)
        return Piece(draft, self.lines, tuple(self._rejected), self._position)


def read_block(block: Block, chosen: LineFormat, options: IngestOptions, position: int) -> Piece:
    """Decode the lines of `block` as a piece of their own."""
    held = _Held()
    held.add(decode_block(block, chosen, options, position))
    return held.piece()


def decode_block(block: Block, chosen: LineFormat, options: IngestOptions, position: int) -> DecodedBlock:
    """Decode the lines of `block`: all at once if all are good, else one by one."""
    too_long = Refusal(
        f"the line is longer than {options.max_line_bytes} bytes", "split the record, or log less of it"
    )
    rejected = [(number, too_long) for number in block.too_long]
    records, lines, bad = _decode_all(block, chosen) or _decode_each(block, chosen)
    rejected += bad
    seen, size = len(lines) + len(rejected), len(block.data)
    if not records:
        return DecodedBlock(None, seen, tuple(rejected), size, position)
    flat, places = _flatten(records, lines)
    fields = chosen.read(flat, places, options.account_fields)
    _name_strangers(fields, block, chosen)
    return DecodedBlock(fields, seen, tuple(rejected), size, position)


def _name_strangers(fields: Fields, block: Block, chosen: LineFormat) -> None:
    """Give refused rows that are of another format that reason."""
    lines = bytes(block.data).split(b"\n") if fields.refused else []
    for index in fields.refused:
        line = lines[int(fields.places.lines[index]) - block.first]
        fields.refused[index] = _stranger(_plain(line), chosen) or fields.refused[index]


Decoded = tuple[list[Any], list[int] | range, list[tuple[int, Refusal]]]


def _decode_all(block: Block, chosen: LineFormat) -> Decoded | None:
    try:
        records = chosen.decoder.decode_lines(block.data)
    except READ_ERRORS:
        return None
    if len(records) != block.lines:
        return None
    return records, range(block.first, block.first + block.lines), []


def _decode_each(block: Block, chosen: LineFormat) -> Decoded:
    decode = chosen.decoder.decode
    records, lines, bad = [], [], []
    for number, line in enumerate(bytes(block.data).split(b"\n"), block.first):
        if line and not line.isspace():
            try:
                records.append(decode(line))
                lines.append(number)
            except READ_ERRORS as error:
                good, refused = _rescue(line, chosen)
                records += [good] if good else []
                lines += [number] if good else []
                bad += [(number, why) for why in refused or [_explain(line, error, chosen)]]
    return records, lines, bad


def _rescue(line: bytes, chosen: LineFormat) -> tuple[list[Any], list[Refusal]]:
    """Read the good items of an array in which some are bad."""
    if line.lstrip()[:1] != b"[":
        return [], []
    try:
        items = msgspec.json.decode(line, type=list[msgspec.Raw])
    except READ_ERRORS:
        return [], []
    good, refused = [], []
    for item in items:
        try:
            good.append(chosen.decoder.decode(_flat_item(bytes(item))))
        except READ_ERRORS as error:
            refused.append(_explain(bytes(item), error, chosen))
    return good, refused


def _flat_item(item: bytes) -> bytes:
    """Check that an item of an array is none itself.

    Raises:
        msgspec.ValidationError: It is.
    """
    if item[:1] == b"[":
        raise msgspec.ValidationError("Expected `object`, got `array`")
    return item


def _explain(line: bytes, error: BaseException, chosen: LineFormat) -> Refusal:
    """Say what is wrong with a line, and whether it is one of another format."""
    if b"\0" in line:
        return Refusal(
            "the line holds NUL bytes", "look for a crash of the log writer or a full disk at that time"
        )
    return _stranger(_plain(line), chosen) or refusal_of(error)


def _stranger(sample: list[Mapping[str, Any]], chosen: LineFormat) -> Refusal | None:
    """Say that records are of another format, if they clearly are."""
    likely = recognise(sample)
    if likely is None or likely is chosen or resemblance(chosen, sample) >= SURE:
        return None
    reason = f"a line of {likely.title} in a file of {chosen.title}"
    return Refusal(reason, "put each format into files of its own")


def _flatten(records: list[Any], lines: list[int] | range) -> tuple[list[Any], Places]:
    """Take arrays apart; items of an array are numbered from 1."""
    if list not in set(map(type, records)):
        return records, Places(np.asarray(lines, np.int64), np.zeros(len(records), np.int64))
    flat: list[Any] = []
    numbers: list[int] = []
    items: list[int] = []
    for record, line in zip(records, lines, strict=True):
        inside = record if type(record) is list else [record]
        flat += inside
        numbers += [line] * len(inside)
        items += range(1, len(inside) + 1) if len(inside) > 1 else [0] * len(inside)
    return flat, Places(np.array(numbers, np.int64), np.array(items, np.int64))
