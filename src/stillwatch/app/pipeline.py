"""The whole path: logs, exchanges, groups, files. The only module where the parts meet."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from stillwatch import __version__
from stillwatch.app.aside import partitions
from stillwatch.app.config import Settings, section
from stillwatch.app.identity import carry_over
from stillwatch.app.outputs import read_known, write_outputs
from stillwatch.app.sides import put_sides, rejected_rows
from stillwatch.app.skeletons import with_words
from stillwatch.cases import render_report
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.pipeline import detect as find_groups
from stillwatch.detect.tables import Tables
from stillwatch.ingest import IngestOptions, IngestReport, ingest_files
from stillwatch.ingest.fingerprint import FingerprintKey
from stillwatch.ingest.fingerprint.key import hkdf_sha256
from stillwatch.model.coverage import CoverageCard, card
from stillwatch.model.errors import InputError
from stillwatch.model.wholefile import write_atomically
from stillwatch.store import StoreReader, StoreWriter, open_store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from stillwatch.model.findings import Detection
    from stillwatch.model.progress import Progress

STORE, KEY_FILE, KEY_CHECK = "store", "fingerprint.key", "fingerprint.check"


@dataclass(frozen=True)
class Outcome:
    """What a scan did."""

    ingested: IngestReport
    detection: Detection


def scan(logs: Sequence[Path], out: Path, settings: Settings, now: datetime, progress: Progress) -> Outcome:
    """Ingest `logs`, find groups among everything in the store, and write all files into `out`.

    Without a store in `settings` the store is `out`/store. A file that the store knows is not read again.

    Raises:
        StillwatchError: Something handed in cannot be used, or no exchange could be read at all.
    """
    settings = msgspec.structs.replace(settings, store=settings.store or out / STORE)
    _detect_config(settings)
    _keep_apart(logs, out, "--out")
    report = ingest(logs, settings, now, progress, own=(out,))
    return Outcome(report, detect(out, settings, now, progress))


def ingest(
    logs: Sequence[Path], settings: Settings, now: datetime, progress: Progress, own: tuple[Path, ...] = ()
) -> IngestReport:
    """Bring `logs` and the side tables that `settings` name into the store.

    Inside directories of logs the store and the directories in `own` are passed over.

    Raises:
        StillwatchError: Something handed in cannot be used.
    """
    store = _store(settings)
    _keep_apart(logs, store, "--store")
    with StoreWriter(store) as writer:
        key = _fingerprint_key(store, settings.key_file)
        tables = put_sides(writer, key, settings, store)
        options = msgspec.structs.replace(_ingest_options(settings, now), leave_out=(store, *own))
        report = ingest_files(logs, writer, key, options, progress)
        return IngestReport((*report.files, *tables))


def detect(out: Path, settings: Settings, now: datetime, progress: Progress) -> Detection:
    """Find groups among the exchanges of the store and write all files into `out`.

    Groups that an earlier run left in `out` keep their ids and the time when they were first detected.

    Raises:
        StillwatchError: The store or `out` cannot be used, or there is no exchange.
    """
    config = _detect_config(settings)
    earlier = read_known(out)
    store = _store(settings)
    with open_store(store, settings.engine) as reader:
        tables = Tables(reader.exchanges(), reader.accounts(), reader.enforcement())
        cards = cards_of(reader)
        rejected = [*reader.rejected(), *rejected_rows(store)]
        if not any(each.rows for each in cards):
            remedy = "check that they are in one of the formats that --format names"
            raise InputError("the logs", "hold no exchange that could be read", remedy)
        found = find_groups(tables, config, now, progress, partitions)
    detection = carry_over(found, earlier)
    if settings.skeletons:
        key = FingerprintKey.load(settings.key_file or store / KEY_FILE)
        formats = {each.source: each.format for each in cards}
        detection = with_words(detection, formats, key, _ingest_options(settings, now))
    report = render_report(detection, cards, now, __version__)
    write_outputs(
        out,
        detection,
        cards=cards,
        rejected=rejected,
        report=report,
        generated_at=now,
        version=__version__,
    )
    return detection


def store_cards(store: Path) -> list[CoverageCard]:
    """Return the coverage cards of all sources in `store`.

    Raises:
        StoreError: There is no store, or it cannot be read.
    """
    with open_store(store) as reader:
        return cards_of(reader)


def cards_of(reader: StoreReader) -> list[CoverageCard]:
    """Return the coverage cards of all sources that `reader` sees."""
    sides = reader.side_coverage()
    return [card(source, sides) for source in reader.coverage()]


def _store(settings: Settings) -> Path:
    if settings.store is None:
        raise InputError("--store", "is not given", "name the directory of the store")
    return settings.store


def _keep_apart(logs: Sequence[Path], directory: Path, option: str) -> None:
    """Refuse to write where logs are read from, since the next run would take what was written for logs.

    Raises:
        InputError: `directory` is one of `logs`.
    """
    if os.path.realpath(directory) in map(os.path.realpath, logs):
        raise InputError(str(directory), "holds the logs", f"give {option} another directory")


def _ingest_options(settings: Settings, now: datetime) -> IngestOptions:
    return IngestOptions(
        now=now,
        format=settings.format,
        account_fields=settings.account_fields,
        max_bad_share=settings.max_bad_share,
        threads=settings.threads,
        skip_bad_files=settings.skip_bad_files,
    )


def _detect_config(settings: Settings) -> DetectConfig:
    """Return the detector's configuration; `fdr` of the command or the file stands above its own."""
    values = dict(settings.detect)
    if settings.fdr is not None:
        values["fdr"] = settings.fdr
    return section(values, DetectConfig, "settings [detect]")


def _fingerprint_key(store: Path, key_file: Path | None) -> FingerprintKey:
    """Return the deployment's key; one is made and kept in the store where none is given.

    Raises:
        InputError: The key is not the one that the store was filled with, so nothing would match.
    """
    path = key_file or store / KEY_FILE
    if key_file is None and not path.exists():
        if (store / KEY_CHECK).exists():
            raise InputError(str(path), "is missing", "restore it, or name the key with --key-file")
        FingerprintKey.generate(secrets.token_bytes(32)).save(path)
    key = FingerprintKey.load(path)
    check = hkdf_sha256(key.secret, b"stillwatch key check 1", 8).hex().encode()
    known = store / KEY_CHECK
    if not known.exists():
        write_atomically(known, check)
    elif known.read_bytes() != check:
        raise InputError(
            str(path), "is not the key that this store was filled with", "use that key or a new store"
        )
    return key
