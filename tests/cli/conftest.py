"""A directory as a scan leaves it, made by hand, and a runner for commands."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from stillwatch.app.outputs import write_outputs
from stillwatch.cli import main
from stillwatch.model.coverage import SourceCoverage, card
from stillwatch.model.errors import Rejected
from stillwatch.model.findings import Detection

NOW = "2026-11-21T06:00:00Z"


def record(identifier: str, verdict: str) -> dict:
    hypothesis = {"kind": verdict, "score": 2.0, "probability": 0.99, "terms": []}
    term = {"measure": "repeat_share", "points": 1.5, "sentence": "nothing was asked twice"}
    return {
        "id": identifier,
        "verdict": verdict,
        "error_rate": {"coordination_fdr": 0.01, "verdict_error": 0.01, "total": 0.02},
        "e_value": 1e7,
        "hypothesis": {**hypothesis, "terms": [term]},
        "alternatives": [{**hypothesis, "kind": "reseller", "probability": 0.01}],
        "first_seen": NOW,
        "last_seen": NOW,
        "detected_at": NOW,
        "account_count": 1,
        "members": [
            {
                "account_id": f"acct-{identifier}",
                "strand_exchanges": 9,
                "exchanges": 10,
                "share": 0.9,
                "e_value": 1e5,
                "first_seen": NOW,
                "last_seen": NOW,
            }
        ],
        "exchanges": 9,
        "input_tokens": 100,
        "output_tokens": 200,
        "capabilities": ["grading"],
        "models": ["orion-4"],
        "skeletons": [],
        "evidence": [
            {
                "measure": "payment_sharing",
                "method": "conformal e-value",
                "version": 1,
                "view": "identity",
                "value": 0.5,
                "reference": None,
                "e_value": 40.0,
                "computed_from": "1 account",
                "sentence": "half of them [bold]pay\x1b[31m together",
            }
        ],
        "timeline": {"start": NOW, "exchanges": [9], "accounts": [1], "new_accounts": [1], "bans": [0]},
        "links": [],
        "atlas_ids": ["AML.T0024.002"],
        "advisory_ids": ["signal-9"],
        "would_settle": ["a statement"],
    }


@pytest.fixture
def out(tmp_path: Path) -> Path:
    groups = [record("g-aa11", "campaign"), record("g-aa22", "campaign"), record("g-bb", "application")]
    audit = {"placebos": 10, "mean_e": 1.0, "sigma": 1.0, "pi0": 0.9, "sound": True, "sentence": "fits"}
    found = {
        "groups": groups,
        "audit": audit,
        "accounts": 3,
        "exchanges": 27,
        "candidates": 3,
        "first_ts": NOW,
        "last_ts": NOW,
        "fdr_level": 0.01,
    }
    write_outputs(
        tmp_path / "out",
        msgspec.convert(found, Detection),
        cards=[card(SourceCoverage("a.jsonl", "ndjson", 27, 2, {"keys": 1.0}), {})],
        rejected=[Rejected("a.jsonl", 1, "bad")],
        report="<html>",
        generated_at=datetime(2026, 11, 21, tzinfo=UTC),
        version="0.1.0",
    )
    return tmp_path / "out"


@pytest.fixture
def run():
    def call(*words: object) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words])

    return call
