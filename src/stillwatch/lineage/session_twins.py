"""Tier 1b in a session: which items can be asked, how, and when it is enough."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from stillwatch.lineage.chain import digest, merkle_levels, merkle_path, plain
from stillwatch.lineage.evidence_twins import EpochData, ItemData, TwinData, twin_test
from stillwatch.lineage.session_plan import EpochRef, TwinPlan
from stillwatch.lineage.suspect import Query, Reply
from stillwatch.lineage.suspect_wire import chosen_place, ranking_prompt
from stillwatch.lineage.twins import has_choice
from stillwatch.lineage.twins_score import overlap_scores
from stillwatch.lineage.twins_store import leaf_content
from stillwatch.model.errors import InputError
from stillwatch.stats.sequential import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stillwatch.lineage.session_plan import Method, Plan
    from stillwatch.lineage.twins import TwinItem
    from stillwatch.lineage.twins_store import Epoch

TIER = "1b"
_MOST_SHOWN = 26


@dataclass(frozen=True)
class Place:
    """One item of one epoch."""

    epoch: int
    place: int
    item: TwinItem


def eligible(
    epochs: Sequence[Epoch], method: Method, prompts: Mapping[str, str]
) -> tuple[list[Place], dict[str, int]]:
    """Return the items that can be asked, in the keyed order of the test, and why others cannot.

    Args:
        epochs: Sealed epochs.
        method: How the suspect shows what it prefers.
        prompts: Prompts by request id, for items that keep none.
    """
    reasons: Counter[str] = Counter()
    kept: list[tuple[int, Place]] = []
    for number, epoch in enumerate(epochs):
        reasons["erased"] += len(epoch.leaves) - len(epoch.items)
        for place, item in zip(epoch.places, epoch.items, strict=True):
            reason = _why_not(item, method, prompts)
            if reason:
                reasons[reason] += 1
            else:
                kept.append((epoch.seed.choices.place(item.id), Place(number, place, item)))
    kept.sort(key=lambda pair: pair[0])
    return [place for _, place in kept], {reason: count for reason, count in reasons.items() if count}


def _why_not(item: TwinItem, method: Method, prompts: Mapping[str, str]) -> str:
    if item.temperature <= 0.0:
        return "greedy decoding"
    if not has_choice(item):
        return "equal candidates"
    if prompt_of(item, prompts) is None:
        return "no prompt"
    if method != "sample" and any(candidate.text is None for candidate in item.candidates):
        return "no text of the candidates"
    return ""


def prompt_of(item: TwinItem, prompts: Mapping[str, str]) -> str | None:
    """Return the prompt of an item, from the item or by its id or reference."""
    return item.prompt or prompts.get(item.id) or prompts.get(item.source_ref)


def plan_twins(
    epochs: Sequence[Epoch],
    places: Sequence[Place],
    reasons: Mapping[str, int],
    *,
    method: Method,
    items: int,
    samples: int = 1,
    least_effect: float = 0.5,
    least_exposure: float = 1.0,
) -> TwinPlan:
    """Return the registration of the first `items` of `places`.

    Raises:
        InputError: An epoch is not sealed, or epochs differ in the number of twins.
    """
    if any(epoch.seal is None for epoch in epochs):
        raise InputError("twins", "hold an epoch that is not sealed", "seal it with `lineage twins seal`")
    if len({epoch.opening.design.twins for epoch in epochs}) > 1:
        raise InputError("twins", "hold epochs with different numbers of twins", "test them one by one")
    chosen = places[:items]
    return TwinPlan(
        method=method,
        epochs=tuple(
            EpochRef(epoch.opening.epoch, epoch.opening.commitment, epoch.seal.root, epoch.seal.items)
            for epoch in epochs
            if epoch.seal is not None
        ),
        items=len(chosen),
        items_digest=digest([place.item.id for place in chosen]),
        not_eligible=dict(reasons),
        samples=samples if method == "sample" else 1,
        least_effect=least_effect,
        least_exposure=least_exposure,
    )


@dataclass
class TwinChannel:
    """Asks the suspect about the registered items.

    Attributes:
        plan: The registration.
        epochs: The epochs it names.
        places: The registered items in order.
        prompts: Prompts by request id.
    """

    plan: Plan
    epochs: Sequence[Epoch]
    places: Sequence[Place]
    prompts: Mapping[str, str] = field(repr=False)
    tier: str = TIER

    @property
    def twins(self) -> TwinPlan:
        """The tier's part of the plan."""
        assert self.plan.twins is not None  # noqa: S101 - such a channel is made for such a plan only
        return self.plan.twins

    @cached_property
    def groups(self) -> Sequence[Sequence[Query]]:
        """The queries of each item, in order."""
        make = {"sample": self._samples, "log_prob": self._log_probs, "rank": self._rankings}
        return [make[self.twins.method](n, place.item) for n, place in enumerate(self.places)]

    def data(self, replies: Mapping[str, Reply]) -> dict[str, Any]:
        """Return what goes into the evidence file."""
        body: dict[str, Any] = plain(self._data(replies, proofs=True))
        return body

    def enough(self, replies: Mapping[str, Reply]) -> bool:
        """Say whether the e-process has reached its level; not before the burn-in is over."""
        data = self._data(replies, proofs=False)
        if len(data.items) < self.twins.burn_in:
            return False
        return twin_test(data, self.plan)[2].stopped_at != NEVER

    def _data(self, replies: Mapping[str, Reply], *, proofs: bool) -> TwinData:
        asked = self._asked(replies)
        scores = self._scores(replies, asked)
        return TwinData(
            epochs=tuple(_opened(epoch) for epoch in self.epochs),
            order=tuple(place.item.id for place in self.places),
            items=tuple(
                self._item(n, values, proofs=proofs)
                for n in self._completed(replies)
                if n < asked and (values := scores[n]) is not None
            ),
            unanswered=tuple(n for n, values in enumerate(scores) if values is None),
            asked=asked,
        )

    def _completed(self, replies: Mapping[str, Reply]) -> Sequence[int]:
        """Items in the order in which their last reply came, so that no bet is ever settled again."""
        came = {name: place for place, name in enumerate(replies)}
        last = [max((came.get(query.id, -1) for query in group), default=-1) for group in self.groups]
        return sorted(range(len(last)), key=lambda n: (last[n], n))

    def _asked(self, replies: Mapping[str, Reply]) -> int:
        """Items up to the last one of which any query has a reply."""
        last = [n for n, group in enumerate(self.groups) if any(query.id in replies for query in group)]
        return last[-1] + 1 if last else 0

    def _item(self, n: int, scores: tuple[float, ...], *, proofs: bool) -> ItemData:
        place = self.places[n]
        path = merkle_path(self._trees[place.epoch], place.place) if proofs else ()
        return ItemData(n, place.epoch, place.place, tuple(path), leaf_content(place.item), scores)

    @cached_property
    def _trees(self) -> Sequence[Sequence[Sequence[bytes]]]:
        return [merkle_levels(epoch.leaves) for epoch in self.epochs]

    def _scores(self, replies: Mapping[str, Reply], asked: int) -> list[tuple[float, ...] | None]:
        if self.twins.method == "sample":
            return self._overlaps(replies, asked)
        score = _summed if self.twins.method == "log_prob" else self._votes
        return [score(n, [replies.get(query.id) for query in self.groups[n]]) for n in range(asked)]

    def _overlaps(self, replies: Mapping[str, Reply], asked: int) -> list[tuple[float, ...] | None]:
        texts = [_texts([replies.get(query.id) for query in group]) for group in self.groups]
        values = np.zeros((len(self.places), self.epochs[0].opening.design.twins + 1))
        for number, epoch in enumerate(self.epochs):
            mine = [n for n, place in enumerate(self.places) if place.epoch == number]
            values[mine] = overlap_scores(
                [self.places[n].item for n in mine],
                [texts[n] for n in mine],
                epoch.seed.gram_key(),
                epoch.opening.design.gram,
            )
        return [tuple(values[n].tolist()) if texts[n] else None for n in range(asked)]

    def _votes(self, n: int, replies: Sequence[Reply | None]) -> tuple[float, ...] | None:
        size = len(self.places[n].item.candidates)
        votes = np.zeros(size)
        for turn, reply in enumerate(replies):
            place = chosen_place(reply.text, size) if reply and reply.text else None
            if place is None:
                return None
            votes[(place + turn) % size] += 1.0
        return tuple(votes.tolist())

    def _samples(self, n: int, item: TwinItem) -> list[Query]:
        return [
            self._query(f"{TIER}/{n}/{draw}", "sample", item, seed=self.plan.seed + draw)
            for draw in range(self.twins.samples)
        ]

    def _log_probs(self, n: int, item: TwinItem) -> list[Query]:
        return [
            self._query(f"{TIER}/{n}/{position}", "log_prob", item, answer=candidate.text or "")
            for position, candidate in enumerate(item.candidates)
        ]

    def _rankings(self, n: int, item: TwinItem) -> list[Query]:
        """Each candidate stands once in each place, so that a love of the first place decides nothing."""
        texts = [candidate.text or "" for candidate in item.candidates][:_MOST_SHOWN]
        prompt = prompt_of(item, self.prompts) or ""
        return [
            Query(
                id=f"{TIER}/{n}/{turn}",
                kind="rank",
                prompt=ranking_prompt(prompt, texts[turn:] + texts[:turn]),
                temperature=0.0,
                max_tokens=16,
            )
            for turn in range(len(texts))
        ]

    def _query(self, name: str, kind: Any, item: TwinItem, **options: Any) -> Query:
        return Query(
            id=name,
            kind=kind,
            prompt=prompt_of(item, self.prompts) or "",
            temperature=self.plan.temperature,
            max_tokens=self.plan.max_tokens,
            **options,
        )


def _texts(replies: Sequence[Reply | None]) -> list[str]:
    """Texts of an item whose every query has its reply; none before that."""
    known = [reply for reply in replies if reply is not None]
    return [reply.text for reply in known if reply.text is not None] if len(known) == len(replies) else []


def _summed(n: int, replies: Sequence[Reply | None]) -> tuple[float, ...] | None:
    del n
    values = [reply.log_prob for reply in replies if reply is not None and reply.log_prob is not None]
    return tuple(values) if len(values) == len(replies) else None


def _opened(epoch: Epoch) -> EpochData:
    opening, seal = epoch.opening, epoch.seal
    if seal is None:
        raise InputError(opening.epoch, "is not sealed", "seal it before the test")
    return EpochData(
        epoch=opening.epoch,
        opened_at=opening.opened_at.isoformat(),
        sealed_at=seal.sealed_at.isoformat(),
        design=opening.design,
        commitment=opening.commitment,
        choices_key=epoch.seed.choices.reveal(),
        root=seal.root,
        items=seal.items,
    )
