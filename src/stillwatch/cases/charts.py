"""Geometry of the drawings: numbers in, coordinates out; the templates turn them into SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.model.findings import Hypothesis, Timeline

MOST_BINS = 180
MOST_TERMS = 14
WIDTH = 760.0
_LEFT, _RIGHT = 62.0, 8.0
_UPPER, _LOWER = (14.0, 118.0), (150.0, 218.0)
"""Top and bottom of the two panels; what is below them has fixed places in the template."""


@dataclass(frozen=True)
class Bar:
    """A rectangle with what it stands for."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Tick:
    """A place on an axis with its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Row:
    """One bin of the timeline as a row of a table."""

    start: datetime
    exchanges: int
    accounts: int
    new_accounts: int
    bans: int


@dataclass(frozen=True)
class TimelineChart:
    """Two panels and a strip over one axis of days."""

    rows: tuple[Row, ...]
    bin_days: int
    exchanges: tuple[Bar, ...]
    accounts: str
    new_accounts: tuple[Bar, ...]
    bans: tuple[Tick, ...]
    upper_ticks: tuple[Tick, ...]
    lower_ticks: tuple[Tick, ...]
    day_ticks: tuple[Tick, ...]


def timeline_chart(timeline: Timeline) -> TimelineChart | None:
    """Lay out `timeline`; None where it has no day.

    Beyond `MOST_BINS` days, days are joined to bins: exchanges, new accounts and bans add up, of the accounts
    active a day the most is shown.
    """
    rows, bin_days = _rows(timeline)
    if not rows:
        return None
    slot = (WIDTH - _LEFT - _RIGHT) / len(rows)
    above, upper_ticks = _panel(max(row.exchanges for row in rows), _UPPER)
    below, lower_ticks = _panel(max(max(row.accounts, row.new_accounts) for row in rows), _LOWER)
    return TimelineChart(
        rows=rows,
        bin_days=bin_days,
        exchanges=_bars([(row, row.exchanges) for row in rows], slot, above, "exchanges"),
        accounts=_area([row.accounts for row in rows], slot, below),
        new_accounts=_bars([(row, row.new_accounts) for row in rows], slot, below, "new accounts"),
        bans=tuple(
            Tick(_LEFT + (index + 0.5) * slot, f"{row.start:%Y-%m-%d}: {row.bans} banned")
            for index, row in enumerate(rows)
            if row.bans
        ),
        upper_ticks=upper_ticks,
        lower_ticks=lower_ticks,
        day_ticks=_day_ticks(rows, slot),
    )


def _rows(timeline: Timeline) -> tuple[tuple[Row, ...], int]:
    series = (timeline.exchanges, timeline.accounts, timeline.new_accounts, timeline.bans)
    days = max(len(values) for values in series)
    # A start so late that the calendar ends within the chart is a broken clock; what fits is drawn.
    days = min(days, (datetime.max.replace(tzinfo=timeline.start.tzinfo) - timeline.start).days)
    size = max(1, math.ceil(days / MOST_BINS))
    exchanges, accounts, new, bans = (tuple(max(value, 0) for value in values) for values in series)
    rows = tuple(
        Row(
            start=timeline.start + timedelta(days=first),
            exchanges=sum(exchanges[first : first + size]),
            accounts=max(accounts[first : first + size], default=0),
            new_accounts=sum(new[first : first + size]),
            bans=sum(bans[first : first + size]),
        )
        for first in range(0, days, size)
    )
    return rows, size


@dataclass(frozen=True)
class _Panel:
    """A place for bars: its bottom line, and pixels for each unit."""

    bottom: float
    scale: float


def _panel(most: int, edges: tuple[float, float]) -> tuple[_Panel, tuple[Tick, ...]]:
    """Return a panel with room for `most`, and two or three round values from zero on."""
    upper, lower = edges
    step = nice_step(most / 2)
    count = max(1, math.ceil(most / step))
    ticks = tuple(
        Tick(lower - (lower - upper) * index / count, compact(index * step)) for index in range(count + 1)
    )
    return _Panel(lower, (lower - upper) / (count * step)), ticks


def _bars(values: Sequence[tuple[Row, int]], slot: float, panel: _Panel, name: str) -> tuple[Bar, ...]:
    gap = min(1.5, slot * 0.2)
    return tuple(
        Bar(
            x=_LEFT + index * slot + gap / 2,
            y=panel.bottom - value * panel.scale,
            width=slot - gap,
            height=value * panel.scale,
            title=f"{row.start:%Y-%m-%d}: {value:,} {name}",
        )
        for index, (row, value) in enumerate(values)
        if value
    )


def _area(values: Sequence[int], slot: float, panel: _Panel) -> str:
    """Return the outline of a stepped area as SVG path data."""
    path = [f"M{_LEFT:.1f} {panel.bottom:.1f}"]
    for index, value in enumerate(values):
        y = panel.bottom - value * panel.scale
        path.append(f"L{_LEFT + index * slot:.1f} {y:.1f}L{_LEFT + (index + 1) * slot:.1f} {y:.1f}")
    path.append(f"L{_LEFT + len(values) * slot:.1f} {panel.bottom:.1f}Z")
    return "".join(path)


def nice_step(raw: float) -> float:
    """Return the smallest of 1, 2, 2.5 and 5 times a power of ten that is at least `raw` and 1."""
    if raw <= 1:
        return 1.0
    size = 10.0 ** math.floor(math.log10(raw))
    return next((factor * size for factor in (1, 2, 2.5, 5) if factor * size >= raw), 10 * size)


def compact(value: float) -> str:
    """Return an axis label of at most about five characters."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _day_ticks(rows: Sequence[Row], slot: float) -> tuple[Tick, ...]:
    """Return at most six dates, each left-aligned under its bar."""
    every = max(1, math.ceil(len(rows) / 6))
    return tuple(
        Tick(_LEFT + index * slot, f"{rows[index].start.day} {rows[index].start:%b}")
        for index in range(0, len(rows), every)
        if WIDTH - (_LEFT + index * slot) > 40 or index == 0
    )


@dataclass(frozen=True)
class Step:
    """One row of a waterfall: from where to where on a scale of 0 to 100, and what it adds."""

    measure: str
    sentence: str
    points: float
    start: float
    width: float
    kind: str
    """`base`, `for`, `against` or `sum`."""


@dataclass(frozen=True)
class Waterfall:
    """How the terms of one hypothesis add up to its score; `zero` is where a score of nought stands."""

    steps: tuple[Step, ...]
    zero: float


def waterfall(hypothesis: Hypothesis) -> Waterfall:
    """Lay out the terms of `hypothesis`, largest first; beyond `MOST_TERMS` the smallest are added up."""
    terms = sorted(hypothesis.terms, key=lambda term: -abs(_finite(term.points)))
    rows = [(term.measure, term.sentence, _finite(term.points)) for term in terms[:MOST_TERMS]]
    rest = terms[MOST_TERMS:]
    if rest:
        rows.append((f"{len(rest)} smaller terms", "", sum(_finite(term.points) for term in rest)))
    score = _finite(hypothesis.score)
    prior = score - sum(points for _, _, points in rows)
    edges = list(accumulate((points for _, _, points in rows), initial=prior))
    low, high = min(0.0, score, *edges), max(0.0, score, *edges)
    scale = 100 / (high - low) if high - low > 1e-9 else 0.0

    def step(row: tuple[str, str, float], start: float, kind: str) -> Step:
        measure, sentence, points = row
        first, last = sorted((start, start + points))
        return Step(measure, sentence, points, (first - low) * scale, (last - first) * scale, kind)

    steps = (
        step(("prior", "how common this explanation is before any evidence", prior), 0.0, "base"),
        *(
            step(row, start, "for" if row[2] >= 0 else "against")
            for row, start in zip(rows, edges, strict=False)
        ),
        step(("score", "the sum, in nats of log odds", score), 0.0, "sum"),
    )
    return Waterfall(steps, -low * scale)


def within(share: float) -> float:
    """Return a share as it can be drawn: from 0 to 1, nothing where it is not a number."""
    return max(0.0, min(1.0, _finite(share)))


def _finite(value: float) -> float:
    """Return `value` within what can be drawn."""
    return 0.0 if math.isnan(value) else max(-1e6, min(1e6, value))
