import math

import numpy as np
import pytest

from stillwatch.mark.detection.decoys import decoy_keys, evidence_panel, panel
from stillwatch.mark.detection.evidence import collect
from stillwatch.mark.detection.scan import totals
from stillwatch.mark.schemes import DualKeyGumbel, GreenList, GumbelMax

TEXTS = [np.random.default_rng(3).integers(0, 500, 400) for _ in range(5)]


@pytest.mark.parametrize("scheme", [GumbelMax(), DualKeyGumbel(), GreenList()], ids=lambda one: one.name)
def test_panel_of_clean_evidence_is_sound(scheme):
    evidence = collect(TEXTS, scheme)
    result = evidence_panel(scheme, evidence, float(len(evidence)), decoy_keys(1, 400))
    assert result.sound
    assert result.decoys == 400
    assert "as chance has it" in result.sentence


def test_panel_sees_repetition():
    scheme, template = GumbelMax(), np.arange(60)
    evidence = collect([template] * 30, scheme, rule="none")
    result = evidence_panel(scheme, evidence, float(len(evidence)), decoy_keys(1, 400))
    assert not result.sound
    assert result.sd_z > 3.0
    assert result.smallest_log10_p < -10.0
    assert "do not use" in result.sentence


def test_rank_of_the_true_key_is_uniform_under_repetition():
    """No independence is needed: the same evidence, scored without de-duplication, under a random key."""
    scheme = GumbelMax()
    evidence = collect([np.arange(40)] * 10, scheme, rule="none")
    keys = decoy_keys(5, 40 * 100).reshape(40, 100)
    scores = totals(scheme, evidence.contexts, evidence.tokens, keys.ravel()).reshape(40, 100)
    ranks = np.array([panel(scheme.null, row[0], row[1:], len(evidence)).rank_p for row in scores])
    assert np.mean(ranks <= 0.25) <= 0.25 + 3 * math.sqrt(0.25 * 0.75 / 40)
    assert ranks.min() >= 1 / 100


def test_decoys_follow_from_their_seed():
    assert np.array_equal(decoy_keys(9, 5), decoy_keys(9, 5))
    assert len(set(decoy_keys(9, 500).tolist())) == 500
    with pytest.raises(ValueError, match="two decoys"):
        decoy_keys(9, 1)


def test_an_empty_text_is_not_called_sound():
    assert not panel(GumbelMax().null, 0.0, [0.0, 0.0], 0).sound
