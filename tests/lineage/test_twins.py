from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lineage.twins import (
    TwinDesign,
    TwinItem,
    TwinSeed,
    gram_hashes,
    has_choice,
    make_item,
    served_positions,
    words,
)
from stillwatch.model.errors import InputError

SEED = TwinSeed(bytes(range(32)))
NOW = datetime(2026, 11, 22, tzinfo=UTC)
PROMPT = "the orchard belongs to a heron and its lantern"


def item(answers, seed=SEED, request="r1", **options):
    design = TwinDesign(twins=len(answers) - 1, **options)
    return make_item(
        seed,
        design,
        request_id=request,
        account_id="acme",
        answers=answers,
        served_at=NOW,
        temperature=1.0,
        prompt=PROMPT,
    )


def test_the_served_position_is_spread_evenly_and_can_be_repeated():
    positions = [SEED.served(f"r{number}", 3) for number in range(3000)]
    assert np.all(np.abs(np.bincount(positions) - 1000) < 120)
    assert positions == [TwinSeed(bytes(range(32))).served(f"r{number}", 3) for number in range(3000)]


def test_the_share_of_sampled_requests_is_the_rate_and_says_nothing_of_what_is_served():
    design = TwinDesign(rate=0.2)
    chosen = [number for number in range(4000) if SEED.sampled(f"r{number}", design)]
    assert 680 < len(chosen) < 920
    served = [SEED.served(f"r{number}", 2) for number in chosen]
    assert 0.42 < np.mean(served) < 0.58


def test_no_text_and_no_account_is_kept_unless_asked():
    kept = msgspec.json.encode(item([PROMPT, PROMPT + " again"]))
    for trace in (b"heron", b"orchard", b"acme"):
        assert trace not in kept
    assert b"heron" in msgspec.json.encode(item([PROMPT, PROMPT + " again"], keep_text=True))


def test_an_item_survives_its_wire_form():
    made = item(["a b c d e", "a b c d f"])
    assert msgspec.json.decode(msgspec.json.encode(made), type=TwinItem) == made


def test_the_secret_is_in_no_representation():
    assert bytes(range(32)).hex() not in repr(SEED) + str(SEED)
    assert SEED.commitment() != TwinSeed(bytes(32)).commitment()


def test_equal_answers_are_no_choice():
    assert has_choice(item(["one", "two", "three"]))
    assert not has_choice(item(["one", "two", "one"]))


def test_served_positions_follow_the_seed():
    items = [item(["x", "y"], request=f"r{number}") for number in range(20)]
    assert served_positions(SEED, items).tolist() == [SEED.served(f"r{number}", 2) for number in range(20)]


@given(st.text(), st.integers(1, 5))
def test_hashes_are_one_for_each_distinct_n_gram(text, gram):
    parts = words(text)
    width = min(gram, len(parts))
    distinct = (
        {tuple(parts[start : start + width]) for start in range(len(parts) - width + 1)} if parts else set()
    )
    assert gram_hashes(text, b"key", gram).size == len(distinct)


@pytest.mark.parametrize(
    "wrong",
    [{"rate": 0.0}, {"rate": 1.5}, {"twins": 0}, {"gram": 0}, {"lifetime_days": 0}, {"lifetime_days": 10**9}],
)
def test_a_design_that_cannot_be_carried_out_is_refused(wrong):
    with pytest.raises(InputError, match="out of range"):
        TwinDesign(**wrong)


def test_a_time_at_the_end_of_the_calendar_is_refused():
    end = datetime.max.replace(tzinfo=UTC)
    with pytest.raises(InputError, match="a time in no calendar"):
        make_item(
            TwinSeed(bytes(32)), TwinDesign(), request_id="r", account_id="a", answers=["x", "y"], served_at=end,
            temperature=1.0,
        )  # fmt: skip


def test_a_short_secret_and_a_missing_answer_are_refused():
    with pytest.raises(InputError, match="32 bytes"):
        TwinSeed(b"short")
    with pytest.raises(InputError, match="has 1 answers"):
        make_item(
            SEED, TwinDesign(), request_id="r", account_id="a", answers=["x"], served_at=NOW, temperature=1.0
        )
