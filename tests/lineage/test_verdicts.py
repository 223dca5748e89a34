import itertools
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lineage.contrast import ContrastTest, capped_log_lr, rank_log_e
from stillwatch.lineage.teachers import TeacherSet
from stillwatch.lineage.verdicts import LineageVerdict, judged
from stillwatch.stats.conformal import conformal_p


def contrast(statistic, innocent, students=()):
    return ContrastTest(
        scorer="hand/1",
        suspect="suspect",
        accused=("ours",),
        alternatives=("theirs",),
        prompts=100,
        statistic=statistic,
        families=tuple(f"f{number}" for number in range(len(innocent))),
        innocent=tuple(innocent),
        students=tuple(students),
        p=float(conformal_p(statistic, innocent)),
        least_p=1.0 / (len(innocent) + 1),
        log_e=rank_log_e(statistic, innocent),
        log_lr=capped_log_lr(statistic, innocent, students) if len(students) > 1 else None,
        p_student=float(conformal_p(-statistic, [-s for s in students])) if students else None,
    )


def null(count):
    return [float(number) for number in range(count)]


def outside(*excluded):
    return TeacherSet("possible", 0.05, ("theirs",), excluded, (1.0,) + (0.01,) * len(excluded), 30)


@pytest.mark.parametrize(
    ("statistic", "references", "students", "possible", "expected"),
    [
        (99.0, 18, (), None, LineageVerdict.REFUSED),
        (99.0, 19, (), None, LineageVerdict.SUPPORTS),
        (99.0, 99, (), None, LineageVerdict.STRONGLY_SUPPORTS),
        (300.0, 99, (299.0, 300.0, 301.0), None, LineageVerdict.STRONGLY_SUPPORTS),
        (0.5, 99, (), None, LineageVerdict.INCONCLUSIVE),
        (0.5, 99, tuple(range(200, 220)), None, LineageVerdict.EXCLUDED),
        (0.5, 99, (), outside("ours"), LineageVerdict.EXCLUDED),
        (99.0, 99, (), outside("ours"), LineageVerdict.INCONCLUSIVE),
        (99.0, 99, (), outside("another"), LineageVerdict.STRONGLY_SUPPORTS),
    ],
)
def test_the_verdict_of_each_case(statistic, references, students, possible, expected):
    found = judged(contrast(statistic, null(references), students), possible=possible)
    assert found.verdict is expected
    assert any("passively" in reason for reason in found.reasons)
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


def test_refusal_says_how_many_are_needed_and_never_hides_the_numbers():
    few = judged(contrast(99.0, null(7)))
    assert few.needed == 19
    assert "7 matched reference families, 19 needed" in few.reasons[0]
    assert "p = 0.125" in few.reasons[1]
    several = judged(contrast(99.0, null(19)), hypotheses=3)
    assert (several.verdict, several.needed) == (LineageVerdict.REFUSED, 59)
    assert several.adjusted_p == pytest.approx(0.15)


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=130),
    st.floats(-20, 20),
    st.sampled_from([0.01, 0.05, 0.2]),
    st.integers(1, 4),
)
def test_an_accusation_always_has_the_numbers_behind_it(innocent, statistic, level, hypotheses):
    found = judged(contrast(statistic, innocent), level=level, hypotheses=hypotheses)
    if found.verdict in {LineageVerdict.SUPPORTS, LineageVerdict.STRONGLY_SUPPORTS}:
        assert found.references >= max(19, math.ceil(hypotheses / level - 1e-9) - 1)
        assert found.adjusted_p <= level + 1e-12
        assert found.log_e > 0.0
    if len(innocent) < 19:
        assert found.verdict is LineageVerdict.REFUSED
    assert not any("proved" in reason or "proof" in reason for reason in found.reasons)


def test_innocents_are_accused_no_more_often_than_the_level():
    rng = np.random.default_rng(0)
    accused = {LineageVerdict.SUPPORTS, LineageVerdict.STRONGLY_SUPPORTS}
    wrong = []
    for _ in range(40):
        scores = rng.standard_t(3, size=(4, 80))
        wrong += [
            any(
                judged(contrast(row[i], np.delete(row, i).tolist()), level=0.05, hypotheses=4).verdict
                in accused
                for row in scores
            )
            for i in range(80)
        ]
    assert np.mean(wrong) <= 0.05


def test_more_likeness_is_never_a_weaker_verdict():
    order = [LineageVerdict.EXCLUDED, LineageVerdict.INCONCLUSIVE, LineageVerdict.SUPPORTS]
    order.append(LineageVerdict.STRONGLY_SUPPORTS)
    ranks = [
        order.index(judged(contrast(s, null(99), (97.0, 98.5, 99.5, *range(100, 130)))).verdict)
        for s in np.arange(-10.0, 140.0, 2.5)
    ]
    assert all(a <= b for a, b in itertools.pairwise(ranks))
