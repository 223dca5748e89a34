"""From the operator's material to a plan, and from plan and material to what is asked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from stillwatch.lineage.chain import digest
from stillwatch.lineage.references import ModelCard, Role
from stillwatch.lineage.session_contrast import (
    ContrastChannel,
    IdentityChannel,
    answers_digest,
    plan_contrast,
    plan_identity,
    scorer_named,
)
from stillwatch.lineage.session_marks import MarkChannel, plan_marks
from stillwatch.lineage.session_plan import ContrastPlan, IdentityPlan, MarkPlan, Method, Plan, TwinPlan
from stillwatch.lineage.session_twins import TwinChannel, eligible, plan_twins
from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from stillwatch.lineage.answers import Answers
    from stillwatch.lineage.references import ReferenceSet
    from stillwatch.lineage.session import Channel
    from stillwatch.lineage.session_material import Material
    from stillwatch.lineage.suspect import Query


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the operator decides; everything else follows from the material.

    Attributes:
        suspect: What the suspect is called.
        method: How it shows what it prefers (tier 1b).
        items: Most items of tier 1b.
        samples: Answers to each item with the method `sample`.
        prompts: Most prompts of the other tiers.
        vendor: Who we are in `models.json`; without it tiers 0, 2 and 3 are left out.
        base: Base model of the suspect, if known.
        size_b: Its parameters in billions, if known.
        released: Its release, if known.
        scorer: How likeness is measured, see `scorers.SCORERS`.
        alpha: Error of "strongly supports".
        alpha_support: Error of "supports".
        requests: Most requests.
        tokens: Most tokens.
        temperature: Of samples.
        max_tokens: Of each answer.
        template: See `Plan`.
        seed: See `Plan`.
    """

    suspect: str
    method: Method = "sample"
    items: int = 400
    samples: int = 1
    prompts: int = 200
    vendor: str = ""
    base: str = ""
    size_b: float | None = None
    released: date | None = None
    scorer: str = "lineage"
    alpha: float = 1e-4
    alpha_support: float = 1e-2
    requests: int = 20_000
    tokens: int = 20_000_000
    temperature: float = 1.0
    max_tokens: int = 256
    template: str = "{prompt}\n"
    seed: int = 1


def build_plan(material: Material, choice: Choice, now: datetime) -> Plan:
    """Return the plan for `choice` on `material`.

    Raises:
        InputError: Nothing can be tested.
    """
    twins, why_not_twins = _twins(material, choice)
    contrast, why_not_contrast = _contrast(material, choice)
    identity = plan_identity(material.answers, contrast) if contrast and material.answers else None
    mark, why_not_mark = _mark(material, choice)
    left_out = [why_not_mark, why_not_twins, why_not_contrast]
    if contrast is not None and identity is None:
        left_out.append("tier 0: our own model was not run twice on the same prompts")
    weights = _weights(mark, twins, contrast)
    if mark is None and twins is None and contrast is None:
        raise InputError(str(material.folder), "cannot be tested with", "; ".join(filter(None, left_out)))
    plan = Plan(
        registered_at=now,
        suspect=choice.suspect,
        alpha=choice.alpha,
        alpha_support=choice.alpha_support,
        requests=choice.requests,
        tokens=choice.tokens,
        temperature=choice.temperature,
        max_tokens=choice.max_tokens,
        template=choice.template,
        seed=choice.seed,
        weights=weights,
        rule="p" if set(weights) == {"2"} else "e",
        prompts_digest="",
        identity=identity,
        mark=mark,
        twins=twins,
        contrast=contrast,
        left_out=tuple(filter(None, left_out)),
    )
    return msgspec.structs.replace(plan, prompts_digest=queries_digest(_channels(plan, material)))


def build_channels(plan: Plan, material: Material) -> Sequence[Channel]:
    """Return the channels of the plan, identity first.

    Raises:
        InputError: The material is not what was registered.
    """
    channels = _channels(plan, material)
    if queries_digest(channels) != plan.prompts_digest:
        raise InputError(
            str(material.folder),
            "is not the material that was registered",
            "restore it or register a new plan",
        )
    return channels


def queries_of(channels: Sequence[Channel]) -> list[Query]:
    """Return each query once, in the order of asking."""
    found = {query.id: query for channel in channels for group in channel.groups for query in group}
    return list(found.values())


def queries_digest(channels: Sequence[Channel]) -> str:
    """Return a digest over everything that is sent."""
    return digest(
        [
            [query.id, query.kind, hashlib.sha256(f"{query.prompt}\0{query.answer}".encode()).hexdigest()]
            for query in queries_of(channels)
        ]
    )


def _channels(plan: Plan, material: Material) -> list[Channel]:
    channels: list[Channel] = []
    if plan.identity is not None:
        channels.append(IdentityChannel(plan, *_compared(plan.identity, material)))
    if plan.mark is not None and material.marks is not None:
        asked = sorted(material.prompts)[: plan.mark.prompts]
        channels.append(MarkChannel(plan, material.marks, {name: material.prompts[name] for name in asked}))
    if plan.twins is not None:
        places, _ = eligible(material.epochs, plan.twins.method, material.prompts)
        channels.append(TwinChannel(plan, material.epochs, places[: plan.twins.items], material.prompts))
    if plan.contrast is not None:
        tier = "2" if plan.contrast.matched else "3"
        channels.append(ContrastChannel(plan, *_compared(plan.contrast, material), tier))
    return channels


def _compared(
    part: ContrastPlan | IdentityPlan, material: Material
) -> tuple[Answers, ReferenceSet, dict[str, str]]:
    """Answers, cards and prompts of the tiers of likeness."""
    if material.answers is None or answers_digest(material.answers) != part.answers_digest:
        raise InputError(str(material.folder), "holds other answers than were registered", "restore them")
    asked = _shared(material)[: part.prompts]
    return material.answers, material.cards, {name: material.prompts[name] for name in asked}


def _shared(material: Material) -> list[str]:
    """Prompts that we can ask and that every described model with a role in a test answered, sorted."""
    if material.answers is None:
        return []
    there = set(material.answers.models)
    needed = [
        card.name for card in material.cards.cards if card.name in there and card.role is not Role.UNKNOWN
    ]
    return [name for name in material.answers.shared_prompts(needed) if name in material.prompts]


def _twins(material: Material, choice: Choice) -> tuple[TwinPlan | None, str]:
    if not material.epochs:
        return None, "tier 1b: no twins were kept"
    places, reasons = eligible(material.epochs, choice.method, material.prompts)
    if not places:
        why = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        return None, f"tier 1b: no item can be asked ({why})"
    options = {"method": choice.method, "items": choice.items, "samples": choice.samples}
    return plan_twins(material.epochs, places, reasons, **options), ""  # type: ignore[arg-type]


def _contrast(material: Material, choice: Choice) -> tuple[ContrastPlan | None, str]:
    if material.answers is None or not choice.vendor:
        missing = "answers of reference models" if material.answers is None else "who we are among the models"
        return None, f"tiers 0, 2 and 3: {missing} was not given"
    asked = _shared(material)[: choice.prompts]
    card = ModelCard(
        name=choice.suspect,
        role=Role.UNKNOWN,
        base=choice.base,
        size_b=choice.size_b,
        released=choice.released,
    )
    scorer = scorer_named(choice.scorer)
    plan = plan_contrast(material.answers, material.cards, asked, card, choice.vendor, scorer)
    if len(asked) < 2 or not plan.references:
        return None, f"tiers 0, 2 and 3: {len(asked)} shared prompts and {len(plan.references)} references"
    return plan, ""


def _mark(material: Material, choice: Choice) -> tuple[MarkPlan | None, str]:
    if material.marks is None:
        return None, "tier 1a: no marked epoch was given"
    asked = sorted(material.prompts)[: choice.prompts]
    if not asked or not len(material.marks.contexts):
        return None, "tier 1a: there are no prompts to ask, or no marked answers"
    return plan_marks(material.marks, asked, choice.samples), ""


def _weights(
    mark: MarkPlan | None, twins: TwinPlan | None, contrast: ContrastPlan | None
) -> dict[str, float]:
    """Tiers whose null is our own randomness share nine tenths; the ceiling of tier 2 is low."""
    designed = [tier for tier, part in (("1a", mark), ("1b", twins)) if part is not None]
    matched = contrast is not None and contrast.matched
    if not designed:
        return {"2": 1.0} if matched else {"3": 1.0}
    share = (0.9 if matched else 1.0) / len(designed)
    return dict.fromkeys(designed, share) | ({"2": 0.1} if matched else {})
