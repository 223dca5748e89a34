import re
from datetime import UTC, datetime

import pytest

from stillwatch.lineage.report import posteriors, render_report
from stillwatch.lineage.suspect import Reply
from stillwatch.model.progress import Silent

pytest.importorskip("rfc8785", reason="needs the extra stillwatch[lineage]")

from stillwatch.lineage.evidence import evidence_bytes, read_document
from stillwatch.lineage.session import Session

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Silence:
    """Answers nothing, and is called something that a page must not run."""

    label = "<script>alert(1)</script>"

    def ask(self, queries, *_):
        return [Reply(query.id, failed="no answer") for query in queries]


def page_of(world, registered, folder, clock, suspect, **options):
    plan, channel = registered(world, **options)
    earlier = [{"suspect": "another", "registered_at": "2026-01-01", "digest": "d" * 64}]
    outcome = Session(folder, plan, [channel], clock, earlier).run(suspect, Silent())
    document = read_document(evidence_bytes(outcome.entries))
    return document, render_report(document, plan, outcome.result, NOW, "1.2.3")


def test_the_page_tells_verdict_tiers_limits_and_how_to_check(twin_world, registered, tmp_path, clock):
    document, page = page_of(twin_world, registered, tmp_path, clock, twin_world.suspect(1.0))
    for part in (
        "The evidence strongly supports training on our answers",
        "served versus twin",
        "It does not show",
        "Who obtained the answers",
        "stillwatch lineage verify evidence.json",
        document.head,
        "another, registered 2026-01-01",
        "By account",
    ):
        assert part in page
    assert page.count("<section") == 5


def test_the_page_fetches_nothing_and_escapes_what_it_is_given(twin_world, registered, tmp_path, clock):
    _, page = page_of(twin_world, registered, tmp_path, clock, Silence())
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    assert "The evidence decides nothing" in page


def test_the_headline_never_says_proved(twin_world, registered, tmp_path, clock):
    _, page = page_of(twin_world, registered, tmp_path, clock, twin_world.suspect(1.0))
    assert not re.search(r"\bproved\b", page)


def test_base_rates_are_those_of_the_formula(twin_world, registered):
    plan, _ = registered(twin_world, alpha_support=0.01)
    first = posteriors(plan)[0]
    assert first[0] == 0.01
    assert first[1] == pytest.approx(0.009 / (0.009 + 0.0099))
