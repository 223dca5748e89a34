"""The words of findings: what a statistic means, where it comes from, which public indicator it matches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stillwatch.detect.crowd_evidence import SCHEDULE
from stillwatch.model.findings import Finding, Verdict
from stillwatch.model.views import View

if TYPE_CHECKING:
    from stillwatch.detect.evidence import Evidence, Measured
    from stillwatch.detect.membership import Membership

METHOD_VERSION = 1
_SIGN_UPS = "sign_up_cohorts"
_PLACEBO = "conformal e-value against placebo groups of the operator's own accounts (arXiv 2302.07294)"

_AMONG = "; {reference:.1%} among unrelated accounts"

SENTENCES: dict[str, str] = {
    "activity_covariance": (
        "joint activity has a log covariance ratio of {value:+.2f}; "
        "independent accounts have {reference:+.2f}"
    ),
    "sampling_uniformity": "{value:.1%} of account pairs use the same sampling settings" + _AMONG,
    "client_uniformity": "{value:.1%} of account pairs use the same client software" + _AMONG,
    "address_sharing": "{value:.1%} of account pairs come from one address" + _AMONG,
    "payment_sharing": "{value:.1%} of account pairs share a payment instrument" + _AMONG,
    "device_sharing": "{value:.1%} of account pairs share a sign-up device" + _AMONG,
    "email_domain_sharing": "{value:.1%} of account pairs share an e-mail domain" + _AMONG,
    "pivot": "{value:.1%} of account pairs moved to the newest model on one day" + _AMONG,
    "births": "{value:.1%} of account pairs were opened on one day" + _AMONG,
    SCHEDULE: (
        "working patterns, whatever their lag, have a log covariance ratio of {value:+.2f}; "
        "independent accounts have {reference:+.2f}"
    ),
}

_ADVISORY: dict[str, tuple[int, ...]] = {
    "shared_prompts": (18,),
    "activity_covariance": (14,),
    SCHEDULE: (14,),
    _SIGN_UPS: (12,),
    "sampling_uniformity": (41,),
    "client_uniformity": (35,),
    "address_sharing": (6,),
    "payment_sharing": (9,),
    "births": (12,),
    "pivot": (31,),
    "extraction_share": (22, 24, 25),
    "fail_over": (16, 17),
    "throwaway_excess": (10,),
}
"""Numbers of the signal list in `docs/method.md`, section "Public indicators"."""

_MISSING: dict[str, str] = {
    "same_payer": "payment fingerprints of the accounts: one payer speaks for an organisation",
    "same_organisation": "organisation ids of the accounts: a declared organisation explains shared prompts",
    "repeat_share": "prompt fingerprints: whether the accounts run the same items or share out a queue",
    "birth_burst": "creation times of the accounts",
    "fail_over": "the operator's enforcement events: whether new accounts took over after bans",
    "extraction_share": "prompt text at ingest: what the prompts ask for",
    "verified_share": "verification state of the accounts",
}


@dataclass(frozen=True)
class Sized:
    """How many accounts and exchanges a finding rests on."""

    accounts: int
    exchanges: int

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.accounts:,} accounts, {self.exchanges:,} exchanges"


def findings_of(membership: Membership, evidence: Evidence, keys: int) -> tuple[Finding, ...]:
    """Return the evidence of a group: what proposed it first, then the statistics with the largest e-values.

    Args:
        membership: Members.
        evidence: Statistics against the placebos.
        keys: Number of text keys; a group without any was proposed by its sign-ups.

    A statistic that is zero in the group and among the placebos says nothing and is left out.
    """
    ranked = sorted(evidence.measured, key=lambda measured: -measured.log_e)
    sized = Sized(evidence.accounts, int(membership.strands.hits.sum()))
    said = [one for one in ranked if one.value != 0.0 or one.reference != 0.0]
    first = _text(membership, keys) if keys else _sign_ups(membership)
    return (first, *(_measured(one, sized) for one in said))


def _text(membership: Membership, keys: int) -> Finding:
    strands = membership.strands
    exchanges = int(strands.hits.sum())
    rate = exchanges / max(membership.sent, 1)
    return Finding(
        measure="shared_prompts",
        method=(
            "mixture e-value over all accounts against an over-dispersed background, confirmation slices"
        ),
        version=METHOD_VERSION,
        view=View.TEXT,
        value=rate,
        reference=membership.background,
        e_value=to_e(membership.group_log_e),
        computed_from=f"{strands.account.size:,} accounts, {membership.held_out:,} held-out exchanges",
        sentence=(
            f"{strands.account.size:,} accounts carry the group's {keys} rare prompt keys "
            f"in {exchanges:,} exchanges, {rate:.0%} of all that they sent; "
            f"other accounts carry them in {membership.background:.4%} of theirs"
        ),
    )


def _sign_ups(membership: Membership) -> Finding:
    size = membership.strands.account.size
    return Finding(
        measure=_SIGN_UPS,
        method="scan of sign-ups (Kulldorff 1997), mixture e-value against the days around",
        version=METHOD_VERSION,
        view=View.IDENTITY,
        value=float(size),
        reference=membership.background,
        e_value=to_e(membership.group_log_e),
        computed_from=f"{size:,} accounts and those opened in the days around",
        sentence=(
            f"{size:,} accounts with the same habits were opened in the same hours; of strangers "
            f"with such habits {membership.background:.2g} are to be expected there"
        ),
    )


def _measured(one: Measured, sized: Sized) -> Finding:
    return Finding(
        measure=one.name,
        method=_PLACEBO,
        version=METHOD_VERSION,
        view=one.view,
        value=one.value,
        reference=one.reference,
        e_value=to_e(one.log_e),
        computed_from=str(sized),
        sentence=SENTENCES[one.name].format(value=one.value, reference=one.reference),
    )


def to_e(log_e: float) -> float:
    """Return the e-value, capped at 1e300 so that it stays a JSON number."""
    return math.exp(min(log_e, 690.0))


def advisory_ids(features: dict[str, float], evidence: Evidence, least_log_e: float = 3.0) -> tuple[str, ...]:
    """Return the numbers of the public indicators that the group matches."""
    proposed = _SIGN_UPS if "sign_up_batches" in features else "shared_prompts"
    matched = {proposed} | {one.name for one in evidence.measured if one.log_e >= least_log_e}
    matched |= {name for name, least in _LEAST_FEATURE.items() if features.get(name, 0.0) >= least}
    numbers = sorted({number for name in matched for number in _ADVISORY.get(name, ())})
    return tuple(f"signal-{number}" for number in numbers)


_LEAST_FEATURE = {"extraction_share": 0.5, "fail_over": 0.2, "throwaway_excess": 0.3}


def atlas_ids(features: dict[str, float], verdict: Verdict) -> tuple[str, ...]:
    """Return the MITRE ATLAS techniques that a campaign shows; none for honest groups."""
    if verdict is not Verdict.CAMPAIGN:
        return ()
    mixed = features.get("strand_share", 1.0) < 0.8
    # AML.T0008.005, AI Service Proxies: distillation mixed with ordinary traffic of the same accounts
    return ("AML.T0024.002", "AML.T0040", *(("AML.T0008.005",) if mixed else ()))


def would_settle(features: dict[str, float]) -> tuple[str, ...]:
    """Say what is not known and would move the verdict."""
    absent = [text for name, text in _MISSING.items() if math.isnan(features.get(name, math.nan))]
    return (*absent, "a statement of the account holders: declared use, organisation, or programme")
