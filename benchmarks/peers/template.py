"""Template hash alone: many accounts that begin, or end, their prompts in the same way."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from peers.protocol import Ints, grouped
from stillwatch.model.views import KIND_MASK, KeyKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peers.log import Log

_KINDS = (KeyKind.PREFIX_SHORT, KeyKind.PREFIX_MEDIUM, KeyKind.PREFIX_LONG, KeyKind.SUFFIX)


class TemplateHash:
    """Names the accounts that sent one hash of a prompt's beginning or end often enough, if there are many.

    The nearest public code hashes the first 50 characters of each prompt (AegisGate 4.5.0); here the hashes
    of the first 8, 16 or 32 words and of the last 16 stand for it.
    """

    name = "template-hash"
    source = "prompt-shape hash as in AegisGate 4.5.0 `distillation_detect.go`"
    grid = tuple(
        {"kind": float(kind), "accounts": accounts, "uses": uses}
        for kind, accounts, uses in product(_KINDS, (10, 30, 100), (1, 3, 10, 30))
    )

    def measure(self, log: Log) -> tuple[Ints, Ints, Ints, Ints]:
        """Return kind, template number, account and uses of every pair of a template and an account."""
        row, key = log.uses(_KINDS)
        raw, number = np.unique(key, return_inverse=True)
        pair, uses = np.unique(np.column_stack([number, log.account[row]]), axis=0, return_counts=True)
        return (raw & KIND_MASK)[pair[:, 0]], pair[:, 0], pair[:, 1], uses

    def claims(
        self, log: Log, measured: tuple[Ints, Ints, Ints, Ints], settings: Mapping[str, float]
    ) -> list[Ints]:
        """Name the users of each common template."""
        del log
        kind, template, account, uses = measured
        kept = (kind == settings["kind"]) & (uses >= settings["uses"])
        return grouped(template[kept], account[kept], int(settings["accounts"]))
