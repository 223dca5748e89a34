"""The figure that answers "how dear must it get to stay unseen": detection against the adversary's cost."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.worlds.prices import Range

WIDTH = 760.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 722.0, 46.0, 250.0
"""Frame of the upper panel: share found against cost."""
_ROWS, _ROW = 322.0, 19.0
"""Top of the lower panel and height of a row of it."""
_COST, _FOUND = (280.0, 470.0), (560.0, 742.0)
"""Columns of the lower panel."""
_LABEL_GAP = 13.0
_PIXELS_BETWEEN = 60.0

_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#3d454c}.t{font-size:15px;font-weight:600;fill:#1c2126}"
    ".g{stroke:#dedad1;fill:none}.w{stroke:#0d5f6e;stroke-width:1.4;opacity:.55}.c{stroke:#0d5f6e;fill:none;"
    "stroke-width:1.6}.p{fill:#0d5f6e}.s{fill:#fff;stroke:#a4301d;stroke-width:1.4}.sw{stroke:#a4301d;opacity:.4}"
    ".a{fill:#e6ecea}.m{fill:#bcd9dc}.b{fill:#0d5f6e}.n{font-size:10.5px}"
    ".d{stroke:#0d5f6e;fill:none;stroke-dasharray:3 4}"
)


class Outcome(msgspec.Struct, frozen=True):
    """How one campaign of the ladder fared.

    Attributes:
        label: Short name: the evasion that was added.
        cost: Dollars for a thousand useful exchanges.
        found: Share of its accounts that was named: lowest, median and highest over seeds.
        seen: Median share of its accounts in groups that were called a campaign or left undecided, so that an
            analyst sees them.
        alone: Whether the evasion is on alone instead of on top of those before it.
    """

    label: str
    cost: Range
    found: Range
    seen: float
    alone: bool = False


def ladder_svg(outcomes: Sequence[Outcome], title: str) -> str:
    """Draw `outcomes` as one SVG document: above, share found against cost; below, the rungs as a table.

    Args:
        outcomes: The cumulative ladder in its order, and evasions alone.
        title: Title of the figure.

    Raises:
        ValueError: There is nothing to draw.
    """
    if not outcomes:
        raise ValueError("outcomes: there is nothing to draw")
    axis = _Axis.over(outcomes)
    climbed = [one for one in outcomes if not one.alone]
    alone = [one for one in outcomes if one.alone]
    rows = [*climbed, *alone]
    height = _ROWS + _ROW * (len(rows) + 1) + 14
    body = [
        *_frame(axis),
        *(_mark(axis, one, "s", "sw") for one in alone),
        _path("d", axis, [(one.cost.mid, one.seen) for one in climbed]),
        _path("c", axis, [(one.cost.mid, one.found.mid) for one in climbed]),
        *(_mark(axis, one, "p", "w") for one in climbed),
        *_numbers(axis, climbed),
        *_table(axis, rows, len(climbed)),
    ]
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" role="img" '
                'aria-labelledby="ladder-title ladder-desc">'
            ),
            f'<title id="ladder-title">{escape(title)}</title>',
            f'<desc id="ladder-desc">{escape(_described(climbed))}</desc>',
            f"<style>{_STYLE}</style>",
            f'<rect width="{WIDTH:g}" height="{height:g}" fill="#fbfaf7"/>',
            f'<text class="t" x="{_LEFT - 40:g}" y="24">{escape(title)}</text>',
            *body,
            "</svg>\n",
        ]
    )


class _Axis(msgspec.Struct, frozen=True):
    """Dollars on a logarithmic scale, from one power of ten (or twice, five times one) to another."""

    low: float
    high: float

    @classmethod
    def over(cls, outcomes: Sequence[Outcome]) -> _Axis:
        """Span all costs."""
        low = min(max(one.cost.low, 0.01) for one in outcomes)
        high = max(max(one.cost.high, 0.02) for one in outcomes)
        steps = [step * 10.0**power for power in range(-3, 9) for step in (1, 2, 5)]
        return cls(max(step for step in steps if step <= low), min(step for step in steps if step >= high))

    def at(self, dollars: float, left: float = _LEFT, right: float = _RIGHT) -> float:
        """Place of an amount between `left` and `right`."""
        place = math.log(max(dollars, self.low) / self.low) / math.log(self.high / self.low)
        return left + (right - left) * place

    def ticks(self, left: float, right: float) -> list[float]:
        """Round amounts that stand at least some pixels apart."""
        steps = [step * 10.0**power for power in range(-3, 9) for step in (1, 2, 5)]
        chosen: list[float] = []
        for step in (step for step in steps if self.low <= step <= self.high):
            if not chosen or self.at(step, left, right) - self.at(chosen[-1], left, right) >= _PIXELS_BETWEEN:
                chosen.append(step)
        return chosen


def _up(share: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * min(max(share, 0.0), 1.0)


def _frame(axis: _Axis) -> list[str]:
    lines = []
    for percent in (0, 25, 50, 75, 100):
        y = _up(percent / 100)
        lines.append(f'<line class="g" x1="{_LEFT:g}" x2="{_RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{_LEFT - 8:g}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>')
    for dollars in axis.ticks(_LEFT, _RIGHT):
        x = axis.at(dollars)
        lines.append(f'<line class="g" x1="{x:.1f}" x2="{x:.1f}" y1="{_BOTTOM:g}" y2="{_BOTTOM + 5:g}"/>')
        lines.append(f'<text x="{x:.1f}" y="{_BOTTOM + 19:g}" text-anchor="middle">{_money(dollars)}</text>')
    lines.append(
        f'<text x="{_RIGHT:g}" y="{_BOTTOM + 37:g}" text-anchor="end">'
        "cost of a thousand useful exchanges; lines: ranges of prices and seeds; "
        "broken and pale: named or left undecided</text>"
    )
    return lines


def _mark(axis: _Axis, one: Outcome, kind: str, whisker: str) -> str:
    x, y = axis.at(one.cost.mid), _up(one.found.mid)
    low, high = axis.at(one.cost.low), axis.at(one.cost.high)
    return (
        f'<line class="{whisker}" x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<line class="{whisker}" x1="{x:.1f}" x2="{x:.1f}" y1="{_up(one.found.low):.1f}" '
        f'y2="{_up(one.found.high):.1f}"/>'
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3.6">'
        f"<title>{escape(one.label)}: {_money(one.cost.mid)}, {one.found.mid:.1%} named</title></circle>"
    )


def _path(kind: str, axis: _Axis, places: Sequence[tuple[float, float]]) -> str:
    points = " ".join(f"{axis.at(dollars):.1f},{_up(share):.1f}" for dollars, share in places)
    return f'<polyline class="{kind}" points="{points}"/>'


def _numbers(axis: _Axis, climbed: Sequence[Outcome]) -> list[str]:
    """Number the points of the ladder; a number that would lie on another is left to the table."""
    placed: list[tuple[float, float]] = []
    lines = []
    for number, one in enumerate(climbed):
        x, y = axis.at(one.cost.mid), _up(one.found.mid) - 8
        if all(abs(x - other) >= _LABEL_GAP or abs(y - height) >= _LABEL_GAP for other, height in placed):
            placed.append((x, y))
            lines.append(f'<text class="n" x="{x + 4:.1f}" y="{y + 1:.1f}">{number}</text>')
    return lines


def _table(axis: _Axis, rows: Sequence[Outcome], climbed: int) -> list[str]:
    heads = ((_LEFT - 40, "what is done"), (_COST[0], "cost of a thousand"), (_FOUND[0], "accounts named"))
    lines = [f'<text x="{x:g}" y="{_ROWS - 8:g}" font-weight="600">{text}</text>' for x, text in heads]
    for place, one in enumerate(rows):
        y = _ROWS + _ROW * place + (0 if place < climbed else _ROW * 0.6)
        name = f"{place}  {one.label}" if place < climbed else f"alone: {one.label}"
        low, high = axis.at(one.cost.low, *_COST), axis.at(one.cost.high, *_COST)
        mid, share = axis.at(one.cost.mid, *_COST), one.found.mid
        full = _FOUND[1] - _FOUND[0] - 46
        lines += [
            f'<text x="{_LEFT - 40:g}" y="{y + 12:.1f}">{escape(name)}</text>',
            _bar("m", low, y + 4, max(high - low, 1.0)),
            f'<rect class="b" x="{mid - 1:.1f}" y="{y + 2:.1f}" width="2" height="13"/>',
            f'<text x="{_COST[1] + 58:g}" y="{y + 12:.1f}" text-anchor="end">{_money(one.cost.mid)}</text>',
            _bar("a", _FOUND[0], y + 4, full),
            _bar("m", _FOUND[0], y + 4, full * one.seen),
            _bar("b", _FOUND[0], y + 4, full * share),
            f'<text x="{_FOUND[1]:g}" y="{y + 12:.1f}" text-anchor="end">{share:.0%}</text>',
        ]
    return lines


def _bar(kind: str, x: float, y: float, width: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="9" rx="2"/>'


def _described(climbed: Sequence[Outcome]) -> str:
    told = (
        f"{one.label}: {_money(one.cost.mid)}, {one.found.mid:.0%} named, {one.seen:.0%} named or undecided"
        for one in climbed
    )
    return "Each step adds one evasion. " + "; ".join(told) + "."


def _money(dollars: float) -> str:
    return f"${dollars:,.0f}" if dollars >= 10 else f"${dollars:,.2g}"
