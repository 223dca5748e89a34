"""One ingest run: files in, exchanges in the store, and a report.

Four things go on at once: the digest of the file, reading and unpacking the next block, decoding this one,
and fingerprinting and storing the one before. Only decoding holds the interpreter for long.
"""

from __future__ import annotations

from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa

from stillwatch.ingest.assembly import assemble, name_accounts
from stillwatch.ingest.checks import check
from stillwatch.ingest.options import FileReport, IngestOptions, IngestReport
from stillwatch.ingest.reading import OpenedFile, Piece, open_file, require_known
from stillwatch.ingest.sources import digest_of, find_files
from stillwatch.model.errors import InputError, Rejected

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path
    from types import TracebackType

    from stillwatch.ingest.fingerprint import FingerprintKey
    from stillwatch.model.progress import Progress
    from stillwatch.store import SourceSummary, SourceWriter, StoreWriter

_WAITING = 2
"""Decoded blocks that may wait to be stored; bounds the memory."""
_HELD_BYTES = 64 << 20
"""Finished exchanges that may wait for the digest of their file."""


def ingest_files(
    paths: Sequence[Path],
    writer: StoreWriter,
    key: FingerprintKey,
    options: IngestOptions,
    progress: Progress,
) -> IngestReport:
    """Read log files into the store; text becomes fingerprints and is dropped.

    A file whose content is in the store already is passed over. A file is stored as a whole or not at all,
    so that a run that was stopped can simply be started again.

    Args:
        paths: Files, or directories that are searched for files.
        writer: The store.
        key: Key of all fingerprints.
        options: Settings.
        progress: Is told the bytes that are done.

    Raises:
        InputError: A file cannot be read, is of another format, or has more than `options.max_bad_share` bad
            lines. Files before it are stored; of it nothing is.
    """
    require_known(options.format)
    files = find_files(paths, options.leave_out)
    progress.start("ingest", sum(file.stat().st_size for file in files))
    try:
        reports = [_report(file, writer, key, options, progress) for file in files]
    finally:
        progress.finish()
    if all(report.outcome == "empty" for report in reports):
        where = ", ".join(map(str, paths))
        raise InputError(where, "it is empty", "check that logging is switched on and the file complete")
    return IngestReport(tuple(reports))


def _report(
    path: Path, writer: StoreWriter, key: FingerprintKey, options: IngestOptions, progress: Progress
) -> FileReport:
    try:
        return _ingest(path, writer, key, options, progress)
    except InputError as error:
        if not options.skip_bad_files:
            raise
        return FileReport(str(path), "", "failed", sentence=str(error))


def _ingest(
    path: Path, writer: StoreWriter, key: FingerprintKey, options: IngestOptions, progress: Progress
) -> FileReport:
    with open_file(path, options) as opened, ThreadPoolExecutor(1, "stillwatch-digest") as hasher:
        if opened is None:
            return FileReport(str(path), "", "empty", sentence=f"{path}: is empty, nothing was read.")
        with Intake(path, opened, hasher.submit(digest_of, path), writer, key=key, options=options) as intake:
            if not _run(opened.pieces, intake, progress):
                return FileReport(
                    str(path), "", "known", sentence=f"{path}: ingested before, nothing was changed."
                )
            summary = intake.commit()
    return FileReport(
        file=str(path),
        format=opened.format,
        outcome="read",
        lines=intake.lines,
        exchanges=summary.rows,
        rejected=summary.rejected,
        skipped=intake.skipped,
        sentence=_sentence(path, summary.rejected, intake),
    )


def _sentence(path: Path, rejected: int, intake: Intake) -> str:
    told = []
    if rejected:
        told.append(f"{rejected} of {intake.lines} lines were rejected (see rejected.jsonl)")
    if intake.skipped:
        told.append(f"{intake.skipped} records are no exchanges and were passed over")
    return f"{path}: {' and '.join(told)}." if told else ""


def _run(pieces: Generator[Piece], intake: Intake, progress: Progress) -> bool:
    """Store pieces on another thread while the next ones are decoded; stop if the content is known."""
    done, waiting = 0, deque[Future[None]]()
    with closing(pieces), ThreadPoolExecutor(1, "stillwatch-store") as pool:
        try:
            for piece in pieces:
                if len(waiting) >= _WAITING:
                    waiting.popleft().result()
                waiting.append(pool.submit(intake.take, piece))
                progress.advance(piece.position - done)
                done = piece.position
                if intake.is_known():
                    return False
            while waiting:
                waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return not intake.is_known(wait=True)


class Intake:
    """Checks, fingerprints and stores the pieces of one file, and counts.

    The digest of the file, by which the store knows it, is computed at the same time; what is finished
    before the digest is held back, up to `_HELD_BYTES`.

    Attributes:
        lines: Lines seen that are not blank.
        skipped: Records that are no exchanges.
    """

    def __init__(
        self,
        path: Path,
        opened: OpenedFile,
        digest: Future[str],
        writer: StoreWriter,
        *,
        key: FingerprintKey,
        options: IngestOptions,
    ) -> None:
        """Begin with a file of which nothing has been read."""
        self._name, self._digest, self._writer = str(path), digest, writer
        self._account_sources, self._format = opened.account_sources, opened.format
        self._key, self._options = key, options
        self._source: SourceWriter | None = None
        self._held: list[pa.RecordBatch | Rejected] = []
        self._held_bytes = 0
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._kept = self._seen = self._rejected = 0
        self.lines = self.skipped = 0

    def __enter__(self) -> Self:
        """Return the intake."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop everything, unless it was committed."""
        if self._source is not None:
            self._source.discard()

    def is_known(self, *, wait: bool = False) -> bool:
        """Say whether the content is in the store already, as far as that is known (or once it is)."""
        if self._source is not None or not (wait or self._digest.done()):
            return False
        return self._writer.has_source(self._digest.result())

    def commit(self) -> SourceSummary:
        """Make the file's exchanges visible.

        Raises:
            InputError: No line could be kept, and at least one was rejected.
        """
        if self._rejected and not self._kept:
            raise self._too_bad(f"none of its {self.lines} lines can be read as {self._format}")
        return self._drain().commit()

    def _put(self, item: pa.RecordBatch | Rejected) -> None:
        self._held.append(item)
        self._held_bytes += item.nbytes if isinstance(item, pa.RecordBatch) else 256
        if self._digest.done() or self._held_bytes > _HELD_BYTES:
            if not self.is_known(wait=True):
                self._drain()
            self._held_bytes = 0

    def _drain(self) -> SourceWriter:
        if self._source is None:
            self._source = self._writer.source(self._digest.result(), self._name, self._format)
        for item in self._held:
            if isinstance(item, Rejected):
                self._source.reject(item)
            else:
                self._source.write(item)
        self._held.clear()
        return self._source

    def take(self, piece: Piece) -> None:
        """Store what is good of `piece` and note what is bad.

        Raises:
            InputError: Too many lines are bad.
        """
        self.lines += piece.lines
        self._seen += (
            piece.lines if piece.draft is None else max(piece.lines, piece.draft.rows + len(piece.rejected))
        )
        for number, why in piece.rejected:
            self._reject(number, why.reason, why.remedy)
        if piece.draft is not None and piece.draft.rows:
            draft = piece.draft
            name_accounts(draft, self._key)
            checked = check(draft, self._account_sources, self._options.now)
            for index in sorted(checked.refused):
                self._reject(
                    int(draft.places.lines[index]),
                    checked.refused[index].reason,
                    checked.refused[index].remedy,
                )
            self.skipped += len(draft.skipped)
            if checked.keep.any():
                keep = pa.array(checked.keep)
                options = self._options
                self._put(
                    assemble(
                        draft, keep, self._name, self._digest.result, key=self._key, threads=options.threads
                    )
                )
                self._kept += int(np.count_nonzero(checked.keep))
        self._require_share()

    def _reject(self, number: int, reason: str, remedy: str) -> None:
        self._put(Rejected(self._name, number, reason, remedy))
        self._reasons[reason, remedy] += 1
        self._rejected += 1

    def _require_share(self) -> None:
        options = self._options
        if self._seen >= options.least_lines and self._rejected > options.max_bad_share * self._seen:
            raise self._too_bad(f"{self._rejected} of the first {self._seen} lines are bad")

    def _too_bad(self, what: str) -> InputError:
        (reason, remedy), count = self._reasons.most_common(1)[0]
        return InputError(
            self._name,
            f"{what}, most often ({count}) because of: {reason}",
            f"{remedy or 'correct the file'}; nothing of it was kept",
        )
