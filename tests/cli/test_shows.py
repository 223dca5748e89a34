import json

import pytest


@pytest.mark.parametrize("beginning", ["g-aa11", "g-aa1"])
def test_explain_prints_the_evidence(run, out, beginning):
    result = run("explain", beginning, "--in", out)
    assert result.exit_code == 0
    for text in (
        "g-aa11",
        "distillation campaign",
        "payment sharing",
        "Extract AI Model",
        "shared payment instrument",
    ):
        assert text in result.stdout


def test_explain_neither_obeys_markup_nor_control_characters(run, out):
    shown = run("explain", "g-aa11", "--in", out).stdout
    assert "[bold]pay" in shown
    assert "\x1b" not in shown


def test_explain_knows_honest_groups(run, out):
    assert "shared application" in run("explain", "g-bb", "--in", out).stdout


def test_explain_as_json_is_the_record(run, out):
    shown = json.loads(run("explain", "g-aa22", "--in", out, "--json").stdout)
    assert shown == json.loads((out / "campaigns.jsonl").read_text().splitlines()[1])


@pytest.mark.parametrize(
    ("words", "said"),
    [(("g-aa",), "2 ids that begin like this"), (("zz",), "no campaign or group"), (("",), "3 ids")],
)
def test_explain_asks_for_a_unique_id(run, out, words, said):
    result = run("explain", *words, "--in", out)
    assert result.exit_code == 2
    assert said in result.stderr


def test_explain_without_a_scan(run, tmp_path):
    result = run("explain", "g", "--in", tmp_path)
    assert result.exit_code == 2
    assert "has no campaigns.jsonl" in result.stderr


def test_coverage(run, out):
    result = run("coverage", "--in", out)
    assert result.exit_code == 0
    assert "can support: shared prompts" in result.stdout
    assert "lacks births" in result.stdout
    assert json.loads(run("coverage", "--in", out, "--json").stdout)[0]["source"] == "a.jsonl"


def test_coverage_of_nothing(run, tmp_path):
    assert run("coverage", "--in", tmp_path).exit_code == 2
    assert run("coverage", "--store", tmp_path / "none").exit_code == 2
    assert run("coverage", "--store", tmp_path, "--in", tmp_path).exit_code == 2
