from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.app.config import ENGINES, LOG_FORMATS, Settings, load_settings, section
from stillwatch.detect.config import DetectConfig
from stillwatch.model.errors import InputError


def written(folder: Path, text: str) -> Path:
    path = folder / "stillwatch.toml"
    path.write_text(text)
    return path


def test_without_anything_the_defaults_hold():
    settings = load_settings(None, {"fdr": None, "engine": None})
    assert settings == Settings()
    assert settings.threads >= 1


def test_option_wins_over_file(tmp_path):
    config = written(tmp_path, 'engine = "spark"\nfdr = 0.05\n')
    assert load_settings(config, {"engine": "duckdb", "fdr": None}) == Settings(engine="duckdb", fdr=0.05)


def test_paths_in_the_file_are_relative_to_the_file(tmp_path):
    config = written(tmp_path, 'accounts = "side/accounts.csv"\nstore = "/data/store"\n')
    settings = load_settings(config, {"enforcement": Path("here.ndjson")})
    assert settings.accounts == tmp_path / "side/accounts.csv"
    assert settings.store == Path("/data/store")
    assert settings.enforcement == Path("here.ndjson")


@pytest.mark.parametrize(
    "text",
    [
        "fdr = 1.5",
        "fdr = 0",
        "fdr = 'low'",
        'engine = "pandas"',
        'format = "xml"',
        "threads = 0",
        "max_bad_share = 2.0",
        "unknown = 1",
        "not toml",
        "accounts = 7",
    ],
)
def test_bad_values_are_told_in_one_sentence(tmp_path, text):
    with pytest.raises(InputError) as error:
        load_settings(written(tmp_path, text), {})
    assert "\n" not in str(error.value)
    assert "stillwatch.toml" in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "fdr = 0.0", "member_fdr = 2.0", "verdict_error = -1.0", "least_accounts = 0", "least_key_accounts = 0",
        "bottom_b = -5", "bottom_b = 9223372036854775807", "most_pairs = 99999999999999999999999",
        "pair_level = 0.0", "resolution = nan", "bipartite_resolutions = []", "bipartite_resolutions = [-1.0]",
        "screen_incidences = 0", "ledger_pairs = 0", "class_exchanges = 0", "refinements = [2.0]",
        "most_candidates = -1", "behaviour_accounts = 0", "placebo_accounts = 0", "placebos = 0", "seed = -1",
    ],
)  # fmt: skip
def test_settings_of_the_detector_that_mean_nothing_are_named(tmp_path, text):
    detect = load_settings(written(tmp_path, f"[detect]\n{text}\n"), {}).detect
    with pytest.raises(InputError, match=f"{text.split()[0]}.*; docs/cli.md") as error:
        section(detect, DetectConfig, "settings [detect]")
    assert "$" not in str(error.value)


def test_every_default_of_the_detector_is_allowed():
    default = DetectConfig()
    assert section(msgspec.to_builtins(default), DetectConfig, "settings [detect]") == default


def test_missing_file_and_bytes_that_are_no_text(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        load_settings(tmp_path / "none.toml", {})
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a TOML file"):
        load_settings(tmp_path / "binary.toml", {})


@given(st.sampled_from(LOG_FORMATS), st.sampled_from(ENGINES), st.floats(1e-6, 0.999), st.integers(1, 64))
def test_options_arrive(log_format, engine, fdr, threads):
    options = {"format": log_format, "engine": engine, "fdr": fdr, "threads": threads}
    assert load_settings(None, options) == Settings(
        format=log_format, engine=engine, fdr=fdr, threads=threads
    )
