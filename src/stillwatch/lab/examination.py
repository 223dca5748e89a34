"""What is asked of a student, and what the tests of the product say about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stillwatch.lab.answering import answer_log_likelihood, distributions
from stillwatch.lab.reading import Heard, expected, hear, said, served_contexts
from stillwatch.lab.school import stream
from stillwatch.lab.settings import MARK_WIDTH
from stillwatch.lab.tokens import answered
from stillwatch.lineage.radioactivity import (
    Evidence,
    Radioactivity,
    context_level,
    contrast,
    decoy_keys,
    pair_level,
    weigh_key,
)
from stillwatch.lineage.radioactivity_contexts import places_of
from stillwatch.lineage.radioactivity_queries import most_informative, prompt_information
from stillwatch.lineage.twins_preference import Preference, preference_test
from stillwatch.lineage.twins_score import residual

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stillwatch.lab.network import Network
    from stillwatch.lab.school import School
    from stillwatch.lab.settings import Condition
    from stillwatch.lab.tokens import Rows

TOP = 5
"""Log-probabilities that an API shows at each place."""


@dataclass(frozen=True)
class Sitting:
    """One suspect's answers.

    Attributes:
        condition: What the suspect was trained on.
        suspect: The student.
        answers: Its answers at temperature 1, without a mark.
        evidence: The statistics that were computed from them without the key, by name.
        heard: Answer places before and after the filters.
    """

    condition: Condition
    suspect: Network
    answers: Rows
    evidence: dict[str, Evidence]
    heard: tuple[int, int]


def query_rows(school: School) -> NDArray[np.int64]:
    """The prompts that a suspect is asked, the most informative `few` first, then others at random."""
    twins, width = school.given("second"), MARK_WIDTH
    places = places_of(twins.tokens, answered(twins), width)
    squares = np.zeros(twins.tokens.size)
    for flat, chances in distributions(school.teacher, twins):
        squares[flat] = np.square(chances).sum(axis=1)
    repeats = squares[places.rows * twins.tokens.shape[1] + places.columns]
    best = most_informative(prompt_information(len(twins), places, repeats), school.setting.few)
    others = np.setdiff1d(stream(school.seed, "queries").permutation(len(twins)), best, assume_unique=True)
    shuffled = stream(school.seed, "query order").permutation(others)
    return np.concatenate([best, shuffled])[: school.setting.many]


def sit(school: School, condition: Condition, student: Network, queries: NDArray[np.int64]) -> Sitting:
    """Ask `student` the `queries` and compute every statistic; our key takes no part in it."""
    answers = school.ask(student, school.requests.take(queries), f"suspect {condition.id}")
    width = school.scheme(condition).context_width
    kind = condition.mark if condition.mark in {"dual", "accounts"} else "ours"
    served = served_contexts(school.given(kind), width)
    few = np.arange(min(school.setting.few, len(answers)))
    small, large = hear(answers.take(few), width, served), hear(answers, width, served)
    evidence = {f"{name}, {len(few)} answers": one for name, one in _closed(school, small).items()}
    evidence |= {f"{name}, {len(answers)} answers": one for name, one in _closed(school, large).items()}
    ours = expected(school.teacher, large)
    evidence[f"top {TOP} log-probabilities"] = contrast(expected(student, large, TOP), ours)
    evidence["all logits"] = contrast(expected(student, large), ours)
    return Sitting(condition, student, answers, evidence, (large.answered, len(large.places)))


def _closed(school: School, heard: Heard) -> dict[str, Evidence]:
    counts = said(heard)
    return {
        "contrast": contrast(counts, expected(school.teacher, heard)),
        "contexts": context_level(counts),
        "pairs": pair_level(counts),
    }


def tested(school: School, sitting: Sitting) -> dict[str, Radioactivity]:
    """Test our key on every statistic of `sitting`; for four accounts, the first guilty account's key."""
    key = school.keys[0]
    if sitting.condition.mark == "accounts":
        key = school.keys[2 + school.guilty()[0]]
    decoys = decoy_keys(school.setting.decoys, stream(school.seed, f"decoys {sitting.condition.id}"))
    scheme = school.scheme(sitting.condition)
    return {name: weigh_key(one, scheme, int(key), decoys) for name, one in sitting.evidence.items()}


def preferred(school: School, condition: Condition, student: Network) -> Preference:
    """Does `student` prefer what was served to its twin? For requests that its own lessons took unmarked.

    A student that never saw unmarked answers is a control: it is asked about all requests. What our teacher
    and a network of other origin find plain is taken out of the student's log-likelihoods first.
    """
    taken = np.flatnonzero(~np.logical_or(*school.shares(condition)))
    usable = taken if len(taken) else np.arange(len(school.requests))
    rows = usable[: school.setting.twins]
    first, second = school.given("first").take(rows), school.given("second").take(rows)
    differ = np.any(first.tokens != second.tokens, axis=1)
    first, second = first.take(np.flatnonzero(differ)), second.take(np.flatnonzero(differ))
    served = np.where(school.served_first()[rows[differ]], 0, 1)
    mine, *others = (
        np.column_stack([answer_log_likelihood(model, one) for one in (first, second)])
        for model in (student, school.teacher, school.rival)
    )
    return preference_test(residual(mine, np.stack(others)), served)
