"""docs/method.md repeats what the code says: tables, statistics, features, indicators."""

import importlib.util
import re
from pathlib import Path

import pytest

from stillwatch.cases.words import INDICATORS
from stillwatch.detect import sentences
from stillwatch.detect.profiles import STATISTICS
from stillwatch.detect.terms import RULES
from stillwatch.model.findings import Verdict

ROOT = Path(__file__).resolve().parents[2]
METHOD = (ROOT / "docs/method.md").read_text(encoding="utf-8")
SPEC = importlib.util.spec_from_file_location("generate_terms", ROOT / "docs/generate_terms.py")
generate_terms = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generate_terms)


def section(title):
    found = re.search(
        rf"^#+ (?:\d+\. )?{re.escape(title)}\n(.*?)(?=^## |\Z)", METHOD, re.MULTILINE | re.DOTALL
    )
    assert found, f"docs/method.md has no section {title!r}"
    return found[1]


def first_cells(text):
    return set(re.findall(r"^\| `?([a-z_0-9]+)`? \|", text, re.MULTILINE))


def test_generated_tables_are_what_the_code_says():
    assert generate_terms.updated(METHOD) == METHOD, "run: python docs/generate_terms.py"


def test_a_stale_table_is_noticed():
    stale = METHOD.replace("| `fdr` | 0.01 |", "| `fdr` | 0.02 |")
    assert stale != METHOD
    assert generate_terms.updated(stale) == METHOD


def test_a_page_without_markers_is_refused():
    with pytest.raises(ValueError, match="markers"):
        generate_terms.updated("no markers here")


def test_every_point_of_every_rule_is_shown():
    rows = {line.split("|")[1].strip(): line for line in generate_terms.terms_table().splitlines()[2:]}
    assert set(rows) == {f"`{rule.feature}`" for rule in RULES}
    for rule in RULES:
        cells = [cell.strip() for cell in rows[f"`{rule.feature}`"].split("|")[2:-1]]
        shown = dict(zip(("at", *(kind.value for kind in generate_terms.PRIORS)), cells, strict=True))
        for kind, points in rule.points.items():
            values = [float(cell.replace("\N{MINUS SIGN}", "-")) for cell in shown[kind.value].split(" / ")]
            assert values == list(points)


def test_every_rule_has_its_reason():
    assert {rule.feature for rule in RULES} <= first_cells(section("Why each rule"))


def test_every_feature_is_defined():
    source = (ROOT / "src/stillwatch/detect/features.py").read_text(encoding="utf-8")
    computed = re.search(r"def features_of.*?return \{(.*?)\n    \}", source, re.DOTALL)[1]
    names = set(re.findall(r'^\s+"([a-z_]+)":', computed, re.MULTILINE))
    assert names
    assert names | {rule.feature for rule in RULES} <= first_cells(section("Features"))


def test_every_statistic_is_defined_with_its_view():
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| ([a-z]+) \|", section("Evidence"), re.MULTILINE))
    assert rows == {name: view.value for name, view in STATISTICS.items()}


def test_every_kind_of_verdict_is_named():
    text = section("Verdict")
    assert all(kind.value in text for kind in Verdict)


def test_indicators_have_the_numbers_and_words_of_the_report():
    rows = re.findall(r"^\| (\d+) \| ([^|]+?) \|", section("Public indicators"), re.MULTILINE)
    listed = {int(number): words for number, words in rows}
    assert len(listed) == len(rows)
    assert {number: listed.get(number) for number in INDICATORS} == dict(INDICATORS)


def test_indicators_name_the_measure_that_reports_them():
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|", section("Public indicators"), re.MULTILINE)
    measures = {int(number): set(re.findall(r"\*\*`([a-z_]+)`\*\*", cell)) for number, cell in rows}
    said = {(number, name) for number, names in measures.items() for name in names}
    done = {(number, name) for name, numbers in sentences._ADVISORY.items() for number in numbers}
    assert said == done
