from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.app.identity import LEAST_OVERLAP, carry_over, known

ACCOUNTS = st.sets(st.sampled_from([f"a{index}" for index in range(12)]), min_size=1, max_size=8)


def names(count, start=0):
    return [f"a{index}" for index in range(start, start + count)]


def test_id_and_first_detection_are_carried_over(make_group, make_detection):
    before = make_group("g-old", names(10))
    later = make_group("g-new", names(10, start=2), detected=before.detected_at + timedelta(days=5))
    (after,) = carry_over(make_detection(later), [known(before)]).groups
    assert after.id == "g-old"
    assert after.detected_at == before.detected_at
    assert after.members == later.members


@pytest.mark.parametrize(("shared", "same"), [(10, True), (7, True), (6, False), (0, False)])
def test_overlap_decides(make_group, make_detection, shared, same):
    # 10 accounts each: Jaccard similarity shared / (20 - shared), at least a half from 7 on
    before, later = make_group("g-old", names(10)), make_group("g-new", names(10, start=10 - shared))
    (after,) = carry_over(make_detection(later), [known(before)]).groups
    assert (after.id == "g-old") is same
    assert (shared / (20 - shared) >= LEAST_OVERLAP) is same


def test_an_old_id_never_passes_to_other_accounts(make_group, make_detection):
    before = make_group("g-same", names(5))
    (after,) = carry_over(make_detection(make_group("g-same", names(5, start=50))), [known(before)]).groups
    assert after.id == "g-same-2"


def test_a_split_campaign_gives_its_id_to_the_larger_part(make_group, make_detection):
    before = make_group("g-old", names(10))
    small, large = make_group("g-1", names(3)), make_group("g-2", names(7, start=3))
    after = carry_over(make_detection(small, large), [known(before)]).groups
    assert [group.id for group in after] == ["g-1", "g-old"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(ACCOUNTS, max_size=6), st.lists(ACCOUNTS, max_size=6))
def test_ids_stay_unique_and_matches_are_one_to_one(make_group, make_detection, old, new):
    earlier = [known(make_group(f"g-{index}", sorted(accounts))) for index, accounts in enumerate(old)]
    found = make_detection(
        *(make_group(f"g-{index}", sorted(accounts)) for index, accounts in enumerate(new))
    )
    after = carry_over(found, earlier)
    ids = [group.id for group in after.groups]
    assert len(ids) == len(set(ids)) == len(new)
    by_id = {before.id: before.accounts for before in earlier}
    for group, accounts in zip(after.groups, new, strict=True):
        if group.id in by_id:
            both = by_id[group.id]
            assert len(both & accounts) / len(both | accounts) >= LEAST_OVERLAP


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(ACCOUNTS, max_size=5, unique_by=frozenset), st.randoms(use_true_random=False))
def test_same_groups_keep_their_ids_in_any_order(make_group, make_detection, sets, rng):
    earlier = [known(make_group(f"g-{index}", sorted(accounts))) for index, accounts in enumerate(sets)]
    order = list(range(len(sets)))
    rng.shuffle(order)
    found = make_detection(*(make_group(f"n-{index}", sorted(sets[index])) for index in order))
    assert [group.id for group in carry_over(found, earlier).groups] == [f"g-{index}" for index in order]
