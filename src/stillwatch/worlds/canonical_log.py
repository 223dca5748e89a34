"""The canonical exchange record as NDJSON."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stillwatch.worlds.view import Rendered


def lines(view: Rendered, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Iterator[bytes]:
    """Render the exchanges `rows`."""
    yield from ()
