"""Reference models: which of them are comparable with a suspect, and how many a verdict needs.

A similarity means nothing alone: it is judged against models that are known not to have learned from the
accused teacher and that share base, size and era with the suspect. A conformal p-value from n references is
never below 1 / (n + 1), so the number of references bounds what can be said, however many prompts are asked.
"""

from __future__ import annotations

import math
from datetime import date  # noqa: TC003 - msgspec reads the types of its classes
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from stillwatch.model.errors import BAD_JSON, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

VERDICT_FLOOR = 19
"""References under which no verdict is given: the least for a p-value of 0.05."""

_DAYS_A_MONTH = 365.2425 / 12


class Role(StrEnum):
    """What is known about where a model learned."""

    TEACHER = "teacher"
    STUDENT = "student"
    HUMAN = "human"
    """Fine-tuned on data written by people."""
    BASE = "base"
    """Not fine-tuned."""
    VENDOR = "vendor"
    """A vendor's chat model whose data are not public."""
    UNKNOWN = "unknown"
    """Sources disagree or there is none: never used as a reference."""


class ModelCard(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known about one model, and from where.

    Attributes:
        name: The model as it is named in `Answers`.
        role: What is known about its training.
        vendor: Who made it; teachers of one vendor are versions of each other.
        family: Models that share weights or training with each other count as one family; empty: its own.
        base: Base model with generation, such as `llama-1` or `mistral`; empty if unknown.
        size_b: Parameters in billions.
        released: Date of release (the first of the month where only that is known).
        teachers: What it learned from: `vendor/model`, or `vendor` where the model is not known.
        citation: Where the label stands.
        licence: Licence of the answers.
    """

    name: str
    role: Role
    vendor: str = ""
    family: str = ""
    base: str = ""
    size_b: float | None = None
    released: date | None = None
    teachers: tuple[str, ...] = ()
    citation: str = ""
    licence: str = ""

    @property
    def kin(self) -> str:
        """The family, or the model itself where it stands alone."""
        return self.family or self.name


class Matching(msgspec.Struct, frozen=True):
    """How alike a reference must be to the suspect.

    Attributes:
        base: Whether the base model must be the same.
        size_ratio: The larger size is at most this many times the smaller.
        months: Releases lie at most this many months apart.
    """

    base: bool = True
    size_ratio: float = 2.5
    months: float = 12.0


class ReferenceSet(msgspec.Struct, frozen=True):
    """Models with known labels, to compare a suspect with."""

    cards: tuple[ModelCard, ...]

    def names(self) -> tuple[str, ...]:
        """Names of the models, in order."""
        return tuple(card.name for card in self.cards)

    def card(self, name: str) -> ModelCard:
        """The card of the model `name`.

        Raises:
            KeyError: There is no such model here.
        """
        for card in self.cards:
            if card.name == name:
                return card
        raise KeyError(name)

    def without(self, names: Sequence[str]) -> ReferenceSet:
        """All models but `names`: leave-one-out takes the judged model out of its own references."""
        return ReferenceSet(tuple(card for card in self.cards if card.name not in names))

    def matched(self, suspect: ModelCard, how: Matching = Matching()) -> ReferenceSet:  # noqa: B008 - frozen
        """Models comparable with `suspect`, without itself and its family.

        A criterion is applied only where the suspect's value is known: when the base is not, ask for each
        plausible base and take the least favourable set (`contrast.least_favourable`). A *reference* whose
        value is unknown is left out.
        """
        kept = (
            card
            for card in self.cards
            if card.name != suspect.name and card.kin != suspect.kin and _comparable(card, suspect, how)
        )
        return ReferenceSet(tuple(kept))

    def innocent_of(self, vendor: str) -> ReferenceSet:
        """Models known not to have learned from any model of `vendor`: the null of an accusation.

        Models with role `unknown` or `vendor` are left out: nobody can say what they learned from. So is
        what `vendor` made itself.
        """
        clear = {Role.HUMAN, Role.BASE, Role.STUDENT}
        return ReferenceSet(
            tuple(
                card
                for card in self.cards
                if card.role in clear and card.vendor != vendor and not _learned_from(card, vendor)
            )
        )

    def students_of(self, vendor: str) -> ReferenceSet:
        """Models known to have learned from a model of `vendor`: the other side of a likelihood ratio."""
        return ReferenceSet(tuple(card for card in self.cards if _learned_from(card, vendor)))

    def families(self) -> tuple[str, ...]:
        """The families in it, sorted: siblings inflate a count of models, so families are what counts."""
        return tuple(sorted({card.kin for card in self.cards}))


def references_needed(level: float, rejections: int = 1) -> int:
    """Fewest references with which a conformal p-value can reach `level`.

    Args:
        level: Error rate inside (0, 1).
        rejections: Number of hypotheses that Holm's procedure divides the level by.

    Raises:
        ValueError: The level is outside (0, 1), or there is no hypothesis.

    Example:
        >>> references_needed(0.05), references_needed(0.01), references_needed(0.05, rejections=3)
        (19, 99, 59)
    """
    if not 0.0 < level < 1.0 or rejections < 1:
        raise ValueError("the level must lie inside (0, 1) and there must be a hypothesis")
    return max(1, math.ceil(rejections / level - 1e-9) - 1)


def refusal(references: ReferenceSet, level: float, rejections: int = 1) -> str | None:
    """Why these references cannot support a verdict at `level`; None if they can.

    Families are counted, not models. The sentence says how many are needed.
    """
    have = len(references.families())
    needed = max(VERDICT_FLOOR, references_needed(level, rejections))
    if have >= needed:
        return None
    least = 1.0 / (have + 1)
    return (
        f"No verdict: {have} matched reference families allow no p-value below {least:.3g}; "
        f"{needed} are needed for an error rate of {level:g}"
        + (f" over {rejections} hypotheses" if rejections > 1 else "")
        + f". Add {needed - have}: fine-tune or find models of the suspect's base, size and era that are "
        "known not to have learned from the accused."
    )


def read_cards(path: Path) -> ReferenceSet:
    """Read `models.json`: a list of `ModelCard` objects.

    Raises:
        InputError: The file cannot be read, a field is wrong, or a name occurs twice.
    """
    try:
        cards = msgspec.json.decode(path.read_bytes(), type=tuple[ModelCard, ...])
    except OSError:
        raise InputError(str(path), "it cannot be read", "check the path and its permissions") from None
    except BAD_JSON as error:
        place = str(error).partition(" - at ")[2] or "the beginning"
        raise InputError(
            str(path), f"the list of models is wrong at {place}", "see docs/lineage.md for its fields"
        ) from None
    if len({card.name for card in cards}) != len(cards):
        raise InputError(str(path), "a model stands in it twice", "keep one card for each name")
    return ReferenceSet(cards)


def _comparable(card: ModelCard, suspect: ModelCard, how: Matching) -> bool:
    return (
        (not how.base or not suspect.base or card.base == suspect.base)
        and _within_ratio(card.size_b, suspect.size_b, how.size_ratio)
        and _within_months(card.released, suspect.released, how.months)
    )


def _within_ratio(reference: float | None, suspect: float | None, most: float) -> bool:
    if suspect is None:
        return True
    return reference is not None and max(reference, suspect) <= most * min(reference, suspect)


def _within_months(reference: date | None, suspect: date | None, most: float) -> bool:
    if suspect is None:
        return True
    return reference is not None and abs((reference - suspect).days) <= most * _DAYS_A_MONTH


def _learned_from(card: ModelCard, vendor: str) -> bool:
    return any(teacher.partition("/")[0] == vendor for teacher in card.teachers)
