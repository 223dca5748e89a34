"""Log formats, one module each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stillwatch.ingest.formats.anthropic import ANTHROPIC
from stillwatch.ingest.formats.canonical import NDJSON
from stillwatch.ingest.formats.contract import LineFormat, TableFormat
from stillwatch.ingest.formats.envoy import ENVOY
from stillwatch.ingest.formats.litellm import LiteLLM
from stillwatch.ingest.formats.openai import OPENAI
from stillwatch.ingest.formats.otlp import Otlp
from stillwatch.ingest.formats.parquet import Parquet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LINE_FORMATS: tuple[LineFormat, ...] = (LiteLLM(), Otlp(), OPENAI, ANTHROPIC, ENVOY, NDJSON)
"""All formats of JSON records, the most specific first."""

PARQUET: TableFormat = Parquet()

FORMAT_NAMES = (*(each.name for each in LINE_FORMATS), PARQUET.name)

SURE = 0.5
"""A format is taken for the right one from this confidence on."""


def line_format(name: str) -> LineFormat:
    """Return the format with this name.

    Raises:
        KeyError: There is none.
    """
    return {each.name: each for each in LINE_FORMATS}[name]


def recognise(records: Sequence[Mapping[str, Any]]) -> LineFormat | None:
    """Return the format that `records` resemble most, or None where they resemble none."""
    if not records:
        return None
    best = max(LINE_FORMATS, key=lambda each: resemblance(each, records))
    return best if resemblance(best, records) >= SURE else None


def resemblance(each: LineFormat, records: Sequence[Mapping[str, Any]]) -> float:
    """Return how much `records` resemble a format on average, from 0 to 1."""
    return sum(each.resembles(record) for record in records) / len(records)


__all__ = [
    "FORMAT_NAMES",
    "LINE_FORMATS",
    "PARQUET",
    "LineFormat",
    "TableFormat",
    "line_format",
    "recognise",
    "resemblance",
]
