"""Commitments bind and hide, and a publication shows any change."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.mark import commitments
from stillwatch.mark.commitments import Opening
from stillwatch.mark.keys import MasterKey
from stillwatch.model.errors import InputError

EPOCH = MasterKey(bytes(range(32))).epoch("2026-11")
OTHER = MasterKey(bytes(range(1, 33))).epoch("2026-11")
MADE = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
KEYS = [("global", ""), ("cohort", "c-1"), ("account", "a-1"), ("account", "a-2")]


@given(st.sampled_from(KEYS), st.sampled_from(KEYS), st.booleans())
def test_only_the_promised_key_fulfils_a_promise(promised, shown, same_master):
    commitment = commitments.commit(EPOCH, *promised)
    opening = commitments.opening(EPOCH if same_master else OTHER, *shown)
    assert commitments.verify(commitment, opening) == (same_master and promised == shown)


@given(st.sampled_from(["key_id", "key", "salt"]), st.data())
def test_every_change_of_an_opening_is_seen(field, data):
    opening = commitments.opening(EPOCH, "account", "a-1")
    old = getattr(opening, field)
    place = data.draw(st.integers(0, len(old) - 1))
    new = data.draw(st.sampled_from("0123456789abcdef").filter(lambda one: one != old[place]))
    changed = msgspec.structs.replace(opening, **{field: old[:place] + new + old[place + 1 :]})
    assert not commitments.verify(commitments.commit(EPOCH, "account", "a-1"), changed)


def test_fields_cannot_be_shifted_into_each_other():
    opening = commitments.opening(EPOCH, "account", "a-1")
    shifted = Opening(opening.key_id, opening.salt[-1] + opening.key, opening.salt[:-1])
    assert not commitments.verify(commitments.commit(EPOCH, "account", "a-1"), shifted)


def test_a_publication_survives_its_form_and_finds_its_keys():
    published = commitments.publish(EPOCH, "gumbel philox4x32-10-v1", KEYS, MADE)
    again = msgspec.json.decode(msgspec.json.encode(published), type=commitments.Publication)
    assert again == published
    for level, name in KEYS:
        promised = commitments.find(again, EPOCH.key_id(level, name))
        assert commitments.verify(promised, commitments.opening(EPOCH, level, name))
    assert len({one.digest for one in published.commitments}) == len(KEYS)


def test_an_altered_publication_and_an_unknown_key_are_refused():
    published = commitments.publish(EPOCH, "gumbel", KEYS, MADE)
    longer = (*published.commitments, commitments.commit(EPOCH, "account", "a-3"))
    with pytest.raises(InputError, match="digest does not fit"):
        commitments.find(msgspec.structs.replace(published, commitments=longer), longer[0].key_id)
    with pytest.raises(InputError, match="no promise was made"):
        commitments.find(published, EPOCH.key_id("account", "a-9"))
