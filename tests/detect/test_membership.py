"""Who is named: nobody under the null, everybody who is planted, nobody for too little."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from stillwatch.detect.membership import _sparsely, confirm, distinct, rarely_strangers
from stillwatch.stats.evalues import log_mixture_e

SLICES = [0.6, 0.2, 0.2]


def dealt(rng, counts):
    """Deal counts to the three slices."""
    return np.stack([rng.multinomial(count, SLICES) for count in counts.tolist()])


def spread_bits(rng, hits, keys):
    """Which of `keys` keys an account used in its hits."""
    used = [np.unique(rng.integers(0, keys, count)) for count in hits.tolist()]
    return np.array(
        [int((1 << places.astype(object)).sum()) if places.size else 0 for places in used], np.int64
    )


def confirmed(made, hits, trials, level, *, keys=20, seed=1):
    """Confirm a candidate that these accounts carry."""
    rng = np.random.default_rng(seed)
    carriers = np.flatnonzero(hits)
    sent = dealt(rng, hits)
    strands = made.strands(carriers, sent[carriers], spread_bits(rng, hits[carriers], keys))
    book = made.book(sent + dealt(rng, trials - hits))
    return confirm(strands, book, level, keys)


def null_world(rng, mean, dispersion, accounts=300):
    trials = rng.integers(5, 100, accounts)
    rate = rng.beta(mean * dispersion, (1 - mean) * dispersion, accounts)
    return rng.binomial(trials, rate), trials


NULLS = [
    (0.001, 20.0, 1),
    (0.0003, 10.0, 1),
    (0.01, 100.0, 1),
    (0.002, 300.0, 20),
    (0.03, 20.0, 1),
    pytest.param(0.1, 3.0, 1, id="a popular key that some use much and most hardly"),
]


@pytest.mark.parametrize(("mean", "dispersion", "keys"), NULLS)
def test_nobody_is_named_under_the_null_more_often_than_the_level_says(made, mean, dispersion, keys):
    rng = np.random.default_rng(11)
    worlds, level = 40, 0.05
    drawn = [null_world(rng, mean, dispersion) for _ in range(worlds)]
    named = [
        confirmed(made, *world, level, keys=keys, seed=n).log_e.size > 0 for n, world in enumerate(drawn)
    ]
    assert sum(named) <= binom.ppf(0.9999, worlds, level)


@pytest.mark.parametrize(("mean", "dispersion", "keys"), NULLS)
def test_sharing_is_not_proven_under_the_null(made, mean, dispersion, keys):
    """P(e >= 20) <= 1 / 20 (Markov)."""
    rng = np.random.default_rng(13)
    drawn = [null_world(rng, mean, dispersion) for _ in range(40)]
    log_e = [confirmed(made, *world, 0.05, keys=keys, seed=n).group_log_e for n, world in enumerate(drawn)]
    assert sum(np.array(log_e) >= np.log(20)) <= binom.ppf(0.9999, 40, 1 / 20)


@pytest.mark.parametrize("mean", [0.0, 0.001, 0.01])
def test_accounts_drawn_from_the_fitted_null_have_a_mean_e_of_at_most_one(made, mean):
    rng = np.random.default_rng(12)
    found = confirmed(made, *null_world(rng, max(mean, 1e-9), 30.0), 0.001)
    shape = found.background * found.dispersion, (1 - found.background) * found.dispersion
    trials = rng.integers(1, 300, 20_000)
    hits = rng.binomial(trials, rng.beta(*shape, trials.size))
    e = np.exp(log_mixture_e(hits, trials, found.background, found.dispersion))
    capped = np.minimum(e, 1000.0)
    assert capped.mean() <= 1 + 4 * capped.std() / np.sqrt(e.size)
    assert (e >= 20).sum() <= binom.ppf(0.9999, e.size, 1 / 20)
    assert (e >= 300 / 0.05).sum() <= binom.ppf(0.9999, e.size, 0.05 / 300)


@pytest.mark.parametrize("members", [4, 8, 60])
def test_planted_members_are_all_found_and_nobody_else_is(made, members):
    rng = np.random.default_rng(members)
    hits, trials = null_world(rng, 0.002, 50.0)
    planted = np.sort(rng.permutation(300)[:members])
    trials[planted] = 60
    hits[planted] = 30
    found = confirmed(made, hits, trials, 0.001)
    assert found.strands.account.tolist() == planted.tolist()
    assert found.group_log_e > np.log(1000)
    assert found.background < 0.02
    assert found.held_out >= 0.2 * 60 * members


def test_members_who_carry_the_keys_in_part_of_their_traffic_are_found(made):
    rng = np.random.default_rng(3)
    hits, trials = null_world(rng, 0.001, 50.0)
    hits[:30], trials[:30] = 20, 99
    found = confirmed(made, hits, trials, 0.001)
    assert set(range(30)) <= set(found.strands.account.tolist())


def test_one_fixed_prompt_of_everybody_names_everybody(made):
    hits, trials = np.zeros(300, np.int64), np.full(300, 40)
    hits[:25] = 36
    found = confirmed(made, hits, trials, 0.001, keys=1)
    assert found.strands.account.tolist() == list(range(25))


def test_who_always_sends_one_template_of_a_pool_is_not_taken_for_a_user_of_the_pool(made):
    """An honest product whose template is sprayed: all of its traffic, and a single one of twenty keys."""
    hits, trials = np.zeros(600, np.int64), np.full(600, 60)
    hits[:40] = 50
    bits = spread_bits(np.random.default_rng(4), hits[:40], 20)
    bits[38:] = 1
    sent = dealt(np.random.default_rng(5), hits)
    book = made.book(sent + dealt(np.random.default_rng(6), trials - hits))
    found = confirm(made.strands(np.arange(40), sent[:40], bits), book, 0.01, 20)
    assert found.strands.account.tolist() == list(range(38))


def test_one_key_of_a_pool_is_no_membership_though_most_carriers_have_that_one(made):
    """Ninety products send one format of a pool in all of their little traffic, forty members use the pool."""
    hits, trials = np.zeros(3000, np.int64), np.full(3000, 200)
    hits[:40], hits[40:130], trials[40:130] = 150, 12, 12
    bits = np.concatenate([spread_bits(np.random.default_rng(4), hits[:40], 30), np.ones(90, np.int64)])
    sent = dealt(np.random.default_rng(5), hits)
    book = made.book(sent + dealt(np.random.default_rng(6), trials - hits))
    found = confirm(made.strands(np.arange(130), sent[:130], bits), book, 0.01, 30)
    assert found.strands.account.tolist() == list(range(40))
    assert found.alike.tolist() == list(range(40))


def test_who_does_not_send_the_one_fixed_prompt_is_no_member(made):
    """Sixty accounts send one prompt always; eight others share five keys, joined to it by a loose community."""
    hits, trials = np.zeros(3000, np.int64), np.full(3000, 40)
    hits[:60], hits[60:68] = 30, 30
    bits = np.concatenate([np.full(60, 1), np.full(8, 0b111110)])
    sent = dealt(np.random.default_rng(5), hits)
    book = made.book(sent + dealt(np.random.default_rng(6), trials - hits))
    found = confirm(made.strands(np.arange(68), sent[:68], bits), book, 0.01, 6)
    assert found.strands.account.tolist() == list(range(60))


@pytest.mark.parametrize("speakers", [3000, 0])
def test_a_phrase_of_a_language_names_nobody_for_writing_it(made, speakers):
    """Forty accounts carry the keys always; honest speakers of their language now and then, some often."""
    rng = np.random.default_rng(11)
    hits, trials = np.zeros(20_000, np.int64), np.full(20_000, 40)
    hits[:40] = 38
    hits[40 : 40 + speakers] = rng.binomial(40, rng.beta(2, 18, speakers))
    language = np.zeros(20_000, np.int64)
    language[: 40 + speakers] = 1
    strands = made.strands(
        np.flatnonzero(hits), dealt(rng, hits)[hits > 0], spread_bits(rng, hits[hits > 0], 20)
    )
    found = confirm(strands, made.book(dealt(rng, trials), language=language), 0.01, 20)
    assert found.strands.account.tolist() == list(range(40))


def test_likelihood_ratios_bound_how_probably_a_stranger_is_named():
    """Ten thousand members among two million strangers, told by hits alone: one stranger in 100,000 at most."""
    rng = np.random.default_rng(21)
    members, strangers, trials, rates = 10_000, 2_000_000, 300, (0.02, 4e-4)
    hits = np.concatenate(
        [rng.binomial(trials, rate, size) for rate, size in zip(rates, (members, strangers), strict=True)]
    )
    log_e = binom.logpmf(hits, trials, rates[0]) - binom.logpmf(hits, trials, rates[1])
    named = rarely_strangers(log_e, hits >= 3)
    assert named[:members].mean() > 0.4
    assert not named[hits < 3].any()
    assert named[members:].sum() <= binom.ppf(0.9999, strangers, 1e-5)
    assert log_e[named].min() >= log_e[~named & (hits >= 3)].max(initial=-np.inf)


def test_without_evidence_no_bound_holds_and_nobody_is_named():
    assert not rarely_strangers(np.zeros(50), np.ones(50, bool)).any()
    assert rarely_strangers(np.empty(0), np.empty(0, bool)).size == 0


@pytest.mark.parametrize("hits", [1, 2])
def test_nobody_is_named_for_less_than_three_exchanges(made, hits):
    counts, trials = np.zeros(3000, np.int64), np.full(3000, 40)
    counts[:40], trials[:40] = hits, hits
    assert confirmed(made, counts, trials, 0.05).strands.account.size == 0
    counts[:20], trials[:20] = 30, 30
    assert confirmed(made, counts, trials, 0.05).strands.account.tolist() == list(range(20))


def test_a_key_that_most_accounts_use_a_little_names_hardly_anybody(made):
    rng = np.random.default_rng(5)
    trials = np.full(300, 90)
    hits = rng.binomial(trials, 0.03)
    found = confirmed(made, hits, trials, 0.001, keys=1)
    assert found.strands.account.size <= 1
    assert found.background == pytest.approx(0.03, abs=0.01)


def test_hits_on_the_discovery_slice_alone_prove_no_sharing(made):
    """What chose the keys is not asked again: the seeds must carry them in the other slices."""
    hits = np.zeros((40, 3), np.int64)
    hits[:, 0] = 20
    totals = np.tile([20, 10, 10], (400, 1))
    found = confirm(made.strands(np.arange(40), hits, np.full(40, 7)), made.book(totals), 0.001, 7)
    assert found.group_log_e < 0


def group_of(made, accounts):
    """Members with nothing but their numbers."""
    return made.membership(made.strands(accounts, np.ones((len(accounts), 3))))


def test_of_groups_that_repeat_each_other_the_largest_is_kept(made):
    groups = [range(10), range(12), range(20, 30), range(3, 40), range(21, 30)]
    assert distinct([group_of(made, list(accounts)) for accounts in groups]) == [1, 2, 3]
    assert distinct([]) == []
    assert distinct([group_of(made, [1, 2]), group_of(made, [1, 2])]) == [0]


def test_a_group_inside_a_much_larger_one_is_not_a_repeat(made):
    assert distinct([group_of(made, list(range(100))), group_of(made, list(range(20)))]) == [0, 1]


def test_of_a_sparse_group_all_who_are_alike_are_its_circle(made):
    named = made.membership(made.strands([3, 5, 9], np.full((3, 3), 4)))
    more = replace(named, alike=np.array([1, 3, 5]))
    assert more.circle.tolist() == [3, 5, 9]
    assert replace(more, sparse=True).circle.tolist() == [1, 3, 5, 9]


@pytest.mark.parametrize(
    ("named", "at_twenty", "expected"),
    [
        pytest.param((60, 200), (300, 300), True, id="three times as many are named by which"),
        pytest.param((120, 200), (0, 300), False, id="most are named by how often"),
        pytest.param((4, 1), (5, 300), True, id="hardly anybody is named, and many stand at 20 by which"),
        pytest.param(
            (1, 4), (300, 300), False, id="hardly anybody is named, and as many stand at 20 by each"
        ),
        pytest.param((0, 0), (0, 0), False, id="nobody is told by either"),
    ],
)
def test_sparse_is_a_group_that_is_told_by_which_keys_it_carries(named, at_twenty, expected):
    place = np.arange(400)
    often, which = (place < many for many in named)
    often_log_e, which_log_e = (np.where(place < many, 4.0, 0.0) for many in at_twenty)
    assert _sparsely(often_log_e, often, which_log_e, which) == expected
