"""From log files to exchanges: text becomes fingerprints in the process that reads it, and is dropped."""

from stillwatch.ingest.formats import FORMAT_NAMES
from stillwatch.ingest.options import AUTO, FileReport, IngestOptions, IngestReport
from stillwatch.ingest.run import ingest_files

__all__ = ["AUTO", "FORMAT_NAMES", "FileReport", "IngestOptions", "IngestReport", "ingest_files"]
