"""Skeletons: what the members' prompts have in common, described without words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.model.findings import Skeleton
from stillwatch.model.views import KIND_MASK, Elicitation, KeyKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.detect.ledger import Keys

Ints = npt.NDArray[np.int64]

COLUMNS = ("account_fp", "ts", "elicitation", "source_ref")
_MOST_SKELETONS = 5
_MOST_REFS = 20
_MOST_KEYS = 8
_MOSTLY = 0.5


def strongest(keys: Keys, chosen: Ints) -> Ints:
    """Return the positions of the keys of a group that are shown, the most used first."""
    return chosen[np.argsort(-keys.uses[chosen], kind="stable")][:_MOST_SKELETONS]


def describe(rows: pa.Table, shown: Sequence[Ints], sampled: int, first: int) -> list[Skeleton]:
    """Describe the skeletons of one group.

    Args:
        rows: Strand exchanges of sampled members: column `group` (the number of the mark) and `COLUMNS`.
        shown: Raw keys of each skeleton.
        sampled: Accounts of the group that were sampled.
        first: Number of the group's first mark; the others follow it.
    """
    described = [
        _skeleton(rows.filter(pc.equal(rows["group"], first + at)), raw, sampled)
        for at, raw in enumerate(shown)
    ]
    return [skeleton for skeleton in described if skeleton.exchanges]


def _skeleton(rows: pa.Table, raw: Ints, sampled: int) -> Skeleton:
    kinds = sorted({int(key) & KIND_MASK for key in raw.tolist()})
    bits = rows["elicitation"].fill_null(0).to_numpy()
    # one reference an account, so that what is read again shows what accounts have in common
    first = rows.group_by("account_fp", use_threads=False).aggregate([("source_ref", "min")])
    return Skeleton(
        keys=tuple(f"{key & 0xFFFF_FFFF_FFFF_FFFF:016x}" for key in raw.tolist()[:_MOST_KEYS]),
        kinds=tuple(KeyKind(kind).name.lower() for kind in kinds),
        accounts=first.num_rows,
        sampled_accounts=sampled,
        exchanges=rows.num_rows,
        asks_for=tuple(
            (bit.name or "").lower()
            for bit in Elicitation
            if bits.size and ((bits & int(bit)) != 0).mean() > _MOSTLY
        ),
        sample_refs=tuple(sorted(first["source_ref_min"].to_pylist())[:_MOST_REFS]),
    )
