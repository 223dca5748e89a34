"""The evidence file: one canonical JSON document that the other side can check and compute again.

    {"entries": [registration, suspect, look …, data …, result], "format": …, "head": hash of the last entry}

Each entry carries the hash of the one before. Whoever publishes or deposits the head, or the registration's
hash before the test, can later change nothing without being found out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from stillwatch.lineage.chain import Entry, canonical, chain_faults, plain
from stillwatch.lineage.evidence_tiers import TIERS, planned
from stillwatch.lineage.evidence_verdict import Result, result_of
from stillwatch.lineage.session_plan import Plan, plan_body, plan_digest
from stillwatch.model.errors import InputError, StillwatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FORMAT = "stillwatch-evidence/1"
EVIDENCE = "evidence.json"
_ORDER = {"registration": 0, "suspect": 1, "look": 2, "data": 3, "result": 4}


class Document(msgspec.Struct, frozen=True):
    """An evidence file."""

    entries: tuple[Entry, ...]
    format: str
    head: str


@dataclass(frozen=True)
class Check:
    """One thing that was checked, and what was found wrong."""

    what: str
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Verification:
    """What checking an evidence file gave; `result` is computed anew, None where it cannot be."""

    checks: tuple[Check, ...]
    head: str
    result: Result | None

    @property
    def intact(self) -> bool:
        """Whether nothing was found wrong."""
        return not any(check.faults for check in self.checks)


def evidence_bytes(entries: Sequence[Entry]) -> bytes:
    """Return the evidence file of a finished session.

    Raises:
        InputError: The chain has no end, or holds what canonical JSON cannot carry.
    """
    if not entries or entries[-1].kind != "result":
        raise InputError("session", "has no result yet", "run it to the end")
    document = Document(tuple(entries), FORMAT, entries[-1].hash)
    return canonical(plain(document))


def read_document(content: bytes) -> Document:
    """Decode an evidence file without checking it.

    Raises:
        InputError: It is not of that form.
    """
    try:
        document = msgspec.json.decode(content, type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InputError("evidence", "is not an evidence file", "name an evidence.json") from None
    if document.format != FORMAT:
        raise InputError("evidence", "is of another version", f"this stillwatch reads {FORMAT}")
    return document


def document_plan(document: Document) -> Plan:
    """Return the registered plan.

    Raises:
        InputError: There is none in the first entry.
    """
    try:
        return msgspec.convert(document.entries[0].body["plan"], Plan)
    except (IndexError, KeyError, msgspec.ValidationError, InputError):
        raise InputError("evidence", "begins without a registration", "name a whole evidence.json") from None


def verify(content: bytes, head: str | None = None) -> Verification:
    """Check an evidence file and compute all its figures again.

    Args:
        content: Bytes of the file.
        head: Hash of the last entry as it was deposited or published, if known.

    Raises:
        InputError: The file is not an evidence file at all.
    """
    document = read_document(content)
    plan = document_plan(document)
    result, computed = _recomputed(document, plan)
    checks = (
        Check("the file is in canonical form", _canonical_faults(content, document)),
        Check("each entry continues the one before", tuple(chain_faults(document.entries))),
        Check("the head is that of the chain", _head_faults(document, head)),
        Check("the test was registered before anything was asked", _registration_faults(document, plan)),
        Check("every registered tier is reported", _tier_faults(document, plan)),
        Check("scores fit commitments and registration", _data_faults(document, plan)),
        Check("all figures, the verdict and the words follow from the data", computed),
    )
    return Verification(checks, document.head, result)


def _canonical_faults(content: bytes, document: Document) -> tuple[str, ...]:
    try:
        same = canonical(plain(document)) == content
    except StillwatchError:
        same = False
    return () if same else ("its bytes are not those of the canonical form",)


def _head_faults(document: Document, head: str | None) -> tuple[str, ...]:
    faults = []
    if not document.entries or document.head != document.entries[-1].hash:
        faults.append("the head is not the hash of the last entry")
    if head is not None and head.lower() != document.head:
        faults.append("the head is not the one that was deposited")
    return tuple(faults)


def _registration_faults(document: Document, plan: Plan) -> tuple[str, ...]:
    first, places = document.entries[0], [_ORDER.get(entry.kind, -1) for entry in document.entries]
    checks = (
        (first.kind == "registration", "the first entry is not the registration"),
        (first.body.get("digest") == plan_digest(plan), "the digest of the plan is not that of the plan"),
        (first.body["plan"] == plan_body(plan), "the plan holds what this version does not know"),
        (places == sorted(places) and min(places) == 0, "entries are of unknown kinds or out of order"),
        (places.count(0) == 1 and places.count(4) == 1, "there is not one registration and one result"),
        (plan.registered_at.isoformat() <= first.at, "the plan is dated after its registration"),
    )
    return tuple(fault for holds, fault in checks if not holds)


def _tier_faults(document: Document, plan: Plan) -> tuple[str, ...]:
    reported = sorted(str(entry.body.get("tier")) for entry in document.entries if entry.kind == "data")
    return () if reported == sorted(planned(plan)) else ("tiers are missing, doubled or were not registered",)


def _data_faults(document: Document, plan: Plan) -> tuple[str, ...]:
    faults: list[str] = []
    for entry in document.entries:
        if entry.kind == "data":
            tier = str(entry.body.get("tier"))
            found = _guarded(partial(_tier_data_faults, tier, entry, plan))
            faults += [f"tier {tier}: {fault}" for fault in found or ()]
            if found is None:
                faults.append(f"tier {tier}: the data are not of the form of this tier")
    return tuple(faults)


def _tier_data_faults(tier: str, entry: Entry, plan: Plan) -> list[str]:
    return TIERS[tier].read_faults(entry.body["data"], plan)


def _recomputed(document: Document, plan: Plan) -> tuple[Result | None, tuple[str, ...]]:
    data = {
        str(entry.body.get("tier")): entry.body.get("data")
        for entry in document.entries
        if entry.kind == "data"
    }
    result = _guarded(lambda: result_of(plan, data))
    if result is None:
        return None, ("the figures cannot be computed from the data",)
    stated = next((entry.body for entry in document.entries if entry.kind == "result"), None)
    return result, () if alike(stated, result.body()) else ("what is stated is not what the data give",)


def _guarded(work: Callable[[], Any]) -> Any:
    """Return what `work` gives, or None where hostile data make it fail."""
    try:
        return work()
    except (
        StillwatchError,
        msgspec.ValidationError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        OverflowError,
    ):
        return None


def alike(stated: Any, computed: Any) -> bool:
    """Say whether two JSON values are equal; numbers may differ by rounding (one part in 10^9)."""
    if isinstance(stated, bool) or isinstance(computed, bool):
        return stated is computed
    if isinstance(stated, (int, float)) and isinstance(computed, (int, float)):
        return math.isclose(stated, computed, rel_tol=1e-9, abs_tol=1e-300)
    if isinstance(stated, dict) and isinstance(computed, dict):
        return stated.keys() == computed.keys() and all(alike(stated[key], computed[key]) for key in stated)
    if isinstance(stated, (list, tuple)) and isinstance(computed, (list, tuple)):
        return len(stated) == len(computed) and all(map(alike, stated, computed))
    return bool(stated == computed)
