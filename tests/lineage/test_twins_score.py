from datetime import UTC, datetime

import numpy as np
import pytest

from stillwatch.lineage.twins import TwinDesign, TwinSeed, make_item, served_positions
from stillwatch.lineage.twins_preference import preference_test
from stillwatch.lineage.twins_score import overlap_scores, ranking_scores, residual

SEED = TwinSeed(bytes(range(32)))
DESIGN = TwinDesign(gram=2)
WORDS = [f"w{number}" for number in range(60)]


def sentence(rng, length=25):
    return " ".join(rng.choice(WORDS, size=length))


def pairs(rng, count):
    return [
        make_item(
            SEED,
            DESIGN,
            request_id=f"r{number}",
            account_id="a",
            answers=answers,
            served_at=datetime(2026, 1, 1, tzinfo=UTC),
            temperature=1.0,
        )
        for number, answers in enumerate([sentence(rng), sentence(rng)] for _ in range(count))
    ]


def test_overlap_is_whole_for_a_copy_and_nothing_for_a_stranger():
    rng = np.random.default_rng(1)
    copied = "alpha beta gamma delta"
    made = make_item(
        SEED,
        DESIGN,
        request_id="r",
        account_id="a",
        answers=[copied, "one two three four"],
        served_at=datetime(2026, 1, 1, tzinfo=UTC),
        temperature=1.0,
    )
    scores = overlap_scores([made], [[sentence(rng), copied]], SEED.gram_key(), DESIGN.gram)
    assert scores.tolist() == [[1.0, 0.0]]


def test_samples_of_a_copier_are_evidence_and_those_of_a_stranger_are_not():
    rng = np.random.default_rng(2)
    answers = [[sentence(rng), sentence(rng)] for _ in range(80)]
    items = [
        make_item(
            SEED,
            DESIGN,
            request_id=f"r{number}",
            account_id="a",
            answers=both,
            served_at=datetime(2026, 1, 1, tzinfo=UTC),
            temperature=1.0,
        )
        for number, both in enumerate(answers)
    ]
    served = served_positions(SEED, items)
    copier = [
        [" ".join(both[position].split()[:8] + sentence(rng, 17).split())]
        for both, position in zip(answers, served, strict=True)
    ]
    stranger = [[sentence(rng)] for _ in items]
    key = SEED.gram_key()
    assert preference_test(overlap_scores(items, copier, key, 2), served).p_rank < 1e-6
    assert preference_test(overlap_scores(items, stranger, key, 2), served).p_rank > 1e-3


def test_another_key_finds_nothing():
    rng = np.random.default_rng(3)
    items = pairs(rng, 3)
    scores = overlap_scores(items, [[sentence(rng)]] * 3, b"another key", 2)
    assert not scores.any()


def test_no_items_and_silent_suspects_give_no_scores():
    assert overlap_scores([], [], b"k", 2).shape == (0, 2)
    assert not overlap_scores(pairs(np.random.default_rng(4), 2), [[], [""]], SEED.gram_key(), 2).any()
    with pytest.raises(ValueError, match="one list of samples"):
        overlap_scores(pairs(np.random.default_rng(4), 2), [[]], SEED.gram_key(), 2)


def test_a_control_takes_away_what_every_model_prefers():
    rng = np.random.default_rng(5)
    plain = rng.normal(size=(500, 2)) * 5
    served = rng.integers(2, size=500)
    mine = plain + rng.normal(size=(500, 2))
    mine[np.arange(500), served] += 0.4
    without, beside = preference_test(mine, served), preference_test(residual(mine, plain), served)
    assert beside.log_p_sum < without.log_p_sum - 5


def test_controls_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="controls"):
        residual([[1.0, 2.0]], [[1.0, 2.0, 3.0]])


def test_the_first_in_an_order_scores_highest():
    assert ranking_scores([[2, 0, 1], [0, 1, 2]]).tolist() == [[-1.0, -2.0, 0.0], [0.0, -1.0, -2.0]]
