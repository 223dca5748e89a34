"""The terms of the verdict: what each feature says for or against each kind of group, in nats of log odds.

Every term is piecewise linear in one feature and monotone, and is shown with the verdict. The knots were set
from what the kinds *are* (a benchmark repeats its items, an organisation has one payer), and checked on
simulated worlds with other seeds and populations than those of the benchmark; `docs/method.md` gives the
reasons one by one. Changing a knot is a change of the method: raise `VERSION`.
"""

from __future__ import annotations

from dataclasses import dataclass

from stillwatch.model.findings import Verdict

VERSION = 3

C, A, O, B, R, K, P = (  # noqa: E741 - one letter a kind keeps the table below readable
    Verdict.CAMPAIGN,
    Verdict.APPLICATION,
    Verdict.ORGANISATION,
    Verdict.BENCHMARK,
    Verdict.RESELLER,
    Verdict.CLASS,
    Verdict.PROGRAMME,
)

PRIORS: dict[Verdict, float] = {C: -3.0, A: 0.0, O: -1.0, B: -1.5, K: -2.0, R: -2.0, P: -2.0}
"""Log weight of each kind before anything is known: groups that share keys are mostly applications."""


@dataclass(frozen=True)
class Rule:
    """How one feature speaks.

    Attributes:
        feature: Name of the feature.
        knots: Values of the feature, ascending.
        points: For each kind the nats at the knots; between them linear, beyond them constant.
        sentence: Format string with {value}, in words for a reviewer.
    """

    feature: str
    knots: tuple[float, ...]
    points: dict[Verdict, tuple[float, ...]]
    sentence: str


RULES: tuple[Rule, ...] = (
    Rule(
        "extraction_share",
        (0.0, 0.1, 0.5, 0.9),
        {C: (-1.5, 0.0, 1.5, 3.0), A: (0.5, 0.0, -0.5, -1.5), R: (0.5, 0.0, -0.5, -1.5)},
        "{value:.0%} of the exchanges ask for reasoning, grading, rewriting or training examples",
    ),
    Rule(
        "repeat_share",
        (0.0, 0.05, 0.3, 0.7),
        {
            C: (1.0, 0.5, -2.0, -5.0),
            B: (-6.0, -3.0, 2.0, 5.0),
            K: (-6.0, -3.0, 2.0, 4.5),
            A: (0.5, 0.5, -1.0, -3.0),
            O: (0.3, 0.3, 0.0, -1.0),
        },
        "{value:.0%} of the exchanges ask exactly what another account of the group asked",
    ),
    Rule(
        "strand_volume",
        (5.0, 30.0, 100.0, 300.0),
        {K: (1.0, 0.0, -1.0, -2.5), B: (-1.0, 0.0, 0.7, 1.2)},
        "the median account sent {value:.0f} of these exchanges",
    ),
    Rule(
        "same_organisation",
        (0.0, 0.3, 0.8, 1.0),
        {
            O: (-5.0, -3.0, 4.0, 6.0),
            C: (0.0, 0.0, -4.0, -7.0),
            A: (0.3, 0.0, -3.0, -4.0),
            B: (0.0, 0.0, 1.0, 1.5),
            K: (0.0, 0.0, 0.5, 0.5),
        },
        "{value:.0%} of the accounts belong to one declared organisation",
    ),
    Rule(
        "same_payer",
        (0.0, 0.3, 0.8, 1.0),
        {O: (-1.0, 0.0, 3.0, 4.0), C: (0.5, 0.0, -2.0, -3.0), A: (0.3, 0.0, -2.0, -3.0)},
        "{value:.0%} of the accounts are paid by one instrument",
    ),
    Rule(
        "shared_payments",
        (0.0, 0.1, 0.4, 0.8),
        {
            C: (-0.5, 0.0, 2.0, 3.5),
            A: (0.5, 0.0, -2.0, -4.0),
            K: (0.3, 0.0, -1.0, -2.0),
            B: (0.3, 0.0, -1.0, -2.0),
        },
        "{value:.0%} of the accounts share a payment instrument with an account of no common organisation",
    ),
    Rule(
        "throwaway_excess",
        (-0.2, 0.0, 0.3, 0.7),
        {
            C: (-1.0, 0.0, 1.5, 2.5),
            A: (0.3, 0.0, -1.0, -2.0),
            K: (0.3, 0.0, -1.0, -2.0),
            B: (0.5, 0.0, -1.0, -2.0),
        },
        "virtual and prepaid cards are {value:+.0%} against the population",
    ),
    Rule(
        "birth_burst",
        (0.0, 0.1, 0.3, 0.7),
        {
            C: (-0.5, 0.0, 1.0, 1.5),
            K: (-3.0, -1.0, 1.0, 2.0),
            O: (-0.5, 0.0, 0.5, 1.0),
            A: (0.5, 0.0, -1.0, -2.0),
        },
        "{value:.0%} of the accounts were opened within the same two days",
    ),
    Rule(
        "effective_keys",
        (100.0, 300.0, 1000.0),
        {C: (0.0, 0.4, 0.7), A: (0.0, -0.4, -0.7)},
        "the accounts share {value:.0f} wordings, counted as if all were used alike",
    ),
    Rule(
        "shared_text",
        (0.0, 0.5),
        {A: (-1.5, 0.0), B: (-1.0, 0.0), K: (-1.0, 0.0)},
        "{value:.0%} of the accounts stand in one group that shares text",
    ),
    Rule(
        "sign_up_batches",
        (1.0, 2.0, 4.0),
        {C: (-0.5, 0.5, 1.5), A: (0.0, -0.5, -1.0), K: (0.0, -1.0, -2.0), O: (0.0, -0.3, -1.0)},
        "the accounts were opened in {value:.0f} bursts of hours, more than a day apart",
    ),
    Rule(
        "crowd_exits",
        (0.0, 0.1, 0.4, 0.8),
        {
            C: (0.0, 0.0, 2.0, 3.5),
            A: (0.0, 0.0, -2.0, -4.0),
            K: (0.0, 0.0, -1.0, -2.0),
            B: (0.0, 0.0, -1.0, -2.0),
        },
        "{value:.0%} of the accounts come from addresses whose accounts were mostly opened in these bursts, "
        "and not in the same one",
    ),
    Rule(
        "schedule",
        (0.0, 3.0, 6.0, 12.0),
        {
            C: (-0.5, 0.0, 1.0, 2.0),
            A: (0.5, 0.0, -1.0, -1.5),
            K: (0.0, 0.0, 0.5, 1.0),
            O: (0.0, 0.0, 0.3, 0.5),
            B: (0.0, 0.0, 0.5, 1.0),
        },
        "joint activity lies {value:.1f} spreads from that of independent accounts",
    ),
    Rule(
        "single_turn_share",
        (0.0, 0.5, 0.9, 1.0),
        {C: (-2.0, -0.5, 0.5, 1.0), A: (1.5, 0.5, -0.3, -0.5), B: (-3.0, -1.0, 0.5, 1.0)},
        "{value:.0%} of the exchanges are the first turn of a conversation",
    ),
    Rule(
        "tool_share",
        (0.0, 0.5, 1.0),
        {A: (-0.2, 0.7, 1.5), C: (0.0, -0.3, -0.7)},
        "{value:.0%} of the exchanges offer tools",
    ),
    Rule(
        "software_keys",
        (0.0, 1.0),
        {A: (-0.8, 0.8), C: (0.2, -0.2)},
        "a shared system prompt or tool schema is among the keys: {value:.0f}",
    ),
    Rule(
        "programme_share",
        (0.0, 0.1, 0.8),
        {P: (-8.0, 0.0, 16.0), C: (0.0, 0.0, -5.0)},
        "{value:.0%} of the accounts belong to a declared programme",
    ),
    Rule(
        "reseller_share",
        (0.0, 0.1, 0.8),
        {R: (-8.0, 0.0, 12.0), C: (0.0, 0.0, -3.0)},
        "{value:.0%} of the accounts belong to a declared reseller",
    ),
    Rule(
        "same_address",
        (0.0, 0.1, 0.4, 0.8),
        {K: (-3.0, -0.5, 2.0, 3.0), O: (-0.5, 0.0, 1.0, 1.5), C: (0.3, 0.0, -0.5, -1.0)},
        "{value:.0%} of the accounts mostly come from one address",
    ),
    Rule(
        "rhythm",
        (0.0, 0.2, 0.7, 1.2),
        {
            C: (1.0, 0.5, -0.5, -1.0),
            A: (-0.5, 0.0, 0.5, 0.7),
            K: (-1.0, -0.5, 0.5, 1.0),
            B: (0.5, 0.3, -0.3, -0.5),
        },
        "the daily rhythm of an account is {value:.0%} of that of the population",
    ),
    Rule(
        "coverage",
        (-1.0, 0.0, 0.7),
        {C: (0.0, 0.7, 1.5), K: (0.5, -0.5, -1.5)},
        "the breadth of fields against the population is {value:+.1f} (log ratio of effective cells)",
    ),
    Rule(
        "fail_over",
        (0.0, 0.1, 0.4),
        {C: (0.0, 1.0, 3.5), A: (0.0, -0.5, -1.0)},
        "{value:.0%} more accounts than expected began within three days after a wave of bans",
    ),
    Rule(
        "verified_share",
        (0.0, 0.3, 0.9),
        {C: (0.3, 0.0, -2.0), O: (0.0, 0.0, 1.0)},
        "{value:.0%} of the accounts have a verified organisation or identity",
    ),
)
