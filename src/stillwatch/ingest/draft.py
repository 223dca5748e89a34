"""Exchanges on their way from a log format to the store: columns, and text that is still to be dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.ingest.conversation import NO_TEXT, Conversation
from stillwatch.ingest.moments import Moment, microseconds, timestamps
from stillwatch.model.columns import EXCHANGE_SCHEMA, TEXT_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
"""A count that fits its column."""
Small = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
"""A count that fits a 32-bit column."""
Amount = Annotated[float, msgspec.Meta(ge=0)]
"""A duration or a price."""

T = TypeVar("T")
R = TypeVar("R")

READ_ERRORS = (
    msgspec.MsgspecError, RecursionError, OverflowError, ValueError, TypeError, AttributeError, LookupError,
)  # fmt: skip
"""What reading a record may raise whose parts are not what their names promise."""


class Refusal(msgspec.Struct, frozen=True):
    """Why one record is rejected, and what can be done; holds no content of the record."""

    reason: str
    remedy: str = ""


def refusal_of(error: BaseException) -> Refusal:
    """Put what went wrong with a record into words that quote nothing of it."""
    if isinstance(error, RecursionError):
        return Refusal("JSON is nested too deeply", "drop the field or flatten it")
    if isinstance(error, UnicodeError):
        return Refusal("text is not valid UTF-8", "write the log as UTF-8")
    if isinstance(error, msgspec.ValidationError):
        return Refusal(str(error), "correct the field where the log is written")
    if isinstance(error, msgspec.DecodeError):
        return Refusal(str(error), "write one whole JSON record a line")
    return Refusal("a value cannot be read", "correct the record where the log is written")


class Places(msgspec.Struct, frozen=True):
    """Where records stand: line numbers, and for lines of several records the number inside (else 0)."""

    lines: npt.NDArray[np.int64]
    items: npt.NDArray[np.int64]

    def take(self, rows: npt.NDArray[Any]) -> Places:
        """Return the places of `rows` (indexes or a mask)."""
        return Places(self.lines[rows], self.items[rows])

    def followed_by(self, other: Places) -> Places:
        """Return these places and after them those of `other`."""
        return Places(np.concatenate([self.lines, other.lines]), np.concatenate([self.items, other.items]))


class Draft(msgspec.Struct):
    """Exchanges before they are checked and fingerprinted.

    Attributes:
        places: Where each row stands in the file.
        columns: Columns of `EXCHANGE_SCHEMA` that the format fills; `ts` may hold nulls for what could not
            be read.
        text: Batch of `TEXT_SCHEMA`.
        credential: Secrets such as API keys, of which only a keyed hash will be kept; used as the account
            where `account_id` is null.
        reasoning: Ids of reasoning blocks, list<string>.
        refused: Rows that the format itself rejects.
        skipped: Rows that are no exchanges and no faults.
    """

    places: Places
    columns: dict[str, pa.Array]
    text: pa.RecordBatch
    credential: pa.Array | None = None
    reasoning: pa.Array | None = None
    refused: dict[int, Refusal] = msgspec.field(default_factory=dict)
    skipped: frozenset[int] = frozenset()

    @property
    def rows(self) -> int:
        """Number of rows, refused and skipped ones included."""
        return len(self.places.lines)


def read_each(records: Iterable[T], read: Callable[[T], R], blank: R) -> tuple[list[R], dict[int, Refusal]]:
    """Apply `read` to each record; where it fails, put `blank` and say why."""
    results: list[R] = []
    refused: dict[int, Refusal] = {}
    for index, record in enumerate(records):
        try:
            results.append(read(record))
        except READ_ERRORS as error:
            refused[index] = refusal_of(error)
            results.append(blank)
    return results, refused


def column(name: str, values: Sequence[Any]) -> pa.Array:
    """Return `values` as the column `name` of the exchange table."""
    return pa.array(values, EXCHANGE_SCHEMA.field(name).type, from_pandas=False)


def moments_column(moments: Sequence[Moment | None]) -> pa.Array:
    """Return times as the column `ts`, null where they cannot be read."""
    return timestamps(microseconds(moments))


def text_batch(conversations: Sequence[Conversation], tools: Sequence[str | None]) -> pa.RecordBatch:
    """Return the text of a batch as `TEXT_SCHEMA`."""
    return _text([[getattr(each, name) for each in conversations] for name in TEXT_PARTS] + [list(tools)])


def _text(values: Sequence[Sequence[str | None]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(each, pa.string()) for each in values], schema=TEXT_SCHEMA)


def reasoning_column(blocks: Sequence[Sequence[str] | None]) -> pa.Array | None:
    """Return the ids of reasoning blocks, or None where there are none at all."""
    return pa.array(blocks, pa.list_(pa.string())) if any(blocks) else None


def media_extra(conversations: Sequence[Conversation]) -> list[str | None]:
    """Return the column `extra` that tells of images and the like."""
    return [f'{{"media":{c.media}}}' if c.media else None for c in conversations]


class Row(msgspec.Struct, gc=False, kw_only=True):
    """One exchange in canonical columns, as formats that are read record by record fill it.

    The types are the checks: a value that does not fit makes the record a rejected one.
    """

    ts: Moment
    exchange_id: str | None = None
    account_id: str | None = None
    org_id: str | None = None
    key_id: str | None = None
    channel: str | None = None
    conversation_id: str | None = None
    end_user_id: str | None = None
    ip: str | None = None
    asn: Count | None = None
    user_agent: str | None = None
    client_fingerprint: str | None = None
    model: str | None = None
    endpoint: str | None = None
    max_tokens: Count | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: Small | None = None
    logprobs: bool | None = None
    stream: bool | None = None
    tool_names: tuple[str, ...] | None = None
    turn: Small | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    cached_tokens: Count | None = None
    latency_ms: Amount | None = None
    cost: Amount | None = None
    currency: str | None = None
    finish_reason: str | None = None
    refusal_category: str | None = None
    status: Small | None = None
    decision_id: str | None = None
    credential: str | None = None
    extra: str | None = None


_ROW_FIELDS = Row.__struct_fields__
ROW_COLUMNS = tuple(name for name in _ROW_FIELDS if name not in ("ts", "credential"))
TEXT_PARTS = ("system", "history", "prompt")
"""Text that a `Conversation` holds; with `tools` it is all that `TEXT_SCHEMA` has."""
BLANK = Row(ts=0)


class Reading(msgspec.Struct, frozen=True):
    """One record of a format that is read record by record: its columns, and its text."""

    row: Row
    conversation: Conversation = NO_TEXT
    tools: str | None = None
    answer_reasoning: tuple[str, ...] = ()


NOTHING = Reading(BLANK)


def row_of(values: dict[str, Any], conversation: Conversation = NO_TEXT) -> Row:
    """Check `values` and add what the conversation tells.

    Raises:
        msgspec.ValidationError: A value does not fit its column.
    """
    known = {name: value for name, value in values.items() if value is not None and value != ""}
    if conversation.turn is not None:
        known.setdefault("turn", conversation.turn)
    if conversation.media:
        known.setdefault("extra", f'{{"media":{conversation.media}}}')
    return msgspec.convert(known, Row, strict=False)


class Fields(msgspec.Struct):
    """Exchanges as lists of Python values, taken out of records while these are warm in the caches.

    Attributes:
        places: Where each row stands in the file.
        columns: Lists of equal length by name: columns of the exchange table, the text of `TEXT_SCHEMA`,
            `credential` and `reasoning`. The same names in every block of a format.
        refused: Rows that the format itself rejects.
        skipped: Rows that are no exchanges and no faults.
    """

    places: Places
    columns: dict[str, list[Any]]
    refused: dict[int, Refusal] = msgspec.field(default_factory=dict)
    skipped: frozenset[int] = frozenset()

    @property
    def rows(self) -> int:
        """Number of rows, refused and skipped ones included."""
        return len(self.places.lines)

    def add(self, other: Fields) -> None:
        """Append the rows of `other`, which comes from the same format."""
        start = self.rows
        for name, values in self.columns.items():
            values.extend(other.columns[name])
        self.places = self.places.followed_by(other.places)
        self.refused |= {start + row: why for row, why in other.refused.items()}
        self.skipped |= {start + row for row in other.skipped}


def fields_of(readings: Sequence[Reading | None], places: Places, refused: dict[int, Refusal]) -> Fields:
    """Put readings into lists; None stands for a record that is no exchange."""
    present = [reading or NOTHING for reading in readings]
    rows = [reading.row for reading in present]
    columns: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in _ROW_FIELDS}
    for name in TEXT_PARTS:
        columns[name] = [getattr(reading.conversation, name) for reading in present]
    columns["tools"] = [reading.tools for reading in present]
    columns["reasoning"] = [
        (*each.conversation.reasoning, *each.answer_reasoning) or None for each in present
    ]
    skipped = frozenset(index for index, reading in enumerate(readings) if reading is None)
    return Fields(places, columns, refused, skipped)


def draft_of(fields: Fields) -> Draft:
    """Turn fields into Arrow columns."""
    values = dict(fields.columns)
    text = _text([values.pop(name) for name in TEXT_SCHEMA.names])
    reasoning, credential = values.pop("reasoning"), values.pop("credential", None)
    columns = {"ts": moments_column(values.pop("ts"))}
    columns |= {name: column(name, each) for name, each in values.items()}
    return Draft(
        places=fields.places,
        columns={name: each for name, each in columns.items() if name == "ts" or each.null_count < len(each)},
        text=text,
        credential=None if credential is None else pa.array(credential, pa.string()),
        reasoning=reasoning_column(reasoning),
        refused=fields.refused,
        skipped=fields.skipped,
    )
