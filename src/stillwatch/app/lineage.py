"""Tests of a suspect model from the command line: register, run, write, verify."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from stillwatch import __version__
from stillwatch.lineage.evidence import EVIDENCE, Document, evidence_bytes, read_document, verify
from stillwatch.lineage.report import REPORT, render_report
from stillwatch.lineage.session import Session
from stillwatch.lineage.session_build import build_channels, build_plan, queries_of
from stillwatch.lineage.session_material import note_registration, read_material
from stillwatch.lineage.session_plan import Plan, plan_digest, read_plan, write_plan
from stillwatch.lineage.suspect_file import FileSuspect
from stillwatch.lineage.suspect_http import HttpSuspect, only_model
from stillwatch.model.errors import InputError
from stillwatch.model.wholefile import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from stillwatch.lineage.evidence import Verification
    from stillwatch.lineage.evidence_verdict import Result
    from stillwatch.lineage.session_build import Choice
    from stillwatch.lineage.suspect import Suspect
    from stillwatch.lineage.suspect_http import Pace
    from stillwatch.model.progress import Progress

PLAN = "plan.json"


@dataclass(frozen=True)
class Registered:
    """A plan that was written, and what it will cost."""

    plan: Plan
    digest: str
    queries: int


@dataclass(frozen=True)
class Tested:
    """A finished test."""

    document: Document
    result: Result


def register(
    evidence: Path, out: Path, choice: Choice, now: datetime, requests: Path | None = None
) -> Registered:
    """Write the plan of a test into `out` and note it beside the material.

    Args:
        evidence: The operator's material.
        out: Directory of the test.
        choice: What the operator decides.
        now: Time, UTC.
        requests: Where to write ids and prompts for somebody who asks the suspect elsewhere.

    Raises:
        InputError: The material is not usable, or `out` has a plan already.
    """
    material = read_material(evidence)
    plan = build_plan(material, choice, now)
    queries = queries_of(build_channels(plan, material))
    write_plan(out / PLAN, plan)
    entry = {"suspect": plan.suspect, "registered_at": now.isoformat(), "digest": plan_digest(plan)}
    note_registration(evidence, entry)
    if requests is not None:
        lines = (msgspec.json.encode(query) + b"\n" for query in queries)
        write_atomically(requests, b"".join(lines))
    return Registered(plan, entry["digest"], len(queries))


def run_test(
    suspect: Suspect, evidence: Path, out: Path, now: Callable[[], datetime], progress: Progress
) -> Tested:
    """Run the test that is registered in `out`, or go on with it, and write evidence and report.

    Raises:
        InputError: There is no plan, the material changed, or the suspect cannot be asked.
    """
    material, plan = read_material(evidence), read_plan(out / PLAN)
    mine = plan_digest(plan)
    earlier = [entry for entry in material.registrations if entry.get("digest") != mine]
    session = Session(out, plan, build_channels(plan, material), now, earlier)
    outcome = session.run(suspect, progress)
    content = evidence_bytes(outcome.entries)
    document = read_document(content)
    write_atomically(out / EVIDENCE, content)
    page = render_report(document, plan, outcome.result, now(), __version__)
    write_atomically(out / REPORT, page.encode())
    return Tested(document, outcome.result)


def suspect_of(where: str, model: str, key: str, template: str, pace: Pace) -> Suspect:
    """Return the suspect at an address, or the one whose answers a file holds.

    Args:
        where: Address or path.
        model: Name of the model at the address; if empty, the one that the server lists.
        key: API key, or nothing.
        template: How prompts stand before answers, see `Plan`.
        pace: How fast an endpoint is asked.

    Raises:
        InputError: It is neither address nor file, or a model has to be named.
    """
    if "://" not in where:
        return FileSuspect(Path(where))
    suspect = HttpSuspect(where, model, key, template, pace)
    suspect.model = model or only_model(suspect)
    return suspect


def registered_template(out: Path) -> str | None:
    """Return the template of the plan in `out`, or None without a plan."""
    return read_plan(out / PLAN).template if (out / PLAN).exists() else None


def verify_file(path: Path, head: str | None) -> Verification:
    """Check an evidence file.

    Raises:
        InputError: It cannot be read or is no evidence file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), error.strerror or "cannot be read", "name an evidence.json") from None
    try:
        return verify(content, head)
    except InputError as error:
        raise InputError(str(path), error.what, error.remedy) from None
