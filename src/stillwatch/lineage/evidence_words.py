"""What an evidence file says in words that it proves and does not prove."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.lineage.evidence_figures import Figures

PROPOSITIONS = (
    "The suspect was trained on answers that we served, directly or through somebody else.",
    "The suspect was trained without them.",
)
"""The two propositions that the evidence weighs against each other (ENFSI 2015, evaluative reporting)."""

_FOR = {
    "0": "Whether the endpoint's answers can be told from those of our own model on the same prompts.",
    "1a": "How probable the match with our secret key is for a model made without knowledge of that key.",
    "1b": (
        "How probable the preference for served answers over equally likely, never served ones is for a "
        "model that was not trained on what we served, whatever else it was trained on: which answer was "
        "served was decided by randomness that was committed before."
    ),
    "2": (
        "How often a comparable model that did not learn from us comes as close to us as the suspect does."
    ),
    "3": "Where the suspect stands among public models; this is triage, and enters no verdict.",
}

_ALWAYS_NOT = (
    "Who obtained the answers, from which accounts, by which contract, or with what intent.",
    "That training on our answers was unlawful or against our terms.",
    (
        "How probable it is that the suspect was trained on them: that also depends on how probable it was "
        "before, which the reader has to supply."
    ),
    (
        "That the training was direct: answers that a customer published, or that another model passed on, "
        "leave the same trace unless they were excluded."
    ),
    "Anything on other models, versions or endpoints, or on this one at another time.",
)

_NOT = {
    "1a": "That nobody forged the mark: whoever learned it from our answers can imitate it.",
    "1b": "How large a part of the training set came from us.",
    "2": "Training on our answers as such: similarity can come from a common third source.",
}


def said_for(figures: Sequence[Figures]) -> tuple[str, ...]:
    """Return what each tier answers."""
    return tuple(_FOR[each.tier] for each in figures)


def said_against(figures: Sequence[Figures]) -> tuple[str, ...]:
    """Return what the file does not prove."""
    return (*_ALWAYS_NOT, *(_NOT[each.tier] for each in figures if each.tier in _NOT))
