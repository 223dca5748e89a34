"""The examples of the evidence page run, and leave what a session reads."""

import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from stillwatch.lineage.evidence_marks import SchemeData, scheme_of
from stillwatch.mark.commitments import Opening, Publication, find, publish, verify
from stillwatch.mark.keys import MasterKey

PAGE = (Path(__file__).resolve().parents[2] / "docs/evidence.md").read_text(encoding="utf-8")
TWINS, MARKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_marks_of_an_epoch_are_laid_down_as_a_session_reads_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    master = MasterKey(bytes(range(32)))
    master.save(Path("master.key"))
    promised = publish(
        master.epoch("2026-11"), "gumbel", [("global", ""), ("account", "a")], datetime.now(UTC)
    )
    Path("promises.json").write_bytes(msgspec.json.encode(promised))
    exec(compile(MARKS, "docs/evidence.md", "exec"), {})  # noqa: S102 - our own page
    marks = Path("kept/marks")
    opened = msgspec.json.decode((marks / "opening.json").read_bytes(), type=Opening)
    published = msgspec.json.decode((marks / "publication.json").read_bytes(), type=Publication)
    assert verify(find(published, opened.key_id), opened)
    scheme = scheme_of(msgspec.json.decode((marks / "scheme.json").read_bytes(), type=SchemeData))
    assert (scheme.name, scheme.context_width) == ("gumbel", 4)


def test_a_gateway_knows_what_to_serve_before_anything_is_drawn():
    names = {"secret": bytes(range(32)), "request_id": "r"}
    code = TWINS.replace("rate=0.01", "rate=1.0")
    exec(compile(code, "docs/evidence.md", "exec"), names)  # noqa: S102 - our own page
    assert names["position"] in {0, 1}
