"""OTLP in JSON: traces and logs with OpenTelemetry's GenAI names (new and old), OpenInference, or Langfuse.

The structure is that of opentelemetry-proto (`ExportTraceServiceRequest`, `ExportLogsServiceRequest`) in its
JSON mapping; which attribute is read for what stands in `attributes.py` and `docs/formats.md`.
"""

# ruff: noqa: E501, N815 - examples of log lines are whole lines; fields bear the protocol's names

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from stillwatch.ingest.draft import NOTHING, Fields, Places, Reading, fields_of, read_each
from stillwatch.ingest.formats.attributes import Call, read_call
from stillwatch.ingest.formats.contract import line_decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class ArrayValue(msgspec.Struct, gc=False):
    """A list of values."""

    values: list[AnyValue] | None = None


class KeyValueList(msgspec.Struct, gc=False):
    """An object of values."""

    values: list[Attribute] | None = None


class AnyValue(msgspec.Struct, gc=False):
    """A value of any kind; exactly one field is set."""

    stringValue: str | None = None
    intValue: int | None = None
    doubleValue: float | None = None
    boolValue: bool | None = None
    arrayValue: ArrayValue | None = None
    kvlistValue: KeyValueList | None = None

    def plain(self) -> Any:
        """Return the value as Python has it."""
        if self.stringValue is not None:
            return self.stringValue
        if self.arrayValue is not None:
            return [value.plain() for value in self.arrayValue.values or ()]
        if self.kvlistValue is not None:
            return plain(self.kvlistValue.values)
        return next((v for v in (self.intValue, self.doubleValue, self.boolValue) if v is not None), None)


class Attribute(msgspec.Struct, gc=False):
    """A name and its value."""

    key: str
    value: AnyValue | None = None


def plain(attributes: list[Attribute] | None) -> dict[str, Any]:
    """Return attributes as a dictionary."""
    return {each.key: each.value.plain() for each in attributes or () if each.value is not None}


class Event(msgspec.Struct, gc=False):
    """Something that happened in a span."""

    name: str = ""
    attributes: list[Attribute] | None = None


class Status(msgspec.Struct, gc=False):
    """Whether a span failed (2) or not."""

    code: int | str | None = None


class Span(msgspec.Struct, gc=False):
    """One span."""

    traceId: str = ""
    spanId: str = ""
    startTimeUnixNano: int | None = None
    endTimeUnixNano: int | None = None
    attributes: list[Attribute] | None = None
    events: list[Event] | None = None
    status: Status | None = None


class LogRecord(msgspec.Struct, gc=False):
    """One log record."""

    traceId: str = ""
    spanId: str = ""
    timeUnixNano: int | None = None
    observedTimeUnixNano: int | None = None
    eventName: str | None = None
    attributes: list[Attribute] | None = None
    body: AnyValue | None = None


class Resource(msgspec.Struct, gc=False):
    """What sent the telemetry."""

    attributes: list[Attribute] | None = None


class ScopeSpans(msgspec.Struct, gc=False):
    """Spans of one instrumentation."""

    spans: list[Span] | None = None


class ResourceSpans(msgspec.Struct, gc=False):
    """Spans of one sender."""

    resource: Resource | None = None
    scopeSpans: list[ScopeSpans] | None = None


class ScopeLogs(msgspec.Struct, gc=False):
    """Log records of one instrumentation."""

    logRecords: list[LogRecord] | None = None


class ResourceLogs(msgspec.Struct, gc=False):
    """Log records of one sender."""

    resource: Resource | None = None
    scopeLogs: list[ScopeLogs] | None = None


class Export(msgspec.Struct, gc=False):
    """One export request: what the file exporter of the collector writes as one line."""

    resourceSpans: list[ResourceSpans] | None = None
    resourceLogs: list[ResourceLogs] | None = None


_OPERATION_DETAILS = "gen_ai.client.inference.operation.details"
_STRANGER = "neither resourceSpans nor resourceLogs is there"

Signal = tuple[Span | LogRecord | None, dict[str, Any]]
"""A span or log record with the attributes of its resource; None for a line that has neither."""


class Otlp:
    """Reads OTLP JSON, one export request a line."""

    name = "otlp"
    title = "OTLP JSON (traces or logs)"
    account_sources = "user.id, enduser.id, enduser.pseudo.id or langfuse.user.id"
    decoder = line_decoder(Export)
    examples = (
        b'{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"gw"}}]},"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"chat gpt-x","startTimeUnixNano":"1767225600000000000","endTimeUnixNano":"1767225601500000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.request.model","value":{"stringValue":"gpt-x"}},{"key":"user.id","value":{"stringValue":"acct-1"}},{"key":"gen_ai.usage.input_tokens","value":{"intValue":"9"}},{"key":"gen_ai.response.finish_reasons","value":{"arrayValue":{"values":[{"stringValue":"stop"}]}}},{"key":"gen_ai.input.messages","value":{"stringValue":"[{\\"role\\":\\"user\\",\\"parts\\":[{\\"type\\":\\"text\\",\\"content\\":\\"Name a river.\\"}]}]"}}]}]}]}]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"aa","spanId":"bb","startTimeUnixNano":1767225600000000000,"attributes":[{"key":"openinference.span.kind","value":{"stringValue":"LLM"}},{"key":"user.id","value":{"stringValue":"a"}},{"key":"llm.model_name","value":{"stringValue":"gpt-x"}},{"key":"llm.token_count.prompt","value":{"intValue":4}},{"key":"llm.input_messages.0.message.role","value":{"stringValue":"user"}},{"key":"llm.input_messages.0.message.content","value":{"stringValue":"Name a lake."}}]}]}]}]}',
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1767225600000000000","traceId":"cc","spanId":"dd","eventName":"gen_ai.client.inference.operation.details","attributes":[{"key":"enduser.id","value":{"stringValue":"a"}},{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}}]}]}]}]}',
    )

    def resembles(self, record: Mapping[str, Any]) -> float:
        """See `LineFormat`."""
        return 1.0 if "resourceSpans" in record or "resourceLogs" in record else 0.0

    def read(self, records: Sequence[Export], places: Places, account_fields: tuple[str, ...]) -> Fields:
        """See `LineFormat`."""
        signals: list[Signal] = []
        rows: list[tuple[int, int]] = []
        for index, record in enumerate(records):
            found = _signals(record)
            signals += found
            first = int(places.items[index])
            rows += [(index, number if len(found) > 1 else first) for number in range(1, len(found) + 1)]
        blank: Reading | None = NOTHING
        read: Callable[[Signal], Reading | None] = partial(_read, account_fields=account_fields)
        readings, refused = read_each(signals, read, blank)
        indexes = np.array([index for index, _ in rows], np.int64)
        items = np.array([item for _, item in rows], np.int64)
        return fields_of(readings, Places(places.lines[indexes], items), refused)


def _signals(export: Export) -> list[Signal]:
    if export.resourceSpans is None and export.resourceLogs is None:
        return [(None, {})]
    found: list[Signal] = []
    for spans in export.resourceSpans or ():
        common = plain(spans.resource.attributes) if spans.resource else {}
        found += [(span, common) for scope in spans.scopeSpans or () for span in scope.spans or ()]
    for logs in export.resourceLogs or ():
        common = plain(logs.resource.attributes) if logs.resource else {}
        found += [(record, common) for scope in logs.scopeLogs or () for record in scope.logRecords or ()]
    return found


def _read(signal: Signal, account_fields: tuple[str, ...]) -> Reading | None:
    source, common = signal
    if source is None:
        raise msgspec.ValidationError(_STRANGER)
    own = plain(source.attributes)
    identity = f"{source.traceId}:{source.spanId}" if source.traceId and source.spanId else None
    if isinstance(source, Span):
        call = Call(common | own, source.startTimeUnixNano, identity)
        call.events = [(event.name, plain(event.attributes)) for event in source.events or ()]
        call.failed = source.status is not None and source.status.code in (2, "STATUS_CODE_ERROR")
        if source.endTimeUnixNano and source.startTimeUnixNano:
            call.latency_ms = (source.endTimeUnixNano - source.startTimeUnixNano) / 1e6
        return read_call(call, account_fields)
    if _OPERATION_DETAILS not in (source.eventName, own.get("event.name")):
        return None
    inside = source.body.plain() if source.body else None
    attributes = common | (inside if isinstance(inside, dict) else {}) | own
    return read_call(
        Call(attributes, source.timeUnixNano or source.observedTimeUnixNano, identity), account_fields
    )
