"""How accounts use the keys of a group: what is usual among members, and who a reviewer would name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stillwatch.detect.book import rounded_volume
from stillwatch.detect.carriers import CLASS_BITS
from stillwatch.stats.rarefaction import expected_kinds, kind_hazards

if TYPE_CHECKING:
    from stillwatch.detect.strands import Strands

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_LEAST_STRAND = 3
_LEAST_VARIETY = 0.25
_FEW_KEYS = 2
_QUIET = 0.25
_CORE_SHARE = 0.8
_MOSTLY_ALONE = 0.5
"""Keys beside the core in an exchange, on average, below which the core is the whole of most exchanges."""


@dataclass(frozen=True)
class Usage:
    """How n accounts use a group's keys, seen against the accounts that were chosen as members.

    Attributes:
        various: Who uses at least a quarter of the different keys that is usual at its volume, shape (n,).
        nameable: Whom a reviewer would accept as named, whatever the e-value, shape (n,).
    """

    various: Bools
    nameable: Bools


def usage_of(strands: Strands, hits: Ints, chosen: Bools) -> Usage:
    """Compare what each account uses with what is usual.

    Keys are not used alike: a fixed prompt is in every exchange, words around it are in few. What is usual at
    a volume therefore follows from the rate of each key, and that from how many accounts show the key
    (`stats.rarefaction`). An honest account that sends one key always is held against what is usual at its
    own volume, even where such accounts are most of the chosen: whoever shows too few is left out, and what
    is usual is found again without them, until nobody else is.

    Nobody is named for less than three exchanges, nor for far fewer different keys than is usual: an honest
    product has one template and sends it always, and may be drawn in because a pool holds that one too, or
    because somebody sprays it to frame the customer. Where members send one fixed prompt, whoever shows less
    than half of the keys that are common to them is not named; elsewhere nobody is named for a single key: in
    a pool of many, one may be an honest customer's template.

    Args:
        strands: Carriers of the keys.
        hits: Their exchanges that carry them, shape (n,).
        chosen: Who carries them more often than the background allows, shape (n,).
    """
    if not chosen.any():
        return Usage(chosen, chosen)
    shown = (strands.bits & (np.int64(1) << np.arange(CLASS_BITS))[:, None]) != 0
    alike = chosen
    while True:  # never empties: on average the accounts show what is usual among them
        hazards = _hazards(shown[:, alike], hits[alike])
        various = strands.variety >= _LEAST_VARIETY * _usual(hazards, hits)
        if various[alike].all():
            break
        alike = alike & various
    core = shown[:, _quiet(strands, hits, alike)].mean(axis=1) >= _CORE_SHARE
    fixed = core.any() and -np.expm1(-hazards[~core]).sum() < _MOSTLY_ALONE
    carried = 2 * shown[core].sum(axis=0) >= core.sum() if fixed else strands.variety >= _FEW_KEYS
    return Usage(various, carried & (hits >= _LEAST_STRAND))


def _quiet(strands: Strands, hits: Ints, alike: Bools) -> Bools:
    """Choose the quiet quarter of the accounts that tell what is common to members.

    Where most show several keys those that show a single one tell nothing: honest users of one key of a group
    are quieter than its members, and their key would be all that is common.
    """
    several = alike & (strands.variety >= _FEW_KEYS)
    telling = several if 2 * several.sum() > alike.sum() else alike
    return telling & (hits <= np.quantile(hits[telling], _QUIET))


def _hazards(shown: Bools, hits: Ints) -> Floats:
    """Return the rate at which accounts that show these keys use each, shape (keys,)."""
    volume, units = np.unique(rounded_volume(hits), return_counts=True)
    return kind_hazards(
        shown.sum(axis=1, dtype=np.float64), volume.astype(np.float64), units.astype(np.float64)
    )


def _usual(hazards: Floats, hits: Ints) -> Floats:
    """Return how many different keys are usual at the volume of each account, shape of `hits`."""
    volume, place = np.unique(rounded_volume(hits), return_inverse=True)
    return expected_kinds(hazards, volume.astype(np.float64))[place]
