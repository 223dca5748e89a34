import json
import math

import msgspec
import numpy as np
import pytest

from stillwatch.mark.detection.keyfile import derive_table
from stillwatch.mark.detection.report import Settings
from stillwatch.mark.detection.search import _power, detect
from stillwatch.mark.keys import MasterKey
from stillwatch.mark.schemes import DualKeyGumbel, GreenList, GumbelMax

ACCOUNTS = [(f"acc-{i}", f"co-{i % 5}") for i in range(300)]
TABLE = derive_table(MasterKey(bytes(range(32))).epoch("2026-11"), ACCOUNTS)
GUILTY = TABLE.names.index("acc-17")
VOCABULARY = 500


def marked(scheme, key, length, seed, start=0):
    """Generate by the scheme from a uniform model over a few candidates; before `start` without the key."""
    rng = np.random.default_rng(seed)
    text = rng.integers(0, VOCABULARY, scheme.context_width).tolist()
    for place in range(length - scheme.context_width):
        offers = rng.integers(0, VOCABULARY, 5)
        context = np.repeat([text[-scheme.context_width :]], 5, axis=0)
        if place >= start:
            scores = scheme.scores(context, offers, np.array([key], np.uint64))[0]
            text.append(int(offers[scores.argmax()]))
        else:
            text.append(int(offers[0]))
    return np.array(text)


def clean(seed, length=400):
    return np.random.default_rng(seed).integers(0, VOCABULARY, length)


@pytest.mark.parametrize(
    "scheme", [GumbelMax(), DualKeyGumbel(), GreenList(context_width=2)], ids=lambda s: s.name
)
def test_the_account_is_named_with_its_cohort(scheme):
    text = marked(scheme, TABLE.values[GUILTY], 150, seed=61)
    report = detect([text], scheme, TABLE, Settings(level=1e-5))
    assert [one.name for one in report.named] == ["acc-17"]
    assert report.named[0].cohort == "co-2"
    assert report.named[0].log10_family_error <= -5
    alone = report.named[0].log10_p
    if scheme.name != "greenlist":
        alone = min(alone - math.log10(0.9), 1.0 - report.named[0].log10_e)
    assert report.named[0].log10_family_error == pytest.approx(alone + math.log10(len(TABLE)), abs=1e-6)
    assert report.named[0].log10_e > 5
    assert report.keys_tried == 306
    assert report.panel.sound
    assert "account acc-17 of cohort co-2" in report.sentence
    assert "306 keys tried" in report.sentence
    assert "not of who passed it on" in report.does_not_prove


def test_clean_text_names_nobody():
    report = detect([clean(seed) for seed in range(5)], GumbelMax(), TABLE, Settings())
    assert report.named == ()
    assert report.best is not None
    assert "No key is named" in report.sentence
    assert all(one.family_error > 0.01 for one in report.cohorts)
    assert len(report.cohorts) == 5


def test_repetition_counts_once_and_the_report_says_so():
    one, many = (detect([clean(1)] * times, GumbelMax(), TABLE, Settings()) for times in (1, 30))
    assert many.scored == one.scored
    assert many.tokens_read == 30 * 400
    assert many.repeated == 30 * 400 - many.scored
    assert many.best.log10_p == pytest.approx(one.best.log10_p)


def test_without_deduplication_the_panel_forbids_a_verdict():
    texts = [np.tile(np.arange(50), 8)] * 20
    report = detect(texts, GumbelMax(), TABLE, Settings(rule="none"))
    assert report.best.log10_family_error < -6  # an innocent key looks guilty
    assert not report.panel.sound
    assert report.named == ()
    assert "No key is named" in report.sentence


def test_where_the_mark_stands():
    text = marked(GumbelMax(), TABLE.values[GUILTY], 600, seed=62, start=350)
    report = detect([clean(3), text], GumbelMax(), TABLE, Settings())
    (stretch,) = report.named[0].stretches
    assert stretch.document == 1
    assert abs(stretch.start - 350) < 20
    assert stretch.end >= 580


def test_known_contexts_do_not_count():
    text = marked(GumbelMax(), TABLE.values[GUILTY], 150, seed=63)
    contexts = np.lib.stride_tricks.sliding_window_view(text, 4)
    report = detect([text], GumbelMax(), TABLE, Settings(), exclude=contexts)
    assert report.named == ()
    assert report.excluded == 146
    assert report.scored == 4  # those at the beginning, whose context is not whole


def test_forgery_is_looked_for_when_there_is_a_reference():
    text = marked(GumbelMax(), TABLE.values[GUILTY], 200, seed=64)
    contexts = np.lib.stride_tricks.sliding_window_view(text, 4)
    half = np.repeat(contexts[::2], 3, axis=0)
    plain = detect([text], GumbelMax(), TABLE, Settings(), reference=half)
    assert plain.spoofing.p > 0.01
    assert not plain.spoofing.controlled
    given = [np.full(200, 0.2)]
    assert detect(
        [text], GumbelMax(), TABLE, Settings(), reference=half, probabilities=given
    ).spoofing.controlled
    assert detect([clean(5)], GumbelMax(), TABLE, Settings(), reference=half).spoofing is None
    assert detect([text], GumbelMax(), TABLE, Settings()).spoofing is None


def test_empty_text_is_told():
    report = detect([np.zeros(0, np.int64)], GumbelMax(), TABLE, Settings())
    assert report.named == ()
    assert "Nothing could be scored" in report.sentence


def test_no_key_stands_in_the_report_nor_in_a_repr():
    text = marked(GumbelMax(), TABLE.values[GUILTY], 150, seed=61)
    wire = msgspec.json.encode(detect([text], GumbelMax(), TABLE, Settings())).decode()
    for shown in (wire, repr(TABLE)):
        for value in TABLE.values[[0, 3, GUILTY]].tolist():
            assert f"{value:x}" not in shown
            assert str(value) not in shown
    assert json.loads(wire)["schema_version"] == 1


def test_the_same_settings_give_the_same_report():
    text = [clean(9)]
    assert detect(text, GumbelMax(), TABLE, Settings(seed=5)) == detect(
        text, GumbelMax(), TABLE, Settings(seed=5)
    )


def test_a_chosen_part_of_the_table_keeps_its_keys():
    part = TABLE.rows([GUILTY, 0])
    assert part.names == ("acc-17", "")
    assert part.values.tolist() == TABLE.values[[GUILTY, 0]].tolist()


@pytest.mark.parametrize(
    ("log10", "shown"), [(-5.0, "1.0e-5"), (-5.3, "5.1e-6"), (-400.5, "3.2e-401"), (-0.0001, "1.0e0")]
)
def test_errors_are_rounded_up(log10, shown):
    assert _power(log10) == shown
