"""SynthID's g-values against the packaged implementation."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.mark import synthid
from stillwatch.mark.schemes import SynthId

DEFAULT_KEYS = np.array(
    [654, 400, 836, 123, 340, 443, 597, 160, 57, 29, 590, 639, 13, 715, 468, 990, 966, 226, 324, 585, 118, 504, 421,
     521, 129, 669, 732, 225, 90, 960]
)  # fmt: skip
FIRST_ROW = [1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1]


def ngrams() -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(1, 41).reshape(2, 20) * 37 % 1000
    windows = np.lib.stride_tricks.sliding_window_view(rows, 5, axis=1).reshape(-1, 5)
    return windows[:, :4], windows[:, 4]


def test_g_values_are_those_of_the_packages():
    """Computed with transformers 5.23.0 and `synthid-text` 0.2.1, which agree bit for bit."""
    values = synthid.g_values(*ngrams(), DEFAULT_KEYS, synthid.sampling_table(65_536, 0))
    assert values.shape == (32, 30)
    assert int(values.sum()) == 473
    assert values[0].tolist() == FIRST_ROW
    assert hashlib.sha256(values.tobytes()).hexdigest().startswith("96005bb043659844")


def test_g_values_equal_those_of_the_packaged_class():
    torch = pytest.importorskip("torch", reason="needs PyTorch: the packaged class is the reference")
    processors = pytest.importorskip("transformers.generation.logits_process", reason="needs transformers")
    scheme = SynthId(depth=12, table_size=1000, table_seed=5)
    layers = scheme.layer_keys(np.array([2**64 - 1], np.uint64))
    packaged = processors.SynthIDTextWatermarkLogitsProcessor(
        ngram_len=5, keys=layers[0].tolist(), sampling_table_size=1000, sampling_table_seed=5,
        context_history_size=16, device=torch.device("cpu"),
    )  # fmt: skip
    rows = np.random.default_rng(9).integers(0, 150_000, (3, 40))
    expected = packaged.compute_g_values(torch.from_numpy(rows)).numpy().reshape(-1, 12)
    windows = np.lib.stride_tricks.sliding_window_view(rows, 5, axis=1).reshape(-1, 5)
    assert (synthid.g_values(windows[:, :4], windows[:, 4], layers[0], scheme.table) == expected).all()
    assert (
        scheme.scores(windows[:, :4], windows[:, 4], np.array([2**64 - 1], np.uint64))[0] == expected.sum(1)
    ).all()


@given(st.integers(0, 2**64 - 1), st.integers(1, 40), st.integers(80, 300))
def test_layer_keys_are_distinct_modulo_the_table(key, depth, size):
    layers = synthid.layer_keys(np.array([key, 1], np.uint64), depth, size)
    assert layers.shape == (2, depth)
    assert len(set((layers[0] % size).tolist())) == depth
    assert (layers >= 0).all()


def test_too_many_layers_are_refused():
    with pytest.raises(ValueError, match="depth"):
        synthid.layer_keys(np.array([1], np.uint64), 40, 60)
