"""The report: one self-contained page that a security lead can forward."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from html import unescape
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stillwatch.cases import words
from stillwatch.cases.advice import campaign_steps, report_steps, why_honest
from stillwatch.cases.charts import TimelineChart, Waterfall, timeline_chart, waterfall, within
from stillwatch.cases.graph import Drawing, draw
from stillwatch.cases.sources import Support, support_table
from stillwatch.model.findings import Detection, Finding, Group, Hypothesis, Member, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from stillwatch.model.coverage import CoverageCard

FIRST_ACCOUNTS, PAGE_ACCOUNTS, MOST_ACCOUNTS = 20, 200, 2_000
FIRST_GROUPS, PAGE_GROUPS = 25, 200


@dataclass(frozen=True)
class Considered:
    """One explanation with its terms laid out."""

    hypothesis: Hypothesis
    chart: Waterfall


@dataclass(frozen=True)
class CampaignPage:
    """Everything that the page shows of one campaign."""

    number: int
    group: Group
    timeline: TimelineChart | None
    graph: Drawing | None
    considered: tuple[Considered, ...]
    accounts: tuple[tuple[Member, ...], ...]
    accounts_left_out: int
    steps: tuple[str, ...]
    speaking: tuple[Finding, ...]
    silent: tuple[Finding, ...]


@dataclass(frozen=True)
class Picture:
    """An image that the page holds, and what it says in words."""

    source: str
    words: str


@dataclass(frozen=True)
class HonestRow:
    """One coordinated group that was not accused, with the chief reason."""

    group: Group
    reason: str
    campaign_probability: float | None
    undecided: bool


def render_report(
    detection: Detection, cards: Sequence[CoverageCard], generated_at: datetime, version: str
) -> str:
    """Return the whole page as HTML.

    The page fetches nothing and runs no script; its Content Security Policy forbids both, and allows the one
    style sheet by its hash and images that the page itself holds. Every value is escaped.

    Args:
        detection: What one run found.
        cards: What each source could support.
        generated_at: Time of the run, UTC.
        version: Version of stillwatch.
    """
    style = style_sheet()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    campaigns = tuple(_campaign(number, group) for number, group in enumerate(detection.campaigns, 1))
    honest = [
        group for group in detection.groups if group.verdict not in (Verdict.CAMPAIGN, Verdict.UNDECIDED)
    ]
    undecided = [group for group in detection.groups if group.verdict is Verdict.UNDECIDED]
    support: tuple[Support, ...] = support_table(cards)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            detection=detection,
            campaigns=campaigns,
            honest=_pages([_honest(group) for group in honest], FIRST_GROUPS, PAGE_GROUPS),
            undecided=_pages([_honest(group) for group in undecided], FIRST_GROUPS, PAGE_GROUPS),
            cards=cards,
            support=support,
            steps=report_steps(detection, support),
            generated_at=generated_at,
            version=version,
            style=Markup(style),  # noqa: S704 - our own file, without input
            ladder=ladder(),
            policy=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
            "form-action 'none'",
        )
    )


def _campaign(number: int, group: Group) -> CampaignPage:
    members = sorted(
        group.members, key=lambda member: (-member.share, -member.strand_exchanges, member.account_id)
    )
    shown = members[:MOST_ACCOUNTS]
    return CampaignPage(
        number=number,
        group=group,
        timeline=timeline_chart(group.timeline),
        graph=draw(group),
        considered=tuple(
            Considered(each, waterfall(each)) for each in (group.hypothesis, *group.alternatives)
        ),
        accounts=_pages(shown, FIRST_ACCOUNTS, PAGE_ACCOUNTS),
        accounts_left_out=max(group.account_count, len(members)) - len(shown),
        steps=campaign_steps(group),
        speaking=tuple(finding for finding in group.evidence if not _silent(finding)),
        silent=tuple(finding for finding in group.evidence if _silent(finding)),
    )


def _silent(finding: Finding) -> bool:
    return finding.e_value is not None and finding.e_value < words.SPEAKS


def _honest(group: Group) -> HonestRow:
    doubt = next((other.probability for other in group.alternatives if other.kind is Verdict.CAMPAIGN), None)
    return HonestRow(group, why_honest(group), doubt, group.verdict is Verdict.UNDECIDED)


def _pages(rows: Sequence[Any], first: int, size: int) -> tuple[tuple[Any, ...], ...]:
    """Cut `rows` into a short first page and longer further ones; no rows, no page."""
    if not rows:
        return ()
    rest = (tuple(rows[start : start + size]) for start in range(first, len(rows), size))
    return (tuple(rows[:first]), *rest)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("stillwatch.cases"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    environment.filters |= {
        say.__name__: _unbroken(say)
        for say in (words.evidence, words.figure, words.odds, words.percent, words.rough, words.signed)
    }
    environment.filters |= {
        say.__name__: say
        for say in (
            words.asked,
            words.counted,
            words.day,
            words.heading,
            words.indicator_name,
            words.listing,
            words.minute,
            words.sentence,
            words.span,
            words.strength,
            words.views,
            words.whole,
            words.words,
            within,
        )
    }
    environment.globals |= {
        "ATLAS": words.ATLAS,
        "VERDICTS": words.VERDICTS,
        "MEANING": words.VERDICT_MEANING,
        "VIEWS": words.VIEW_NAMES,
    }
    return environment


def _unbroken(say: Callable[[Any], str]) -> Callable[[Any], str]:
    """Let `say` put out figures that no line break divides."""
    return lambda value: say(value).replace(" ", "\N{NO-BREAK SPACE}")


def visible(value: object) -> object:
    """Make control characters of any string that a template puts out visible; our own markup passes."""
    return words.plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def style_sheet() -> str:
    """Return the style sheet that all reports share."""
    return _shipped("report.css")


@cache
def ladder() -> Picture:
    """Return what was measured of adversaries who pay to stay unseen (`benchmarks/adversary_ladder.py`)."""
    drawn = _shipped("ladder.svg")
    _, told = drawn.split("<desc", 1)
    said = told[told.index(">") + 1 : told.index("</desc>")]
    encoded = base64.b64encode(drawn.encode()).decode()
    return Picture(f"data:image/svg+xml;base64,{encoded}", unescape(said))


def _shipped(name: str) -> str:
    """Read a file beside the templates."""
    environment = _environment()
    assert environment.loader is not None  # noqa: S101 - for the type checker
    return environment.loader.get_source(environment, name)[0]
