"""All tiers that the evidence file knows: how their data are read, turned into figures, and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from stillwatch.lineage.evidence_contrast import (
    ContrastData,
    IdentityData,
    contrast_faults,
    contrast_figures,
    identity_faults,
    identity_figures,
)
from stillwatch.lineage.evidence_marks import MarkData, mark_faults, mark_figures
from stillwatch.lineage.evidence_twins import TwinData, twin_faults, twin_figures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stillwatch.lineage.evidence_figures import Figures
    from stillwatch.lineage.session_plan import Plan


@dataclass(frozen=True)
class Tier:
    """One tier: the form of its data, its figures, and the checks of what they rest on."""

    form: type[Any]
    figures: Callable[[Any, Plan], Figures]
    faults: Callable[[Any, Plan], list[str]]

    def read_figures(self, data: Any, plan: Plan) -> Figures:
        """Return the figures of `data` as they stand in a file.

        Raises:
            msgspec.ValidationError: The data are not of this tier's form.
        """
        return self.figures(msgspec.convert(data, self.form), plan)

    def read_faults(self, data: Any, plan: Plan) -> list[str]:
        """Return what contradicts the registration or a commitment.

        Raises:
            msgspec.ValidationError: The data are not of this tier's form.
        """
        return self.faults(msgspec.convert(data, self.form), plan)


_CONTRAST = Tier(ContrastData, contrast_figures, contrast_faults)
TIERS: Mapping[str, Tier] = {
    "0": Tier(IdentityData, identity_figures, identity_faults),
    "1a": Tier(MarkData, mark_figures, mark_faults),
    "1b": Tier(TwinData, twin_figures, twin_faults),
    "2": _CONTRAST,
    "3": _CONTRAST,
}


def planned(plan: Plan) -> tuple[str, ...]:
    """Return the tiers that the plan registers, in the order of their names."""
    likeness = "2" if plan.contrast is None or plan.contrast.matched else "3"
    parts = {"0": plan.identity, "1a": plan.mark, "1b": plan.twins, likeness: plan.contrast}
    return tuple(tier for tier, part in parts.items() if part is not None)
