"""What a student gains for each number of answers it buys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from stillwatch.lab.tokens import Rows, answered
from stillwatch.lab.training import Schedule, held_out_loss, train

if TYPE_CHECKING:
    from collections.abc import Callable

    from stillwatch.lab.school import School

SHARES: Final = (1 / 16, 1 / 4)
"""Shares of all requests that the smaller students buy; the largest buys all and is trained anyway."""


class Gain(msgspec.Struct, frozen=True):
    """One point of the curve.

    Attributes:
        answers: Answers bought.
        tokens: Answer tokens in them.
        loss: Loss on held-out documents in nats a token.
        gain: Share of the way from knowing word frequencies alone (0) to the teacher (1); below 0 for a
            student that learned its few answers by heart.
    """

    answers: int
    tokens: int
    loss: float
    gain: float


def curve(school: School, loss_of_all: float, tick: Callable[[], None] = lambda: None) -> tuple[Gain, ...]:
    """Train students on parts of the unmarked answers and measure what they know.

    Each step of the schedule reads the same number of rows; fewer answers get fewer steps (with the root
    of their share), so that small students are not trained into mere memory.

    Args:
        school: Teacher and answers.
        loss_of_all: Held-out loss of the student that bought all answers.
        tick: Called after each training step.
    """
    served, setting = school.served(), school.setting
    floor = frequency_loss(served, school.held_out, setting.vocabulary)
    ceiling = held_out_loss(school.teacher, school.held_out)
    points = []
    for share in SHARES:
        rows = served.take(np.arange(max(setting.batch, int(share * len(served)))))
        steps = max(1, int(setting.student_steps * share**0.5))
        student = train(rows, school.shape, Schedule(steps, setting.batch), school.seed, tick=tick)
        points.append((rows, held_out_loss(student, school.held_out)))
    points.append((served, loss_of_all))
    return tuple(
        Gain(len(rows), int(answered(rows).sum()), loss, (floor - loss) / (floor - ceiling))
        for rows, loss in points
    )


def frequency_loss(rows: Rows, held_out: Rows, vocabulary: int) -> float:
    """Loss in nats of a model that knows only how often each token stands in the answers of `rows`."""
    counts = np.bincount(rows.tokens[answered(rows)], minlength=vocabulary) + 1.0
    return float(-np.log(counts / counts.sum())[held_out.tokens[answered(held_out)]].mean())
