"""The whole chain: train teachers and students, mark, ask the students, test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import torch
from scipy import stats

from stillwatch.lab.budget import Gain, curve
from stillwatch.lab.examination import Sitting, preferred, query_rows, sit, tested
from stillwatch.lab.school import School, stream
from stillwatch.lab.settings import CONDITIONS, Condition
from stillwatch.lab.tokens import digest
from stillwatch.lab.tracing import Tracing, trace
from stillwatch.lab.training import Schedule, held_out_loss, train
from stillwatch.lineage.radioactivity import Radioactivity, decoy_keys, key_totals
from stillwatch.lineage.twins_preference import Preference  # noqa: TC001 - msgspec reads the types
from stillwatch.model.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stillwatch.lab.network import Network
    from stillwatch.lab.shelf import Shelf

VERSION: Final = 1
_CALIBRATION: Final = 4000
"""Decoy keys whose p-values are compared with the uniform law on control students."""


class Student(msgspec.Struct, frozen=True):
    """One student and what the tests say about it.

    Attributes:
        id: The condition's name.
        about: What it was trained on.
        control: Whether our key must find nothing.
        loss: Held-out loss in nats a token.
        places: Answer places of the large sitting, before and after the filters.
        tests: Result of each statistic under our key.
        uniform_p: Kolmogorov-Smirnov p-value of the p-values of fresh decoy keys against the uniform law.
        twins: Served-versus-twin on log-likelihoods.
        twins_seen: Whether the student was trained on served answers that have twins.
    """

    id: str
    about: str
    control: bool
    loss: float
    places: tuple[int, int]
    tests: dict[str, Radioactivity]
    uniform_p: float
    twins: Preference
    twins_seen: bool


class Chain(msgspec.Struct, frozen=True):
    """Everything that a run found.

    Attributes:
        version: Version of this form.
        setting: Name of the setting.
        seed: All randomness follows from it and from the setting.
        key: Our key of the run; it marks nothing outside of it.
        tokenizer: SHA-256 of the tokenizer.
        teacher_loss: Held-out loss of the teacher in nats a token.
        marked_variety: Distinct contexts in the marked answers over those in the unmarked ones.
        students: All students.
        tracing: Which accounts were named, if that student was trained.
        gains: What a student gains for each number of answers, if the unmarked student was trained.
    """

    version: int
    setting: str
    seed: int
    key: str
    tokenizer: str
    teacher_loss: float
    marked_variety: float
    students: tuple[Student, ...]
    tracing: Tracing | None = None
    gains: tuple[Gain, ...] = ()


def run(
    school: School, shelf: Shelf, wanted: Iterable[str] | None = None, progress: Progress | None = None
) -> Chain:
    """Train and examine the students of the `wanted` conditions (all if not given)."""
    progress = progress or Silent()
    names = {one.id for one in CONDITIONS} if wanted is None else set(wanted)
    queries = query_rows(school)
    students: list[Student] = []
    tracing: Tracing | None = None
    gains: tuple[Gain, ...] = ()
    for condition in (one for one in CONDITIONS if one.id in names):
        network = _student(school, condition, shelf, progress)
        sitting = sit(school, condition, network, queries)
        student = _examined(school, sitting)
        students.append(student)
        if condition.mark == "accounts":
            tracing = trace(school, sitting)
        if condition.id == "unmarked":
            progress.start("train students on fewer answers")
            gains = curve(school, student.loss, progress.advance)
    progress.finish()
    return Chain(
        version=VERSION,
        setting=school.setting.name,
        seed=school.seed,
        key=f"{int(school.keys[0]):016x}",
        tokenizer=digest(school.tokenizer),
        teacher_loss=held_out_loss(school.teacher, school.held_out),
        marked_variety=variety(school),
        students=tuple(students),
        tracing=tracing,
        gains=gains,
    )


def variety(school: School) -> float:
    """Distinct token pairs in the marked answers over those in unmarked ones: what one short key costs."""
    pairs = [
        len(np.unique(rows.tokens[:, :-1] * school.setting.vocabulary + rows.tokens[:, 1:]))
        for rows in (school.given("ours"), school.given("first"))
    ]
    return pairs[0] / pairs[1]


def uniformity(school: School, sitting: Sitting) -> float:
    """Kolmogorov-Smirnov p-value of the p-values of fresh keys against the uniform law."""
    evidence = sitting.evidence[f"contrast, {len(sitting.answers)} answers"]
    keys = decoy_keys(_CALIBRATION, stream(school.seed, f"calibration {sitting.condition.id}"))
    totals, law = key_totals(evidence, school.scheme(sitting.condition), keys)
    return float(stats.kstest(np.exp(law.log_tails(totals)), "uniform").pvalue)


def one_thread() -> None:
    """Let torch use one thread: small networks gain nothing from more, and results depend on their number."""
    torch.set_num_threads(1)


def _student(school: School, condition: Condition, shelf: Shelf, progress: Progress) -> Network:
    setting = school.setting
    progress.start(f"train student {condition.id}", setting.student_steps)
    lessons = school.lessons(condition)
    seed = int(stream(school.seed, f"student {condition.id}").integers(2**31))
    schedule = Schedule(setting.student_steps, setting.batch)
    return shelf.network(
        f"student {condition.id}",
        school.shape,
        lambda: train(lessons, school.shape, schedule, seed, tick=progress.advance),
    )


def _examined(school: School, sitting: Sitting) -> Student:
    condition = sitting.condition
    return Student(
        id=condition.id,
        about=condition.about,
        control=condition.control,
        loss=held_out_loss(sitting.suspect, school.held_out),
        places=sitting.heard,
        tests=tested(school, sitting),
        uniform_p=uniformity(school, sitting),
        twins=preferred(school, condition, sitting.suspect),
        twins_seen=condition.share + condition.rival < 1.0,
    )
