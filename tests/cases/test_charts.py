import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.cases.charts import MOST_BINS, MOST_TERMS, nice_step, timeline_chart, waterfall, within
from stillwatch.model.findings import Hypothesis, Term, Timeline, Verdict

START = datetime(2026, 9, 1, tzinfo=UTC)
COUNTS = st.lists(st.integers(0, 10**9), max_size=700).map(tuple)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_timeline_keeps_every_count_and_stays_in_its_frame(exchanges, accounts, new, bans):
    chart = timeline_chart(Timeline(START, exchanges, accounts, new, bans))
    if chart is None:
        assert exchanges == accounts == new == bans == ()
        return
    assert len(chart.rows) <= MOST_BINS
    assert sum(row.exchanges for row in chart.rows) == sum(exchanges)
    assert sum(row.new_accounts for row in chart.rows) == sum(new)
    assert sum(row.bans for row in chart.rows) == sum(bans)
    assert max(row.accounts for row in chart.rows) == max(accounts, default=0)
    for bar in (*chart.exchanges, *chart.new_accounts):
        assert 0 <= bar.x <= bar.x + bar.width <= 760
        assert bar.height >= 0
        assert 13.9 <= bar.y <= 218.1


@given(st.floats(0, 1e15))
def test_steps_are_round_and_large_enough(raw):
    step = nice_step(raw)
    assert step >= raw * (1 - 1e-9)
    assert step >= 1
    assert f"{step:e}"[:3] in {"1.0", "2.0", "2.5", "5.0"}


TERMS = st.lists(st.builds(Term, st.just("m"), st.floats(-50, 50), st.just("s")), max_size=40).map(tuple)


@given(TERMS, st.floats(-50, 50))
def test_waterfall_adds_up(terms, prior):
    score = prior + sum(term.points for term in terms)
    chart = waterfall(Hypothesis(Verdict.CAMPAIGN, score, 0.5, terms))
    *parts, total = chart.steps
    assert sum(step.points for step in parts) == pytest.approx(score, abs=1e-6)
    assert total.points == pytest.approx(score)
    assert len(parts) <= MOST_TERMS + 2
    for step in chart.steps:
        assert -1e-6 <= step.start <= step.start + step.width <= 100 + 1e-6


@given(st.lists(st.floats(), max_size=5), st.floats())
def test_waterfall_survives_any_number(points, score):
    terms = tuple(Term("m", value, "s") for value in points)
    chart = waterfall(Hypothesis(Verdict.CAMPAIGN, score, 0.5, terms))
    assert all(math.isfinite(step.start) and math.isfinite(step.width) for step in chart.steps)


@pytest.mark.parametrize(
    ("share", "drawn"), [(math.nan, 0.0), (-math.inf, 0.0), (math.inf, 1.0), (0.25, 0.25)]
)
def test_any_share_can_be_drawn(share, drawn):
    assert within(share) == drawn
