"""From log files to exchanges: text becomes fingerprints in the process that reads it, and is dropped."""

from stillwatch.ingest.excerpts import Excerpts, read_again, shared_words
from stillwatch.ingest.formats import FORMAT_NAMES
from stillwatch.ingest.options import AUTO, FileReport, IngestOptions, IngestReport
from stillwatch.ingest.run import ingest_files
from stillwatch.ingest.side_tables import read_accounts, read_enforcement

__all__ = [
    "AUTO",
    "FORMAT_NAMES",
    "Excerpts",
    "FileReport",
    "IngestOptions",
    "IngestReport",
    "ingest_files",
    "read_accounts",
    "read_again",
    "read_enforcement",
    "shared_words",
]
