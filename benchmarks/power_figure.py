"""The power surface as a picture: a tile a point, pool against share, one panel for each set of views."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_TILE, _LEFT, _TOP, _GAP = 62, 64, 54, 40
_LABEL = 'aria-label="Share of campaign accounts found over pool size and share of traffic"'
_TITLES = {False: "one text view", True: "all views, confirmed on four weeks"}


def draw(runs: Sequence[dict[str, Any]], found: float) -> str:
    """Draw the median share of accounts found at each point; the frontier at `found` is a thick edge.

    Args:
        runs: Results of `quality_power.measure`.
        found: Share from which a point counts as found.

    Returns:
        An SVG document. Every tile also carries its figure as text, so colour is not the only sign.
    """
    pools = sorted({run["pool"] for run in runs})
    shares = sorted({run["share"] for run in runs})
    panels = [every for every in (False, True) if any(run["every_view"] is every for run in runs)]
    wide = _LEFT + len(panels) * (len(pools) * _TILE + _GAP)
    high = _TOP + len(shares) * _TILE + 46
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" role="img" {_LABEL}>',
        "<style>text{font:12px system-ui,sans-serif;fill:#1c2530}.h{font-weight:600}.n{fill:#fff}</style>",
        f'<rect width="{wide}" height="{high}" fill="#fff"/>',
    ]
    for number, every in enumerate(panels):
        left = _LEFT + number * (len(pools) * _TILE + _GAP)
        known = _medians([run for run in runs if run["every_view"] is every])
        parts.append(f'<text class="h" x="{left}" y="22">{_TITLES[every]}</text>')
        parts += _axes(left, pools, shares, first=number == 0)
        for (pool, share), value in known.items():
            down = len(shares) - 1 - shares.index(share)
            parts.append(_tile(left + pools.index(pool) * _TILE, _TOP + down * _TILE, value, found))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _medians(runs: Sequence[dict[str, Any]]) -> dict[tuple[int, float], float]:
    points = dict.fromkeys((run["pool"], run["share"]) for run in runs)
    return {at: median(run["found"] for run in runs if (run["pool"], run["share"]) == at) for at in points}


def _axes(left: int, pools: Sequence[int], shares: Sequence[float], *, first: bool) -> list[str]:
    bottom = _TOP + len(shares) * _TILE
    marks = [
        f'<text x="{left + (i + 0.5) * _TILE}" y="{bottom + 18}" text-anchor="middle">{pool:,}</text>'
        for i, pool in enumerate(pools)
    ]
    marks.append(f'<text x="{left}" y="{bottom + 38}">templates in the pool, P</text>')
    if first:
        places = [_TOP + (len(shares) - number - 0.5) * _TILE + 4 for number in range(len(shares))]
        marks += [
            f'<text x="{left - 8}" y="{y}" text-anchor="end">{share:g}</text>'
            for y, share in zip(places, shares, strict=True)
        ]
        marks.append(f'<text x="4" y="{_TOP - 8}">share, rho</text>')
    return marks


def _tile(x: int, y: int, value: float, found: float) -> str:
    """Draw one tile: white where nothing is found, dark where all is; the edge is thick from `found` on."""
    shade = [round(245 + (end - 245) * value) for end in (20, 70, 140)]
    edge = 'stroke="#0b2545" stroke-width="3"' if value >= found else 'stroke="#c8d0da"'
    ink = ' class="n"' if value > 0.5 else ""
    return (
        f'<g><rect x="{x + 2}" y="{y + 2}" width="{_TILE - 4}" height="{_TILE - 4}" rx="4" '
        f'fill="rgb({shade[0]},{shade[1]},{shade[2]})" {edge}/>'
        f'<text{ink} x="{x + _TILE / 2}" y="{y + _TILE / 2 + 4}" text-anchor="middle">{value:.2f}</text></g>'
    )
