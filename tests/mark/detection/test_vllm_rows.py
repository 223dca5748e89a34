"""Whole rows of vLLM's goldens: tokens in, score and p-value out.

Source: vLLM project, `tests/watermarking/watermarking_goldens.json`, schema 3 (Apache-2.0): tokens that its sampler
generated, and what its own detector says about them.
"""

import math

import numpy as np
import pytest

from stillwatch.mark.detection.evidence import collect
from stillwatch.mark.detection.nulls import log_tail
from stillwatch.mark.detection.scan import totals
from stillwatch.mark.schemes import GumbelMax

KEY_42_WIDTH_4 = """
46 24 45 80 14 26 22 124 21 45 16 30 5 89 0 10 27 70 80 62 1 11 117 53 10 45 94 37 43 22 78 49 119 9 22 118 82
75 32 24 84 27 122 66 78 64 124 17 91 12 51 15 75 64 127 45 112 15 83 114 121 109 24 77
"""
KEY_0_WIDTH_1 = """
24 42 66 26 51 107 36 25 63 24 6 48 65 124 117 85 45 112 48 101 19 22 89 88 63 77 115 104 65 61 32 20 95 98 30 58
86 50 39 113 122 62 69 40 29 92 113 120 52 112 108 1 25 96 3 95 84 65 76 3 68 71 81 56
"""
KEY_2P32_WIDTH_5 = """
21 10 73 94 19 61 85 42 95 116 105 47 58 36 74 42 95 70 34 37 125 29 64 85 70 73 44 90 47 107 25 70 98 41 1 51 8
57 99 88 80 119 55 15 121 43 124 56 34 87 115 65 4 110 53 77 58 126 19 72 64 113 109 123
"""


@pytest.mark.parametrize(
    ("tokens", "width", "rule", "key", "scored", "score", "p"),
    [
        (KEY_42_WIDTH_4, 4, "context", 42, 64, 296.27295787856264, 7.128196280874065e-61),
        (KEY_42_WIDTH_4, 4, "context", 43, 64, 63.25096716585621, 0.5208447936891313),
        (KEY_0_WIDTH_1, 1, "context", 0, 54, 236.2768211235414, 4.532248480235615e-47),
        (KEY_2P32_WIDTH_5, 5, "none", 2**32, 64, 263.04926919645095, 1.1027575381260964e-49),
    ],
)
def test_row(tokens, width, rule, key, scored, score, p):
    scheme = GumbelMax(width)
    evidence = collect([np.array(tokens.split(), dtype=np.int64)], scheme, rule=rule)
    (total,) = totals(scheme, evidence.contexts, evidence.tokens, np.array([key], np.uint64))
    assert len(evidence) == scored
    assert total == pytest.approx(score, rel=1e-6)  # vLLM keeps uniforms in single precision
    assert math.exp(log_tail(scheme.null, [score], scored)[0]) == pytest.approx(p, rel=1e-9)
    assert math.exp(log_tail(scheme.null, [total], scored)[0]) == pytest.approx(p, rel=1e-4)
