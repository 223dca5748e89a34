"""Tiers 0, 2 and 3 in a session: one answer to each prompt serves all of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.lineage.answers import Answers, Grid
from stillwatch.lineage.chain import digest, plain
from stillwatch.lineage.evidence_contrast import SUSPECT, ContrastData, IdentityData
from stillwatch.lineage.identity import text_kernel
from stillwatch.lineage.references import ModelCard, ReferenceSet, Role
from stillwatch.lineage.scorers import LINEAGE, SCORERS, WORDS, Scorer, affinities
from stillwatch.lineage.session_plan import ContrastPlan, IdentityPlan
from stillwatch.lineage.suspect import Query, Reply
from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stillwatch.lineage.session_plan import Plan

_TEACH = (Role.TEACHER, Role.VENDOR)
_DECIMALS = 6
_DECOYS = 4
_MOST_OWN = 4


def plan_contrast(
    answers: Answers,
    cards: ReferenceSet,
    asked: Sequence[str],
    suspect: ModelCard,
    vendor: str,
    scorer: Scorer = LINEAGE,
) -> ContrastPlan:
    """Return the registration of the contrast.

    Args:
        answers: Of teachers and references.
        cards: What is known about these models.
        asked: Ids of the prompts to be asked, in order.
        suspect: What is known about the suspect; without a known base the references count as unmatched.
        vendor: Who we are, as the cards call us.
        scorer: How likeness is measured.

    Raises:
        InputError: No accused or no alternative teacher has answers.
    """
    there = set(answers.models)
    known = [card for card in cards.cards if card.name in there]
    accused = tuple(card.name for card in known if card.role is Role.TEACHER and card.vendor == vendor)
    alternatives = tuple(card.name for card in known if card.role in _TEACH and card.vendor != vendor)
    if not accused or not alternatives:
        raise InputError(
            "models.json",
            f"names {len(accused)} teachers of {vendor!r} and {len(alternatives)} others with answers",
            "give ours the role teacher, and others that or the role vendor",
        )
    matched = bool(suspect.base)
    innocent = (cards.matched(suspect) if matched else cards).innocent_of(vendor)
    return ContrastPlan(
        vendor=vendor,
        accused=accused,
        alternatives=alternatives,
        references=tuple(name for name in innocent.names() if name in there),
        prompts=len(asked),
        prompts_digest=digest(list(asked)),
        scorer=_named(scorer),
        cards_digest=digest(plain(cards.cards)),
        answers_digest=answers_digest(answers),
        matched=matched,
    )


def plan_identity(answers: Answers, contrast: ContrastPlan) -> IdentityPlan | None:
    """Return the registration of the identity test, or None where our model was run once only."""
    accused = next((name for name in contrast.accused if runs_of(answers, name) >= 2), None)
    if accused is None:
        return None
    return IdentityPlan(
        accused=accused,
        ours=min(runs_of(answers, accused), _MOST_OWN),
        decoys=contrast.alternatives[:_DECOYS],
        prompts=contrast.prompts,
        prompts_digest=contrast.prompts_digest,
        answers_digest=contrast.answers_digest,
    )


def runs_of(answers: Answers, model: str) -> int:
    """Return how many independent runs of `model` there are."""
    return len(pc.unique(answers.only([model]).table["run"]))


def scorer_named(name: str) -> Scorer:
    """Return the scorer of a plan, such as `words` or `words/1`.

    Raises:
        InputError: This version has no such scorer.
    """
    for scorer in SCORERS:
        if name in {scorer.name, _named(scorer)}:
            return scorer
    known = ", ".join(scorer.name for scorer in SCORERS)
    raise InputError("scorer", "is not known to this version", f"the scorers are {known}")


def _named(scorer: Scorer) -> str:
    return f"{scorer.name}/{scorer.version}"


def answers_digest(answers: Answers) -> str:
    """Return a digest over all answers, so that none is exchanged after the registration."""
    return hashlib.sha256(msgspec.json.encode(answers.table.to_pydict())).hexdigest()


@dataclass
class PromptChannel:
    """What the channels of likeness share: one query for each prompt.

    Attributes:
        plan: The registration.
        answers: Of teachers and references.
        cards: What is known about these models.
        prompts: The registered prompts by id, in order.
    """

    plan: Plan
    answers: Answers
    cards: ReferenceSet
    prompts: Mapping[str, str] = field(repr=False)
    tier: str = "2"

    @cached_property
    def groups(self) -> Sequence[Sequence[Query]]:
        """One query for each prompt; the same ones for every tier."""
        return [
            (
                Query(
                    id=f"ask/{number}",
                    kind="sample",
                    prompt=text,
                    temperature=self.plan.temperature,
                    max_tokens=self.plan.max_tokens,
                    seed=self.plan.seed,
                ),
            )
            for number, text in enumerate(self.prompts.values())
        ]

    def enough(self, replies: Mapping[str, Reply]) -> bool:
        """Say no: these tiers are not sequential."""
        del replies
        return False

    def said(self, replies: Mapping[str, Reply]) -> dict[str, str]:
        """Return the suspect's answer to each prompt that it answered."""
        texts = {
            name: replies.get(group[0].id) for name, group in zip(self.prompts, self.groups, strict=True)
        }
        return {
            name: reply.text for name, reply in texts.items() if reply is not None and reply.text is not None
        }


@dataclass
class ContrastChannel(PromptChannel):
    """Tier 2 or 3."""

    def data(self, replies: Mapping[str, Reply]) -> dict[str, Any]:
        """Return the scores of all models against all teachers."""
        contrast, said = self.plan.contrast, self.said(replies)
        assert contrast is not None  # noqa: S101 - such a channel is made for such a plan only
        teachers = (*contrast.accused, *contrast.alternatives)
        grid = self._grid(said)
        data = ContrastData(
            scorer=contrast.scorer,
            prompts=tuple(said),
            models=grid.models,
            teachers=teachers,
            values=_scored(scorer_named(contrast.scorer), grid, teachers),
            likeness=_scored(WORDS, grid, contrast.accused[:1]),
            cards=self.cards.cards,
            unanswered=len(self.prompts) - len(said),
        )
        body: dict[str, Any] = plain(data)
        return body

    def _grid(self, said: Mapping[str, str]) -> Grid:
        everybody = self.answers.runs_as_models()
        if not said:
            return Grid((), (SUSPECT, *everybody.models), ())
        mine = Answers.of(list(said), [SUSPECT] * len(said), list(said.values()))
        asked = everybody.table.filter(pc.is_in(everybody.table["prompt_id"], pa.array(list(said))))
        counts = asked.group_by("model").aggregate([("prompt_id", "count")])
        whole = counts.filter(pc.equal(counts["prompt_id_count"], len(said)))["model"].to_pylist()
        return mine.and_also(everybody.only(whole)).grid(prompts=list(said))


def _scored(scorer: Scorer, grid: Grid, teachers: Sequence[str]) -> Any:
    """Scores as nested lists, rounded so that the file stays small; null where a model meets itself."""
    if not grid.prompts:
        return ()
    values = np.round(affinities(scorer, grid, teachers).values, _DECIMALS)
    return [[[None if np.isnan(cell) else float(cell) for cell in row] for row in rows] for rows in values]


@dataclass
class IdentityChannel(PromptChannel):
    """Tier 0."""

    tier: str = "0"

    def data(self, replies: Mapping[str, Reply]) -> dict[str, Any]:
        """Return the similarities between our own answers, the suspect's and those of decoys."""
        identity, said = self.plan.identity, self.said(replies)
        assert identity is not None  # noqa: S101 - such a channel is made for such a plan only
        own = [self._texts(identity.accused, run, said) for run in range(identity.ours)]
        kernels = {name: self._kernel(own, self._texts(name, 0, said)) for name in identity.decoys}
        data = IdentityData(
            prompts=tuple(said),
            ours=identity.ours,
            suspect=self._kernel(own, list(said.values())),
            decoys=kernels,
            unanswered=len(self.prompts) - len(said),
        )
        body: dict[str, Any] = plain(data)
        return body

    def _texts(self, model: str, run: int, said: Mapping[str, str]) -> list[str]:
        table = self.answers.only([model]).table
        chosen = table.filter(pc.equal(table["run"], run))
        texts = dict(zip(chosen["prompt_id"].to_pylist(), chosen["text"].to_pylist(), strict=True))
        return [texts[name] for name in said]

    @staticmethod
    def _kernel(own: Sequence[Sequence[str]], other: Sequence[str]) -> Any:
        if not other:
            return ()
        return np.round(text_kernel(list(zip(*own, other, strict=True))), _DECIMALS).tolist()
