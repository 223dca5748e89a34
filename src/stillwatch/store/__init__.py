"""The exchange store: Parquet on disk, written by one `StoreWriter`, read through Ibis by many `StoreReader`s."""

from stillwatch.store.parts import Shape
from stillwatch.store.reader import StoreReader, open_store
from stillwatch.store.source import Part, SourceSummary
from stillwatch.store.writer import SourceWriter, StoreWriter

__all__ = ["Part", "Shape", "SourceSummary", "SourceWriter", "StoreReader", "StoreWriter", "open_store"]
