"""Results on standard output, as tables."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stillwatch.app.outputs import REJECTED, REPORT
from stillwatch.cases import words
from stillwatch.model.findings import Detection, Group, Hypothesis, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stillwatch.ingest import IngestReport
    from stillwatch.model.coverage import CoverageCard
    from stillwatch.worlds import Score

_PLAIN_WIDTH = 160
_MOST_NOTES = 5


def out_console() -> Console:
    """Return a console on standard output; where no terminal is, wide enough that nothing is cut."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PLAIN_WIDTH)


def safe(text: str) -> str:
    """Return `text` without control characters and without markup."""
    return escape(words.plain(text))


def print_ingest(report: IngestReport) -> None:
    """Print what became of the files of one run; details only of files with something to say."""
    console = out_console()
    outcomes = Counter(file.outcome for file in report.files)
    known = f", {outcomes['known']} known already" if outcomes["known"] else ""
    files = words.counted(outcomes["read"], "file")
    exchanges, rejected = (
        words.counted(report.exchanges, "new exchange"),
        words.counted(report.rejected, "rejected line"),
    )
    console.print(f"Read {files}{known}: {exchanges}, {rejected}.")
    for note in report.notes[:_MOST_NOTES]:
        console.print(f"Note: {safe(note)}", soft_wrap=True)
    if len(report.notes) > _MOST_NOTES:
        console.print(f"Note: so for {len(report.notes) - _MOST_NOTES} more files; see {REJECTED}.")


def print_detection(detection: Detection, out: Path) -> None:
    """Print the campaigns, what else was found coordinated, and where the report is."""
    console = out_console()
    if detection.campaigns:
        console.print(_campaign_table(detection.campaigns))
    else:
        console.print("No distillation campaign found.")
    others = [group for group in detection.groups if group.verdict is not Verdict.CAMPAIGN]
    if others:
        console.print(f"Other groups with shared prompts, not accused: {safe(_kinds(others))}.")
    console.print(
        f"Looked at {words.counted(detection.exchanges, 'exchange')} of "
        f"{words.counted(detection.accounts, 'account')}; "
        f"false-discovery rate of coordinated groups {words.percent(detection.fdr_level)}."
    )
    if not detection.audit.sound:
        console.print(f"[bold]The audit of the null failed:[/] {safe(detection.audit.sentence)}")
    for note in detection.notes:
        console.print(f"Note: {safe(note)}")
    console.print(f"Report: {safe(str(out / REPORT))}", soft_wrap=True)


def _campaign_table(campaigns: Sequence[Group]) -> Table:
    table = Table(
        title=f"{words.counted(len(campaigns), 'distillation campaign')} found", title_justify="left"
    )
    table.add_column("campaign", no_wrap=True)
    for name in ("accounts", "exchanges", "output tokens", "chance of error"):
        table.add_column(name, justify="right")
    for name in ("first seen", "last seen", "asks for"):
        table.add_column(name)
    for group in campaigns:
        table.add_row(
            safe(group.id),
            words.whole(group.account_count),
            words.whole(group.exchanges),
            words.rough(group.output_tokens),
            words.percent(group.error_rate.total),
            f"{group.first_seen:%Y-%m-%d}",
            f"{group.last_seen:%Y-%m-%d}",
            safe(words.listing([words.asked(name) for name in group.capabilities[:3]])),
        )
    return table


def _kinds(groups: Sequence[Group]) -> str:
    counts = {kind: sum(group.verdict is kind for group in groups) for kind in Verdict}
    return words.listing([f"{count} {words.VERDICTS[kind]}" for kind, count in counts.items() if count])


def print_group(group: Group) -> None:
    """Print the evidence for one group."""
    console = out_console()
    console.print(f"[bold]{safe(group.id)}[/]: {words.VERDICTS[group.verdict]}")
    console.print(
        f"{words.counted(group.account_count, 'account')}, {words.counted(group.exchanges, 'exchange')}, "
        f"{words.rough(group.output_tokens)} output tokens, "
        f"{words.minute(group.first_seen)} to {words.minute(group.last_seen)}; "
        f"detected {words.minute(group.detected_at)}."
    )
    console.print(
        f"Chance of error {words.percent(group.error_rate.total)}: "
        f"coordination {words.percent(group.error_rate.coordination_fdr)}, "
        f"verdict {words.percent(group.error_rate.verdict_error)}. e-value {words.evidence(group.e_value)}."
    )
    console.print(_evidence_table(group))
    console.print(_hypothesis_table((group.hypothesis, *group.alternatives)))
    _print_words(console, group)
    for name, values in (
        ("Asks for", [words.asked(name) for name in group.capabilities]),
        ("Models", list(group.models)),
        ("ATLAS", [f"{name} {words.ATLAS.get(name, '')}".strip() for name in group.atlas_ids]),
        ("Indicators", [f"{name} {words.indicator_name(name)}".strip() for name in group.advisory_ids]),
        ("Would settle the doubt", list(group.would_settle)),
    ):
        if values:
            console.print(f"{name}: {safe('; '.join(values))}")


def _print_words(console: Console, group: Group) -> None:
    texts = [skeleton.text for skeleton in group.skeletons if skeleton.text]
    if texts:
        console.print(
            "Shared words of the prompts, as the operator asked with --skeletons "
            "(used in this order by at least 90 % of the sampled accounts, all else masked):"
        )
    for text in texts:
        console.print(f"  {safe(text)}", soft_wrap=True)


def _evidence_table(group: Group) -> Table:
    table = Table(title="Evidence", title_justify="left")
    for name in ("measure", "view"):
        table.add_column(name)
    for name in ("value", "reference", "e-value"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("in words")
    for finding in group.evidence:
        table.add_row(
            safe(words.words(finding.measure)),
            words.VIEW_NAMES[finding.view],
            words.figure(finding.value),
            "none" if finding.reference is None else words.figure(finding.reference),
            words.evidence(finding.e_value),
            safe(finding.sentence),
        )
    return table


def _hypothesis_table(hypotheses: Sequence[Hypothesis]) -> Table:
    table = Table(title="Explanations considered", title_justify="left")
    table.add_column("explanation")
    table.add_column("probability", justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("strongest terms, in nats")
    for hypothesis in hypotheses:
        terms = sorted(hypothesis.terms, key=lambda term: -abs(term.points))[:4]
        table.add_row(
            words.VERDICTS[hypothesis.kind],
            words.percent(hypothesis.probability),
            f"{hypothesis.score:+.1f}",
            safe("; ".join(f"{words.words(term.measure)} {term.points:+.1f}" for term in terms)),
        )
    return table


def print_cards(cards: Sequence[CoverageCard]) -> None:
    """Print what each source supports and lacks."""
    console = out_console()
    if not cards:
        console.print("No source has been ingested.")
    for card in cards:
        console.print(
            f"[bold]{safe(card.source)}[/] ({safe(card.format)}): {words.counted(card.rows, 'exchange')}, "
            f"{words.counted(card.rejected, 'rejected line')}"
        )
        console.print(
            f"  can support: {safe(', '.join(words.words(name) for name in card.supported)) or 'nothing'}"
        )
        if card.unjudged:
            kept = ", ".join(words.words(name) for name in card.unjudged)
            console.print(f"  holds, and nothing judges yet: {safe(kept)}")
        for measure, reason in card.missing.items():
            console.print(f"  lacks {safe(words.words(measure))}: {safe(reason)}")
    if any(card.rejected for card in cards):
        console.print(f"Rejected lines, with reasons, are in {REJECTED} of a scan.")


def print_score(score: Score) -> None:
    """Print how a report compares with the truth."""
    table = Table(title="Against the truth", title_justify="left")
    table.add_column("campaign")
    for name in ("accounts to find", "found", "share", "exchanges", "of accounts found"):
        table.add_column(name, justify="right")
    for campaign in score.campaigns:
        table.add_row(
            safe(campaign.campaign),
            words.whole(campaign.accounts),
            words.whole(campaign.found),
            words.percent(campaign.recall),
            words.whole(campaign.exchanges),
            words.whole(campaign.exchanges_found),
        )
    reports, honest = (
        words.counted(score.reports, "campaign"),
        words.counted(score.honest_accounts, "honest account"),
    )
    console = out_console()
    console.print(table)
    console.print(
        f"{reports} reported, {score.false_reports} of them false; {score.honest_named} of {honest} named."
    )
