"""Which keys mark a group."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.candidates import _KEY_LEVEL, _marks, carried, of_communities, of_keys, refined
from stillwatch.detect.ledger import Keys
from stillwatch.detect.pairs import Incidence
from stillwatch.detect.speech import Speech
from stillwatch.model.views import KeyKind

NOTHING = np.empty(0, np.int64)
COUNTS = st.integers(1, 40).flatmap(lambda size: st.tuples(st.integers(0, size), st.just(size)))


def upper_tail(least, size, rate):
    return min(
        1.0, sum(comb(size, n) * rate**n * (1 - rate) ** (size - n) for n in range(max(least, 0), size + 1))
    )


def step_up(p_values, level):
    """Benjamini-Hochberg as in a textbook."""
    count = len(p_values)
    passed = [rank for rank, p in enumerate(sorted(p_values), 1) if p <= level * rank / count * (1 + 1e-9)]
    limit = sorted(p_values)[max(passed) - 1] if passed else -1.0
    return [p <= limit for p in p_values]


@given(st.lists(COUNTS, min_size=1, max_size=12), st.floats(0.01, 0.3), st.sampled_from([0.3, 0.5, 0.8]))
def test_a_key_that_is_chosen_would_be_chosen_without_any_single_account(counts, base, share):
    held, size = (np.array(column) for column in zip(*counts, strict=True))
    chosen = _marks(held, size, np.full(held.size, base), share)
    plain = [upper_tail(h, n, base) for h, n in counts]
    for at in np.flatnonzero(chosen).tolist():
        without = [
            upper_tail(held[at] - 1, size[at] - 1, base) if k == at else p for k, p in enumerate(plain)
        ]
        assert step_up(without, _KEY_LEVEL)[at]
        assert held[at] - 1 >= share * (size[at] - 1)
        assert held[at] >= 3


def world(groups, keys_of_group, crowd=200, seed=1, kind=KeyKind.SHINGLE):
    """Groups of twelve that share keys of their own, and a crowd that draws from a hundred."""
    rng = np.random.default_rng(seed)
    accounts = groups * 12 + crowd
    edges = {(int(key), account) for account in range(accounts) for key in rng.integers(0, 100, 4)}
    for group in range(groups):
        own = 100 + group * keys_of_group + np.arange(keys_of_group)
        for account in range(group * 12, group * 12 + 12):
            edges |= {(int(key), account) for key in own}
    rows = np.array(sorted(edges))
    count = 100 + groups * keys_of_group
    names = (np.arange(count, dtype=np.int64) << 4) | int(kind)
    size = np.bincount(rows[:, 0], minlength=count)
    keys = Keys(names, size, size.copy(), 3 * size)
    return keys, Incidence(rows[:, 0].copy(), rows[:, 1].copy(), count, accounts)


def silence(incidence, keys, sent=None):
    """No key and no exchange has a language."""
    sent = np.full(incidence.accounts, 10) if sent is None else sent
    unknown = np.full(incidence.accounts, -1)
    return Speech(np.full(keys.key.size, -1), np.arange(incidence.accounts), unknown, sent)


def test_communities_are_marked_by_their_own_keys():
    keys, incidence = world(3, 5)
    found = of_communities(
        keys, incidence, [np.arange(at, at + 12) for at in (0, 12, 24)], silence(incidence, keys)
    )
    assert [one.keys.tolist() for one in found] == [list(range(at, at + 5)) for at in (100, 105, 110)]
    assert [one.seeds.tolist() for one in found] == [list(range(at, at + 12)) for at in (0, 12, 24)]
    assert [one.uses for one in found] == [3 * 12 * 5] * 3


def test_keys_that_only_stand_out_together_mark_a_group_where_nearly_all_are_its_own():
    """Three of three users in a group that sends a quarter of everything: no key is remarkable by itself."""
    rng = np.random.default_rng(11)
    own = [rng.choice(60, 5, replace=False) for _ in range(600)]
    others = [rng.choice(np.arange(60, 240), 4, replace=False) for _ in range(40)]
    keys, incidence = repeated([*map(set, own), *map(set, others)], accounts=240)
    speech = silence(incidence, keys)
    plain = of_communities(keys, incidence, [np.arange(60)], speech)
    (alone,) = of_communities(keys, incidence, [np.arange(60)], speech, alone=True)
    assert not plain
    assert alone.keys.tolist() == list(range(600))


@given(st.integers(0, 2**32 - 1))
def test_communities_that_are_asked_alone_are_asked_as_if_there_were_no_others(seed):
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.repeat(np.arange(4), 30))
    users = [rng.choice(120, 9, replace=False, p=_liked(rng.integers(4) == label)) for _ in range(80)]
    keys, incidence = repeated(users, accounts=120)
    speech = silence(incidence, keys)
    groups = [np.flatnonzero(label == number) for number in range(3)]
    together = of_communities(keys, incidence, groups, speech, alone=True)
    apart = [one for group in groups for one in of_communities(keys, incidence, [group], speech, alone=True)]
    assert together
    assert [one.keys.tolist() for one in together] == [one.keys.tolist() for one in apart]
    assert [one.seeds.tolist() for one in together] == [one.seeds.tolist() for one in apart]


def _liked(mine):
    """Most users of a key are of one community."""
    weight = np.where(mine, 20.0, 1.0)
    return weight / weight.sum()


def test_a_group_that_sends_most_of_everything_is_marked_by_its_own_keys_only():
    """Two thirds of all exchanges are the group's: a phrase that everybody uses is no mark of it."""
    rng = np.random.default_rng(7)
    own = [range(60)] * 4
    phrases = [rng.permutation(np.repeat(np.arange(180), [10] * 60 + [3] * 120))[:90] for _ in range(40)]
    keys, incidence = repeated([*own, *map(set, phrases)], accounts=180)
    loud = np.repeat([10, 3], [60, 120])
    found = of_communities(keys, incidence, [np.arange(60)], silence(incidence, keys, loud))
    assert [one.keys.tolist() for one in found] == [[0, 1, 2, 3]]
    again = refined(keys, incidence, silence(incidence, keys, loud), [np.arange(60)], [np.arange(4)], 0.5)[0]
    assert again is not None
    assert again.keys.tolist() == [0, 1, 2, 3]


def test_phrases_of_a_language_of_which_the_group_writes_most_are_no_marks():
    """Forty accounts write seven tenths of language 1, and so are most users of each of its phrases."""
    users = [[*range(30), *range(40, 50)] for _ in range(5)]
    account = np.concatenate([np.arange(100), np.arange(100)])
    language = np.repeat([0, 1], 100)
    sent = np.concatenate([np.full(100, 50), np.full(40, 7), np.full(10, 12), np.zeros(50, np.int64)])

    def kept(users, language_of_keys):
        keys, incidence = repeated(users)
        speech = Speech(np.full(len(users), language_of_keys), account, language, sent)
        found = refined(keys, incidence, speech, [np.arange(40)], [np.arange(len(users))], 0.7)[0]
        return found and found.keys.tolist()

    assert kept([*users, range(40), range(40)], 1) == [5, 6]
    assert kept([*users, range(40), range(40)], 0) == list(range(7))
    assert kept(users, 1) is None


def test_keys_that_none_proves_alone_are_kept_where_they_stand_out_together():
    """The members send half of all; of each key's four users three are members."""
    users = [[3 * key, 3 * key + 1, 3 * key + 2, 60 + key] for key in range(12)]
    keys, incidence = repeated(users)
    speech = silence(incidence, keys, np.repeat([10, 10], [50, 50]))
    found = refined(keys, incidence, speech, [np.arange(50)], [np.arange(12)], 0.7)[0]
    assert found is not None
    assert found.keys.tolist() == list(range(12))


def test_a_format_that_others_share_leaves_the_set_though_they_are_most_of_its_accounts():
    """Thirty accounts use four templates and a format; sixty send the format and nothing else."""
    keys, incidence = repeated([range(30)] * 4 + [range(90)], accounts=1000)
    found = refined(keys, incidence, silence(incidence, keys), [np.arange(90)], [np.arange(5)], 0.5)[0]
    assert found is not None
    assert found.keys.tolist() == [0, 1, 2, 3]


def test_a_community_without_keys_of_its_own_is_no_candidate():
    keys, incidence = world(1, 5)
    assert of_communities(keys, incidence, [np.arange(100, 112)], silence(incidence, keys)) == []
    assert of_communities(keys, incidence, [], silence(incidence, keys)) == []


@pytest.mark.parametrize("kind", [KeyKind.SAMPLING, KeyKind.CLIENT, KeyKind.PAYMENT, KeyKind.ADDRESS])
def test_only_what_an_exchange_carries_in_its_text_marks_it(kind):
    keys, incidence = world(1, 5, kind=kind)
    assert not carried(keys).any()
    assert of_communities(keys, incidence, [np.arange(12)], silence(incidence, keys)) == []
    assert refined(keys, incidence, silence(incidence, keys), [np.arange(12)], [NOTHING], 0.5)[0] is None
    assert of_keys(keys, incidence, 8, np.empty(0, np.int64)) == []


@given(st.integers(0, 50), st.sampled_from([0.3, 0.5, 0.8]), st.integers(6, 20))
def test_refined_keys_mostly_belong_to_the_members(seed, share, size):
    keys, incidence = world(2, 4, crowd=300, seed=seed)
    members = np.random.default_rng(seed).permutation(incidence.accounts)[:size]
    members = np.union1d(members, np.arange(12))
    found = refined(keys, incidence, silence(incidence, keys), [members], [NOTHING], share)[0]
    assert found is not None
    assert {100, 101, 102, 103} <= set(found.keys.tolist())
    for key in found.keys.tolist():
        users = incidence.account[incidence.key == key]
        assert np.isin(users, members).sum() >= share * users.size
    assert found.seeds.tolist() == members.tolist()


def test_a_fixed_prompt_is_not_dropped_for_a_few_small_keys_beside_it():
    keys, incidence = repeated([range(60), *[range(60, 68)] * 5], accounts=1000)
    found = refined(keys, incidence, silence(incidence, keys), [np.arange(68)], [np.arange(6)], 0.7)[0]
    assert found is not None
    assert 0 in found.keys.tolist()


def repeated(users, uses=3, accounts=100):
    """Keys with these users, each of whom used it `uses` times."""
    rows = np.array([(key, account) for key, accounts in enumerate(users) for account in sorted(accounts)])
    size = np.array([len(accounts) for accounts in users])
    names = (np.arange(len(users), dtype=np.int64) << 4) | int(KeyKind.SYSTEM)
    keys = Keys(names, size, size if uses > 1 else 0 * size, uses * size)
    return keys, Incidence(rows[:, 0].copy(), rows[:, 1].copy(), len(users), accounts)


def test_keys_of_the_same_accounts_are_one_cluster_and_others_are_not():
    keys, incidence = repeated([range(20), range(30, 45), range(1, 20), range(50, 55), range(30, 46)])
    found = of_keys(keys, incidence, 8, NOTHING)
    assert [one.keys.tolist() for one in found] == [[0, 2], [1, 4]]
    assert [one.uses for one in found] == [60, 48]
    assert all(one.seeds.size == 0 for one in found)


def test_a_cluster_that_marks_a_community_already_is_left_out():
    keys, incidence = repeated([range(20), range(30, 45), range(1, 20)])
    assert [one.keys.tolist() for one in of_keys(keys, incidence, 8, np.array([0, 2]))] == [[1]]
    assert [one.keys.tolist() for one in of_keys(keys, incidence, 8, np.array([0]))] == [[0, 2], [1]]


def test_keys_that_nobody_repeats_make_no_cluster():
    keys, incidence = repeated([range(20), range(1, 20)], uses=1)
    assert of_keys(keys, incidence, 8, NOTHING) == []
