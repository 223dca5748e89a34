"""What a world must be given to become columns: the fingerprint kernel of ingest, handed in from above.

Worlds and ingest are siblings and never import each other, so the kernel comes as an argument. Every template
and every public text goes through it once, and so has the very keys that its logs would have had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from stillwatch.model.views import KeyKind


class Fingerprinter(Protocol):
    """Fingerprints under one key."""

    def texts(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Turn columns of `TEXT_SCHEMA` into the fingerprints of exchanges, one row each."""

    def column(self, values: pa.Array, kind: KeyKind) -> pa.Array:
        """Hash strings into keys of this kind."""

    def sampling(self, columns: Mapping[str, pa.Array]) -> pa.Array:
        """Hash model and sampling parameters, as ingest does for `sampling_fp`."""

    def client(self, columns: Mapping[str, pa.Array]) -> pa.Array:
        """Hash user agent and client fingerprint, as ingest does for `client_fp`."""
