import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.lineage.suspect import Reply
from stillwatch.model.errors import InputError
from stillwatch.model.progress import Silent

pytest.importorskip("rfc8785", reason="needs the extra stillwatch[lineage]")

from stillwatch.lineage.evidence import evidence_bytes, verify
from stillwatch.lineage.evidence_verdict import Verdict
from stillwatch.lineage.session import Session


def run(world, registered, folder, clock, share, **options):
    plan, channel = registered(world, **options)
    suspect = world.suspect(share)
    return suspect, Session(folder, plan, [channel], clock).run(suspect, Silent())


@pytest.mark.parametrize("method", ["sample", "log_prob", "rank"])
def test_a_model_that_learned_is_found_and_one_that_did_not_is_not(
    twin_world, registered, tmp_path, clock, method
):
    _, guilty = run(twin_world, registered, tmp_path / "guilty", clock, 1.0, method=method)
    assert guilty.result.verdict is Verdict.STRONGLY
    assert verify(evidence_bytes(guilty.entries)).intact
    _, innocent = run(twin_world, registered, tmp_path / "innocent", clock, 0.0, method=method)
    assert not innocent.result.supported
    assert verify(evidence_bytes(innocent.entries)).intact


def test_a_clear_case_stops_early_and_says_so(twin_world, registered, tmp_path, clock):
    suspect, outcome = run(twin_world, registered, tmp_path, clock, 1.0, alpha=0.01)
    assert len(suspect.asked) < 60
    (figures,) = outcome.result.figures
    assert figures.p is None
    assert figures.details["not_asked"] > 0
    assert figures.log_e >= math.log(100)


def test_several_twins_and_epochs(make_twin_world, registered, tmp_path, clock):
    world = make_twin_world(items=40, twins=3, epochs=2)
    _, outcome = run(world, registered, tmp_path / "out", clock, 0.9, items=70)
    assert outcome.result.supported
    checked = verify(evidence_bytes(outcome.entries))
    assert checked.intact, checked


def test_the_budget_ends_the_asking_and_is_kept_over_runs(twin_world, registered, tmp_path, clock):
    plan, channel = registered(twin_world, requests=20)
    suspect = twin_world.suspect(0.0)
    outcome = Session(tmp_path, plan, [channel], clock).run(suspect, Silent())
    assert len(suspect.asked) == 20
    assert outcome.result.verdict is Verdict.INCONCLUSIVE
    again = twin_world.suspect(0.0)
    Session(tmp_path, plan, [channel], clock).run(again, Silent())
    assert again.asked == []


def test_a_directory_belongs_to_one_plan(twin_world, registered, tmp_path, clock):
    run(twin_world, registered, tmp_path, clock, 0.0)
    plan, channel = registered(twin_world, items=50)
    with pytest.raises(InputError, match="another plan"):
        Session(tmp_path, plan, [channel], clock)


def test_no_prompt_and_no_answer_is_in_the_evidence(twin_world, registered, tmp_path, clock):
    _, outcome = run(twin_world, registered, tmp_path, clock, 1.0)
    content = evidence_bytes(outcome.entries).decode()
    assert "aloud" not in content
    assert " w1" not in content
    assert "account-" not in content


class CrashError(Exception):
    """The power went out."""


class Failing:
    """A suspect in front of which the power goes out at chosen requests."""

    def __init__(self, suspect, crashes):
        self.suspect, self.crashes, self.count, self.label = suspect, set(crashes), 0, suspect.label

    def ask(self, queries, budget, spent):
        replies = []
        for query in queries:
            self.count += 1
            if self.count in self.crashes:
                raise CrashError
            replies += self.suspect.ask([query], budget, spent)
        return replies


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    crashes=st.lists(st.integers(1, 60), max_size=3),
    torn=st.lists(
        st.tuples(st.sampled_from(["journal.jsonl", "replies.jsonl"]), st.integers(1, 200)), max_size=3
    ),
    method=st.sampled_from(["sample", "log_prob"]),
)
def test_a_session_that_crashed_anywhere_ends_as_one_that_did_not(
    twin_world, registered, tmp_path_factory, clock, crashes, torn, method
):
    plan, channel = registered(twin_world, method=method, items=40)
    whole = Session(tmp_path_factory.mktemp("whole"), plan, [channel], clock).run(
        twin_world.suspect(0.6), Silent()
    )
    folder, suspect = tmp_path_factory.mktemp("crashed"), Failing(twin_world.suspect(0.6), crashes)
    torn = list(torn)
    for _ in range(len(crashes) + len(torn) + 1):
        try:
            outcome = Session(folder, plan, [channel], clock).run(suspect, Silent())
        except CrashError:
            outcome = None
        if torn:  # the last line was being written when the power went out
            name, cut = torn.pop()
            content = (folder / name).read_bytes()
            keep = content.rstrip(b"\n").rfind(b"\n") + 1  # at least the lines before the last
            (folder / name).write_bytes(content[: max(keep, len(content) - cut)] if keep else content)
            outcome = None
    if outcome is None:
        outcome = Session(folder, plan, [channel], clock).run(suspect, Silent())
    assert outcome.result.figures == whole.result.figures
    assert outcome.result.verdict == whole.result.verdict
    assert verify(evidence_bytes(outcome.entries)).intact


def test_what_was_answered_is_not_asked_again(twin_world, registered, tmp_path, clock):
    plan, channel = registered(twin_world)
    suspect = Failing(twin_world.suspect(0.3), [37])
    with pytest.raises(CrashError):
        Session(tmp_path, plan, [channel], clock).run(suspect, Silent())
    Session(tmp_path, plan, [channel], clock).run(suspect, Silent())
    kept_before_the_crash = 32
    twice = [name for name in set(suspect.suspect.asked) if suspect.suspect.asked.count(name) > 1]
    assert len(twice) == 36 - kept_before_the_crash


def test_a_changed_journal_is_refused(twin_world, registered, tmp_path, clock):
    plan, channel = registered(twin_world)
    Session(tmp_path, plan, [channel], clock)
    journal = tmp_path / "journal.jsonl"
    journal.write_text(journal.read_text().replace("stand-in", "somebody"))
    with pytest.raises(InputError, match="was changed"):
        Session(tmp_path, plan, [channel], clock)


def test_answers_of_another_plan_are_refused(twin_world, registered, tmp_path, clock):
    plan, channel = registered(twin_world)
    (tmp_path / "replies.jsonl").write_text('{"plan":"other"}\n')
    with pytest.raises(InputError, match="another plan"):
        Session(tmp_path, plan, [channel], clock)


def test_unanswered_items_are_named_and_change_nothing_else(twin_world, registered, tmp_path, clock):
    class Refusing:
        label = "refusing"

        def ask(self, queries, *_):
            return [Reply(query.id, failed="the server answered with status 400") for query in queries]

    plan, channel = registered(twin_world)
    outcome = Session(tmp_path, plan, [channel], clock).run(Refusing(), Silent())
    (figures,) = outcome.result.figures
    assert (figures.tested, figures.details["unanswered"]) == (0, 60)
    assert outcome.result.verdict is Verdict.INCONCLUSIVE
    assert verify(evidence_bytes(outcome.entries)).intact


def test_a_moment_without_a_server_leaves_no_item_out(twin_world, registered, tmp_path, clock):
    class Blinking:
        label = "blinking"

        def __init__(self, suspect):
            self.suspect, self.calls = suspect, 0

        def ask(self, queries, budget, spent):
            self.calls += 1
            return self.suspect.ask(queries[: 5 if self.calls == 2 else None], budget, spent)

    plan, channel = registered(twin_world)
    outcome = Session(tmp_path, plan, [channel], clock).run(Blinking(twin_world.suspect(0.0)), Silent())
    (figures,) = outcome.result.figures
    assert (figures.details["scored"], figures.details["unanswered"]) == (60, 0)
