"""Tier 1a: a model that learned a marked habit, one that did not, and evidence that somebody tampered with."""

import json
import math
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lineage.suspect import Reply
from stillwatch.model.errors import InputError
from stillwatch.model.progress import Silent

pytest.importorskip("rfc8785", reason="needs the extra stillwatch[lineage]")
pytest.importorskip("tokenizers", reason="needs the extra stillwatch[tokenizers]")

import tokenizers

from stillwatch.lineage.chain import canonical, link, plain
from stillwatch.lineage.evidence import evidence_bytes, read_document, verify
from stillwatch.lineage.evidence_figures import stated_p
from stillwatch.lineage.evidence_marks import log_e_of_p
from stillwatch.lineage.evidence_verdict import Verdict
from stillwatch.lineage.session import Session
from stillwatch.lineage.session_build import Choice, build_channels, build_plan
from stillwatch.lineage.session_marks import read_marks
from stillwatch.lineage.session_material import read_material
from stillwatch.mark.commitments import opening, publish
from stillwatch.mark.keys import MasterKey
from stillwatch.mark.schemes import GumbelMax

NOW = datetime(2026, 11, 22, tzinfo=UTC)
WORDS = 120
SCHEME = GumbelMax(context_width=1)
KEYS = MasterKey(bytes(range(32))).epoch("e1")


def answer(rng, habit, length=40):
    """Tokens in which each is the best of six under the key with probability `habit`, else any of them."""
    row = [int(rng.integers(WORDS))]
    for _ in range(length):
        offered = rng.integers(WORDS, size=6)
        scores = SCHEME.scores(np.full((6, 1), row[-1]), offered, np.array([KEYS.key("global")], np.uint64))[
            0
        ]
        row.append(int(offered[np.argmax(scores)] if rng.random() < habit else offered[0]))
    return row


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("evidence")
    marks, rng = made / "marks", np.random.default_rng(1)
    marks.mkdir()
    vocabulary = {f"w{number}": number for number in range(WORDS)} | {"?": WORDS}
    cut = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="?"))  # noqa: S106 - a word
    cut.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    cut.save(str(marks / "tokenizer.json"))
    promised = publish(KEYS, f"{SCHEME.name} {SCHEME.version}", [("global", "")], NOW)
    (marks / "publication.json").write_bytes(msgspec.json.encode(promised))
    (marks / "opening.json").write_bytes(msgspec.json.encode(opening(KEYS, "global")))
    (marks / "scheme.json").write_text('{"name": "gumbel", "context_width": 1}')
    (marks / "served.jsonl").write_text("".join(json.dumps(answer(rng, 1.0)) + "\n" for _ in range(20)))
    prompts = [{"id": f"p{number}", "prompt": f"say {number}"} for number in range(30)]
    (made / "prompts.jsonl").write_text("".join(json.dumps(prompt) + "\n" for prompt in prompts))
    return made


class Speaker:
    """Speaks in tokens with a habit."""

    def __init__(self, habit):
        self.label, self.habit, self.rng = "speaker", habit, np.random.default_rng(2)

    def ask(self, queries, _, spent):
        spent.requests += len(queries)
        return [
            Reply(query.id, text=" ".join(f"w{token}" for token in answer(self.rng, self.habit)))
            for query in queries
        ]


def judge(folder, out, habit):
    material = read_material(folder)
    plan = build_plan(material, Choice(suspect="s", alpha_support=0.01), NOW)
    outcome = Session(out, plan, build_channels(plan, material), lambda: NOW).run(Speaker(habit), Silent())
    return outcome, evidence_bytes(outcome.entries)


def test_a_marked_habit_is_heard_and_an_unmarked_model_is_not_accused(folder, tmp_path):
    guilty, content = judge(folder, tmp_path / "guilty", 0.5)
    checked = verify(content)
    assert checked.intact, [check for check in checked.checks if check.faults]
    assert guilty.result.verdict is Verdict.STRONGLY
    (figures,) = guilty.result.figures
    assert figures.details["decoy_p"] == 0.01
    assert figures.p < 1e-9
    innocent, content = judge(folder, tmp_path / "innocent", 0.0)
    assert verify(content).intact
    assert not innocent.result.supported
    assert innocent.result.figures[0].p > 0.001


FORGERIES = {
    "the key": lambda data: data["opening"].update(key="00000000deadbeef"),
    "the promise": lambda data: data["publication"].update(digest="0" * 64),
    "the date of the promise": lambda data: data["publication"].update(made="2027-01-01T00:00:00Z"),
    "the scheme": lambda data: data["scheme"].update(context_width=2),
    "a pair twice": lambda data: [
        data[name].append(data[name][0]) for name in ("contexts", "tokens", "weights")
    ],
    "a weight": lambda data: data["weights"].__setitem__(0, 99.0),
    "an unknown scheme": lambda data: data["scheme"].update(name="none"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_marks_are_found(folder, tmp_path, name):
    outcome, _ = judge(folder, tmp_path, 0.5)
    chain = []
    for entry in outcome.entries:
        body = plain(entry.body)
        if entry.kind == "data":
            FORGERIES[name](body["data"])
        chain.append(link(chain, entry.kind, entry.at, body))
    document = {
        "entries": plain(chain),
        "format": read_document(evidence_bytes(outcome.entries)).format,
        "head": chain[-1].hash,
    }
    assert not verify(canonical(document)).intact


def test_the_key_is_in_no_representation(folder):
    assert f"{KEYS.key('global'):016x}" not in repr(read_material(folder))


def test_a_missing_file_is_named(folder, tmp_path):
    with pytest.raises(InputError, match=r"scheme\.json: is missing"):
        read_marks(tmp_path)
    (tmp_path / "scheme.json").write_text('{"name": "none"}')
    with pytest.raises(InputError, match="not one that a model can be tested for"):
        read_marks(tmp_path)


def test_a_calibrated_p_value_has_expectation_one_at_most():
    grid = (np.arange(200_000) + 0.5) / 200_000
    mean = np.mean([math.exp(log_e_of_p(math.log(p))) for p in grid])
    assert 0.8 < mean <= 1.0


@given(st.floats(-2000, 0), st.floats(-2000, 0))
def test_a_smaller_p_value_is_never_less_evidence(one, other):
    low, high = sorted((one, other))
    assert log_e_of_p(low) >= log_e_of_p(high) - 1e-6


def test_a_p_value_is_never_stated_as_zero():
    assert stated_p(-1e6) == stated_p(-701.0) > 0.0
    assert stated_p(math.log(0.05)) == pytest.approx(0.05)
