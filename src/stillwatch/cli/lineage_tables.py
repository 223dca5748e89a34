"""Plans, results and verifications of lineage on standard output."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.table import Table

from stillwatch.cases import words
from stillwatch.cli.tables import out_console, safe
from stillwatch.lineage.references import VERDICT_FLOOR, references_needed
from stillwatch.lineage.twins_power import needed_items

if TYPE_CHECKING:
    from pathlib import Path

    from stillwatch.app.lineage import Registered, Tested
    from stillwatch.lineage.evidence import Verification
    from stillwatch.lineage.session_plan import ContrastPlan, Plan, TwinPlan

_EXPOSURES = (1.0, 0.2, 0.05)
_EFFECTS = (0.3, 0.6, 1.0)


def print_plan(registered: Registered, out: Path) -> None:
    """Print what was registered and what it can show."""
    console, plan = out_console(), registered.plan
    console.print(f"Registered in {safe(str(out))}: {words.counted(registered.queries, 'query', 'queries')}")
    console.print(f"Digest to deposit before the test: {registered.digest}", soft_wrap=True)
    if plan.twins is not None:
        console.print(_twin_power(plan, plan.twins))
    if plan.contrast is not None:
        console.print(_references(plan, plan.contrast), soft_wrap=True)
    for reason in plan.left_out:
        console.print(f"Left out: {safe(reason)}", soft_wrap=True)


def _twin_power(plan: Plan, twins: TwinPlan) -> Table:
    table = Table(
        title=f"Items needed for {plan.alpha_support:g} with a chance of 90 % ({twins.items} registered)",
        title_justify="left",
    )
    table.add_column("effect of training, in deviations")
    for exposure in _EXPOSURES:
        table.add_column(f"{exposure:.0%} of the items in the training set", justify="right")
    for effect in _EFFECTS:
        needed = [needed_items(effect, exposure, alpha=plan.alpha_support) for exposure in _EXPOSURES]
        table.add_row(f"{effect:g}", *(f"{count:,}" for count in needed))
    return table


def _references(plan: Plan, contrast: ContrastPlan) -> str:
    have, needed = len(contrast.references), max(VERDICT_FLOOR, references_needed(plan.alpha_support))
    kind = "matched reference models" if contrast.matched else "reference models that do not match"
    return (
        f"{have} {kind}; {needed} matched families are needed for {plan.alpha_support:g} from likeness alone"
    )


def print_result(tested: Tested, out: Path) -> None:
    """Print the tiers, the verdict, and where the evidence is."""
    console, result = out_console(), tested.result
    table = Table(title="Evidence", title_justify="left")
    for title, side in (("tier", "left"), ("finding", "left"), ("e-value", "right"), ("p-value", "right")):
        table.add_column(title, justify=side)  # type: ignore[arg-type]
    for each in result.figures:
        e = "-" if each.log_e is None else words.evidence(math.exp(each.log_e))
        p = "-" if each.p is None else words.figure(each.p)
        table.add_row(f"{each.tier} {each.title}", safe(words.sentence(each.sentence)), e, p)
    console.print(table)
    console.print(f"Verdict: {result.verdict.value}, because {safe(result.reason)}", soft_wrap=True)
    console.print(f"Evidence and report: {safe(str(out))}; head {tested.document.head}", soft_wrap=True)


def print_verification(found: Verification) -> None:
    """Print each check and what was found wrong."""
    console = out_console()
    for check in found.checks:
        console.print(f"{'no ' if check.faults else 'yes'}  {check.what}", soft_wrap=True)
        for fault in check.faults[:5]:
            console.print(f"     {safe(fault)}", soft_wrap=True)
    if found.result is not None:
        e = words.evidence(math.exp(found.result.log_e))
        console.print(f"Computed again: {found.result.verdict.value}, e-value {e}", soft_wrap=True)
    console.print(f"Head: {found.head}", soft_wrap=True)
    console.print("Intact." if found.intact else "NOT intact.")
