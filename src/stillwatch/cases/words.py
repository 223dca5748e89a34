"""Figures and codes in words; the same ones in the report and on the terminal."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from stillwatch.model.findings import Group, Verdict
from stillwatch.model.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

VERDICTS = MappingProxyType(
    {
        Verdict.CAMPAIGN: "distillation campaign",
        Verdict.BENCHMARK: "benchmark run",
        Verdict.APPLICATION: "shared application",
        Verdict.ORGANISATION: "organisation",
        Verdict.RESELLER: "reseller",
        Verdict.CLASS: "class or course",
        Verdict.PROGRAMME: "declared programme",
        Verdict.UNDECIDED: "not decidable yet",
    }
)

VERDICT_MEANING = MappingProxyType(
    {
        Verdict.CAMPAIGN: "many accounts work off one queue of questions to collect answers for training",
        Verdict.BENCHMARK: "the same published items are run by everyone, in whole passes",
        Verdict.APPLICATION: "unrelated users of one program or agent share its prompts",
        Verdict.ORGANISATION: "accounts of one payer or one declared organisation",
        Verdict.RESELLER: "one client with many different end users behind it",
        Verdict.CLASS: "people who were given the same exercise",
        Verdict.PROGRAMME: "a use that was declared to and allowed by the provider",
        Verdict.UNDECIDED: "coordinated, but what is known does not separate the explanations",
    }
)

# MITRE ATLAS, release 2026.09 (names only; ids are stable, names may be reworded).
ATLAS = MappingProxyType(
    {
        "AML.T0024": "Exfiltration via AI Inference API",
        "AML.T0024.002": "Extract AI Model",
        "AML.T0008.005": "AI Service Proxies",
        "AML.T0040": "AI Model Inference API Access",
        "AML.T0005.001": "Train Proxy via Replication",
        "AML.T0048.004": "AI Intellectual Property Theft",
        "AML.T0051": "LLM Prompt Injection",
        "AML.T0054": "LLM Jailbreak",
        "AML.T0065": "LLM Prompt Crafting",
        "AML.CS0056": "Case study: Claude distillation campaigns",
    }
)

# Public indicators: behaviours named in disclosures and advisories. The numbers are those of the list in
# docs/method.md; no advisory's own numbering is meant.
INDICATORS = MappingProxyType(
    {
        1: "volume of one account or of a fleet",
        2: "enterprise throughput on another plan",
        3: "new account at its limit from the first hour",
        4: "use by day and night without human rhythm",
        5: "one credential, many addresses and clients",
        6: "many accounts behind few exits",
        7: "proxy, router or transfer station",
        8: "stripped or rewritten request metadata",
        9: "shared payment instrument",
        10: "virtual cards, disposable e-mail",
        11: "similar registration data, bulk purchase",
        12: "account-creation bursts",
        13: "abuse of programmes for education, research or start-ups",
        14: "synchronised timing over accounts",
        15: "load shared out evenly, with hand-over",
        16: "fail-over after a ban",
        17: "replacement accounts after bans",
        18: "fixed prompt or template over many accounts",
        19: "repetitive structure, low diversity",
        20: "concentration on a few capabilities",
        21: "broad, systematic coverage of a field",
        22: "elicitation of reasoning",
        23: "reasoning forced into tags",
        24: "reasoning asked for after the answer",
        25: "grading by rubric, as a reward model does",
        26: "rewriting of refused or sensitive text",
        27: "cleaning of the model's own traces",
        28: "replayed reasoning blocks",
        29: "edited history before a reasoning block",
        30: "probing of classifiers",
        31: "move to a new model within a day",
        32: "mixing with ordinary traffic",
        33: "many clouds and aggregators at once",
        34: "stolen keys",
        35: "harness of another product",
        36: "identity confusion in prompts",
        37: "checks for degraded output",
        41: "uniform sampling settings",
        42: "report of a partner",
    }
)

VIEW_NAMES = MappingProxyType(
    {
        View.TEXT: "prompts",
        View.SAMPLING: "sampling settings",
        View.INFRASTRUCTURE: "client and network",
        View.IDENTITY: "sign-up and payment",
        View.TIMING: "timing",
        View.CAPABILITY: "subject matter",
    }
)

BEYOND = 1e99
"""An e-value above this says nothing more by being larger; detect caps it in any case."""

ASKED = MappingProxyType(
    {
        "reasoning": "step-by-step reasoning",
        "inline_tags": "reasoning in tags",
        "backfill": "the reasoning behind finished answers",
        "grading": "grading by rubric",
        "rewriting": "rewriting",
        "persona": "a persona",
        "enumeration": "many items at once",
        "format": "machine-readable output",
        "synthesis": "training examples",
    }
)
"""What an `Elicitation` asks for; other capabilities are named as they are."""

SPEAKS = 2.0
"""A measure with a smaller e-value speaks neither way."""

REVIEW, CAREFUL, PROPOSAL = 20.0, 1e3, 1e6
"""Ladder of action on e-values: review queue, soft limits, a proposal of enforcement to a person."""


def plain(text: str) -> str:
    """Return `text` with control, format and surrogate characters made visible.

    A right-to-left override or a newline in an account id must not change how the rest of a line reads.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        else f"\\u{{{ord(character):x}}}"
        for character in text
    )


def words(name: str) -> str:
    """Return the identifier `name` as words."""
    return plain(name).replace("_", " ")


def asked(name: str) -> str:
    """Return what the elicitation or capability `name` asks for."""
    return ASKED.get(name.lower()) or words(name)


def whole(count: float) -> str:
    """Return `count` with thousands set apart."""
    return f"{count:,.0f}" if math.isfinite(count) else "unbounded"


def rough(count: float) -> str:
    """Return a large `count` as it is said: 18.4 million."""
    for size, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if math.isfinite(count) and abs(count) >= size:
            return f"{count / size:,.1f} {name}"
    return whole(count)


def figure(value: float) -> str:
    """Return a statistic with about three significant figures."""
    if not math.isfinite(value):
        return "unbounded" if value > 0 else "undefined"
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        if abs(value) >= 1e3 or value == int(value):
            return f"{value:,.0f}"
        return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
    return power(value)


def power(value: float) -> str:
    """Return `value` as a number times a power of ten, with the exponent raised."""
    mantissa, exponent = f"{value:.1e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))
    return f"{mantissa} \N{MULTIPLICATION SIGN} 10{raised}"


def percent(share: float) -> str:
    """Return a share as a percentage, without rounding a doubt away."""
    if not math.isfinite(share):
        return "unknown"
    if 0 < share < 0.001:
        return "under 0.1 %"
    if 0.999 < share < 1:
        return "over 99.9 %"
    return f"{100 * share:.3g} %"


def signed(points: float) -> str:
    """Return `points` with a sign and one decimal."""
    return f"{points:+.1f}".replace("-", "\N{MINUS SIGN}") if math.isfinite(points) else figure(points)


def heading(name: str) -> str:
    """Return the identifier `name` as words with a capital."""
    text = words(name)
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """Return `text` with a capital and a full stop."""
    text = plain(text).strip()
    stop = "" if text.endswith((".", "!", "?")) or not text else "."
    return text[:1].upper() + text[1:] + stop


def odds(probability: float) -> str:
    """Return a small probability as `1 in N`."""
    if not math.isfinite(probability) or probability >= 0.5:
        return "as likely wrong as right"
    if probability <= 0:
        return "too small to state"
    return f"about 1 in {float(f'{1 / probability:.2g}'):,.0f}"


def evidence(e_value: float | None) -> str:
    """Return an e-value for a table."""
    if e_value is None:
        return "describes only"
    if e_value >= BEYOND:
        return f"over {power(BEYOND)}"
    return power(e_value) if e_value >= 1e6 else figure(e_value)


def strength(e_value: float) -> str:
    """Return what an e-value means, on the ladder of action."""
    if e_value >= PROPOSAL:
        return "very strong"
    if e_value >= CAREFUL:
        return "strong"
    if e_value >= REVIEW:
        return "enough for a review"
    return "weak"


def day(moment: datetime | None) -> str:
    """Return the date of `moment` as 21 November 2026."""
    return f"{moment.day} {moment:%B} {moment.year}" if moment else "unknown"


def minute(moment: datetime | None) -> str:
    """Return `moment` to the minute, in UTC."""
    return f"{moment.isoformat(sep=' ', timespec='minutes')[:16]} UTC" if moment else "unknown"


def span(first: datetime, last: datetime) -> str:
    """Return the time from `first` to `last` in days or hours."""
    length = max(last - first, timedelta())
    if length >= timedelta(days=2):
        return f"{length / timedelta(days=1):.0f} days"
    return f"{length / timedelta(hours=1):.0f} hours"


def indicator_name(identifier: str) -> str:
    """Return the behaviour that an advisory id such as `signal-18` stands for, or nothing."""
    number = re.search(r"[0-9]{1,9}$", identifier)
    return INDICATORS.get(int(number[0]), "") if number else ""


def views(group: Group) -> tuple[View, ...]:
    """Return the views from which evidence speaks for `group` (e-value of at least 20), in a fixed order."""
    seen = {finding.view for finding in group.evidence if (finding.e_value or 0) >= REVIEW}
    return tuple(view for view in View if view in seen)


def listing(parts: Sequence[str]) -> str:
    """Return `parts` as in a sentence."""
    return ", ".join(parts[:-1]) + f" and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def counted(number: int, one: str, many: str = "") -> str:
    """Return `number` with its noun."""
    return f"{whole(number)} {one if number == 1 else many or one + 's'}"
