"""The report: one self-contained page beside the evidence file, in the look of the campaign report."""

from __future__ import annotations

import base64
import hashlib
import math
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stillwatch.cases import words
from stillwatch.cases.report import style_sheet, visible
from stillwatch.lineage.evidence_verdict import DESIGNED, Result, Verdict
from stillwatch.lineage.evidence_words import PROPOSITIONS
from stillwatch.lineage.planning import posterior

if TYPE_CHECKING:
    from datetime import datetime

    from stillwatch.lineage.evidence import Document
    from stillwatch.lineage.session_plan import Plan

REPORT = "report.html"
PRIORS = (0.01, 0.1, 0.5)
_POWER = 0.9

_HEADLINE = {
    Verdict.EXCLUDED: "Training on our answers, as strong as the plan supposes, is excluded",
    Verdict.INCONCLUSIVE: "The evidence decides nothing",
    Verdict.SUPPORTS: "The evidence supports training on our answers",
    Verdict.STRONGLY: "The evidence strongly supports training on our answers",
}


def render_report(
    document: Document, plan: Plan, result: Result, generated_at: datetime, version: str
) -> str:
    """Return the whole page as HTML; it fetches nothing and runs no script.

    Args:
        document: The evidence file that the page is about.
        plan: The registration in it.
        result: The result in it.
        generated_at: Time of writing, UTC.
        version: Version of stillwatch.
    """
    style = style_sheet()
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("lineage.html.j2")
        .render(
            document=document,
            plan=plan,
            result=result,
            headline=_HEADLINE[result.verdict],
            e_value=math.exp(result.log_e),
            designed=DESIGNED,
            propositions=PROPOSITIONS,
            earlier=document.entries[0].body.get("earlier", []),
            label=next((entry.body["label"] for entry in document.entries if entry.kind == "suspect"), ""),
            posteriors=posteriors(plan),
            generated_at=generated_at,
            version=version,
            style=Markup(style),  # noqa: S704 - our own file, without input
            policy=f"default-src 'none'; style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'",
        )
    )


def posteriors(plan: Plan) -> tuple[tuple[float, float, float], ...]:
    """Share of right verdicts "supports" and "strongly supports" for each prior chance, at a power of 0.9.

    Returns:
        Rows of prior, share for "supports", share for "strongly supports".
    """
    return tuple(
        (prior, posterior(prior, _POWER, plan.alpha_support), posterior(prior, _POWER, plan.alpha))
        for prior in PRIORS
    )


def _say_e(log_e: float | None) -> str:
    return "none" if log_e is None else words.evidence(math.exp(log_e))


def _say_p(p: float | None) -> str:
    return "none" if p is None else words.figure(p)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("stillwatch.lineage"), PackageLoader("stillwatch.cases")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    environment.filters |= {
        "counted": words.counted,
        "figure": words.figure,
        "heading": words.heading,
        "minute": words.minute,
        "percent": words.percent,
        "say_e": _say_e,
        "say_p": _say_p,
        "sentence": words.sentence,
        "whole": words.whole,
    }
    return environment
