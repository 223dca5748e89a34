"""The exchange store: Parquet on disk, written by one `StoreWriter`, read through Ibis by `StoreReader`s."""

from stillwatch.store.parts import Shape
from stillwatch.store.ports import SourceSink, View, Writer
from stillwatch.store.reader import StoreReader, open_store
from stillwatch.store.source import Part, SourceSummary
from stillwatch.store.writer import SourceWriter, StoreWriter

__all__ = [
    "Part",
    "Shape",
    "SourceSink",
    "SourceSummary",
    "SourceWriter",
    "StoreReader",
    "StoreWriter",
    "View",
    "Writer",
    "open_store",
]
