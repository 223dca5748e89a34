"""From documents and keys to a report: scan, correct for all keys, ask the decoys, say where and how sure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stillwatch.mark import prf
from stillwatch.mark.detection.betting import total_log_e
from stillwatch.mark.detection.decoys import decoy_keys
from stillwatch.mark.detection.decoys import panel as judge_decoys
from stillwatch.mark.detection.evidence import Evidence, collect
from stillwatch.mark.detection.likelihood import likelihood_log_e
from stillwatch.mark.detection.localise import localise
from stillwatch.mark.detection.manykeys import benjamini_hochberg_of_logs, weak_signals
from stillwatch.mark.detection.nulls import log_tail, z_scores
from stillwatch.mark.detection.report import CohortResult, KeyResult, MarkReport, Settings, Stretch
from stillwatch.mark.detection.scan import totals
from stillwatch.mark.detection.spoofing import (
    SpoofingCheck,
    check_spoofing,
    context_frequencies,
    probability_strata,
)
from stillwatch.mark.schemes import DualKeyGumbel, GumbelMax
from stillwatch.stats.fdr import holm_log_levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stillwatch.mark.detection.alignment import Alignment
    from stillwatch.mark.detection.decoys import DecoyPanel
    from stillwatch.mark.detection.evidence import Documents
    from stillwatch.mark.detection.keyfile import KeyTable
    from stillwatch.mark.prf import Keys, Tokens
    from stillwatch.mark.schemes import Scheme

    Floats = NDArray[np.float64]

_MOST_STRETCHES = 50
_LOG_10 = math.log(10.0)
_SHARE_OF_TOTAL = 0.9
_CANDIDATES, _MOST_LIKELIHOOD = 32, 20_000
"""Keys and scores up to which likelihood ratios are computed; neither choice depends on what is accused."""


def detect(
    documents: Documents,
    scheme: Scheme,
    table: KeyTable,
    settings: Settings,
    *,
    exclude: Tokens | None = None,
    reference: Tokens | None = None,
    probabilities: Sequence[Floats] = (),
    alignment: Alignment | None = None,
    tokenizer: str = "",
    threads: int = 1,
) -> MarkReport:
    """Test documents under every key of a table.

    A key is named when its family-wise error over *all* keys tried is at most the level and the decoys behave
    as the null law says; if they do not, nothing is named, whatever the p-values.

    Args:
        documents: Token ids of the marking tokenizer, shape (length,) each; together one body of evidence.
        scheme: The scheme that the keys drive.
        table: The keys.
        settings: What was fixed beforehand.
        exclude: Contexts, shape (m, w), that stand in prompts or quotations.
        reference: Contexts, shape (m, w), of a corpus like the one a forger would have learned from.
        probabilities: What our model gives each token of each document, for the check of forgery; or nothing.
        alignment: Goes into the report as it is.
        tokenizer: As `alignment`.
        threads: Threads for scanning keys.

    Examples:
        >>> from stillwatch.mark.detection.keyfile import derive_table
        >>> from stillwatch.mark.keys import MasterKey
        >>> from stillwatch.mark.schemes import GumbelMax
        >>> table = derive_table(MasterKey(bytes(range(32))).epoch("2026-11"), [("acme", "")])
        >>> report = detect([np.arange(100)], GumbelMax(), table, Settings())
        >>> report.scored, report.keys_tried, len(report.named)
        (100, 2, 0)
    """
    evidence = collect(documents, scheme, rule=settings.rule, exclude=exclude, whole=settings.whole)
    both = np.concatenate([table.values, decoy_keys(settings.seed, settings.decoys)])
    scores = totals(scheme, evidence.contexts, evidence.tokens, both, threads=threads)
    results = _Results(scheme, table, scores[: len(table)], evidence)
    panel = judge_decoys(scheme.null, float(results.scores.max()), scores[len(table) :], len(evidence))
    named = results.below(settings.level) if panel.sound else []
    watch = [i for i in results.watched(0.1) if i not in named] if panel.sound else []
    return MarkReport(
        scheme=scheme.name,
        prf=scheme.version,
        context_width=scheme.context_width,
        settings=settings,
        documents=len(documents),
        tokens_read=evidence.read,
        scored=len(evidence),
        repeated=evidence.repeated,
        excluded=evidence.excluded,
        unkeyed=evidence.unkeyed,
        keys_tried=len(table),
        named=tuple(
            results.row(i, _stretches(scheme, evidence, table, i, settings.level, len(documents)))
            for i in named
        ),
        watch=tuple(results.row(i) for i in watch),
        best=results.row(int(np.argmin(results.log_p))) if len(table) else None,
        panel=panel,
        cohorts=_cohorts(table, results.log_p, settings) if len(evidence) else (),
        alignment=alignment,
        tokenizer=tokenizer,
        spoofing=_spoofing(scheme, evidence, table, named, reference, probabilities, settings.seed),
        sentence=_sentence(results, named, panel, evidence, settings),
    )


def combined_log_p(log_p: Floats, log_e: Floats, chosen: NDArray[np.int64]) -> Floats:
    """Log of min(p / 0.9, 10 / e) for the `chosen` rows, of p / 0.9 for the others: weighted Bonferroni."""
    both = log_p - math.log(_SHARE_OF_TOTAL)
    both[chosen] = np.minimum(both[chosen], -log_e[chosen] - math.log(1.0 - _SHARE_OF_TOTAL))
    return np.asarray(both)


def _likelihood(scheme: GumbelMax | DualKeyGumbel, evidence: Evidence, keys: Keys) -> Floats:
    """Log of the likelihood ratio under each key; dual keys are scored apart."""
    pairs = evidence.contexts, evidence.tokens
    if isinstance(scheme, GumbelMax):
        return likelihood_log_e(scheme.scores(*pairs, keys))
    single = GumbelMax(scheme.context_width)
    first, second = (single.scores(*pairs, one) for one in prf.dual_keys(keys))
    return likelihood_log_e(first, second, scheme.alpha)


class _Results:
    """All numbers of all keys, of which a few rows are shown."""

    def __init__(self, scheme: Scheme, table: KeyTable, scores: Floats, evidence: Evidence) -> None:
        self.table, self.scores = table, scores
        self.log_p = log_tail(scheme.null, scores, len(evidence))
        self.z = z_scores(scheme.null, scores, len(evidence))
        self.log_e = total_log_e(scheme.null, scores, len(evidence))
        both = self._with_likelihood(scheme, evidence)
        self.errors = holm_log_levels(both)
        self.rates = benjamini_hochberg_of_logs(both)

    def _with_likelihood(self, scheme: Scheme, evidence: Evidence) -> Floats:
        """P-values of the two statistics together, min(p / 0.9, 10 / e); for keys that are far off, p / 0.9.

        The split of the level favours the total, which the likelihood ratio beats clearly or not at all.

        Leaving out 1/e can only make a p-value larger, so which keys are looked at closely needs no
        correction.
        """
        if not isinstance(scheme, (GumbelMax, DualKeyGumbel)) or not 0 < len(evidence) <= _MOST_LIKELIHOOD:
            return self.log_p
        near = np.argsort(self.log_p, kind="stable")[:_CANDIDATES]
        self.log_e[near] = _likelihood(scheme, evidence, self.table.values[near])
        return np.minimum(combined_log_p(self.log_p, self.log_e, near), 0.0)

    def below(self, level: float) -> list[int]:
        """Rows whose family-wise error is at most `level`, best first."""
        return self._best_first(self.errors <= math.log(level))

    def watched(self, rate: float) -> list[int]:
        """Rows whose false-discovery rate is at most `rate`, best first."""
        return self._best_first(self.rates <= rate)

    def _best_first(self, chosen: NDArray[np.bool_]) -> list[int]:
        rows = np.flatnonzero(chosen)
        return [int(i) for i in rows[np.lexsort((self.log_p[rows], self.errors[rows]))]]

    def row(self, i: int, stretches: tuple[Stretch, ...] = ()) -> KeyResult:
        """What is shown of row `i`."""
        return KeyResult(
            key_id=self.table.key_ids[i],
            level=self.table.levels[i],
            name=self.table.names[i],
            cohort=self.table.cohorts[i],
            total=float(self.scores[i]),
            z=float(self.z[i]),
            log10_p=float(self.log_p[i]) / _LOG_10,
            log10_family_error=float(self.errors[i]) / _LOG_10,
            discovery_rate=float(self.rates[i]),
            log10_e=float(self.log_e[i]) / _LOG_10,
            stretches=stretches,
        )


def _stretches(
    scheme: Scheme, evidence: Evidence, table: KeyTable, i: int, level: float, documents: int
) -> tuple[Stretch, ...]:
    """Localise the mark of key `i` in each document, counting all documents and keys as tests."""
    scores = scheme.scores(evidence.contexts, evidence.tokens, table.values[i : i + 1])[0]
    borders = np.searchsorted(evidence.document, np.arange(documents + 1))
    found: list[Stretch] = []
    for number in np.flatnonzero(np.diff(borders) > 0):
        part = slice(int(borders[number]), int(borders[number + 1]))
        places = evidence.position[part]
        for one in localise(scheme.null, scores[part], level=level, tests=documents * len(table)):
            error = one.log_p / _LOG_10
            found.append(Stretch(int(number), int(places[one.start]), int(places[one.end - 1]) + 1, error))
        if len(found) >= _MOST_STRETCHES:
            break
    return tuple(found[:_MOST_STRETCHES])


def _spoofing(
    scheme: Scheme,
    evidence: Evidence,
    table: KeyTable,
    named: Sequence[int],
    reference: Tokens | None,
    probabilities: Sequence[Floats],
    seed: int,
) -> SpoofingCheck | None:
    """Look whether the mark of the first named key looks forged."""
    if not named or reference is None:
        return None
    scores = scheme.scores(evidence.contexts, evidence.tokens, table.values[named[0] : named[0] + 1])[0]
    strata = None
    if len(probabilities):
        starts = np.cumsum([0, *(len(one) for one in probabilities)])[evidence.document]
        strata = probability_strata(np.concatenate(probabilities)[starts + evidence.position])
    counts = context_frequencies(evidence.contexts, reference)
    return check_spoofing(scores, counts, np.random.default_rng([seed, len(table)]), strata=strata)


def _cohorts(table: KeyTable, log_p: Floats, settings: Settings) -> tuple[CohortResult, ...]:
    """Test each cohort of two or more accounts as a whole."""
    members: dict[str, list[int]] = {}
    for i, (level, cohort) in enumerate(zip(table.levels, table.cohorts, strict=True)):
        if level == "account" and cohort:
            members.setdefault(cohort, []).append(i)
    names = [name for name, rows in members.items() if len(rows) > 1]
    draws = min(99_999, max(999, round(20 * len(names) / settings.level)))
    signals = [
        weak_signals(log_p[members[name]], np.random.default_rng([settings.seed, i]), draws)
        for i, name in enumerate(names)
    ]
    if not names:
        return ()
    errors = np.exp(holm_log_levels(np.log([one.p for one in signals])))
    rows = [CohortResult(*one) for one in zip(names, signals, errors.tolist(), strict=True)]
    return tuple(sorted(rows, key=lambda one: (one.family_error, -one.signals.higher_criticism)))


def _sentence(
    results: _Results, named: Sequence[int], panel: DecoyPanel, evidence: Evidence, settings: Settings
) -> str:
    tried = f"{len(results.table):,} keys tried"
    basis = f"{len(evidence):,} distinct scores out of {evidence.read:,} tokens"
    if not len(evidence):
        return f"Nothing could be scored: the text has {evidence.read:,} tokens and none that a key decides."
    if not panel.sound:
        return f"No key is named: {panel.sentence} ({basis}, {tried})"
    if not named:
        return f"No key is named at a family-wise error of {settings.level:g} ({basis}, {tried})."
    names = ", ".join(_called(results.row(i)) for i in named[:5])
    more = f" and {len(named) - 5} more" if len(named) > 5 else ""
    return f"The text carries the mark of {names}{more}; family-wise error over {tried}, {basis}."


def _called(result: KeyResult) -> str:
    who = {"global": "the global key", "cohort": f"cohort {result.name}", "account": f"account {result.name}"}
    within = f" of cohort {result.cohort}" if result.cohort else ""
    return f"{who[result.level]}{within} (error {_power(result.log10_family_error)})"


def _power(log10: float) -> str:
    """A probability as digits and power of ten, also below the range of a double; rounded up."""
    exponent = math.floor(log10)
    digits = math.ceil(10.0 ** (log10 - exponent) * 10.0) / 10.0
    return f"{digits:.1f}e{exponent}" if digits < 10.0 else f"1.0e{exponent + 1}"
