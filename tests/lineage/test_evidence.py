from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.model.errors import InputError, StillwatchError
from stillwatch.model.progress import Silent

pytest.importorskip("rfc8785", reason="needs the extra stillwatch[lineage]")

from stillwatch.lineage.chain import canonical, link
from stillwatch.lineage.evidence import alike, document_plan, evidence_bytes, read_document, verify
from stillwatch.lineage.session import Session
from stillwatch.lineage.session_plan import Plan
from stillwatch.lineage.session_twins import TwinChannel, eligible, plan_twins


@pytest.fixture(scope="module")
def guilty(twin_world, tmp_path_factory):
    plan, channel = make(twin_world)
    folder = tmp_path_factory.mktemp("evidence")
    return evidence_bytes(
        Session(folder, plan, [channel], clock()).run(twin_world.suspect(0.5), Silent()).entries
    )


def make(world):
    places, reasons = eligible(world.epochs, "sample", world.prompts)
    twins = plan_twins(world.epochs, places, reasons, method="sample", items=40)
    registered_at = world.epochs[0].seal.sealed_at + timedelta(days=9)
    plan = Plan(
        registered_at=registered_at, suspect="s", weights={"1b": 1.0}, prompts_digest="0" * 64, twins=twins
    )
    return plan, TwinChannel(plan, world.epochs, places[:40], world.prompts)


def clock():
    return lambda: datetime(2027, 1, 1, tzinfo=UTC)


def faulty(content):
    """Whether anything is found wrong, by a refusal or by a check."""
    try:
        return not verify(content).intact
    except StillwatchError:
        return True


def test_what_a_session_writes_is_intact(guilty):
    checked = verify(guilty)
    assert checked.intact, [check for check in checked.checks if check.faults]
    assert verify(guilty, head=checked.head).intact
    assert not verify(guilty, head="0" * 64).intact


@given(data=st.data())
def test_any_changed_byte_is_found(guilty, data):
    place = data.draw(st.integers(0, len(guilty) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != guilty[place]))
    assert faulty(guilty[:place] + bytes([byte]) + guilty[place + 1 :])


@given(data=st.data())
def test_any_added_or_missing_byte_is_found(guilty, data):
    place = data.draw(st.integers(0, len(guilty) - 1))
    assert faulty(guilty[:place] + guilty[place + 1 :])
    assert faulty(guilty[:place] + data.draw(st.binary(min_size=1, max_size=3)) + guilty[place:])


def rebuilt(content, change):
    """Forge: change the bodies and compute the whole chain again."""
    document, chain = read_document(content), []
    for entry in document.entries:
        body = msgspec.json.decode(msgspec.json.encode(entry.body))
        change(entry.kind, body)
        chain.append(link(chain, entry.kind, entry.at, body))
    return canonical(
        msgspec.to_builtins({"entries": chain, "format": document.format, "head": chain[-1].hash})
    )


def first_item(change):
    return lambda kind, body: change(body["data"]["items"][0]) if kind == "data" else None


FORGERIES = {
    "a score": first_item(lambda item: item.update(scores=[9.0, 0.0])),
    "a candidate": first_item(lambda item: item["leaf"]["candidates"][0].update(digest="f" * 64)),
    "an account": first_item(lambda item: item["leaf"].update(account="f" * 16)),
    "an item left out": lambda kind, body: body["data"]["items"].pop() if kind == "data" else None,
    "an item called unanswered": lambda kind, body: (
        body["data"]["unanswered"].append(body["data"]["items"].pop()["n"]) if kind == "data" else None
    ),
    "the key of the choices": lambda kind, body: (
        body["data"]["epochs"][0].update(choices_key="00" * 32) if kind == "data" else None
    ),
    "the verdict": lambda kind, body: body.update(verdict="strongly supports") if kind == "result" else None,
    "the e-value": lambda kind, body: body.update(log_e=99.0) if kind == "result" else None,
    "the words": lambda kind, body: body.update(proves=["it was them"]) if kind == "result" else None,
    "the level": lambda kind, body: (
        body["plan"].update(alpha_support=0.4) if kind == "registration" else None
    ),
    "the order of items": lambda kind, body: body["data"]["order"].reverse() if kind == "data" else None,
    "a tier": lambda kind, body: body.update(tier="3") if kind == "data" else None,
    "a place": first_item(lambda item: item.update(n=10**6)),
    "a path": first_item(lambda item: item.update(path=["zz"])),
    "a count": first_item(lambda item: item.update(scores=[1.0])),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_with_a_whole_chain_is_found_where_it_contradicts_the_rest(guilty, name):
    assert not faulty(rebuilt(guilty, lambda *_: None))
    assert faulty(rebuilt(guilty, FORGERIES[name]))


def test_a_dated_back_registration_needs_a_whole_new_chain_and_so_another_head(guilty):
    head = verify(guilty).head
    forged = rebuilt(
        guilty, lambda kind, body: body["plan"].update(suspect="other") if kind == "registration" else None
    )
    assert not verify(forged, head=head).intact


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff", b'{"entries":[],"format":"stillwatch-evidence/1","head":""}']
)
def test_what_is_no_evidence_file_is_refused_in_a_sentence(content):
    with pytest.raises(InputError, match="evidence"):
        verify(content)


def test_a_later_version_is_refused():
    with pytest.raises(InputError, match="another version"):
        read_document(b'{"entries":[],"format":"stillwatch-evidence/9","head":""}')


def test_the_plan_can_be_read_from_it(guilty):
    assert document_plan(read_document(guilty)).suspect == "s"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(1, 1.0, True), (1.0, 1.0 + 1e-12, True), (1.0, 1.1, False), (True, 1, False), ({"a": 1}, {"a": 1, "b": 2}, False),
     ([1, 2], [1], False), (None, None, True), ("a", "b", False)],
)  # fmt: skip
def test_alike(one, other, same):
    assert alike(one, other) is same
