"""What to do next, by rule and in plain words: graded, reversible, and by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stillwatch.cases import words
from stillwatch.model.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.cases.sources import Support
    from stillwatch.model.findings import Detection, Group

MOSTLY_OTHER = 0.5
"""An account whose strand is a smaller share than this is used mostly for something else."""


def campaign_steps(group: Group) -> tuple[str, ...]:
    """Return the next steps for one campaign, by the ladder of action on e-values."""
    seen = words.views(group)
    steps = [_ladder(group, seen)]
    mixed = sum(member.share < MOSTLY_OTHER for member in group.members)
    if mixed:
        steps.append(
            f"{words.counted(mixed, 'account')} of {words.whole(len(group.members))} sent mostly other "
            "traffic (share under 50 %): act on the strand, not on the account, or ask first."
        )
    steps.append(
        f"Preserve the logs of {group.first_seen:%Y-%m-%d} to {group.last_seen:%Y-%m-%d}; "
        "the text stays there, and the references below lead back to it."
    )
    return tuple(steps)


def _ladder(group: Group, seen: Sequence[View]) -> str:
    beyond_text = [view for view in seen if view is not View.TEXT]
    if group.e_value >= words.PROPOSAL and len(seen) > 1 and beyond_text:
        return (
            "Decide as a person whether to enforce: the evidence is very strong and comes from "
            f"{len(seen)} independent views. Read the honest explanations first. Give notice with the class "
            "of reason, an expiry and a way to appeal."
        )
    if group.e_value >= words.CAREFUL:
        return (
            "Mild, reversible steps are in proportion: a quota, a request to declare the use, marks on "
            "outputs. Enforcement needs more evidence or a second view."
        )
    return "Put it into the review queue and watch: the evidence does not carry a step against customers yet."


def report_steps(detection: Detection, support: Sequence[Support]) -> tuple[str, ...]:
    """Return the next steps that concern the run as a whole."""
    steps = []
    if not detection.audit.sound:
        steps.append(
            "Do not act on this report: the audit of the null failed, so its error rates do not hold."
        )
    if not detection.campaigns:
        steps.append(
            "Nothing needs a decision. Run again as new logs arrive; what is known is not read twice."
        )
    blind = [row for row in support if row.share < MOSTLY_OTHER]
    if blind:
        names = words.listing([words.words(row.measure) for row in blind[:4]])
        more = f" and {len(blind) - 4} more" if len(blind) > 4 else ""
        steps.append(
            f"Give the next run what this one lacked: {names}{more} could not be measured on most exchanges."
        )
    return tuple(steps)


def why_honest(group: Group) -> str:
    """Return the sentence of the term that speaks most for the verdict of `group`, or its meaning."""
    best = max(group.hypothesis.terms, key=lambda term: term.points, default=None)
    return best.sentence if best and best.points > 0 else words.VERDICT_MEANING[group.verdict]
